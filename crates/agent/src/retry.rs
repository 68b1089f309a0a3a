//! How long to wait before dialling again. The only user of the `backoff` crate, which has no maintainer: replacing it
//! means replacing this file.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;

/// Shortest wait, before randomising.
const FIRST: Duration = Duration::from_millis(200);

/// Longest wait: an agent that was cut off is back at most so long after its coordinator, give or take half.
const LONGEST: Duration = Duration::from_secs(30);

/// Waits that double from [`FIRST`] to [`LONGEST`], each spread by half so that a fleet does not come back at once.
/// Never gives up.
pub struct Retry(ExponentialBackoff);

impl Retry {
    /// Starts with the shortest wait.
    pub fn new() -> Self {
        Self(ExponentialBackoff {
            current_interval: FIRST,
            initial_interval: FIRST,
            max_interval: LONGEST,
            multiplier: 2.0,
            randomization_factor: 0.5,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        })
    }

    /// The next wait.
    pub fn next_wait(&mut self) -> Duration {
        self.0.next_backoff().unwrap_or(LONGEST)
    }

    /// It worked, and lasted: the next wait is the shortest again.
    pub fn reset(&mut self) {
        self.0.reset();
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_shrink_after_success() {
        let mut retry = Retry::new();
        assert!(retry.next_wait() <= FIRST * 3 / 2);
        let later = (0..20).map(|_| retry.next_wait()).last().expect("twenty waits");
        assert!(later >= LONGEST / 2 && later <= LONGEST * 3 / 2, "{later:?}");
        retry.reset();
        assert!(retry.next_wait() <= FIRST * 3 / 2);
    }
}
