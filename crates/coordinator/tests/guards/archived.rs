//! A finished request that left the store: shown, proven, picked up and amended as before, and none of it lost or doubled by a kill
//! between two steps. The test starts itself again as the process to kill.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;

use gallra_coordinator::archive::Pointer;
use gallra_coordinator::core::Core;
use gallra_coordinator::doctor::Severity;
use gallra_coordinator::error::{CoreError, decode};
use gallra_coordinator::layout::Layout;
use gallra_coordinator::{leader, opening, state};
use gallra_model::proof::Stage;
use gallra_model::{Digest, Instant, RequestId};
use gallra_proof::subject::ClaimCode;
use gallra_store::keys::{self, LEAVING};
use gallra_store::search::{Needles, search_files};
use gallra_store::transfer::everything;
use gallra_store::{Embedded, Key, Keyring, Store, StoreError, Txn};
use gallra_verify::{Outcome, Question, Trust, verify};

use crate::seen::carry_out;
use crate::site::{Leaving, Site};

const SERVICE: &str = "anna-svensson.example";
const NUMBER: &str = "kund-1001";
/// More than a week after everything that the tests do.
const LATER: &str = "2026-06-01T10:00:00Z";

/// Everything of a request that leaves the store, as a reader finds it.
async fn records(store: &dyn Store, id: &RequestId) -> BTreeMap<Key, Vec<u8>> {
    let mut all = Vec::from_iter(store.get(&keys::asked(id)).await.expect("reads"));
    for prefix in [
        keys::plans_of(id),
        keys::jobs_of(id),
        keys::receipts_of(id),
        keys::restores_of(id),
        keys::copies_of(id),
        keys::proofs_of(id),
        keys::statements_of(id),
    ] {
        all.extend(state::entries(store, &prefix).await.expect("reads"));
    }
    all.into_iter().map(|entry| (entry.key, entry.value)).collect()
}

async fn pointer(store: &dyn Store, id: &RequestId) -> Option<Pointer> {
    let entry = store.get(&keys::archived(id)).await.expect("reads")?;
    Some(decode("pointer", &entry.value).expect("a pointer"))
}

/// What a store holds of the families that leave it, and bytes of everything.
async fn held(store: &dyn Store) -> (usize, usize) {
    let (mut leaving, mut bytes, mut left) = (0, 0, Some(everything()));
    while let Some(range) = left {
        let page = store.range(&range, 1_000).await.expect("reads");
        for entry in page.entries {
            bytes += entry.key.as_bytes().len() + entry.value.len();
            leaving += usize::from(keys::Family::of(&entry.key).is_some_and(|family| LEAVING.contains(&family)));
        }
        left = page.more.map(|more| range.starting_at(&more));
    }
    (leaving, bytes)
}

/// A request that is done and whose claim code was handed over, and the code.
async fn done(site: &Site) -> (Leaving, ClaimCode) {
    let leaving = site.leaves(SERVICE, NUMBER).await;
    let code = site.core.show_code(&leaving.request, "olle").await.expect("a code").0.parse().expect("a code");
    site.core.code_delivered(&leaving.request, "olle").await.expect("delivered");
    carry_out(site, &leaving.request).await;
    (leaving, code)
}

/// What a stranger makes of the newest proof.
async fn outcome(site: &Site, id: &RequestId) -> Outcome {
    let proof = site.core.proofs(id).await.expect("reads").pop().expect("a proof");
    let trust = Trust::parse(&site.core.issuer.now().public_pem()).expect("keys");
    verify(&site.file(id, &proof).await, &trust, &Question::default()).outcome
}

#[tokio::test]
async fn a_finished_request_leaves_the_store_and_is_shown_proven_and_found_as_before() {
    let site = Site::new(&["www"]).await;
    let (leaving, code) = done(&site).await;
    let id = leaving.request;
    let (before, view) = (records(&*site.core.store, &id).await, site.view(&id).await);
    let (_, full) = held(&*site.core.store).await;
    // Not in the week after the last word.
    let soon = site.core.time.now().checked_add(jiff::SignedDuration::from_hours(24 * 5)).expect("a day");
    site.advance(&soon.to_string()).await;
    assert_eq!(pointer(&*site.core.store, &id).await, None);
    site.advance(LATER).await;
    assert!(matches!(pointer(&*site.core.store, &id).await, Some(Pointer::Away(_))));
    let (site, (leaving_families, small)) =
        site.while_stopped(async |layout, _| held(&Embedded::open(&layout.path("store")).expect("opens")).await).await;
    assert_eq!(leaving_families, 0, "nothing of it is in the store by itself");
    writeln!(std::io::stdout(), "keys and values of everything: {full} bytes, {small} once it left").expect("prints");
    assert!(small + 30_000 < full, "{full} bytes became {small}");
    assert_eq!(records(&*site.core.store, &id).await, before);
    let (now, then) = (site.view(&id).await, view);
    assert_eq!((now.request, now.jobs, now.plan), (then.request, then.jobs, then.plan));
    assert!(matches!(outcome(&site, &id).await, Outcome::Final { .. }));
    let (picked, proof) = site.core.pick_up(&code.pickup()).await.expect("picked up");
    assert_eq!((picked, proof.stage), (id, Stage::Final));
    let told = site.core.code_delivered(&id, "olle").await;
    assert!(told.is_ok(), "told again, it changes nothing: {told:?}");
    assert!(matches!(pointer(&*site.core.store, &id).await, Some(Pointer::Away(_))), "nothing of this writes");
    let found = site.core.examine().await.into_iter().find(|finding| finding.part == "archive").expect("looked at");
    assert_eq!((found.severity, found.what.as_str()), (Severity::Ok, "1 finished requests left the store"));
    // Nobody is named in it: the search looks into what is packed, and finds what is there.
    let words = |needles: &[&str], folder: &Path| {
        let keyring = Keyring::open(&folder.join("keys")).expect("opens");
        let needles = Needles::new(needles.iter().copied());
        let found = search_files(&folder.join("archive"), &keyring, &needles).expect("searches");
        found.values().filter(|found| found.is_hit()).count()
    };
    let look = |folder: &Path| (words(&[SERVICE, NUMBER], folder), words(&["customer-data"], folder));
    assert_eq!(site.looked_into(look).await.1, (0, 1));
}

#[tokio::test]
async fn a_request_whose_file_is_gone_says_so_and_is_not_unknown() {
    let site = Site::new(&["www"]).await;
    let (leaving, code) = done(&site).await;
    let id = leaving.request;
    site.advance(LATER).await;
    let Some(Pointer::Away(away)) = pointer(&*site.core.store, &id).await else { panic!("it left") };
    let file = site.folder.path().join("coordinator/archive").join(away.file.split_at(5).0).join(&away.file);
    let good = std::fs::read(&file).expect("a file");
    std::fs::remove_file(&file).expect("removes");
    let site = site.restarted().await;
    let told = |error: CoreError| {
        let CoreError::Store(StoreError::Archive { hint }) = error else { panic!("{error}") };
        assert!(hint.contains("put it back"), "{hint}");
    };
    told(site.core.proofs(&id).await.expect_err("its file is gone"));
    told(site.core.pick_up(&code.pickup()).await.expect_err("its file is gone"));
    told(state::load(&*site.core.store, &id).await.map(drop).expect_err("its file is gone"));
    let status = tonic::Status::from(site.core.proofs(&id).await.expect_err("its file is gone"));
    assert_eq!(status.code(), tonic::Code::DataLoss);
    let found = site.core.examine().await.into_iter().find(|finding| finding.part == "archive").expect("looked at");
    assert!(found.severity == Severity::Critical && found.place.contains(&away.file), "{found:?}");
    // The others go on: somebody else ends, and is planned.
    site.leaves("bo.example", "1002").await;
    std::fs::write(&file, good).expect("put back");
    assert!(matches!(outcome(&site, &id).await, Outcome::Final { .. }));
}

const NAME: &str = "archived::a_kill_between_two_steps_loses_nothing_and_doubles_nothing";
const FOLDER: &str = "GALLRA_ARCHIVE_CRASH_FOLDER";
/// In the order in which they are passed, and how often before the kill.
const POINTS: [&str; 4] = ["archive_locked", "archive_written", "archive_named", "archive_recalling"];

#[test]
fn a_kill_between_two_steps_loses_nothing_and_doubles_nothing() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if let Ok(told) = std::env::var(FOLDER) {
        let (folder, now) = told.split_once('|').expect("a folder and an instant");
        runtime.block_on(moves(Path::new(folder), now.parse().expect("an instant")));
        return;
    }
    runtime.block_on(killed());
}

/// A statement that nothing else has anything to do with.
fn further(id: &RequestId, number: u32) -> Key {
    keys::statement(id, &Digest::of(&number.to_be_bytes()))
}

/// The whole of a day's look.
async fn leave(core: &Core) {
    while !core.archive_some().await.expect("goes on") {}
}

/// The child: the requests leave, and come back.
async fn moves(folder: &Path, now: Instant) {
    let core = opening::open(&Layout::new(folder), Some(now)).await.expect("it opens");
    leave(&core).await;
    let page = core.store.range(&keys::requests().range(), 1).await.expect("reads");
    let id = keys::parse_request(&page.entries.first().expect("a request").key).expect("an id");
    let written = core.store.commit(Txn::new().put(further(&id, 0), "{\"again\":true}")).await;
    assert!(matches!(written, Err(StoreError::Conflict { .. })), "it is in the store again: {written:?}");
}

async fn killed() {
    let mut site = Site::new(&["www"]).await;
    let (leaving, _) = done(&site).await;
    let id = leaving.request;
    // More than one transaction takes.
    for first in [0, 100] {
        let put = |txn: Txn, number| txn.put(further(&id, number), format!("{{\"number\":{number}}}"));
        site.core.store.commit((first..first + 100).fold(Txn::new(), put)).await.expect("commits");
    }
    site.core.time.advance(LATER.parse().expect("a literal")).expect("forward");
    let before = records(&*site.core.store, &id).await;
    assert!(before.len() > 200);
    for point in POINTS {
        let (again, ()) = site
            .while_stopped(async |layout, now| {
                let killed = Command::new(std::env::current_exe().expect("this program"))
                    .args(["--exact", NAME, "--nocapture"])
                    .env(FOLDER, format!("{}|{now}", layout.root().display()))
                    .env("GALLRA_CRASH_AT", point)
                    .output()
                    .expect("starts");
                let said = String::from_utf8_lossy(&killed.stderr).into_owned();
                assert_eq!(killed.status.signal(), Some(9), "{point} was never passed: {said}");
            })
            .await;
        site = again;
        assert_eq!(records(&*site.core.store, &id).await, before, "{point}: read whole at once");
        leave(&site.core).await;
        assert!(
            matches!(pointer(&*site.core.store, &id).await, Some(Pointer::Away(away)) if !away.clearing),
            "{point}"
        );
        assert_eq!(records(&*site.core.store, &id).await, before, "{point}");
        let (again, (left, _)) = site
            .while_stopped(async |layout, _| held(&Embedded::open(&layout.path("store")).expect("opens")).await)
            .await;
        site = again;
        assert_eq!(left, 0, "{point}: nothing is left beside the file");
        // Back in the store for the next round.
        let conflict = site.core.store.commit(Txn::new().put(further(&id, 0), "{}")).await;
        assert!(matches!(conflict, Err(StoreError::Conflict { .. })), "{conflict:?}");
        assert_eq!(records(&*site.core.store, &id).await, before, "{point}: back");
    }
    leader::run_due(&site.core).await.expect("a pass");
    assert!(matches!(outcome(&site, &id).await, Outcome::Final { .. }));
}
