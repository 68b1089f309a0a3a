//! Receipts: what an agent signed about one attempt at one job. Owns the content (format in
//! `docs/formats/receipt-v1.md`); upholds I4's second half: success, failure and unknown are all receipts.

use serde::{Deserialize, Serialize};

use crate::copy::CopyListing;
use crate::digest::Digest;
use crate::id::{AgentName, JobId, ObligationId, Pseudonym};
use crate::job::{Action, Keep};
use crate::outcome::Counts;
use crate::statement::{Commitment, Type};
use crate::target::{Instance, TargetId, TargetKind};
use crate::time::{Clock, Instant};

/// Which statement an agent makes of an attempt: what it found where it looked whether something is gone, for the first time
/// or again after the last copy went; what a backup store holds; or what it did.
pub const fn statement_of(action: Action, again: bool) -> Type {
    match (action, again) {
        (Action::Confirm, true) => Type::Recheck,
        (Action::Confirm, false) => Type::Absence,
        (Action::Observe, _) => Type::CopyExpiry,
        (Action::Inspect | Action::Restrict | Action::Preserve | Action::Erase | Action::Purge, _) => Type::Receipt,
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// What was asked is done, and confirmed where the action asks for it.
    Done,
    /// It is not done, and why is known; nothing or a part was changed, as the counts say.
    Failed,
    /// The agent refused before touching anything.
    Refused,
    /// The agent stopped in the middle and cannot say.
    Unknown,
}

impl Verdict {
    /// The word, as it is spelt everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

/// Why an attempt did not end in [`Verdict::Done`]. Codes are stable; nothing here names data or a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The target is in observe mode.
    ObserveMode,
    /// `agent.toml` has no such target.
    NoSuchTarget,
    /// The selector is empty or does not fit the target's template.
    BadSelector,
    /// The sentinel that must be found was not: a disk that is not mounted, the wrong database, the wrong repository.
    SentinelMissing,
    /// The name stands for another thing than when it was inspected.
    InstanceChanged,
    /// The permit did not check: altered, expired, foreign, replayed.
    BadPermit,
    /// The offer's generation is below the highest seen.
    OldGeneration,
    /// A simulated clock, and this agent has no flag that accepts it.
    SimulatedClock,
    /// A limit of `agent.toml` forbids it.
    Limit,
    /// A purge reaches what is younger than this host lets go, or the host lets nothing be purged there.
    PurgeAge,
    /// A purge found items that have no age that can be believed: they stay, and the run is not done.
    Undated,
    /// The job carries no signature of its cause that this host trusts (decision 2).
    BadCause,
    /// The emergency stop is pulled.
    Halted,
    /// It is outside of the hours that `agent.toml` allows.
    QuietHours,
    /// Confirm found something that should be gone.
    StillThere,
    /// Confirm before the act did not find what inspect found: the check cannot be trusted.
    CheckBlind,
    /// What belongs to somebody else was not the same before and after.
    OthersChanged,
    /// The driver does not do this action.
    Unsupported,
    /// The operating system, the database or the backup program answered with an error.
    Target,
    /// A crash between journal and receipt.
    Interrupted,
    /// Time or a hold stopped the act at an item boundary.
    Stopped,
}

/// One check that a driver made, in words that carry no identifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// A stable name, for example `raw-walk`, `byte-search`, `freelist-empty`.
    pub name: String,
    /// What was counted: items found, pages scanned, hits.
    pub count: u64,
    /// Whether the check is satisfied.
    pub ok: bool,
}

/// What there was, or is left, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// Items of the subject: files, mails, rows, copies.
    pub items: u64,
    /// Their size in bytes, where the target knows it; else 0.
    pub bytes: u64,
    /// Items in the same target that are *not* the subject's (decision 10).
    pub others: u64,
}

/// What was there when an attempt at a job reached the point after which items go for good. It outlives a crash, so that
/// the attempt that ends the job can say what the whole job came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// What the target's name stood for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Instance>,
    /// What was seen then; the largest over the job's attempts.
    pub before: Tally,
}

/// What a preserve job leaves for later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// The opaque handle that the agent minted.
    pub handle: ObligationId,
    /// How many items are behind it.
    pub items: u64,
    /// Ground and date, as the job gave them.
    pub keep: Keep,
}

impl Receipt {
    /// Whether nothing more is said of the job after it. A look at a backup store is made again, whatever it found.
    pub fn ends_its_job(&self) -> bool {
        self.verdict == Verdict::Done && self.action != Action::Observe
    }
}

/// What an agent signs about one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The job.
    pub job: JobId,
    /// The attempt, as in the permit.
    pub attempt: u32,
    /// The signing agent.
    pub agent: AgentName,
    /// The target.
    pub target: TargetId,
    /// Its kind.
    pub kind: TargetKind,
    /// What was asked.
    pub action: Action,
    /// The subject's name towards this agent.
    pub pseudonym: Pseudonym,
    /// Digest of the exact offer.
    pub spec: Digest,
    /// Digest of the exact permit envelope's payload; unset where the agent refused before it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permit: Option<Digest>,
    /// What the target's name stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Instance>,
    /// How it ended.
    pub verdict: Verdict,
    /// Why not [`Verdict::Done`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// One sentence for the operator: what, where, what to do next. Carries no identifier.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
    /// Items by outcome.
    pub counts: Counts,
    /// Before the act.
    pub before: Tally,
    /// After the act.
    pub after: Tally,
    /// The checks that were made.
    pub checks: Vec<Check>,
    /// Purge: what was older than this was to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_than: Option<Instant>,
    /// Backup targets: the listing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listing: Option<CopyListing>,
    /// Preserve: what is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
    /// The tree of the log that the permit quoted; unset where there was no permit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commitment: Option<Commitment>,
    /// Digest of the payload of this agent's statement about the job before this one; unset where there is none, or where
    /// that one says done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// When the attempt began, on the agent's clock.
    pub started: Instant,
    /// When it ended, on the agent's clock.
    pub finished: Instant,
    /// Which clock these are on.
    pub clock: Clock,
    /// Program and version that acted.
    pub software: String,
}
