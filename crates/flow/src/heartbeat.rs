//! Heartbeats: how often an agent is asked to say that it works, and when one that says nothing is called silent. Functions of values.
//! Upholds that no agent is called silent that had no time yet to come back: after a start or a fail-over all of them dial again.

use std::time::Duration;

/// Heartbeats that streams of one coordinator are to make in a second, all together.
const A_SECOND: usize = 50;
/// Seconds between two heartbeats of an agent: at least, and at most. Fewer would find nobody missing much sooner than its connection's
/// own keep-alive does; more would leave an agent that hangs unseen for a quarter of an hour.
const SECONDS: (usize, usize) = (20, 300);
/// How many may be missed.
const MISSED: u32 = 3;
/// How long an agent without a stream is waited for after everybody's streams may have ended: its longest wait between two tries, one
/// try that gets no answer, and a busy machine.
pub const GRACE: Duration = Duration::from_secs(90);

/// Seconds between two heartbeats that a stream is asked for which opens beside so many others.
pub fn interval_seconds(streams: usize) -> u32 {
    u32::try_from((streams / A_SECOND).clamp(SECONDS.0, SECONDS.1)).unwrap_or(u32::MAX)
}

/// What is known of an agent's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It is open here. How long ago anything was heard on it, and the seconds between heartbeats that it was asked for; unset for an
    /// agent that is older than heartbeats.
    Here(Option<(Duration, u32)>),
    /// Another coordinator has it, which looks after it.
    Elsewhere,
    /// There is none.
    Nowhere,
}

/// Whether an agent is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It has a stream, and works.
    There,
    /// It has none yet, and had no time to come back.
    Awaited,
    /// It is called silent: it has no stream, or says nothing on it.
    Silent,
}

/// Whether an agent is there. `looking`: for how long streams have been waited for, since the start or the last change of who leads.
pub fn presence(heard: Heard, looking: Duration) -> Presence {
    match heard {
        Heard::Here(Some((ago, seconds))) if ago > MISSED * Duration::from_secs(seconds.into()) => Presence::Silent,
        Heard::Here(_) | Heard::Elsewhere => Presence::There,
        Heard::Nowhere if looking < GRACE => Presence::Awaited,
        Heard::Nowhere => Presence::Silent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_together_beat_at_a_rate_that_does_not_grow_with_them() {
        for (streams, seconds) in
            [(0, 20), (1, 20), (1_000, 20), (1_049, 20), (2_000, 40), (10_000, 200), (15_000, 300), (1_000_000, 300)]
        {
            assert_eq!(interval_seconds(streams), seconds, "{streams}");
        }
        // Each keeps what it was told when its stream opened: also where they came one after another.
        let rate: f64 = (0..10_000).map(|streams| 1.0 / f64::from(interval_seconds(streams))).sum();
        assert!(rate < 170.0, "{rate}");
    }

    #[test]
    fn who_missed_three_heartbeats_is_silent_and_who_is_older_than_they_are_is_not() {
        let ago = |seconds| Heard::Here(Some((Duration::from_secs(seconds), 20)));
        for looking in [Duration::ZERO, GRACE * 10] {
            assert_eq!(presence(ago(0), looking), Presence::There);
            assert_eq!(presence(ago(60), looking), Presence::There);
            assert_eq!(presence(ago(61), looking), Presence::Silent);
            assert_eq!(presence(Heard::Here(None), looking), Presence::There);
            assert_eq!(presence(Heard::Elsewhere, looking), Presence::There);
        }
        let slow = Heard::Here(Some((Duration::from_secs(61), 200)));
        assert_eq!(presence(slow, GRACE), Presence::There, "its own interval counts");
    }

    #[test]
    fn nobody_is_silent_before_the_grace_is_over() {
        assert_eq!(presence(Heard::Nowhere, Duration::ZERO), Presence::Awaited);
        assert_eq!(presence(Heard::Nowhere, GRACE - Duration::from_millis(1)), Presence::Awaited);
        assert_eq!(presence(Heard::Nowhere, GRACE), Presence::Silent);
    }
}
