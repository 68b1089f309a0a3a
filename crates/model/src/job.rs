//! Jobs: one step of a plan, issued to one agent. Owns what is sent; refuses to know how an agent carries it out.

use serde::{Deserialize, Serialize};

use crate::cause::Backing;
use crate::digest::Digest;
use crate::id::{AgentName, CopyId, JobId, Nonce, Pseudonym};
use crate::selector::Selector;
use crate::target::{Instance, TargetId};
use crate::time::{Clock, Day, Instant};

/// What a job asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Say what is there. Touches nothing.
    Inspect,
    /// Put out of everybody's reach, erase nothing.
    Restrict,
    /// Mint an opaque handle for what must be kept, and keep row keys or paths behind it (decision 11).
    Preserve,
    /// Erase, and confirm.
    Erase,
    /// Erase what is older than an instant, whoever's it is, and confirm (a rolling purge). Selects nobody.
    Purge,
    /// Look again, by another path than the one that acted.
    Confirm,
    /// Backup targets: list copies, say which are gone.
    Observe,
}

impl Action {
    /// Whether it changes data on the host: needs `mode = "act"`.
    pub fn changes(self) -> bool {
        matches!(self, Self::Restrict | Self::Preserve | Self::Erase | Self::Purge)
    }

    /// Whether it cannot be undone.
    pub fn is_irreversible(self) -> bool {
        matches!(self, Self::Erase | Self::Purge)
    }

    /// The word used in tables and proofs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inspect => "inspect",
            Self::Restrict => "restrict",
            Self::Preserve => "preserve",
            Self::Erase => "erase",
            Self::Purge => "purge",
            Self::Confirm => "confirm",
            Self::Observe => "observe",
        }
    }
}

/// Why something is kept, and until when: what an obligation carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// The rule that keeps it, for example `law/bookkeeping`.
    pub rule: String,
    /// The law or contract term in words, for example "SFS 1999:1078 ch. 7 s. 2".
    pub ground: String,
    /// First day on which erasure is permitted; where only a promise to forget binds, its planned day.
    pub earliest: Day,
    /// Last day by which it must be done; unset where nothing promises one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<Day>,
}

/// What an observe job is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Copies that began before this instant can hold the data (residue confirmed gone, plus the clock bound).
    /// Unset while the live data still exists: then every copy counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cutoff: Option<Instant>,
    /// Copies that the coordinator already knows of and waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<CopyId>,
}

/// What a purge job is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purge {
    /// What is older than this goes.
    pub older_than: Instant,
    /// Digest of the policy version whose rule it is: the cause must be about this one.
    pub policy: Digest,
    /// Whose items stay although they are older: subjects under a hold, in the words of the host's templates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preserve: Vec<Selector>,
}

/// What an agent is offered. Its digest is over the exact bytes sent (see `docs/formats/job-v0-draft.md`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobSpec {
    /// The job.
    pub job: JobId,
    /// For whom it is meant: an agent refuses another's.
    pub agent: AgentName,
    /// What to do.
    pub action: Action,
    /// On which target.
    pub target: TargetId,
    /// The subject's name towards this agent.
    pub pseudonym: Pseudonym,
    /// Differs for every job and follows from a secret that is destroyed with the identifiers: receipts carry the
    /// digest of these bytes, and without it anyone could test guesses of the selector against that digest.
    pub salt: Nonce,
    /// The coordinator's generation: an agent refuses one below the highest it has seen (I3).
    pub generation: u64,
    /// SHA-256 over the salt and the digest of the plan that this is a step of: tells the coordinator which, and nobody else.
    pub plan: Digest,
    /// The rule that the step carries out.
    pub rule: String,
    /// Whom it is about, in the words of the host's templates.
    pub selector: Selector,
    /// What the name stood for when it was inspected; set on everything that changes data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Instance>,
    /// Preserve only: ground and date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
    /// Confirm only: whether it is the look again, after the last copy went.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// Observe, and inspect on backup targets: the question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<Question>,
    /// Purge only: how old, under which policy, and whose items stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purge: Option<Purge>,
    /// The signature of its cause (decision 2); set on everything that cannot be undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Backing>,
    /// Which clock the coordinator runs under: an agent refuses a simulated one unless its own flag allows it.
    pub clock: Clock,
}

impl JobSpec {
    /// The bytes that are sent and hashed.
    ///
    /// # Errors
    /// Never in practice: every field serialises.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }
}
