//! When each snapshot should be gone: the keep rules and the routine's cadence, played into the future. Pure; `now` is
//! given. Upholds decision 7: an expectation comes from simulating the store's rules, may be `never`, and is `unknown`
//! rather than guessed.

use std::collections::VecDeque;

use gallra_model::Instant;
use gallra_model::copy::Expected;
use gallra_model::target::CopyLife;
use gallra_model::time::day_of;
use jiff::SignedDuration;

use super::keep::{Moment, Rules};

/// How far the future is played, in days: what is kept longer counts as kept for ever.
const HORIZON_DAYS: u32 = 3660;

/// After how many missed runs a routine counts as stopped.
const MISSED_RUNS: u32 = 3;

/// What the provider's backup routine does, as the host's admin declares it.
#[derive(Debug, Clone)]
pub(crate) struct Routine {
    /// The keep rules of its `forget`.
    pub(crate) rules: Rules,
    /// Days between snapshots.
    pub(crate) every_days: u32,
    /// Days between runs of `forget --prune`. When it equals `every_days` they run together.
    pub(crate) prune_every_days: u32,
    /// Whether a customer's snapshots form a group of their own, which gets no newer one once the customer left.
    pub(crate) own_group: bool,
}

impl Routine {
    /// How long copies of a customer who has left live, from the rules alone.
    pub(crate) fn life(&self) -> CopyLife {
        let rules = &self.rules;
        if rules.is_empty() {
            return CopyLife::Unknown;
        }
        if self.own_group {
            return CopyLife::Never;
        }
        // A count rule lets a snapshot go once that many newer periods have one. A period without a run of the routine
        // is not counted, so a routine slower than the period stretches it.
        let counted = [
            (rules.last, 0),
            (rules.hourly, 1),
            (rules.daily, 1),
            (rules.weekly, 7),
            (rules.monthly, 31),
            (rules.yearly, 366),
        ]
        .map(|(count, period)| match (count, period <= self.every_days) {
            (0, _) => 0,
            (count, true) => count.saturating_mul(self.every_days),
            (count, false) => count.saturating_mul(period).saturating_add(self.every_days),
        });
        let within = rules.within.map_or(0, |within| within.most_days().saturating_add(self.every_days));
        let longest = counted.into_iter().fold(within, u32::max);
        CopyLife::AtMost { days: longest.saturating_add(self.prune_every_days) }
    }

    /// What to expect of each snapshot of one group (newest first, in the same order). `newest` is the repository's
    /// newest snapshot of all groups: a group that lags behind a routine still at work gets no newer snapshots.
    pub(crate) fn expect(&self, group: &[Moment], newest: Instant, now: Instant, keeps_oldest: bool) -> Vec<Expected> {
        let Some(newest_of_group) = group.first() else { return Vec::new() };
        if self.rules.is_empty() {
            return vec![Expected::Unknown; group.len()];
        }
        let stopped = self.is_stopped(newest, now);
        if self.own_group || (!stopped && self.is_stopped(newest_of_group.instant(), now)) {
            let next_run = if stopped { None } else { self.next_run(newest_of_group, now) };
            let gone = next_run.map_or(Expected::Unknown, |run| self.reclaimed_by(&run));
            let kept = self.rules.kept(group.iter(), keeps_oldest);
            return kept.into_iter().map(|kept| if kept { Expected::Never } else { gone }).collect();
        }
        if stopped {
            return vec![Expected::Unknown; group.len()];
        }
        self.play(group, now, keeps_oldest)
    }

    /// Adds one snapshot after the other and lets `forget` run after each, until nothing of today's is left.
    fn play(&self, group: &[Moment], now: Instant, keeps_oldest: bool) -> Vec<Expected> {
        let mut expected = vec![Expected::Never; group.len()];
        let mut living: VecDeque<(Option<usize>, Moment)> =
            group.iter().enumerate().map(|(place, moment)| (Some(place), moment.clone())).collect();
        let mut run = group.first().and_then(|newest| self.next_run(newest, now));
        for _ in 0..HORIZON_DAYS.div_ceil(self.every_days) {
            let Some(at) = run else { break };
            living.push_front((None, at.clone()));
            let gone = self.reclaimed_by(&at);
            let mut kept = self.rules.kept(living.iter().map(|(_, moment)| moment), keeps_oldest).into_iter();
            living.retain(|(place, _)| {
                let keep = kept.next().unwrap_or(true);
                if let Some(slot) = place.filter(|_| !keep).and_then(|place| expected.get_mut(place)) {
                    *slot = gone;
                }
                keep
            });
            if living.iter().all(|(place, _)| place.is_none()) {
                break;
            }
            run = at.plus_days(i64::from(self.every_days));
        }
        expected
    }

    fn is_stopped(&self, newest: Instant, now: Instant) -> bool {
        let bound = i64::from(self.every_days) * i64::from(MISSED_RUNS) * 24;
        now.duration_since(newest) > SignedDuration::from_hours(bound)
    }

    /// The next time on the routine's grid that is not past.
    fn next_run(&self, newest: &Moment, now: Instant) -> Option<Moment> {
        let every = i64::from(self.every_days);
        let missed = now.duration_since(newest.instant()).as_hours().max(0) / 24 / every;
        // One more for a run due later today, and for hours that summer time takes.
        (missed..=missed + 2).filter(|runs| *runs > 0).find_map(|runs| {
            let run = newest.plus_days(runs * every)?;
            (run.instant() >= now).then_some(run)
        })
    }

    /// The day by which a snapshot that a run lets go is removed and reclaimed. Where `forget --prune` runs on a
    /// rhythm of its own its phase is not known, so a whole one of its periods may pass.
    fn reclaimed_by(&self, run: &Moment) -> Expected {
        let wait = if self.prune_every_days == self.every_days { 0 } else { self.prune_every_days };
        let at = run.plus_days(i64::from(wait));
        at.map_or(Expected::Unknown, |at| Expected::By(day_of(at.instant())))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn weekly(rules: Rules) -> Routine {
        Routine { rules, every_days: 7, prune_every_days: 7, own_group: false }
    }

    fn at(text: &str) -> Instant {
        text.parse().expect("a literal")
    }

    /// Three Thursdays in January 2026, newest first.
    fn january() -> Vec<Moment> {
        ["2026-01-15T03:00:00Z", "2026-01-08T03:00:00Z", "2026-01-01T03:00:00Z"]
            .map(|text| Moment::parse(text).expect("a literal"))
            .to_vec()
    }

    fn expect(routine: &Routine, now: &str) -> Vec<Expected> {
        routine.expect(&january(), at("2026-01-15T03:00:00Z"), at(now), false)
    }

    #[test]
    fn a_shared_group_lets_go_when_newer_snapshots_come() {
        let month = weekly(Rules { within: "1m".parse().ok(), ..Rules::default() });
        let days = [date(2026, 2, 19), date(2026, 2, 12), date(2026, 2, 5)].map(Expected::By);
        assert_eq!(expect(&month, "2026-01-16T12:00:00Z"), days);
        let three = weekly(Rules { last: 3, ..Rules::default() });
        let days = [date(2026, 2, 5), date(2026, 1, 29), date(2026, 1, 22)].map(Expected::By);
        assert_eq!(expect(&three, "2026-01-16T12:00:00Z"), days);
        let slow = Routine { prune_every_days: 30, ..three };
        assert_eq!(expect(&slow, "2026-01-16T12:00:00Z").last(), Some(&Expected::By(date(2026, 2, 21))));
    }

    #[test]
    fn what_the_rules_let_go_already_goes_with_the_next_run() {
        let one = weekly(Rules { last: 1, ..Rules::default() });
        assert_eq!(expect(&one, "2026-01-20T12:00:00Z"), [Expected::By(date(2026, 1, 22)); 3]);
        assert_eq!(expect(&one, "2026-01-22T12:00:00Z"), [Expected::By(date(2026, 1, 29)); 3], "a run was missed");
    }

    #[test]
    fn a_group_of_the_customers_own_never_goes() {
        let own = Routine { own_group: true, ..weekly(Rules { last: 2, ..Rules::default() }) };
        let two_stay = [Expected::Never, Expected::Never, Expected::By(date(2026, 1, 22))];
        assert_eq!(expect(&own, "2026-01-16T12:00:00Z"), two_stay);
        assert_eq!(own.life(), CopyLife::Never);
        let left_behind = Routine { own_group: false, ..own };
        let group = january();
        let kept = left_behind.expect(&group, at("2026-05-01T03:00:00Z"), at("2026-05-02T03:00:00Z"), false);
        assert_eq!(kept[..2], [Expected::Never; 2], "other groups go on, this one does not");
    }

    #[test]
    fn a_stopped_routine_and_no_rules_promise_nothing() {
        let rules = weekly(Rules { last: 2, ..Rules::default() });
        assert_eq!(expect(&rules, "2026-02-05T03:00:01Z"), [Expected::Unknown; 3]);
        assert_ne!(expect(&rules, "2026-02-05T03:00:00Z"), [Expected::Unknown; 3]);
        assert_eq!(expect(&weekly(Rules::default()), "2026-01-16T12:00:00Z"), [Expected::Unknown; 3]);
        assert_eq!(weekly(Rules::default()).life(), CopyLife::Unknown);
    }

    #[test]
    fn longer_than_ten_years_is_for_ever() {
        let years = weekly(Rules { within: "11y".parse().ok(), ..Rules::default() });
        assert_eq!(expect(&years, "2026-01-16T12:00:00Z"), [Expected::Never; 3]);
    }

    #[test]
    fn life_is_never_shorter_than_what_the_play_shows() {
        let rules = [
            Rules { within: "5m".parse().ok(), ..Rules::default() },
            Rules { within: "3d12h".parse().ok(), daily: 3, ..Rules::default() },
            Rules { last: 4, ..Rules::default() },
            Rules { hourly: 2, daily: 9, ..Rules::default() },
            Rules { weekly: 5, ..Rules::default() },
            Rules { last: 2, monthly: 3, ..Rules::default() },
            Rules { yearly: 1, ..Rules::default() },
        ];
        for rules in rules {
            for (every_days, prune_every_days) in [(1, 1), (1, 7), (7, 7), (45, 45)] {
                let routine = Routine { rules: rules.clone(), every_days, prune_every_days, own_group: false };
                let CopyLife::AtMost { days } = routine.life() else { panic!("bounded: {rules:?}") };
                let first = Moment::parse("2025-01-31T23:30:00+01:00").expect("a literal");
                for start in 0..40 {
                    let made = first.plus_days(start * 11).expect("in range");
                    let expected =
                        routine.expect(std::slice::from_ref(&made), made.instant(), made.instant(), start % 2 == 0);
                    let [Expected::By(day)] = expected[..] else { panic!("{expected:?} of {rules:?}") };
                    let lived = day.since(day_of(made.instant())).expect("in range").get_days();
                    assert!(lived <= i32::try_from(days).expect("small"), "{lived} > {days}: {routine:?}");
                }
            }
        }
    }
}
