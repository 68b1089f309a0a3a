//! Whether anything may be signed (`docs/formats/log-v1.md`, section 10): who is heard before the first signature after a start,
//! and the stop, which only another start ends.
//!
//! What is heard is believed only under the log's own key, so that nobody else can stop the log. The decision is `gallra-log`'s.

use std::collections::BTreeSet;

use gallra_log::checkpoint::Checkpoint;
use gallra_log::note::Note;
use gallra_log::rollback::{Head, Rollback, Seen, may_sign};
use gallra_log::tree::needed_by_root;
use gallra_model::AgentName;
use gallra_store::keys;

use super::beside::{CONTRARY, PUBLISHED};
use super::record::Signed;
use super::sequence::Passes;
use super::{KEY_FILE, Ledger};
use crate::error::CoreError;

/// Why nothing is signed, until a coordinator is started whose store is the right one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the log is stopped: {why}")]
pub struct Stopped {
    /// What was found, and what to do.
    pub why: String,
}

/// How the log stands, in this process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The newest checkpoint that may be handed out.
    pub published: Option<Signed>,
    /// Agents that were heard since the start; not more of them than are waited for.
    pub heard: BTreeSet<AgentName>,
    /// How many agents have to be heard still before anything is signed.
    pub waits_for: usize,
    /// Why nothing is signed any more.
    pub stopped: Option<Stopped>,
}

impl Ledger {
    /// Hears what an agent keeps of the log: the newest note that it was given, or that it has none. Each stream begins with it.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] for a note under the log's name that its key did not sign: the agent does not count as heard. The
    /// store's.
    pub async fn heard(&self, agent: &AgentName, note: Option<&str>) -> Result<(), CoreError> {
        match note.map(|note| self.seen(note)).transpose()?.flatten() {
            Some(seen) => self.compare_heard(agent.as_str(), note.unwrap_or_default(), seen).await?,
            None if note.is_some_and(|note| self.is_of_before(note)) => {
                tracing::info!(%agent, "the agent keeps a checkpoint of a log that ended here");
            }
            None if note.is_some() => tracing::warn!(%agent, "the agent keeps a checkpoint of another log"),
            None => {}
        }
        let new = self.standing.send_if_modified(|standing| {
            let wanted = standing.heard.len() < usize::try_from(self.hear_agents).unwrap_or(usize::MAX);
            wanted && standing.heard.insert(agent.clone())
        });
        if new && self.several.get().is_some() {
            self.pass_on(agent).await?;
        }
        self.wake.notify_one();
        Ok(())
    }

    /// Hears a note that somebody kept, as an acknowledgement has it.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] where the log's key did not sign it, or it is of another log. The store's.
    pub async fn heard_from(&self, by: &str, note: &str) -> Result<(), CoreError> {
        let other = || CoreError::Invalid(format!("the note is of another log; this one is {}", self.origin));
        let seen = self.seen(note)?.ok_or_else(other)?;
        self.compare_heard(by, note, seen).await?;
        self.wake.notify_one();
        Ok(())
    }

    /// What a note says of this log; nothing where it names another one.
    pub(super) fn seen(&self, note: &str) -> Result<Option<Seen>, CoreError> {
        let invalid = |why: &dyn std::fmt::Display| CoreError::Invalid(format!("checkpoint: {why}"));
        let note: Note = note.parse().map_err(|why| invalid(&why))?;
        if Checkpoint::unverified_origin(&note).as_ref() != Some(&self.origin) {
            return Ok(None);
        }
        let opened = Checkpoint::open(&note, self.public(), &[]).map_err(|why| invalid(&why))?;
        Ok(Some(Seen { size: opened.checkpoint.size, root: Some(opened.checkpoint.root) }))
    }

    async fn compare_heard(&self, by: &str, note: &str, seen: Seen) -> Result<(), CoreError> {
        let Err(rollback) = self.compare(&[seen]).await? else { return Ok(()) };
        self.stop(&format!("{rollback} (heard from {by})"));
        if rollback_is_theirs(&rollback) {
            // So that the next start knows it without being told again. The first one stays.
            if self.beside.read(CONTRARY)?.is_none_or(|kept| self.is_of_before(&kept)) {
                self.beside.write(CONTRARY, note).await?;
            }
            if self.several.get().is_some() {
                self.tell_contrary(note).await?;
            }
        }
        Ok(())
    }

    /// The decision on what was seen, against the store as it is now.
    pub(super) async fn compare(&self, seen: &[Seen]) -> Result<Result<usize, Rollback>, CoreError> {
        let head = self.head().await?.1.head()?;
        self.compare_with(&head, seen).await
    }

    pub(super) async fn compare_with(&self, head: &Head, seen: &[Seen]) -> Result<Result<usize, Rollback>, CoreError> {
        let sizes = seen.iter().map(|seen| seen.size).filter(|size| *size < head.size).chain([head.size]);
        let nodes: BTreeSet<_> = sizes.flat_map(needed_by_root).collect();
        let tiles = self.tiles(nodes, head.size).await?;
        Ok(may_sign(head, &tiles, seen))
    }

    /// Whether the first signature may be made, or was.
    pub(super) async fn is_clear(&self, passes: &mut Passes) -> Result<bool, CoreError> {
        if self.is_stopped().is_some() {
            return Ok(false);
        }
        if passes.cleared {
            return Ok(true);
        }
        // At once, whoever is waited for: what lies beside the store needs nobody.
        if !passes.compared {
            match self.compare_with_kept().await? {
                Ok(roots) => tracing::debug!(roots, "the log goes on from what lies beside its store"),
                Err(why) => {
                    self.stop(&why);
                    return Ok(false);
                }
            }
            passes.compared = true;
        }
        let waits_for = self.waits_for().await?;
        let told = self.standing.send_if_modified(|standing| {
            let is_new = standing.waits_for != waits_for;
            standing.waits_for = waits_for;
            is_new
        });
        if told && waits_for > 0 {
            tracing::info!(waits_for, "the log signs nothing until agents have said what they keep of it");
        }
        // Whoever was heard was compared then.
        passes.cleared = waits_for == 0;
        Ok(passes.cleared)
    }

    /// How many agents have to be heard still. Where none is enrolled, nobody can have been told anything by one.
    async fn waits_for(&self) -> Result<usize, CoreError> {
        let wanted = usize::try_from(self.hear_agents).unwrap_or(usize::MAX);
        if wanted == 0 {
            return Ok(0);
        }
        let enrolled = self.store.range(&keys::agents().range(), wanted).await?.entries.len();
        let mut heard = self.standing.borrow().heard.clone();
        if let Some(term) = self.term() {
            heard.extend(self.heard_since(term, wanted).await?);
        }
        Ok(enrolled.min(wanted).saturating_sub(heard.len()))
    }

    /// What the files beside the store and the store itself have seen.
    pub(super) async fn compare_with_kept(&self) -> Result<Result<usize, String>, CoreError> {
        let mut seen = Vec::new();
        for name in [PUBLISHED, CONTRARY] {
            let Some(note) = self.beside.read(name)? else { continue };
            match self.seen(&note) {
                Ok(Some(one)) => seen.push(one),
                // Nothing of this log was handed out yet.
                Ok(None) if self.is_of_before(&note) => {}
                Ok(None) => return Ok(Err(format!("the file log/{name} is of another log than {}", self.origin))),
                Err(why) => {
                    return Ok(Err(format!(
                        "the file log/{name} does not open under {KEY_FILE} ({why}): put back what was there; it may be \
                         moved away only if it is certain that the store is the newest"
                    )));
                }
            }
        }
        if let Some(newest) = self.newest().await? {
            seen.extend(self.seen(&newest.note)?);
        }
        Ok(self.compare(&seen).await?.map_err(|rollback| rollback.to_string()))
    }

    /// Nothing is signed and nothing appended from now on. The first reason stays.
    pub(super) fn stop(&self, why: &str) {
        let first = self.standing.send_if_modified(|standing| {
            let first = standing.stopped.is_none();
            standing.stopped.get_or_insert_with(|| Stopped { why: why.to_owned() });
            first
        });
        if first {
            tracing::error!(why, "the log is stopped: nothing is signed, and nothing that needs it is permitted");
        }
    }
}

/// Whether the note shows something that the store cannot know: of damage the store knows itself.
fn rollback_is_theirs(rollback: &Rollback) -> bool {
    matches!(rollback, Rollback::Ahead { .. } | Rollback::Fork { .. })
}
