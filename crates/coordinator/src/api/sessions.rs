//! `AgentService`: one task a stream. It carries words between the agent and the core; what is offered is
//! `flow::dispatch`'s decision, what is permitted `flow::permit`'s.

mod restoring;
mod stopping;
mod suppressing;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use gallra_flow::clock::Standing;
use gallra_flow::dispatch::Input;
use gallra_flow::permit::Asking;
use gallra_model::message::{ToAgent, ToCoordinator};
use gallra_model::permit::Denial;
use gallra_model::target::Inventory;
use gallra_model::{AgentName, Clock, Instant, JobId};
use gallra_planted::Bug;
use gallra_store::{Change, Key, Txn, keys};
use gallra_wire::protocol::{self, Side};
use gallra_wire::session::{protocol_of_agent, response_of, to_coordinator};
use gallra_wire::{details, v1};
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Code, Request, Response, Status, Streaming};

use super::Api;
use crate::core::Core;
use crate::error::{CoreError, encode};
use crate::gate;

/// Real time: how long a job that was denied rests before it is offered again.
const MINUTE: Duration = Duration::from_secs(60);

/// Words to an agent that may wait in memory; the store keeps what does not fit.
const OUTBOX: usize = 64;

type Words = Pin<Box<dyn Stream<Item = Result<v1::SessionResponse, Status>> + Send>>;

#[tonic::async_trait]
impl v1::agent_service_server::AgentService for Api {
    type SessionStream = Words;

    async fn session(&self, request: Request<Streaming<v1::SessionRequest>>) -> Result<Response<Words>, Status> {
        let caller = gate::caller(&request)?;
        let name: AgentName = caller.name.parse().map_err(|_| details::not_allowed("not an agent's name"))?;
        self.core.agent(&name).await.map_err(|_| details::not_allowed("no such agent is registered"))?;
        let (send, receive) = mpsc::channel(OUTBOX);
        let core = Arc::clone(&self.core);
        let inbound = request.into_inner();
        tokio::spawn(async move { carry(&core, &name, inbound, &send).await });
        Ok(Response::new(Box::pin(tokio_stream::wrappers::ReceiverStream::new(receive))))
    }
}

/// Serves one stream of a registered agent to its end, whatever carries its words.
pub async fn carry(
    core: &Core,
    agent: &AgentName,
    inbound: impl Stream<Item = Result<v1::SessionRequest, Status>> + Unpin,
    outbox: &mpsc::Sender<Result<v1::SessionResponse, Status>>,
) {
    if let Err(status) = serve(core, agent, inbound, outbox).await {
        end_of_stream(agent, &status);
        let _ = outbox.send(Err(status)).await;
    }
    if let Err(error) = core.let_stream_go(agent).await {
        tracing::warn!(%agent, %error, "other coordinators are not told that the agent's stream ended");
    }
}

/// An agent that stops, or whose connection breaks, is ordinary; what this side refused is not.
fn end_of_stream(agent: &AgentName, status: &Status) {
    let (code, why) = (status.code(), status.message());
    if matches!(code, Code::Cancelled | Code::Unknown | Code::Unavailable) {
        tracing::info!(%agent, ?code, why, "agent disconnected");
    } else {
        tracing::warn!(%agent, ?code, why, "a stream was ended");
    }
}

/// One stream, once it is open.
struct Session<'a> {
    core: &'a Core,
    agent: &'a AgentName,
    number: u64,
    outbox: &'a mpsc::Sender<Result<v1::SessionResponse, Status>>,
    /// Where the guards of the jobs lie whose asking was answered on this stream, or that it took over.
    guarded: BTreeMap<JobId, Vec<Key>>,
    /// Jobs that a permit of an earlier stream may still be under way for: no receipt has come since.
    taken_over: BTreeSet<JobId>,
    /// The global guard's count that the last order on this stream told of.
    told: Option<u64>,
    /// Whether the agent has said where its journal stands.
    journal_seen: bool,
    /// The last line of its suppression list that the agent has or was told; none before it has said.
    suppressed: Option<u64>,
    /// Minutes since the agent heard that its list is complete.
    list_minutes: u32,
}

/// Closes the stream's place in the fleet, however its task ends.
struct Place<'a> {
    core: &'a Core,
    agent: &'a AgentName,
    number: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.core.fleet.close(self.agent, self.number) {
            self.core.time.gone(self.agent);
        }
    }
}

/// The first word, and whether it may be followed by others: what the agent has, and how many offers it takes.
async fn greeted(
    core: &Core,
    agent: &AgentName,
    inbound: &mut (impl Stream<Item = Result<v1::SessionRequest, Status>> + Unpin),
) -> Result<Option<(Inventory, u32)>, Status> {
    let Some(first) = inbound.next().await else { return Ok(None) };
    let first = first?;
    protocol::check(Side::Coordinator, protocol_of_agent(&first))?;
    let ToCoordinator::Hello { inventory, generation, credits } = to_coordinator(first)? else {
        return Err(details::invalid_text("the first word on a stream is hello"));
    };
    if generation > core.generation && !gallra_planted::is(Bug::OlderGenerationAccepted) {
        return Err(details::state("the agent has seen a newer coordinator: this one is out of date"));
    }
    core.check_key_of(agent).await?;
    store_inventory(core, agent, &inventory).await?;
    Ok(Some((inventory, credits)))
}

async fn serve(
    core: &Core,
    agent: &AgentName,
    mut inbound: impl Stream<Item = Result<v1::SessionRequest, Status>> + Unpin,
    outbox: &mpsc::Sender<Result<v1::SessionResponse, Status>>,
) -> Result<(), Status> {
    let Some((inventory, credits)) = greeted(core, agent, &mut inbound).await? else { return Ok(()) };
    let number = core.fleet.open(agent);
    core.time.heard(agent, None);
    let _place = Place { core, agent, number };
    core.hold_stream(agent).await?;
    let mut session = Session {
        core,
        agent,
        number,
        outbox,
        guarded: BTreeMap::new(),
        taken_over: BTreeSet::new(),
        told: None,
        journal_seen: false,
        suppressed: None,
        list_minutes: 0,
    };
    tracing::info!(%agent, targets = inventory.targets.len(), "agent connected");
    let mut ready = core.store.watch(keys::ready_of(agent));
    let mut guards = core.store.watch(keys::guards());
    let mut suppressions = core.store.watch(keys::suppressions_of(agent));
    let mut streams = core.store.watch(keys::replicas_of_agent(agent));
    let mut clock = core.fleet.clock_moves();
    let mut log = core.ledger.moves();
    let mut ended = core.store.watch(keys::keys_ended());
    let mut minute = tokio::time::interval(MINUTE);
    let mut stopping = core.stopping.subscribe();
    session.begin(credits).await?;
    loop {
        // In the order written (0045). What is seldom and matters most comes first; what an agent says cannot keep it back. Guards before
        // what else is watched: of a store that closed they tell.
        let mut next = tokio::select! {
            biased;
            _ = stopping.changed() => return Err(Status::unavailable("the coordinator stops")),
            change = guards.next() => session.guards_moved(change).await?,
            _ = streams.next() => {
                if core.went_elsewhere(agent).await? {
                    return Err(Status::aborted("a newer stream of this agent took over, at another coordinator"));
                }
                Next::Nothing
            }
            _ = ended.next() => {
                core.check_key_of(agent).await?;
                Next::Nothing
            }
            word = inbound.next() => match word {
                Some(word) => Next::Word(Box::new(to_coordinator(word?)?)),
                None => return Ok(()),
            },
            change = ready.next() => if change == Change::Closed { return Ok(()) } else { Next::Dispatch },
            moved = clock.changed() => {
                moved.map_err(|_| Status::unavailable("the coordinator stops"))?;
                clock.mark_changed();
                Next::Dispatch
            }
            moved = log.changed() => {
                moved.map_err(|_| Status::unavailable("the coordinator stops"))?;
                session.log_moved().await?
            }
            _ = minute.tick() => {
                session.input(&Input::Minute).await?;
                session.forget_answered();
                session.list_minute().await?;
                Next::Dispatch
            }
            change = suppressions.next() => {
                if change == Change::Closed { return Ok(()) }
                session.tell_suppressions(false).await?;
                Next::Nothing
            }
        };
        // And of a stop before anything else that it is told.
        if let Some(change) = guards.try_next()
            && matches!((session.guards_moved(change).await?, &next), (Next::Dispatch, Next::Nothing))
        {
            next = Next::Dispatch;
        }
        // The agent hears of the time before it hears of anything that is due by it.
        if clock.has_changed().unwrap_or(false) {
            clock.mark_unchanged();
            session.tell_time().await?;
        }
        match next {
            Next::Nothing => continue,
            Next::Dispatch => {}
            Next::Word(word) if core.fleet.is_beat(agent, number, &word) => continue,
            Next::Word(word) => session.hear(*word).await?,
        }
        session.dispatch().await?;
    }
}

/// What a stream does after something happened. Most of what happens in a fleet concerns none of a stream's jobs, and ten thousand
/// streams hear of it: then nothing is read.
enum Next {
    Nothing,
    /// To look at what can be offered.
    Dispatch,
    /// To answer the agent, and then to look.
    Word(Box<ToCoordinator>),
}

async fn store_inventory(core: &Core, agent: &AgentName, inventory: &Inventory) -> Result<(), Status> {
    let record = core.agent(agent).await?;
    if inventory.agent != *agent || inventory.evidence_key != record.evidence_key {
        return Err(details::not_allowed("the inventory names another agent or another evidence key"));
    }
    let txn = Txn::new().put(keys::inventory(agent), encode(inventory)?);
    core.store.commit(txn).await.map_err(CoreError::from)?;
    Ok(())
}

impl Session<'_> {
    /// Welcomes the agent, and tells it what it missed.
    async fn begin(&mut self, credits: u32) -> Result<(), Status> {
        let (generation, clock, now) = (self.core.generation, self.core.time.kind(), self.core.time.now());
        let heartbeat_seconds = self.core.fleet.asks_to_beat(self.agent, self.number);
        self.say(&ToAgent::Welcome { generation, clock, now, heartbeat_seconds }).await?;
        self.tell_order().await?;
        self.take_over().await?;
        self.input(&Input::Hello { credits }).await?;
        self.dispatch().await
    }

    async fn say(&self, word: &ToAgent) -> Result<(), Status> {
        self.outbox.send(Ok(response_of(word))).await.map_err(|_| Status::cancelled("the agent went away"))
    }

    /// Gives the stream's machine an input, and offers what it wants offered.
    async fn input(&self, input: &Input) -> Result<(), Status> {
        let replaced = || Status::aborted("a newer stream of this agent took over");
        for job in self.core.fleet.step(self.agent, self.number, input).ok_or_else(replaced)? {
            match self.core.offer_and_trace(&job).await? {
                Some((spec, trace)) => self.say(&ToAgent::Offer { spec, trace }).await?,
                // Parked, until time moves: one job that cannot be offered holds no other up.
                None => self.park(job)?,
            }
        }
        Ok(())
    }

    /// The log signed more: what was denied for want of it may be tried again.
    async fn log_moved(&self) -> Result<Next, Status> {
        if !self.core.fleet.waits_for_the_log(self.agent) {
            return Ok(Next::Nothing);
        }
        self.input(&Input::LogMoved).await?;
        Ok(Next::Dispatch)
    }

    fn park(&self, job: JobId) -> Result<(), Status> {
        let parked = self.core.fleet.step(self.agent, self.number, &Input::Denied(job, Denial::NotDue));
        parked.map(drop).ok_or_else(|| Status::aborted("a newer stream of this agent took over"))
    }

    async fn tell_time(&self) -> Result<(), Status> {
        if self.core.time.kind() == Clock::Simulated {
            self.say(&ToAgent::ClockMoved { now: self.core.time.now() }).await?;
        }
        self.input(&Input::ClockMoved).await
    }

    async fn dispatch(&self) -> Result<(), Status> {
        // An offer names a person: an agent that is quarantined, or has not shown that it is not, hears none.
        if !self.journal_seen {
            return Ok(());
        }
        self.core.check_key_of(self.agent).await?;
        let ready = self.core.ready_jobs(self.agent).await?;
        self.input(&Input::Ready(ready)).await
    }

    /// What was doubted may be believed by this: then whatever is due now has its turn.
    fn hear_clock(&self, now: Instant) {
        let doubted = self.core.time.look().1 != Standing::Trusted;
        self.core.time.heard(self.agent, Some(now));
        if doubted && self.core.time.look().1 == Standing::Trusted {
            self.core.wake.notify_one();
        }
    }

    async fn answer(&mut self, asking: Asking) -> Result<(), Status> {
        let answer = self.core.ask(&asking).await?;
        let Asking { job, nonce, going_on, .. } = asking;
        self.guard(job).await?;
        match answer {
            Ok(permit) => {
                self.input(&Input::Permitted(job)).await?;
                self.say(&ToAgent::Permitted { permit }).await
            }
            Err(reason) => {
                tracing::info!(agent = %self.agent, %job, ?reason, ?going_on, "denied");
                self.say(&ToAgent::Denied { job, nonce, reason }).await?;
                // An act that may not go on is under way until its receipt comes.
                if going_on.is_some() {
                    return Ok(());
                }
                self.input(&Input::Denied(job, reason)).await?;
                // A plan of another policy makes each new offer as stale as the last.
                if reason == Denial::Stale && self.core.stopped(&job).await?.is_some() {
                    self.park(job)?;
                }
                Ok(())
            }
        }
    }

    async fn hear(&mut self, word: ToCoordinator) -> Result<(), Status> {
        match word {
            ToCoordinator::Hello { .. } => Err(details::invalid_text("hello is said once on a stream")),
            ToCoordinator::Journal { mark, now } => {
                self.core.see_journal(self.agent, mark).await?;
                self.hear_clock(now);
                self.journal_seen = true;
                Ok(())
            }
            ToCoordinator::AskBegin { .. }
            | ToCoordinator::AskOn { .. }
            | ToCoordinator::Receipt { .. }
            | ToCoordinator::Restore { .. }
                if !self.journal_seen =>
            {
                Err(details::invalid_text("say where the journal stands first"))
            }
            ToCoordinator::AskBegin { job, spec, nonce } => {
                self.core.check_key_of(self.agent).await?;
                let permitted_on_this_stream = self.core.fleet.was_permitted(self.agent, job);
                let agent = self.agent.clone();
                self.answer(Asking { agent, job, spec, nonce, permitted_on_this_stream, going_on: None }).await
            }
            ToCoordinator::AskOn { job, attempt, spec, nonce } => {
                self.core.check_key_of(self.agent).await?;
                let (agent, going_on) = (self.agent.clone(), Some(attempt));
                self.answer(Asking { agent, job, spec, nonce, permitted_on_this_stream: false, going_on }).await
            }
            ToCoordinator::Alive => Ok(()),
            ToCoordinator::Checkpoint { note } => Ok(self.core.ledger.heard(self.agent, note.as_deref()).await?),
            ToCoordinator::Suppression { through } => self.begin_suppressions(through).await,
            ToCoordinator::Restore { envelope } => self.hear_restore(&envelope).await,
            ToCoordinator::Receipt { envelope } => {
                let (job, receipt) = self.core.take_receipt(self.agent, &envelope).await?;
                self.taken_over.remove(&job);
                self.input(&Input::Receipt(job)).await?;
                self.say(&ToAgent::ReceiptStored { receipt }).await?;
                self.tell_suppressions(false).await
            }
        }
    }
}
