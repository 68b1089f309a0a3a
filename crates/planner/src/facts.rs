//! What a plan is made from, and when nothing can be made of it. Owns the refusal of facts that contradict each other.

use std::collections::BTreeSet;

use gallra_model::hold::Hold;
use gallra_model::plan::{Anchors, Plan};
use gallra_model::target::{Inventory, Scope, TargetId, TargetInfo};
use gallra_model::{AgentName, Clock, Day, Digest, Instant, RequestId};
use gallra_policy::{CalendarError, Policy};

/// Steps that one plan may have: a plan is one value in the store.
pub const MAX_STEPS: usize = 4096;

/// Rows without a date that one plan may carry.
pub const MAX_TERMS: usize = 1000;

/// Everything that the planner looks at.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The request.
    pub request: RequestId,
    /// The new plan's number in the request, from 1.
    pub number: u32,
    /// Digest of the plan that it succeeds; set from number 2 on.
    pub parent: Option<Digest>,
    /// The time of planning, UTC. No step is due before it.
    pub now: Instant,
    /// Under which clock.
    pub clock: Clock,
    /// The dates that rules count from.
    pub anchors: Anchors,
    /// The provider's rules.
    pub policy: &'a Policy,
    /// What the agents report, in any order.
    pub inventories: &'a [Inventory],
    /// The holds that lie on the request, on its contract or customer, or on a category or target of it, in any order.
    pub holds: &'a [Hold],
    /// The plan that it succeeds, to say what changed; set where `parent` is.
    pub before: Option<&'a Plan>,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Neither the contract nor the customer has ended.
    #[error("nothing has ended: report the contract's end first")]
    NotEnded,
    /// A settlement lies before its end.
    #[error("settled before ended: correct the contract's dates")]
    SettledBeforeEnded,
    /// Number and parent do not belong together.
    #[error("plan {number} {}: the first plan has none, every later one names its predecessor",
        if *number > 1 { "names no parent" } else { "is out of sequence" })]
    Parent {
        /// The number asked for.
        number: u32,
    },
    /// The plan before is another request's, or comes after this one.
    #[error("the plan before is plan {number} of {}: it is not the one that this plan succeeds",
        if *same { "this request" } else { "another request" })]
    Before {
        /// That plan's number.
        number: u32,
        /// Whether it is a plan of the same request.
        same: bool,
    },
    /// Two inventories of one agent.
    #[error("agent {agent} reports two inventories: hand over the newer one only")]
    TwoInventories {
        /// The agent.
        agent: AgentName,
    },
    /// Two targets of one name.
    #[error("agent {agent} reports target {target} twice: give each its own name in agent.toml")]
    TwoTargets {
        /// The agent.
        agent: AgentName,
        /// The name.
        target: TargetId,
    },
    /// A backup target says that it holds what is no live target: its copies would go unwatched.
    #[error("agent {agent}: backup target {target} covers {covers}, which is no live target there: correct agent.toml")]
    Covers {
        /// The agent.
        agent: AgentName,
        /// The backup target.
        target: TargetId,
        /// What it names.
        covers: TargetId,
    },
    /// A plan without a step would prove nothing and look final.
    #[error(
        "no agent reports a target that these dates bind: check that agents are approved and what their targets' scopes are"
    )]
    NoTarget,
    /// More than [`MAX_STEPS`].
    #[error("the plan would have more than {MAX_STEPS} steps: merge targets in agent.toml")]
    TooLarge,
    /// More than [`MAX_TERMS`].
    #[error("the plan would carry more than {MAX_TERMS} rows without a date: merge some of the policy's")]
    TooManyTerms,
    /// A date past the calendar's end.
    #[error("a date of the plan cannot be written: {0}")]
    Calendar(#[from] CalendarError),
}

impl<'a> Facts<'a> {
    /// Refuses facts that contradict each other.
    pub(crate) fn refuse_contradictions(&self) -> Result<(), PlanError> {
        let a = &self.anchors;
        if a.contract_ended.is_none() && a.customer_ended.is_none() {
            return Err(PlanError::NotEnded);
        }
        let early = |ended: Option<Day>, settled: Option<Day>| settled.is_some_and(|day| ended.is_none_or(|e| day < e));
        if early(a.contract_ended, a.contract_settled) || early(a.customer_ended, a.customer_settled) {
            return Err(PlanError::SettledBeforeEnded);
        }
        self.refuse_contradictory_reports()
    }

    /// Refuses a number without its parent, and reports that contradict each other.
    pub(crate) fn refuse_contradictory_reports(&self) -> Result<(), PlanError> {
        if self.number == 0 || (self.number == 1) != self.parent.is_none() {
            return Err(PlanError::Parent { number: self.number });
        }
        if let Some(before) = self.before
            && (before.request != self.request || before.number >= self.number)
        {
            return Err(PlanError::Before { number: before.number, same: before.request == self.request });
        }
        let mut agents = BTreeSet::new();
        for inventory in self.inventories {
            if !agents.insert(&inventory.agent) {
                return Err(PlanError::TwoInventories { agent: inventory.agent.clone() });
            }
            refuse_contradictory(inventory)?;
        }
        Ok(())
    }

    /// Whether the dates bind a live target: that whose end it waits for has ended.
    pub(crate) fn binds(&self, target: &TargetInfo) -> bool {
        match target.scope {
            Scope::Contract => self.anchors.contract_ended.is_some(),
            Scope::Customer => self.anchors.customer_ended.is_some(),
        }
    }

    /// Inventories by agent's name, so that the order in which they came in leaves no trace in the plan.
    pub(crate) fn sorted(&self) -> Vec<&'a Inventory> {
        let mut inventories: Vec<_> = self.inventories.iter().collect();
        inventories.sort_by(|a, b| a.agent.cmp(&b.agent));
        inventories
    }
}

fn refuse_contradictory(inventory: &Inventory) -> Result<(), PlanError> {
    let agent = || inventory.agent.clone();
    let mut names = BTreeSet::new();
    for target in &inventory.targets {
        if !names.insert(&target.id) {
            return Err(PlanError::TwoTargets { agent: agent(), target: target.id.clone() });
        }
    }
    let live = |id: &TargetId| inventory.targets.iter().any(|other| other.id == *id && !other.kind.is_backup());
    for target in &inventory.targets {
        if let Some(covers) = target.covers.iter().find(|id| !live(id)) {
            return Err(PlanError::Covers { agent: agent(), target: target.id.clone(), covers: covers.clone() });
        }
    }
    Ok(())
}
