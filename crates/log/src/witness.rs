//! The witness's side of C2SP tlog-witness v1.0.0, `add-checkpoint`: the request, and what is answered, as a function of what
//! the witness knows. Whoever calls it stores the new state and makes the cosignature, in this order and as one step for
//! each log: an answer that is given before it is stored, or two at once, could be taken back.
//!
//! Owns the decision and the bytes of both; refuses to know HTTP, the clock and where states are stored. Upholds I7: no
//! two trees of one log are cosigned unless one is the beginning of the other.

mod request;

pub use request::{AddCheckpoint, MOST_PROOF_LINES, MOST_REQUEST_BYTES, RequestError};

use crate::checkpoint::Checkpoint;
use crate::note::{Key, Kind, Note, NoteError, Signature};
use crate::number;
use crate::rollback::Head;
use crate::tree::{Hash, check_consistency};

/// Content type of a 409 whose body is a size.
pub const SIZE_TYPE: &str = "text/x.tlog.size";

/// What to do with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 200: store this head as the newest of its log, then cosign the checkpoint and send the line.
    Cosign {
        /// What to cosign, as the log signed it.
        checkpoint: Checkpoint,
        /// What is known from now on.
        head: Head,
    },
    /// Nothing is stored and nothing is signed.
    Refuse(Refusal),
}

/// Why a witness does not cosign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 404: no keys are configured for the origin.
    #[error("this witness does not know the log")]
    UnknownLog,
    /// 403: no signature by a key of the log, or one that does not verify.
    #[error("the checkpoint is not signed by a key of its log")]
    NotSigned,
    /// 400: the request is not one.
    #[error("the request is malformed")]
    Malformed,
    /// 400: the old size is larger than the new one.
    #[error("the old size is larger than the checkpoint's")]
    OldIsLarger,
    /// 409: the witness's newest checkpoint has another size. The body is that size.
    #[error("this witness has cosigned another size: {0}")]
    Stale(u64),
    /// 409: the same size, and another root: one of both is a fork. The body is no size, since another try with it would
    /// come to the same.
    #[error("this witness has cosigned another tree of the same size")]
    Fork,
    /// 422: the proof does not show that the old tree is the beginning of the new one.
    #[error("the consistency proof does not lead from the old tree to the new one")]
    Inconsistent,
}

impl Refusal {
    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed | Self::OldIsLarger => 400,
            Self::NotSigned => 403,
            Self::UnknownLog => 404,
            Self::Stale(_) | Self::Fork => 409,
            Self::Inconsistent => 422,
        }
    }

    /// The body, and its content type where the protocol has one.
    pub fn body(self) -> (String, Option<&'static str>) {
        if let Self::Stale(size) = self { (format!("{size}\n"), Some(SIZE_TYPE)) } else { (format!("{self}\n"), None) }
    }

    /// Whether the log has shown two histories, signed by itself: what a witness keeps, since it proves that.
    pub const fn is_evidence(self) -> bool {
        matches!(self, Self::Fork)
    }
}

impl From<RequestError> for Refusal {
    fn from(_: RequestError) -> Self {
        Self::Malformed
    }
}

/// Decides on a request. `keys` are those that are trusted for its origin ([`AddCheckpoint::unverified_origin`]), none
/// where the log is not known; `known` is the newest head that was cosigned for it, [`Head::EMPTY`] where none was.
pub fn decide(request: &AddCheckpoint, keys: &[Key], known: &Head) -> Answer {
    match cosignable(request, keys, known) {
        Ok(checkpoint) => {
            let head = Head { size: checkpoint.size, root: checkpoint.root };
            Answer::Cosign { checkpoint, head }
        }
        Err(refusal) => Answer::Refuse(refusal),
    }
}

/// The checks, in the order of the specification.
fn cosignable(request: &AddCheckpoint, keys: &[Key], known: &Head) -> Result<Checkpoint, Refusal> {
    let keys: Vec<Key> = keys.iter().filter(|key| key.kind() == Kind::Log).cloned().collect();
    if keys.is_empty() {
        return Err(Refusal::UnknownLog);
    }
    request.note().open(&keys).map_err(|why| match why {
        NoteError::Signature | NoteError::Unknown | NoteError::Twice | NoteError::Ambiguous => Refusal::NotSigned,
        NoteError::Large | NoteError::Text | NoteError::Form | NoteError::Line => Refusal::Malformed,
    })?;
    let checkpoint = request.unverified_checkpoint();
    if request.old() > checkpoint.size {
        return Err(Refusal::OldIsLarger);
    }
    if request.old() != known.size {
        return Err(Refusal::Stale(known.size));
    }
    if checkpoint.size == 0 && checkpoint.root != Hash::EMPTY {
        return Err(Refusal::Inconsistent);
    }
    if checkpoint.size == known.size && checkpoint.root != known.root {
        return Err(Refusal::Fork);
    }
    check_consistency(request.proof(), (known.size, &known.root), (checkpoint.size, &checkpoint.root))
        .map_err(|_| Refusal::Inconsistent)?;
    Ok(checkpoint.clone())
}

/// The note with the cosignatures that a witness answered, for the log that asked: those of the keys that the log has for
/// it, which all verify. Lines by others are left out.
///
/// # Errors
/// [`NoteError`] where the body is no lines of signatures, none is by such a key, or one does not verify: the note stays
/// as it was.
pub fn cosigned(note: &Note, body: &[u8], witnesses: &[Key]) -> Result<Note, NoteError> {
    let text = std::str::from_utf8(body).map_err(|_| NoteError::Text)?;
    let mut cosigned = note.clone();
    for line in Signature::parse_lines(text)? {
        if witnesses.iter().any(|key| (key.name(), key.id()) == (line.name(), line.id())) {
            cosigned.sign(line)?;
        }
    }
    cosigned.open(witnesses)?;
    Ok(cosigned)
}

/// The size in the body of a 409, for the log that asked; nothing where it says none. It is nobody's signed word: it tells
/// where to begin the proof of the next try, and, where it is larger than the log's own, that there is something to find
/// out before anything is signed ([`crate::rollback`]).
pub fn stale_size(body: &[u8]) -> Option<u64> {
    // 20 digits and a line break.
    let text = std::str::from_utf8(body).ok().filter(|text| text.len() <= 21)?;
    number::parse(text.strip_suffix('\n')?)
}

#[cfg(test)]
mod tests;
