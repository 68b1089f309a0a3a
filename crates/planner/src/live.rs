//! What becomes of each live target: erased within a year, kept as an obligation, or inspected only while a settlement
//! or a period is missing. Owns that decision and its notes; refuses to number or order steps.

use gallra_model::job::Keep;
use gallra_model::plan::{Anchors, Note};
use gallra_model::target::{Mode, TargetInfo};
use gallra_model::time::day_of;
use gallra_model::{AgentName, Day, Instant};
use gallra_policy::calendar::{Period, daily_sweep};
use gallra_policy::{CalendarError, Combined, Extra};

use crate::facts::Facts;
use crate::note::{self, note};

/// The rule named on a step that no rule asks for: looking at a target whose category has no period.
pub(crate) const NO_RULE: &str = "none";

/// A live target and what becomes of it.
#[derive(Debug, Clone)]
pub(crate) struct Live<'a> {
    pub(crate) agent: &'a AgentName,
    pub(crate) target: &'a TargetInfo,
    pub(crate) rule: String,
    pub(crate) fate: Fate,
    pub(crate) notes: Vec<Note>,
}

/// What becomes of a live target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing yet: it is only looked at.
    Waits,
    /// Erased.
    Erased {
        /// Not before this instant.
        due: Instant,
        /// First permitted day.
        earliest: Option<Day>,
        /// Last promised day.
        latest: Option<Day>,
    },
    /// Kept for years, behind a handle.
    Kept(Keep),
}

impl Live<'_> {
    /// When it is erased, if it is.
    pub(crate) fn erased(&self) -> Option<Instant> {
        match self.fate {
            Fate::Erased { due, .. } => Some(due),
            Fate::Waits | Fate::Kept(_) => None,
        }
    }
}

/// Decides on one live target that the dates bind.
pub(crate) fn decide<'a>(
    facts: &Facts<'_>,
    agent: &'a AgentName,
    target: &'a TargetInfo,
) -> Result<Live<'a>, CalendarError> {
    let window = facts.policy.window(&target.category, &facts.anchors, &Extra::default())?;
    let place = note::place(agent, &target.id);
    let mut notes = Vec::new();
    let fate = match (window.planned, window.waits_for_settlement) {
        (_, true) => {
            notes.push(note(note::WAITS, &place, "nothing is erased before the contract is settled"));
            Fate::Waits
        }
        (None, false) => {
            notes.push(note(note::NEEDS_PERIOD, &place, needs_period(&window, target)));
            Fate::Waits
        }
        (Some(planned), false) if planned <= a_year_on(&facts.anchors)? => erased(facts, &window, planned)?,
        (Some(planned), false) => kept(&window, planned),
    };
    notes.extend(consequences(&window, &fate, &place));
    if target.mode == Mode::Observe {
        let text = "the host's admin allows looking only: nothing changes here until mode = \"act\"";
        notes.push(note(note::OBSERVE_MODE, &place, text));
    }
    let rule = match &fate {
        Fate::Kept(keep) => keep.rule.clone(),
        Fate::Waits | Fate::Erased { .. } => window.rule.unwrap_or_else(|| NO_RULE.to_owned()),
    };
    Ok(Live { agent, target, rule, fate, notes })
}

fn needs_period(window: &Combined, target: &TargetInfo) -> String {
    let category = &target.category;
    if window.needs_period {
        format!("no rule says how long {category} is held: an instruction or a decision must give a period")
    } else {
        format!(
            "no rule about {category} counts from a contract's end: an instruction or a decision must give a period"
        )
    }
}

/// The last day that belongs to this request's own run of steps; what is due later becomes an obligation.
fn a_year_on(anchors: &Anchors) -> Result<Day, CalendarError> {
    let all = [anchors.contract_ended, anchors.contract_settled, anchors.customer_ended, anchors.customer_settled];
    let year: Period = "1 year".parse()?;
    let newest = all.into_iter().flatten().max().ok_or(CalendarError::OutOfRange)?;
    year.last_day(newest)
}

fn erased(facts: &Facts<'_>, window: &Combined, planned: Day) -> Result<Fate, CalendarError> {
    let opens = if window.in_window { facts.policy.window_hours().opens_on(planned)? } else { daily_sweep(planned)? };
    Ok(Fate::Erased { due: opens.max(facts.now), earliest: window.earliest, latest: window.latest })
}

fn kept(window: &Combined, planned: Day) -> Fate {
    let own = || (window.rule.clone().unwrap_or_default(), window.ground.clone().unwrap_or_default());
    let (rule, ground) = window.keep.as_ref().map_or_else(own, |keep| (keep.rule.clone(), keep.ground.clone()));
    Fate::Kept(Keep { rule, ground, earliest: window.earliest.unwrap_or(planned), latest: window.latest })
}

/// What a reader must know of the fate itself.
fn consequences(window: &Combined, fate: &Fate, place: &str) -> Vec<Note> {
    let mut notes = Vec::new();
    if let Fate::Kept(keep) = fate {
        let until = match keep.latest {
            Some(latest) => format!("kept, and gone by {latest}"),
            None => format!("kept, and may be erased from {}", keep.earliest),
        };
        notes.push(note(note::KEEPS, place, format!("{until}: {}", keep.ground)));
    }
    if let Some(unmet) = &window.unmet {
        let earliest = window.earliest.map_or_else(String::new, |day| format!(" before {day}"));
        let by = window.rule.as_deref().unwrap_or(NO_RULE);
        let text = format!("{} promises {}; {by} forbids erasure{earliest}", unmet.rule, unmet.latest);
        notes.push(note(note::NOT_MET, place, text));
    }
    if let Fate::Erased { due, latest: Some(latest), .. } = fate
        && day_of(*due) > *latest
    {
        let rule = window.rule.as_deref().unwrap_or(NO_RULE);
        notes.push(note(note::NOT_MET, place, format!("{rule} promised {latest}: late, so it is erased at once")));
    }
    notes
}
