//! Signing what was committed, keeping the note, and handing it out, in this order. A crash in between is made up for by the next
//! pass: signing again gives the same bytes.

use std::time::Duration;

use gallra_crash::point;
use gallra_log::checkpoint::{Checkpoint, CheckpointError, Opened};
use gallra_log::note::{Note, Signature};
use gallra_log::rollback::{Head, Seen};
use gallra_model::Instant;
use gallra_store::{Entry, Txn, keys};

use super::beside::PUBLISHED;
use super::record::Signed;
use super::sequence::Passes;
use super::{KEY_FILE, Ledger};
use crate::core::until_committed;
use crate::error::{CoreError, decode, encode};

/// Real time: how long others may take to vouch for a note before it goes out without them.
const VOUCH_WITHIN: Duration = Duration::from_secs(5);

impl Ledger {
    /// Opens a note under the log's own key.
    pub(super) fn open_note(&self, note: &str) -> Result<Opened, CheckpointError> {
        Checkpoint::open(&note.parse::<Note>()?, self.public(), &[])
    }

    /// Signs the committed tree, if it was not signed yet, and hands the newest note out.
    pub(super) async fn sign(&self, passes: &mut Passes, now: Instant) -> Result<(), CoreError> {
        if let Some(signed) = until_committed!(self.sign_once(now))? {
            self.hand_out(passes, signed).await?;
        }
        Ok(())
    }

    /// The newest note, made if need be; nothing while there are no entries, or where the log stopped.
    async fn sign_once(&self, now: Instant) -> Result<Option<Signed>, CoreError> {
        // Read before the head: one that was signed meanwhile makes the transaction fail.
        let pointer = self.store.get(&keys::ledger_newest(&self.tree)).await?;
        let newest = self.newest().await?;
        let head = self.head().await?.1.head()?;
        if newest.as_ref().map_or(0, |newest| newest.size) == head.size {
            return Ok(newest);
        }
        let seen: Vec<Seen> = newest.iter().map(|newest| self.seen_by_note(newest)).collect::<Result<_, _>>()?;
        // Each time, not at the start only: what is signed goes on from what was signed, by the hashes that are stored.
        if let Err(rollback) = self.compare_with(&head, &seen).await? {
            self.stop(&rollback.to_string());
            return Ok(None);
        }
        if self.is_stopped().is_some() {
            return Ok(None);
        }
        point("log_committed");
        let signed = Signed { size: head.size, note: self.note_of(&head)?.to_string(), at: now };
        point("log_signed");
        self.store_note(&signed, pointer.as_ref()).await?;
        point("log_stored");
        Ok(Some(signed))
    }

    pub(super) fn seen_by_note(&self, signed: &Signed) -> Result<Seen, CoreError> {
        let opened = self.open_note(&signed.note).map_err(|why| CoreError::Unreadable {
            what: "log note",
            why: format!("it does not open under {KEY_FILE}: {why}"),
        })?;
        Ok(Seen { size: opened.checkpoint.size, root: Some(opened.checkpoint.root) })
    }

    /// The signature itself. Ed25519 signs the same text with the same bytes each time.
    fn note_of(&self, head: &Head) -> Result<Note, CoreError> {
        let crypto = |why: &dyn std::fmt::Display| CoreError::Crypto(format!("the log's checkpoint: {why}"));
        let checkpoint =
            Checkpoint { origin: self.origin.clone(), size: head.size, root: head.root, extensions: Vec::new() };
        let signer = self.signer.as_ref().ok_or_else(|| crypto(&"the log has ended"))?;
        let signature = checkpoint.sign(signer).map_err(|why| crypto(&why))?;
        let mut note = Note::new(checkpoint.to_string()).map_err(|why| crypto(&why))?;
        note.sign(signature).map_err(|why| crypto(&why))?;
        Ok(note)
    }

    async fn store_note(&self, signed: &Signed, pointer: Option<&Entry>) -> Result<(), CoreError> {
        let newest = keys::ledger_newest(&self.tree);
        let txn = Txn::new().expect_as_read(&newest, pointer).put(newest.clone(), encode(&signed.size)?);
        self.store.commit(txn.create(keys::ledger_note(&self.tree, signed.size), encode(signed)?)).await?;
        Ok(())
    }

    /// Keeps the note where a restored store does not take it back, has others vouch for it, and publishes it.
    async fn hand_out(&self, passes: &mut Passes, signed: Signed) -> Result<(), CoreError> {
        if passes.kept >= Some(signed.size) {
            return Ok(());
        }
        self.beside.write(PUBLISHED, &signed.note).await?;
        point("log_kept");
        let signed = self.vouched(signed).await?;
        self.publish(signed);
        passes.kept = passes.kept.max(self.standing.borrow().published.as_ref().map(|published| published.size));
        point("log_published");
        Ok(())
    }

    async fn vouched(&self, signed: Signed) -> Result<Signed, CoreError> {
        let Some(vouch) = self.vouch.get() else { return Ok(signed) };
        let note: Note = signed.note.parse().map_err(|why: gallra_log::note::NoteError| CoreError::Unreadable {
            what: "log note",
            why: why.to_string(),
        })?;
        let Ok(lines) = tokio::time::timeout(VOUCH_WITHIN, vouch.vouch(self, &note)).await else {
            tracing::warn!(size = signed.size, "nobody vouched for the log's checkpoint in time; it goes out without");
            return Ok(signed);
        };
        if lines.is_empty() {
            return Ok(signed);
        }
        match self.add_signatures(signed.size, &lines).await {
            Err(CoreError::Invalid(why)) => {
                tracing::error!(why, size = signed.size, "what vouches for the log's checkpoint cannot be added to it");
                Ok(signed)
            }
            added => added,
        }
    }

    /// Publishes a note in the place of an older one, or of the same with fewer signatures.
    pub(super) fn publish(&self, signed: Signed) {
        self.standing.send_if_modified(|standing| {
            let is_newer = standing.published.as_ref().is_none_or(|published| published.size <= signed.size);
            let goes_out = is_newer && standing.stopped.is_none();
            if goes_out {
                standing.published = Some(signed);
            }
            goes_out
        });
    }

    /// Adds lines of witnesses to the note of a tree of this size. Which of them a reader believes is the reader's affair; that
    /// they verify is for whoever fetched them. Returns the note with them.
    ///
    /// # Errors
    /// [`CoreError::NotFound`] where no tree of this size was signed, [`CoreError::Invalid`] for a line in the log's own name,
    /// or more lines than a note has. The store's.
    pub async fn add_signatures(&self, size: u64, lines: &[Signature]) -> Result<Signed, CoreError> {
        let own = self.public();
        if lines.iter().any(|line| (line.name(), line.id()) == (own.name(), own.id())) {
            return Err(CoreError::Invalid("a cosignature in the log's own name".into()));
        }
        let signed = until_committed!(self.add_once(size, lines))?;
        if self.standing.borrow().published.as_ref().is_some_and(|published| published.size == size) {
            self.publish(signed.clone());
        }
        Ok(signed)
    }

    async fn add_once(&self, size: u64, lines: &[Signature]) -> Result<Signed, CoreError> {
        let (entry, stored) = self.signed(size).await?.ok_or(CoreError::NotFound("checkpoint of this size"))?;
        let invalid = |why: gallra_log::note::NoteError| CoreError::Invalid(why.to_string());
        let mut note: Note = stored.note.parse().map_err(invalid)?;
        for line in lines {
            note.sign(line.clone()).map_err(invalid)?;
        }
        let signed = Signed { note: note.to_string(), ..stored };
        self.store.commit(Txn::new().replace(&entry, encode(&signed)?)).await?;
        Ok(signed)
    }

    /// The smallest published checkpoint whose tree has this leaf, with the cosignatures that it has by now.
    ///
    /// # Errors
    /// The store's.
    pub async fn first_holding(&self, index: u64) -> Result<Option<Signed>, CoreError> {
        let published = self.standing.borrow().published.as_ref().map_or(0, |published| published.size);
        if index >= published { Ok(None) } else { self.first_stored(index).await }
    }

    /// The same as the store has it, also while nothing is published: before the first agent was heard, and once the log is stopped.
    /// For comparing with what was said before; nothing of it is handed out.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn first_stored(&self, index: u64) -> Result<Option<Signed>, CoreError> {
        // A leaf that is the last of its tree is in all that are larger by one.
        let Some(size) = index.checked_add(1) else { return Ok(None) };
        let page = self.store.range(&keys::ledger_notes_from(&self.tree, size), 1).await?;
        page.entries.first().map(|entry| decode("log note", &entry.value)).transpose()
    }
}
