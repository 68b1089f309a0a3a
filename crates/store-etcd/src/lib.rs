//! The engine of several coordinators: one etcd, or one cluster of it, behind the store's trait (decisions 4 and 5).
//!
//! Owns the connection, the feed of changes, leases and the election. Refuses to know what is stored. Upholds that a commit
//! which returned was agreed on by etcd's majority (I8), that one whose answer was lost says so instead of being tried twice,
//! that a gap in the feed is told (`Lagged`), and that all queues are bounded (I10). Why as it is, and what it costs:
//! `docs/decisions/0035-etcd-engine.md`; how to run etcd for it: `docs/etcd.md`.
//!
//! * [`Config`], [`Cell`], [`Tls`]: where etcd is, under which prefix, and with which certificate.
//! * [`Etcd`]: the store; also the [`Election`](gallra_store::Election).
//! * [`health`]: what `doctor` wants to know. [`compaction`]: forgetting history.

mod alive;
pub mod compaction;
mod config;
mod election;
mod fault;
mod feed;
pub mod health;
mod marker;
mod members;
mod moment;
mod prefix;
mod read;
#[cfg(feature = "test-servers")]
pub mod testing;
mod tls;
mod together;
mod write;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use etcd_client::ResponseHeader;
use gallra_store::txn::{Revision, Txn};
use gallra_store::watch::Watches;
use gallra_store::{Entry, Key, KeyPrefix, KeyRange, Page, Store, StoreError, Watch};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

pub use config::{Cell, Config, ConfigError, Tls};
pub use tls::{Validity, validity};

use fault::{Fault, Kind};
use members::Members;
use prefix::Prefix;
use together::Reads;

/// Commits under way at once; whoever comes later waits with its own.
const MAX_IN_FLIGHT: usize = 1_024;

/// The store on etcd. Dropping it ends its feed; commits that were begun are carried out.
pub struct Etcd {
    shared: Arc<Shared>,
    feed: JoinHandle<()>,
    reads: JoinHandle<()>,
}

struct Shared {
    members: Members,
    prefix: Prefix,
    watches: Watches,
    in_flight: Arc<Semaphore>,
    reads: Reads,
    /// The cluster that this began with.
    cluster: u64,
    /// Highest revision that was ever answered.
    newest: AtomicU64,
    /// Why nothing is believed or sent any more: once set it stays, since a cluster that went back soon counts as far as it did before.
    stale: OnceLock<&'static str>,
    feed: feed::Heard,
    lease: std::time::Duration,
    quota: Option<u64>,
    /// This process.
    id: String,
    /// The lease under which it shows that it is there.
    alive: tokio::sync::Mutex<Option<i64>>,
}

impl Etcd {
    /// Makes an empty store under the cell's prefix.
    ///
    /// # Errors
    /// When there is something under the prefix already, or etcd cannot be reached.
    pub async fn create(config: &Config) -> Result<Self, StoreError> {
        let (members, prefix) = Self::connect(config).await?;
        let cluster = marker::create(&members, &prefix).await?;
        Self::start(config, members, prefix, cluster).await
    }

    /// Opens the store of a cell.
    ///
    /// # Errors
    /// [`StoreError::Format`] when there is none, or it was made in another cluster: then etcd was restored or copied, and
    /// [`Etcd::adopt`] is for who knows that. A coordinator that is pointed at the wrong place must not begin with an empty
    /// or an old memory.
    pub async fn open(config: &Config) -> Result<Self, StoreError> {
        let (members, prefix) = Self::connect(config).await?;
        let cluster = marker::check(&members, &prefix).await?;
        Self::start(config, members, prefix, cluster).await
    }

    /// Opens the store of a cell whichever cluster it was made in: for whoever is about to [`Etcd::adopt`] it, raises the generation
    /// through this first, and has stopped everybody else.
    ///
    /// # Errors
    /// When there is no store of this version, or etcd cannot be reached.
    pub async fn open_restored(config: &Config) -> Result<Self, StoreError> {
        let (members, prefix) = Self::connect(config).await?;
        let cluster = marker::found(&members, &prefix).await?;
        Self::start(config, members, prefix, cluster).await
    }

    /// Declares that a restored cluster is this cell's store from now on. Whoever does this raises the generation too (I3).
    ///
    /// # Errors
    /// When there is no store of this version, or etcd cannot be reached.
    pub async fn adopt(config: &Config) -> Result<Self, StoreError> {
        let (members, prefix) = Self::connect(config).await?;
        let cluster = marker::adopt(&members, &prefix).await?;
        Self::start(config, members, prefix, cluster).await
    }

    async fn connect(config: &Config) -> Result<(Members, Prefix), StoreError> {
        Ok((Members::new(config).await?, Prefix::of(&config.cell)))
    }

    async fn start(config: &Config, members: Members, prefix: Prefix, cluster: u64) -> Result<Self, StoreError> {
        let id = random_id().map_err(|_| StoreError::Failed {
            during: "choosing this coordinator's name among others",
            hint: "no randomness to be had".to_owned(),
        })?;
        let (reads, queue) = Reads::new();
        let shared = Arc::new(Shared {
            members,
            prefix,
            watches: Watches::default(),
            in_flight: Arc::new(Semaphore::new(MAX_IN_FLIGHT)),
            reads,
            cluster,
            newest: AtomicU64::new(0),
            stale: OnceLock::new(),
            feed: feed::Heard::default(),
            lease: config.lease,
            quota: config.quota_bytes,
            id,
            alive: tokio::sync::Mutex::default(),
        });
        let from = shared.revision().await?;
        let feed = tokio::spawn(feed::run(Arc::clone(&shared), from));
        let reads = tokio::spawn(together::run(Arc::clone(&shared), queue));
        Ok(Self { shared, feed, reads })
    }

    /// Shows another client certificate, or trusts another authority, from the next call on: nothing is lost, and nobody has to
    /// restart anything.
    ///
    /// # Errors
    /// Where certificate, key or authority cannot be used; then everything stays as it was.
    pub async fn renew(&self, tls: Tls) -> Result<(), StoreError> {
        self.shared.members.renew(tls).await
    }

    /// The cluster's own id: another one after etcd was restored from a snapshot.
    pub fn cluster(&self) -> u64 {
        self.shared.cluster
    }

    /// The newest revision, of whichever cell.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn revision(&self) -> Result<Revision, StoreError> {
        self.shared.revision().await
    }
}

/// 16 lowercase hex characters.
fn random_id() -> Result<String, aws_lc_rs::error::Unspecified> {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes)?;
    Ok(hex::encode(bytes))
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.feed.abort();
        self.reads.abort();
        self.shared.watches.close();
    }
}

impl Shared {
    async fn revision(&self) -> Result<Revision, StoreError> {
        read::revision(self).await.map_err(|fault| fault.of_read("reading the revision"))
    }

    fn newest(&self) -> u64 {
        self.newest.load(Ordering::Acquire)
    }

    /// Looks at what stands over every answer. `before` is [`Shared::newest`] from before the call: a cluster does not go back.
    fn seen(&self, header: Option<&ResponseHeader>, before: u64) -> Result<Revision, Fault> {
        let Some(header) = header else { return Err(Fault::new(Kind::Unknown, "an answer without a header")) };
        let revision = u64::try_from(header.revision()).unwrap_or(0);
        if header.cluster_id() != self.cluster {
            self.stale.get_or_init(|| "another cluster answers than the one that this coordinator began with");
        } else if revision < before {
            self.stale.get_or_init(|| "the cluster went back to an earlier revision");
        }
        self.believed()?;
        self.newest.fetch_max(revision, Ordering::AcqRel);
        Ok(Revision(revision))
    }

    /// Whether this is the cluster still that this began with, as far as was seen. Asked before anything is sent, too.
    fn believed(&self) -> Result<(), Fault> {
        self.stale.get().map_or(Ok(()), |why| Err(Fault::new(Kind::Stale, *why)))
    }
}

#[async_trait]
impl Store for Etcd {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        read::get(&self.shared, key).await.map_err(|fault| fault.of_read("reading a key"))
    }

    async fn range(&self, range: &KeyRange, limit: usize) -> Result<Page, StoreError> {
        read::range(&self.shared, range, limit).await.map_err(|fault| fault.of_read("reading a range"))
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, StoreError> {
        txn.check()?;
        let Ok(permit) = Arc::clone(&self.shared.in_flight).acquire_owned().await else {
            return Err(StoreError::Closed);
        };
        let shared = Arc::clone(&self.shared);
        // On a task of its own: a caller that goes away takes nothing back, and leaves nobody guessing less than it must.
        let committing = tokio::spawn(async move {
            let outcome = write::commit(&shared, &txn).await;
            drop(permit);
            outcome
        });
        let ended = || StoreError::Uncertain { hint: "the program was ending".to_owned() };
        committing.await.unwrap_or_else(|_| Err(ended()))
    }

    fn watch(&self, prefix: KeyPrefix) -> Watch {
        self.shared.watches.watch(&prefix)
    }
}
