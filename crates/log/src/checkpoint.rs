//! Checkpoints (C2SP tlog-checkpoint v1.0.0): origin, size and root of a tree, a line each, as the text of a note.
//!
//! Owns the text and what an origin may be; refuses to know whether a tree follows from another one. A log signs under its
//! origin as the key's name, and a checkpoint counts only with the signature of the log that it names: a witness's alone
//! is not enough.

use std::fmt;
use std::str::FromStr;

use crate::note::{Key, Kind, MOST_NAME_BYTES, Note, NoteError, Signature, Signer, is_name};
use crate::number;
use crate::tree::Hash;

/// Longest origin, in bytes: what cosignatures of later kinds have room for.
pub const MOST_ORIGIN_BYTES: usize = MOST_NAME_BYTES;

/// Why a text is no checkpoint, or none that counts. Never quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Empty, too long, or with a control character.
    #[error("not an origin: expected a line of 1 to {MOST_ORIGIN_BYTES} bytes without control characters")]
    Origin,
    /// Not origin, size and root, a line each, and perhaps further lines that are not empty.
    #[error("not a checkpoint: expected origin, size in decimal and root in base64, a line each")]
    Form,
    /// No leaves, and yet another root than that of nothing.
    #[error("the checkpoint of an empty tree has the root of another one")]
    Empty,
    /// The key is not the log's, or a witness's where a log's is asked for.
    #[error("the key does not sign for this log: its name must be the origin and its type 0x01")]
    Key,
    /// The checkpoint is of another log.
    #[error("the checkpoint is of another log")]
    OtherLog,
    /// Witnesses signed, and the log did not.
    #[error("the checkpoint does not carry the log's own signature")]
    Unsigned,
    /// The note is not to be believed.
    #[error(transparent)]
    Note(#[from] NoteError),
}

/// The name of a log, as its checkpoints say it: any line. Those of our own logs are keys' names too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);

impl Origin {
    /// The line.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a key can have this name, so that a log can sign under it. Ours must; others' need not.
    pub fn is_key_name(&self) -> bool {
        is_name(&self.0)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Origin {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=MOST_ORIGIN_BYTES).contains(&text.len()) && !text.bytes().any(|b| b < 0x20);
        if fits { Ok(Self(text.to_owned())) } else { Err(CheckpointError::Origin) }
    }
}

/// A log's word on its tree. Written, it is the text of the note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: Origin,
    /// Leaves of the tree.
    pub size: u64,
    /// The tree's root.
    pub root: Hash,
    /// Further lines, kept and not understood. Ours have none: nobody audits them.
    pub extensions: Vec<String>,
}

/// A checkpoint that its log signed, and the witnesses' words with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// Which of the given witnesses cosigned it, by name, and when, in seconds since 1970 UTC. Each once.
    pub witnesses: Vec<(String, u64)>,
}

impl Checkpoint {
    /// The origin that a note's text begins with, before anything is verified: which log's keys to try.
    pub fn unverified_origin(note: &Note) -> Option<Origin> {
        note.unverified_text().lines().next()?.parse().ok()
    }

    /// Signs the checkpoint as its log. Whether this tree may be signed is decided before
    /// ([`crate::rollback`]), and once signed, it stays said.
    ///
    /// # Errors
    /// [`CheckpointError::Key`], [`CheckpointError::Empty`]; [`CheckpointError::Form`] where an extension cannot be one.
    pub fn sign(&self, key: &Signer) -> Result<Signature, CheckpointError> {
        let public = key.public();
        if public.kind() != Kind::Log || public.name() != self.origin.as_str() {
            return Err(CheckpointError::Key);
        }
        self.check_empty()?;
        let text = self.to_string();
        // Written and read again: a line break in an extension would make it two.
        if text.parse::<Self>()? != *self {
            return Err(CheckpointError::Form);
        }
        Ok(key.line(key.sign(text.as_bytes()).to_vec()))
    }

    /// Opens a note as a checkpoint of the log whose key this is, and says which of the given witnesses cosigned it.
    ///
    /// # Errors
    /// [`CheckpointError`]: nothing of it may be used then.
    pub fn open(note: &Note, log: &Key, witnesses: &[Key]) -> Result<Opened, CheckpointError> {
        if log.kind() != Kind::Log || witnesses.iter().any(|key| key.kind() != Kind::Witness) {
            return Err(CheckpointError::Key);
        }
        let keys: Vec<Key> = [log].into_iter().chain(witnesses).cloned().collect();
        let signed = note.open(&keys)?;
        if !signed.iter().any(|signed| signed.key == log) {
            return Err(CheckpointError::Unsigned);
        }
        let checkpoint: Self = note.unverified_text().parse()?;
        if checkpoint.origin.as_str() != log.name() {
            return Err(CheckpointError::OtherLog);
        }
        checkpoint.check_empty()?;
        let witnesses = signed.iter().filter_map(|signed| Some((signed.key.name().to_owned(), signed.time?))).collect();
        Ok(Opened { checkpoint, witnesses })
    }

    pub(crate) fn check_empty(&self) -> Result<(), CheckpointError> {
        if self.size == 0 && self.root != Hash::EMPTY { Err(CheckpointError::Empty) } else { Ok(()) }
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, self.root)?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lines = text.strip_suffix('\n').ok_or(CheckpointError::Form)?;
        let mut lines = lines.split('\n');
        let mut next = || lines.next().ok_or(CheckpointError::Form);
        let origin = next()?.parse()?;
        let size = number::parse(next()?).ok_or(CheckpointError::Form)?;
        let root = next()?.parse().map_err(|_| CheckpointError::Form)?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        let is_line = |line: &String| !line.is_empty() && !line.bytes().any(|b| b < 0x20);
        if !extensions.iter().all(is_line) {
            return Err(CheckpointError::Form);
        }
        Ok(Self { origin, size, root, extensions })
    }
}

#[cfg(test)]
mod tests;
