//! A real store in a folder with a ledger on it, which may be closed, copied, put back and opened again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gallra_coordinator::error::{CoreError, encode};
use gallra_coordinator::ledger::{Ledger, Opening, enqueue};
use gallra_log::checkpoint::Checkpoint;
use gallra_log::entry::{About, Entry, Kind};
use gallra_log::note::{Key, Note};
use gallra_log::tree::Hash;
use gallra_model::{AgentName, Digest, Instant, RequestId};
use gallra_store::{Embedded, Store, Txn, keys};

pub(crate) const ORIGIN: &str = "log.test.invalid/1";
pub(crate) const SEED: [u8; 32] = [7; 32];

/// A log on a store.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    /// None while it is closed.
    open: Option<(Arc<Embedded>, Ledger)>,
    pub(crate) hear_agents: u32,
}

pub(crate) fn now() -> Instant {
    "2026-04-01T10:00:00Z".parse().expect("a literal instant")
}

/// An instant some milliseconds later.
pub(crate) fn at(millis: i64) -> Instant {
    Instant::from_millisecond(now().as_millisecond() + millis).expect("in range")
}

pub(crate) fn entry(number: u64) -> Entry {
    let request = RequestId::from_bytes(u128::from(number).to_be_bytes());
    let about = About { kind: Kind::Plan, request: Some(request), due: None };
    let digest = |what: &str| Digest::of(format!("{what} {number}").as_bytes());
    Entry::new(Some(about), digest("pae"), vec![(digest("key"), digest("sig"))]).expect("an entry")
}

pub(crate) fn leaf(number: u64) -> Hash {
    entry(number).leaf()
}

pub(crate) fn agent(name: &str) -> AgentName {
    name.parse().expect("a literal name")
}

impl Place {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("log")).expect("made");
        let store = Embedded::create(&folder.path().join("store")).expect("a store");
        let txn = Txn::new().create(keys::meta_generation(), encode(&1_u64).expect("JSON"));
        store.commit(txn).await.expect("committed");
        let mut place = Self { folder, open: None, hear_agents: 1 };
        place.start(store).await;
        place
    }

    async fn start(&mut self, store: Embedded) {
        let store = Arc::new(store);
        let ledger = self.ledger_on(&store, "log").await.expect("it opens");
        self.open = Some((store, ledger));
    }

    /// A ledger on a store that is open already: another sequencer, which keeps files in a folder of its own.
    pub(crate) async fn ledger_on(&self, store: &Arc<impl Store + 'static>, folder: &str) -> Result<Ledger, CoreError> {
        open(store, &self.path(folder), self.hear_agents).await
    }

    /// Another process's place, opened by its folder.
    pub(crate) async fn of(folder: &Path) -> (Arc<Embedded>, Ledger) {
        let store = Arc::new(Embedded::open(&folder.join("store")).expect("it opens"));
        let ledger = open(&store, &folder.join("log"), 1).await.expect("it opens");
        (store, ledger)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn store(&self) -> &Arc<Embedded> {
        &self.open.as_ref().expect("open").0
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.open.as_ref().expect("open").1
    }

    pub(crate) fn close(&mut self) {
        self.open = None;
    }

    pub(crate) async fn reopen(&mut self) {
        self.close();
        let store = Embedded::open(&self.path("store")).expect("it opens");
        self.start(store).await;
    }

    /// Copies the store's file as it is, while nothing is open.
    pub(crate) async fn back_up(&mut self) -> PathBuf {
        self.close();
        let copy = self.path("copy");
        std::fs::copy(file(&self.path("store")), &copy).expect("copied");
        self.reopen().await;
        copy
    }

    /// Puts a copy in the place of the store's file, and opens it.
    pub(crate) async fn restore(&mut self, copy: &Path) {
        self.close();
        std::fs::copy(copy, file(&self.path("store"))).expect("copied back");
        self.reopen().await;
    }

    /// An agent is enrolled.
    pub(crate) async fn enrol(&self, name: &str) {
        self.store().commit(Txn::new().put(keys::agent(&agent(name)), b"{}".to_vec())).await.expect("committed");
    }

    /// Has entries of these numbers wait, in this order.
    pub(crate) async fn wait(&self, numbers: impl IntoIterator<Item = u64>) {
        let numbers: Vec<u64> = numbers.into_iter().collect();
        for some in numbers.chunks(100) {
            let wait = |txn, number: &u64| enqueue(txn, &entry(*number), at(i64::try_from(*number).expect("small")));
            self.store().commit(some.iter().fold(Txn::new(), wait)).await.expect("committed");
        }
    }

    /// Has them wait and gives them their places.
    pub(crate) async fn log(&self, numbers: impl IntoIterator<Item = u64>) {
        self.wait(numbers).await;
        self.pass().await;
    }

    /// Passes until nothing is left to be taken.
    pub(crate) async fn pass(&self) -> usize {
        let mut appended = 0;
        loop {
            let passed = self.ledger().pass(now()).await.expect("a pass");
            appended += passed.appended;
            if !passed.more {
                return appended;
            }
        }
    }

    /// The published checkpoint, opened.
    pub(crate) fn published(&self) -> Option<Checkpoint> {
        self.ledger().checkpoint().map(|signed| opened(&signed.note, self.ledger().public()))
    }

    /// The published note.
    pub(crate) fn note(&self) -> String {
        self.ledger().checkpoint().expect("published").note
    }

    pub(crate) fn stopped(&self) -> Option<String> {
        self.ledger().is_stopped().map(|stopped| stopped.to_string())
    }
}

pub(crate) fn opened(note: &str, key: &Key) -> Checkpoint {
    let note: Note = note.parse().expect("a note");
    Checkpoint::open(&note, key, &[]).expect("opens").checkpoint
}

fn file(store: &Path) -> PathBuf {
    store.join(gallra_store::embedded::FILE_NAME)
}

async fn open(store: &Arc<impl Store + 'static>, folder: &Path, hear_agents: u32) -> Result<Ledger, CoreError> {
    Ledger::open(Opening {
        store: Arc::clone(store) as Arc<dyn Store>,
        folder,
        origin: ORIGIN.parse().expect("an origin"),
        seed: SEED,
        generation: 1,
        hear_agents,
        tree: keys::Tree::First,
        before: Vec::new(),
    })
    .await
}
