//! Offers: what is refused at once, without asking, and what waits for its turn. A refusal is a signed receipt, so that
//! the coordinator can say why a target is unproven; an offer that is not ours, or is older than what was seen, gets none.

use gallra_model::cause::Cause;
use gallra_model::job::{Action, JobSpec};
use gallra_model::receipt::Code;
use gallra_model::selector::Selector;
use gallra_model::target::{Mode, TargetKind};
use gallra_model::{Clock, Digest, JobId};
use gallra_planted::Bug;

use super::cause;
use super::end::{Ending, Outcome, sign};
use super::state::{Current, Privileged, say};
use super::{Effect, MAX_HELD, MAX_WAITING, Moment, Note};

/// Why nothing is changed in quiet hours.
pub(super) const QUIET: &str = "quiet_hours in agent.toml: it is tried again after them";

/// Why nothing is done that was not read to its end.
const NEWER: &str = "the job says more than this version of gallra-agent reads: upgrade it; nothing was touched";

/// How long an act counts against `jobs_per_hour`, in milliseconds of boot time.
const HOUR_MS: u64 = 3_600_000;

/// An offer as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// What it says.
    pub spec: JobSpec,
    /// SHA-256 of its exact bytes.
    pub digest: Digest,
    /// The target's kind, by this host's own word.
    pub kind: TargetKind,
}

/// `whole` is unset where the offer says more than was read; else it is the cause that the host trusts, if there is one.
pub(super) fn offered(
    state: &mut Privileged,
    spec: JobSpec,
    (digest, whole): (Digest, Option<Option<&Cause>>),
    moment: &Moment,
    effects: &mut Vec<Effect>,
) {
    let job = spec.job;
    if !state.started {
        return effects.push(Effect::Note(Note::OutOfTurn));
    }
    if spec.agent != state.host.agent {
        return effects.push(Effect::Note(Note::ForeignOffer(job)));
    }
    if spec.generation < state.generation && !gallra_planted::is(Bug::OlderGenerationAccepted) {
        return effects.push(Effect::Note(Note::OldOffer(job)));
    }
    state.see(spec.generation, effects);
    if let Some(held) = state.held.iter().rfind(|held| held.job == job) {
        return effects.push(say(held));
    }
    if let Some(known) = state.in_hand(job) {
        effects.push(Effect::Note(Note::AlreadyInHand(job)));
        if known == digest || !withdraw(state, job) {
            return;
        }
    }
    if state.signing.iter().any(|(signing, _)| *signing == job) {
        return effects.push(Effect::Note(Note::AlreadyInHand(job)));
    }
    if state.waiting.len() >= MAX_WAITING || state.held.len() >= MAX_HELD {
        return effects.push(Effect::Note(Note::NoRoom(job)));
    }
    // An unknown target has no kind; the code says that there is none.
    let (kind, mode) = state.host.targets.get(&spec.target).copied().unwrap_or((TargetKind::Files, Mode::Observe));
    let offer = Offered { spec, digest, kind };
    let objection = match whole {
        None => Some((Code::Unsupported, NEWER)),
        Some(trusted) => objection(state, &offer, (mode, trusted), moment),
    };
    match objection {
        Some((code, hint)) => {
            effects.push(Effect::Note(Note::Refused(job, code)));
            let ending = Ending::before_permit(offer, state.clock(moment));
            sign(state, ending, Outcome::refused(code, hint), moment, effects);
        }
        None => state.waiting.push_back(offer),
    }
}

/// Drops an offer that a newer one replaces; a job that is being done stays.
fn withdraw(state: &mut Privileged, job: JobId) -> bool {
    state.waiting.retain(|offer| offer.spec.job != job);
    match &state.current {
        Current::Asked(asked) if asked.offer.spec.job == job => {
            state.current = Current::Idle;
            true
        }
        Current::Acting(acting) => acting.offer.spec.job != job,
        Current::Idle | Current::Asked(_) => true,
    }
}

/// Why a job is refused before a permit is asked for.
fn objection(
    state: &Privileged,
    offer: &Offered,
    (mode, trusted): (Mode, Option<&Cause>),
    moment: &Moment,
) -> Option<(Code, &'static str)> {
    let spec = &offer.spec;
    let told = state.told.map_or(Clock::Real, |(clock, _)| clock);
    if let Some(hint) = misfit(spec) {
        return Some((Code::BadSelector, hint));
    }
    if !state.host.targets.contains_key(&spec.target) {
        return Some((Code::NoSuchTarget, "agent.toml has no target of this name: add it, or make a new plan"));
    }
    if spec.clock == Clock::Simulated && !state.host.accept_simulated {
        let hint = "the job is under a simulated clock: start gallra-agent with --accept-simulated-clock if this is a \
                    demonstration";
        return Some((Code::SimulatedClock, hint));
    }
    if spec.clock != told {
        return Some((Code::SimulatedClock, "the job and the stream that it came on are under different clocks"));
    }
    if spec.action.changes() && mode == Mode::Observe {
        return Some((
            Code::ObserveMode,
            "the target is in observe mode: set mode = \"act\" in agent.toml to allow it",
        ));
    }
    if spec.action.is_irreversible()
        && let Some(hint) = cause::objection(spec, trusted, state.clock(moment).1)
    {
        return Some((Code::BadCause, hint));
    }
    if spec.action.changes() && state.is_halted() {
        return Some((Code::Halted, "the emergency stop is pulled: it is tried again when it is lifted"));
    }
    if spec.action.changes() && state.is_quiet(moment) {
        return Some((Code::QuietHours, QUIET));
    }
    if spec.action.changes() && over_limit(state, moment) {
        return Some((Code::Limit, "jobs_per_hour in agent.toml is reached: it is tried again later"));
    }
    None
}

/// A job names somebody; a purge says how old, and names nobody but those whose items stay.
fn misfit(spec: &JobSpec) -> Option<&'static str> {
    match (&spec.purge, spec.action) {
        (Some(purge), Action::Purge) if spec.selector.is_empty() => {
            let empty = purge.preserve.iter().any(Selector::is_empty);
            empty.then_some("the purge would keep the items of nobody in particular: nothing was touched")
        }
        (Some(_), _) | (None, Action::Purge) => {
            Some("the job is neither a purge nor anything else: nothing was touched")
        }
        (None, _) if spec.selector.is_empty() => Some("the job selects nobody: nothing was touched"),
        (None, _) => None,
    }
}

/// Whether the acts of the last hour and those that wait use the host's limit up.
fn over_limit(state: &Privileged, moment: &Moment) -> bool {
    let Some(limit) = state.host.jobs_per_hour else { return false };
    let recent = state.begun_ms.iter().filter(|begun| moment.boot_ms.saturating_sub(**begun) < HOUR_MS).count();
    let asked = match &state.current {
        Current::Asked(asked) => usize::from(asked.offer.spec.action.changes()),
        Current::Idle | Current::Acting(_) => 0,
    };
    let waiting = state.waiting.iter().filter(|offer| offer.spec.action.changes()).count();
    recent + asked + waiting >= limit as usize
}

/// Counts an act that begins, and forgets those that no longer count.
pub(super) fn count(state: &mut Privileged, moment: &Moment) {
    state.begun_ms.retain(|begun| moment.boot_ms.saturating_sub(*begun) < HOUR_MS);
    if state.host.jobs_per_hour.is_some() {
        state.begun_ms.push_back(moment.boot_ms);
    }
}
