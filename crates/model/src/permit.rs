//! Permits: the coordinator's signed yes to one asking (decision 3). Owns its content; signing is `gallra-proof`'s,
//! deciding is `gallra-flow`'s.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::{AgentName, JobId, Nonce, Pseudonym};
use crate::job::Action;
use crate::statement::Commitment;
use crate::target::{Instance, TargetId};
use crate::time::{Clock, Instant};

/// DSSE payload type of a permit.
pub const PERMIT_TYPE: &str = "application/vnd.gallra.permit.v1+json";

/// Everything a permit allows, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permit {
    /// The job.
    pub job: JobId,
    /// The agent it was given to.
    pub agent: AgentName,
    /// Counts from 1; a crash or a failure needs a new attempt and a new permit.
    pub attempt: u32,
    /// Digest of the exact offer.
    pub spec: Digest,
    /// The nonce of the asking that it answers.
    pub nonce: Nonce,
    /// The subject's name towards this agent.
    pub pseudonym: Pseudonym,
    /// The target.
    pub target: TargetId,
    /// What the target's name stood for when it was inspected; set on everything that changes data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Instance>,
    /// The act.
    pub action: Action,
    /// The coordinator's generation.
    pub generation: u64,
    /// The tree of the log that first held the plan (commit before act); the receipt repeats it. Unset on what changes
    /// nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commitment: Option<Commitment>,
    /// The newest checkpoint: the agent keeps it, and says it when it connects, so that a log whose store went back is
    /// caught. Unset before there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// Not before this instant on the coordinator's clock.
    pub not_before: Instant,
    /// Seconds to *begin*, counted on the agent's own boot-time clock from its asking.
    pub begin_within_seconds: u32,
    /// Which clock `not_before` is on.
    pub clock: Clock,
}

/// Why an asking was answered with no. Every variant leaves the request visibly open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Denial {
    /// The job is not due yet.
    NotDue,
    /// A hold covers it.
    Held,
    /// The emergency stop is pulled.
    Halted,
    /// The contract was resumed, or the request cancelled.
    Cancelled,
    /// Approvals are missing.
    NotApproved,
    /// Somebody else already began this attempt, or the job is finished.
    Begun,
    /// The asking names an older generation, plan or offer than the current one.
    Stale,
    /// No inspection has pinned the target's instance yet.
    NotInspected,
    /// A guard moved while the permit was being written: ask again.
    Raced,
    /// The job is not this agent's.
    Foreign,
    /// The coordinator's clock leapt forward, and nobody has said yet that it is right.
    Clock,
    /// The target is searched by addresses, and none are on record, or more than an offer takes.
    NoAddress,
    /// The plan is not in the log yet, or the log signs nothing: nothing is erased that was not written down before.
    NotLogged,
    /// For a reason that only a newer coordinator has.
    Other,
}

impl Denial {
    /// The word, as it is spelt everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotDue => "not-due",
            Self::Held => "held",
            Self::Halted => "halted",
            Self::Cancelled => "cancelled",
            Self::NotApproved => "not-approved",
            Self::Begun => "begun",
            Self::Stale => "stale",
            Self::NotInspected => "not-inspected",
            Self::Raced => "raced",
            Self::Foreign => "foreign",
            Self::Clock => "clock",
            Self::NoAddress => "no-address",
            Self::NotLogged => "not-logged",
            Self::Other => "other",
        }
    }
}
