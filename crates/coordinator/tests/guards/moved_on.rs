//! What comes after a move: corrections, doubled words, settlement and forgetting of the time before it (I11, I12), and the turn
//! of keys in the midst of one.

use gallra_coordinator::addresses::Told;
use gallra_coordinator::contracts::Move;
use gallra_coordinator::error::CoreError;
use gallra_coordinator::leader;
use gallra_model::{Day, RequestId};
use gallra_store::keys::What;
use gallra_store::{Txn, keys};

use crate::moving::{FROM, MINE, OVER, customer, record, selector, settled, site, to};
use crate::site::{Site, id};

async fn forget(site: &Site, request: &RequestId) -> Txn {
    site.core.forget(&site.view(request).await, Txn::new()).await.expect("forgets")
}

async fn forgotten(site: &Site, request: &RequestId) {
    let txn = forget(site, request).await;
    site.core.store.commit(txn).await.expect("commits");
}

fn withdrawn() -> Told {
    Told { service: id("anna.example"), address: MINE.parse().expect("a literal"), time: None }
}

#[tokio::test]
async fn an_address_that_stayed_with_the_earlier_customer_is_not_called_withdrawn() {
    let site = site().await;
    record(&site, "anna.example", FROM).await.expect("taken");
    let moved = site.core.move_contract(&Move { settled: settled(20), ..to("1002") }).await.expect("moved");
    let ending = moved.ending.expect("the last contract");
    leader::run_due(&site.core).await.expect("planned");
    let refused = site.core.record_address(&withdrawn()).await.err();
    assert!(
        matches!(&refused, Some(CoreError::Precondition(why)) if why.contains("earlier customer") && !why.contains("192")),
        "{refused:?}"
    );
    assert_eq!(
        selector(&site, &ending, "logins").await.expect("a job").addresses.len(),
        1,
        "it is searched by it still"
    );
    let other = Told { address: "192.0.2.78".parse().expect("a literal"), ..withdrawn() };
    site.core.record_address(&other).await.expect("nobody's: there is nothing to take back");
    // What was recorded after the move is the contract's own, and goes.
    record(&site, "anna.example", OVER).await.expect("taken");
    assert_eq!(site.core.record_address(&withdrawn()).await.expect("taken back").1, 0);
    let on = Move { on: Day::constant(2026, 1, 25), ..to("1003") };
    site.core.move_contract(&on).await.expect("moved on");
    assert!(
        matches!(site.core.record_address(&withdrawn()).await.err(), Some(CoreError::Precondition(_))),
        "two moves ago"
    );
    forgotten(&site, &ending).await;
    site.core.record_address(&withdrawn()).await.expect("nobody is searched by it any more");
}
