//! The body of `add-checkpoint`: `old` and a size, the consistency proof in base64, an empty line, the checkpoint's note.

use std::fmt;
use std::str::FromStr;

use crate::checkpoint::{Checkpoint, Origin};
use crate::note::{MOST_BYTES, Note};
use crate::number;
use crate::tree::Hash;

/// Most hashes of a proof: the specification's number.
pub const MOST_PROOF_LINES: usize = 63;

/// Longest body, in bytes: the longest note, and lines of 45 bytes before it.
pub const MOST_REQUEST_BYTES: usize = MOST_BYTES + 4096;

/// The bytes are no request, or the parts do not make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an add-checkpoint request: expected the old size, at most {MOST_PROOF_LINES} hashes, an empty line and a checkpoint"
)]
pub struct RequestError;

/// A request in its form, by whomever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    old: u64,
    proof: Vec<Hash>,
    note: Note,
    checkpoint: Checkpoint,
}

impl AddCheckpoint {
    /// The request that leads a witness from the tree of the old size to that of the note's checkpoint.
    ///
    /// # Errors
    /// [`RequestError`] where the note is no checkpoint, nobody signed it, or the proof is too long.
    pub fn new(old: u64, proof: Vec<Hash>, note: Note) -> Result<Self, RequestError> {
        let checkpoint = note.unverified_text().parse().map_err(|_| RequestError)?;
        if proof.len() > MOST_PROOF_LINES || note.unverified_signatures().is_empty() {
            return Err(RequestError);
        }
        Ok(Self { old, proof, note, checkpoint })
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`RequestError`]: answer 400.
    pub fn parse(bytes: &[u8]) -> Result<Self, RequestError> {
        if bytes.len() > MOST_REQUEST_BYTES {
            return Err(RequestError);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| RequestError)?;
        let (head, note) = text.split_once("\n\n").ok_or(RequestError)?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| number::parse(line.strip_prefix("old ")?)).ok_or(RequestError)?;
        let proof: Result<Vec<Hash>, _> = lines.take(MOST_PROOF_LINES + 1).map(str::parse).collect();
        let note = Note::parse(note.as_bytes()).map_err(|_| RequestError)?;
        Self::new(old, proof.map_err(|_| RequestError)?, note)
    }

    /// The size that the proof begins at.
    pub fn old(&self) -> u64 {
        self.old
    }

    /// The consistency proof.
    pub fn proof(&self) -> &[Hash] {
        &self.proof
    }

    /// The note, as the log sent it.
    pub fn note(&self) -> &Note {
        &self.note
    }

    /// Which log it is said to be: whose keys and whose head to look up.
    pub fn unverified_origin(&self) -> &Origin {
        &self.checkpoint.origin
    }

    pub(super) fn unverified_checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.note)
    }
}

impl FromStr for AddCheckpoint {
    type Err = RequestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text.as_bytes())
    }
}
