//! What comes after a move: corrections, doubled words, settlement and forgetting of the time before it (I11, I12), and the turn
//! of keys in the midst of one.

use gallra_coordinator::addresses::Told;
use gallra_coordinator::contracts::{Move, Moved, Start};
use gallra_coordinator::error::CoreError;
use gallra_coordinator::{leader, state};
use gallra_model::hold::Level;
use gallra_model::receipt::Verdict;
use gallra_model::target::TargetInfo;
use gallra_model::{Day, Nonce, RequestId};
use gallra_store::epochs::Turning;
use gallra_store::keys::{Family, IndexKind, What};
use gallra_store::txn::MAX_TXN_OPS;
use gallra_store::{Txn, keys};

use crate::moving::{FROM, MINE, ON, OVER, customer, known, record, selector, settled, site, to};
use crate::purge::{offer, signed, the_purge};
use crate::site::{STARTED, Site, id, info};

/// Operations that are kept free for what goes along with a request's last change.
const SPARE: usize = 40;

async fn forget(site: &Site, request: &RequestId) -> Txn {
    site.core.forget(&site.view(request).await, Txn::new()).await.expect("forgets")
}

async fn forgotten(site: &Site, request: &RequestId) {
    let txn = forget(site, request).await;
    site.core.store.commit(txn).await.expect("commits");
}

/// Entries of the blind index of this kind.
async fn indexed(site: &Site, kind: &str) -> usize {
    let page = site.core.store.range(&Family::Index.prefix().range(), 1_000).await.expect("reads");
    page.entries.iter().filter(|entry| entry.key.as_str().contains(&format!("/{kind}/"))).count()
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

#[tokio::test]
async fn lines_from_before_a_move_stay_for_a_held_customer_when_the_contract_is_forgotten() {
    let site = signed().await;
    site.reports(vec![TargetInfo { by_address: true, ..info("logs") }]).await;
    site.sells("second.example", "1001").await;
    record(&site, "anna.example", FROM).await.expect("taken");
    site.core.move_contract(&Move { settled: settled(20), ..to("1002") }).await.expect("moved");
    let (_, request) = site.ends_only("anna.example", "1002").await;
    let (_, job) = the_purge(&site).await;
    let level = Level::Customer { customer: customer(&site, "1001").await.id };
    site.core.place_hold(level, "a dispute", None, "anna").await.expect("placed");
    forgotten(&site, &request).await;
    let preserve = async || offer(&site, &job).await.purge.expect("a purge").preserve;
    let all = preserve().await;
    let used: Vec<_> = all.iter().filter(|one| one.service.is_none()).flat_map(|one| &one.addresses).collect();
    let [used] = used.as_slice() else { panic!("{all:?}") };
    assert_eq!((used.address.to_string(), used.until), (MINE.to_owned(), Some(OVER.parse().expect("a literal"))));
    // Where nothing is searched by addresses there is no word for it, and an empty one stops the purge.
    site.reports(vec![info("logs")]).await;
    assert_eq!(preserve().await.iter().filter(|one| one.is_empty()).count(), 0);
}

#[tokio::test]
async fn a_customer_that_many_contracts_went_from_is_forgotten_in_one_transaction() {
    let site = Site::new(&["www"]).await;
    let addresses = (0..64).map(|n| id(&format!("info{n}@anna.example"))).collect();
    let start = Start { service: id("anna.example"), customer: id("1001"), addresses, started: STARTED, version: 0 };
    site.core.start_contract(&start).await.expect("sold");
    let of = customer(&site, "1001").await;
    let holders: Vec<_> = (0..64).map(|n| Nonce::from_bytes([n; 16])).collect();
    let salt = Nonce::from_bytes([6; 16]);
    let identity = serde_json::json!({ "number": "1001", "holders": holders, "salt": salt });
    let sealed = site.core.seal_more(Txn::new(), &of.subject, What::Customer(of.id), &identity).await.expect("sealed");
    site.core.store.commit(sealed).await.expect("commits");
    let owner = serde_json::to_vec(&serde_json::json!({ "customer": of.id })).expect("encodes");
    for holder in holders {
        let txn = site.core.keyring.claim_index(Txn::new(), IndexKind::Holder, &holder.to_string(), owner.clone());
        site.core.store.commit(txn).await.expect("commits");
    }
    assert_eq!((indexed(&site, "holder").await, indexed(&site, "address").await), (64, 64));
    let leaving = site.ends("anna.example", "1001").await;
    let forget = forget(&site, &leaving.request).await;
    assert!(forget.has_room(MAX_TXN_OPS - SPARE, 0), "{} writes", forget.writes().len());
    site.core.store.commit(forget).await.expect("commits");
    for day in ["2026-05-10T10:00:00Z", "2026-06-15T10:00:00Z"] {
        site.advance(day).await;
    }
    assert_eq!(
        (indexed(&site, "holder").await, indexed(&site, "address").await),
        (0, 0),
        "the rest went with the epoch"
    );
}

#[tokio::test]
async fn who_is_settled_after_the_end_is_done_is_forgotten_then() {
    let site = site().await;
    record(&site, "anna.example", FROM).await.expect("taken");
    let Moved { ending, .. } = site.core.move_contract(&to("1002")).await.expect("moved");
    let ending = ending.expect("the last contract");
    let loaded = state::load(&*site.core.store, &ending).await.expect("loads");
    let mut done = loaded.view.clone();
    (done.request.done, done.request.wake) = (Some(site.core.time.now()), None);
    let txn = state::save(&*site.core.store, &loaded, &done).await.expect("saves");
    site.core.store.commit(txn).await.expect("commits");
    let subject = customer(&site, "1001").await.subject;
    site.core.move_contract(&Move { settled: settled(25), ..to("1002") }).await.expect("settled");
    assert!(site.core.find_customer(&id("1001")).await.expect("reads").is_none());
    let sealed = site.core.store.range(&keys::sealed_of(&subject).range(), 10).await.expect("reads");
    assert!(sealed.entries.is_empty(), "its number and its addresses are gone");
    assert_eq!(indexed(&site, "holder").await, 0);
    assert_eq!(site.view(&ending).await.request.done, done.request.done);
}

#[tokio::test]
async fn the_time_before_is_settled_by_its_reference_when_the_contract_is_forgotten() {
    let site = site().await;
    let Moved { part, ending, contract } = site.core.move_contract(&to("1002")).await.expect("moved");
    let (part, ending) = (part.expect("the time before"), ending.expect("the last contract"));
    let leaving = site.ends("anna.example", "1002").await;
    forgotten(&site, &leaving.request).await;
    site.core.list_unsettled().await.expect("made");
    let listed = site.core.show_unsettled(0).await.expect("reads").contracts;
    let listed: Vec<_> = listed.iter().map(|one| (one.contract, one.request, one.ended)).collect();
    assert_eq!(listed, [(part.id, ending, ON)], "somebody is told of it each week");
    let again = Move { settled: settled(25), ..to("1002") };
    assert!(matches!(site.core.move_contract(&again).await.err(), Some(CoreError::NotFound(_))));
    let settle = async |contract, day| site.core.settle_time_before(&contract, Day::constant(2026, 1, day)).await;
    assert!(matches!(settle(contract.id, 25).await.err(), Some(CoreError::Invalid(_))), "that has a service id");
    assert!(matches!(settle(part.id, 19).await.err(), Some(CoreError::Invalid(_))), "before it ended");
    for _ in 0..2 {
        assert_eq!(settle(part.id, 25).await.expect("settled").settled, settled(25));
    }
    assert!(matches!(settle(part.id, 26).await.err(), Some(CoreError::Precondition(_))), "another day was told");
    assert_eq!(site.view(&ending).await.request.anchors.customer_settled, settled(25));
    assert!(site.core.show_unsettled(0).await.expect("reads").contracts.is_empty());
}

#[tokio::test]
async fn a_move_while_keys_turn_leaves_the_addresses_under_the_new_one() {
    let site = site().await;
    record(&site, "anna.example", FROM).await.expect("taken");
    site.sells("cleo.example", "1003").await;
    let core = &site.core;
    core.time.advance("2026-05-10T10:00:00Z".parse().expect("a literal")).expect("forward");
    let nobody = |_: What, _: &[u8]| Vec::new();
    let turning = Turning { store: &*core.store, keyring: &core.keyring, effects: &*core.effects, names: &nobody };
    for _ in 0..10 {
        if core.keyring.epochs().len() > 1 {
            break;
        }
        turning.turn(core.time.now(), 1).await.expect("goes on");
    }
    let [new, old] = core.keyring.epochs()[..] else { panic!("no turn has begun") };
    assert_eq!(core.keyring.epoch(), new);
    core.move_contract(&Move { settled: settled(20), ..to("1002") }).await.expect("moved");
    let under = core.store.range(&keys::indexes_of(old).range(), 1_000).await.expect("reads").entries;
    let left: Vec<_> = under.iter().filter(|entry| entry.key.as_str().contains("/holder/")).collect();
    assert!(left.is_empty(), "who was passed over already would be found by it no more: {left:?}");
    let used = core.keyring.index_in(old, IndexKind::UsedAddress, MINE).expect("there");
    assert!(core.store.get(&used).await.expect("reads").is_none());
    leader::run_due(core).await.expect("turned");
    let taken = record(&site, "cleo.example", FROM).await.err();
    assert!(matches!(taken, Some(CoreError::Precondition(_))), "{taken:?}");
}

#[tokio::test]
async fn a_move_of_many_addresses_waits_until_keys_have_turned() {
    let site = site().await;
    let contract = known(&site, "anna.example").await;
    for n in 0..40 {
        let time = Some((FROM.parse().expect("a literal"), None));
        let address = format!("192.0.2.{n}").parse().expect("a literal");
        site.core.record_address(&Told { service: id("anna.example"), address, time }).await.expect("taken");
    }
    let core = &site.core;
    core.keyring.begin_epoch().expect("begins");
    let refused = core.move_contract(&to("1002")).await.err();
    assert!(matches!(&refused, Some(CoreError::Precondition(why)) if why.contains("keys")), "{refused:?}");
    assert_eq!(known(&site, "anna.example").await, contract, "nothing changed");
}

#[tokio::test]
async fn a_late_copy_of_the_sale_does_no_harm_after_a_move() {
    let site = Site::new(&["www"]).await;
    let sale = |customer: &str, version| Start {
        service: id("anna.example"),
        customer: id(customer),
        addresses: vec![],
        started: STARTED,
        version,
    };
    site.core.start_contract(&sale("1001", 3)).await.expect("sold");
    let stranger = site.core.start_contract(&sale("1003", 3)).await.err();
    assert!(matches!(stranger, Some(CoreError::Precondition(_))), "it never was that one's");
    let moved = site.core.move_contract(&Move { version: 5, ..to("1002") }).await.expect("moved");
    let late = site.core.start_contract(&sale("1001", 3)).await.expect("answered");
    assert_eq!(late, moved.contract);
    let newer = site.core.start_contract(&sale("1001", 6)).await.err();
    assert!(matches!(newer, Some(CoreError::Precondition(_))), "a sale of what is another one's");
}

#[tokio::test]
async fn a_doubled_resumption_says_after_a_move_what_went_before_it() {
    let site = Site::new(&["www"]).await;
    let leaving = site.leaves("anna.example", "1001").await;
    site.ask(&leaving.erase.id()).await.expect("permitted");
    let first = site.core.resume_contract(&id("anna.example"), 9).await.expect("resumed");
    assert!(first.begun);
    site.report(&leaving.request, &leaving.erase.id(), Verdict::Done, None).await;
    let before = site.core.resume_contract(&id("anna.example"), 9).await.expect("answered");
    assert!(!before.remains.is_empty());
    site.core.move_contract(&to("1002")).await.expect("moved");
    for version in [9, 0] {
        let again = site.core.resume_contract(&id("anna.example"), version).await.expect("answered");
        assert_eq!((again.begun, &again.cancelled), (true, &before.cancelled), "version {version}");
        assert_eq!(again.remains, before.remains);
    }
}
