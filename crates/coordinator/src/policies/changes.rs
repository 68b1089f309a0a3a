//! What a version would do to requests that are open, before anybody applies it: each is planned under it with the customer's
//! instructions, and compared with the plan that it has. Nothing is written. One page of requests at a time (I10).

use std::collections::BTreeMap;
use std::sync::Arc;

use gallra_model::job::Action;
use gallra_model::plan::{Plan, Step};
use gallra_model::request::{Request, RequestState};
use gallra_model::target::{Category, Inventory, TargetId};
use gallra_model::time::day_of;
use gallra_model::{AgentName, Day, Digest, RequestId};
use gallra_store::{KeyRange, keys};

use super::{StoredPolicy, Supposed};
use crate::core::Core;
use crate::error::{CoreError, decode};
use crate::planning::as_held::holds_of;
use crate::state;

/// Requests looked at for one page.
const PAGE: usize = 100;

/// What would become of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The request.
    pub request: RequestId,
    /// Where it stands.
    pub state: RequestState,
    /// Data has begun to go: it would stop, and show `legal_review`.
    pub stops: bool,
    /// Why no plan could be made; empty where one could.
    pub refused: String,
    /// The targets to which something else would happen.
    pub targets: Vec<TargetChange>,
}

/// What would become of one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetChange {
    /// The agent.
    pub agent: AgentName,
    /// The target.
    pub target: TargetId,
    /// Its category.
    pub category: Category,
    /// What happens to it now; unset where its plan does not know it.
    pub before: Option<Fate>,
    /// What would; unset where the new plan does not know it.
    pub after: Option<Fate>,
}

/// What happens to a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// `erase`, `keep`, `purge`, `watch` (copies) or `wait`.
    pub does: &'static str,
    /// Under which rule.
    pub rule: String,
    /// The local day on which it is done; of what is kept, the first day on which it may go. Unset for what waits.
    pub day: Option<Day>,
    /// The last day promised.
    pub latest: Option<Day>,
}

impl Core {
    /// Checks a version whole, and says from when on it would be in force.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] with every problem.
    pub fn suppose(&self, stored: &StoredPolicy, reaches_ended: bool) -> Result<Supposed, CoreError> {
        let policy = Arc::new(stored.parse_bounded()?);
        let today = day_of(self.time.now());
        let since = policy.valid_from().map_or(today, |first| first.max(today));
        Ok(Supposed { policy, since, reaches_ended })
    }

    /// What it would do to the requests of a page, and where to go on.
    ///
    /// # Errors
    /// The store's. That a request cannot be planned is an answer.
    pub async fn changes_under(
        &self,
        supposed: &Supposed,
        range: &KeyRange,
    ) -> Result<(Vec<Change>, Option<KeyRange>), CoreError> {
        let page = self.store.range(range, PAGE).await?;
        let mut changes = Vec::new();
        let inventories = self.inventories().await?;
        for entry in &page.entries {
            let request: Request = decode("request", &entry.value)?;
            // A purge's next day has a plan of its own; and what is over changes no more.
            let over = request.done.is_some() || request.facts.cancelled || request.about.purge_day().is_some();
            if !over {
                changes.extend(self.change_under(&request.id, supposed, &inventories).await?);
            }
        }
        Ok((changes, page.more.map(|more| range.clone().starting_at(&more))))
    }

    /// All requests.
    pub fn all_requests(&self) -> KeyRange {
        keys::requests().range()
    }

    async fn change_under(
        &self,
        id: &RequestId,
        supposed: &Supposed,
        inventories: &[Inventory],
    ) -> Result<Option<Change>, CoreError> {
        let loaded = state::load(&*self.store, id).await?;
        let request = &loaded.view.request;
        let running = request.state >= RequestState::Running;
        let change = |stops, refused, targets| Change { request: *id, state: request.state, stops, refused, targets };
        let made = async {
            let rules = self.rules_supposing(request, supposed).await?;
            let inventories = if running { self.of_plan(&loaded).await? } else { inventories.to_vec() };
            // As with `judge`: of what has begun the rules are compared, and holds are the guards' to honour.
            let holds = match loaded.view.plan.as_ref().filter(|_| running) {
                Some(current) => holds_of(current),
                None => self.holds_on(request).await?,
            };
            let plan = self.make_plan(&loaded, &rules.policy, &inventories, &holds)?;
            Ok::<_, CoreError>((plan, rules.review))
        };
        let (plan, review) = match made.await {
            Ok(made) => made,
            Err(CoreError::Precondition(why)) => return Ok(Some(change(running, why, Vec::new()))),
            Err(error) => return Err(error),
        };
        let current = loaded.view.plan.as_ref();
        let same = current.is_some_and(|current| crate::planning::does_the_same(current, &plan));
        let review = review && !request.facts.legal_review;
        if same && !review {
            return Ok(None);
        }
        let targets = current.map_or_else(|| compared(None, &plan), |current| compared(Some(current), &plan));
        Ok(Some(change(running && !same || review, String::new(), targets)))
    }
}

/// Each target to which two plans do something else.
fn compared(before: Option<&Plan>, after: &Plan) -> Vec<TargetChange> {
    let (old, new) = (before.map(fates).unwrap_or_default(), fates(after));
    let mut all: BTreeMap<_, _> = old.iter().map(|(at, fate)| (at.clone(), (Some(fate.clone()), None))).collect();
    for (at, fate) in new {
        all.entry(at).or_insert((None, None)).1 = Some(fate);
    }
    all.into_iter()
        .filter(|(_, (before, after))| before != after)
        .map(|((agent, target, category), (before, after))| TargetChange { agent, target, category, before, after })
        .collect()
}

type Place = (AgentName, TargetId, Category);

fn fates(plan: &Plan) -> BTreeMap<Place, Fate> {
    let mut fates = BTreeMap::new();
    for step in &plan.steps {
        let fate = fate(step);
        let at = (step.agent.clone(), step.target.clone(), step.category.clone());
        // What changes a target says more than that it is looked at.
        let known: &mut Fate = fates.entry(at).or_insert_with(|| fate.clone());
        if known.does == "wait" {
            *known = fate;
        }
    }
    fates
}

fn fate(step: &Step) -> Fate {
    let day = Some(day_of(step.due));
    let (does, day) = match step.action {
        Action::Erase => ("erase", day),
        Action::Purge => ("purge", day),
        Action::Preserve => ("keep", step.keep.as_ref().map(|keep| keep.earliest)),
        Action::Observe => ("watch", None),
        Action::Inspect | Action::Confirm | Action::Restrict => ("wait", None),
    };
    let latest = if does == "wait" { None } else { step.latest };
    Fate { does, rule: step.rule.clone(), day, latest }
}

impl Supposed {
    /// The version's digest.
    pub fn digest(&self) -> Digest {
        self.policy.digest()
    }
}
