//! The plan of one day's rolling purge: a step for each live target whose category's records leave by their own age, and
//! how old is too old. Owns which targets that are, and the notes on those where nothing is purged; refuses to know whose
//! the records are. Upholds I1: the cut is the policy's, and the checker draws it anew.

use gallra_model::job::Action;
use gallra_model::plan::{Anchors, Note, Plan, Step};
use gallra_model::target::{Inventory, Mode, TargetInfo};
use gallra_model::time::start_of;
use gallra_model::{AgentName, Day, Digest, Instant, JobId};
use gallra_policy::age::{Aged, Unfit};
use gallra_policy::calendar::daily_sweep;
use gallra_policy::{CalendarError, Policy};

use crate::facts::{Facts, MAX_STEPS, PlanError};
use crate::note::{self, note};
use crate::order::evidence_keys;

/// Whether a purge on this day would concern any target that agents report, purged or not.
///
/// # Errors
/// [`CalendarError::OutOfRange`] past the calendar's end.
pub fn concerns(policy: &Policy, inventories: &[Inventory], day: Day) -> Result<bool, CalendarError> {
    for target in inventories.iter().flat_map(|inventory| &inventory.targets).filter(|target| !target.kind.is_backup())
    {
        if policy.aged(&target.category, day)? != Aged::NoRule {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Makes the plan of the purge on a local day. `facts` carry no dates: nobody ended.
///
/// # Errors
/// [`PlanError`] for facts that contradict each other, or dates past the calendar's end.
pub fn plan(facts: &Facts<'_>, day: Day) -> Result<Plan, PlanError> {
    facts.refuse_contradictory_reports()?;
    let (mut steps, mut notes) = (Vec::new(), Vec::new());
    let due = daily_sweep(day)?.max(facts.now);
    for inventory in facts.sorted() {
        for target in inventory.targets.iter().filter(|target| !target.kind.is_backup()) {
            match decide(facts.policy, &inventory.agent, target, day)? {
                Fate::Outside => {}
                Fate::Left(note) => notes.push(note),
                Fate::Purged { rule, older_than } => {
                    let number = u32::try_from(steps.len() + 1).map_err(|_| PlanError::TooLarge)?;
                    steps.push(step(facts, (&inventory.agent, target), number, (rule, older_than), (due, day)));
                }
            }
        }
    }
    if steps.len() > MAX_STEPS {
        return Err(PlanError::TooLarge);
    }
    Ok(Plan {
        request: facts.request,
        number: facts.number,
        parent: facts.parent,
        policy: facts.policy.digest(),
        made: facts.now,
        clock: facts.clock,
        anchors: Anchors::default(),
        purge: Some(day),
        agents: evidence_keys(facts, &steps),
        steps,
        backups: Vec::new(),
        approvals: Vec::new(),
        restrictions: Vec::new(),
        holds: Vec::new(),
        notes,
        changes: Vec::new(),
    })
}

/// What becomes of a target.
enum Fate {
    /// Its records do not leave by age.
    Outside,
    /// They should, and do not: somebody has to look.
    Left(Note),
    /// What is older goes.
    Purged { rule: String, older_than: Instant },
}

fn decide(policy: &Policy, agent: &AgentName, target: &TargetInfo, day: Day) -> Result<Fate, CalendarError> {
    let place = note::place(agent, &target.id);
    let (rule, first_kept) = match policy.aged(&target.category, day)? {
        Aged::NoRule => return Ok(Fate::Outside),
        Aged::Left { rule, why } => {
            let text = match why {
                Unfit::Duty => {
                    format!("{rule} keeps what is here from another day than the record's: nothing leaves by age")
                }
                Unfit::Hours => {
                    format!("{rule} counts in hours: no sweep by the day carries it out, so nothing leaves")
                }
                Unfit::HandledFirst => {
                    format!("{rule} lets each record go once it was handled: nothing leaves by its age alone")
                }
            };
            return Ok(Fate::Left(note(note::NOT_PURGED, &place, text)));
        }
        Aged::Before { rule, first_kept } => (rule, first_kept),
    };
    if !target.purges {
        let text = format!("{rule} promises that records leave by age, and the host lets nothing be purged here");
        return Ok(Fate::Left(note(note::NOT_PURGED, &place, text)));
    }
    if target.mode == Mode::Observe {
        let text = "the host's admin allows looking only: nothing is purged here until mode = \"act\"";
        return Ok(Fate::Left(note(note::OBSERVE_MODE, &place, text)));
    }
    let older_than = start_of(first_kept).map_err(|_| CalendarError::OutOfRange)?;
    Ok(Fate::Purged { rule, older_than })
}

fn step(
    facts: &Facts<'_>,
    (agent, target): (&AgentName, &TargetInfo),
    number: u32,
    (rule, older_than): (String, Instant),
    (due, day): (Instant, Day),
) -> Step {
    Step {
        number,
        job: job(facts, agent, target),
        agent: agent.clone(),
        target: target.id.clone(),
        kind: target.kind,
        category: target.category.clone(),
        role: target.role,
        action: Action::Purge,
        rule,
        due,
        until: None,
        earliest: None,
        latest: Some(day),
        after: Vec::new(),
        keep: None,
        older_than: Some(older_than),
    }
}

/// Derived, as every job's id: planning again gives the same one.
fn job(facts: &Facts<'_>, agent: &AgentName, target: &TargetInfo) -> JobId {
    JobId::from_digest(&Digest::of_parts(&[
        b"gallra-purge",
        facts.request.as_bytes(),
        &facts.number.to_be_bytes(),
        agent.as_str().as_bytes(),
        target.id.as_str().as_bytes(),
    ]))
}
