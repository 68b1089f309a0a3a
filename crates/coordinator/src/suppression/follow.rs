//! What the lists follow by themselves: holds that come and go, requests that are taken back, and the end of the last copy,
//! after which both sides forget (decision 12). Looks at facts only: an event that is missed is seen at the next look.

use std::collections::BTreeMap;

use gallra_flow::suppression::may_drop;
use gallra_flow::view::View;
use gallra_model::hold::Guard;
use gallra_model::suppression::{Entry, Item, Month};
use gallra_model::time::CLOCK_BOUND_SECONDS;
use gallra_model::{AgentName, Instant};
use gallra_store::{Key, Txn, keys};
use jiff::SignedDuration;

use super::{Stored, TURN, crypto};
use crate::core::Core;
use crate::error::CoreError;
use crate::error::encode;
use crate::{guards, state};

/// How long an entry is kept where no backup target of its agent would say that the last copy is gone, in days: the longest
/// that a provider keeps backups.
const UNWATCHED_DAYS: i64 = 184;

impl Core {
    /// Looks at every entry of an agent: says where a hold covers it or does no longer, and drops what no copy is left for.
    /// Returns whether anything was to be said.
    ///
    /// # Errors
    /// The store's.
    pub async fn follow_suppressions(&self, agent: &AgentName) -> Result<bool, CoreError> {
        let _turn = TURN.lock().await;
        let lines = self.lines_of(agent).await?;
        let mut seen = BTreeMap::new();
        let mut any = false;
        for (record, stored) in &lines {
            let (Some(entry), Some(request)) = (stored.entry(), stored.request) else { continue };
            let view = match state::load(&*self.store, &request).await {
                Err(CoreError::NotFound(_)) => continue,
                loaded => loaded?.view,
            };
            let dropped = self.is_over(entry, &view, agent);
            let held = !dropped && self.is_covered(entry, (agent, &view), &mut seen).await?;
            if !dropped && held == stored.held {
                continue;
            }
            let mut adding = self.adding(agent, Txn::new()).await?;
            if dropped {
                let about = lines.iter().filter(|(_, line)| line.about() == Some(entry.id));
                for (record, _) in about {
                    adding.txn = std::mem::take(&mut adding.txn).delete(record.key.clone());
                }
                adding.add(|sequence| Stored::line(sequence, Item::Drop { entry: entry.id }))?;
            } else {
                let changed = Stored { held, ..stored.clone() };
                adding.txn = std::mem::take(&mut adding.txn).replace(record, encode(&changed)?);
                adding.add(|sequence| Stored::line(sequence, Item::Hold { entry: entry.id, held }))?;
            }
            self.store.commit(adding.done()?).await?;
            any = true;
        }
        if any {
            self.destroy_months().await?;
        }
        Ok(any)
    }

    /// Whether no copy is left that can hold what an entry is about: the request that waited for the copies is over, or, where
    /// nothing watches copies on that host, the longest time is. Never while a restore brought something of the request back: the
    /// agent erases it by this.
    fn is_over(&self, entry: &Entry, view: &View, agent: &AgentName) -> bool {
        if view.request.facts.came_back {
            return false;
        }
        let now = self.time.now();
        let past = |from: Instant, wait: SignedDuration| from.checked_add(wait).is_ok_and(|end| now > end);
        let watched = view.plan.as_ref().is_some_and(|plan| plan.backups.iter().any(|backup| backup.agent == *agent));
        if !watched {
            return past(entry.erased, SignedDuration::from_hours(24 * UNWATCHED_DAYS));
        }
        // A final proof is issued only once every copy is gone: from then on none is left.
        view.request.done.is_some_and(|done| past(done, SignedDuration::from_secs(CLOCK_BOUND_SECONDS)))
            && may_drop(entry, None)
    }

    /// Whether a hold lies on a guard of what an entry erased, or its request was taken back.
    async fn is_covered(
        &self,
        entry: &Entry,
        (agent, view): (&AgentName, &View),
        seen: &mut BTreeMap<Key, Guard>,
    ) -> Result<bool, CoreError> {
        let request = &view.request;
        let step =
            view.jobs.iter().map(|job| &job.step).find(|step| step.agent == *agent && step.target == entry.target);
        let Some(step) = step else { return Ok(request.facts.cancelled) };
        Ok(request.facts.cancelled || guards::lies_on(&*self.store, (request, step), seen).await?)
    }

    /// Destroys the keys of past months that no entry of any agent needs: with them, nobody can match an old copy of a list.
    async fn destroy_months(&self) -> Result<(), CoreError> {
        let now = Month::of(self.time.now());
        let lines: Vec<Stored> = state::all(&*self.store, &keys::suppressions(), "suppression").await?;
        for month in self.keyring.months().map_err(crypto)? {
            if month < now && !lines.iter().filter_map(Stored::entry).any(|entry| entry.month == month) {
                self.keyring.destroy_month(month).map_err(crypto)?;
                tracing::info!(%month, "the month's suppression key is destroyed");
            }
        }
        Ok(())
    }
}
