//! Plans: what will happen to each target, when, under which rule. Immutable, numbered, naming their parent (I2).
//! Owns the shape; made by `gallra-planner`, doubted by its `check`.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::{AgentName, JobId, RequestId};
use crate::job::{Action, Keep};
use crate::target::{Category, CopyLife, Role, TargetId, TargetKind};
use crate::time::{Clock, Day, Instant};

/// DSSE payload type of a plan.
pub const PLAN_TYPE: &str = "application/vnd.gallra.plan.v0-draft+json";

/// The dates that rules count from. Unset: has not happened, or is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchors {
    /// The contract's last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_ended: Option<Day>,
    /// Its last invoice was paid or written off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_settled: Option<Day>,
    /// The customer's last contract ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_ended: Option<Day>,
    /// All of the customer's contracts are settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_settled: Option<Day>,
}

/// What a step waits for, beside its own time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "step")]
pub enum After {
    /// The step with this number has a receipt that settles it.
    Step(u32),
    /// Every step that changes live data is settled and confirmed.
    LiveConfirmed,
    /// Every copy of a closed set was observed gone.
    CopiesGone,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Counts from 1 in the plan.
    pub number: u32,
    /// The job it becomes.
    pub job: JobId,
    /// On which agent.
    pub agent: AgentName,
    /// On which target.
    pub target: TargetId,
    /// The target's kind.
    pub kind: TargetKind,
    /// The target's category.
    pub category: Category,
    /// The provider's role there.
    pub role: Role,
    /// What is done.
    pub action: Action,
    /// The rule it carries out.
    pub rule: String,
    /// Not before this instant.
    pub due: Instant,
    /// First day on which the rule permits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earliest: Option<Day>,
    /// Last day by which the rule promises it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<Day>,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<After>,
    /// Preserve only: ground and date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
    /// Purge only: what is older than this goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_than: Option<Instant>,
}

/// What is expected of one backup target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupExpectation {
    /// The agent.
    pub agent: AgentName,
    /// The backup target.
    pub target: TargetId,
    /// The rule that promises an end.
    pub rule: String,
    /// How long its copies live, by its own rules.
    pub life: CopyLife,
    /// Last day on which a copy is expected to exist; unset where it is never or unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Day>,
    /// Last day promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<Day>,
}

/// Something that a reader of the plan must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// A stable word: `waits-for-settlement`, `needs-a-period`, `copies-never-expire`, `copies-outlive-promise`,
    /// `copies-unknown`, `copies-of-kept-data`, `observe-mode`, `promise-not-met`, `keeps`, `not-purged`.
    pub code: String,
    /// The target it is about, as `agent/target`; empty for the whole plan.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub target: String,
    /// One sentence.
    pub text: String,
}

/// The key that an agent signs receipts with, as the plan's issuer vouches for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceKey {
    /// The agent.
    pub agent: AgentName,
    /// Ed25519, 32 bytes, lowercase hex.
    pub key: String,
}

/// What will happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The request.
    pub request: RequestId,
    /// Counts from 1 in the request.
    pub number: u32,
    /// Digest of the plan that this one succeeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Digest>,
    /// Digest of the policy that it follows.
    pub policy: Digest,
    /// When it was made.
    pub made: Instant,
    /// Under which clock.
    pub clock: Clock,
    /// The dates that it counts from.
    pub anchors: Anchors,
    /// A rolling purge only: the local day whose it is. Such a plan counts from nobody's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purge: Option<Day>,
    /// Who signs receipts.
    pub agents: Vec<EvidenceKey>,
    /// What is done.
    pub steps: Vec<Step>,
    /// What is expected of backups.
    pub backups: Vec<BackupExpectation>,
    /// What a reader must know.
    pub notes: Vec<Note>,
}
