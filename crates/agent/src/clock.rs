//! The machine's clocks and randomness, read once for every step. The only place of the agent that reads them.

use std::time::Duration;

use gallra_flow::agent::privileged::Moment;
use gallra_model::{Instant, Nonce, ObligationId};
use rustix::time::{ClockId, clock_gettime};

/// Where moments come from: the machine, or a test's own.
pub type Clocks = Box<dyn Fn() -> Result<Moment, ClockError> + Send>;

/// The system gave no random bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the system's random source failed: nothing can be asked for without a fresh nonce")]
pub struct ClockError;

/// Milliseconds on `CLOCK_BOOTTIME`: goes on while the machine sleeps and cannot be set.
pub fn boot_ms() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds * 1_000 + nanos / 1_000_000
}

/// The machine's boot-time clock, for a driver's pace.
#[derive(Debug, Clone, Copy)]
pub struct BootClock;

impl gallra_targets::pace::Wait for BootClock {
    fn now(&mut self) -> Duration {
        Duration::from_millis(boot_ms())
    }

    fn wait(&mut self, time: Duration) {
        std::thread::park_timeout(time);
    }
}

/// Random bytes from the system.
///
/// # Errors
/// When the system has none.
pub fn random<const N: usize>() -> Result<[u8; N], ClockError> {
    let mut bytes = [0; N];
    gallra_random::fill(&mut bytes).map_err(|_| ClockError)?;
    Ok(bytes)
}

/// This moment on this machine.
///
/// # Errors
/// When there is no randomness.
pub fn moment() -> Result<Moment, ClockError> {
    let nonce = Nonce::from_bytes(random()?);
    let handle = ObligationId::from_bytes(random()?);
    #[expect(clippy::disallowed_methods, reason = "the one place where the agent reads the machine's clock")]
    let now = Instant::now();
    Ok(Moment { now, boot_ms: boot_ms(), nonce, handle })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_moment_has_its_own_nonce_and_boot_time_never_falls() {
        let (first, second) = (moment().expect("random"), moment().expect("random"));
        assert_ne!(first.nonce, second.nonce);
        assert_ne!(first.handle, second.handle);
        assert!(first.boot_ms > 0 && second.boot_ms >= first.boot_ms);
    }
}
