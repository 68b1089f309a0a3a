//! Backup targets: every one that holds copies of what the plan erases is looked at and observed until they are gone,
//! what cannot be promised is said, and nothing waits for copies that are kept with their data.

use gallra_model::Day;
use gallra_model::job::Action;
use gallra_model::plan::{After, BackupExpectation};
use gallra_model::target::{CopyLife, Inventory, Strategy};
use gallra_model::time::day_of;
use gallra_policy::calendar::Unit;
use gallra_policy::{Anchor, Bound, Deed};
use jiff::ToSpan;

use super::{At, Doubts, live, promise, shape};

pub(super) fn check<'a>(doubts: &mut Doubts<'a>, inventory: &'a Inventory, at: At<'a>) {
    let covered: Vec<_> = inventory
        .targets
        .iter()
        .filter(|target| at.target.covers.contains(&target.id) && !target.kind.is_backup())
        .map(|target| At { agent: at.agent, target })
        .filter(|covered| shape::bound(doubts, *covered))
        .collect();
    let expectation = doubts.plan.backups.iter().find(|own| own.agent == *at.agent && own.target == at.target.id);
    let untouched = expectation.is_none() && doubts.steps_at(at).next().is_none();
    shorter_rules(doubts, at, &covered);
    if covered.is_empty() {
        doubts.require(untouched, at, "not-bound", "its copies hold nothing of this plan, and the plan observes them");
        return;
    }
    if !covered.iter().any(|covered| leaves(doubts, *covered)) {
        let text =
            "its copies hold only what is kept: nothing closes their set, so a plan that waits for them never ends";
        doubts.require(untouched, at, "unending", text);
        let said = doubts.noted(at, "copies-of-kept-data");
        doubts.require(said, at, "unsaid", "its copies are kept with their data, and the plan does not say so");
        return;
    }
    let inspected = doubts.steps(at, Action::Inspect).count() == 1;
    doubts.require(inspected, at, "left-out", "its copies hold the data, and the plan does not look at them");
    let Some(expectation) = expectation else {
        doubts.wrong(at, "left-out", "its copies hold the data, and the plan expects nothing of them");
        return;
    };
    let left =
        covered.iter().flat_map(|covered| doubts.steps(*covered, Action::Erase)).map(|step| day_of(step.due)).max();
    if left.is_some() {
        let observed = doubts.has(at, Action::Observe, After::LiveConfirmed);
        doubts.require(observed, at, "unobserved", "what its copies hold is erased, and nobody observes them");
    }
    dates(doubts, at, expectation, left, &covered);
    said(doubts, at, expectation);
}

/// A rule that counts from the record and is shorter than the copies live is named, and only such a one is.
fn shorter_rules<'a>(doubts: &mut Doubts<'a>, at: At<'a>, covered: &[At<'a>]) {
    let facts = doubts.facts;
    let end = facts.anchors.contract_ended.max(facts.anchors.customer_ended);
    let life = at.target.copy_life.unwrap_or(CopyLife::Unknown);
    let mut named = 0;
    for rule in facts.policy.rules().iter().filter(|rule| rule.action == Deed::Erase && rule.bound != Bound::Keep) {
        if rule.apart || covered.iter().all(|own| own.target.category != rule.category) {
            continue;
        }
        for clause in rule.clauses.iter().filter(|clause| clause.from == Anchor::Record) {
            let longer = match life {
                CopyLife::Never => true,
                CopyLife::Unknown => false,
                CopyLife::AtMost { days } if clause.period.unit() == Unit::Hours => {
                    u64::from(days) >= u64::from(clause.period.count()).div_ceil(24)
                }
                CopyLife::AtMost { days } => {
                    let gone = end.and_then(|end| end.checked_add(i64::from(days).days()).ok());
                    gone > end.and_then(|end| promise::from_record(clause, end))
                }
            };
            named += usize::from(longer);
            let said = !longer || doubts.noted_with(&at.name(), "copies-outlive-rule", &rule.id);
            doubts.require(said, at, "unsaid", "its copies outlive a rule about records, and the plan does not say so");
        }
    }
    let notes = doubts.plan.notes.iter().filter(|note| note.code == "copies-outlive-rule" && note.target == at.name());
    let right = notes.count() == named;
    doubts.require(right, at, "unsaid", "the plan names other rules than those that its copies outlive");
}

/// Whether a target's data leaves by this plan, or may by a later one: rows that give no day yet leave that open.
fn leaves<'a>(doubts: &Doubts<'a>, live: At<'a>) -> bool {
    let promise = promise::of(doubts.facts.policy, live.target.category.as_str(), &doubts.facts.anchors);
    promise.waits || !promise.is_known() || doubts.steps(live, Action::Erase).next().is_some()
}

fn dates<'a>(
    doubts: &mut Doubts<'a>,
    at: At<'a>,
    expectation: &BackupExpectation,
    left: Option<Day>,
    covered: &[At<'a>],
) {
    let facts = doubts.facts;
    let own_rule = facts.policy.rules().iter().any(|rule| rule.category.as_str() == "backup");
    let promised = match left {
        None => None,
        Some(_) if own_rule => promise::of_copies(facts.policy, "backup", &facts.anchors, left).ceiling(),
        // No text about copies: the live rule's last day binds them too.
        Some(_) => covered
            .iter()
            .filter(|own| doubts.steps(**own, Action::Erase).next().is_some())
            .filter_map(|own| live::of(doubts, *own).ceiling())
            .min(),
    };
    doubts.require(expectation.latest == promised, at, "bounds", "the copies' last day is not the one promised");
    let observed = expectation.strategy == at.target.strategy.or(Some(Strategy::Observe));
    doubts.require(observed, at, "bounds", "the copies' strategy is not the one reported");
    let life = at.target.copy_life.unwrap_or(CopyLife::Unknown);
    doubts.require(expectation.life == life, at, "bounds", "the copies' life is not the one reported");
    let expected = match (life, left) {
        (CopyLife::AtMost { days }, Some(left)) => {
            jiff::Span::new().try_days(i64::from(days)).ok().and_then(|span| left.checked_add(span).ok())
        }
        (CopyLife::AtMost { .. }, None) | (CopyLife::Never | CopyLife::Unknown, _) => None,
    };
    doubts.require(expectation.expected == expected, at, "bounds", "the copies' expected end does not follow");
}

fn said<'a>(doubts: &mut Doubts<'a>, at: At<'a>, expectation: &BackupExpectation) {
    let needed = match expectation.life {
        CopyLife::Never => Some("copies-never-expire"),
        CopyLife::Unknown => Some("copies-unknown"),
        CopyLife::AtMost { .. } => {
            let late = expectation.expected.zip(expectation.latest).is_some_and(|(end, latest)| end > latest);
            late.then_some("copies-outlive-promise")
        }
    };
    if let Some(code) = needed {
        doubts.require(
            doubts.noted(at, code),
            at,
            "unsaid",
            "copies outlive their promise, and the plan does not say so",
        );
    }
}
