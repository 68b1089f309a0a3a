//! The weekly list of contracts that ended and that nobody settles: who is on it, from which day, who drops off, and that it is
//! made once a week, whatever happens in between.

#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

use std::collections::BTreeSet;

use gallra_coordinator::contracts::End;
use gallra_coordinator::leader;
use gallra_coordinator::unsettled::{List, Unsettled};
use gallra_model::contract::Contract;
use gallra_model::{ContractId, Day};
use gallra_store::{Txn, keys};

use crate::site::{ENDED, Site, id};

/// Ends without being settled.
async fn ends(site: &Site, service: &str, customer: &str, ended: Day) -> Unsettled {
    site.sells(service, customer).await;
    let end = End { service: id(service), ended, version: 0, cause: None };
    let contract = site.core.end_contract(&end).await.expect("ended");
    let since = match ended.to_string().as_str() {
        "2026-01-31" => Day::constant(2026, 2, 28),
        "2026-03-07" => Day::constant(2026, 4, 7),
        other => panic!("no case: {other}"),
    };
    Unsettled { contract: contract.id, request: contract.request.expect("a request"), ended, since }
}

async fn list(site: &Site) -> List {
    site.core.show_unsettled(0).await.expect("reads").list.expect("a list")
}

async fn on_it(site: &Site) -> Vec<Unsettled> {
    let mut all = site.core.show_unsettled(0).await.expect("reads").contracts;
    all.sort_by_key(|one| one.contract);
    all
}

#[tokio::test]
async fn who_ended_a_month_ago_and_is_unsettled_is_listed_each_monday_until_somebody_decides() {
    let site = Site::new(&["www"]).await;
    let mut long_ago =
        [ends(&site, "anna.example", "1001", ENDED).await, ends(&site, "b.example", "1002", ENDED).await];
    long_ago.sort_by_key(|one| one.contract);
    let later = ends(&site, "late.example", "1003", Day::constant(2026, 3, 7)).await;
    site.leaves("settled.example", "1004").await;
    site.sells("active.example", "1005").await;
    // Wednesday, and no list before: Monday's is made up for.
    leader::run_due(&site.core).await.expect("looked");
    assert_eq!((list(&site).await.day, list(&site).await.count), (Day::constant(2026, 3, 30), 2));
    assert_eq!(on_it(&site).await, long_ago);
    assert_eq!(site.core.waited_days(ENDED), 60);

    // Who settles or resumes drops off at once; nobody new comes before the next list.
    site.core.settle_contract(&id("b.example"), Day::constant(2026, 3, 31), 0).await.expect("settled");
    site.advance("2026-04-05T10:00:00Z").await;
    let settled = settled(&site, "b.example").await;
    let left: Vec<_> = long_ago.iter().filter(|one| one.request != settled).copied().collect();
    assert_eq!((on_it(&site).await, list(&site).await.count), (left.clone(), 2));
    let made = list(&site).await.made;
    site.advance("2026-04-06T00:59:00Z").await;
    assert_eq!(list(&site).await.made, made, "not before Monday's sweep");
    site.advance("2026-04-06T01:00:00Z").await;
    assert_eq!((list(&site).await.day, list(&site).await.count), (Day::constant(2026, 4, 6), 1));
    assert_eq!(on_it(&site).await, left);

    site.advance("2026-04-13T01:00:00Z").await;
    assert_eq!(list(&site).await.count, 2, "the third is a month behind its end");
    assert!(on_it(&site).await.contains(&later));
    site.core.resume_contract(&id("anna.example"), 0).await.expect("resumed");
    assert_eq!(on_it(&site).await, [later]);
    // An end after a resumption is another request: it is not the one that was listed.
    let end = End { service: id("anna.example"), ended: ENDED, version: 0, cause: None };
    site.core.end_contract(&end).await.expect("ended");
    assert_eq!(on_it(&site).await, [later], "until the next list");
    let pages = site.core.store.range(&keys::unsettled().range(), 100).await.expect("reads");
    assert_eq!(pages.entries.len(), 2, "this list's page and the one before it");
}

async fn settled(site: &Site, service: &str) -> gallra_model::RequestId {
    site.core.find_contract(&id(service)).await.expect("known").1.request.expect("a request")
}

#[tokio::test]
async fn a_list_outlives_a_restart_and_what_a_crash_left_of_one_is_nobodys() {
    let site = Site::new(&["www"]).await;
    let one = ends(&site, "anna.example", "1001", ENDED).await;
    leader::run_due(&site.core).await.expect("looked");
    let site = site.restarted().await;
    leader::run_due(&site.core).await.expect("looked");
    assert_eq!(on_it(&site).await, [one]);
    // Pages without a list: a kill before the last commit.
    let half = serde_json::to_vec(&[one; 3]).expect("encodes");
    let key = keys::unsettled_page(Day::constant(2026, 4, 6), 1);
    site.core.store.commit(Txn::new().put(key, half)).await.expect("commits");
    assert_eq!(on_it(&site).await, [one]);
    site.advance("2026-04-06T10:00:00Z").await;
    assert_eq!((on_it(&site).await, list(&site).await.pages), (vec![one], 1));
    assert!(site.core.show_unsettled(1).await.expect("reads").contracts.is_empty(), "there is no such page");
}

#[tokio::test]
async fn a_policy_that_asks_for_no_list_shows_none() {
    let site = Site::new(&["www"]).await;
    ends(&site, "anna.example", "1001", ENDED).await;
    leader::run_due(&site.core).await.expect("looked");
    assert_eq!(on_it(&site).await.len(), 1);
    let none = site.policy(|text| {
        let (before, after) = text.split_once("[[entry]]\nid = \"webone/unsettled\"").expect("the row");
        let (_, rest) = after.split_once("[[entry]]").expect("another row");
        format!("{before}[[entry]]{rest}")
    });
    site.core.apply_policy(none, None).await.expect("in order");
    site.advance("2026-04-06T10:00:00Z").await;
    let shown = site.core.show_unsettled(0).await.expect("reads");
    assert_eq!((shown.list, shown.contracts.len()), (None, 0));
}

#[tokio::test]
async fn a_long_list_is_read_page_by_page() {
    let site = Site::new(&["www"]).await;
    let one = ends(&site, "anna.example", "1001", ENDED).await;
    let entry = site.core.store.get(&keys::contract(&one.contract)).await.expect("reads").expect("the contract");
    let pattern: Contract = serde_json::from_slice(&entry.value).expect("a contract");
    for batch in 0..10_u8 {
        let txn = (0..110_u8).fold(Txn::new(), |txn, number| {
            let id = ContractId::from_bytes([batch, number, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
            let contract = Contract { id, ..pattern.clone() };
            txn.put(keys::contract(&id), serde_json::to_vec(&contract).expect("encodes"))
        });
        site.core.store.commit(txn).await.expect("commits");
    }
    site.core.list_unsettled().await.expect("made");
    assert_eq!((list(&site).await.count, list(&site).await.pages), (1101, 3));
    let (mut found, mut next) = (BTreeSet::new(), Some(0));
    while let Some(page) = next {
        let shown = site.core.show_unsettled(page).await.expect("reads");
        assert!(shown.contracts.len() <= 500);
        found.extend(shown.contracts.iter().map(|one| one.contract));
        next = shown.more;
    }
    assert_eq!(found.len(), 1101);
}
