//! Who leads: one process at a time moves what time moves (decision 4), and what it writes as leader says under which term.
//! Owns the term and its fence; knows no engine. Upholds that a deposed leader writes nothing: each fenced transaction expects
//! the leader key as it was when the term began, and the store compares. Whether a term still runs is only a hint beside that.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use gallra_planted::Bug;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;

use crate::key::{Key, KeyPrefix, KeyRange};
use crate::store::{Entry, Page, Store, StoreError};
use crate::txn::{Revision, Txn};
use crate::watch::Watch;

/// How long giving a term back may hold up a shutdown; after that it runs out by itself.
pub const RESIGN_WITHIN: Duration = Duration::from_secs(1);

/// An engine that knows who leads.
#[async_trait]
pub trait Election: Send + Sync {
    /// Waits until this process leads. `who` is what others see of it, a replica's name; it names no person.
    ///
    /// Dropping the future gives up; what was left half done runs out by itself.
    ///
    /// # Errors
    /// When waiting longer would not help: no access, no space. That nobody answers is waited out.
    async fn campaign(&self, who: &str) -> Result<Term, StoreError>;
}

/// What a leader's transaction expects besides its own expectations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The leader key.
    pub key: Key,
    /// The revision that made it: no two terms share one, and the newer term has the higher.
    pub revision: Revision,
}

/// Why a term is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was given back.
    Resigned,
    /// The store did not confirm it in time: somebody else may lead by now.
    Unconfirmed,
    /// The store said that it is over.
    Deposed,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resigned => "given back",
            Self::Unconfirmed => "the store did not confirm it in time",
            Self::Deposed => "the store said that it is over",
        })
    }
}

/// One reign of this process. Clones are the same term; when the last is dropped it is given back.
#[derive(Debug, Clone)]
pub struct Term {
    fence: Option<Fence>,
    held: Arc<Held>,
}

/// What the holder of a term has of it.
#[derive(Debug)]
struct Held(Arc<Shared>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.resign.send_replace(true);
    }
}

#[derive(Debug)]
struct Shared {
    /// Milliseconds on the boot-time clock until which the term is believed.
    until: AtomicU64,
    ended: watch::Sender<Option<Ended>>,
    resign: watch::Sender<bool>,
    given_back: watch::Sender<bool>,
}

/// Milliseconds since boot, time asleep included: a machine that was suspended must not wake up believing that it leads.
pub fn boot_millis() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    let part = |value: i64| u64::try_from(value).unwrap_or(0);
    part(time.tv_sec) * 1_000 + part(time.tv_nsec) / 1_000_000
}

impl Term {
    /// A term that nobody can take: the store is this process's alone.
    pub fn for_good() -> Self {
        Self::new(None, u64::MAX)
    }

    /// A term that an engine keeps, believed until this reading of [`boot_millis`]; and the engine's end of it.
    pub fn kept(fence: Fence, until: u64) -> (Self, Keeper) {
        let term = Self::new(Some(fence), until);
        let keeper = Keeper(Arc::clone(&term.held.0));
        (term, keeper)
    }

    fn new(fence: Option<Fence>, until: u64) -> Self {
        let shared = Shared {
            until: AtomicU64::new(until),
            ended: watch::channel(None).0,
            resign: watch::channel(false).0,
            given_back: watch::channel(false).0,
        };
        Self { fence, held: Arc::new(Held(Arc::new(shared))) }
    }

    fn shared(&self) -> &Shared {
        &self.held.0
    }

    /// What fences this term's writes; nothing on an engine that one process has to itself.
    pub fn fence(&self) -> Option<&Fence> {
        self.fence.as_ref()
    }

    /// Whether the term is believed to run. It may be over in truth: writes are fenced, and what is no write is asked only after
    /// a look at this.
    pub fn leads(&self) -> bool {
        !self.is_over() && boot_millis() < self.shared().until.load(Ordering::Acquire)
    }

    fn is_over(&self) -> bool {
        self.shared().ended.borrow().is_some()
    }

    /// Waits for the end of the term.
    pub async fn ended(&self) -> Ended {
        self.shared().ended().await
    }

    /// Gives the term back, so that another leads at once, and waits [`RESIGN_WITHIN`] for it at most.
    pub async fn resign(&self) {
        if self.fence.is_none() {
            self.shared().end(Ended::Resigned);
            return;
        }
        self.shared().resign.send_replace(true);
        let mut given_back = self.shared().given_back.subscribe();
        let _ = tokio::time::timeout(RESIGN_WITHIN, given_back.wait_for(|given_back| *given_back)).await;
    }
}

impl Shared {
    async fn ended(&self) -> Ended {
        let mut ended = self.ended.subscribe();
        let found = ended.wait_for(Option::is_some).await.map(|ended| *ended);
        found.ok().flatten().unwrap_or(Ended::Deposed)
    }

    /// The first end counts.
    fn end(&self, why: Ended) {
        self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            if first {
                *ended = Some(why);
            }
            first
        });
    }
}

/// The engine's end of a term.
pub struct Keeper(Arc<Shared>);

impl Keeper {
    /// The store confirmed the term; it is believed until this reading of [`boot_millis`].
    pub fn confirmed(&self, until: u64) {
        self.0.until.store(until, Ordering::Release);
    }

    /// Until when it is believed.
    pub fn until(&self) -> u64 {
        self.0.until.load(Ordering::Acquire)
    }

    /// Ends it here; giving it back in the store comes after, so that no moment has two leaders.
    pub fn end(&self, why: Ended) {
        self.0.end(why);
    }

    /// Waits until the term's holder wants to give it back, or there is none any more.
    pub async fn asked_to_resign(&self) {
        let mut resign = self.0.resign.subscribe();
        // The sender lives in what this end holds.
        let _ = resign.wait_for(|resign| *resign).await;
    }

    /// Waits until the term has ended for any reason.
    pub async fn ended(&self) -> Ended {
        self.0.ended().await
    }

    /// The store knows that it is over, or cannot be told.
    pub fn given_back(&self) {
        self.0.given_back.send_replace(true);
    }
}

// However the keeper ends, nobody goes on believing.
impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.end(Ended::Deposed);
        self.given_back();
    }
}

/// A store as the leader of one term writes it: every transaction expects that the term still runs. One that finds it over
/// ends the term.
pub struct Fenced<S: ?Sized> {
    store: Arc<S>,
    term: Term,
}

impl<S: Store + ?Sized> Fenced<S> {
    /// The store under a term.
    pub fn new(store: Arc<S>, term: Term) -> Self {
        Self { store, term }
    }
}

#[async_trait]
impl<S: Store + ?Sized> Store for Fenced<S> {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.store.get(key).await
    }

    async fn range(&self, range: &KeyRange, limit: usize) -> Result<Page, StoreError> {
        self.store.range(range, limit).await
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, StoreError> {
        if self.term.is_over() {
            return Err(StoreError::Deposed);
        }
        let Some(Fence { key, revision }) = self.term.fence() else { return self.store.commit(txn).await };
        let txn =
            if gallra_planted::is(Bug::LeaderConditionDropped) { txn } else { txn.fenced(key.clone(), *revision) };
        match self.store.commit(txn).await {
            Err(StoreError::Conflict { key: at }) if at == *key => {
                self.term.shared().end(Ended::Deposed);
                Err(StoreError::Deposed)
            }
            other => other,
        }
    }

    fn watch(&self, prefix: KeyPrefix) -> Watch {
        self.store.watch(prefix)
    }
}

#[cfg(test)]
mod tests;
