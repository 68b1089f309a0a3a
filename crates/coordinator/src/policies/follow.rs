//! Looks at open requests when other rules hold than they were planned under: a page at a time, so that memory is bounded
//! (I10). What a request does about it is `planning`'s.

use std::sync::PoisonError;

use gallra_model::request::Request;
use gallra_store::keys;

use crate::core::Core;
use crate::error::{CoreError, decode};
use crate::{guards, state};

impl Core {
    /// Looks at every open request that was planned under other rules than those that hold. Returns how many there were.
    ///
    /// # Errors
    /// The store's; one request's trouble is logged, and its plan permits nothing until it is looked at again.
    pub async fn follow_policy(&self) -> Result<usize, CoreError> {
        let in_force = self.in_force().await?;
        let standing = (in_force.digest, in_force.turn);
        let followed = || self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if *followed() == Some(standing) {
            return Ok(0);
        }
        let (mut behind, mut again, mut range) = (0, false, Some(keys::requests().range()));
        while let Some(next) = range {
            let page = self.store.range(&next, state::page_size()).await?;
            for entry in &page.entries {
                // One that cannot be read holds nobody else's up, and is given no permit either.
                let looked = async {
                    let request: Request = decode("request", &entry.value)?;
                    Ok::<_, CoreError>(self.is_behind(&request).await?.then_some(request.id))
                };
                let id = match looked.await {
                    Ok(None) => continue,
                    Ok(Some(id)) => id,
                    Err(error) => {
                        // What is damaged is as damaged at the next pass.
                        again |= !matches!(error, CoreError::Unreadable { .. });
                        tracing::error!(key = %entry.key, %error, "a request could not be looked at under the rules that hold");
                        continue;
                    }
                };
                behind += 1;
                if let Err(error) = self.replan(&id).await {
                    tracing::warn!(request = %id, %error, "no plan could be made under the rules that hold");
                }
            }
            range = page.more.map(|more| next.starting_at(&more));
        }
        if !again {
            *followed() = Some(standing);
        }
        Ok(behind)
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
