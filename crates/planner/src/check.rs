//! A second opinion on a plan: re-derives every promise from the policy's rows and the inventories, and says where the
//! plan breaks one. Shares nothing with the planner: no decision, no date arithmetic, no sentence of its notes, so that
//! a mistake there is not repeated here. Upholds I1 and I2 before anything is released.

mod change;
mod copies;
mod hold;
mod live;
mod lock;
mod promise;
mod purge;
mod said;
mod shape;
mod term;

use std::fmt;

use gallra_model::AgentName;
use gallra_model::job::Action;
use gallra_model::plan::{After, Plan, Step};
use gallra_model::target::TargetInfo;

use crate::facts::Facts;

/// One broken promise or rule of form. An empty list means that the checker agrees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// A stable word, as `too-early`.
    pub code: &'static str,
    /// The target it is about, as `agent/target`; empty for the whole plan.
    pub target: String,
    /// One sentence.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.target.is_empty() { "plan" } else { &self.target };
        write!(f, "{place}: {}: {}", self.code, self.text)
    }
}

/// Doubts a plan. `facts` are those that it was made from; `facts.now` must be the time of its making.
pub fn check(plan: &Plan, facts: &Facts<'_>) -> Vec<Problem> {
    let mut doubts = Doubts { plan, facts, found: Vec::new() };
    shape::check(&mut doubts);
    hold::check(&mut doubts);
    said::check(&mut doubts);
    term::check(&mut doubts);
    lock::check(&mut doubts);
    change::check(&mut doubts);
    for inventory in facts.inventories {
        for target in &inventory.targets {
            let at = At { agent: &inventory.agent, target };
            if target.kind.is_backup() {
                copies::check(&mut doubts, inventory, at);
            } else {
                live::check(&mut doubts, at);
            }
        }
    }
    doubts.found
}

/// Doubts the plan of a local day's purge.
pub fn check_purge(plan: &Plan, facts: &Facts<'_>, sweeps: crate::purge::Sweeps) -> Vec<Problem> {
    purge::check(plan, facts, sweeps)
}

/// One target of one agent.
#[derive(Clone, Copy)]
struct At<'a> {
    agent: &'a AgentName,
    target: &'a TargetInfo,
}

impl At<'_> {
    fn name(&self) -> String {
        format!("{}/{}", self.agent, self.target.id)
    }
}

/// What is doubted, and the doubts so far.
struct Doubts<'a> {
    plan: &'a Plan,
    facts: &'a Facts<'a>,
    found: Vec<Problem>,
}

impl<'a> Doubts<'a> {
    fn plan_is_wrong(&mut self, code: &'static str, text: impl Into<String>) {
        self.found.push(Problem { code, target: String::new(), text: text.into() });
    }

    fn wrong(&mut self, at: At<'_>, code: &'static str, text: impl Into<String>) {
        self.found.push(Problem { code, target: at.name(), text: text.into() });
    }

    fn require(&mut self, holds: bool, at: At<'_>, code: &'static str, text: &str) {
        if !holds {
            self.wrong(at, code, text);
        }
    }

    fn steps_at(&self, at: At<'a>) -> impl Iterator<Item = &'a Step> + use<'a> {
        self.plan.steps.iter().filter(move |step| step.agent == *at.agent && step.target == at.target.id)
    }

    fn steps(&self, at: At<'a>, action: Action) -> impl Iterator<Item = &'a Step> + use<'a> {
        self.steps_at(at).filter(move |step| step.action == action)
    }

    fn has(&self, at: At<'a>, action: Action, after: After) -> bool {
        self.steps(at, action).any(|step| step.after.contains(&after))
    }

    fn noted(&self, at: At<'_>, code: &str) -> bool {
        self.noted_with(&at.name(), code, "")
    }

    /// Whether a note of a place (empty: the whole plan) names something.
    fn noted_with(&self, place: &str, code: &str, named: &str) -> bool {
        self.plan.notes.iter().any(|note| note.code == code && note.target == place && note.text.contains(named))
    }

    /// Every live target that the dates bind.
    fn bound(&self) -> Vec<At<'a>> {
        let all = self.facts.inventories.iter().flat_map(|inventory| {
            let agent = &inventory.agent;
            inventory.targets.iter().map(move |target| At { agent, target })
        });
        all.filter(|at| !at.target.kind.is_backup() && shape::bound(self, *at)).collect()
    }
}
