//! The engine of a single machine: one redb file, one writer thread that commits in groups, readers beside it.
//!
//! Owns the file and its lock. Refuses to know what is stored. Upholds that a commit which returned is on the device
//! (I8), and that all queues are bounded (I10). Why redb, and what it costs: `docs/decisions/0002-embedded-store.md`.

mod apply;
mod copy;
mod error;
mod file;
mod frozen;
mod gather;
#[cfg(any(test, feature = "power-loss"))]
pub mod power_loss;
mod read;
mod rewrite;
mod slot;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use redb::Database;
use tokio::sync::{mpsc, oneshot};

use crate::election::{Election, Term};
use crate::key::{Key, KeyPrefix, KeyRange};
use crate::store::{Entry, Page, Store, StoreError};
use crate::txn::{Revision, Txn};
use crate::watch::{Watch, Watches};

pub use copy::Copied;
pub(crate) use file::VERSION_BYTES;
pub use frozen::Frozen;
pub(crate) use gather::gather;
pub(crate) use read::ClosedStore;

use slot::Slot;

/// The store's file in its directory.
pub const FILE_NAME: &str = "store.redb";

/// Transactions that may wait for the writer; whoever comes later waits with its own.
const QUEUE: usize = 1_024;

/// The embedded store. Dropping it commits what is queued, ends the writer and releases the file; that takes as long
/// as one or two commits.
pub struct Embedded {
    db: Arc<Slot>,
    /// The file; none where the store is not in a directory.
    path: Option<PathBuf>,
    /// Held while a copy of the whole is made: one at a time.
    copying: tokio::sync::Mutex<()>,
    watches: Arc<Watches>,
    /// Set until the drop, which hangs up so that the writer ends.
    queue: Option<mpsc::Sender<writer::Asked>>,
    writer: Option<JoinHandle<()>>,
}

impl Embedded {
    /// Makes an empty store in a directory, which is made too where it is missing (mode 0700).
    ///
    /// # Errors
    /// When there is a store already, or the file cannot be written.
    pub fn create(dir: &Path) -> Result<Self, StoreError> {
        Self::start(file::create(dir)?, Some(dir.join(FILE_NAME)))
    }

    /// Opens the store of a directory, after a crash too: the file is whole at every moment.
    ///
    /// # Errors
    /// [`StoreError::InUse`] while another process has it open, [`StoreError::Format`] when it is none of ours or
    /// missing: a coordinator that is pointed at the wrong place must not begin with an empty memory.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::start(file::open(dir)?, Some(dir.join(FILE_NAME)))
    }

    /// Copies the store as it stands at one moment into a file (mode 0600), reads that back and compares every entry; only
    /// then has the file its name. Commits go on meanwhile. The copy is a store: put into an empty directory under
    /// [`FILE_NAME`] it opens.
    ///
    /// # Errors
    /// When the copy cannot be made or differs; then there is no file of that name, or the one from before.
    pub async fn back_up(&self, to: &Path) -> Result<Copied, StoreError> {
        let _alone = self.copying.lock().await;
        let (db, to) = (self.db.get(), to.to_owned());
        in_background(move || copy::back_up(&*db, &to)).await
    }

    /// Puts a fresh file in the place of the store's, so that no freed page is left of anything that was removed. Commits
    /// and reads go on meanwhile; what is acknowledged is in the new file before it has the name.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when the old file is still the store's; [`StoreError::Uncertain`] when the store stopped.
    pub async fn rewrite(&self) -> Result<(), StoreError> {
        let _alone = self.copying.lock().await;
        let path = self.path.clone().ok_or(StoreError::Closed)?;
        let draft = path.with_file_name(rewrite::DRAFT_NAME);
        let (reply, noting) = oneshot::channel();
        self.ask(writer::Asked::Note(reply)).await?;
        noting.await.map_err(|_| StoreError::Closed)?;
        let (db, beside) = (self.db.get(), draft.clone());
        let new = in_background(move || rewrite::fill(&db, &beside)).await?;
        let (reply, swapped) = oneshot::channel();
        self.ask(writer::Asked::Swap(rewrite::Swap { new, draft, path, reply })).await?;
        swapped.await.unwrap_or(Err(StoreError::Closed))
    }

    async fn ask(&self, asked: writer::Asked) -> Result<(), StoreError> {
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.send(asked).await.map_err(|_| StoreError::Closed)
    }

    fn start(db: Database, path: Option<PathBuf>) -> Result<Self, StoreError> {
        let (db, watches) = (Arc::new(Slot::new(db)), Arc::<Watches>::default());
        let (queue, queued) = mpsc::channel(QUEUE);
        let theirs = (Arc::clone(&db), Arc::clone(&watches));
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer::run(&theirs.0, &theirs.1, queued))
            .map_err(|source| error::io("starting the writer thread", &source))?;
        Ok(Self { db, path, copying: tokio::sync::Mutex::default(), watches, queue: Some(queue), writer: Some(writer) })
    }
}

/// Runs what takes as long as the store is large, where it holds nobody up.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        Err(StoreError::Failed { during: "copying the store", hint: "the task ended; try again".to_owned() })
    })
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
        read::get(&*self.db.get(), key).map_err(|source| error::failed("reading a key", source))
    }

    async fn range(&self, range: &KeyRange, limit: usize) -> Result<Page, StoreError> {
        read::range(&*self.db.get(), range, limit).map_err(|source| error::failed("reading a range", source))
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, StoreError> {
        txn.check()?;
        let (reply, answer) = oneshot::channel();
        self.ask(writer::Asked::Commit(writer::Queued { txn, reply })).await?;
        answer.await.unwrap_or_else(|_| {
            Err(StoreError::Uncertain { hint: "the store's writer ended; restart the coordinator".to_owned() })
        })
    }

    fn watch(&self, prefix: KeyPrefix) -> Watch {
        self.watches.watch(&prefix)
    }
}

/// The lock on the file has decided already.
#[async_trait]
impl Election for Embedded {
    async fn campaign(&self, _who: &str) -> Result<Term, StoreError> {
        Ok(Term::for_good())
    }
}

#[cfg(test)]
mod tests;
