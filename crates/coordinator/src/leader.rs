//! The leader's loop: moves what time moves. It is woken by a change or by the clock, takes no hint from either, and looks
//! at every request whose stored timer is due (decision 6: the timer is an index, the machine decides again from facts).

use std::collections::BTreeSet;
use std::time::Duration;

use gallra_flow::request::Input;
use gallra_model::RequestId;
use gallra_store::{Watch, keys};
use tokio::task::{JoinError, JoinSet};

use crate::core::Core;
use crate::error::CoreError;

/// Requests moved in one pass over the timers.
const BATCH: usize = 256;
/// Requests of a pass that are moved at once.
const AT_ONCE: usize = 16;
/// Longest sleep under a real clock: a timer written by another path is seen by then.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Runs until the task is dropped.
pub async fn run(core: &Core) {
    // A replica that moves a request here wakes this loop itself; of the others the store tells.
    let mut others = core.replica.is_some().then(|| Others::of(core));
    loop {
        if let Err(error) = run_due(core).await {
            tracing::error!(%error, "a pass over due requests failed; it is tried again");
        }
        let woken = async {
            match &mut others {
                None => core.wake.notified().await,
                Some(others) => tokio::select! {
                    biased;
                    () = core.wake.notified() => {}
                    () = others.moved() => {}
                },
            }
        };
        let _ = tokio::time::timeout(sleep(core).await, woken).await;
    }
}

/// What other replicas write that gives the leader something to do.
struct Others([Watch; 5]);

impl Others {
    fn of(core: &Core) -> Self {
        let families =
            [keys::timers(), keys::guards(), keys::hold_changes(), keys::policy_turns(), keys::all_instructed()];
        Self(families.map(|family| core.store.watch(family)))
    }

    async fn moved(&mut self) {
        let [timers, guards, holds, policies, instructions] = &mut self.0;
        tokio::select! {
            biased;
            _ = timers.next() => {}
            _ = guards.next() => {}
            _ = holds.next() => {}
            _ = policies.next() => {}
            _ = instructions.next() => {}
        }
    }
}

/// Moves every request that is due now, until none is. Returns how many moves were made.
///
/// # Errors
/// The store's; a single request's trouble is logged, and the request stays open.
pub async fn run_due(core: &Core) -> Result<usize, CoreError> {
    let _alone = core.leading.lock().await;
    // A key that is destroyed does not come back.
    let mut moved = 0;
    if core.watch_clock().await? {
        core.turn_epoch().await;
        moved += core.expire_holds().await?;
        moved += core.expire_codes().await?;
    }
    // Rules that cannot be put into force permit nothing, and hold up nobody's receipts and proofs.
    for put in [core.put_in_force().await, core.follow_instructions().await] {
        match put {
            Ok(changed) => moved += changed,
            Err(error) => {
                tracing::error!(%error, "rules whose day has come could not be put into force; it is tried again")
            }
        }
    }
    for followed in [core.follow_policy().await, core.follow_holds().await] {
        match followed {
            Ok(followed) => moved += followed,
            Err(error) => {
                tracing::error!(%error, "requests could not be looked at under the rules and holds that hold; it is tried again")
            }
        }
    }
    // Trouble with a purge holds nobody else's request up.
    match core.open_purge().await {
        Ok(opened) => moved += opened,
        Err(error) => tracing::error!(%error, "the purge of the day could not be opened or closed; it is tried again"),
    }
    match core.list_unsettled_if_due().await {
        Ok(made) => moved += made,
        Err(error) => tracing::error!(%error, "the list of unsettled contracts could not be made; it is tried again"),
    }
    loop {
        let due = core.store.range(&keys::timers_due(core.time.now()), BATCH).await?;
        let due = due.entries.iter().filter_map(|entry| keys::parse_timer(&entry.key)).map(|(_, request)| request);
        let progress = move_all(core, &due.collect()).await;
        moved += progress;
        if progress == 0 {
            break;
        }
    }
    core.archive_in_passing().await;
    // Last, so that what was signed in this pass is in the log. The log's own task does the same at once.
    if let Err(error) = core.ledger.follow(core.time.now()).await {
        tracing::error!(%error, "a pass over the log failed; it is tried again");
    }
    Ok(moved)
}

/// Moves requests, some at once: each waits for the store most of the time, and what they commit together costs little more than
/// one commit. Returns how many were moved.
async fn move_all(core: &Core, due: &BTreeSet<RequestId>) -> usize {
    let (mut tasks, mut progress) = (JoinSet::new(), 0);
    let mut ended = |ended: Result<bool, JoinError>| match ended {
        Ok(moved) => progress += usize::from(moved),
        Err(error) => tracing::error!(%error, "the move of a due request was broken off"),
    };
    for &request in due {
        if tasks.len() >= AT_ONCE
            && let Some(one) = tasks.join_next().await
        {
            ended(one);
        }
        let core = core.clone();
        tasks.spawn(async move {
            let moved = move_one(&core, &request).await;
            if let Err(error) = &moved {
                tracing::error!(%request, %error, "a due request could not be moved");
            }
            moved.is_ok()
        });
    }
    while let Some(one) = tasks.join_next().await {
        ended(one);
    }
    progress
}

async fn move_one(core: &Core, request: &RequestId) -> Result<(), CoreError> {
    core.move_request(request, &Input::Tick).await?;
    // Last, so that a fact that changes during the tick is seen here, or else leaves the request due. A plan that cannot
    // be made leaves the request open and visible.
    if let Err(error) = core.replan(request).await {
        tracing::warn!(%request, %error, "no plan could be made");
    }
    Ok(())
}

async fn sleep(core: &Core) -> Duration {
    let now = core.time.now();
    let next = core.store.range(&keys::timers().range(), 1).await.ok();
    let next = next.and_then(|page| page.entries.first().and_then(|entry| keys::parse_timer(&entry.key)));
    next.map_or(LONGEST_SLEEP, |(at, _)| {
        let wait = Duration::try_from(at.duration_since(now)).unwrap_or_default();
        // A request that just failed is due still: not at once again.
        wait.clamp(Duration::from_millis(250), LONGEST_SLEEP)
    })
}
