//! How a log gets its witnesses' words: each is asked at once with the others, at most twice, within the time that the log gives.
//!
//! Owns where the proof begins and that only lines are taken which verify for this very note by a key that the log has for
//! that witness. Refuses to know how many are enough, and to hold the log up: who does not answer is left out, with the
//! reason. What may mean that the log's own store went back ([`Withheld::is_alarm`]) is for the log to act on.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use gallra_log::checkpoint::Checkpoint;
use gallra_log::note::{Key, Kind, Note, NoteError, Signature};
use gallra_log::tree::Hash;
use gallra_log::witness::{AddCheckpoint, cosigned};
use http::StatusCode;
use tokio::time::timeout;

use crate::address::Address;
use crate::client::{Answer, ClientError, add_checkpoint};

/// Where nothing is remembered. No log is that large: its next entry could not be counted.
const UNKNOWN: u64 = u64::MAX;

/// A witness as the log knows it.
#[derive(Debug)]
pub struct Remote {
    name: String,
    address: Address,
    keys: Vec<Key>,
    /// Size of the newest checkpoint that it cosigned, as far as we know: a guess, which saves the first question.
    newest: AtomicU64,
}

/// The parts make no witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// No key.
    #[error("a witness without a key: give what it printed at its init")]
    NoKey,
    /// A log's key.
    #[error("the key is a log's: a witness has one of type 0x04")]
    Kind,
}

impl Remote {
    /// A witness at an address, with the keys whose lines are taken from it. `name` is for the log's operator.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub fn new(name: impl Into<String>, address: Address, keys: Vec<Key>) -> Result<Self, RemoteError> {
        if keys.is_empty() {
            return Err(RemoteError::NoKey);
        }
        if keys.iter().any(|key| key.kind() != Kind::Witness) {
            return Err(RemoteError::Kind);
        }
        Ok(Self { name: name.into(), address, keys, newest: AtomicU64::new(UNKNOWN) })
    }

    /// What the operator calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The keys whose lines are taken from it.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }
}

/// Why a witness's word is missing.
#[derive(Debug, thiserror::Error)]
pub enum Withheld {
    /// No answer.
    #[error(transparent)]
    NoAnswer(#[from] ClientError),
    /// Not in time.
    #[error("no answer in time")]
    Late,
    /// It has seen more than the log has: an alarm.
    #[error("the witness has cosigned {seen} entries, and the log has {ours}: has its store gone back?")]
    Ahead {
        /// Entries of the checkpoint that was sent.
        ours: u64,
        /// Entries that it says it has cosigned.
        seen: u64,
    },
    /// It has cosigned another tree of this size: an alarm.
    #[error("the witness has cosigned another tree of {size} entries: the log has two histories")]
    Fork {
        /// The size.
        size: u64,
    },
    /// After a proof from the size that it said it says another one.
    #[error("the witness said {first} and then {second}: another checkpoint came between")]
    Moved {
        /// The first answer.
        first: u64,
        /// The second.
        second: u64,
    },
    /// The log made no proof from there.
    #[error("the log has no consistency proof from {old} entries")]
    NoProof {
        /// Where it should begin.
        old: u64,
    },
    /// Refused with this status.
    #[error("the witness answers {0}")]
    Refused(StatusCode),
    /// Refused with this status, and a `Retry-After` with what it says.
    #[error("the witness answers {0}, and wants to be asked later")]
    Later(StatusCode, String),
    /// The lines are none of its, or do not verify.
    #[error("the witness's cosignature is not one: {0}")]
    NotVerified(#[from] NoteError),
    /// What was to be sent is no signed checkpoint.
    #[error("not a signed checkpoint: nothing was sent")]
    NotACheckpoint,
}

impl Withheld {
    /// Whether the log's own history is in question: nothing more is to be signed until somebody has looked
    /// (`docs/formats/log-v1.md`, section 10).
    pub const fn is_alarm(&self) -> bool {
        matches!(self, Self::Ahead { .. } | Self::Fork { .. })
    }
}

/// What all were asked for.
#[derive(Debug, Default)]
pub struct Gathered {
    /// Lines for the note. All verify for it.
    pub cosignatures: Vec<Signature>,
    /// Who gave none, by the operator's name, and why.
    pub withheld: Vec<(String, Withheld)>,
}

/// Asks all at once for their word on this note. Each has `within` for all of its answers, so that this bounds the whole, and who is
/// late takes nobody else's word away. `consistency` makes the proof from an older size to the note's; it is asked for none from 0
/// and none from the note's own size.
pub async fn gather<'w, C, F>(
    witnesses: impl IntoIterator<Item = &'w Remote>,
    note: &Note,
    consistency: C,
    within: Duration,
) -> Gathered
where
    C: Fn(u64) -> F,
    F: Future<Output = Option<Vec<Hash>>>,
{
    let consistency = &consistency;
    let asked = witnesses.into_iter().map(|witness| async move {
        let answer = timeout(within, ask(witness, note, consistency)).await;
        (witness, answer.unwrap_or(Err(Withheld::Late)))
    });
    let mut gathered = Gathered::default();
    for (witness, answer) in join_all(asked).await {
        match answer {
            Ok(lines) => gathered.cosignatures.extend(lines),
            Err(why) => {
                if why.is_alarm() {
                    tracing::error!(witness = witness.name, "{why}");
                } else {
                    tracing::warn!(witness = witness.name, "no cosignature: {why}");
                }
                gathered.withheld.push((witness.name.clone(), why));
            }
        }
    }
    gathered
}

/// Asks one: from where it was last known to be, and once more from where it says that it is. Not bounded in time; [`gather`] is.
///
/// # Errors
/// [`Withheld`].
pub async fn ask<C, F>(witness: &Remote, note: &Note, consistency: C) -> Result<Vec<Signature>, Withheld>
where
    C: Fn(u64) -> F,
    F: Future<Output = Option<Vec<Hash>>>,
{
    let checkpoint: Checkpoint = note.unverified_text().parse().map_err(|_| Withheld::NotACheckpoint)?;
    let size = checkpoint.size;
    let guess = witness.newest.load(Ordering::Relaxed);
    // Where nothing is known, the note's own size: no proof is made for a question that only asks.
    let first = if guess > size { size } else { guess };
    let seen = match try_from(witness, note, (first, size), &consistency).await? {
        Tried::Cosigned(lines) => return Ok(lines),
        Tried::Stale(seen) => seen,
    };
    if seen > size {
        return Err(Withheld::Ahead { ours: size, seen });
    }
    match try_from(witness, note, (seen, size), &consistency).await? {
        Tried::Cosigned(lines) => Ok(lines),
        Tried::Stale(second) => Err(Withheld::Moved { first: seen, second }),
    }
}

enum Tried {
    Cosigned(Vec<Signature>),
    Stale(u64),
}

async fn try_from<C, F>(
    witness: &Remote,
    note: &Note,
    (old, size): (u64, u64),
    consistency: C,
) -> Result<Tried, Withheld>
where
    C: Fn(u64) -> F,
    F: Future<Output = Option<Vec<Hash>>>,
{
    let proof = if old == 0 || old == size { Some(Vec::new()) } else { consistency(old).await };
    let proof = proof.ok_or(Withheld::NoProof { old })?;
    let request = AddCheckpoint::new(old, proof, note.clone()).map_err(|_| Withheld::NotACheckpoint)?;
    match add_checkpoint(&witness.address, &request).await? {
        Answer::Lines(body) => {
            let cosigned = cosigned(note, &body, &witness.keys)?;
            witness.newest.store(size, Ordering::Relaxed);
            let is_its =
                |line: &&Signature| witness.keys.iter().any(|key| (key.name(), key.id()) == (line.name(), line.id()));
            Ok(Tried::Cosigned(cosigned.unverified_signatures().iter().filter(is_its).cloned().collect()))
        }
        Answer::Stale(seen) => Ok(Tried::Stale(seen)),
        Answer::Fork => Err(Withheld::Fork { size }),
        // Later drafts of the specification say 422 where the sizes are equal and the roots are not.
        Answer::Refused(StatusCode::UNPROCESSABLE_ENTITY) if old == size => Err(Withheld::Fork { size }),
        Answer::Refused(status) => Err(Withheld::Refused(status)),
        Answer::Later(status, after) => Err(Withheld::Later(status, after)),
    }
}
