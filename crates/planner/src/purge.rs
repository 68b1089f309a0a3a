//! The plan of one day's rolling purge: steps for each live target whose category's records leave by their own age, and how
//! old is too old at each. Owns which targets that are, which of the day's runs are still of use, and the notes on targets where
//! nothing is purged; refuses to know whose the records are. Upholds I1: the cuts are the policy's, and the checker draws them
//! anew.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use gallra_model::job::Action;
use gallra_model::plan::{Anchors, Note, Plan, Step};
use gallra_model::target::{Category, Inventory, Mode, TargetInfo, TargetKind};
use gallra_model::time::day_of;
use gallra_model::{AgentName, Day, Digest, Instant, JobId};
use gallra_policy::age::{Aged, Run, Unfit};
use gallra_policy::{CalendarError, Policy};

use crate::facts::{Facts, MAX_STEPS, PlanError};
use crate::note::{self, note};

/// Targets that one day's plan purges at each hour: what each run came to is in the day's statement, which is one value in the
/// store, at most 1.5 MB. A run takes about 2.2 kB of it, so these take 880 kB on the longest day.
pub const MAX_HOURLY: usize = 16;

/// Which days' sweeps a purge carries out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sweeps {
    /// The local day whose purge it is: from its daily sweep to the next day's.
    pub day: Day,
    /// The first day whose sweeps may not have been carried out; unset: every sweep that was.
    pub since: Option<Day>,
}

/// Whether a purge on this day would concern any target that agents report, purged or not.
///
/// # Errors
/// [`CalendarError::OutOfRange`] past the calendar's end.
pub fn concerns(policy: &Policy, inventories: &[Inventory], sweeps: Sweeps) -> Result<bool, CalendarError> {
    let mut ages = Ages { policy, sweeps, known: BTreeMap::new() };
    for target in inventories.iter().flat_map(|inventory| &inventory.targets).filter(|target| !target.kind.is_backup())
    {
        if !matches!(ages.of(&target.category)?, Aged::NoRule | Aged::NotToday) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What leaves by age, worked out once a category: a fleet has many targets and few categories.
struct Ages<'a> {
    policy: &'a Policy,
    sweeps: Sweeps,
    known: BTreeMap<&'a Category, Aged>,
}

impl<'a> Ages<'a> {
    fn of(&mut self, category: &'a Category) -> Result<&Aged, CalendarError> {
        match self.known.entry(category) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(new) => Ok(new.insert(self.policy.aged(category, self.sweeps.day, self.sweeps.since)?)),
        }
    }
}

/// Makes the plan of a day's purge. `facts` carry no dates: nobody ended. Of runs in hours that have passed only the last is
/// planned, since it takes all that those before it would have; a plan that says so already, under the same policy, is
/// not made anew because of the hours that have passed since.
///
/// # Errors
/// [`PlanError`] for facts that contradict each other, or dates past the calendar's end.
pub fn plan(facts: &Facts<'_>, sweeps: Sweeps) -> Result<Plan, PlanError> {
    facts.refuse_contradictory_reports()?;
    let same_policy = |before: &&Plan| before.purge.is_some() && before.policy == facts.policy.digest();
    if let Some(before) = facts.before.filter(same_policy) {
        let as_then = plan_from(facts, sweeps, before.made)?;
        if as_then.steps.iter().map(essence).eq(before.steps.iter().map(essence)) {
            return Ok(as_then);
        }
    }
    plan_from(facts, sweeps, facts.now)
}

/// What a step of a purge comes to, whenever it was planned.
fn essence(step: &Step) -> (&AgentName, &str, &str, Option<Instant>) {
    (&step.agent, step.target.as_str(), &step.rule, step.older_than)
}

/// The plan whose runs begin with the last one that had come at an instant.
fn plan_from(facts: &Facts<'_>, sweeps: Sweeps, begin: Instant) -> Result<Plan, PlanError> {
    let (mut steps, mut notes, mut hourly) = (Vec::new(), Vec::new(), 0);
    let mut ages = Ages { policy: facts.policy, sweeps, known: BTreeMap::new() };
    for inventory in facts.sorted() {
        for target in inventory.targets.iter().filter(|target| !target.kind.is_backup()) {
            let runs = match decide(&inventory.agent, target, ages.of(&target.category)?) {
                Fate::Outside => continue,
                Fate::Left(note) => {
                    notes.push(note);
                    continue;
                }
                Fate::Purged(runs) => runs,
            };
            hourly += usize::from(runs.len() > 1);
            if runs.len() > 1 && hourly > MAX_HOURLY {
                notes.push(too_many(&inventory.agent, target));
                continue;
            }
            for run in still_of_use(runs, begin) {
                let number = u32::try_from(steps.len() + 1).map_err(|_| PlanError::TooLarge)?;
                steps.push(step(facts, (&inventory.agent, target), number, (run, runs.len() > 1)));
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
        purge: Some(sweeps.day),
        steps,
        backups: Vec::new(),
        approvals: Vec::new(),
        restrictions: Vec::new(),
        holds: Vec::new(),
        notes,
        // It is nobody's: what the policy asks beside dates is asked for those whose plans these are.
        terms: Vec::new(),
        changes: Vec::new(),
    })
}

/// Runs from the last one that had come at an instant; all, where none had.
fn still_of_use(runs: &[Run], begin: Instant) -> &[Run] {
    let come = runs.iter().take_while(|run| run.at <= begin).count();
    runs.get(come.saturating_sub(1)..).unwrap_or_default()
}

/// What becomes of a target.
enum Fate<'a> {
    /// Its records do not leave by age, or not today.
    Outside,
    /// They should, and do not: somebody has to look.
    Left(Note),
    /// What is older goes, in these runs.
    Purged(&'a [Run]),
}

fn decide<'a>(agent: &AgentName, target: &TargetInfo, aged: &'a Aged) -> Fate<'a> {
    let place = note::place(agent, &target.id);
    let not_purged = |text: String| Fate::Left(note(note::NOT_PURGED, &place, text));
    let runs = match aged {
        Aged::NoRule | Aged::NotToday => return Fate::Outside,
        Aged::Left { rule, why: Unfit::Duty } => {
            return not_purged(format!(
                "{rule} keeps what is here from another day than the record's: nothing leaves by age"
            ));
        }
        Aged::Left { rule, why: Unfit::HandledFirst } => {
            return not_purged(format!(
                "{rule} lets each record go once it was handled: nothing leaves by its age alone; its sweep is today, for \
                 a person"
            ));
        }
        Aged::Runs(runs) => runs,
    };
    let rule = runs.first().map(|run| run.rule.as_str()).unwrap_or_default();
    if !has_ages(target.kind) && !target.purges {
        let kind = target.kind.as_str();
        return not_purged(format!(
            "{rule} promises that records leave by age, and nothing purges {kind} targets yet: the promise is not carried \
             out here, and the purge stays unfinished"
        ));
    }
    if !target.purges {
        return not_purged(format!(
            "{rule} promises that records leave by age, and the host lets nothing be purged here: agent.toml has no \
             youngest_purge_age"
        ));
    }
    if target.mode == Mode::Observe {
        let text = "the host's admin allows looking only: nothing is purged here until mode = \"act\"";
        return Fate::Left(note(note::OBSERVE_MODE, &place, text));
    }
    Fate::Purged(runs)
}

/// Whether there is a driver that tells the age of what is in such a target.
fn has_ages(kind: TargetKind) -> bool {
    match kind {
        TargetKind::AccessLog | TargetKind::Sql | TargetKind::Maildir => true,
        TargetKind::Files | TargetKind::Restic => false,
    }
}

fn too_many(agent: &AgentName, target: &TargetInfo) -> Note {
    let text = format!(
        "more than {MAX_HOURLY} targets fall under a rule in hours, more than a day's statement can hold: nothing is purged \
         here; merge targets in agent.toml"
    );
    note(note::NOT_PURGED, &note::place(agent, &target.id), text)
}

fn step(
    facts: &Facts<'_>,
    (agent, target): (&AgentName, &TargetInfo),
    number: u32,
    (run, hourly): (&Run, bool),
) -> Step {
    Step {
        number,
        job: job(facts, agent, target, hourly.then_some(run.at)),
        agent: agent.clone(),
        target: target.id.clone(),
        kind: target.kind,
        category: target.category.clone(),
        role: target.role,
        action: Action::Purge,
        rule: run.rule.clone(),
        due: run.at.max(facts.now),
        until: None,
        earliest: None,
        latest: Some(day_of(run.at)),
        after: Vec::new(),
        keep: None,
        older_than: Some(run.older_than),
    }
}

/// Derived, as every job's id: planning again gives the same one. `hour` tells the runs of one target from each other.
fn job(facts: &Facts<'_>, agent: &AgentName, target: &TargetInfo, hour: Option<Instant>) -> JobId {
    let number = facts.number.to_be_bytes();
    let mut parts: Vec<&[u8]> = vec![
        b"gallra-purge",
        facts.request.as_bytes(),
        &number,
        agent.as_str().as_bytes(),
        target.id.as_str().as_bytes(),
    ];
    let second = hour.map(|hour| hour.as_second().to_be_bytes());
    parts.extend(second.iter().map(<[u8; 8]>::as_slice));
    JobId::from_digest(&Digest::of_parts(&parts))
}
