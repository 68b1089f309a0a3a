//! Whether an act that is under way may go on with its next item, and when it asks for another minute (decision 3). Refuses
//! to know clocks, keys and channels: words arrive checked, time and nonces as values. Upholds I1 in the middle of an act:
//! nothing goes under a permit whose minute is over, that was withdrawn, or that was not given for exactly this attempt.
//!
//! A minute counts from the asking, on the boot-time clock, for the first permit as for every later one. Looking uses it up
//! too: what matters is how old the coordinator's word is when the first item goes. But looking asks nothing; an act whose
//! looks took longer asks before its first item.

use gallra_model::message::ToCoordinator;
use gallra_model::order::Order;
use gallra_model::permit::{Denial, Permit};
use gallra_model::{JobId, Nonce};
use gallra_planted::Bug;

use super::begin::{Acting, Fault, Question, fault};
use super::state::{Current, Privileged};
use super::{ASK_PATIENCE_MS, Moment};

/// What is said while an act is under way, as far as it concerns the act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A new stream: what was asked on the old one is void.
    Connected {
        /// The coordinator's generation.
        generation: u64,
    },
    /// A permit with a good signature.
    Permitted(Box<Permit>),
    /// A permit whose signature or form is bad, and the job that it claims to be about.
    PermitBad(Option<JobId>),
    /// The coordinator said no.
    Denied(JobId, Nonce, Denial),
    /// An order with a good signature.
    Ordered(Box<Order>),
    /// A hold, a resumption or a new plan covers a job.
    Withdrawn(JobId),
}

/// What is done at an item boundary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Boundary {
    /// The next item may go.
    GoOn,
    /// Say this, then wait.
    Ask(ToCoordinator),
    /// Listen, and come back.
    Wait,
    /// The act ends here.
    Stop(Over),
}

/// Why an act ends with something left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// The emergency stop was pulled.
    Halted,
    /// It was withdrawn.
    Withdrawn,
    /// It may not go on.
    Denied(Denial),
    /// What came for an answer does not fit.
    BadPermit(Fault),
    /// No answer came in time.
    Unanswered,
    /// The host's quiet hours have begun.
    QuietHours,
    /// Nothing can be heard any more.
    Deaf,
}

/// An act that is under way.
#[derive(Debug, Clone)]
pub struct UnderWay<'a> {
    state: &'a Privileged,
    acting: &'a Acting,
    longest_ms: u64,
    /// When the permit that holds now was asked for.
    since_ms: u64,
    generation: u64,
    order: Option<Order>,
    asked: Option<(Nonce, u64)>,
    /// Since when it has been waiting for another minute, over all askings for it.
    waits_since_ms: Option<u64>,
    over: Option<Over>,
}

impl Privileged {
    /// The act that is under way; `longest_ms`: how long one permit lasts, in milliseconds of boot time from its asking.
    pub fn under_way(&self, longest_ms: u64) -> Option<UnderWay<'_>> {
        let Current::Acting(acting) = &self.current else { return None };
        Some(UnderWay {
            state: self,
            acting,
            longest_ms,
            since_ms: acting.asked_ms,
            generation: self.generation,
            order: self.order.clone(),
            asked: None,
            waits_since_ms: None,
            over: None,
        })
    }
}

impl UnderWay<'_> {
    fn job(&self) -> JobId {
        self.acting.offer.spec.job
    }

    /// Hears one word. Returns whether it was an answer to this act and to nobody else: then nothing more is done about it.
    pub fn hear(&mut self, heard: Heard, moment: &Moment) -> bool {
        match heard {
            Heard::Connected { generation } => {
                self.generation = self.generation.max(generation);
                self.asked = None;
                // Whatever that one decided since, it was not asked about this act.
                if generation > self.acting.offer.spec.generation {
                    self.ends(Over::BadPermit(Fault::Generation));
                }
            }
            Heard::Permitted(permit) if permit.job == self.job() => {
                self.permitted(&permit, moment);
                return true;
            }
            Heard::PermitBad(Some(job)) if job == self.job() => {
                self.ends(Over::BadPermit(Fault::Signature));
                return true;
            }
            Heard::Denied(job, nonce, reason) if job == self.job() => {
                if self.asked.is_some_and(|(asked, _)| asked == nonce) {
                    self.ends(Over::Denied(reason));
                }
                return true;
            }
            Heard::Ordered(order) => {
                if self.order.as_ref().is_none_or(|known| order.is_newer_than(known)) {
                    if order.halted {
                        self.ends(Over::Halted);
                    }
                    self.order = Some(*order);
                }
            }
            Heard::Withdrawn(job) if job == self.job() => self.ends(Over::Withdrawn),
            Heard::Permitted(_) | Heard::PermitBad(_) | Heard::Denied(..) | Heard::Withdrawn(_) => {}
        }
        false
    }

    /// The session ended, no more can be taken in, or no clock can be read: a stop would not be heard.
    pub fn deafen(&mut self) {
        self.ends(Over::Deaf);
    }

    /// Another minute, if the permit answers what was asked in every field. One that nothing asked for changes nothing.
    fn permitted(&mut self, permit: &Permit, moment: &Moment) {
        let Some((nonce, since_ms)) = self.asked else { return };
        let Acting { offer, begun, .. } = self.acting;
        let attempt = Some(begun.attempt);
        let question = Question { offer, nonce, since_ms, attempt, generation: self.generation };
        match fault(self.state, &question, permit, moment) {
            Some(fault) => self.ends(Over::BadPermit(fault)),
            // Asking again at once would go round for as long as the network is slower than the host's limit.
            None if moment.boot_ms.saturating_sub(since_ms) > self.longest_ms => self.ends(Over::Unanswered),
            None => {
                self.since_ms = since_ms;
                (self.asked, self.waits_since_ms) = (None, None);
            }
        }
    }

    /// For good: whatever is heard later, this act does not go on.
    fn ends(&mut self, over: Over) {
        self.over.get_or_insert(over);
    }

    /// Decides at an item boundary. To be called after everything that was said has been heard.
    pub fn at_boundary(&mut self, moment: &Moment) -> Boundary {
        let late = self.waits_since_ms.is_some_and(|since| moment.boot_ms.abs_diff(since) > ASK_PATIENCE_MS);
        if late {
            self.ends(Over::Unanswered);
        }
        if let Some(over) = self.over {
            return Boundary::Stop(over);
        }
        if self.asked.is_some() {
            return Boundary::Wait;
        }
        let used_ms = moment.boot_ms.checked_sub(self.since_ms);
        let late = gallra_planted::is(Bug::PermitWithoutExpiry);
        if self.waits_since_ms.is_none() && used_ms.is_some_and(|used| used <= self.longest_ms || late) {
            return Boundary::GoOn;
        }
        if self.state.is_quiet(moment) {
            self.ends(Over::QuietHours);
            return Boundary::Stop(Over::QuietHours);
        }
        self.asked = Some((moment.nonce, moment.boot_ms));
        self.waits_since_ms.get_or_insert(moment.boot_ms);
        let (job, attempt) = (self.job(), self.acting.begun.attempt);
        Boundary::Ask(ToCoordinator::AskOn { job, attempt, spec: self.acting.offer.digest, nonce: moment.nonce })
    }
}
