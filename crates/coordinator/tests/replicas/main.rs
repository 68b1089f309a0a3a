//! Two coordinators on one store (decision 4). The engine is the embedded one, shared in this process: how leaders are elected is the
//! engine's affair and tested with it, and what follows from who leads is the same on each.

mod pair;
mod schema;

use gallra_coordinator::contracts::{End, Start};
use gallra_coordinator::{leader, state};
use gallra_model::{AgentName, Day};
use gallra_store::{StoreError, Txn, keys};

use pair::Pair;

fn web() -> AgentName {
    "web1".parse().expect("a literal name")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_takes_in_the_leader_moves_and_each_hands_out_the_same_log() {
    let pair = Pair::new().await;
    pair.leads(0).await;
    let (first, second) = (pair.core(0), pair.core(1));
    let term = first.store.get(&keys::meta_leader()).await.expect("reads").expect("somebody leads").version;
    pair.enrol(&web(), 1).await;
    second.ledger.heard(&web(), None).await.expect("heard");
    let ended = Day::constant(2026, 1, 31);
    let service = || "acme-service".parse().expect("an id");
    let customer = "acme".parse().expect("an id");
    let start =
        Start { service: service(), customer, addresses: vec![], started: Day::constant(2026, 1, 2), version: 0 };
    second.start_contract(&start).await.expect("sold at the one that follows");
    let end = End { service: service(), ended, version: 0, cause: None };
    let request = second.end_contract(&end).await.expect("ended there").request.expect("a request");
    second.settle_contract(&service(), ended, 0).await.expect("settled there");
    // Nobody calls the leader: the store tells it.
    pair.until("the leader plans", async || {
        state::load(&*first.store, &request).await.expect("loads").view.plan.is_some()
    })
    .await;
    pair.until("both hand out the same checkpoint", async || {
        let notes = (first.ledger.checkpoint(), second.ledger.checkpoint());
        notes.0.is_some() && notes.0 == notes.1 && first.ledger.waiting().await.expect("reads") == 0
    })
    .await;
    let leader = first.store.get(&keys::meta_leader()).await.expect("reads").expect("somebody leads");
    assert_eq!(leader.version, term, "a term ends only by being lost or given up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposed_leader_that_wakes_late_writes_nothing() {
    let pair = Pair::new().await;
    pair.leads(0).await;
    let late = pair.led(0).await;
    pair.depose(0);
    pair.leads(1).await;
    let mark = || Txn::new().put(keys::meta_clock(), b"\"2026-04-01T10:00:00Z\"".to_vec());
    let refused = late.store.commit(mark()).await;
    assert!(matches!(refused, Err(StoreError::Deposed)), "{refused:?}");
    // A request that is due under it stays as it is: the pass goes on to nobody.
    let service = || "late".parse().expect("an id");
    let customer = "acme".parse().expect("an id");
    let start =
        Start { service: service(), customer, addresses: vec![], started: Day::constant(2026, 1, 2), version: 0 };
    late.start_contract(&start).await.expect_err("a contract is not started through a deposed leader's store");
    let before = pair.core(1).store.range(&keys::requests().range(), 10).await.expect("reads").entries.len();
    let _ = leader::run_due(&late).await;
    let after = pair.core(1).store.range(&keys::requests().range(), 10).await.expect("reads").entries.len();
    assert_eq!(before, after);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_told_to_stop_hands_over_and_the_other_goes_on() {
    let pair = Pair::new().await;
    pair.leads(0).await;
    pair.stop(0).await;
    pair.leads(1).await;
    let second = pair.core(1);
    let txn = Txn::new().put(keys::meta_clock(), b"\"2026-04-01T10:00:00Z\"".to_vec());
    pair.led(1).await.store.commit(txn).await.expect("the other one leads");
    // The log goes on, too: the agent was heard at the one that is gone.
    second.ledger.heard(&web(), None).await.expect("heard");
    pair.until("the log is handed out", async || second.ledger.checkpoint().is_some()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_one_has_heard_lets_the_other_sign() {
    let pair = Pair::new().await;
    pair.enrol(&web(), 1).await;
    pair.leads(0).await;
    let (first, second) = (pair.core(0), pair.core(1));
    assert!(first.ledger.checkpoint().is_none(), "somebody is enrolled, and nobody was heard");
    second.ledger.heard(&web(), None).await.expect("heard");
    pair.until("the leader signs", async || first.ledger.checkpoint().is_some()).await;
    // And a leader who comes later hears of it from whoever heard it.
    pair.depose(0);
    pair.leads(1).await;
    let size = second.ledger.checkpoint().map_or(0, |signed| signed.size);
    pair.enter_something(1).await;
    pair.until("the next leader signs, too", async || second.ledger.checkpoint().is_some_and(|now| now.size > size))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_hears_against_the_log_stops_it_at_all() {
    let pair = Pair::new().await;
    pair.leads(0).await;
    let (first, second) = (pair.core(0), pair.core(1));
    pair.until("the log is handed out", async || second.ledger.checkpoint().is_some()).await;
    let ahead = pair.note_ahead(first.ledger.checkpoint().expect("signed").size + 100);
    second.ledger.heard_from("an auditor", &ahead).await.expect("it opens");
    assert!(second.ledger.is_stopped().is_some());
    pair.until("the leader signs nothing more", async || first.ledger.is_stopped().is_some()).await;
}
