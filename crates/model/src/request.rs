//! Requests, jobs and obligations as the coordinator keeps them. Owns the records; their only transitions are in
//! `gallra-flow`.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::{AgentName, ContractId, CustomerId, JobId, ObligationId, RequestId, SubjectId};
use crate::job::Keep;
use crate::plan::{Anchors, Step};
use crate::receipt::{Code, Verdict};
use crate::target::{Instance, TargetId};
use crate::time::{Day, Instant};

/// Where a request stands. What happens beside (held, overdue, needs a period) are facts, not states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestState {
    /// Durable and acknowledged.
    Received,
    /// Waiting for who asks to be proven. Not used by a contract's end.
    IdentityRequired,
    /// Proven. Not used by a contract's end.
    IdentityProven,
    /// Granted, partly or refused. Not used by a contract's end.
    Assessed,
    /// A plan with dates exists.
    Planned,
    /// Nobody's approval is missing.
    Approved,
    /// Live data has begun to go.
    Running,
    /// Live data is confirmed gone; copies remain.
    AwaitingCopies,
    /// The final proof is issued.
    Done,
}

impl RequestState {
    /// The word used in tables and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::IdentityRequired => "identity_required",
            Self::IdentityProven => "identity_proven",
            Self::Assessed => "assessed",
            Self::Planned => "planned",
            Self::Approved => "approved",
            Self::Running => "running",
            Self::AwaitingCopies => "awaiting_copies",
            Self::Done => "done",
        }
    }
}

/// What is true beside the state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Facts {
    /// The contract was resumed or the request withdrawn.
    pub cancelled: bool,
    /// A hold covers a part of it. Worked out from the guards whenever a request is read, and never stored: the guards
    /// alone remember holds.
    pub held: bool,
    /// Its plan erases, and no cause that covers all of it was signed (decision 2).
    pub needs_approval: bool,
    /// A target's category has no period.
    pub needs_period: bool,
    /// The contract is ended, and not settled.
    pub unsettled: bool,
    /// A promised day has passed, or a purge's run is not done and the next of its target has come.
    pub overdue: bool,
    /// A purge's plan says of a target that a promise is not carried out there.
    pub unmet: bool,
    /// Somebody has to look, and nothing is erased until then: data has begun to go and the rules that hold now would do
    /// something else, or the customer's instruction strays so far that an approver has to accept it.
    pub legal_review: bool,
    /// An approver lifted a suppression of what it erased: a restore may bring that back, and its proof says so no longer.
    pub reopened: bool,
    /// A restore brought back what it erased, and nobody says that all of it is gone again.
    pub came_back: bool,
    /// It is done, and more is known than its newest final proof says: it is owed an amendment, and is looked at until it has one.
    pub amending: bool,
}

/// Who answered with a cause key for one of the ids that a request erases by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Who brought it: the name in the caller's certificate.
    pub by: String,
    /// When it was taken, on the coordinator's clock.
    pub at: Instant,
    /// The cause key: its key id.
    pub key: String,
}

/// Whose erasure was signed for. The signatures themselves, and what opens them, are sealed with the identifiers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Approvals {
    /// The service's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Approval>,
    /// The customer's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<Approval>,
    /// A rolling purge's: by whoever signed the policy version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyApproval>,
}

/// Who answered with a cause key for the purges of one policy version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyApproval {
    /// The policy version.
    pub policy: Digest,
    /// Who, when, and with which key.
    pub approval: Approval,
}

/// Whose end a request carries, by reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parties {
    /// The person.
    pub subject: SubjectId,
    /// The customer.
    pub customer: CustomerId,
    /// The contract whose end opened it.
    pub contract: ContractId,
}

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum About {
    /// The end of a contract, of a customer, or of both.
    End(Parties),
    /// A rolling purge: records that are too old on this local day, whoever's they are. It has no subject.
    Purge {
        /// The day.
        day: Day,
        /// The first day whose sweeps may not have been carried out, itself included: their runs are made up for. Unset: every
        /// sweep that was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Day>,
        /// Under whose key the salt of its offers is sealed, since they can name whose items stay: a random reference, and
        /// destroyed with the request. Nobody's name.
        seal: SubjectId,
    },
}

impl About {
    /// Whose end it is; nobody's for a purge.
    pub fn parties(&self) -> Option<&Parties> {
        match self {
            Self::End(parties) => Some(parties),
            Self::Purge { .. } => None,
        }
    }

    /// The day whose purge it is.
    pub fn purge_day(&self) -> Option<Day> {
        match self {
            Self::End(_) => None,
            Self::Purge { day, .. } => Some(*day),
        }
    }

    /// Of a purge: the first day whose sweeps may not have been carried out; unset: every sweep that was.
    pub fn purge_since(&self) -> Option<Day> {
        match self {
            Self::End(_) => None,
            Self::Purge { since, .. } => *since,
        }
    }
}

/// One request. Its jobs, copies and obligations have records of their own under its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Reference; also the proof's.
    pub id: RequestId,
    /// What it is about.
    pub about: About,
    /// Customers under whom the contract was that it ends: a hold on one of them covers what the service stores.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<CustomerId>,
    /// When it was acknowledged.
    pub received: Instant,
    /// Where it stands.
    pub state: RequestState,
    /// What is true beside.
    pub facts: Facts,
    /// The dates known so far.
    pub anchors: Anchors,
    /// Who signed that it is to be erased.
    #[serde(default)]
    pub approvals: Approvals,
    /// Number and digest of the current plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanRef>,
    /// The rules under which the current plan was last found right: it permits nothing under others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned_under: Option<Under>,
    /// When all live data was confirmed gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_confirmed: Option<Instant>,
    /// When the set of copies was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies_closed: Option<Instant>,
    /// When the last copy was seen gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies_gone: Option<Instant>,
    /// How many proofs were issued.
    pub proofs: u32,
    /// Digest of what the newest proof says, apart from its date: a new one is issued when it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof_content: Option<Digest>,
    /// When the leader looks at it next: the stored timer is an index of this, never the truth (decision 6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wake: Option<Instant>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<Instant>,
}

/// Which rules hold for a request: the policy in force, how it came to be, and the customer's instructions. Two are the same
/// only where every date that follows from them is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredUnder")]
pub struct Under {
    /// Digest of the policy in force.
    pub policy: Digest,
    /// How many policies had come into force before it: what a version means for a contract that had ended hangs on those
    /// before. 0 for a purge, which is about nobody's end.
    pub turn: u64,
    /// Digest of the customer's instructions that hold; unset where none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<Digest>,
}

impl Under {
    /// A policy by itself: the first one, and no instruction.
    pub fn policy(policy: Digest) -> Self {
        Self { policy, turn: 0, instructions: None }
    }
}

/// As it is stored: before there were turns and instructions, the policy's digest alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredUnder {
    Policy(Digest),
    Whole(WholeUnder),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WholeUnder {
    policy: Digest,
    turn: u64,
    #[serde(default)]
    instructions: Option<Digest>,
}

impl From<StoredUnder> for Under {
    fn from(stored: StoredUnder) -> Self {
        match stored {
            StoredUnder::Policy(policy) => Self::policy(policy),
            StoredUnder::Whole(WholeUnder { policy, turn, instructions }) => Self { policy, turn, instructions },
        }
    }
}

/// Which plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRef {
    /// Number in the request.
    pub number: u32,
    /// Digest of the plan's exact bytes.
    pub digest: Digest,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Its time or what it waits for has not come.
    Waiting,
    /// Due: to be offered when its agent grants credit.
    Ready,
    /// The permit is signed; the attempt counts as begun.
    Begun,
    /// A receipt settles it.
    Succeeded,
    /// The plan was replaced, or the request cancelled, before it began.
    Dropped,
}

impl JobState {
    /// The word used in tables and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Begun => "begun",
            Self::Succeeded => "succeeded",
            Self::Dropped => "dropped",
        }
    }
}

/// How the newest attempt ended, if it did not settle the job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setback {
    /// The verdict.
    pub verdict: Verdict,
    /// Its code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// What the agent's operator should do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
    /// When.
    pub at: Instant,
}

/// One job as the coordinator keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRecord {
    /// The request.
    pub request: RequestId,
    /// Which plan it is of.
    pub plan: PlanRef,
    /// The plan's step, as it stands there.
    pub step: Step,
    /// Where it stands.
    pub state: JobState,
    /// Attempts begun so far.
    pub attempt: u32,
    /// How often the newest attempt was given a further minute.
    #[serde(default, skip_serializing_if = "is_none_yet")]
    pub renewals: u32,
    /// When it may be tried (again): the step's own time, or later after a setback or between observations.
    pub due: Instant,
    /// What the target's name stood for when it was inspected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Instance>,
    /// Digest of the receipt that settles it, or of the newest observation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Digest>,
    /// When that receipt's attempt finished, on the agent's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Instant>,
    /// How the newest attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setback: Option<Setback>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference")]
fn is_none_yet(count: &u32) -> bool {
    *count == 0
}

impl JobRecord {
    /// The job's id.
    pub fn id(&self) -> JobId {
        self.step.job
    }
}

/// What a request leaves behind for later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Obligation {
    /// The handle that the agent minted.
    pub handle: ObligationId,
    /// The request.
    pub request: RequestId,
    /// The agent that keeps the row keys behind it.
    pub agent: AgentName,
    /// The target.
    pub target: TargetId,
    /// How many items.
    pub items: u64,
    /// Ground and date.
    pub keep: Keep,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_were_stored_as_a_digest_alone_are_read() {
        let digest = Digest::of(b"policy");
        let old = serde_json::to_string(&digest).expect("JSON");
        assert_eq!(serde_json::from_str::<Under>(&old).expect("reads"), Under::policy(digest));
        for instructions in [None, Some(Digest::of(b"instructions"))] {
            let under = Under { policy: digest, turn: 3, instructions };
            let text = serde_json::to_string(&under).expect("JSON");
            assert_eq!(serde_json::from_str::<Under>(&text).expect("reads"), under);
        }
        assert!(serde_json::from_str::<Under>("{\"turn\":1}").is_err());
    }
}
