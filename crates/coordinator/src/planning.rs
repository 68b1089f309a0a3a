//! Makes plans from what is stored: policy, anchors, inventories. The planning itself is `gallra-planner`'s; here are the
//! inputs, the second opinion before anything is issued, and the signature.

pub(crate) mod as_held;

use gallra_flow::request::Input;
use gallra_model::Digest;
use gallra_model::hold::Hold;
use gallra_model::plan::{Anchors, BackupExpectation, Held, Plan, Step};
use gallra_model::request::RequestState;
use gallra_model::target::{Inventory, TargetId, TargetInfo};
use gallra_model::{AgentName, Instant, RequestId};
use gallra_planner::Facts;
use gallra_policy::Policy;
use gallra_store::keys;

use crate::asked::digest_of;
use crate::core::{Along, Core, MAX_TRIES};
use crate::entered::{Turn, enter_plan};
use crate::error::{CoreError, encode};
use crate::leaks::unsigned;
use crate::policies::Ruled;
use crate::state::{self, Loaded};

impl Core {
    /// What every agent reported last, ordered by name.
    ///
    /// # Errors
    /// The store's.
    pub async fn inventories(&self) -> Result<Vec<Inventory>, CoreError> {
        state::all(&*self.store, &keys::inventories(), "inventory").await
    }

    /// One target as its agent reported it.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], or the store's.
    pub async fn target(&self, agent: &AgentName, target: &TargetId) -> Result<TargetInfo, CoreError> {
        let entry = self.store.get(&keys::inventory(agent)).await?.ok_or(CoreError::NotFound("agent"))?;
        let inventory: Inventory = crate::error::decode("inventory", &entry.value)?;
        inventory.targets.into_iter().find(|info| info.id == *target).ok_or(CoreError::NotFound("target"))
    }

    /// Plans a request anew when its dates, or what agents report, ask for another plan than it has. Returns whether it did.
    ///
    /// # Errors
    /// The planner's refusal or the checker's objection (the request stays open and says so), or the store's.
    pub async fn replan(&self, id: &RequestId) -> Result<bool, CoreError> {
        for _ in 0..MAX_TRIES {
            match self.try_replan(id).await {
                Err(CoreError::Outdated) => {}
                done => return done,
            }
        }
        Err(CoreError::Busy)
    }

    async fn try_replan(&self, id: &RequestId) -> Result<bool, CoreError> {
        let loaded = state::load(&*self.store, id).await?;
        let made = self.plan_anew(id, &loaded).await?;
        if loaded.view.request.about.purge_day().is_some() {
            self.approve_purge(id).await?;
        }
        Ok(made)
    }

    async fn plan_anew(&self, id: &RequestId, loaded: &Loaded) -> Result<bool, CoreError> {
        let request = &loaded.view.request;
        if request.done.is_some() || request.facts.cancelled {
            return Ok(false);
        }
        let ruled = match self.rules_of(request).await {
            // Nobody can say what holds: it shows, and nothing is erased until somebody has looked.
            Err(CoreError::Precondition(why)) => {
                if !request.facts.legal_review {
                    self.move_request(id, &Input::Review).await?;
                }
                return Err(CoreError::Precondition(why));
            }
            ruled => ruled?,
        };
        let upheld = loaded.view.planned_under() == Some(ruled.under);
        let settled = upheld && request.facts.legal_review == ruled.review;
        // Nothing is done under a plan of a log that ended, nor proven with what agents said of its jobs.
        let ended = self.is_of_an_ended_log(id).await?;
        // Once data has begun to go the plan stands: what is reported later is not in it, nor in the proof.
        if request.state >= RequestState::Running {
            return if settled { Ok(false) } else { self.judge(loaded, &ruled, upheld).await };
        }
        let inventories = self.inventories().await?;
        let holds = self.holds_on(request).await?;
        let plan = self.make_plan(loaded, &ruled.policy, &inventories, &holds)?;
        // A purge is signed for by its policy version: under another one it is another plan, whatever it does.
        let another = request.about.purge_day().is_some() && !upheld || ended;
        if !another && loaded.view.plan.as_ref().is_some_and(|current| says_the_same(current, &plan)) {
            if settled {
                return Ok(false);
            }
            self.move_request(id, &Input::Upheld { under: ruled.under, review: ruled.review }).await?;
            return Ok(true);
        }
        let (asked, said) = match self.say_asked(&loaded.view).await {
            Err(error) => return Err(self.refuse_to_sign(id, "request", error).await),
            said => said?,
        };
        let identifiers = self.identifiers(&loaded.view).await?;
        let envelope = match gallra_proof::plan::sign(&plan, asked.subject, &identifiers, &self.issuer.now()) {
            Err(error) => return Err(self.refuse_to_sign(id, "plan", unsigned(error)).await),
            Ok(envelope) => envelope,
        };
        let digest = digest_of(&envelope)?;
        let said = said.delete(keys::leak_of_statement(id, "request")).delete(keys::leak_of_statement(id, "plan"));
        let entered = enter_plan(said, &envelope, &plan, Turn::after(self.time.now(), 1))?;
        let number = plan.number;
        let stored = encode(&envelope)?;
        let input = Input::Planned { plan: Box::new(plan), digest, under: ruled.under, review: ruled.review };
        let applied = self
            .apply(id, &input, |_| {
                let txn = entered.clone().create(keys::plan(id, number), stored.clone());
                Ok(Along { txn, ..Along::default() })
            })
            .await;
        match applied {
            // Signed before the issuer's keys were changed, and not taken after: it is made and signed again.
            Err(CoreError::Busy) if self.is_overtaken(&envelope).await => return Err(CoreError::Outdated),
            applied => applied?,
        };
        crate::traces::planned(id, number);
        gallra_crash::point("after_plan");
        Ok(true)
    }

    /// Compares the plan of a request whose data has begun to go with what the rules that hold would do to the same targets.
    /// Those that it was made under are right by themselves.
    async fn judge(&self, loaded: &Loaded, ruled: &Ruled, upheld: bool) -> Result<bool, CoreError> {
        let (request, Some(current)) = (&loaded.view.request, &loaded.view.plan) else { return Ok(false) };
        let inventories = self.of_plan(loaded).await?;
        let signed = request.about.purge_day().is_none();
        // The policies are compared; what a hold stops now is the guards' to say.
        let holds = as_held::holds_of(current);
        let made_anew = || self.make_plan(loaded, &ruled.policy, &inventories, &holds);
        let same = upheld || signed && made_anew().is_ok_and(|plan| does_the_same(current, &plan));
        if !same && request.facts.legal_review {
            return Ok(false);
        }
        let upheld = Input::Upheld { under: ruled.under, review: ruled.review };
        let input = if same { upheld } else { Input::Review };
        self.move_request(&request.id, &input).await?;
        Ok(true)
    }

    /// What agents report of the targets that a request's plan knows: once data has begun to go no other is its.
    pub(crate) async fn of_plan(&self, loaded: &Loaded) -> Result<Vec<Inventory>, CoreError> {
        let steps = loaded.view.plan.as_ref().map(|plan| plan.steps.as_slice()).unwrap_or_default();
        let mut inventories = self.inventories().await?;
        for inventory in &mut inventories {
            let agent = inventory.agent.clone();
            inventory.targets.retain(|target| steps.iter().any(|step| step.agent == agent && step.target == target.id));
        }
        Ok(inventories)
    }

    pub(crate) fn make_plan(
        &self,
        loaded: &Loaded,
        policy: &Policy,
        inventories: &[Inventory],
        holds: &[Hold],
    ) -> Result<Plan, CoreError> {
        let request = &loaded.view.request;
        let current = request.plan.map(|plan| (plan.number, plan.digest));
        let facts = Facts {
            holds,
            before: loaded.view.plan.as_ref(),
            ..self.facts(policy, request.id, current, request.anchors, inventories)
        };
        let refused = |error: gallra_planner::PlanError| CoreError::Precondition(error.to_string());
        let (plan, problems) = match request.about.purge_day() {
            None => {
                let plan = gallra_planner::plan(&facts).map_err(refused)?;
                let problems = gallra_planner::check(&plan, &facts);
                (plan, problems)
            }
            Some(day) => {
                let sweeps = gallra_planner::purge::Sweeps { day, since: request.about.purge_since() };
                let plan = gallra_planner::purge::plan(&facts, sweeps).map_err(refused)?;
                let problems = gallra_planner::check_purge(&plan, &facts, sweeps);
                (plan, problems)
            }
        };
        if let Some(problem) = problems.first() {
            return Err(CoreError::Precondition(format!("the checker objects to the plan: {problem}")));
        }
        Ok(plan)
    }

    /// The planner's view of now, of a request without a plan and without a hold.
    pub fn facts<'a>(
        &self,
        policy: &'a Policy,
        request: RequestId,
        current: Option<(u32, Digest)>,
        anchors: Anchors,
        inventories: &'a [Inventory],
    ) -> Facts<'a> {
        Facts {
            request,
            number: current.map_or(1, |(number, _)| number + 1),
            parent: current.map(|(_, digest)| digest),
            now: self.time.now(),
            clock: self.time.kind(),
            anchors,
            policy,
            inventories,
            holds: &[],
            before: None,
        }
    }
}

/// Whether two plans do the same: the same steps on the same targets by the same dates, and the same hopes for backups.
/// Their numbers, and when steps that are due at once were found due, do not count.
pub(crate) fn does_the_same(plan: &Plan, other: &Plan) -> bool {
    let of_step = |step: &Step| {
        let place = (step.agent.clone(), step.target.clone(), step.kind, step.category.clone());
        (place, step.action, step.rule.clone(), step.earliest, step.latest, step.keep.clone(), step.older_than)
    };
    let of_backup = |backup: &BackupExpectation| (backup.agent.clone(), backup.target.clone(), backup.life);
    plan.anchors == other.anchors
        && plan.steps.iter().map(of_step).eq(other.steps.iter().map(of_step))
        && plan.steps.iter().zip(&other.steps).all(|(step, again)| at_the_same_time((plan, step), (other, again)))
        && plan.backups.iter().map(of_backup).eq(other.backups.iter().map(of_backup))
}

/// Whether two steps come in the same hours, as far as both plans were made before them: a window that was moved is another plan.
fn at_the_same_time((plan, step): (&Plan, &Step), (other, again): (&Plan, &Step)) -> bool {
    let ahead = |plan: &Plan, step: &Step| Some(step.due).filter(|due| *due > plan.made);
    let agree = |one: Option<Instant>, two: Option<Instant>| one.zip(two).is_none_or(|(one, two)| one == two);
    agree(ahead(plan, step), ahead(other, again)) && agree(step.until, again.until)
}

/// Whether the same holds lie on the same targets of both. That somebody reviewed one makes no other plan.
fn says_the_same_holds(plan: &Plan, other: &Plan) -> bool {
    let of_hold = |held: &Held| (held.hold, held.targets.clone(), held.expires);
    plan.holds.iter().map(of_hold).eq(other.holds.iter().map(of_hold))
}

/// Whether two plans say the same, too: of holds, of locks, and of what must be said first.
fn says_the_same(plan: &Plan, other: &Plan) -> bool {
    does_the_same(plan, other)
        && says_the_same_holds(plan, other)
        && plan.restrictions == other.restrictions
        && plan.approvals == other.approvals
}
