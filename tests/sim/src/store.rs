//! The store in memory: what is durable, and one way to it for each party, which may be slow, cut off or stalled, and whose answers
//! may be lost. Owns the transaction and the revisions; shows every commit to the checkers before anybody else acts. Upholds, as
//! the engines do, that a transaction is carried out as a whole or not at all.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use gallra_store::store::{MAX_PAGE_BYTES, MAX_PAGE_ENTRIES};
use gallra_store::txn::{Revision, Write};
use gallra_store::watch::Watches;
use gallra_store::{Entry, Key, KeyPrefix, KeyRange, Page, Store, StoreError, Txn, Watch};

use crate::chance::Chance;
use crate::check;
use crate::world::{World, lock};

/// What is in a store.
pub type Entries = BTreeMap<String, (u64, Vec<u8>)>;

/// The store's contents, and who watches them.
#[derive(Default)]
pub struct Memory {
    state: Mutex<State>,
    watches: Watches,
}

#[derive(Default)]
struct State {
    entries: Entries,
    revision: u64,
}

impl Memory {
    /// A store with these contents.
    pub fn of(entries: Entries) -> Self {
        let revision = entries.values().map(|(version, _)| *version).max().unwrap_or(0);
        Self { state: Mutex::new(State { entries, revision }), watches: Watches::default() }
    }

    /// A copy of everything.
    pub fn image(&self) -> Entries {
        lock(&self.state).entries.clone()
    }

    /// The value of a key.
    pub fn value(&self, key: &str) -> Option<Vec<u8>> {
        lock(&self.state).entries.get(key).map(|(_, value)| value.clone())
    }

    /// Calls with every entry whose key begins so.
    pub fn each(&self, prefix: &str, mut each: impl FnMut(&str, &[u8])) {
        let state = lock(&self.state);
        let from = state.entries.range(prefix.to_owned()..);
        from.take_while(|(key, _)| key.starts_with(prefix)).for_each(|(key, (_, value))| each(key, value));
    }

    fn apply(&self, txn: &Txn) -> Result<(Revision, Vec<check::Changed>), StoreError> {
        txn.check()?;
        let mut state = lock(&self.state);
        for (key, expect) in txn.expects() {
            let version = state.entries.get(key.as_str()).map(|(version, _)| Revision(*version));
            if !expect.holds(version) {
                return Err(StoreError::Conflict { key: key.clone() });
            }
        }
        if txn.writes().is_empty() {
            return Ok((Revision(state.revision), Vec::new()));
        }
        state.revision += 1;
        let revision = state.revision;
        let mut changed = Vec::with_capacity(txn.writes().len());
        for write in txn.writes() {
            let (key, after) = match write {
                Write::Put { key, value } => (key.as_str(), Some(value.clone())),
                Write::Delete { key } => (key.as_str(), None),
            };
            let before = match &after {
                Some(value) => state.entries.insert(key.to_owned(), (revision, value.clone())),
                None => state.entries.remove(key),
            };
            changed.push(check::Changed { key: key.to_owned(), before: before.map(|(_, value)| value), after });
        }
        drop(state);
        Ok((Revision(revision), changed))
    }

    /// Carries a transaction out in the name of nobody: for the election itself.
    ///
    /// # Errors
    /// As a store's.
    pub fn commit_now(&self, txn: &Txn) -> Result<Revision, StoreError> {
        let (revision, _) = self.apply(txn)?;
        txn.writes().iter().for_each(|write| self.watches.changed(write.key()));
        Ok(revision)
    }
}

/// How a node reaches the store. Shared by all of its ways there.
#[derive(Default)]
pub struct Reach {
    /// The node is cut off from the store.
    pub cut: AtomicBool,
    /// The node stands still until then, in milliseconds of the world.
    pub stalled_until: AtomicU64,
    /// One commit in so many is answered with "nobody knows"; 0: none.
    pub unsure: AtomicU64,
}

/// One party's way to the store.
pub struct Port {
    world: Arc<World>,
    memory: Arc<Memory>,
    node: String,
    reach: Arc<Reach>,
    slot: u64,
    chance: Mutex<Chance>,
}

impl Port {
    /// A way for one party of a node.
    pub fn new(world: &Arc<World>, memory: &Arc<Memory>, node: &str, reach: &Arc<Reach>, slot: u64) -> Arc<Self> {
        Arc::new(Self {
            world: Arc::clone(world),
            memory: Arc::clone(memory),
            node: node.to_owned(),
            reach: Arc::clone(reach),
            slot,
            chance: Mutex::new(Chance::of(world.seed, &format!("port/{node}/{slot}"))),
        })
    }

    async fn may_act(&self) -> Result<(), StoreError> {
        loop {
            let until = self.reach.stalled_until.load(Ordering::Relaxed);
            let now = self.world.ms();
            if until <= now {
                break;
            }
            self.world.slot(self.slot, Duration::from_millis(until - now)).await;
        }
        if self.reach.cut.load(Ordering::Relaxed) {
            self.world.slot(self.slot, Duration::from_secs(1)).await;
            return Err(StoreError::Unavailable { hint: "cut off".to_owned() });
        }
        Ok(())
    }
}

#[async_trait]
impl Store for Port {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.may_act().await?;
        let state = lock(&self.memory.state);
        let found = state.entries.get(key.as_str());
        Ok(found.map(|(version, value)| Entry { key: key.clone(), value: value.clone(), version: Revision(*version) }))
    }

    async fn range(&self, range: &KeyRange, limit: usize) -> Result<Page, StoreError> {
        self.may_act().await?;
        let mut page = Page::default();
        if range.is_empty() {
            return Ok(page);
        }
        let limit = limit.clamp(1, MAX_PAGE_ENTRIES);
        let (state, mut bytes) = (lock(&self.memory.state), 0);
        for (key, (version, value)) in state.entries.range(range.start().to_owned()..range.end().to_owned()) {
            let key = Key::parse(key).map_err(|_| StoreError::Closed)?;
            if page.entries.len() == limit || bytes > MAX_PAGE_BYTES {
                page.more = Some(key);
                break;
            }
            bytes += value.len();
            page.entries.push(Entry { key, value: value.clone(), version: Revision(*version) });
        }
        Ok(page)
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, StoreError> {
        let (slow, unsure) = {
            let mut chance = lock(&self.chance);
            let times = self.reach.unsure.load(Ordering::Relaxed);
            let slow = if chance.once_in(16) { chance.between(1, 400) } else { 1 };
            (slow, (times > 0 && chance.once_in(times)).then(|| chance.once_in(2)))
        };
        self.world.slot(self.slot, Duration::from_millis(slow)).await;
        self.may_act().await?;
        if unsure == Some(false) {
            return Err(StoreError::Uncertain { hint: "it was not carried out, and nobody says so".to_owned() });
        }
        let (revision, changed) = self.memory.apply(&txn)?;
        if !changed.is_empty() {
            self.world.stir();
            check::committed(&self.world, &self.memory, &self.node, &changed);
        }
        txn.writes().iter().for_each(|write| self.memory.watches.changed(write.key()));
        if unsure == Some(true) {
            return Err(StoreError::Uncertain { hint: "it was carried out, and nobody says so".to_owned() });
        }
        // On its way back the answer can be lost with the process.
        if txn.expects().len() > 1 {
            self.world.slot(self.slot, Duration::from_millis(1)).await;
        }
        Ok(revision)
    }

    fn watch(&self, prefix: KeyPrefix) -> Watch {
        self.memory.watches.watch(&prefix)
    }
}
