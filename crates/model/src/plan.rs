//! Plans: what will happen to each target, when, under which rule. Immutable, numbered, naming their parent (I2).
//! Owns the shape; made by `gallra-planner`, doubted by its `check`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::{AgentName, HoldId, JobId, RequestId};
use crate::job::{Action, Keep};
use crate::target::{Category, CopyLife, Role, Strategy, TargetId, TargetKind};
use crate::time::{Clock, Day, Instant};

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
    /// Erase only: the first instant after the hours in which it is meant to be done, its window or the rest of its day.
    /// Unset where the step is late, and in plans made before this was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Instant>,
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
    /// What becomes of its copies. Unset in plans made before this was written down, which observe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
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
    /// `copies-outlive-rule`, `copies-unknown`, `copies-of-kept-data`, `observe-mode`, `promise-not-met`, `keeps`, `held`,
    /// `instruction`, `restrict-by-hand`, `unexpected`, `not-purged`, `by-age`.
    pub code: String,
    /// The target it is about, as `agent/target`; empty for the whole plan.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub target: String,
    /// One sentence.
    pub text: String,
}

/// A hold that lies on part of the plan or all of it, as it lay when the plan was made. Why it lies is not here: the plan goes
/// with its proof to whom it is about, and an order to preserve may have to stay unknown (`gallra hold list` tells operators).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// The hold.
    pub hold: HoldId,
    /// The live targets that it covers, as `agent/target`; empty: all of them, and what may come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// Local day on which somebody looks whether it is still needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Day>,
    /// Last local day on which it lies by itself; unset: until somebody releases it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Day>,
}

/// Something that somebody must say before the plan is carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needed {
    /// A stable word: `service-cause` and `customer-cause` (a signed cause, decision record 0012), `legal-review` (an
    /// approver lets a large deviation through).
    pub what: String,
    /// The rule that it is about; set for `legal-review`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// Data that stays for a time and that nobody may work with meanwhile (GDPR Art. 18).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restriction {
    /// On which agent.
    pub agent: AgentName,
    /// On which target.
    pub target: TargetId,
    /// The rule that locks it, or whose promise to forget is not met.
    pub rule: String,
    /// First day.
    pub from: Day,
    /// The day on which the data goes, or may go; unset: nobody knows yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Day>,
}

/// A row of the policy that gives no date and bears on the plan all the same: whom an erasure is told of, how an answer is
/// given, what nobody gave a period. From packs alone: nothing in it is about one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// The row, as `netip/tickets`.
    pub rule: String,
    /// The kind of row, as packs spell it: `no-period`, `recipients`, `request`.
    pub kind: String,
    /// What it is about; unset: the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// What it asks: one sentence.
    pub text: String,
}

/// Terms are a policy's, and every plan under it shares them; written, they are the plan's own.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::Term;

    pub(super) fn serialize<S: Serializer>(terms: &[Arc<Term>], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(terms.iter().map(Arc::as_ref))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Arc<Term>>, D::Error> {
        Ok(Vec::<Term>::deserialize(from)?.into_iter().map(Arc::new).collect())
    }
}

/// One thing that differs from the plan before: a fact, or what it did to a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// A stable word. Facts: `contract-ended`, `contract-settled`, `customer-ended`, `customer-settled` (days), `policy`
    /// (digests), `instruction` (sentences), `hold` (ids), `reported` (a target came or went). What they did: `fate` of live
    /// data (`erase DAY`, `keep DAY`, `wait`) and of `copies` (`gone DAY`, `never`, `unknown`).
    pub what: String,
    /// The target, as `agent/target`; empty: a fact about the whole.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub target: String,
    /// As it was; unset: it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// As it is; unset: it is not there any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
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
    /// What is done.
    pub steps: Vec<Step>,
    /// What is expected of backups.
    pub backups: Vec<BackupExpectation>,
    /// What must be said first: signed causes, an approver's word.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Needed>,
    /// What is locked while it stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restrictions: Vec<Restriction>,
    /// Holds that lie on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Held>,
    /// What a reader must know.
    pub notes: Vec<Note>,
    /// What the policy asks beside dates, by row. Unset in plans made before this was written down, and in purges.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "shared")]
    pub terms: Vec<Arc<Term>>,
    /// What differs from the plan that this one succeeds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}
