//! The store's schema is raised (decision 0042): with an older coordinator beside, in spite of a crash at any point, and never back.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use gallra_coordinator::contracts::{End, Start};
use gallra_coordinator::core::Core;
use gallra_coordinator::doctor::{Finding, Severity};
use gallra_coordinator::epochs;
use gallra_coordinator::error::{CoreError, encode};
use gallra_coordinator::layout::Layout;
use gallra_coordinator::opening::{Engine, open, open_over};
use gallra_coordinator::restore::{self, Restore, Source};
use gallra_coordinator::schema::{Raised, raise, run};
use gallra_coordinator::suppression::Stored;
use gallra_coordinator::{generation, moving, state};
use gallra_model::suppression::{Entry, Item, Month};
use gallra_model::{Clock, Day, Digest, Instant, RequestId, SuppressionId};
use gallra_store::epochs::OnDisk;
use gallra_store::keys::Family;
use gallra_store::{Embedded, Key, KeyPrefix, KeyRange, Schema, Store, StoreError, Txn, Watch, keys};
use gallra_store::{Page, Revision};

use super::pair::{Pair, hold_back, lowered, made};
use super::web;

const RAISED: Schema = Schema { number: 1, oldest: 1, raising: None };

fn now() -> Instant {
    "2026-04-01T10:00:00Z".parse().expect("a literal instant")
}

/// An erasure's entry in web1's list, as it was written before there was an index of whose it was.
fn line(sequence: u64) -> (Key, Digest, Vec<u8>) {
    let tag = Digest::of(&sequence.to_le_bytes());
    let entry = Entry {
        id: SuppressionId::at(now(), [u8::try_from(sequence % 251).expect("small"); 10]),
        month: Month::of(now()),
        key: Digest::of(b"key"),
        tag,
        target: "www".parse().expect("a literal name"),
        erased: now(),
        rule: "customer-data".to_owned(),
        cause: None,
        generation: 1,
        clock: Clock::Simulated,
    };
    let digest = entry.digest().expect("a digest");
    let request = Some(RequestId::at(now(), [7; 10]));
    let stored = Stored { sequence, item: Item::Entry(entry), request, held: false, lifted: None };
    (keys::suppression(&web(), sequence), digest, encode(&stored).expect("encodes"))
}

async fn write_lines(store: &dyn Store, lines: std::ops::Range<u64>) {
    for sequence in lines.clone().step_by(100) {
        let some = (sequence..lines.end.min(sequence + 100)).map(line);
        let txn = some.fold(Txn::new(), |txn, (key, _, value)| txn.put(key, value));
        store.commit(txn).await.expect("commits");
    }
}

async fn schema_of(store: &dyn Store) -> Schema {
    Schema::of(store).await.expect("reads").0
}

async fn finding(core: &Core) -> Finding {
    core.examine().await.into_iter().find(|finding| finding.part == "schema").expect("it is looked at")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_and_new_serve_side_by_side_and_the_old_one_is_refused_after_the_raise() {
    let pair = Pair::of_before().await;
    write_lines(&*pair.store(), 1..3).await;
    pair.leads(0).await;
    let (new, old) = (pair.core(0), pair.core(1));
    pair.until("both show that they are there", async || {
        state::entries(&*new.store, &keys::replicas_alive()).await.expect("reads").len() == 2
    })
    .await;
    let led = pair.led(0).await;
    let Raised::Waits(late) = raise(&led).await.expect("a look") else { panic!("the old one speaks no newer schema") };
    assert_eq!(late.iter().map(|one| one.schemas.to).collect::<Vec<_>>(), [0]);
    assert_eq!((schema_of(&*new.store).await, new.schema.writes()), (Schema::default(), 0));
    let said = finding(&new).await;
    assert!(said.severity == Severity::Warning && said.what.contains("waits for"), "{said:?}");
    // One sells, the other ends; the new one leads and plans.
    pair.enrol(&web(), 1).await;
    old.ledger.heard(&web(), None).await.expect("heard");
    let service = || "acme-service".parse().expect("an id");
    let (started, ended) = (Day::constant(2026, 1, 2), Day::constant(2026, 1, 31));
    let customer = "acme".parse().expect("an id");
    let start = Start { service: service(), customer, addresses: vec![], started, version: 0 };
    old.start_contract(&start).await.expect("sold at the old one");
    let end = End { service: service(), ended, version: 0, cause: None };
    let request = new.end_contract(&end).await.expect("ended at the new one").request.expect("a request");
    old.settle_contract(&service(), ended, 0).await.expect("settled at the old one");
    pair.until("the leader plans", async || {
        state::load(&*old.store, &request).await.expect("loads").view.plan.is_some()
    })
    .await;
    // It freezes, and its lease runs out.
    pair.stop(1).await;
    pair.until("the schema is raised", async || {
        pair.is_gone(1).await;
        raise(&led).await.expect("a look, or a raise") == Raised::Newest
    })
    .await;
    assert_eq!((schema_of(&*new.store).await, new.schema.writes()), (RAISED, 1));
    for sequence in 1..3 {
        let key = keys::suppression_entry(&line(sequence).1);
        assert!(new.store.get(&key).await.expect("reads").is_some(), "whose erasure it was");
    }
    assert_eq!(finding(&new).await.severity, Severity::Ok);
    // It wakes up, and has heard of nothing.
    let woken = old.store.commit(Txn::new().put(keys::meta_purge(), "1")).await;
    assert!(matches!(woken, Err(StoreError::Format { .. })), "{woken:?}");
    assert!(old.schema.refused().await.contains("upgrade it"));
    let later = "later-service".parse().expect("an id");
    assert!(old.start_contract(&Start { service: later, ..start }).await.is_err(), "nothing that it writes is taken");
    let again = pair.opened_again(1).await.err().expect("it is refused");
    assert!(format!("{again:#}").contains("upgrade it"), "{again:#}");
    pair.opened_again(0).await.expect("the new one is not");
    let entry = new.store.get(&keys::meta_generation()).await.expect("reads").expect("there is one");
    assert!(
        serde_json::from_slice::<u64>(&entry.value).is_err(),
        "one of before there was a schema reads no generation"
    );
    assert_eq!(generation::decode(&entry.value).expect("this one does"), 1);
    pair.until("the new one goes on", async || new.end_contract(&end).await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_refused_hears_it_from_the_store_and_a_deposed_leader_raises_nothing() {
    let pair = Pair::of_before().await;
    pair.leads(0).await;
    let late = pair.led(0).await;
    pair.depose(0);
    pair.leads(1).await;
    pair.until("the late one finds out", async || {
        // Nobody else is there: nothing but its term is in the way.
        pair.is_gone(1).await;
        matches!(raise(&late).await, Err(CoreError::Store(StoreError::Deposed)))
    })
    .await;
    assert_eq!(schema_of(&*pair.store()).await, Schema::default());
    pair.store().commit(Txn::new().put(keys::meta_schema(), RAISED.to_bytes())).await.expect("commits");
    let second = pair.core(1);
    let told = tokio::time::timeout(std::time::Duration::from_secs(20), second.schema.refused());
    assert!(told.await.expect("in time").contains("upgrade it"), "its process ends by this");
}

/// Takes a number of commits, and then fails: before it writes, or having written.
struct Breaks {
    store: Arc<dyn Store>,
    left: AtomicUsize,
    written: bool,
}

#[async_trait]
impl Store for Breaks {
    async fn get(&self, key: &Key) -> Result<Option<gallra_store::Entry>, StoreError> {
        self.store.get(key).await
    }

    async fn range(&self, range: &KeyRange, limit: usize) -> Result<Page, StoreError> {
        self.store.range(range, limit).await
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, StoreError> {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match (left, self.written) {
            (Ok(_), _) => self.store.commit(txn).await,
            (Err(_), written) => {
                if written {
                    self.store.commit(txn).await?;
                }
                Err(StoreError::Uncertain { hint: "the machine stops here".to_owned() })
            }
        }
    }

    fn watch(&self, prefix: KeyPrefix) -> Watch {
        self.store.watch(prefix)
    }
}

async fn everything(store: &dyn Store) -> Vec<(Key, Vec<u8>)> {
    let mut all = Vec::new();
    for family in [Family::Meta, Family::Suppression, Family::SuppressionEntry] {
        let entries = state::entries(store, &family.prefix()).await.expect("reads");
        all.extend(entries.into_iter().map(|entry| (entry.key, entry.value)));
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_raise_that_is_cut_off_anywhere_comes_to_the_same_when_it_is_taken_up_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("coordinator");
    made(&dir).await;
    let store = Arc::new(Embedded::open(&dir.join("store")).expect("the store"));
    let before = async || {
        for family in [Family::SuppressionEntry] {
            for some in state::entries(&*store, &family.prefix()).await.expect("reads").chunks(100) {
                let txn = some.iter().fold(Txn::new(), |txn, entry| txn.delete(entry.key.clone()));
                store.commit(txn).await.expect("commits");
            }
        }
        lowered(&*store).await;
    };
    write_lines(&*store, 1..231).await;
    lowered(&*store).await;
    let engine = || Engine {
        store: Arc::clone(&store) as Arc<dyn Store>,
        effects: Arc::new(OnDisk::new(Arc::clone(&store), dir.join("backups"))),
        cluster: None,
    };
    let core = open_over(&Layout::new(&dir), Some(now()), engine()).await.expect("opens");
    assert_eq!(raise(&core).await.expect("raised"), Raised::Newest);
    let undisturbed = everything(&*store).await;
    assert_eq!(undisturbed.iter().filter(|(key, _)| Family::of(key) == Some(Family::SuppressionEntry)).count(), 230);
    let mut cut = 0;
    for (left, written) in (0..8).flat_map(|left| [(left, false), (left, true)]) {
        before().await;
        let core = open_over(&Layout::new(&dir), Some(now()), engine()).await.expect("opens");
        let breaks = Breaks { store: Arc::clone(&store) as Arc<dyn Store>, left: left.into(), written };
        cut += usize::from(raise(&core.over(Arc::new(breaks))).await.is_err());
        let half = schema_of(&*store).await;
        assert!(half.number == 0 || half == RAISED, "the end is marked last: {half:?}");
        // Whoever is started then.
        let core = open_over(&Layout::new(&dir), Some(now()), engine()).await.expect("opens again");
        run(&core).await;
        assert_eq!(everything(&*store).await, undisturbed, "after {left} commits");
    }
    // Its beginning, five commits of entries, its end.
    assert_eq!(cut, 14);
    let revision = store.commit(Txn::new().put(keys::meta_purge(), "1")).await.expect("commits");
    assert_eq!(raise(&core).await.expect("again"), Raised::Newest);
    let next = store.commit(Txn::new().put(keys::meta_purge(), "1")).await.expect("commits");
    assert_eq!(next.0, revision.0 + 1, "nothing is written twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_stops_a_raise_where_it_is_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("coordinator");
    made(&dir).await;
    {
        let store = Embedded::open(&dir.join("store")).expect("the store");
        write_lines(&store, 1..3).await;
        store.commit(Txn::new().put(keys::suppression(&web(), 9), "{}")).await.expect("commits");
        lowered(&store).await;
    }
    let core = open(&Layout::new(&dir), Some(now())).await.expect("opens");
    assert!(matches!(raise(&core).await, Err(CoreError::Unreadable { .. })));
    assert_eq!(schema_of(&*core.store).await, Schema { number: 0, oldest: 1, raising: Some(1) });
    let said = finding(&core).await;
    assert!(said.severity == Severity::Warning && said.what.contains("being raised"), "{said:?}");
    core.store.commit(Txn::new().delete(keys::suppression(&web(), 9))).await.expect("commits");
    assert_eq!(raise(&core).await.expect("goes on"), Raised::Newest);
}

/// A backup of the store as it is.
async fn backed_up(layout: &Layout) -> std::path::PathBuf {
    epochs::back_up(layout).await.expect("a backup");
    let files = std::fs::read_dir(layout.path("backups")).expect("lists");
    files.map(|file| file.expect("a file").path()).max().expect("there is one")
}

async fn with_store(dir: &Path, change: impl AsyncFnOnce(&Embedded)) {
    let store = Embedded::open(&dir.join("store")).expect("the store");
    change(&store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_backups_and_restores_are_of_a_schema_that_is_spoken() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("coordinator");
    let layout = Layout::new(&dir);
    made(&dir).await;
    // An older store is served, copied, backed up and put back; then it is raised.
    with_store(&dir, async |store| lowered(store).await).await;
    drop(open(&layout, Some(now())).await.expect("opens"));
    let older = backed_up(&layout).await;
    let put_back = async |file: &Path| {
        restore::run(&layout, Restore { from: Source::File(file.to_owned()), cell: None, dry_run: false }).await
    };
    put_back(&older).await.expect("an older one is put back");
    with_store(&dir, async |store| {
        assert_eq!(schema_of(store).await, Schema::default());
        let entry = store.get(&keys::meta_generation()).await.expect("reads").expect("there is one");
        assert_eq!(entry.value, b"2", "as a program of then reads it");
    })
    .await;
    let core = open(&layout, Some(now())).await.expect("opens");
    run(&core).await;
    assert_eq!((core.generation, core.schema.schema()), (2, RAISED));
    drop(core);
    let raised = backed_up(&layout).await;
    put_back(&raised).await.expect("put back");
    with_store(&dir, async |store| {
        let entry = store.get(&keys::meta_generation()).await.expect("reads").expect("there is one");
        assert_eq!(entry.value, generation::encode(3, true).expect("encodes"), "and no program of then reads it");
    })
    .await;
    // A newer one is not touched by this version.
    let later = Schema { number: 9, oldest: 9, raising: None };
    with_store(&dir, async |store| {
        store.commit(Txn::new().put(keys::meta_schema(), later.to_bytes())).await.expect("commits");
    })
    .await;
    let text = std::fs::read_to_string(dir.join("coordinator.toml")).expect("reads");
    std::fs::write(dir.join("coordinator.toml"), format!("{text}\n[etcd]\nendpoints = [\"http://127.0.0.1:1\"]\n"))
        .expect("writes");
    let copied = moving::run(&layout, moving::Engine::Etcd).await;
    std::fs::write(dir.join("coordinator.toml"), text).expect("writes");
    let opened = open(&layout, Some(now())).await.map(drop);
    let backup = epochs::back_up(&layout).await;
    for refused in [copied, opened, backup] {
        let why = format!("{:#}", refused.expect_err("it speaks 1"));
        assert!(why.contains("the store's schema is 9") && why.contains("upgrade it"), "{why}");
    }
    // What a newer version backed up is refused by an older one, and so is a store that this one is held back from.
    hold_back(&dir, 0);
    let refused = put_back(&raised).await.expect_err("it speaks 0");
    assert!(format!("{refused:#}").contains("upgrade it"), "{refused:#}");
}
