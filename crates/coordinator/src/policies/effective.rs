//! Which rules hold for a request: of the versions in force since its contract's and its customer's last day those that reach
//! it (combination rule 9), with the customer's instructions carried out. What a permit compares is in `Under`: it names all
//! that these rules follow from, as the store says it in the permit's own transaction.

use std::sync::Arc;

use gallra_model::hold::Instructed;
use gallra_model::plan::Anchors;
use gallra_model::request::{Request, Under};
use gallra_model::time::day_of;
use gallra_model::{CustomerId, Day};
use gallra_policy::succession::{Version, effective};
use gallra_policy::{Bound, Policy};
use gallra_store::keys;

use super::{InForce, Turn, recall, remember};
use crate::core::Core;
use crate::error::CoreError;
use crate::guards;
use crate::instructions::Carried;

/// The rules that hold for one request.
pub struct Ruled {
    /// They themselves.
    pub policy: Arc<Policy>,
    /// What they follow from.
    pub under: Under,
    /// Whether an approver has to accept an instruction before anything is erased by them.
    pub review: bool,
}

/// A version that is not in force, and from when on it would be.
#[derive(Clone)]
pub struct Supposed {
    /// Its rules.
    pub policy: Arc<Policy>,
    /// The first local day on which it would be in force.
    pub since: Day,
    /// Whether its longer periods would reach contracts that had ended.
    pub reaches_ended: bool,
}

/// What versions come to for somebody: how many were in force by the contract's last day, how many by the customer's, and how
/// many are looked at.
pub(super) type Standpoint = (usize, usize, usize);

impl Core {
    /// The rules that hold for a request now.
    ///
    /// # Errors
    /// [`CoreError::Precondition`] where an instruction cannot be carried out under the policy: then nobody can say what holds.
    /// [`CoreError::Outdated`] where the day of others has come. The store's.
    pub async fn rules_of(&self, request: &Request) -> Result<Ruled, CoreError> {
        let in_force = self.in_force().await?;
        if in_force.is_over(day_of(self.time.now())) {
            return Err(CoreError::Outdated);
        }
        let Some(parties) = request.about.parties() else {
            let policy = self.policy_version(&in_force.digest).await?;
            return Ok(Ruled { policy, under: Under::policy(in_force.digest), review: false });
        };
        self.rules_at(&in_force, &parties.customer, &request.anchors).await
    }

    /// The rules that hold for a customer's contract with these last days.
    ///
    /// # Errors
    /// As [`Core::rules_of`].
    pub async fn rules_at(
        &self,
        in_force: &InForce,
        customer: &CustomerId,
        anchors: &Anchors,
    ) -> Result<Ruled, CoreError> {
        let instructed = self.instructed_today(customer).await?;
        let policy = self.reaching(in_force, anchors).await?;
        let mut carried = self.carry_out(&policy, customer, instructed).await?;
        let instructions = instructed.and_then(|instructed| instructed.digest);
        if instructions.is_some() && policy.digest() != in_force.digest {
            let now = self.policy_version(&in_force.digest).await?;
            let turns = self.turns(in_force).await?;
            let mut versions = Vec::with_capacity(turns.len());
            for turn in turns.iter() {
                versions.push((self.past_version(&turn.digest).await?, turn.since, turn.reaches_ended));
            }
            let of_now = self.carry_out(&now, customer, instructed).await?;
            carried.review |= of_now.review || overlooks(&carried.policy, &now, &at_ends(&versions, anchors));
        }
        let under = Under { policy: in_force.digest, turn: in_force.turn, instructions };
        Ok(Ruled { policy: carried.policy, under, review: carried.review })
    }

    /// The rules that would hold for it.
    ///
    /// # Errors
    /// As [`Core::rules_of`].
    pub async fn rules_supposing(&self, request: &Request, supposed: &Supposed) -> Result<Carried, CoreError> {
        let Some(parties) = request.about.parties() else {
            return Ok(Carried { policy: Arc::clone(&supposed.policy), review: false });
        };
        let in_force = self.in_force().await?;
        let turns = self.turns(&in_force).await?;
        let mut policies = Vec::with_capacity(turns.len() + 1);
        for turn in turns.iter() {
            policies.push((self.past_version(&turn.digest).await?, turn.since, turn.reaches_ended));
        }
        if policies.is_empty() {
            policies.push((self.policy_version(&in_force.digest).await?, None, false));
        }
        for waiting in in_force.waiting.iter().filter(|waiting| waiting.day <= supposed.since) {
            policies.push((self.policy_version(&waiting.digest).await?, Some(waiting.day), waiting.reaches_ended));
        }
        policies.push((Arc::clone(&supposed.policy), Some(supposed.since), supposed.reaches_ended));
        let policy = folded(&policies, &request.anchors)?;
        let instructed = self.instructed_today(&parties.customer).await?;
        let mut carried = self.carry_out(&policy, &parties.customer, instructed).await?;
        if instructed.is_some_and(|instructed| instructed.digest.is_some())
            && policy.digest() != supposed.policy.digest()
        {
            let of_then = self.carry_out(&supposed.policy, &parties.customer, instructed).await?;
            let ends = at_ends(&policies, &request.anchors);
            carried.review |= of_then.review || overlooks(&carried.policy, &supposed.policy, &ends);
        }
        Ok(carried)
    }

    /// What a permit compares: the rules that hold for a request as the guards and the store say. None where the day of
    /// others has come, and nobody has put them into force yet.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn under_now(&self, request: &Request, guards: &guards::Read) -> Result<Option<Under>, CoreError> {
        let today = day_of(self.time.now());
        let in_force = self.in_force().await?;
        let instructed = guards.instructed();
        if in_force.is_over(today) || instructed.is_some_and(|instructed| is_over(&instructed, today)) {
            return Ok(None);
        }
        if request.about.parties().is_none() {
            return Ok(Some(Under::policy(in_force.digest)));
        }
        let instructions = instructed.and_then(|instructed| instructed.digest);
        Ok(Some(Under { policy: in_force.digest, turn: in_force.turn, instructions }))
    }

    /// Which of a customer's instructions hold today.
    async fn instructed_today(&self, customer: &CustomerId) -> Result<Option<Instructed>, CoreError> {
        let read =
            async || Ok::<_, CoreError>(guards::one(&*self.store, &keys::guard_customer(customer)).await?.1.instructed);
        let instructed = read().await?;
        if !instructed.is_some_and(|instructed| is_over(&instructed, day_of(self.time.now()))) {
            return Ok(instructed);
        }
        self.count_instructions_anew(customer).await?;
        read().await
    }

    /// The versions that reach a contract and a customer with these last days.
    async fn reaching(&self, in_force: &InForce, anchors: &Anchors) -> Result<Arc<Policy>, CoreError> {
        let now = self.policy_version(&in_force.digest).await?;
        let turns = self.turns(in_force).await?;
        let covered = usize::try_from(in_force.turn).unwrap_or(usize::MAX).saturating_add(1).min(turns.len());
        let turns = turns.get(..covered).unwrap_or_default();
        let by = |end: Option<Day>| {
            let begun = |turn: &&Turn| turn.since.is_none_or(|since| end.is_none_or(|end| since <= end));
            turns.iter().filter(begun).count()
        };
        let (contract, customer) = (by(anchors.contract_ended), by(anchors.customer_ended));
        // Nothing came after either end.
        if contract == covered && customer == covered {
            return Ok(now);
        }
        let at = |upto: usize| (contract.min(upto), customer.min(upto), upto);
        // What was found for the version before is where the next one begins.
        let known = (1..=covered).rev().find_map(|upto| Some((upto, recall(&self.rules.effective, &at(upto))?)));
        let (from, mut policies) = match known {
            Some((upto, policy)) => (upto, vec![(policy, None, true)]),
            None => (0, Vec::new()),
        };
        for turn in turns.get(from..).unwrap_or_default() {
            policies.push((self.past_version(&turn.digest).await?, turn.since, turn.reaches_ended));
        }
        let policy = folded(&policies, anchors)?;
        remember(&self.rules.effective, at(covered), &policy);
        Ok(policy)
    }
}

fn folded(policies: &[(Arc<Policy>, Option<Day>, bool)], anchors: &Anchors) -> Result<Arc<Policy>, CoreError> {
    let versions: Vec<_> = policies
        .iter()
        .map(|(policy, since, reaches_ended)| Version { policy, since: *since, reaches_ended: *reaches_ended })
        .collect();
    let policy = effective(&versions, anchors.contract_ended, anchors.customer_ended);
    policy.map(Arc::new).ok_or(CoreError::NotFound("policy version"))
}

/// The versions that were in force on the last days.
fn at_ends(versions: &[(Arc<Policy>, Option<Day>, bool)], anchors: &Anchors) -> Vec<Arc<Policy>> {
    let on = |end: Day| {
        let begun = |(_, since, _): &&(Arc<Policy>, Option<Day>, bool)| since.is_none_or(|since| since <= end);
        versions.iter().rfind(begun).or(versions.first()).map(|(policy, ..)| Arc::clone(policy))
    };
    [anchors.contract_ended, anchors.customer_ended].into_iter().flatten().filter_map(on).collect()
}

/// Whether a promise decides in a category beside what the instructions replaced there that not every version has which
/// counts here: a row that is called otherwise by now stands twice in what holds, and who gave the instruction knew of one.
fn overlooks(carried: &Policy, now: &Policy, at_ends: &[Arc<Policy>]) -> bool {
    let replaced = || carried.instructions().iter().flat_map(|applied| &applied.replaced);
    let everywhere = |id: &str| now.rule(id).is_some() && at_ends.iter().all(|policy| policy.rule(id).is_some());
    replaced().flat_map(|deviation| carried.rules_for(&deviation.category)).any(|rule| {
        rule.decides()
            && rule.bound != Bound::Keep
            && !replaced().any(|deviation| deviation.rule == rule.id)
            && !everywhere(&rule.id)
    })
}

/// Whether the day of others has come.
pub(crate) fn is_over(instructed: &Instructed, today: Day) -> bool {
    instructed.changes.is_some_and(|day| day <= today)
}
