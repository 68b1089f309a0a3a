//! The engine of a single machine: one redb file, one writer thread that commits in groups, readers beside it.
//!
//! Owns the file and its lock. Refuses to know what is stored. Upholds that a commit which returned is on the device
//! (I8), and that all queues are bounded (I10). Why redb, and what it costs: `docs/decisions/0002-embedded-store.md`.

mod apply;
mod error;
mod file;
mod read;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use redb::Database;
use tokio::sync::{mpsc, oneshot};

use crate::key::{Key, KeyPrefix, KeyRange};
use crate::store::{Entry, Page, Store, StoreError};
use crate::txn::{Revision, Txn};
use crate::watch::{Watch, Watches};

pub(crate) use read::ClosedStore;

/// The store's file in its directory.
pub const FILE_NAME: &str = "store.redb";

/// Transactions that may wait for the writer; whoever comes later waits with its own.
const QUEUE: usize = 1_024;

/// The embedded store. Dropping it commits what is queued, ends the writer and releases the file; that takes as long
/// as one or two commits.
pub struct Embedded {
    db: Arc<Database>,
    watches: Arc<Watches>,
    /// Set until the drop, which hangs up so that the writer ends.
    queue: Option<mpsc::Sender<writer::Queued>>,
    writer: Option<JoinHandle<()>>,
}

impl Embedded {
    /// Makes an empty store in a directory, which is made too where it is missing (mode 0700).
    ///
    /// # Errors
    /// When there is a store already, or the file cannot be written.
    pub fn create(dir: &Path) -> Result<Self, StoreError> {
        Self::start(file::create(dir)?)
    }

    /// Opens the store of a directory, after a crash too: the file is whole at every moment.
    ///
    /// # Errors
    /// [`StoreError::InUse`] while another process has it open, [`StoreError::Format`] when it is none of ours or
    /// missing: a coordinator that is pointed at the wrong place must not begin with an empty memory.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::start(file::open(dir)?)
    }

    fn start(db: Database) -> Result<Self, StoreError> {
        let (db, watches) = (Arc::new(db), Arc::<Watches>::default());
        let (queue, queued) = mpsc::channel(QUEUE);
        let theirs = (Arc::clone(&db), Arc::clone(&watches));
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer::run(&theirs.0, &theirs.1, queued))
            .map_err(|source| error::io("starting the writer thread", &source))?;
        Ok(Self { db, watches, queue: Some(queue), writer: Some(writer) })
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the store's writer thread panicked; what it acknowledged is safe");
        }
    }
}

// Reads run where they are called. A get takes some microseconds and a page is bounded at about a millisecond, less
// than handing it to another thread and back may cost under load; and a simulated run stays in one order.
#[async_trait]
impl Store for Embedded {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        read::get(&*self.db, key).map_err(|source| error::failed("reading a key", source))
    }

    async fn range(&self, range: &KeyRange, limit: usize) -> Result<Page, StoreError> {
        read::range(&*self.db, range, limit).map_err(|source| error::failed("reading a range", source))
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, StoreError> {
        txn.check()?;
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.send(writer::Queued { txn, reply }).await.map_err(|_| StoreError::Closed)?;
        answer.await.unwrap_or_else(|_| {
            Err(StoreError::Uncertain { hint: "the store's writer ended; restart the coordinator".to_owned() })
        })
    }

    fn watch(&self, prefix: KeyPrefix) -> Watch {
        self.watches.watch(&prefix)
    }
}

#[cfg(test)]
mod tests;
