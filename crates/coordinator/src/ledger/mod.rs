//! The transparency log in the store, around `gallra-log` (`docs/formats/log-v1.md`): what waits, the one sequencer, the notes
//! that were signed, and whether anything may be signed at all.
//!
//! Owns the order commit, sign, store, publish, and that nothing is signed before those were heard who keep what the log said
//! ([`guard`]). Refuses to know what an entry says, and who else is told. Upholds I7: a root is signed only of a tree that the
//! store has committed to, as the beginning of which it proves the one that was signed before.

mod adopt;
mod append;
mod begin;
mod beside;
mod ended;
mod grow;
mod guard;
mod key;
mod notes;
mod public;
mod read;
mod record;
mod sequence;
mod witnesses;

use std::path::Path;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use gallra_log::checkpoint::Origin;
use gallra_log::entry::Entry;
use gallra_log::note::{Key, Kind, Note, Signature, Signer};
use gallra_model::{Digest, Instant};
use gallra_store::keys::Tree;
use gallra_store::txn::Write;
use gallra_store::{Revision, Store, Txn, keys};
use tokio::sync::{Notify, OnceCell, watch};

pub use append::MOST_A_BATCH;
pub use begin::{Agrees, files};
pub use ended::{Past, mark_ended};
pub use guard::{Standing, Stopped};
pub use key::{KEY_FILE, PUBLIC_FILE, make as make_key};
pub(crate) use key::{public_of, read_listed, read_or_make, write_public};
pub use read::Sequenced;
pub use record::Signed;
pub use sequence::{Passed, run};
pub use witnesses::Witnesses;

use crate::error::CoreError;
use beside::Beside;

/// Where the log writes, beside the store, what a restored store would have forgotten.
pub const FOLDER: &str = "log";

/// Whoever is told of a signed checkpoint before it is published: witnesses, those who stamp the time.
#[async_trait::async_trait]
pub trait Vouch: Send + Sync {
    /// Their lines for this note, all of which verify. It may ask the ledger for proofs. What does not come in time is left
    /// out, and may be added later ([`Ledger::add_signatures`]).
    async fn vouch(&self, ledger: &Ledger, note: &Note) -> Vec<Signature>;

    /// Hears what they have seen of the log, before anything is signed after a start; stops the log where that speaks against it.
    ///
    /// # Errors
    /// The store's: they were not heard.
    async fn hear(&self, ledger: &Ledger) -> Result<(), CoreError> {
        let _ = ledger;
        Ok(())
    }
}

/// What a ledger is opened with.
pub struct Opening<'a> {
    /// Where entries and tiles are.
    pub store: Arc<dyn Store>,
    /// The folder of [`FOLDER`].
    pub folder: &'a Path,
    /// The log's name.
    pub origin: Origin,
    /// The seed of its key.
    pub seed: [u8; 32],
    /// The coordinator's generation: one of another generation appends nothing.
    pub generation: u64,
    /// How many agents are heard before the first signature, where as many are enrolled.
    pub hear_agents: u32,
    /// Which log of the store it is.
    pub tree: Tree,
    /// The names of the logs of this store that ended before it.
    pub before: Vec<String>,
}

/// The log of one coordinator. A clone is the same log.
#[derive(Clone)]
pub struct Ledger {
    store: Arc<dyn Store>,
    beside: Beside,
    origin: Origin,
    tree: Tree,
    /// Origins of logs that ended before this one: what is kept of them says nothing about this one.
    before: Vec<String>,
    /// None of a log that ended: it signs nothing any more.
    signer: Option<Arc<Signer>>,
    public: Key,
    generation: u64,
    hear_agents: u32,
    /// The store's revision at which this process began to lead; unset where it is the store's only one.
    term: Arc<RwLock<Option<Revision>>>,
    /// Whether other coordinators work on the same store.
    several: Arc<OnceLock<()>>,
    /// Told once, before the first pass.
    vouch: Arc<OnceCell<Arc<dyn Vouch>>>,
    /// What is published, who was heard, and why nothing is signed.
    standing: Arc<watch::Sender<Standing>>,
    /// Held by whoever passes: two at once would only make each other repeat.
    passing: Arc<tokio::sync::Mutex<sequence::Passes>>,
    /// Wakes the sequencer where no key changed: somebody was heard.
    wake: Arc<Notify>,
}

impl Ledger {
    /// Opens the log of a store; reads what it needs to know that both belong together, and signs nothing.
    ///
    /// # Errors
    /// [`CoreError::Precondition`] where the store's log has another origin or key; the store's. A log that cannot be read is
    /// opened, and stopped.
    pub async fn open(opening: Opening<'_>) -> Result<Self, CoreError> {
        let Opening { store, folder, origin, seed, generation, hear_agents, tree, before } = opening;
        let signer = Signer::from_seed(origin.as_str(), Kind::Log, &seed)
            .map_err(|error| CoreError::Invalid(format!("coordinator.toml: log.origin: {error}")))?;
        let ledger = Self {
            beside: Beside::new(folder),
            store,
            origin,
            tree,
            before,
            public: signer.public().clone(),
            signer: Some(Arc::new(signer)),
            generation,
            hear_agents,
            term: Arc::default(),
            several: Arc::default(),
            vouch: Arc::default(),
            standing: Arc::default(),
            passing: Arc::default(),
            wake: Arc::default(),
        };
        match ledger.check_belongs().await {
            // Receipts are taken in all the same.
            Err(error @ CoreError::Unreadable { .. }) => ledger.stop(&error.to_string()),
            checked => checked?,
        }
        if ledger.was_ended()? {
            ledger.stop(&ended::why(&ledger.origin));
        }
        Ok(ledger)
    }

    async fn check_belongs(&self) -> Result<(), CoreError> {
        let (_, head) = self.head().await?;
        if head.size > 0 && head.origin != self.origin.as_str() {
            return Err(CoreError::Precondition(format!(
                "the store's log is called {} and coordinator.toml calls it {}: a log keeps its origin; write the old one",
                head.origin, self.origin
            )));
        }
        if let Some(newest) = self.newest().await? {
            self.open_note(&newest.note).map_err(|why| {
                CoreError::Precondition(format!(
                    "the newest checkpoint in the store does not open under {KEY_FILE} ({why}): put the key back that the \
                     log was signed with"
                ))
            })?;
        }
        Ok(())
    }

    /// The same log, written through another way to the same store: a leader's, which refuses once another leads.
    #[must_use]
    pub fn over(&self, store: Arc<dyn Store>) -> Self {
        Self { store, ..self.clone() }
    }

    /// Says that other coordinators work on the same store: what is heard here is passed on to them.
    pub fn is_one_of_several(&self) {
        let _ = self.several.set(());
    }

    fn term(&self) -> Option<Revision> {
        *self.term.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log's name.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What its tree is called in the store; none of the log that the store began with.
    pub fn tree(&self) -> Option<Digest> {
        match self.tree {
            Tree::First => None,
            Tree::After(digest) => Some(digest),
        }
    }

    /// The same, as keys have it.
    pub(crate) fn tree_key(&self) -> &Tree {
        &self.tree
    }

    /// The log's public key, under its origin as the name.
    pub fn public(&self) -> &Key {
        &self.public
    }

    /// Has somebody told of each checkpoint before it is published. The first call counts.
    pub fn set_vouch(&self, vouch: Arc<dyn Vouch>) {
        let _ = self.vouch.set(vouch);
    }

    /// Hears whoever vouches, once after a start and before the first pass.
    ///
    /// # Errors
    /// The store's: they were not heard, and nothing is to be signed yet.
    pub async fn hear_vouching(&self) -> Result<(), CoreError> {
        match self.vouch.get() {
            Some(vouch) => vouch.hear(self).await,
            None => Ok(()),
        }
    }

    /// Why nothing is signed any more, where that is so: until somebody has found out what happened.
    pub fn is_stopped(&self) -> Option<Stopped> {
        self.standing.borrow().stopped.clone()
    }

    /// Tells when anything of how the log stands changes.
    pub fn moves(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Everything that is known of how the log stands.
    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }
}

/// Adds an entry to what waits for a place in the log, in the caller's own transaction: one put. `now` gives its turn. An entry
/// that waits already, or is in the log, is entered once all the same: the sequencer looks.
#[must_use]
pub fn enqueue(txn: Txn, entry: &Entry, now: Instant) -> Txn {
    let key = keys::ledger_waits(now, entry.leaf().as_bytes());
    // Said twice in one transaction, it is one write.
    let is_there = txn.writes().iter().any(|write| matches!(write, Write::Put { key: other, .. } if *other == key));
    if is_there { txn } else { txn.put(key, entry.to_string()) }
}
