//! Holds that lie on live targets (combination rules 1, 2 and 5): which one covers which target, until when, and how the plan
//! says so. A hold with an end binds as a duty does until the day after; one without leaves the step its day, since it runs
//! when the hold is released, and permits are stopped elsewhere. Upholds I1.

use gallra_model::hold::{Hold, Level};
use gallra_model::plan::{Held, Note};
use gallra_model::target::TargetInfo;
use gallra_model::{AgentName, Day};
use gallra_policy::CalendarError;
use gallra_policy::calendar::day_after;

use crate::facts::Facts;
use crate::live::Live;
use crate::note::{self, note};

/// Holds that lie, by id, each once: the order in which they came in leaves no trace in the plan.
pub(crate) fn lying(holds: &[Hold]) -> Vec<&Hold> {
    let mut lying: Vec<_> = holds.iter().filter(|hold| hold.released.is_none()).collect();
    lying.sort_by_key(|hold| hold.id);
    lying.dedup_by_key(|hold| hold.id);
    lying
}

/// Whether a hold covers a live target of the request that it lies on.
fn covers(level: &Level, agent: &AgentName, target: &TargetInfo) -> bool {
    match level {
        Level::Global | Level::Customer { .. } | Level::Contract { .. } | Level::Request { .. } => true,
        Level::Category { category } => *category == target.category,
        Level::Target { agent: own, target: id } => own == agent && *id == target.id,
    }
}

/// The hold that ends last of those that have an end and cover a target, and the first day on which it lies no more.
pub(crate) fn until<'a>(
    facts: &Facts<'a>,
    agent: &AgentName,
    target: &TargetInfo,
) -> Result<Option<(&'a Hold, Day)>, CalendarError> {
    if facts.holds.is_empty() {
        return Ok(None);
    }
    let ending = lying(facts.holds).into_iter().filter(|hold| covers(&hold.level, agent, target));
    let last = ending.filter_map(|hold| Some((hold, hold.expires?))).max_by_key(|(hold, day)| (*day, hold.id));
    last.map(|(hold, day)| Ok((hold, day_after(day)?))).transpose()
}

/// What the plan says of the holds that cover any of its live targets.
pub(crate) fn said(facts: &Facts<'_>, lives: &[Live<'_>]) -> (Vec<Held>, Vec<Note>) {
    let (mut held, mut notes) = (Vec::new(), Vec::new());
    for hold in lying(facts.holds) {
        let covered = lives.iter().filter(|live| covers(&hold.level, live.agent, live.target));
        let mut targets: Vec<_> = covered.map(|live| note::place(live.agent, &live.target.id)).collect();
        if targets.is_empty() {
            continue;
        }
        if !matches!(hold.level, Level::Category { .. } | Level::Target { .. }) {
            targets.clear();
            notes.push(note(note::HELD, "", sentence(hold)));
        }
        notes.extend(targets.iter().map(|place| note(note::HELD, place, sentence(hold))));
        held.push(Held { hold: hold.id, targets, review: hold.review, expires: hold.expires });
    }
    (held, notes)
}

/// Why it lies is not said: a plan goes with its proof to whom it is about, and an order to preserve may have to stay unknown.
fn sentence(hold: &Hold) -> String {
    let end = match hold.expires {
        Some(day) => format!("nothing here is erased before the end of {day}"),
        None => "nothing here is erased until it is released, and then what is overdue is".to_owned(),
    };
    let review = hold.review.map_or_else(|| "no review day".to_owned(), |day| format!("review on {day}"));
    format!("hold {}: {end}; {review}", hold.id)
}
