//! Changes: everything in which the plan differs from the one before is in its list, and nothing else is. Drawn up anew from
//! both plans as one set of lines each, whose differences are the changes.

use std::collections::{BTreeMap, BTreeSet};

use gallra_model::job::Action;
use gallra_model::plan::Plan;
use gallra_model::target::CopyLife;
use gallra_model::time::day_of;

use super::Doubts;

/// What a line is about, its target, and which of several it is.
type Key = (&'static str, String, String);

pub(super) fn check(doubts: &mut Doubts<'_>) {
    let plan = doubts.plan;
    let mut expected = BTreeSet::new();
    if let Some(before) = doubts.facts.before {
        let (old, new) = (lines(before), lines(plan));
        let keys: BTreeSet<&Key> = old.keys().chain(new.keys()).collect();
        for key in keys {
            let (before, after) = (old.get(key), new.get(key));
            let of_target = matches!(key.0, "fate" | "copies");
            let there = |plan: &Plan| plan.steps.iter().any(|step| format!("{}/{}", step.agent, step.target) == key.1);
            // Of a target that came or went that much is said, and no more.
            let both = !of_target || (there(before_of(doubts)) && there(plan));
            if before != after && both {
                expected.insert((key.0, key.1.as_str(), before.map(String::as_str), after.map(String::as_str)));
            }
        }
        compare(doubts, &expected);
    } else {
        compare(doubts, &expected);
    }
}

fn before_of<'a>(doubts: &Doubts<'a>) -> &'a Plan {
    doubts.facts.before.unwrap_or(doubts.plan)
}

fn compare(doubts: &mut Doubts<'_>, expected: &BTreeSet<(&'static str, &str, Option<&str>, Option<&str>)>) {
    let plan = doubts.plan;
    let listed: BTreeSet<_> = plan
        .changes
        .iter()
        .map(|own| (own.what.as_str(), own.target.as_str(), own.before.as_deref(), own.after.as_deref()))
        .collect();
    let same = listed.len() == plan.changes.len() && listed.len() == expected.len();
    if !same || !expected.iter().all(|line| listed.contains(line)) {
        doubts.plan_is_wrong("changes", "what it says has changed is not what differs from the plan before");
    }
}

fn lines(plan: &Plan) -> BTreeMap<Key, String> {
    let mut lines = BTreeMap::new();
    let mut add = |what: &'static str, target: &str, which: &str, text: String| {
        lines.insert((what, target.to_owned(), which.to_owned()), text);
    };
    let a = &plan.anchors;
    for (what, day) in [
        ("contract-ended", a.contract_ended),
        ("contract-settled", a.contract_settled),
        ("customer-ended", a.customer_ended),
        ("customer-settled", a.customer_settled),
    ] {
        day.into_iter().for_each(|day| add(what, "", "", day.to_string()));
    }
    add("policy", "", "", plan.policy.to_string());
    for note in plan.notes.iter().filter(|note| note.code == "instruction") {
        add("instruction", "", &note.text, note.text.clone());
    }
    for held in &plan.holds {
        add("hold", "", &held.hold.to_string(), held.hold.to_string());
    }
    for step in &plan.steps {
        let name = format!("{}/{}", step.agent, step.target);
        add("reported", &name, "", step.kind.as_str().to_owned());
        if step.action == Action::Inspect && !step.kind.is_backup() {
            add("fate", &name, "", "wait".to_owned());
        }
    }
    for step in &plan.steps {
        let name = format!("{}/{}", step.agent, step.target);
        if step.action == Action::Erase {
            add("fate", &name, "", format!("erase {}", day_of(step.due)));
        } else if let Some(keep) = &step.keep {
            add("fate", &name, "", format!("keep {}", keep.earliest));
        }
    }
    for backup in &plan.backups {
        let name = format!("{}/{}", backup.agent, backup.target);
        let gone = backup.expected.map(|day| format!("gone {day}"));
        let text = match backup.life {
            CopyLife::AtMost { .. } => gone,
            CopyLife::Never => Some("never".to_owned()),
            CopyLife::Unknown => Some("unknown".to_owned()),
        };
        text.into_iter().for_each(|text| add("copies", &name, "", text));
    }
    lines
}
