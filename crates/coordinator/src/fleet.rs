//! Which agents are connected, and what each stream holds. Owns nothing durable: everything here is rebuilt from the store
//! when a stream opens (decision 4).

mod pulse;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gallra_flow::dispatch::{self, Input, Stream};
use gallra_model::{AgentName, JobId};
use tokio::sync::{Notify, watch};

use pulse::{Looking, Pulse};

/// All open streams.
pub struct Fleet {
    streams: Mutex<BTreeMap<AgentName, Open>>,
    /// Numbers given to streams so far: never the same twice, so that a late stream cannot close a newer one's place.
    opened: AtomicU64,
    /// Notified whenever a stream takes an input: `AdvanceClock` waits on it.
    pub moved: Notify,
    clock_moves: watch::Sender<u64>,
    looking: Looking,
}

struct Open {
    number: u64,
    stream: Stream,
    /// The global guard's count up to which the agent was told of the emergency stop.
    told: u64,
    pulse: Pulse,
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            streams: Mutex::default(),
            opened: AtomicU64::new(0),
            moved: Notify::new(),
            clock_moves: watch::Sender::new(0),
            looking: Looking::default(),
        }
    }
}

impl Fleet {
    fn streams(&self) -> MutexGuard<'_, BTreeMap<AgentName, Open>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a stream for an agent; an older one of the same agent loses its place. Returns the stream's number.
    pub fn open(&self, agent: &AgentName) -> u64 {
        let mut streams = self.streams();
        let number = self.opened.fetch_add(1, Ordering::Relaxed) + 1;
        let pulse = Pulse::new(streams.len());
        streams.insert(agent.clone(), Open { number, stream: Stream::default(), told: 0, pulse });
        drop(streams);
        self.moved.notify_waiters();
        number
    }

    /// Closes a stream, unless a newer one took its place. Returns whether the agent is gone.
    pub fn close(&self, agent: &AgentName, number: u64) -> bool {
        let mut streams = self.streams();
        let own = streams.get(agent).is_some_and(|open| open.number == number);
        if own {
            streams.remove(agent);
        }
        drop(streams);
        self.moved.notify_waiters();
        own
    }

    /// Gives a stream an input; returns what to offer. `None` when a newer stream took its place.
    pub fn step(&self, agent: &AgentName, number: u64, input: &Input) -> Option<Vec<JobId>> {
        let mut streams = self.streams();
        let open = streams.get_mut(agent).filter(|open| open.number == number)?;
        let (next, offers) = dispatch::step(&open.stream, input);
        open.stream = next;
        drop(streams);
        self.moved.notify_waiters();
        Some(offers)
    }

    /// Whether an agent's stream is open.
    pub fn is_connected(&self, agent: &AgentName) -> bool {
        self.streams().contains_key(agent)
    }

    /// Names of connected agents.
    pub fn connected(&self) -> Vec<AgentName> {
        self.streams().keys().cloned().collect()
    }

    /// Whether a job was permitted on this agent's present stream.
    pub fn was_permitted(&self, agent: &AgentName, job: JobId) -> bool {
        self.streams().get(agent).is_some_and(|open| open.stream.was_permitted(job))
    }

    /// Whether a job is parked on this agent's present stream.
    pub fn is_parked(&self, agent: &AgentName, job: JobId) -> bool {
        self.streams().get(agent).is_some_and(|open| open.stream.is_parked(job))
    }

    /// Whether a job of this agent's present stream waits for the log to move.
    pub fn waits_for_the_log(&self, agent: &AgentName) -> bool {
        self.streams().get(agent).is_some_and(|open| open.stream.waits_for_the_log())
    }

    /// Whether anything is open about a job on this agent's present stream: an offer, a permit, or a denial.
    pub fn knows(&self, agent: &AgentName, job: JobId) -> bool {
        self.streams().get(agent).is_some_and(|open| open.stream.knows(job))
    }

    /// Notes that a stream was told of the emergency stop's state, up to a count of the global guard.
    pub fn was_told(&self, agent: &AgentName, number: u64, count: u64) {
        if let Some(open) = self.streams().get_mut(agent).filter(|open| open.number == number) {
            open.told = open.told.max(count);
        }
        self.moved.notify_waiters();
    }

    /// Up to which count of the global guard a connected agent was told; none when it is not connected.
    pub fn told(&self, agent: &AgentName) -> Option<u64> {
        self.streams().get(agent).map(|open| open.told)
    }

    /// Whether every connected agent was told up to a count.
    pub fn all_told(&self, count: u64) -> bool {
        self.streams().values().all(|open| open.told >= count)
    }

    /// Tells every stream that the simulated clock moved.
    pub fn clock_moved(&self) {
        self.clock_moves.send_modify(|moves| *moves += 1);
    }

    /// Follows the moves of the simulated clock.
    pub fn clock_moves(&self) -> watch::Receiver<u64> {
        self.clock_moves.subscribe()
    }
}
