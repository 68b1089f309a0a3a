//! The privileged half's state and the small moves that several inputs share.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use gallra_model::hours::Hours;
use gallra_model::message::ToCoordinator;
use gallra_model::order::Order;
use gallra_model::receipt::Mark;
use gallra_model::target::{Mode, TargetId, TargetKind};
use gallra_model::{AgentName, Clock, Digest, Instant, JobId};

use super::begin::{Acting, Asked};
use super::{Effect, Moment, Note, Offered};
use crate::agent::lasts::Lasts;
use crate::agent::record::{Held, Record};

/// What the host's admin decided; it changes only with a new start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// This agent.
    pub agent: AgentName,
    /// Program and version, for receipts.
    pub software: String,
    /// The targets of `agent.toml`.
    pub targets: BTreeMap<TargetId, (TargetKind, Mode)>,
    /// Jobs that change data and may begin in one hour of boot time; unset: no limit.
    pub jobs_per_hour: Option<u32>,
    /// Local hours in which nothing is changed.
    pub quiet_hours: Vec<Hours>,
    /// Whether a coordinator under a simulated clock is obeyed (decision 6).
    pub accept_simulated: bool,
}

/// What is in hand. One thing at a time: a permit that waited behind a long act would be stale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Current {
    Idle,
    Asked(Box<Asked>),
    Acting(Box<Acting>),
}

/// The privileged half's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privileged {
    pub(super) host: Host,
    pub(super) started: bool,
    pub(super) generation: u64,
    pub(super) told: Option<(Clock, Instant)>,
    pub(super) waiting: VecDeque<Offered>,
    pub(super) current: Current,
    pub(super) signing: BTreeSet<(JobId, u32)>,
    pub(super) held: Vec<Held>,
    pub(super) begun_ms: VecDeque<u64>,
    pub(super) marks: BTreeMap<JobId, Mark>,
    pub(super) order: Option<Order>,
    pub(super) lasts: Lasts,
    pub(super) checkpoint: Option<String>,
}

impl Privileged {
    /// A half that has not read its journal yet.
    pub fn new(host: Host) -> Self {
        Self {
            host,
            started: false,
            generation: 0,
            told: None,
            waiting: VecDeque::new(),
            current: Current::Idle,
            signing: BTreeSet::new(),
            held: Vec::new(),
            begun_ms: VecDeque::new(),
            marks: BTreeMap::new(),
            order: None,
            lasts: Lasts::default(),
            checkpoint: None,
        }
    }

    /// Highest generation seen.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The clock that this agent's statements are made under: its own, or a simulated one that a flag accepts.
    pub(super) fn clock(&self, moment: &Moment) -> (Clock, Instant) {
        match self.told {
            Some((Clock::Simulated, now)) if self.host.accept_simulated => (Clock::Simulated, now),
            Some(_) | None => (Clock::Real, moment.now),
        }
    }

    /// Whether it is an hour in which the host wants nothing changed.
    pub(super) fn is_quiet(&self, moment: &Moment) -> bool {
        let (_, now) = self.clock(moment);
        self.host.quiet_hours.iter().any(|hours| hours.contain(now))
    }

    /// Whether the newest order stops everything that changes data.
    pub fn is_halted(&self) -> bool {
        self.order.as_ref().is_some_and(|order| order.halted)
    }

    /// The newest order seen.
    pub fn order(&self) -> Option<&Order> {
        self.order.as_ref()
    }

    /// Takes an order whose signature is good. A stop drops what changes data and has not begun.
    pub(super) fn ordered(&mut self, order: Order, effects: &mut Vec<Effect>) {
        if self.order.as_ref().is_some_and(|known| !order.is_newer_than(known)) {
            return;
        }
        effects.push(Effect::Journal(Record::Order { order: order.clone() }));
        effects.push(Effect::Note(Note::Ordered { halted: order.halted }));
        if order.halted {
            self.waiting.retain(|offer| !offer.spec.action.changes());
            if matches!(&self.current, Current::Asked(asked) if asked.offer.spec.action.changes()) {
                self.current = Current::Idle;
            }
        }
        self.order = Some(order);
    }

    /// Drops a job that is held, cancelled or replaced. One that is being done is stopped by the edge, at the next item.
    pub(super) fn withdrawn(&mut self, job: JobId, effects: &mut Vec<Effect>) {
        self.waiting.retain(|offer| offer.spec.job != job);
        if matches!(&self.current, Current::Asked(asked) if asked.offer.spec.job == job) {
            self.current = Current::Idle;
        }
        effects.push(Effect::Note(Note::Withdrawn(job)));
    }

    /// Persists a higher generation before anything is done under it (I3).
    pub(super) fn see(&mut self, generation: u64, effects: &mut Vec<Effect>) {
        if generation > self.generation {
            self.generation = generation;
            effects.push(Effect::Journal(Record::Generation { generation }));
        }
    }

    /// A new stream: what was asked on the old one is void, what is unacknowledged is said again.
    pub(super) fn connected(&mut self, clock: Clock, now: Instant, effects: &mut Vec<Effect>) {
        self.told = Some((clock, now));
        self.waiting.clear();
        if matches!(self.current, Current::Asked(_)) {
            self.current = Current::Idle;
        }
        effects.push(Effect::Say(ToCoordinator::Checkpoint { note: self.checkpoint.clone() }));
        effects.extend(self.held.iter().map(say));
    }

    pub(super) fn clock_moved(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        match &mut self.told {
            Some((Clock::Simulated, told)) => *told = now,
            Some((Clock::Real, _)) | None => effects.push(Effect::Note(Note::OutOfTurn)),
        }
    }

    /// A simulated clock has come at least so far: a permit may overtake the word that the clock moved.
    pub(super) fn told_at_least(&mut self, instant: Instant) {
        match &mut self.told {
            Some((Clock::Simulated, told)) => *told = instant.max(*told),
            Some((Clock::Real, _)) | None => {}
        }
    }

    /// Asks for the offer whose turn it is, if nothing else is in hand.
    pub(super) fn ask_next(&mut self, moment: &Moment, effects: &mut Vec<Effect>) {
        if self.current != Current::Idle || !self.signing.is_empty() {
            return;
        }
        if let Some(offer) = self.waiting.pop_front() {
            let (job, spec, nonce) = (offer.spec.job, offer.digest, moment.nonce);
            effects.push(Effect::Say(ToCoordinator::AskBegin { job, spec, nonce }));
            self.current = Current::Asked(Box::new(Asked { offer, nonce, since_ms: moment.boot_ms }));
        }
    }

    /// The digest under which a job is in hand: waiting, asked for or being done.
    pub(super) fn in_hand(&self, job: JobId) -> Option<Digest> {
        let current = match &self.current {
            Current::Idle => None,
            Current::Asked(asked) => Some(&asked.offer),
            Current::Acting(acting) => Some(&acting.offer),
        };
        current.into_iter().chain(&self.waiting).find(|offer| offer.spec.job == job).map(|offer| offer.digest)
    }
}

/// Says a receipt, for the first time or again.
pub(super) fn say(held: &Held) -> Effect {
    Effect::Say(ToCoordinator::Receipt { envelope: held.envelope.clone() })
}
