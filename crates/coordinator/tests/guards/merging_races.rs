//! Events under two numbers of one customer at the same time, and a merge at the same time as an end: whichever is first, no
//! request for the customer's end is lost, and none is open while a contract is active (I8).

use std::sync::Arc;

use gallra_coordinator::contracts::End;

use crate::merging::{day, end, is_consistent, merge, site};
use crate::site::id;

/// Rounds of a race, each of customers of its own.
const ROUNDS: u32 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_merge_and_an_end_one_is_first_and_no_request_is_lost() {
    let site = Arc::new(site().await);
    let (mut taken_back, mut ended) = (0, 0);
    for round in 0..ROUNDS {
        let (a, b) = (format!("a{round}"), format!("b{round}"));
        for number in [&a, &b] {
            site.sells(number, number).await;
        }
        end(&site, &a, day(10)).await;
        let core = Arc::clone(&site.core);
        let last = End { service: id(&b), ended: day(12), version: 0, cause: None };
        let ends = tokio::spawn(async move {
            for _ in 0..round * 7 % 64 {
                tokio::task::yield_now().await;
            }
            core.end_contract(&last).await
        });
        let merged = merge(&site, &a, &b).await.expect("merged");
        ends.await.expect("ends").expect("an end is always taken");
        match merged.later.first().and_then(|later| later.request) {
            None => taken_back += 1,
            Some(_) => ended += 1,
        }
        is_consistent(&site, &[&a, &b]).await;
    }
    assert!(taken_back > 0 && ended > 0, "no race: {taken_back} merged first, {ended} ended first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_last_ends_under_two_numbers_one_sees_the_other() {
    let site = Arc::new(site().await);
    for round in 0..ROUNDS {
        let (a, b) = (format!("a{round}"), format!("b{round}"));
        for number in [&a, &b] {
            site.sells(number, number).await;
        }
        merge(&site, &a, &b).await.expect("merged");
        let told = [(&a, 10), (&b, 12)].map(|(service, ended)| {
            let core = Arc::clone(&site.core);
            let end = End { service: id(service), ended: day(ended), version: 0, cause: None };
            tokio::spawn(async move { core.end_contract(&end).await })
        });
        for end in told {
            end.await.expect("ends").expect("taken");
        }
        is_consistent(&site, &[&a, &b]).await;
        // A sale under one and the settlement of the other's contract.
        let core = Arc::clone(&site.core);
        let service = id(&a);
        let settles = tokio::spawn(async move { core.settle_contract(&service, day(20), 0).await });
        site.sells(&format!("more.{b}"), &b).await;
        settles.await.expect("ends").expect("settled");
        is_consistent(&site, &[&a, &b]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_resumption_under_one_number_and_the_last_end_under_the_other_one_sees_the_other() {
    let site = Arc::new(site().await);
    for round in 0..ROUNDS {
        let (a, b) = (format!("a{round}"), format!("b{round}"));
        for number in [&a, &b] {
            site.sells(number, number).await;
        }
        merge(&site, &a, &b).await.expect("merged");
        end(&site, &b, day(10)).await;
        let core = Arc::clone(&site.core);
        let service = id(&b);
        let resumes = tokio::spawn(async move {
            for _ in 0..round * 7 % 64 {
                tokio::task::yield_now().await;
            }
            core.resume_contract(&service, 0).await
        });
        end(&site, &a, day(12)).await;
        resumes.await.expect("ends").expect("a resumption is always taken");
        is_consistent(&site, &[&a, &b]).await;
    }
}
