//! No two customers have one address on record at the same time: else the erasure of one would take the other's lines (I11).

use std::sync::Arc;

use gallra_coordinator::addresses::Told;
use gallra_coordinator::contracts::End;
use gallra_coordinator::error::CoreError;
use gallra_model::Day;
use gallra_store::Txn;
use gallra_store::keys::Family;

use crate::site::{Site, id};

const FROM: &str = "2026-01-05T00:00:00Z";
/// Where 20 January ends in Stockholm.
const OVER: &str = "2026-01-20T23:00:00Z";

fn told(service: &str, address: &str, from: &str, until: Option<&str>) -> Told {
    let at = |text: &str| text.parse().expect("a literal");
    Told { service: id(service), address: at_ip(address), time: Some((at(from), until.map(at))) }
}

fn at_ip(address: &str) -> core::net::IpAddr {
    address.parse().expect("a literal")
}

async fn record(site: &Site, word: &Told) -> Result<usize, CoreError> {
    site.core.record_address(word).await.map(|(_, known)| known)
}

async fn is_refused(site: &Site, word: &Told) -> bool {
    match record(site, word).await {
        Ok(_) => false,
        Err(CoreError::Precondition(why)) => {
            assert!(
                why.contains("another customer's") && !why.contains("192.0.2") && !why.contains("example"),
                "{why}"
            );
            true
        }
        Err(error) => panic!("{error}"),
    }
}

async fn two() -> Site {
    let site = Site::new(&["www"]).await;
    site.sells("anna.example", "1001").await;
    site.sells("bo.example", "1002").await;
    site
}

/// Entries of the blind index of this kind.
async fn indexed(site: &Site, kind: &str) -> usize {
    let page = site.core.store.range(&Family::Index.prefix().range(), 1_000).await.expect("reads");
    page.entries.iter().filter(|entry| entry.key.as_str().contains(&format!("/{kind}/"))).count()
}

#[tokio::test]
async fn what_is_one_customers_is_refused_to_another_until_its_end_is_told() {
    let site = two().await;
    record(&site, &told("anna.example", "192.0.2.7", FROM, None)).await.expect("taken");
    let late = told("bo.example", "::ffff:192.0.2.7", "2026-01-25T00:00:00Z", None);
    assert!(is_refused(&site, &late).await, "nobody said that it ended");
    assert_eq!(record(&site, &told("bo.example", "192.0.2.8", FROM, None)).await.expect("taken"), 1, "another one");
    record(&site, &told("anna.example", "192.0.2.7", FROM, Some(OVER))).await.expect("taken");
    assert!(is_refused(&site, &told("bo.example", "192.0.2.7", "2026-01-20T22:59:59Z", None)).await);
    // Whole days: to the end of the 20th, and from the 21st on.
    assert_eq!(record(&site, &told("bo.example", "192.0.2.7", OVER, None)).await.expect("taken"), 2);
    assert!(
        is_refused(&site, &told("anna.example", "192.0.2.7", "2026-01-28T00:00:00Z", None)).await,
        "now it is theirs"
    );
    // It was an error.
    let withdrawn = Told { time: None, ..told("bo.example", "192.0.2.7", OVER, None) };
    record(&site, &withdrawn).await.expect("taken");
    record(&site, &told("anna.example", "192.0.2.7", "2026-01-28T00:00:00Z", None)).await.expect("taken");
}

#[tokio::test]
async fn a_contracts_end_frees_its_addresses_and_a_resumption_does_not_take_them_back() {
    let site = two().await;
    record(&site, &told("anna.example", "192.0.2.7", FROM, None)).await.expect("taken");
    let end = End { service: id("anna.example"), ended: Day::constant(2026, 1, 20), version: 0, cause: None };
    site.core.end_contract(&end).await.expect("ended");
    record(&site, &told("bo.example", "192.0.2.7", OVER, None)).await.expect("taken");
    site.core.resume_contract(&id("anna.example"), 0).await.expect("resumed");
    assert!(is_refused(&site, &told("anna.example", "192.0.2.7", OVER, None)).await);
}

#[tokio::test]
async fn contracts_of_one_customer_may_share_an_address() {
    let site = two().await;
    site.sells("anna.example.org", "1001").await;
    for service in ["anna.example", "anna.example.org"] {
        record(&site, &told(service, "192.0.2.7", FROM, None)).await.expect("taken");
    }
    assert!(is_refused(&site, &told("bo.example", "192.0.2.7", FROM, None)).await);
}

#[tokio::test]
async fn whose_it_is_outlives_turns_of_keys_and_is_gone_with_the_contract() {
    let site = two().await;
    for address in ["192.0.2.7", "2001:db8::7"] {
        record(&site, &told("anna.example", address, FROM, None)).await.expect("taken");
    }
    for day in ["2026-05-10T10:00:00Z", "2026-06-15T10:00:00Z"] {
        site.advance(day).await;
        assert!(is_refused(&site, &told("bo.example", "2001:DB8::0:7", FROM, None)).await, "{day}");
        assert_eq!((indexed(&site, "used-address").await, indexed(&site, "holder").await), (2, 1));
    }
    let leaving = site.ends("anna.example", "1001").await;
    let forget = site.core.forget(&site.view(&leaving.request).await, Txn::new()).await.expect("forgets");
    site.core.store.commit(forget).await.expect("commits");
    assert_eq!((indexed(&site, "used-address").await, indexed(&site, "holder").await), (0, 0));
    record(&site, &told("bo.example", "192.0.2.7", FROM, None)).await.expect("nobody's any more");
}

#[tokio::test]
async fn a_contract_with_as_many_addresses_as_may_be_can_be_forgotten_and_leads_to_nobody() {
    let site = two().await;
    for n in 0..256 {
        let address = format!("198.51.{}.{}", n / 128, n % 128);
        record(&site, &told("anna.example", &address, FROM, None)).await.expect("taken");
    }
    let leaving = site.ends("anna.example", "1001").await;
    let forget = site.core.forget(&site.view(&leaving.request).await, Txn::new()).await.expect("forgets");
    site.core.store.commit(forget).await.expect("one transaction");
    assert_eq!(indexed(&site, "holder").await, 0, "what is listed leads to nobody");
    record(&site, &told("bo.example", "198.51.1.127", FROM, None)).await.expect("nobody's any more");
    for day in ["2026-05-10T10:00:00Z", "2026-06-15T10:00:00Z"] {
        site.advance(day).await;
    }
    assert_eq!(indexed(&site, "used-address").await, 1, "the rest went with the epoch");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_customers_that_are_told_one_address_at_once_one_has_it() {
    let site = Arc::new(two().await);
    for round in 0..60 {
        let address = format!("192.0.2.{round}");
        let words = ["anna.example", "bo.example"].map(|service| {
            let (site, word) = (Arc::clone(&site), told(service, &address, FROM, None));
            tokio::spawn(async move { is_refused(&site, &word).await })
        });
        let [one, other] = words;
        assert!(one.await.expect("ends") != other.await.expect("ends"), "both have it, or none: round {round}");
    }
}
