//! The plan's form: that it is the plan of these facts, that its steps are numbered and wait only for earlier ones, and
//! that each belongs to a target some agent reports.

use std::collections::BTreeSet;

use gallra_model::plan::{After, Step};
use gallra_model::target::Scope;

use super::{At, Doubts};

pub(super) fn check(doubts: &mut Doubts<'_>) {
    check_purge(doubts);
    if doubts.plan.purge.is_some() {
        doubts.plan_is_wrong("header", "it says that it is a purge");
    }
    if doubts.plan.steps.is_empty() {
        doubts.plan_is_wrong("header", "it has no step, and would prove nothing");
    }
    for step in &doubts.plan.steps {
        is_bound(doubts, step);
    }
}

/// The form that a purge's plan has too: it touches targets that nobody's end binds, and may find nothing to do.
pub(super) fn check_purge(doubts: &mut Doubts<'_>) {
    header(doubts);
    numbering(doubts);
    for step in &doubts.plan.steps {
        belongs(doubts, step);
    }
}

fn header(doubts: &mut Doubts<'_>) {
    let (plan, facts) = (doubts.plan, doubts.facts);
    let same = [
        (plan.request == facts.request, "it belongs to another request"),
        (plan.number == facts.number && plan.number > 0, "its number is not the one asked for"),
        (plan.parent == facts.parent, "it names another parent"),
        ((plan.number > 1) == plan.parent.is_some(), "the first plan has no parent, every later one has"),
        (plan.policy == facts.policy.digest(), "it follows another policy"),
        (plan.made == facts.now, "it was made at another time"),
        (plan.clock == facts.clock, "it was made under another clock"),
        (plan.anchors == facts.anchors, "it counts from other dates"),
    ];
    for (holds, text) in same {
        if !holds {
            doubts.plan_is_wrong("header", text);
        }
    }
}

fn numbering(doubts: &mut Doubts<'_>) {
    let mut jobs = BTreeSet::new();
    for (expected, step) in (1u32..).zip(&doubts.plan.steps) {
        if step.number != expected {
            doubts.plan_is_wrong("numbering", format!("step {} stands where {expected} belongs", step.number));
        }
        if !jobs.insert(step.job) {
            doubts.plan_is_wrong("double-job", format!("step {} has the job id of an earlier one", step.number));
        }
        for after in &step.after {
            if let After::Step(number) = after
                && (*number == 0 || *number >= expected)
            {
                doubts.plan_is_wrong(
                    "order",
                    format!("step {expected} waits for step {number}, which is no earlier one"),
                );
            }
        }
        if step.due < doubts.plan.made {
            doubts.plan_is_wrong("order", format!("step {expected} is due before the plan was made"));
        }
    }
}

fn belongs(doubts: &mut Doubts<'_>, step: &Step) {
    let facts = doubts.facts;
    let inventory = facts.inventories.iter().find(|inventory| inventory.agent == step.agent);
    let target = inventory.and_then(|inventory| inventory.targets.iter().find(|target| target.id == step.target));
    let Some(target) = target else {
        doubts.plan_is_wrong("no-such-target", format!("step {} names a target that nobody reports", step.number));
        return;
    };
    let at = At { agent: &step.agent, target };
    let same = step.kind == target.kind && step.category == target.category && step.role == target.role;
    doubts.require(same, at, "no-such-target", "a step describes the target in another way than its agent");
}

fn is_bound(doubts: &mut Doubts<'_>, step: &Step) {
    let facts = doubts.facts;
    let of_agent = facts.inventories.iter().filter(|inventory| inventory.agent == step.agent);
    let target = of_agent.flat_map(|inventory| &inventory.targets).find(|target| target.id == step.target);
    if let Some(target) = target.filter(|target| !target.kind.is_backup()) {
        let at = At { agent: &step.agent, target };
        doubts.require(bound(doubts, at), at, "not-bound", "a step touches a target that these dates do not bind");
    }
}

/// Whether the end that a live target waits for has come.
pub(super) fn bound(doubts: &Doubts<'_>, at: At<'_>) -> bool {
    let anchors = &doubts.facts.anchors;
    match at.target.scope {
        Scope::Contract => anchors.contract_ended.is_some(),
        Scope::Customer => anchors.customer_ended.is_some(),
    }
}
