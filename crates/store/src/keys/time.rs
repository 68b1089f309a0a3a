//! Keys that begin with a time: timers and the dispatch index. Upholds that order of keys is order of time.

use gallra_model::{AgentName, Instant, JobId, RequestId};

use super::Family;
use crate::key::{Key, KeyPrefix, KeyRange};

/// Milliseconds of an instant that must not be met early: a part of a millisecond counts as a whole one. Before 1970
/// counts as 1970, which is as due.
pub(super) fn millis_up(at: Instant) -> u64 {
    let down = at.as_millisecond();
    let part = i64::from(at.as_nanosecond() > i128::from(down) * 1_000_000);
    u64::try_from(down.saturating_add(part)).unwrap_or(0)
}

/// Whole milliseconds that have passed at an instant.
pub(super) fn millis_down(now: Instant) -> u64 {
    u64::try_from(now.as_nanosecond().div_euclid(1_000_000)).unwrap_or(0)
}

pub(super) fn number(value: u64) -> String {
    format!("{value:016x}")
}

pub(super) fn instant(segment: &str) -> Option<Instant> {
    let millis = u64::from_str_radix(segment, 16).ok()?;
    let instant = Instant::from_millisecond(i64::try_from(millis).ok()?).ok()?;
    // Another spelling of the number would be another key.
    (number(millis) == segment).then_some(instant)
}

/// Look at a request at an instant.
pub fn timer(at: Instant, request: &RequestId) -> Key {
    Family::Timer.under(&[&number(millis_up(at))]).key(&request.to_string())
}

/// All timers, soonest first.
pub fn timers() -> KeyPrefix {
    Family::Timer.prefix()
}

/// All timers that are due at an instant, soonest first.
pub fn timers_due(now: Instant) -> KeyRange {
    KeyRange::through(&timers(), &number(millis_down(now)))
}

/// Instant (to the millisecond) and request of a timer; none for another key.
pub fn parse_timer(key: &Key) -> Option<(Instant, RequestId)> {
    let (at, request) = timers().rest(key)?.split_once('/')?;
    Some((instant(at)?, request.parse().ok()?))
}

/// Offer a job to an agent from an instant on.
pub fn ready(agent: &AgentName, due: Instant, job: &JobId) -> Key {
    Family::Ready.under(&[agent.as_str(), &number(millis_up(due))]).key(&job.to_string())
}

/// All that an agent is to be offered, soonest first.
pub fn ready_of(agent: &AgentName) -> KeyPrefix {
    Family::Ready.under(&[agent.as_str()])
}

/// All that an agent may be offered at an instant, soonest first.
pub fn ready_due(agent: &AgentName, now: Instant) -> KeyRange {
    KeyRange::through(&ready_of(agent), &number(millis_down(now)))
}

/// Agent, instant (to the millisecond) and job of a dispatch entry; none for another key.
pub fn parse_ready(key: &Key) -> Option<(AgentName, Instant, JobId)> {
    let mut segments = Family::Ready.prefix().rest(key)?.splitn(3, '/');
    let (agent, due, job) = (segments.next()?, segments.next()?, segments.next()?);
    Some((agent.parse().ok()?, instant(due)?, job.parse().ok()?))
}
