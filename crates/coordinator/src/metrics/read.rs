//! What stands in the store, read when somebody asks, at most once in a while and up to a bound: a page of figures must not cost what
//! the work costs (I10).

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gallra_flow::heartbeat::Presence;
use gallra_model::copy::CopyState;
use gallra_model::request::{Request, RequestState};
use gallra_model::time::day_of;
use gallra_store::keys;
use gallra_store::store::MAX_PAGE_ENTRIES;

use super::Metrics;
use crate::core::Core;
use crate::error::{CoreError, decode};
use crate::jobs::AgentRecord;
use crate::state;

/// How long what was read is good enough.
const GOOD_FOR: Duration = Duration::from_secs(10);
/// Most requests that are looked at for one page of figures: about a second's work.
const MOST_REQUESTS: usize = 50_000;
/// Most of them whose copies are.
const MOST_WITH_COPIES: usize = 500;

const STATES: [RequestState; 8] = [
    RequestState::Received,
    RequestState::IdentityRequired,
    RequestState::IdentityProven,
    RequestState::Assessed,
    RequestState::Planned,
    RequestState::Approved,
    RequestState::Running,
    RequestState::AwaitingCopies,
];

impl Metrics {
    /// The page of figures. Where the store does not answer it says so, and the figures of the store are the last ones.
    pub(crate) async fn page(&self, core: &Core) -> String {
        self.leads.set(core.leads.load(Ordering::Relaxed).into());
        self.agents.get_or_create(&[("state", "connected")]).set(figure(core.fleet.connected().len()));
        self.of_the_log(core);
        let mut read_at = self.read_at.lock().await;
        if read_at.is_none_or(|at| at.elapsed() >= GOOD_FOR) {
            let read = self.read(core).await;
            self.store_answers.set(read.is_ok().into());
            if let Err(error) = read {
                tracing::warn!(%error, "figures could not be read");
            }
            *read_at = Some(now());
        }
        drop(read_at);
        let mut text = String::new();
        // Writing to a text does not fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }

    fn of_the_log(&self, core: &Core) {
        let standing = core.ledger.standing();
        self.log_stopped.set(standing.stopped.is_some().into());
        let age = standing.published.map(|signed| core.time.now().duration_since(signed.at).as_secs());
        self.checkpoint_age.set(age.unwrap_or(-1));
    }

    async fn read(&self, core: &Core) -> Result<(), CoreError> {
        self.stop_pulled.set(core.halted().await?.halt.is_some().into());
        let agents: Vec<AgentRecord> = state::all(&*core.store, &keys::agents(), "agent").await?;
        self.agents.get_or_create(&[("state", "registered")]).set(figure(agents.len()));
        let presences = core.presences(agents.into_iter().map(|agent| agent.name)).await?;
        let silent = presences.values().filter(|presence| **presence == Presence::Silent).count();
        self.agents.get_or_create(&[("state", "silent")]).set(figure(silent));
        let share = match &core.premises.cluster {
            Some(cluster) => cluster.quota_share().await?,
            None => None,
        };
        self.quota_share.set(share.unwrap_or(-1.0));
        self.log_entries.set(i64::try_from(core.ledger.committed().await?.0).unwrap_or(i64::MAX));
        self.log_waiting.set(figure(core.ledger.waiting().await?));
        self.count_requests(core).await
    }

    async fn count_requests(&self, core: &Core) -> Result<(), CoreError> {
        let mut by_state: BTreeMap<&'static str, i64> = STATES.iter().map(|state| (state.as_str(), 0)).collect();
        let (mut looked, mut overdue, mut review, mut waiting) = (0, 0, 0, Vec::new());
        let mut range = Some(keys::requests().range());
        while let Some(of) = range.take().filter(|_| looked < MOST_REQUESTS) {
            let page = core.store.range(&of, MAX_PAGE_ENTRIES).await?;
            for entry in &page.entries {
                looked += 1;
                let request: Request = decode("request", &entry.value)?;
                if request.done.is_some() {
                    continue;
                }
                *by_state.entry(request.state.as_str()).or_default() += 1;
                overdue += i64::from(request.facts.overdue);
                review += i64::from(request.facts.legal_review);
                if request.state == RequestState::AwaitingCopies {
                    waiting.push(request.id);
                }
            }
            range = page.more.map(|more| of.starting_at(&more));
        }
        let all = range.is_none() && waiting.len() <= MOST_WITH_COPIES;
        let mut copies_overdue = 0;
        let today = day_of(core.time.now());
        for id in waiting.iter().take(MOST_WITH_COPIES) {
            let view = state::load(&*core.store, id).await?.view;
            let left = view.copies.iter().filter(|copy| !matches!(copy.state, CopyState::Gone { .. }));
            copies_overdue += figure(left.filter(|copy| crate::api::is_overdue(&view, copy, today)).count());
        }
        for (state, count) in by_state {
            self.requests.get_or_create(&[("state", state)]).set(count);
        }
        self.overdue.set(overdue);
        self.review.set(review);
        self.copies_overdue.set(copies_overdue);
        self.counted_all.set(all.into());
        Ok(())
    }
}

fn figure(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// How old figures are is said by no other clock, and no decision hangs on it.
#[expect(clippy::disallowed_methods, reason = "it says how old figures are, and decides nothing else")]
fn now() -> Instant {
    Instant::now()
}
