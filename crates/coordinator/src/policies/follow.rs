//! Looks at open requests when other rules hold than they were planned under: a page at a time, so that memory is bounded
//! (I10). What a request does about it is `planning`'s.

use std::sync::PoisonError;

use gallra_model::Digest;
use gallra_model::request::Request;
use gallra_store::{Entry, KeyRange, keys};

use crate::core::Core;
use crate::error::{CoreError, decode};
use crate::{guards, state};

/// Pages of requests that are looked at in one pass: a tenth of a second.
const PAGES_AT_ONCE: usize = 4;

/// How far the look at all requests is. All of it is forgotten with the process: a look from the beginning finds as well what a
/// crash left undone between a change of rules and the new plans.
#[derive(Debug, Default)]
pub struct Following {
    /// The policy in force, and its turn, that every open request was last looked at under.
    done: Option<Standing>,
    /// The look that is under way.
    now: Option<Look>,
}

/// A policy's digest, and how many came into force before it.
type Standing = (Digest, u64);

#[derive(Debug)]
struct Look {
    under: Standing,
    /// What was not looked at yet.
    rest: KeyRange,
    /// Whether some could not be looked at.
    again: bool,
}

impl Core {
    /// Looks at open requests that were planned under other rules than those that hold: some of them, and the next ones when it is
    /// called again, which it asks for. So what has come due is not held up by how much waits. Returns how many there were.
    ///
    /// # Errors
    /// The store's; one request's trouble is logged, and its plan permits nothing until it is looked at again.
    pub async fn follow_policy(&self) -> Result<usize, CoreError> {
        let in_force = self.in_force().await?;
        let under = (in_force.digest, in_force.turn);
        let mut look = {
            let mut following = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
            if following.done == Some(under) {
                return Ok(0);
            }
            let begun = following.now.take().filter(|look| look.under == under);
            begun.unwrap_or_else(|| Look { under, rest: keys::requests().range(), again: false })
        };
        let mut behind = 0;
        for _ in 0..PAGES_AT_ONCE {
            let page = self.store.range(&look.rest, state::page_size()).await?;
            for entry in &page.entries {
                behind += self.follow_rules_of(entry, &mut look.again).await;
            }
            let mut following = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
            match page.more {
                Some(more) => look.rest = look.rest.starting_at(&more),
                None => {
                    following.done = (!look.again).then_some(under);
                    return Ok(behind);
                }
            }
        }
        self.followed.lock().unwrap_or_else(PoisonError::into_inner).now = Some(look);
        self.wake.notify_one();
        Ok(behind)
    }

    /// Looks at one request, and plans it anew if it is behind; whether it was. One that cannot be read holds nobody else's up, and is
    /// given no permit either.
    async fn follow_rules_of(&self, entry: &Entry, again: &mut bool) -> usize {
        let looked = async {
            let request: Request = decode("request", &entry.value)?;
            Ok::<_, CoreError>(self.is_behind(&request).await?.then_some(request.id))
        };
        let id = match looked.await {
            Ok(None) => return 0,
            Ok(Some(id)) => id,
            Err(error) => {
                // What is damaged is as damaged at the next pass.
                *again |= !matches!(error, CoreError::Unreadable { .. });
                tracing::error!(key = %entry.key, %error, "a request could not be looked at under the rules that hold");
                return 0;
            }
        };
        if let Err(error) = self.replan(&id).await {
            tracing::warn!(request = %id, %error, "no plan could be made under the rules that hold");
        }
        1
    }

    /// Whether a request has a plan that was made, or found right, under other rules.
    async fn is_behind(&self, request: &Request) -> Result<bool, CoreError> {
        if request.done.is_some() || request.facts.cancelled || request.plan.is_none() {
            return Ok(false);
        }
        if request.facts.legal_review || self.is_of_an_ended_log(&request.id).await? {
            return Ok(true);
        }
        let in_force = self.in_force().await?;
        let of_policy = |turn: u64| {
            request.planned_under.is_some_and(|under| under.policy == in_force.digest && under.turn == turn)
        };
        let Some(parties) = request.about.parties() else { return Ok(!of_policy(0)) };
        let instructed = guards::one(&*self.store, &keys::guard_customer(&parties.customer)).await?.1.instructed;
        let same = request
            .planned_under
            .is_some_and(|under| under.instructions == instructed.and_then(|instructed| instructed.digest));
        Ok(!same || !of_policy(in_force.turn))
    }
}
