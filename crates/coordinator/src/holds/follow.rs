//! What follows from a hold that was placed or ended: requests that it concerns are planned anew, or their final proof is
//! considered. The guard alone stops permits, at once; this comes after, by the leader, page by page, and is noted in the
//! store until it is done, so that no crash leaves a plan that says otherwise (I8). Decides nothing itself.

use std::collections::BTreeSet;

use gallra_flow::request::Input;
use gallra_flow::view::View;
use gallra_model::hold::{Guard, Hold, Level};
use gallra_model::request::{Request, RequestState};
use gallra_model::{HoldId, RequestId};
use gallra_store::{Entry, StoreError, Txn, keys};

use crate::core::Core;
use crate::error::{CoreError, decode, encode};
use crate::{guards, state};

/// Changes of holds taken up in one pass.
const CHANGES: usize = 64;
/// Requests looked at for one of them in one pass.
const REQUESTS: usize = 256;

/// Adds to a transaction that changes a hold, or what it covers, the note that its requests are to be looked at, from the first.
pub(crate) fn note(txn: Txn, hold: &HoldId) -> Result<Txn, CoreError> {
    Ok(txn.put(keys::hold_change(hold), encode(&None::<RequestId>)?))
}

/// Whether a hold at this level may concern any request there is.
pub(super) fn concerns_many(level: &Level) -> bool {
    match level {
        Level::Global | Level::Category { .. } | Level::Target { .. } => true,
        Level::Customer { .. } | Level::Contract { .. } | Level::Request { .. } => false,
    }
}

impl Core {
    /// Looks at requests that holds concern which were placed or ended. Returns how much was done; the leader is woken again
    /// while more is left.
    ///
    /// # Errors
    /// The store's; trouble with one hold is logged, and it is taken up again.
    pub async fn follow_holds(&self) -> Result<usize, CoreError> {
        let page = self.store.range(&keys::hold_changes().range(), CHANGES).await?;
        let (mut done, mut left) = (0, page.more.is_some());
        for change in &page.entries {
            match self.follow(change).await {
                Ok(more) => {
                    done += 1;
                    left |= more;
                }
                // Placed or ended again meanwhile: from the first request again.
                Err(CoreError::Store(StoreError::Conflict { .. })) => left = true,
                Err(error) => {
                    tracing::error!(key = %change.key, %error, "requests under a hold could not be looked at")
                }
            }
        }
        if left {
            self.wake.notify_one();
        }
        Ok(done)
    }

    /// One step of it. Returns whether more is left.
    async fn follow(&self, change: &Entry) -> Result<bool, CoreError> {
        let id = keys::parse_hold_change(&change.key).ok_or(CoreError::NotFound("hold"))?;
        let (_, hold) = self.hold(&id).await?;
        let after: Option<RequestId> = decode("place in the requests", &change.value)?;
        let (concerned, reached) = if concerns_many(&hold.level) {
            self.requests_after(after).await?
        } else {
            (self.requests_of(&hold.level).await?, None)
        };
        for request in &concerned {
            self.follow_one(request).await;
        }
        let txn = match reached {
            Some(_) => Txn::new().replace(change, encode(&reached)?),
            None => Txn::new().expect_as_read(&change.key, Some(change)).delete(change.key.clone()),
        };
        self.store.commit(txn).await?;
        Ok(reached.is_some())
    }

    /// Open requests after one, and the last that was looked at; none when that was the last there is.
    async fn requests_after(&self, after: Option<RequestId>) -> Result<(Vec<RequestId>, Option<RequestId>), CoreError> {
        let all = keys::requests().range();
        let range = after.map_or(all.clone(), |after| all.above(&keys::request(&after)));
        let page = self.store.range(&range, REQUESTS).await?;
        let requests =
            page.entries.iter().map(|entry| decode("request", &entry.value)).collect::<Result<Vec<Request>, _>>()?;
        let reached = requests.last().map(|request| request.id).filter(|_| page.more.is_some());
        let open = requests.iter().filter(|request| request.done.is_none() && !request.facts.cancelled);
        Ok((open.map(|request| request.id).collect(), reached))
    }

    /// One request: what has not begun is planned anew. One that fails is looked at within a day anyway.
    async fn follow_one(&self, request: &RequestId) {
        self.consider_again(request).await;
        match self.replan(request).await {
            // What has begun keeps its plan, and whether it may go on is the policy's to say, not this hold's.
            Ok(_) | Err(CoreError::NotFound(_)) => {}
            Err(error) => tracing::warn!(%request, %error, "no plan could be made after a hold changed"),
        }
    }

    /// Looks at a request whose final proof a hold may have kept back. One that fails is looked at within a day anyway.
    pub(super) async fn consider_again(&self, request: &RequestId) {
        let waits = async {
            let view = state::load(&*self.store, request).await?.view;
            let waits = view.request.state == RequestState::AwaitingCopies && !view.request.facts.cancelled;
            if waits { self.move_request(request, &Input::Tick).await.map(drop) } else { Ok(()) }
        };
        if let Err(error) = waits.await {
            tracing::warn!(%request, %error, "a request could not be looked at after a hold changed");
        }
    }

    /// The open holds that lie on a request, its contract or customer, on everything, or on any category or target.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn holds_on(&self, request: &Request) -> Result<Vec<Hold>, CoreError> {
        let mut found = guards::holds_shared_by(&*self.store, request).await?;
        // There are guards of categories and targets only where a hold was placed once.
        for prefix in [keys::guards_of_categories(), keys::guards_of_targets()] {
            let guards: Vec<Guard> = state::all(&*self.store, &prefix, "guard").await?;
            found.extend(guards.into_iter().flat_map(|guard| guard.holds));
        }
        self.holds_named(&found).await
    }

    /// The open holds that lie on a request, or on a job of its current plan: those that stop a permit.
    ///
    /// # Errors
    /// The store's.
    pub async fn holds_over(&self, view: &View) -> Result<Vec<Hold>, CoreError> {
        self.holds_named(&guards::held_by(&*self.store, view).await?).await
    }

    async fn holds_named(&self, ids: &BTreeSet<HoldId>) -> Result<Vec<Hold>, CoreError> {
        let mut holds = Vec::with_capacity(ids.len());
        for id in ids {
            holds.push(self.hold(id).await?.1);
        }
        Ok(holds)
    }
}
