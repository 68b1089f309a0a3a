//! The coordinator forgets: key epochs turn with the leader's passes, everybody who is still a customer is found before and
//! after, and who was erased is found in no file a month later (I12). A late event does not reopen what was erased.

use std::path::Path;

use gallra_coordinator::contracts::{End, Start};
use gallra_coordinator::core::Core;
use gallra_coordinator::error::{CoreError, encode};
use gallra_coordinator::init::{self, Init};
use gallra_coordinator::layout::Layout;
use gallra_coordinator::{epochs, leader, opening, state};
use gallra_model::selector::ExternalId;
use gallra_model::target::Inventory;
use gallra_model::{Day, Instant};
use gallra_proof::key::SigningKey;
use gallra_store::search::{Needles, search_files};
use gallra_store::{Keyring, Txn, keys};

const ENDED: Day = Day::constant(2026, 1, 31);

fn id(text: &str) -> ExternalId {
    text.parse().expect("a literal id")
}

fn at(text: &str) -> Instant {
    text.parse().expect("a literal instant")
}

fn sale(name: &str, version: u64) -> Start {
    Start {
        service: id(&format!("{name}.example")),
        customer: id(&format!("{name}-1001")),
        addresses: vec![id(&format!("info@{name}.example")), id(&format!("post@{name}.example"))],
        started: Day::constant(2024, 5, 1),
        version,
    }
}

async fn made(folder: &Path) -> Layout {
    let dir = folder.join("coordinator");
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/webone.toml");
    let init = Init {
        dir: dir.clone(),
        installation: "test".to_owned(),
        listen: "127.0.0.1:1".to_owned(),
        enrol_listen: "127.0.0.1:2".to_owned(),
        names: Vec::new(),
        policy,
        operator: "operator".to_owned(),
        provider: None,
        country: "SE".to_owned(),
        contact: "privacy@provider.invalid".to_owned(),
        authority: "IMY".to_owned(),
        root_holder: "management".to_owned(),
        time_authorities: Vec::new(),
        log_origin: None,
        approver: None,
    };
    init::run(&init).await.expect("a new coordinator");
    Layout::new(dir)
}

async fn open(layout: &Layout, now: &str) -> Core {
    let core = opening::open(layout, Some(at(now))).await.expect("it opens");
    leader::run_due(&core).await.expect("a pass");
    core
}

/// Ends the contract, and forgets it as the end of its request does.
async fn end_and_forget(core: &Core, name: &str) {
    let service = id(&format!("{name}.example"));
    core.end_contract(&End { service: service.clone(), ended: ENDED, version: 7, cause: None }).await.expect("ends");
    let contract = core.settle_contract(&service, ENDED, 8).await.expect("settles");
    let request = contract.request.expect("an end opens a request");
    let view = state::load(&*core.store, &request).await.expect("loads").view;
    core.store.commit(core.forget(&view, Txn::new()).await.expect("forgets")).await.expect("commits");
}

/// The files in which somebody with all keys that are there finds a word of a customer's.
fn files_with(layout: &Layout, name: &str) -> Vec<String> {
    let words = [format!("{name}.example"), format!("{name}-1001"), format!("info@{name}.example")];
    let keyring = Keyring::open(&layout.path("keys")).expect("opens");
    let found =
        search_files(layout.root(), &keyring, &Needles::new(words.iter().map(String::as_str))).expect("searches");
    let hits = found.into_iter().filter(|(_, found)| found.is_hit());
    hits.map(|(path, _)| path.strip_prefix(layout.root()).expect("inside").display().to_string()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_erased_is_in_no_file_a_month_later_and_who_stays_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let layout = made(folder.path()).await;
    let core = open(&layout, "2026-02-01T10:00:00Z").await;
    core.start_contract(&sale("anna", 1)).await.expect("a sale");
    core.start_contract(&sale("bo", 1)).await.expect("a sale");
    drop(core);
    epochs::back_up(&layout).await.expect("backs up");
    assert_eq!(files_with(&layout, "anna").len(), 2, "the store and its copy");

    let core = open(&layout, "2026-02-20T10:00:00Z").await;
    end_and_forget(&core, "anna").await;
    assert!(matches!(core.find_contract(&id("anna.example")).await, Err(CoreError::NotFound(_))));
    core.time.advance(at("2026-03-23T10:00:00Z")).expect("goes on");
    leader::run_due(&core).await.expect("a pass");
    let (_, contract) = core.find_contract(&id("bo.example")).await.expect("found under the new epoch");
    assert!(core.find_customer(&id("bo-1001")).await.expect("reads").is_some());
    let again = core.start_contract(&sale("bo", 1)).await.expect("the same event does no harm");
    assert_eq!(again.id, contract.id);
    drop(core);
    assert_eq!(files_with(&layout, "anna"), [""; 0]);
    let backups = std::fs::read_dir(layout.path("backups")).expect("lists").count();
    assert_eq!(backups, 1, "the copy of the old epoch is gone, one of the new is there");
    assert_eq!(files_with(&layout, "bo").len(), 2, "the store and the new copy");
    let core = open(&layout, "2026-03-24T10:00:00Z").await;
    end_and_forget(&core, "bo").await;
    assert!(matches!(core.find_contract(&id("bo.example")).await, Err(CoreError::NotFound(_))));
}

/// Somebody who has something of a customer's: without a target there is nothing to plan.
async fn with_an_agent(core: &Core) {
    let inventory = serde_json::json!({
        "agent": "web1",
        "evidence_key": SigningKey::from_seed(&[1; 32]).verifying().to_hex(),
        "targets": [{
            "id": "www", "kind": "files", "category": "customer-data", "role": "processor", "scope": "contract", "mode": "act",
        }],
    });
    let inventory: Inventory = serde_json::from_value(inventory).expect("an inventory");
    let txn = Txn::new().put(keys::inventory(&inventory.agent), encode(&inventory).expect("encodes"));
    core.store.commit(txn).await.expect("commits");
}

/// The stored epoch, as it is written.
async fn epoch(core: &Core) -> Vec<u8> {
    core.store.get(&keys::meta_epoch()).await.expect("reads").expect("an epoch").value
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_code_goes_through_the_turning_of_an_epoch_and_is_in_no_file_a_month_after_it_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let layout = made(folder.path()).await;
    let core = open(&layout, "2026-02-01T10:00:00Z").await;
    with_an_agent(&core).await;
    core.time.advance(at("2026-02-22T10:00:00Z")).expect("goes on");
    core.start_contract(&sale("anna", 1)).await.expect("a sale");
    let service = id("anna.example");
    core.end_contract(&End { service: service.clone(), ended: ENDED, version: 7, cause: None }).await.expect("ends");
    let contract = core.settle_contract(&service, ENDED, 8).await.expect("settles");
    let request = contract.request.expect("an end opens a request");
    leader::run_due(&core).await.expect("planned");
    let (code, _) = core.show_code(&request, "olle").await.expect("a code");
    let before = epoch(&core).await;
    // Through the day on which the epoch turns, and the last on which the code is there.
    core.time.advance(at("2026-03-23T22:59:59Z")).expect("goes on");
    for _ in 0..8 {
        leader::run_due(&core).await.expect("a pass");
    }
    assert_ne!(epoch(&core).await, before, "it has turned");
    assert_eq!(core.show_code(&request, "olle").await.expect("still a code").0, code);
    drop(core);
    let seen = |layout: &Layout| {
        let keyring = Keyring::open(&layout.path("keys")).expect("opens");
        let found = search_files(layout.root(), &keyring, &Needles::new([code.as_str()])).expect("searches");
        found.values().filter(|found| found.is_hit()).count()
    };
    assert!(seen(&layout) > 0, "whoever has all keys can read it");
    let core = open(&layout, "2026-03-23T23:00:00Z").await;
    assert!(core.show_code(&request, "olle").await.is_err(), "it has expired");
    for now in ["2026-04-24T10:00:00Z", "2026-04-25T10:00:00Z"] {
        core.time.advance(at(now)).expect("goes on");
        for _ in 0..8 {
            leader::run_due(&core).await.expect("a pass");
        }
    }
    drop(core);
    assert_eq!(seen(&layout), 0, "in no file, no free page and no copy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_event_does_not_reopen_what_was_erased_whatever_epoch_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let layout = made(folder.path()).await;
    let core = open(&layout, "2026-02-01T10:00:00Z").await;
    core.start_contract(&sale("anna", 1)).await.expect("a sale");
    end_and_forget(&core, "anna").await;
    for now in ["2026-02-02T10:00:00Z", "2026-03-10T10:00:00Z", "2026-05-10T10:00:00Z"] {
        core.time.advance(at(now)).expect("goes on");
        leader::run_due(&core).await.expect("a pass");
        for version in [1, 7, 8] {
            let late = core.start_contract(&sale("anna", version)).await;
            assert!(matches!(late, Err(CoreError::Precondition(_))), "version {version} at {now}: {late:?}");
        }
    }
    let sold_again = core.start_contract(&sale("anna", 0)).await.expect("a new sale of the same name");
    assert_eq!(sold_again.version, 9, "versions go on");
}
