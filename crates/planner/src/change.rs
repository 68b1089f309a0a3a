//! What differs between a plan and the one that it succeeds: the facts that changed, then what that did to each target. Owns
//! the words of both; reads the two plans and nothing else, so that the signed plan can be held against its parent.

use std::collections::{BTreeMap, BTreeSet};

use gallra_model::Day;
use gallra_model::job::Action;
use gallra_model::plan::{Anchors, Change, Plan};
use gallra_model::target::CopyLife;
use gallra_model::time::day_of;

use crate::note::{self, INSTRUCTION};

/// Every difference, facts first, targets by name.
pub(crate) fn changes(before: &Plan, now: &Plan) -> Vec<Change> {
    let mut found = dates(&before.anchors, &now.anchors);
    if before.policy != now.policy {
        let digests = [before, now].map(|plan| Some(plan.policy.to_string()));
        found.extend(differing("policy", "", digests));
    }
    found.extend(sets("instruction", [before, now].map(sentences)));
    let holds = |plan: &Plan| plan.holds.iter().map(|held| held.hold.to_string()).collect();
    found.extend(sets("hold", [holds(before), holds(now)]));
    let (old, new) = (places(before), places(now));
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    for name in &names {
        let reported = [&old, &new].map(|places| places.get(*name).map(|(kind, _)| (*kind).to_owned()));
        found.extend(differing("reported", name, reported));
    }
    for name in names {
        let (Some((_, before)), Some((_, now))) = (old.get(name), new.get(name)) else { continue };
        found.extend(differing("fate", name, [before, now].map(|fate| fate.live.clone())));
        found.extend(differing("copies", name, [before, now].map(|fate| fate.copies.clone())));
    }
    found
}

fn differing(what: &str, target: &str, [before, after]: [Option<String>; 2]) -> Option<Change> {
    (before != after).then(|| Change { what: what.to_owned(), target: target.to_owned(), before, after })
}

fn dates(before: &Anchors, now: &Anchors) -> Vec<Change> {
    let of = |anchors: &Anchors| {
        [
            ("contract-ended", anchors.contract_ended),
            ("contract-settled", anchors.contract_settled),
            ("customer-ended", anchors.customer_ended),
            ("customer-settled", anchors.customer_settled),
        ]
    };
    let text = |day: Option<Day>| day.map(|day| day.to_string());
    let both = of(before).into_iter().zip(of(now));
    both.filter_map(|((what, old), (_, new))| differing(what, "", [text(old), text(new)])).collect()
}

fn sentences(plan: &Plan) -> BTreeSet<String> {
    plan.notes.iter().filter(|note| note.code == INSTRUCTION).map(|note| note.text.clone()).collect()
}

/// What went, then what came.
fn sets(what: &str, [before, now]: [BTreeSet<String>; 2]) -> Vec<Change> {
    let gone = before.difference(&now).map(|one| [Some(one.clone()), None]);
    let come = now.difference(&before).map(|one| [None, Some(one.clone())]);
    gone.chain(come).filter_map(|pair| differing(what, "", pair)).collect()
}

/// What a plan does to one target; of each only what is its own to have.
#[derive(Default)]
struct Fate {
    live: Option<String>,
    copies: Option<String>,
}

/// Each target's kind and fate, by name.
fn places(plan: &Plan) -> BTreeMap<String, (&'static str, Fate)> {
    let mut places: BTreeMap<String, (&'static str, Fate)> = BTreeMap::new();
    for step in &plan.steps {
        let (_, fate) = places
            .entry(note::place(&step.agent, &step.target))
            .or_insert_with(|| (step.kind.as_str(), Fate::default()));
        let word = match (step.action, &step.keep) {
            (Action::Erase, _) => Some(format!("erase {}", day_of(step.due))),
            (Action::Preserve, Some(keep)) => Some(format!("keep {}", keep.earliest)),
            (Action::Inspect, _) if !step.kind.is_backup() => Some("wait".to_owned()),
            _ => None,
        };
        // The look at a target comes first, and what is done about it takes its place.
        fate.live = word.or_else(|| fate.live.take());
    }
    for backup in &plan.backups {
        if let Some((_, fate)) = places.get_mut(&note::place(&backup.agent, &backup.target)) {
            fate.copies = match (backup.life, backup.expected) {
                (CopyLife::AtMost { .. }, Some(day)) => Some(format!("gone {day}")),
                (CopyLife::AtMost { .. }, None) => None,
                (CopyLife::Never, _) => Some("never".to_owned()),
                (CopyLife::Unknown, _) => Some("unknown".to_owned()),
            };
        }
    }
    places
}
