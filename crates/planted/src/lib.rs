//! Bugs that a test can plant in production code, one at a time, to see whether a checker that does not know of it finds it. In
//! what is shipped no bug can be planted: without the feature `switch`, which only a simulation's tests ask for, [`is`] is `false`
//! and leaves nothing behind. Never a switch of anything that is wanted.

/// One bug, named after what it breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    /// A permit is given while a hold lies on a guard.
    HoldGuardSkipped,
    /// A leader's writes do not say under which term they are made.
    LeaderConditionDropped,
    /// The journal is written, and not made durable.
    JournalNotSynced,
    /// A backup store that cannot be listed has no copies.
    ListingErrorIsEmpty,
    /// A proof is final although the look after the last copy is still to come.
    FinalBeforeLastConfirm,
    /// What one agent erases leaves no entry in its suppression list.
    SuppressionLost,
    /// An agent takes an offer and a permit below the highest generation that it has seen.
    OlderGenerationAccepted,
    /// An agent begins under a permit however old it is.
    PermitWithoutExpiry,
    /// A coordinator that does not lead says that it has a receipt, and has not.
    ReceiptDroppedAtFailOver,
    /// A job of a plan under other rules than those in force is permitted.
    PolicyChangeIgnored,
    /// An end that is told again, once it is done, opens anew.
    DoubledEventReopens,
    /// A request that ends destroys the customer's key, though another one still needs it.
    KeyDestroyedTooEarly,
    /// A target selects by how an id begins.
    MatchedByPrefix,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::HoldGuardSkipped,
        Self::LeaderConditionDropped,
        Self::JournalNotSynced,
        Self::ListingErrorIsEmpty,
        Self::FinalBeforeLastConfirm,
        Self::SuppressionLost,
        Self::OlderGenerationAccepted,
        Self::PermitWithoutExpiry,
        Self::ReceiptDroppedAtFailOver,
        Self::PolicyChangeIgnored,
        Self::DoubledEventReopens,
        Self::KeyDestroyedTooEarly,
        Self::MatchedByPrefix,
    ];
}

/// Whether this bug is planted in this thread.
#[cfg(not(feature = "switch"))]
#[inline(always)]
pub const fn is(_: Bug) -> bool {
    false
}

/// Plants nothing: this build cannot.
#[cfg(not(feature = "switch"))]
pub const fn plant(_: Option<Bug>) {}

#[cfg(feature = "switch")]
pub use switch::{is, plant};

/// Whether a bug can be planted in this build.
pub const CAN_PLANT: bool = cfg!(feature = "switch");

#[cfg(feature = "switch")]
mod switch {
    use std::cell::Cell;

    use super::Bug;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Whether this bug is planted in this thread.
    pub fn is(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }

    /// Plants a bug in this thread, in the place of another one; none takes it out.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_planted_by_itself() {
        assert!(Bug::ALL.iter().all(|bug| !is(*bug)));
    }
}
