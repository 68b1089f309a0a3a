//! Endings: what an attempt came to becomes a receipt, the receipt goes into the journal, and stays until the coordinator
//! has it. Upholds I4's second half: an interrupted attempt gets a receipt too, and it says unknown.

use gallra_model::copy::CopyListing;
use gallra_model::job::Action;
use gallra_model::outcome::Counts;
use gallra_model::receipt::{Check, Code, Kept, Mark, Receipt, Tally, Verdict};
use gallra_model::statement::Commitment;
use gallra_model::target::{Instance, TargetId, TargetKind};
use gallra_model::{Clock, Digest, Instant, JobId, ObligationId, Pseudonym};

use super::offer::Offered;
use super::state::{Current, Privileged, say};
use super::{Effect, Moment, Note};
use crate::agent::record::{Begun, Held, MAX_MARKS, Record, Replayed};

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub verdict: Verdict,
    /// Why not done.
    pub code: Option<Code>,
    /// For the host's admin; carries no identifier.
    pub hint: String,
    /// What the target's name stands for.
    pub instance: Option<Instance>,
    /// Items by outcome.
    pub counts: Counts,
    /// Before the act.
    pub before: Tally,
    /// After the act.
    pub after: Tally,
    /// The checks made.
    pub checks: Vec<Check>,
    /// Backup targets: the listing.
    pub listing: Option<CopyListing>,
    /// Preserve: what was sealed, durably, before this was said.
    pub kept: Option<Kept>,
    /// What was there when the first item went for good; written to the journal in the middle of the act.
    pub mark: Option<Mark>,
}

impl Outcome {
    fn empty(verdict: Verdict, code: Code, hint: &str) -> Self {
        Self {
            verdict,
            code: Some(code),
            hint: hint.to_owned(),
            instance: None,
            counts: Counts::default(),
            before: Tally::default(),
            after: Tally::default(),
            checks: Vec::new(),
            listing: None,
            kept: None,
            mark: None,
        }
    }

    /// Nothing was touched.
    pub(super) fn refused(code: Code, hint: &str) -> Self {
        Self::empty(Verdict::Refused, code, hint)
    }

    /// Nobody can say.
    fn interrupted(action: Action) -> Self {
        let hint = "the agent stopped between beginning and end: what was done is unknown; it is tried again";
        let unknown = u64::from(action.changes());
        let counts = Counts { unknown, ..Counts::default() };
        Self { counts, ..Self::empty(Verdict::Unknown, Code::Interrupted, hint) }
    }
}

/// What a receipt says of the attempt itself.
pub(super) struct Ending {
    pub(super) job: JobId,
    pub(super) attempt: u32,
    pub(super) permit: Option<Digest>,
    spec: Digest,
    target: TargetId,
    kind: TargetKind,
    action: Action,
    pseudonym: Pseudonym,
    older_than: Option<Instant>,
    again: bool,
    pub(super) commitment: Option<Commitment>,
    started: Instant,
    clock: Clock,
}

impl Ending {
    /// An offer that never got a permit: attempt 0.
    pub(super) fn before_permit(offer: Offered, (clock, started): (Clock, Instant)) -> Self {
        let Offered { spec, digest, kind } = offer;
        Self {
            job: spec.job,
            attempt: 0,
            permit: None,
            spec: digest,
            target: spec.target,
            kind,
            action: spec.action,
            pseudonym: spec.pseudonym,
            older_than: spec.purge.map(|purge| purge.older_than),
            again: spec.again,
            commitment: None,
            started,
            clock,
        }
    }

    /// An attempt that was begun.
    fn of_begun(begun: Begun) -> Self {
        Self {
            job: begun.job,
            attempt: begun.attempt,
            permit: Some(begun.permit),
            spec: begun.spec,
            target: begun.target,
            kind: begun.kind,
            action: begun.action,
            pseudonym: begun.pseudonym,
            older_than: begun.older_than,
            again: begun.again,
            commitment: begun.commitment,
            started: begun.started,
            clock: begun.clock,
        }
    }
}

/// Has the receipt signed.
pub(super) fn sign(
    state: &mut Privileged,
    ending: Ending,
    outcome: Outcome,
    moment: &Moment,
    effects: &mut Vec<Effect>,
) {
    let (clock, now) = state.clock(moment);
    state.signing.insert((ending.job, ending.attempt));
    // One receipt stands under one clock: an interrupted attempt under a simulated one ends where it began.
    let finished = if clock == ending.clock { now.max(ending.started) } else { ending.started };
    let receipt = Receipt {
        job: ending.job,
        attempt: ending.attempt,
        agent: state.host.agent.clone(),
        target: ending.target,
        kind: ending.kind,
        action: ending.action,
        pseudonym: ending.pseudonym,
        spec: ending.spec,
        permit: ending.permit,
        instance: outcome.instance,
        verdict: outcome.verdict,
        code: outcome.code,
        hint: outcome.hint,
        counts: outcome.counts,
        before: outcome.before,
        after: outcome.after,
        checks: outcome.checks,
        older_than: ending.older_than,
        listing: outcome.listing,
        kept: outcome.kept,
        commitment: ending.commitment,
        previous: state.lasts.of(&ending.job),
        started: ending.started,
        finished,
        clock: ending.clock,
        software: state.host.software.clone(),
    };
    effects.push(Effect::Sign(Box::new(receipt), ending.again));
}

pub(super) fn acted(state: &mut Privileged, outcome: Outcome, moment: &Moment, effects: &mut Vec<Effect>) {
    match std::mem::replace(&mut state.current, Current::Idle) {
        Current::Acting(acting) => {
            discard_unkept(acting.begun.handle, &outcome, effects);
            if let Some(mark) = outcome.mark
                && state.marks.len() < MAX_MARKS
            {
                state.marks.insert(acting.begun.job, mark);
            }
            sign(state, Ending::of_begun(acting.begun), outcome, moment, effects);
        }
        other @ (Current::Idle | Current::Asked(_)) => {
            state.current = other;
            effects.push(Effect::Note(Note::OutOfTurn));
        }
    }
}

/// A handle that no receipt names must hold nothing.
fn discard_unkept(handle: Option<ObligationId>, outcome: &Outcome, effects: &mut Vec<Effect>) {
    if let (Some(handle), None) = (handle, &outcome.kept) {
        effects.push(Effect::Discard(handle));
    }
}

pub(super) fn signed(state: &mut Privileged, held: Held, effects: &mut Vec<Effect>) {
    if !state.signing.remove(&(held.job, held.attempt)) {
        return effects.push(Effect::Note(Note::OutOfTurn));
    }
    if held.done {
        state.marks.remove(&held.job);
    }
    state.lasts.remember(held.job, held.receipt, held.done);
    effects.push(Effect::Journal(Record::End(held.clone())));
    effects.push(say(&held));
    state.held.push(held);
}

pub(super) fn stored(state: &mut Privileged, receipt: Digest, effects: &mut Vec<Effect>) {
    let before = state.held.len();
    state.held.retain(|held| held.receipt != receipt);
    if state.held.len() == before {
        return effects.push(Effect::Note(Note::OutOfTurn));
    }
    effects.push(Effect::Journal(Record::Stored { receipt }));
    let acting = matches!(state.current, Current::Acting(_));
    if state.held.is_empty() && state.signing.is_empty() && !acting {
        effects.push(Effect::Compact);
    }
}

pub(super) fn restarted(state: &mut Privileged, records: Vec<Record>, moment: &Moment, effects: &mut Vec<Effect>) {
    if state.started {
        return effects.push(Effect::Note(Note::OutOfTurn));
    }
    let Replayed { generation, unfinished, held, marks, order, lasts, checkpoint } = Replayed::of(records);
    state.started = true;
    state.generation = generation;
    state.held = held;
    state.marks = marks;
    state.order = order;
    state.lasts = lasts;
    state.checkpoint = checkpoint;
    for begun in unfinished {
        effects.push(Effect::Note(Note::Interrupted(begun.job)));
        effects.extend(begun.handle.map(Effect::Discard));
        let outcome = Outcome { instance: begun.instance, ..Outcome::interrupted(begun.action) };
        sign(state, Ending::of_begun(begun), outcome, moment, effects);
    }
}
