//! What is expected of each backup target that covers a planned live target: the rule that promises its copies' end,
//! the promised day, and the day that its own routine will reach. Owns the notes about copies that outlive a promise;
//! changes nothing (strategy observe).

use gallra_model::plan::{BackupExpectation, Note};
use gallra_model::target::{Category, CopyLife, Strategy, TargetInfo};
use gallra_model::{AgentName, Day};
use gallra_policy::calendar::last_day;
use gallra_policy::{Anchor, CalendarError, Clause, Deed, Extra, Rule};

use crate::facts::Facts;
use crate::live::{Fate, Live, NO_RULE};
use crate::note::{self, note};

/// The category whose rules are about copies.
const COPIES: &str = "backup";

/// A backup target and what is expected of it.
#[derive(Debug, Clone)]
pub(crate) struct Backup<'a> {
    pub(crate) agent: &'a AgentName,
    pub(crate) target: &'a TargetInfo,
    /// Whether covered data leaves the active systems by this plan, so that there is something to observe.
    pub(crate) observed: bool,
    pub(crate) expectation: BackupExpectation,
    pub(crate) notes: Vec<Note>,
}

/// What the plan does about one backup target.
#[derive(Debug, Clone)]
pub(crate) enum Copies<'a> {
    /// Nothing: it covers nothing of the plan.
    Outside,
    /// Nothing, and says so: all that it covers is kept.
    Kept(Vec<Note>),
    /// It looks at them, and expects an end.
    Expected(Box<Backup<'a>>),
}

/// The promise about copies.
struct Promise {
    rule: String,
    latest: Option<Day>,
}

/// Decides on one backup target.
pub(crate) fn decide<'a>(
    facts: &Facts<'_>,
    agent: &'a AgentName,
    target: &'a TargetInfo,
    live: &[Live<'_>],
) -> Result<Copies<'a>, CalendarError> {
    let covered: Vec<_> =
        live.iter().filter(|live| live.agent == agent && target.covers.contains(&live.target.id)).collect();
    if covered.is_empty() {
        return Ok(Copies::Outside);
    }
    let place = note::place(agent, &target.id);
    // The last covered data to leave decides: a copy made until then can hold some of it.
    let left = covered.iter().filter_map(|live| live.leaves()).max();
    // Copies of what is kept are kept with it: nothing leaves, so there is nothing to wait for and no promise to hold.
    if left.is_none() && covered.iter().all(|live| matches!(live.fate, Fate::Kept(_))) {
        let text = "its copies hold what is kept, and are kept with it";
        let mut notes = vec![note(note::OF_KEPT, &place, text)];
        notes.extend(shorter_rules(facts, target, &covered, &place)?);
        return Ok(Copies::Kept(notes));
    }
    let promise = promise(facts, &covered, left)?;
    let life = target.copy_life.unwrap_or(CopyLife::Unknown);
    let expected = match (life, left) {
        (CopyLife::AtMost { days }, Some(left)) => Some(days_after(left, days)?),
        (CopyLife::AtMost { .. }, None) | (CopyLife::Never | CopyLife::Unknown, _) => None,
    };
    let mut notes = notes(&place, life, expected, &promise);
    notes.extend(shorter_rules(facts, target, &covered, &place)?);
    let expectation = BackupExpectation {
        agent: agent.clone(),
        target: target.id.clone(),
        rule: promise.rule,
        life,
        strategy: Some(target.strategy.unwrap_or(Strategy::Observe)),
        expected,
        latest: promise.latest,
    };
    Ok(Copies::Expected(Box::new(Backup { agent, target, observed: left.is_some(), expectation, notes })))
}

/// The rule about copies, counted from the day on which the data leaves. A policy without one binds copies by the live
/// rule's own last day (combination rule 8).
fn promise(facts: &Facts<'_>, covered: &[&Live<'_>], left: Option<Day>) -> Result<Promise, CalendarError> {
    let Ok(category) = COPIES.parse::<Category>() else {
        return Ok(Promise { rule: NO_RULE.to_owned(), latest: None });
    };
    if let Some(rule) = facts.policy.rules_for(&category).next() {
        let first = rule.id.clone();
        if left.is_none() {
            return Ok(Promise { rule: first, latest: None });
        }
        let window =
            facts.policy.window(&category, &facts.anchors, &Extra { left_active: left, ..Extra::default() })?;
        return Ok(Promise { rule: window.rule.unwrap_or(first), latest: window.latest });
    }
    let own = covered.iter().filter_map(|live| match &live.fate {
        Fate::Erased { latest: Some(latest), .. } => Some((*latest, live.rule.clone())),
        Fate::Erased { latest: None, .. } | Fate::Waits | Fate::Kept(_) => None,
    });
    Ok(match own.min() {
        Some((latest, rule)) => Promise { rule, latest: Some(latest) },
        None => Promise { rule: NO_RULE.to_owned(), latest: None },
    })
}

fn days_after(day: Day, days: u32) -> Result<Day, CalendarError> {
    let span = jiff::Span::new().try_days(i64::from(days)).map_err(|_| CalendarError::OutOfRange)?;
    day.checked_add(span).map_err(|_| CalendarError::OutOfRange)
}

fn notes(place: &str, life: CopyLife, expected: Option<Day>, promise: &Promise) -> Vec<Note> {
    let mut notes = Vec::new();
    match life {
        CopyLife::Never => {
            let text = format!(
                "never: the store's keep rules do not remove the last copies of a customer who has left; without a change \
                 there the proof stays interim: {}",
                note::MEASURES
            );
            notes.push(note(note::NEVER, place, text));
        }
        CopyLife::Unknown => {
            let text =
                "nobody can say how long copies live here: see what the agent reports about the store's keep rules";
            notes.push(note(note::UNKNOWN, place, text));
        }
        CopyLife::AtMost { .. } => {}
    }
    if let (Some(expected), Some(latest)) = (expected, promise.latest)
        && expected > latest
    {
        let text = format!(
            "the last copy is expected to go on {expected}, and {} promises {latest}: {}",
            promise.rule,
            note::MEASURES
        );
        notes.push(note(note::OUTLIVE, place, text));
    }
    notes
}

/// Rule 8: a rule that lets each record go by its own age is broken by copies that live longer, whatever is promised about
/// copies. Counted from the newest end, so that the answer is to the day.
fn shorter_rules(
    facts: &Facts<'_>,
    target: &TargetInfo,
    covered: &[&Live<'_>],
    place: &str,
) -> Result<Vec<Note>, CalendarError> {
    let Some(day) = facts.anchors.contract_ended.max(facts.anchors.customer_ended) else { return Ok(Vec::new()) };
    let mut notes: Vec<Note> = Vec::new();
    for live in covered {
        for (rule, clause) in of_records(facts, &live.target.category) {
            let (longer, lives) = match target.copy_life.unwrap_or(CopyLife::Unknown) {
                CopyLife::Unknown => continue,
                CopyLife::Never => (true, None),
                CopyLife::AtMost { days } => (lives_longer(days, clause, day)?, Some(days)),
            };
            if !longer {
                continue;
            }
            let lives = lives.map_or_else(|| "for ever".to_owned(), |days| format!("{days} days"));
            let text = format!(
                "{} lets {} go {} after it was recorded, and copies here live {lives}: {}",
                rule.id,
                live.target.category,
                clause.period,
                note::MEASURES
            );
            if notes.iter().all(|note| note.text != text) {
                notes.push(note(note::OUTLIVE_RULE, place, text));
            }
        }
    }
    Ok(notes)
}

fn of_records<'a>(facts: &Facts<'a>, category: &'a Category) -> impl Iterator<Item = (&'a Rule, &'a Clause)> {
    let promises = |rule: &&Rule| rule.action == Deed::Erase && !rule.apart;
    let clauses =
        facts.policy.rules_for(category).filter(promises).flat_map(|rule| rule.clauses.iter().map(move |c| (rule, c)));
    clauses.filter(|(_, clause)| clause.from == Anchor::Record)
}

fn lives_longer(days: u32, clause: &Clause, day: Day) -> Result<bool, CalendarError> {
    if clause.period.is_in_hours() {
        // The copy is made some time after the record.
        return Ok(u64::from(days) * 24 >= u64::from(clause.period.count()));
    }
    let own = last_day(day, clause.period, clause.until)?;
    let gone = match &clause.stage {
        Some(stage) => own.min(stage.period.last_day(stage.first.last_day(day)?)?),
        None => own,
    };
    Ok(days_after(day, days)? > gone)
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;

    #[test]
    fn a_life_that_outlasts_the_calendar_is_an_error() {
        let day = Day::new(2026, 1, 31).expect("a day");
        assert_eq!(days_after(day, 180), day.checked_add(180.days()).map_err(|_| CalendarError::OutOfRange));
        assert_eq!(days_after(day, u32::MAX), Err(CalendarError::OutOfRange));
    }
}
