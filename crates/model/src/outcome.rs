//! Outcomes, counted per item. Owns the words; upholds that "skipped", "unreachable" or "nothing matched because the
//! key was wrong" have no way to be counted as erased (principle: absence never proves).

use serde::{Deserialize, Serialize};

/// How many items ended in which way. All zero means that nothing was said, never that nothing was there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Counts {
    /// Was there, confirmed gone.
    pub erased: u64,
    /// Confirmed that nothing was there: one per target, and only beside a sentinel that was found.
    pub absent: u64,
    /// Still there, no longer about a person.
    pub anonymised: u64,
    /// Unreadable, since its own key was destroyed.
    pub key_destroyed: u64,
    /// Kept as an obligation with ground and date.
    pub retained: u64,
    /// Stored, out of everybody's reach (GDPR Art. 18).
    pub restricted: u64,
    /// Should have gone and did not.
    pub failed: u64,
    /// Nobody can say.
    pub unknown: u64,
}

impl Counts {
    /// Whether every counted item ended in a way that lets a proof become final (I5): something was counted, and
    /// nothing is merely restricted, failed or unknown.
    pub fn settles(&self) -> bool {
        let good = self.erased + self.absent + self.anonymised + self.key_destroyed + self.retained;
        good > 0 && self.restricted == 0 && self.failed == 0 && self.unknown == 0
    }

    /// The sum of two counts.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            erased: self.erased.saturating_add(other.erased),
            absent: self.absent.saturating_add(other.absent),
            anonymised: self.anonymised.saturating_add(other.anonymised),
            key_destroyed: self.key_destroyed.saturating_add(other.key_destroyed),
            retained: self.retained.saturating_add(other.retained),
            restricted: self.restricted.saturating_add(other.restricted),
            failed: self.failed.saturating_add(other.failed),
            unknown: self.unknown.saturating_add(other.unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_never_settles() {
        assert!(!Counts::default().settles());
        assert!(Counts { erased: 1, ..Counts::default() }.settles());
        for bad in [
            Counts { erased: 1, failed: 1, ..Counts::default() },
            Counts { erased: 1, unknown: 1, ..Counts::default() },
            Counts { erased: 1, restricted: 1, ..Counts::default() },
        ] {
            assert!(!bad.settles());
        }
    }
}
