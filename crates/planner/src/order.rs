//! The plan itself: decisions put in order, numbered, and given job ids. Owns which step waits for which.
//!
//! Order: look at everything, then erase and confirm by due time, then preserve what stays, then watch copies, then
//! look again once they are gone.

use gallra_model::job::{Action, Keep};
use gallra_model::plan::{After, Note, Plan, Step};
use gallra_model::target::TargetInfo;
use gallra_model::{AgentName, Day, Digest, Instant, JobId};

use crate::backup::{self, Backup, Copies};
use crate::change::changes;
use crate::facts::{Facts, MAX_STEPS, MAX_TERMS, PlanError};
use crate::live::{self, Fate, Live};
use crate::reading::Readings;
use crate::{hold, said};

/// Makes the plan that these facts lead to: the same facts, the same plan.
///
/// # Errors
/// [`PlanError`] for facts that contradict each other, that bind no target, or whose dates pass the calendar's end.
pub fn plan(facts: &Facts<'_>) -> Result<Plan, PlanError> {
    facts.refuse_contradictions()?;
    let mut lives = Vec::new();
    let mut readings = Readings::new(facts)?;
    let mut backups = Vec::new();
    let mut of_kept: Vec<Note> = Vec::new();
    for inventory in facts.sorted() {
        let bound = inventory.targets.iter().filter(|target| !target.kind.is_backup() && facts.binds(target));
        for target in bound {
            lives.push(live::decide(facts, &mut readings, &inventory.agent, target)?);
        }
        for target in inventory.targets.iter().filter(|target| target.kind.is_backup()) {
            match backup::decide(facts, &inventory.agent, target, &lives)? {
                Copies::Outside => {}
                Copies::Kept(notes) => of_kept.extend(notes),
                Copies::Expected(backup) => backups.push(*backup),
            }
        }
    }
    if lives.is_empty() {
        return Err(PlanError::NoTarget);
    }
    let steps = Steps::new(facts).ordered(&lives, &backups);
    if steps.len() > MAX_STEPS {
        return Err(PlanError::TooLarge);
    }
    let (holds, mut notes) = hold::said(facts, &lives);
    notes.extend(said::instructions(facts, &lives, !backups.is_empty()));
    let terms = said::terms(facts, &lives, !backups.is_empty());
    if terms.len() > MAX_TERMS {
        return Err(PlanError::TooManyTerms);
    }
    let approvals = said::approvals(facts, &steps);
    let (expectations, about_copies): (Vec<_>, Vec<_>) =
        backups.into_iter().map(|backup| (backup.expectation, backup.notes)).unzip();
    let (locks, about_lives): (Vec<_>, Vec<_>) = lives.into_iter().map(|live| (live.restrictions, live.notes)).unzip();
    notes.extend(about_lives.into_iter().chain(about_copies).flatten().chain(of_kept));
    let made = Plan {
        request: facts.request,
        number: facts.number,
        parent: facts.parent,
        policy: facts.policy.digest(),
        made: facts.now,
        clock: facts.clock,
        anchors: facts.anchors,
        purge: None,
        steps,
        backups: expectations,
        approvals,
        restrictions: locks.into_iter().flatten().collect(),
        holds,
        notes,
        terms,
        changes: Vec::new(),
    };
    Ok(match facts.before {
        Some(before) => Plan { changes: changes(before, &made), ..made },
        None => made,
    })
}

/// Where a step happens, and under which rule.
#[derive(Clone, Copy)]
struct Place<'a> {
    agent: &'a AgentName,
    target: &'a TargetInfo,
    rule: &'a str,
}

/// What a step does, and when.
#[derive(Default)]
struct Timing {
    after: Vec<After>,
    until: Option<Instant>,
    earliest: Option<Day>,
    latest: Option<Day>,
    keep: Option<Keep>,
}

impl Timing {
    fn after(after: After) -> Self {
        Self { after: vec![after], ..Self::default() }
    }
}

/// Numbers steps as they come.
struct Steps<'f> {
    facts: &'f Facts<'f>,
    made: Vec<Step>,
}

impl<'f> Steps<'f> {
    fn new(facts: &'f Facts<'f>) -> Self {
        // Most plans have fewer steps: moving what is there is most of what pushing a step costs.
        Self { facts, made: Vec::with_capacity(64) }
    }

    fn ordered(mut self, lives: &[Live<'_>], backups: &[Backup<'_>]) -> Vec<Step> {
        let now = self.facts.now;
        let inspected: Vec<_> = lives.iter().map(|live| self.inspect(place(live))).collect();
        for backup in backups {
            self.inspect(place_of_copies(backup));
        }
        let mut looked: Vec<_> = lives.iter().zip(inspected).collect();
        // Stable: targets due at the same time stay in the order of their inventories.
        looked.sort_by_key(|(live, _)| live.erased());
        for (live, inspect) in &looked {
            self.erase(live, *inspect);
        }
        let last_due = lives.iter().filter_map(Live::erased).max().unwrap_or(now);
        for (live, inspect) in &looked {
            self.preserve(live, *inspect, last_due);
        }
        for backup in backups.iter().filter(|backup| backup.observed) {
            let timing = Timing { latest: backup.expectation.latest, ..Timing::after(After::LiveConfirmed) };
            self.add(place_of_copies(backup), Action::Observe, now, timing);
        }
        for (live, _) in &looked {
            if let Some(due) = live.erased() {
                self.add(place(live), Action::Confirm, due, Timing::after(After::CopiesGone));
            }
        }
        self.made
    }

    fn inspect(&mut self, place: Place<'_>) -> u32 {
        self.add(place, Action::Inspect, self.facts.now, Timing::default())
    }

    fn erase(&mut self, live: &Live<'_>, inspect: u32) {
        let Fate::Erased { due, until, earliest, latest, .. } = live.fate else { return };
        let timing = Timing { until, earliest, latest, ..Timing::after(After::Step(inspect)) };
        let erase = self.add(place(live), Action::Erase, due, timing);
        self.add(place(live), Action::Confirm, due, Timing::after(After::Step(erase)));
    }

    fn preserve(&mut self, live: &Live<'_>, inspect: u32, due: Instant) {
        let Fate::Kept(keep) = &live.fate else { return };
        let timing = Timing {
            earliest: Some(keep.earliest),
            latest: keep.latest,
            keep: Some(keep.clone()),
            ..Timing::after(After::Step(inspect))
        };
        self.add(place(live), Action::Preserve, due, timing);
    }

    fn add(&mut self, place: Place<'_>, action: Action, due: Instant, timing: Timing) -> u32 {
        let number = u32::try_from(self.made.len()).unwrap_or(u32::MAX).saturating_add(1);
        self.made.push(Step {
            number,
            job: self.job(number, place, action),
            agent: place.agent.clone(),
            target: place.target.id.clone(),
            kind: place.target.kind,
            category: place.target.category.clone(),
            role: place.target.role,
            action,
            rule: place.rule.to_owned(),
            due,
            until: timing.until,
            earliest: timing.earliest,
            latest: timing.latest,
            after: timing.after,
            keep: timing.keep,
            older_than: None,
        });
        number
    }

    /// Derived, so that planning again gives the same job; hashed, so that agents cannot tell which jobs belong together.
    fn job(&self, number: u32, place: Place<'_>, action: Action) -> JobId {
        JobId::from_digest(&Digest::of_parts(&[
            b"gallra-job",
            self.facts.request.as_bytes(),
            &self.facts.number.to_be_bytes(),
            &number.to_be_bytes(),
            place.agent.as_str().as_bytes(),
            place.target.id.as_str().as_bytes(),
            action.as_str().as_bytes(),
        ]))
    }
}

fn place<'a>(live: &'a Live<'_>) -> Place<'a> {
    Place { agent: live.agent, target: live.target, rule: &live.rule }
}

fn place_of_copies<'a>(backup: &'a Backup<'_>) -> Place<'a> {
    Place { agent: backup.agent, target: backup.target, rule: &backup.expectation.rule }
}
