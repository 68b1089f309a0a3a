//! What becomes of each live target: erased within a year, kept as an obligation, or inspected only while a settlement
//! or a period is missing; and what is locked while it stays. Owns that decision and its notes; refuses to number or order
//! steps.

use gallra_model::hold::Hold;
use gallra_model::job::Keep;
use gallra_model::plan::{Note, Restriction};
use gallra_model::target::{Mode, TargetInfo};
use gallra_model::time::day_of;
use gallra_model::{AgentName, Day, Instant};
use gallra_policy::calendar::day_after;
use gallra_policy::{CalendarError, Combined};

use crate::facts::Facts;
use crate::hold;
use crate::note::{self, note};
use crate::reading::{Reading, Readings};

/// The rule named on a step that no rule asks for: looking at a target whose category has no period.
pub(crate) const NO_RULE: &str = "none";

/// A live target and what becomes of it.
#[derive(Debug, Clone)]
pub(crate) struct Live<'a> {
    pub(crate) agent: &'a AgentName,
    pub(crate) target: &'a TargetInfo,
    pub(crate) rule: String,
    pub(crate) fate: Fate,
    pub(crate) restrictions: Vec<Restriction>,
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
        /// The day of that instant.
        day: Day,
        /// The end of its hours; unset where they are over.
        until: Option<Instant>,
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

    /// On which day that is.
    pub(crate) fn leaves(&self) -> Option<Day> {
        match self.fate {
            Fate::Erased { day, .. } => Some(day),
            Fate::Waits | Fate::Kept(_) => None,
        }
    }
}

impl Fate {
    /// The day on which the data goes, or may go; none while nobody knows.
    fn ends(&self) -> Option<Day> {
        match self {
            Self::Waits => None,
            Self::Erased { day, .. } => Some(*day),
            Self::Kept(keep) => Some(keep.earliest),
        }
    }
}

/// Decides on one live target that the dates bind.
pub(crate) fn decide<'a>(
    facts: &Facts<'_>,
    readings: &mut Readings<'_>,
    agent: &'a AgentName,
    target: &'a TargetInfo,
) -> Result<Live<'a>, CalendarError> {
    let held = hold::until(facts, agent, target)?;
    let reading = readings.of(&target.category, held.map(|(_, day)| day))?;
    let window = &reading.window;
    let place = note::place(agent, &target.id);
    let mut notes = Vec::new();
    let fate = match (window.planned, window.waits_for_settlement) {
        (_, true) => {
            notes.push(note(note::WAITS, &place, "nothing is erased before the contract is settled"));
            Fate::Waits
        }
        (Some(_), false) if reading.unknown_duty.is_some() => {
            let duty = reading.unknown_duty.as_deref().unwrap_or(NO_RULE);
            let text = format!(
                "{duty} keeps it from a day that nobody has given: an instruction or a decision must say until when"
            );
            notes.push(note(note::NEEDS_PERIOD, &place, text));
            Fate::Waits
        }
        (None, false) => {
            notes.push(note(note::NEEDS_PERIOD, &place, needs_period(facts, window, target)));
            Fate::Waits
        }
        (Some(planned), false) => {
            // A hold makes nothing an obligation: what the rows let go within the year waits for it as a job.
            let by_rows =
                if held.is_some() { readings.of(&target.category, None)?.window.planned } else { Some(planned) };
            match reading.hours.filter(|_| by_rows <= Some(readings.horizon)) {
                Some(hours) => erased(facts.now, window, hours, planned),
                None => kept(window, planned),
            }
        }
    };
    let newest = facts.anchors.contract_ended.max(facts.anchors.customer_ended).filter(|_| fate != Fate::Waits);
    if let (Some(newest), Some(rule)) = (newest, &window.by_age) {
        let text = format!("{rule} lets each record go by its own age; what is left goes once one of {newest} is due");
        notes.push(note(note::BY_AGE, &place, text));
    }
    notes.extend(consequences(window, held.map(|(hold, _)| hold), &fate, &place));
    if target.mode == Mode::Observe {
        let text = "the host's admin allows looking only: nothing changes here until mode = \"act\"";
        notes.push(note(note::OBSERVE_MODE, &place, text));
    }
    if reading.expects_none {
        let text =
            format!("the provider's text says that no {} is collected, and here is a target of it", target.category);
        notes.push(note(note::UNEXPECTED, &place, text));
    }
    let restrictions = restrictions(&reading, (agent, target), &fate)?;
    notes.extend(restrictions.iter().map(|lock| note(note::RESTRICT, &place, by_hand(lock))));
    let rule = match &fate {
        Fate::Kept(keep) => keep.rule.clone(),
        Fate::Waits | Fate::Erased { .. } => window.rule.clone().unwrap_or_else(|| NO_RULE.to_owned()),
    };
    Ok(Live { agent, target, rule, fate, restrictions, notes })
}

fn needs_period(facts: &Facts<'_>, window: &Combined, target: &TargetInfo) -> String {
    let category = &target.category;
    if let Some(row) = facts.policy.by_instruction(category) {
        return format!(
            "{}: the period for {category} is agreed with each customer: an instruction must give it",
            row.id
        );
    }
    if let Some(row) = facts.policy.leaves_open(category).filter(|_| window.needs_period) {
        return format!("{} names no period for {category}: an instruction or a decision must give one", row.id);
    }
    if let Some(rule) = facts.policy.handled_first(category).filter(|_| !window.needs_period) {
        return format!(
            "{} lets each record of {category} go once somebody has handled it: what is left is for a person, and an instruction or a \
             decision must say when it goes",
            rule.id
        );
    }
    if window.needs_period {
        format!("no rule says how long {category} is held: an instruction or a decision must give a period")
    } else {
        format!(
            "no rule about {category} counts from a contract's end: an instruction or a decision must give a period"
        )
    }
}

fn erased(now: Instant, window: &Combined, (opens, closes): (Instant, Instant), planned: Day) -> Fate {
    let due = opens.max(now);
    let day = if due == opens { planned } else { day_of(due) };
    let until = (closes > due).then_some(closes);
    Fate::Erased { due, day, until, earliest: window.earliest, latest: window.latest }
}

/// The planned day is the obligation's: what a shorter duty would let go sooner is still promised until then.
fn kept(window: &Combined, planned: Day) -> Fate {
    let (rule, ground) = (window.rule.clone().unwrap_or_default(), window.ground.clone().unwrap_or_default());
    Fate::Kept(Keep { rule, ground, earliest: planned, latest: window.latest })
}

/// What is locked while it stays: by a rule of its own, and where a duty or a hold breaks a promise to forget (rule 2).
fn restrictions(
    reading: &Reading,
    (agent, target): (&AgentName, &TargetInfo),
    fate: &Fate,
) -> Result<Vec<Restriction>, CalendarError> {
    let until = fate.ends();
    let lock = reading.lock.clone();
    // While a settlement is missing, nobody knows yet which promise the last is.
    let broken = match &reading.window.unmet {
        Some(unmet) if *fate != Fate::Waits => Some((unmet.rule.clone(), day_after(unmet.latest)?)),
        Some(_) | None => None,
    };
    let both = lock.into_iter().chain(broken).filter(|(_, from)| until.is_none_or(|until| *from < until));
    let one = |(rule, from)| Restriction { agent: agent.clone(), target: target.id.clone(), rule, from, until };
    Ok(both.map(one).collect())
}

fn by_hand(lock: &Restriction) -> String {
    let until = lock.until.map_or_else(|| "until it is erased".to_owned(), |day| format!("until {day}"));
    format!(
        "{} asks that it is locked from {} {until}, and no driver can lock yet: the host's admin takes it out of everybody's \
         reach by hand",
        lock.rule, lock.from
    )
}

/// What a reader must know of the fate itself.
fn consequences(window: &Combined, held: Option<&Hold>, fate: &Fate, place: &str) -> Vec<Note> {
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
        let by = match held.filter(|_| window.held > window.keep.as_ref().map(|keep| keep.earliest)) {
            Some(hold) => format!("hold {}", hold.id),
            None => window.rule.clone().unwrap_or_else(|| NO_RULE.to_owned()),
        };
        let text = format!("{} promises {}; {by} forbids erasure{earliest}", unmet.rule, unmet.latest);
        notes.push(note(note::NOT_MET, place, text));
    }
    if let Fate::Erased { day, latest: Some(latest), .. } = fate
        && day > latest
    {
        let rule = window.rule.as_deref().unwrap_or(NO_RULE);
        notes.push(note(note::NOT_MET, place, format!("{rule} promised {latest}: late, so it is erased at once")));
    }
    notes
}
