//! Trying again: how long to wait, how often, and when to stop. The only user of the `backoff` crate, which has no maintainer:
//! replacing it means replacing this file.
//!
//! Refuses to know what is tried: whoever asks says whether a failure may be tried again, since only they know whether doing
//! it twice does harm. Upholds I10: every wait and every number of tries has a bound.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;
use tokio::time::Instant;
use tonic_types::StatusExt as _;

/// A server's hint is followed up to here: it asks for patience, not for silence.
pub const LONGEST_HINT: Duration = Duration::from_secs(300);

/// Waits that double from a first to a longest, each spread by half either way, so that many who were cut off together do not
/// come back together. Never ends.
pub struct Waits(ExponentialBackoff);

impl Waits {
    /// Starts with the shortest wait.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self(ExponentialBackoff {
            current_interval: first,
            initial_interval: first,
            max_interval: longest,
            multiplier: 2.0,
            randomization_factor: 0.5,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        })
    }

    /// The next wait.
    pub fn next_wait(&mut self) -> Duration {
        let longest = self.0.max_interval;
        self.0.next_backoff().unwrap_or(longest)
    }

    /// The next wait, where the server said how long it wants to be left alone: never shorter than that.
    pub fn next_wait_after(&mut self, hint: Option<Duration>) -> Duration {
        self.next_wait().max(hint.unwrap_or_default().min(LONGEST_HINT))
    }

    /// It worked, and lasted: the next wait is the shortest again.
    pub fn reset(&mut self) {
        self.0.reset();
    }
}

/// How long a server asks to be left alone (`google.rpc.RetryInfo` in a status' details).
pub fn hint(status: &tonic::Status) -> Option<Duration> {
    status.get_details_retry_info()?.retry_delay
}

/// How long an HTTP server asks to be left alone: what its `Retry-After` says, where that is seconds. A date there is read by nobody
/// here: it would hang on two machines' clocks.
pub fn after(header: &str) -> Option<Duration> {
    let header = header.trim();
    let seconds = header.bytes().all(|byte| byte.is_ascii_digit()).then(|| header.parse().ok())??;
    Some(Duration::from_secs(seconds))
}

/// Tenths of a token that a budget holds at most, and at first: ten retries in a burst.
const FULL: u32 = 100;
/// What a retry costs, in the same tenths; each first try brings one back.
const COST: u32 = 10;

/// Retries that many callers share: about one for ten first tries, after a burst of ten. When a server fails for everybody,
/// its load grows by a tenth rather than many times.
#[derive(Debug)]
pub struct Budget(AtomicU32);

impl Budget {
    /// A full one.
    pub const fn new() -> Self {
        Self(AtomicU32::new(FULL))
    }

    /// Something is tried for the first time.
    fn first(&self) {
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some((left + 1).min(FULL)));
    }

    /// Whether a retry is left, and takes it.
    fn take(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(COST)).is_ok()
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new()
    }
}

/// What a failure says about trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It would fail again, or might do harm.
    Final,
    /// It may be tried again, not before so long.
    Again(Option<Duration>),
}

/// Bounds of one call with all its tries.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The first wait, before it is spread.
    pub first: Duration,
    /// The longest wait, before it is spread.
    pub longest: Duration,
    /// No try begins later than so long after the first.
    pub within: Duration,
}

/// Tries until it works, a failure is final, time is up, or the budget is empty; then the last failure is the answer.
///
/// # Errors
/// The last try's.
pub async fn retry<T, E, F: Future<Output = Result<T, E>>>(
    limits: Limits,
    budget: &Budget,
    mut attempt: impl FnMut() -> F,
    verdict: impl Fn(&E) -> Verdict,
) -> Result<T, E> {
    let until = Instant::now() + limits.within;
    let mut waits = Waits::new(limits.first, limits.longest);
    budget.first();
    loop {
        let error = match attempt().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let Verdict::Again(hint) = verdict(&error) else { return Err(error) };
        let next = Instant::now() + waits.next_wait_after(hint);
        if next > until || !budget.take() {
            return Err(error);
        }
        tokio::time::sleep_until(next).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tonic_types::ErrorDetails;

    use super::*;

    const FIRST: Duration = Duration::from_millis(200);
    const LONGEST: Duration = Duration::from_secs(30);
    const LIMITS: Limits = Limits { first: FIRST, longest: LONGEST, within: Duration::from_secs(10) };

    #[test]
    fn waits_grow_to_a_bound_and_shrink_after_success() {
        let mut waits = Waits::new(FIRST, LONGEST);
        assert!(waits.next_wait() <= FIRST * 3 / 2);
        let later = (0..20).map(|_| waits.next_wait()).last().expect("twenty waits");
        assert!(later >= LONGEST / 2 && later <= LONGEST * 3 / 2, "{later:?}");
        waits.reset();
        assert!(waits.next_wait() <= FIRST * 3 / 2);
    }

    #[test]
    fn waits_of_many_differ() {
        let waits: std::collections::BTreeSet<_> = (0..50).map(|_| Waits::new(FIRST, LONGEST).next_wait()).collect();
        assert!(waits.len() > 40, "{waits:?}");
    }

    #[test]
    fn a_server_s_hint_is_kept_to_within_a_bound() {
        let asked = Duration::from_secs(7);
        let details = ErrorDetails::with_retry_info(Some(asked));
        let busy = tonic::Status::with_error_details(tonic::Code::Unavailable, "busy", details);
        assert_eq!(hint(&busy), Some(asked));
        assert_eq!(hint(&tonic::Status::unavailable("no details")), None);
        let mut waits = Waits::new(FIRST, LONGEST);
        assert_eq!(waits.next_wait_after(hint(&busy)), asked);
        assert_eq!(waits.next_wait_after(Some(LONGEST_HINT * 9)), LONGEST_HINT);
    }

    #[test]
    fn an_http_servers_hint_is_seconds_or_nothing() {
        for (header, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("99999999999999999999", None),
            ("Fri, 31 Dec 1999 23:59:59 GMT", None),
        ] {
            assert_eq!(after(header), seconds.map(Duration::from_secs), "{header:?}");
        }
    }

    async fn failing(limits: Limits, budget: &Budget, verdict: Verdict) -> u32 {
        let tries = Cell::new(0);
        let failed: Result<(), ()> = retry(
            limits,
            budget,
            || {
                tries.set(tries.get() + 1);
                async { Err(()) }
            },
            |()| verdict,
        )
        .await;
        assert!(failed.is_err());
        tries.get()
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_when_the_time_is_up() {
        let began = Instant::now();
        let tries = failing(LIMITS, &Budget::new(), Verdict::Again(None)).await;
        assert!((3..=10).contains(&tries), "{tries}");
        assert!(began.elapsed() <= LIMITS.within, "no try begins after the end");
        assert_eq!(
            failing(LIMITS, &Budget::new(), Verdict::Again(Some(LIMITS.within * 2))).await,
            1,
            "too late anyway"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_final_is_tried_once() {
        assert_eq!(failing(LIMITS, &Budget::new(), Verdict::Final).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn many_that_fail_together_add_a_tenth_and_no_more() {
        let budget = Budget::new();
        let mut tries = 0;
        for _ in 0..1_000 {
            tries += failing(LIMITS, &budget, Verdict::Again(None)).await;
        }
        assert!((1_050..=1_120).contains(&tries), "{tries}");
        for _ in 0..100 {
            let done = retry(LIMITS, &budget, || async { Ok::<_, ()>(()) }, |()| Verdict::Final).await;
            assert!(done.is_ok());
        }
        assert!(failing(LIMITS, &budget, Verdict::Again(None)).await > 1, "success fills the budget again");
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_success_is_the_answer() {
        let tries = Cell::new(0);
        let budget = Budget::new();
        let done = retry(
            LIMITS,
            &budget,
            || {
                tries.set(tries.get() + 1);
                std::future::ready(if tries.get() < 3 { Err(()) } else { Ok(tries.get()) })
            },
            |()| Verdict::Again(None),
        )
        .await;
        assert_eq!(done, Ok(3));
    }
}
