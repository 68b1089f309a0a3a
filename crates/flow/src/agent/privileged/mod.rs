//! The agent's privileged half: which offers are refused at once, which are asked for, whether a permit answers the
//! asking, what is journalled, done and signed, and what is repeated. Refuses to know keys, files, drivers and clocks:
//! signatures arrive checked, time and randomness arrive as values. Upholds I1 (no act without a live permit), I3, I4
//! (every act stands between two journal records), I6 and I10 (one asking at a time, bounded queues).

mod begin;
mod cause;
mod end;
mod going_on;
mod offer;
mod state;

pub use begin::Fault;
pub use cause::objection as cause_objection;
pub use end::Outcome;
pub use going_on::{Boundary, Heard, Over, UnderWay};
pub use offer::Offered;
pub use state::{Host, Privileged};

use gallra_model::cause::Cause;
use gallra_model::envelope::Envelope;
use gallra_model::job::JobSpec;
use gallra_model::message::ToCoordinator;
use gallra_model::order::Order;
use gallra_model::permit::{Denial, Permit};
use gallra_model::receipt::{Code, Mark, Receipt};
use gallra_model::{Clock, Digest, Instant, JobId, Nonce, ObligationId};

use super::record::Record;

/// Offers that wait here for their turn; the session grants so many credits.
pub const MAX_WAITING: usize = 8;

/// Unacknowledged receipts at which no further offer is taken.
pub const MAX_HELD: usize = 1024;

/// How long an asking may stay unanswered before the next offer has its turn, in milliseconds of the boot-time clock.
pub const ASK_PATIENCE_MS: u64 = 30_000;

/// When an input is handled, and the randomness that handling it may need. Drawn anew for every step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The machine's own clock.
    pub now: Instant,
    /// Milliseconds on the machine's boot-time clock, which no admin and no time server can set.
    pub boot_ms: u64,
    /// For an asking.
    pub nonce: Nonce,
    /// For what a preserve keeps.
    pub handle: ObligationId,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The journal was read: first of all inputs.
    Restarted(Vec<Record>),
    /// A stream was opened.
    Connected {
        /// The coordinator's generation.
        generation: u64,
        /// Which clock it runs under.
        clock: Clock,
        /// Its time.
        now: Instant,
    },
    /// The simulated clock moved.
    ClockMoved(Instant),
    /// A job to ask for, with the digest of its exact bytes, and its cause where a key that the host trusts signed it.
    Offered(Box<JobSpec>, Digest, Option<Box<Cause>>),
    /// An offer that says more than this version reads, as far as it is read, with the digest of its exact bytes: it is refused.
    NotUnderstood(Box<JobSpec>, Digest),
    /// A permit with a good signature, and the digest of its payload.
    Permitted(Box<Permit>, Digest),
    /// A permit whose signature or form is bad. What it claims to be about is believed only far enough to end an asking.
    PermitBad(Option<JobId>),
    /// The coordinator said no.
    Denied(JobId, Nonce, Denial),
    /// The act that [`Effect::Act`] asked for is over.
    Acted(Box<Outcome>),
    /// The receipt that [`Effect::Sign`] asked for.
    Signed {
        /// The job.
        job: JobId,
        /// The attempt.
        attempt: u32,
        /// SHA-256 of the payload.
        receipt: Digest,
        /// The receipt.
        envelope: Envelope,
        /// Whether it says done.
        done: bool,
    },
    /// The coordinator has a receipt.
    ReceiptStored(Digest),
    /// An order with a good signature.
    Ordered(Box<Order>),
    /// A hold, a resumption or a new plan covers a job.
    Withdrawn(JobId),
    /// Time passed.
    Tick,
}

/// One permitted act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// The offer.
    pub spec: JobSpec,
    /// The agent's time.
    pub at: Instant,
    /// Preserve only: the handle under which the row keys are sealed.
    pub handle: Option<ObligationId>,
    /// What earlier attempts at the job saw before they began to erase.
    pub earlier: Option<Mark>,
}

/// What is to be done, strictly in this order: each is finished, and durable where it writes, before the next begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Append to the journal, durably.
    Journal(Record),
    /// Carry out one job on its target; answer with [`Input::Acted`].
    Act(Box<Act>),
    /// Sign, as of the look again where the second is true; answer with [`Input::Signed`].
    Sign(Box<Receipt>, bool),
    /// Tell the coordinator.
    Say(ToCoordinator),
    /// Throw away what an interrupted preserve may have sealed: nobody was told of the handle.
    Discard(ObligationId),
    /// Nothing is open and everything is acknowledged: the journal may be shortened.
    Compact,
    /// For the log.
    Note(Note),
}

/// What the log is told. Names jobs only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// An offer for another agent: nothing is done.
    ForeignOffer(JobId),
    /// An offer below the highest generation seen: nothing is done (I3).
    OldOffer(JobId),
    /// More offers than credits: nothing is done; the coordinator offers again.
    NoRoom(JobId),
    /// The offer is already in hand.
    AlreadyInHand(JobId),
    /// Refused before asking.
    Refused(JobId, Code),
    /// A permit that answers the asking does not check.
    BadPermit(JobId, Fault),
    /// A permit that answers no asking: replayed, late or foreign.
    StrayPermit(Option<JobId>),
    /// The coordinator said no.
    Denied(JobId, Denial),
    /// The asking was not answered in time.
    Unanswered(JobId),
    /// An attempt that a stop interrupted.
    Interrupted(JobId),
    /// An order was taken.
    Ordered {
        /// Whether it stops irreversible work.
        halted: bool,
    },
    /// A job was withdrawn.
    Withdrawn(JobId),
    /// An act ends at an item, with something left.
    Stopped(JobId, Over),
    /// An input that nothing asked for.
    OutOfTurn,
}

/// The one transition function.
pub fn step(mut state: Privileged, input: Input, moment: &Moment) -> (Privileged, Vec<Effect>) {
    let mut effects = Vec::new();
    match input {
        Input::Restarted(records) => end::restarted(&mut state, records, moment, &mut effects),
        Input::Connected { generation, clock, now } => {
            state.see(generation, &mut effects);
            state.connected(clock, now, &mut effects);
        }
        Input::ClockMoved(now) => state.clock_moved(now, &mut effects),
        Input::Offered(spec, digest, trusted) => {
            let whole = Some(trusted.as_deref());
            offer::offered(&mut state, *spec, (digest, whole), moment, &mut effects);
        }
        Input::NotUnderstood(spec, digest) => {
            offer::offered(&mut state, *spec, (digest, None), moment, &mut effects);
        }
        Input::Permitted(permit, digest) => begin::permitted(&mut state, &permit, digest, moment, &mut effects),
        Input::PermitBad(claimed) => begin::permit_bad(&mut state, claimed, moment, &mut effects),
        Input::Denied(job, nonce, reason) => begin::denied(&mut state, (job, nonce), reason, &mut effects),
        Input::Acted(outcome) => end::acted(&mut state, *outcome, moment, &mut effects),
        Input::Signed { job, attempt, receipt, envelope, done } => {
            end::signed(&mut state, super::record::Held { job, attempt, receipt, envelope, done }, &mut effects);
        }
        Input::ReceiptStored(receipt) => end::stored(&mut state, receipt, &mut effects),
        Input::Ordered(order) => state.ordered(*order, &mut effects),
        Input::Withdrawn(job) => state.withdrawn(job, &mut effects),
        Input::Tick => begin::tick(&mut state, moment, &mut effects),
    }
    state.ask_next(moment, &mut effects);
    (state, effects)
}

#[cfg(test)]
mod tests;
