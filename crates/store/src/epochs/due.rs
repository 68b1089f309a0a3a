//! When an epoch must turn: arithmetic over values, no clock. The sum that I12 rests on stands here and in
//! `docs/decisions/0011-key-epochs.md`.
//!
//! A key that is destroyed at T was wrapped under the epoch that was current at T, or, while that one was turning, under the
//! one before it. Old pages and copies keep the wrapped bytes until that epoch's own key is destroyed. An epoch that begins
//! at B wraps nothing before B, so T is B or later; if its key is destroyed by B + 31 days, that is by T + 31 days, for
//! every T. It turns from B + 30 days on, which leaves a day to finish in.

use gallra_model::Instant;

use crate::keyring::EPOCH_DAYS;

const DAY_SECONDS: i64 = 24 * 60 * 60;
/// From this age on, an epoch is turned.
const TURN_AT_SECONDS: i64 = EPOCH_DAYS as i64 * DAY_SECONDS;
/// By this age its keys must be destroyed (I12).
const GONE_BY_SECONDS: i64 = TURN_AT_SECONDS + DAY_SECONDS;
/// From this age on somebody has to look, with half a day left.
const LATE_AT_SECONDS: i64 = TURN_AT_SECONDS + DAY_SECONDS / 2;

/// Where an epoch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// Not yet; in so many seconds.
    In(i64),
    /// It is to be turned.
    Now,
    /// It should have been turned by now; there is less than half a day left.
    Late,
    /// Its keys are older than 31 days: I12 does not hold until it has turned.
    Missed,
}

/// Where an epoch stands that began at `since`.
pub fn epoch_due(since: Instant, now: Instant) -> Due {
    let age = now.duration_since(since).as_secs();
    if age < TURN_AT_SECONDS {
        Due::In(TURN_AT_SECONDS - age)
    } else if age < LATE_AT_SECONDS {
        Due::Now
    } else if age < GONE_BY_SECONDS {
        Due::Late
    } else {
        Due::Missed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Instant {
        Instant::from_second(seconds).expect("an instant")
    }

    #[test]
    fn an_epoch_turns_after_thirty_days_and_is_gone_after_thirty_one() {
        let day = DAY_SECONDS;
        for (age, due) in [
            (0, Due::In(30 * day)),
            (-5, Due::In(30 * day + 5)),
            (30 * day - 1, Due::In(1)),
            (30 * day, Due::Now),
            (30 * day + day / 2, Due::Late),
            (31 * day - 1, Due::Late),
            (31 * day, Due::Missed),
        ] {
            assert_eq!(epoch_due(at(1_000_000), at(1_000_000 + age)), due, "{age}");
        }
    }

    proptest! {
        /// Whenever within an epoch, or within the day in which it turns, a key is destroyed: what held it is unreadable 31
        /// days later, if every turning ends in its day.
        #[test]
        fn what_is_destroyed_at_any_time_is_unreadable_after_31_days(
            lengths in prop::collection::vec(TURN_AT_SECONDS..GONE_BY_SECONDS, 3),
            took in prop::collection::vec(0..DAY_SECONDS, 3),
            epoch in 0usize..2,
            part in 0i64..=1_000,
        ) {
            let mut begins = vec![0];
            for length in &lengths {
                begins.push(begins[begins.len() - 1] + length);
            }
            // An epoch's keys go when its turning ends: by its 31st day.
            let gone = |epoch: usize| (begins[epoch + 1] + took[epoch]).min(begins[epoch] + GONE_BY_SECONDS);
            // Its keys wrap what is live from its beginning until it is gone.
            let destroyed = begins[epoch] + (gone(epoch) - begins[epoch]) * part / 1_000;
            prop_assert!(gone(epoch) <= destroyed + GONE_BY_SECONDS);
        }
    }
}
