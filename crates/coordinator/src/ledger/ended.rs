//! Logs that ended: the mark beside the store that nothing more of one is signed, and reading what was published of it. Upholds
//! that no size of an ended log is ever signed again, also by a store that was restored from before its end.

use std::path::Path;
use std::sync::Arc;

use gallra_log::checkpoint::{Checkpoint, Origin};
use gallra_log::note::{Key, Note};
use gallra_store::Store;
use gallra_store::keys::Tree;
use tokio::sync::watch;

use super::Ledger;
use super::beside::Beside;
use super::guard::{Standing, Stopped};
use super::record::Signed;
use crate::error::CoreError;

/// The origins of logs that ended, a line each. Written before a log goes on elsewhere, and never taken back.
pub(super) const ENDED: &str = "ended";

/// Why an ended log is stopped.
pub(super) fn why(origin: &Origin) -> String {
    format!(
        "the log {origin} was ended by a log succession: where its store was put back from before that, put back a later one; \
         where `gallra-coordinator log succeed` was interrupted, run it again"
    )
}

/// Writes down that a log ended: from here on no coordinator of this directory signs anything of it. Twice is once.
///
/// # Errors
/// Names the file.
pub async fn mark_ended(folder: &Path, origin: &str) -> Result<(), CoreError> {
    let beside = Beside::new(folder);
    let mut text = beside.read(ENDED)?.unwrap_or_default();
    if text.lines().all(|line| line != origin) {
        text.push_str(origin);
        text.push('\n');
        beside.write(ENDED, &text).await?;
    }
    Ok(())
}

/// A log that is read and never signed.
pub struct Past<'a> {
    /// Where its tiles are.
    pub store: Arc<dyn Store>,
    /// The folder of [`super::FOLDER`].
    pub folder: &'a Path,
    /// Which log of the store.
    pub tree: Tree,
    /// Its name.
    pub origin: Origin,
    /// Its key.
    pub public: Key,
    /// Its last good checkpoint, as the root holders named it; none: the newest that was signed.
    pub last: Option<String>,
}

impl Ledger {
    /// Opens a log to be read up to its last good checkpoint.
    ///
    /// # Errors
    /// The store's.
    pub async fn past(past: Past<'_>) -> Result<Self, CoreError> {
        let Past { store, folder, tree, origin, public, last } = past;
        let stopped = Some(Stopped { why: why(&origin) });
        let ledger = Self {
            beside: Beside::new(folder),
            store,
            origin,
            tree,
            before: Vec::new(),
            signer: None,
            public,
            generation: 0,
            hear_agents: 0,
            term: Arc::default(),
            several: Arc::default(),
            vouch: Arc::default(),
            standing: Arc::new(watch::Sender::new(Standing { stopped, ..Standing::default() })),
            passing: Arc::default(),
            wake: Arc::default(),
        };
        let published = ledger.last_good(last.as_deref()).await?;
        ledger.standing.send_modify(|standing| standing.published = published);
        Ok(ledger)
    }

    /// The largest checkpoint that the store has of what is good. A store that went back has less than the root holders named.
    async fn last_good(&self, last: Option<&str>) -> Result<Option<Signed>, CoreError> {
        let newest = self.newest().await?;
        let Some(last) = last else { return Ok(newest) };
        let size = self.opened(last)?.size;
        match newest {
            Some(newest) if newest.size <= size => Ok(Some(newest)),
            _ => Ok(self.signed(size).await?.map(|(_, signed)| signed)),
        }
    }

    /// A checkpoint of this log.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] where it is of another log, or its key did not sign it.
    pub fn opened(&self, note: &str) -> Result<Checkpoint, CoreError> {
        let invalid = |why: String| CoreError::Invalid(format!("checkpoint of {}: {why}", self.origin));
        let note: Note = note.parse().map_err(|why: gallra_log::note::NoteError| invalid(why.to_string()))?;
        let opened = Checkpoint::open(&note, &self.public, &[]).map_err(|why| invalid(why.to_string()))?;
        if opened.checkpoint.origin != self.origin {
            return Err(invalid("it is of another log".to_owned()));
        }
        Ok(opened.checkpoint)
    }

    /// Whether the file beside the store says that this log ended.
    pub(super) fn was_ended(&self) -> Result<bool, CoreError> {
        let ended = self.beside.read(ENDED)?.unwrap_or_default();
        Ok(ended.lines().any(|line| line == self.origin.as_str()))
    }

    /// Whether a note is of a log of this store that ended.
    pub(super) fn is_of_before(&self, note: &str) -> bool {
        let note: Option<Note> = note.parse().ok();
        let origin = note.as_ref().and_then(Checkpoint::unverified_origin);
        origin.is_some_and(|origin| self.before.iter().any(|before| before == origin.as_str()))
    }
}
