//! How old a mail is. Owns which of what is known of a file counts as the time at which it was received; refuses to read a
//! mail: its `Date:` is the sender's word. Pure. Upholds I1 for ages: nothing goes that could be younger than promised.

use gallra_model::Instant;
use serde::Deserialize;

/// Two sources that lie no further apart say the same, in seconds.
const SAME: i64 = 86_400;
/// A mail cannot have been received later than now; two days for clocks, in seconds.
const AHEAD: i64 = 2 * 86_400;
/// Digits that a time in a name may have.
const DIGITS: std::ops::RangeInclusive<usize> = 1..=12;

/// What says when a mail was received.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Received {
    /// The file's time of change and the seconds that its name begins with: a mail is too old when both say so.
    #[default]
    Both,
    /// The file's time of change alone: IMAP's internal date in dovecot and Courier, where a copy gets a new name.
    FileTime,
    /// The seconds that the file's name begins with, alone: where files are copied without their times.
    Name,
}

/// What becomes of a mail that is nobody's who is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Young enough.
    Stays,
    /// Nobody can say how old it is.
    Undated,
    /// Too old.
    Goes,
}

/// Between old and young, in seconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) before: i64,
    pub(super) now: i64,
    pub(super) received: Received,
}

impl Line {
    pub(super) fn new(received: Received, before: Instant, now: Instant) -> Self {
        Self { before: before.as_second(), now: now.as_second(), received }
    }

    /// Judges a mail by its file's name and time of change.
    pub(super) fn judge(self, name: &[u8], changed: i64) -> Fate {
        let named = seconds(name).and_then(|named| self.believed(named));
        let changed = self.believed(changed);
        let (one, other) = match self.received {
            Received::Both => (named, changed),
            Received::FileTime => (changed, changed),
            Received::Name => (named, named),
        };
        let (Some(one), Some(other)) = (one, other) else { return Fate::Undated };
        let (older, younger) = (one.min(other), one.max(other));
        if younger < self.before {
            Fate::Goes
        } else if older >= self.before || younger - older <= SAME {
            Fate::Stays
        } else {
            // One of them says that it had to go, the other that it must stay.
            Fate::Undated
        }
    }

    fn believed(self, second: i64) -> Option<i64> {
        (second > 0 && second <= self.now.saturating_add(AHEAD)).then_some(second)
    }
}

/// The seconds that a Maildir file's name begins with: digits, then a point.
fn seconds(name: &[u8]) -> Option<i64> {
    let digits = name.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = name.split_at_checked(digits)?;
    let plain = DIGITS.contains(&digits.len()) && rest.first() == Some(&b'.');
    std::str::from_utf8(digits).ok().filter(|_| plain)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CUT: i64 = 1_700_000_000;

    fn line(received: Received) -> Line {
        Line { before: CUT, now: CUT + 1_000_000, received }
    }

    fn judge(received: Received, name: &str, changed: i64) -> Fate {
        line(received).judge(name.as_bytes(), changed)
    }

    #[test]
    fn a_mail_goes_when_what_counts_says_that_it_is_older_than_the_line() {
        let (old, on, young) = ("1699999999.M1P1.host:2,S", "1700000000.M1P1.host", "1700000001.M1P1.host");
        for received in [Received::Both, Received::FileTime, Received::Name] {
            assert_eq!(judge(received, old, CUT - 1), Fate::Goes, "{received:?}");
            assert_eq!(judge(received, on, CUT), Fate::Stays, "{received:?}: on the line is not older");
            assert_eq!(judge(received, young, CUT + 1), Fate::Stays, "{received:?}");
        }
        assert_eq!(judge(Received::Both, old, CUT + 10), Fate::Stays, "within a day the younger counts");
        assert_eq!(judge(Received::Both, young, CUT - 10), Fate::Stays);
        assert_eq!(judge(Received::Both, old, CUT + 100_000), Fate::Undated, "they contradict each other");
        assert_eq!(judge(Received::Both, "1600000000.M1P1.host", CUT), Fate::Undated);
        assert_eq!(judge(Received::FileTime, "1600000000.M1P1.host", CUT), Fate::Stays);
        assert_eq!(judge(Received::FileTime, young, CUT - 1), Fate::Goes, "a copy has a new name");
        assert_eq!(judge(Received::Name, old, CUT + 100_000), Fate::Goes, "a restore set new times");
    }

    #[test]
    fn what_nobody_can_believe_is_no_time() {
        for name in [
            "mail",
            "",
            ".1699999999",
            "1699999999",
            "1699999999,S",
            "0.M1",
            "99999999999999.M1",
            "-5.M1",
            "1701172801.M1",
        ] {
            assert_eq!(judge(Received::Both, name, CUT - 1), Fate::Undated, "{name}");
            assert_eq!(judge(Received::Name, name, CUT - 1), Fate::Undated, "{name}");
            assert_eq!(judge(Received::FileTime, name, CUT - 1), Fate::Goes, "{name}");
        }
        for changed in [0, -1, CUT + 1_000_000 + AHEAD + 1, i64::MAX] {
            assert_eq!(judge(Received::Both, "1699999999.M1", changed), Fate::Undated, "{changed}");
            assert_eq!(judge(Received::FileTime, "1699999999.M1", changed), Fate::Undated, "{changed}");
        }
    }

    proptest! {
        #[test]
        fn nothing_goes_that_any_source_that_counts_calls_younger(named in 0_i64..3_400_000_000, changed in any::<i64>(), before in any::<i64>()) {
            let name = format!("{named}.M1P1.host");
            for received in [Received::Both, Received::FileTime, Received::Name] {
                let line = Line { before, now: CUT, received };
                if line.judge(name.as_bytes(), changed) == Fate::Goes {
                    prop_assert!(received == Received::FileTime || named < before);
                    prop_assert!(received == Received::Name || changed < before);
                }
            }
        }
    }
}
