//! The file that is handed out: a proof's statement, everything that it stands on, and their places in the log
//! (`docs/formats/proof-v1.md`, section 1). Owns what goes into the file and under which checkpoint; signs nothing. Whoever
//! fetches it twice may get two files: a later one leads to a later checkpoint.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_log::note::Note;
use gallra_log::tree::Hash;
use gallra_model::envelope::Envelope;
use gallra_model::plan::Plan;
use gallra_model::proof::{Consistency, FileEntry, PROOF_FORMAT, Piece, ProofFile, Stamped};
use gallra_model::statement::{Commitment, Type};
use gallra_model::{Digest, RequestId};
use gallra_store::keys;

use crate::asked::crypto;
use crate::core::Core;
use crate::entered::{due_of, entry_of};
use crate::error::{CoreError, decode};
use crate::issue::StoredProof;
use crate::ledger::{Ledger, Signed};
use crate::restores::StoredRestore;
use crate::state::{self, StoredReceipt};

/// The tree of a signed note.
///
/// # Errors
/// [`CoreError::Crypto`] where the note is damaged.
pub(crate) fn tree_of(signed: &Signed) -> Result<Commitment, CoreError> {
    let note = Note::parse(signed.note.as_bytes()).map_err(crypto)?;
    let root = note.unverified_text().lines().nth(2).and_then(|line| STANDARD.decode(line).ok());
    let root = root.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let root = root.ok_or_else(|| CoreError::Crypto("a stored checkpoint has no root".into()))?;
    Ok(Commitment { size: signed.size, root: Digest::from_bytes(root) })
}

fn joined(hashes: &[Hash]) -> String {
    STANDARD.encode(hashes.iter().flat_map(|hash| *hash.as_bytes()).collect::<Vec<u8>>())
}

/// How long a caller waits for the log.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes entries that all lead to one checkpoint.
struct Entries<'a> {
    ledger: &'a Ledger,
    request: RequestId,
    size: u64,
}

impl Entries<'_> {
    async fn of(&self, envelope: Envelope, kind: Type, plan: Option<&Plan>) -> Result<FileEntry, CoreError> {
        let due = plan.and_then(due_of);
        let about = !matches!(kind, Type::KeyManifest | Type::KeyEvent | Type::LogSuccession);
        let leaf = entry_of(&envelope, kind, about.then_some(self.request), due)?.leaf();
        let index = self.ledger.position(&leaf).await?.filter(|index| *index < self.size);
        let index = index.ok_or_else(|| {
            CoreError::Precondition(match self.ledger.is_stopped() {
                Some(stopped) => {
                    format!("not all of the proof is in the log before its last good checkpoint: {stopped}")
                }
                None => "the log has not entered all of the proof yet: ask again in a moment".to_owned(),
            })
        })?;
        let path = joined(&self.ledger.inclusion(index, self.size).await?);
        Ok(FileEntry { envelope, due, checkpoint: 0, index, path })
    }
}

impl Core {
    /// The bytes of a proof's file.
    ///
    /// # Errors
    /// [`CoreError::Precondition`] while the log has not entered all of it, or is stopped; the store's.
    pub async fn proof_file(&self, id: &RequestId, stored: &StoredProof) -> Result<Vec<u8>, CoreError> {
        let leaf = entry_of(&stored.envelope, Type::Proof, Some(*id), None)?.leaf();
        // One that was issued in a log that ended stands by that log's last good checkpoint.
        let place = self.place_of(&leaf).await?;
        let ledger = place.map_or(&self.ledger, |(ledger, _)| ledger);
        let behind = |(of, index): (&Ledger, u64)| of.checkpoint().is_none_or(|last| last.size <= index);
        if ledger.origin() != self.ledger.origin() && place.is_some_and(behind) {
            return Err(CoreError::Precondition(format!(
                "the proof stands behind the last good checkpoint of the log {}, which ended: it is not handed out",
                ledger.origin()
            )));
        }
        let placed = ledger.sequenced(&leaf, PATIENCE).await?.ok_or_else(|| {
            CoreError::Precondition("the log has not entered the proof yet: ask again in a moment".into())
        })?;
        let known = self.manifests().await?.into_iter().take(stored.manifest.version as usize).collect::<Vec<_>>();
        names_the_log(known.last(), ledger)?;
        // One that somebody else dated is worth more than a newer one.
        let (checkpoint, timestamps) = match self.stamped_holding(ledger, placed.index, stored.manifest.version).await?
        {
            Some((signed, token)) => (signed, vec![Stamped { checkpoint: 0, token }]),
            None => (placed.checkpoint, Vec::new()),
        };
        let entries = Entries { ledger, request: *id, size: checkpoint.size };
        let asked = self.asked(id).await?.ok_or(CoreError::NotFound("request's statement"))?;
        let (envelope, plan) = state::load_plan(&*self.store, id, stored.plan).await?;
        let mut statements = Vec::with_capacity(stored.evidence.len());
        let mut commitments: Vec<Commitment> = Vec::new();
        for piece in &stored.evidence {
            let envelope = self.piece(id, piece).await?;
            commitments.extend(quoted(&envelope, piece.statement)?);
            statements.push(entries.of(envelope, piece.statement, None).await?);
        }
        let mut manifests = Vec::new();
        for envelope in known {
            manifests.push(entries.of(envelope, Type::KeyManifest, None).await?);
        }
        let proof = entries.of(stored.envelope.clone(), Type::Proof, None).await?;
        let mut asked_here = asked.envelope;
        for envelope in asked.before {
            let leaf = entry_of(&envelope, Type::Request, Some(*id), None)?.leaf();
            if ledger.position(&leaf).await?.is_some() {
                asked_here = envelope;
            }
        }
        let request = entries.of(asked_here, Type::Request, None).await?;
        let plan = entries.of(envelope, Type::Plan, Some(&plan)).await?;
        let used = statements.iter().chain([&proof, &request, &plan]);
        let file = ProofFile {
            format: PROOF_FORMAT.to_owned(),
            events: self.events_about(&entries, used, proof.index).await?,
            proof,
            request,
            plan,
            statements,
            manifests,
            consistency: consistent(ledger, commitments, checkpoint.size).await?,
            checkpoints: vec![checkpoint.note],
            timestamps,
        };
        gallra_proof::file::write(&file).map_err(crypto)
    }

    /// A statement that a proof names.
    async fn piece(&self, id: &RequestId, piece: &Piece) -> Result<Envelope, CoreError> {
        if let Some(entry) = self.store.get(&keys::receipt(id, &piece.digest)).await? {
            return Ok(decode::<StoredReceipt>("receipt", &entry.value)?.envelope);
        }
        if let Some(entry) = self.store.get(&keys::restore(id, &piece.digest)).await? {
            return Ok(decode::<StoredRestore>("restore", &entry.value)?.envelope);
        }
        let entry = self.store.get(&keys::statement(id, &piece.digest)).await?;
        decode("statement", &entry.ok_or(CoreError::NotFound("statement that the proof stands on"))?.value)
    }

    /// What was said of the keys that signed these, in the log's order. Not what was said after the proof: a later
    /// manifest may list the keys that said it, and the file has none.
    async fn events_about<'e>(
        &self,
        entries: &Entries<'_>,
        used: impl Iterator<Item = &'e FileEntry>,
        before: u64,
    ) -> Result<Vec<FileEntry>, CoreError> {
        let used: BTreeSet<&str> =
            used.flat_map(|entry| &entry.envelope.signatures).map(|signature| signature.keyid.as_str()).collect();
        let mut events = Vec::new();
        // What counts for nothing stands in no proof.
        let (_, void) = self.weighed(entries.ledger).await?;
        for (envelope, event) in self.opened_events().await? {
            let leaf = entry_of(&envelope, Type::KeyEvent, None, None)?.leaf();
            let position = entries.ledger.position(&leaf).await?;
            let is_earlier = position.is_some_and(|position| position < before && !void.contains(&position));
            if is_earlier && used.contains(&event.keyid().to_string().as_str()) {
                events.push(entries.of(envelope, Type::KeyEvent, None).await?);
            }
        }
        events.sort_by_key(|entry| entry.index);
        Ok(events)
    }
}

/// A proof is of the log that its manifest names. One that was signed in time for a log, and entered after that had ended, is of
/// none: a reader would refuse it.
fn names_the_log(manifest: Option<&Envelope>, ledger: &Ledger) -> Result<(), CoreError> {
    let named = manifest.ok_or(CoreError::NotFound("key manifest that the proof names"))?;
    let log = gallra_proof::manifest::read(named).map_err(crypto)?.predicate.log;
    if log.origin == ledger.origin().as_str() {
        return Ok(());
    }
    Err(CoreError::Precondition(format!(
        "the proof was signed for the log {}, which ended before it was entered there: it is in no log that its reader would \
         look in, and is not handed out",
        log.origin
    )))
}

/// That each tree that a receipt quotes is the beginning of the file's.
async fn consistent(ledger: &Ledger, mut quoted: Vec<Commitment>, size: u64) -> Result<Vec<Consistency>, CoreError> {
    quoted.sort_by_key(|commitment| (commitment.size, commitment.root));
    quoted.dedup();
    let mut all = Vec::new();
    for Commitment { size: from, root } in quoted.into_iter().filter(|commitment| commitment.size < size) {
        let path = joined(&ledger.consistency(from, size).await?);
        all.push(Consistency { from, root, to: size, path });
    }
    Ok(all)
}

/// The tree that an agent's statement quotes.
fn quoted(envelope: &Envelope, kind: Type) -> Result<Option<Commitment>, CoreError> {
    if matches!(kind, Type::Receipt | Type::Absence | Type::Recheck | Type::CopyExpiry) {
        return Ok(gallra_proof::receipt::read(envelope).map_err(crypto)?.predicate.commitment);
    }
    Ok(None)
}
