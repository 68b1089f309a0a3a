//! Where the coordinator's time comes from: the machine, or a demonstration that moves it (decision 6). The only file of
//! the crate that reads the machine's clocks. Whether the machine's clock is gone by is `flow::clock`'s decision.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gallra_flow::clock::{Reading, Standing, Watch};
use gallra_model::{AgentName, Clock, Instant};
use rustix::time::{ClockId, clock_gettime};

/// The coordinator's time.
pub struct Time {
    source: Source,
    watch: Option<Mutex<Watch>>,
    /// Whether the log was told that the clock is doubted.
    doubted: AtomicBool,
}

/// Where it comes from.
enum Source {
    /// The machine's clock.
    Machine,
    /// Moved by `AdvanceClock` only.
    Simulated(Mutex<Instant>),
    /// Somebody else's, both readings of it.
    Played(Reader),
}

/// Reads a clock that is not the machine's.
pub type Reader = Arc<dyn Fn() -> Reading + Send + Sync>;

/// A clock was asked for what it does not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    /// Not a simulated clock.
    #[error("the clock is the machine's own: start the coordinator with --demonstration-clock to move it")]
    Real,
    /// Backwards.
    #[error("a clock does not go back: now is {0}")]
    Back(Instant),
}

impl Source {
    fn read(&self) -> Reading {
        match self {
            Self::Machine => Reading { now: real_now(), boot_ms: boot_ms() },
            Self::Simulated(now) => Reading { now: *locked(now), boot_ms: boot_ms() },
            Self::Played(read) => read(),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Time {
    /// The machine's clock, watched. `mark`: what was believed last, in an earlier run; without one the machine is believed.
    pub fn real(mark: Option<Instant>) -> Self {
        Self::of(Source::Machine, Some(mark.unwrap_or_else(real_now)))
    }

    /// A simulated clock that stands still here.
    pub fn simulated(start: Instant) -> Self {
        Self::of(Source::Simulated(Mutex::new(start)), None)
    }

    /// A simulated clock that is watched like the machine's: for tests of what a leap does.
    pub fn watched(start: Instant) -> Self {
        Self::of(Source::Simulated(Mutex::new(start)), Some(start))
    }

    /// A clock that counts as a machine's and is read elsewhere: a simulation's. `mark` as in [`Time::real`].
    pub fn played(read: Reader, mark: Option<Instant>) -> Self {
        let believed = mark.unwrap_or_else(|| read().now);
        Self::of(Source::Played(read), Some(believed))
    }

    fn of(source: Source, believed: Option<Instant>) -> Self {
        let boot_ms = source.read().boot_ms;
        let watch = believed.map(|now| Mutex::new(Watch::new(Reading { now, boot_ms })));
        Self { source, watch, doubted: AtomicBool::new(false) }
    }

    /// What the clock itself says, whether it is believed or not.
    fn reading(&self) -> Reading {
        self.source.read()
    }

    /// The time to go by.
    pub fn now(&self) -> Instant {
        self.look().0
    }

    /// The time to go by, and how the clock stands.
    pub fn look(&self) -> (Instant, Standing) {
        let reading = self.reading();
        self.watch.as_ref().map_or((reading.now, Standing::Trusted), |watch| locked(watch).look(reading))
    }

    /// Notes how it stands for the log. Returns whether it was doubted when that was noted last.
    pub fn noted(&self, standing: Standing) -> bool {
        self.doubted.swap(standing != Standing::Trusted, Ordering::Relaxed)
    }

    /// Whether anybody watches it: a demonstration's leaps are wanted.
    pub fn is_watched(&self) -> bool {
        self.watch.is_some()
    }

    /// An agent is connected, or says what its own clock says.
    pub fn heard(&self, agent: &AgentName, says: Option<Instant>) {
        if let Some(watch) = &self.watch {
            let reading = self.reading();
            locked(watch).heard(agent, says, reading);
        }
    }

    /// An agent is gone.
    pub fn gone(&self, agent: &AgentName) {
        if let Some(watch) = &self.watch {
            locked(watch).gone(agent);
        }
    }

    /// Believes the clock, if it says the same as `at` within the clock bound. Returns what it says.
    ///
    /// # Errors
    /// What it says, if that is something else.
    pub fn confirm(&self, at: Instant) -> Result<Instant, Instant> {
        let reading = self.reading();
        let apart = reading.now.as_second().saturating_sub(at.as_second()).abs();
        if apart > gallra_model::time::CLOCK_BOUND_SECONDS {
            return Err(reading.now);
        }
        if let Some(watch) = &self.watch {
            locked(watch).confirm(reading);
        }
        Ok(reading.now)
    }

    /// Which kind of clock it is.
    pub fn kind(&self) -> Clock {
        match self.source {
            Source::Machine | Source::Played(_) => Clock::Real,
            Source::Simulated(_) => Clock::Simulated,
        }
    }

    /// Moves a simulated clock.
    ///
    /// # Errors
    /// When the clock is real, or would go back.
    pub fn advance(&self, to: Instant) -> Result<(), ClockError> {
        let Source::Simulated(now) = &self.source else { return Err(ClockError::Real) };
        let mut now = locked(now);
        if to < *now {
            return Err(ClockError::Back(*now));
        }
        *now = to;
        Ok(())
    }
}

/// Milliseconds on `CLOCK_BOOTTIME`: goes on while the machine sleeps and cannot be set.
fn boot_ms() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds * 1_000 + nanos / 1_000_000
}

/// The machine's clock: for certificates and join tokens, which concern real machines even in a demonstration.
#[allow(clippy::disallowed_methods, reason = "this is the clock module that the ban points to")]
pub fn real_now() -> Instant {
    Instant::now()
}
