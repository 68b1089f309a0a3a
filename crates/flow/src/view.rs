//! Everything stored about one request, as one value: what the request's machine takes in and gives back. Owns the
//! questions that several machines ask of it, and changes nothing.

use gallra_model::copy::{CopyRecord, CopyState};
use gallra_model::job::Action;
use gallra_model::plan::{After, Plan, Step};
use gallra_model::request::{JobRecord, JobState, Obligation, Request, Under};
use gallra_model::target::{Instance, TargetId};
use gallra_model::{AgentName, Instant, JobId};

/// One request with all that hangs on it. Bounded by the plan's size and the number of copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The request.
    pub request: Request,
    /// Its current plan.
    pub plan: Option<Plan>,
    /// All jobs, those of earlier plans included.
    pub jobs: Vec<JobRecord>,
    /// The copies that it waits for.
    pub copies: Vec<CopyRecord>,
    /// What it leaves behind.
    pub obligations: Vec<Obligation>,
}

impl View {
    /// Under which rules the current plan was last found right.
    pub fn planned_under(&self) -> Option<Under> {
        self.request.planned_under.or_else(|| self.plan.as_ref().map(|plan| Under::policy(plan.policy)))
    }

    /// The current plan's jobs.
    pub fn current_jobs(&self) -> impl Iterator<Item = &JobRecord> {
        let plan = self.request.plan;
        self.jobs.iter().filter(move |job| Some(job.plan) == plan)
    }

    /// A job by its id.
    pub fn job(&self, id: JobId) -> Option<&JobRecord> {
        self.jobs.iter().find(|job| job.id() == id)
    }

    /// The current plan's job of a step.
    pub fn step_job(&self, number: u32) -> Option<&JobRecord> {
        self.current_jobs().find(|job| job.step.number == number)
    }

    /// What an inspection pinned a target's name to. `None`: no inspection has settled yet. `Some(None)`: one has, and
    /// nothing was there.
    pub fn inspected(&self, agent: &AgentName, target: &TargetId) -> Option<Option<Instance>> {
        self.current_jobs()
            .find(|job| {
                job.step.action == Action::Inspect
                    && job.step.agent == *agent
                    && job.step.target == *target
                    && job.state == JobState::Succeeded
            })
            .map(|job| job.instance)
    }

    /// Whether everything that a step waits for, apart from its own time, has come.
    pub fn may_start(&self, step: &Step) -> bool {
        step.after.iter().all(|after| match after {
            After::Step(number) => self.step_job(*number).is_some_and(|job| job.state == JobState::Succeeded),
            After::LiveConfirmed => self.request.live_confirmed.is_some(),
            After::CopiesGone => self.request.copies_gone.is_some(),
        })
    }

    /// Whether the plan changes anything at all: one that only inspects (it waits for settlement, or for a period) is
    /// not dated, and can never end in a proof.
    pub fn is_dated(&self) -> bool {
        self.current_jobs().any(|job| job.step.action.changes())
    }

    /// The jobs that must be settled before live data counts as confirmed gone: every change, and every confirm that
    /// follows one directly.
    pub fn live_jobs(&self) -> impl Iterator<Item = &JobRecord> {
        self.current_jobs().filter(|job| is_live(&job.step))
    }

    /// Copies that were not seen gone.
    pub fn copies_left(&self) -> impl Iterator<Item = &CopyRecord> {
        self.copies.iter().filter(|copy| !matches!(copy.state, CopyState::Gone { .. }))
    }

    /// When the last of the live jobs is due.
    pub fn last_live_due(&self) -> Option<Instant> {
        self.live_jobs().map(|job| job.step.due).max()
    }
}

/// Whether a step belongs to the live part: it changes data, or confirms a change before any copy is waited for.
pub fn is_live(step: &Step) -> bool {
    step.action.changes() || (step.action == Action::Confirm && !step.after.contains(&After::CopiesGone))
}
