//! Makes plans from what is stored: policy, anchors, inventories. The planning itself is `gallra-planner`'s; here are the
//! inputs, the second opinion before anything is issued, and the signature.

use gallra_flow::request::Input;
use gallra_model::Digest;
use gallra_model::envelope::Envelope;
use gallra_model::hold::Hold;
use gallra_model::plan::{Anchors, BackupExpectation, Held, Plan, Step};
use gallra_model::request::RequestState;
use gallra_model::target::{Inventory, TargetId, TargetInfo};
use gallra_model::{AgentName, RequestId};
use gallra_planner::Facts;
use gallra_policy::Policy;
use gallra_store::{Txn, keys};

use crate::core::{Along, Core, MAX_TRIES};
use crate::error::{CoreError, encode};
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
        let policy = self.policy().await?;
        let upheld = loaded.view.planned_under() == Some(policy.digest());
        // Once data has begun to go the plan stands: what is reported later is not in it, nor in the proof.
        if request.state >= RequestState::Running {
            let settled = upheld && !request.facts.legal_review;
            return if settled { Ok(false) } else { self.judge(loaded, &policy, upheld).await };
        }
        let inventories = self.inventories().await?;
        let holds = self.holds_on(request).await?;
        let plan = self.make_plan(loaded, &policy, &inventories, &holds)?;
        // A purge is signed for by its policy version: under another one it is another plan, whatever it does.
        let another = request.about.purge_day().is_some() && !upheld;
        let same = |current: &Plan| does_the_same(current, &plan) && says_the_same_holds(current, &plan);
        if !another && loaded.view.plan.as_ref().is_some_and(same) {
            if upheld {
                return Ok(false);
            }
            self.move_request(id, &Input::Upheld { policy: policy.digest() }).await?;
            return Ok(true);
        }
        let envelope =
            gallra_proof::plan::sign(&plan, &self.issuer).map_err(|error| CoreError::Crypto(error.to_string()))?;
        let digest = payload_digest(&envelope)?;
        let number = plan.number;
        let stored = encode(&envelope)?;
        let input = Input::Planned { plan: Box::new(plan), digest };
        self.apply(id, &input, |_| {
            Ok(Along { txn: Txn::new().create(keys::plan(id, number), stored.clone()), receipt: None })
        })
        .await?;
        gallra_crash::point("after_plan");
        Ok(true)
    }

    /// Compares the plan of a request whose data has begun to go with what another policy would do to the same targets.
    /// The policy that it was made under is right by itself.
    async fn judge(&self, loaded: &Loaded, policy: &Policy, upheld: bool) -> Result<bool, CoreError> {
        let (request, Some(current)) = (&loaded.view.request, &loaded.view.plan) else { return Ok(false) };
        let mut inventories = self.inventories().await?;
        for inventory in &mut inventories {
            let agent = inventory.agent.clone();
            inventory
                .targets
                .retain(|target| current.steps.iter().any(|step| step.agent == agent && step.target == target.id));
        }
        let signed = request.about.purge_day().is_none();
        // The policies are compared; what a hold stops is the guards' to say.
        let same = upheld
            || signed
                && self.make_plan(loaded, policy, &inventories, &[]).is_ok_and(|plan| does_the_same(current, &plan));
        if !same && request.facts.legal_review {
            return Ok(false);
        }
        let input = if same { Input::Upheld { policy: policy.digest() } } else { Input::Review };
        self.move_request(&request.id, &input).await?;
        Ok(true)
    }

    fn make_plan(
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
fn does_the_same(plan: &Plan, other: &Plan) -> bool {
    let of_step = |step: &Step| {
        let place = (step.agent.clone(), step.target.clone(), step.kind, step.category.clone());
        (place, step.action, step.rule.clone(), step.earliest, step.latest, step.keep.clone(), step.older_than)
    };
    let of_backup = |backup: &BackupExpectation| (backup.agent.clone(), backup.target.clone(), backup.life);
    plan.anchors == other.anchors
        && plan.steps.iter().map(of_step).eq(other.steps.iter().map(of_step))
        && plan.backups.iter().map(of_backup).eq(other.backups.iter().map(of_backup))
}

/// Whether the same holds lie on the same targets of both. That somebody reviewed one makes no other plan.
fn says_the_same_holds(plan: &Plan, other: &Plan) -> bool {
    let of_hold = |held: &Held| (held.hold, held.targets.clone(), held.expires);
    plan.holds.iter().map(of_hold).eq(other.holds.iter().map(of_hold))
}

/// SHA-256 of an envelope's payload.
///
/// # Errors
/// When the payload is no base64: damaged.
pub fn payload_digest(envelope: &Envelope) -> Result<Digest, CoreError> {
    gallra_proof::dsse::payload_digest(envelope).map_err(|error| CoreError::Crypto(error.to_string()))
}
