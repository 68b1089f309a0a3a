//! What the plan says about the whole: the instructions in force are cited, and what must be signed or let through first is
//! listed, no more and no less.

use gallra_model::job::Action;

use super::Doubts;

pub(super) fn check(doubts: &mut Doubts<'_>) {
    instructions(doubts);
    approvals(doubts);
}

fn instructions(doubts: &mut Doubts<'_>) {
    let bound = doubts.bound();
    let facts = doubts.facts;
    let mut cited = 0;
    for applied in facts.policy.instructions() {
        for replaced in &applied.replaced {
            let of_copies = replaced.category.as_str() == "backup" && !doubts.plan.backups.is_empty();
            if !of_copies && bound.iter().all(|at| at.target.category != replaced.category) {
                continue;
            }
            cited += 1;
            let named = |note: &&gallra_model::plan::Note| {
                let all = [&applied.id, &replaced.rule, &replaced.before, &replaced.after];
                note.code == "instruction" && all.into_iter().all(|word| note.text.contains(word.as_str()))
            };
            if doubts.plan.notes.iter().filter(named).count() == 0 {
                doubts.plan_is_wrong("unsaid", format!("it follows an instruction about {} silently", replaced.rule));
            }
        }
    }
    if doubts.plan.notes.iter().filter(|note| note.code == "instruction").count() != cited {
        doubts.plan_is_wrong("unsaid", "it cites an instruction that is not in force");
    }
}

fn approvals(doubts: &mut Doubts<'_>) {
    let (plan, facts) = (doubts.plan, doubts.facts);
    let erases = plan.steps.iter().any(|step| matches!(step.action, Action::Erase | Action::Purge));
    let mut expected = Vec::new();
    if erases && facts.anchors.contract_ended.is_some() {
        expected.push(("service-cause", None));
    }
    if erases && facts.anchors.customer_ended.is_some() {
        expected.push(("customer-cause", None));
    }
    for replaced in facts.policy.instructions().iter().flat_map(|applied| &applied.replaced) {
        if replaced.legal_review {
            expected.push(("legal-review", Some(replaced.rule.as_str())));
        }
    }
    let mut listed: Vec<_> = plan.approvals.iter().map(|own| (own.what.as_str(), own.rule.as_deref())).collect();
    expected.sort_unstable();
    listed.sort_unstable();
    if listed != expected {
        doubts.plan_is_wrong("approvals", "what it asks to be signed or let through is not what must be");
    }
}
