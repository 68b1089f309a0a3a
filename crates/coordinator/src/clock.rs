//! Where the coordinator's time comes from: the machine, or a demonstration that moves it (decision 6). The only file of
//! the crate that reads the machine's clock.

use std::sync::Mutex;

use gallra_model::{Clock, Instant};

/// The coordinator's time.
pub enum Time {
    /// The machine's clock.
    Real,
    /// Moved by `AdvanceClock` only.
    Simulated(Mutex<Instant>),
}

/// A simulated clock was asked to go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    /// Not a simulated clock.
    #[error("the clock is the machine's own: start the coordinator with --demonstration-clock to move it")]
    Real,
    /// Backwards.
    #[error("a clock does not go back: now is {0}")]
    Back(Instant),
}

impl Time {
    /// A simulated clock that stands still here.
    pub fn simulated(start: Instant) -> Self {
        Self::Simulated(Mutex::new(start))
    }

    /// The time now.
    pub fn now(&self) -> Instant {
        match self {
            Self::Real => real_now(),
            Self::Simulated(now) => *now.lock().unwrap_or_else(std::sync::PoisonError::into_inner),
        }
    }

    /// Which kind of clock it is.
    pub fn kind(&self) -> Clock {
        match self {
            Self::Real => Clock::Real,
            Self::Simulated(_) => Clock::Simulated,
        }
    }

    /// Moves a simulated clock.
    ///
    /// # Errors
    /// When the clock is real, or would go back.
    pub fn advance(&self, to: Instant) -> Result<(), ClockError> {
        let Self::Simulated(now) = self else { return Err(ClockError::Real) };
        let mut now = now.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if to < *now {
            return Err(ClockError::Back(*now));
        }
        *now = to;
        Ok(())
    }
}

/// The machine's clock: for certificates and join tokens, which concern real machines even in a demonstration.
#[allow(clippy::disallowed_methods, reason = "this is the clock module that the ban points to")]
pub fn real_now() -> Instant {
    Instant::now()
}
