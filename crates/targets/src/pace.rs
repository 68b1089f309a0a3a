//! How fast a driver may go: the host's limit on items a second. Owns the decision, which is given the time and holds no
//! clock, and the boundary that asks it before every item. Refuses to know permits, holds and quiet hours: those are
//! asked by the boundary that it wraps, and first.

use std::time::Duration;

use gallra_model::receipt::Mark;

use crate::driver::{Boundary, Inspection, Still};

/// What an item costs, in parts of a token: small enough that a rate of one an hour is exact.
const PARTS: u64 = 1_000_000_000;
/// The longest wait between two looks at whether the act must stop: a stop is heard within this time.
pub const LONGEST_WAIT: Duration = Duration::from_millis(250);

/// A bucket of tokens, one an item. Holds at most what arrives in a second, so that a pause saves nothing up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    per_second: u64,
    /// In [`PARTS`] of a token.
    left: u64,
    /// Up to when what arrived was counted; time on a clock that nobody can set, from any beginning.
    counted: Duration,
}

impl Bucket {
    /// A full bucket; `per_second` of nought counts as one.
    pub fn new(per_second: u32, now: Duration) -> Self {
        let per_second = u64::from(per_second.max(1));
        Self { per_second, left: per_second * PARTS, counted: now }
    }

    /// Takes one token at `now`. Else says how long until there is one; nothing was taken then. A clock that went back
    /// adds nothing and takes nothing away.
    ///
    /// # Errors
    /// The wait, never more than a second and never nought.
    pub fn take(&mut self, now: Duration) -> Result<(), Duration> {
        let since = now.saturating_sub(self.counted).min(Duration::from_secs(1));
        let arrived = u64::try_from(since.as_nanos()).unwrap_or(PARTS).saturating_mul(self.per_second);
        self.left = self.left.saturating_add(arrived).min(self.per_second * PARTS);
        self.counted = self.counted.max(now);
        match self.left.checked_sub(PARTS) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(Duration::from_nanos((PARTS - self.left).div_ceil(self.per_second))),
        }
    }
}

/// The host's clock and its patience: the only effects here. In tests a clock that moves when it is waited on.
pub trait Wait {
    /// Time since any beginning, on a clock that nobody can set.
    fn now(&mut self) -> Duration;
    /// Lets so much time pass.
    fn wait(&mut self, time: Duration);
}

/// A boundary that passes no more items a second than the host allows. While it waits it keeps asking the inner one, so
/// that a stop is heard within [`LONGEST_WAIT`].
pub struct Paced<B, W> {
    inner: B,
    clock: W,
    bucket: Option<Bucket>,
}

impl<B: Boundary, W: Wait> Paced<B, W> {
    /// `per_second` unset: no limit.
    pub fn new(inner: B, mut clock: W, per_second: Option<u32>) -> Self {
        let bucket = per_second.map(|per_second| Bucket::new(per_second, clock.now()));
        Self { inner, clock, bucket }
    }
}

impl<B: Boundary, W: Wait> Boundary for Paced<B, W> {
    fn may_go_on(&mut self) -> bool {
        loop {
            if !self.inner.may_go_on() {
                return false;
            }
            let Some(bucket) = &mut self.bucket else { return true };
            match bucket.take(self.clock.now()) {
                Ok(()) => return true,
                Err(wait) => self.clock.wait(wait.min(LONGEST_WAIT)),
            }
        }
    }

    fn still(&mut self) -> Still {
        self.inner.still()
    }

    fn mark(&mut self, seen: &Inspection) -> bool {
        self.inner.mark(seen)
    }

    fn earlier(&self) -> Option<Mark> {
        self.inner.earlier()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use proptest::prelude::*;

    use super::*;
    use crate::testing::{Always, StopAfter};

    struct Still(Rc<Cell<Duration>>);

    impl Wait for Still {
        fn now(&mut self) -> Duration {
            self.0.get()
        }

        fn wait(&mut self, time: Duration) {
            assert!(time <= LONGEST_WAIT && !time.is_zero());
            self.0.set(self.0.get() + time);
        }
    }

    fn paced<B: Boundary>(inner: B, per_second: Option<u32>) -> (Paced<B, Still>, Rc<Cell<Duration>>) {
        let clock = Rc::new(Cell::new(Duration::from_secs(100)));
        (Paced::new(inner, Still(Rc::clone(&clock)), per_second), clock)
    }

    #[test]
    fn after_a_first_second_so_many_items_pass_in_each() {
        let (mut paced, clock) = paced(Always, Some(50));
        for _ in 0..500 {
            assert!(paced.may_go_on());
        }
        let took = clock.get() - Duration::from_secs(100);
        assert!((8_999..=9_001).contains(&took.as_millis()), "{took:?}");
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        let (mut paced, clock) = paced(Always, None);
        assert!((0..1_000).all(|_| paced.may_go_on()));
        assert_eq!(clock.get(), Duration::from_secs(100));
    }

    #[test]
    fn a_stop_is_heard_in_the_middle_of_a_wait() {
        let (mut paced, clock) = paced(StopAfter(3), Some(1));
        assert!(paced.may_go_on());
        assert!(!paced.may_go_on());
        assert!(clock.get() - Duration::from_secs(100) <= LONGEST_WAIT * 2);
    }

    proptest! {
        #[test]
        fn no_more_pass_than_a_full_bucket_and_what_arrived(per_second in 1_u32..40, steps in proptest::collection::vec(0_u64..3_000_000_000, 1..60)) {
            let (mut now, mut taken) = (Duration::ZERO, 0_u128);
            let mut bucket = Bucket::new(per_second, now);
            for step in steps {
                now += Duration::from_nanos(step);
                while bucket.take(now).is_ok() { taken += 1; }
                let most = u128::from(per_second) + now.as_nanos() * u128::from(per_second) / u128::from(PARTS);
                prop_assert!(taken <= most, "{taken} of {most}");
            }
        }

        #[test]
        fn a_clock_that_goes_back_neither_fails_nor_gives(times in proptest::collection::vec(0_u64..10, 1..100)) {
            let mut bucket = Bucket::new(1, Duration::from_secs(10));
            let passed = times.into_iter().filter(|&time| bucket.take(Duration::from_secs(time)).is_ok()).count();
            prop_assert!(passed <= 1);
        }
    }
}
