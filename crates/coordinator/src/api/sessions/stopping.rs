//! What a stream does when a guard moves: tells its agent of the emergency stop at once, withdraws permits that hold no
//! longer, and offers again what a hold kept back. It watches the store, so it does not matter which replica was asked.
//! Nothing here is trusted to stop an act: no permit is given while a guard says so (I1); this only makes it sooner.

use gallra_flow::dispatch::Input;
use gallra_model::JobId;
use gallra_model::message::ToAgent;
use gallra_store::{Change, Key, keys};
use tonic::Status;

use super::{Next, Session};

impl Session<'_> {
    /// Says the order that follows from the global guard, if it says more than what this stream was told last.
    pub(super) async fn tell_order(&mut self) -> Result<(), Status> {
        let Some((count, order)) = self.core.order().await? else { return Ok(()) };
        if self.told.is_none_or(|told| told < count) {
            self.say(&ToAgent::Order { order }).await?;
            self.told = Some(count);
            self.core.fleet.was_told(self.agent, self.number, count);
            self.core.told_on_stream(self.agent, count).await?;
        }
        Ok(())
    }

    /// Takes note of the acts that may still be under way under a permit of an earlier stream, and withdraws those that
    /// were stopped while the agent was away.
    pub(super) async fn take_over(&mut self) -> Result<(), Status> {
        for (job, stopped) in self.core.begun_acts(self.agent).await? {
            self.taken_over.insert(job);
            self.guard(job).await?;
            if stopped {
                self.say(&ToAgent::Withdraw { job }).await?;
            }
        }
        Ok(())
    }

    /// Looks again at what the guards that moved are guards of; says whether there was anything on this stream.
    pub(super) async fn guards_moved(&mut self, change: Change) -> Result<Next, Status> {
        let moved = match change {
            Change::Keys(keys) => Some(keys),
            Change::Lagged => None,
            Change::Closed => return Err(Status::unavailable("the coordinator stops")),
        };
        // In the order of keys, as a watch tells them.
        let concerns = |key: &Key| moved.as_ref().is_none_or(|moved| moved.binary_search(key).is_ok());
        if concerns(&keys::guard_global()) {
            self.tell_order().await?;
        }
        if concerns(&keys::guard_any_hold()) {
            self.follow_suppressions().await?;
        }
        self.forget_answered();
        let any_hold = keys::guard_any_hold();
        let for_all = concerns(&keys::guard_global());
        let jobs: Vec<(JobId, bool)> = self
            .guarded
            .iter()
            .filter(|(_, own)| own.iter().any(&concerns))
            // Only a purge watches every hold: its offer said whose items stay, and that has changed.
            .map(|(job, own)| (*job, own.contains(&any_hold) && concerns(&any_hold)))
            .collect();
        let next = if for_all || !jobs.is_empty() { Next::Dispatch } else { Next::Nothing };
        for (job, changed) in jobs {
            self.look_again(job, changed).await?;
        }
        Ok(next)
    }

    async fn look_again(&mut self, job: JobId, changed: bool) -> Result<(), Status> {
        // Whose guards they are may have changed with them.
        self.guard(job).await?;
        let permitted = self.core.fleet.was_permitted(self.agent, job);
        let under_way = permitted || self.taken_over.contains(&job);
        let stopped = self.core.stopped(&job).await?.is_some();
        if under_way && (stopped || changed) {
            tracing::info!(agent = %self.agent, %job, "a permit was withdrawn");
            self.say(&ToAgent::Withdraw { job }).await?;
        }
        if permitted || stopped { Ok(()) } else { self.input(&Input::GuardMoved(job)).await }
    }

    /// Remembers where the guards of a job lie, once its asking was answered.
    pub(super) async fn guard(&mut self, job: JobId) -> Result<(), Status> {
        if let Some(own) = self.core.guards_of(&job).await? {
            self.guarded.insert(job, own);
        }
        Ok(())
    }

    /// Keeps no more than what is open on the stream.
    pub(super) fn forget_answered(&mut self) {
        let (fleet, agent) = (&self.core.fleet, self.agent);
        let taken_over = &self.taken_over;
        self.guarded.retain(|job, _| fleet.knows(agent, *job) || taken_over.contains(job));
    }
}
