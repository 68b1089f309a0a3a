//! Whether the coordinator's own clock is believed (decision 6). One that leaps forward would make everything due at once: it
//! is not gone by until most connected agents' clocks say the same, or an operator does. Until then time goes on from the
//! last instant that was believed, by the boot-time clock, which nobody can set. Refuses to know clocks: readings are values.

use std::collections::BTreeMap;

use gallra_model::time::CLOCK_BOUND_SECONDS;
use gallra_model::{AgentName, Instant};
use jiff::SignedDuration;

/// Seconds between two writings of the last instant that was believed: a restart within the clock bound of it is no leap.
pub const MARK_EVERY_SECONDS: i64 = 300;

/// What a clock said, and when on this machine's boot-time clock, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The clock.
    pub now: Instant,
    /// The boot-time clock.
    pub boot_ms: u64,
}

/// How the clock stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is gone by.
    Trusted,
    /// It is not.
    Suspect {
        /// Seconds by which it is ahead of where it should be.
        ahead_seconds: i64,
    },
}

/// What is known of the coordinator's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// Believed last. It moves only where somebody else's clock says the same: small leaps must not add up.
    anchor: Reading,
    /// The connected agents, and what their clocks said last, if anything.
    agents: BTreeMap<AgentName, Option<Reading>>,
}

impl Reading {
    /// What this clock would say now, if it ran like the boot-time clock.
    fn at(&self, boot_ms: u64) -> Instant {
        let passed = i64::try_from(boot_ms.saturating_sub(self.boot_ms)).unwrap_or(i64::MAX);
        self.now.checked_add(SignedDuration::from_millis(passed)).unwrap_or(self.now)
    }
}

/// Seconds by which one instant is later than another.
fn ahead(of: Instant, than: Instant) -> i64 {
    of.as_second().saturating_sub(than.as_second())
}

impl Watch {
    /// Begins with what is believed: the stored mark, taken to be now, however long the coordinator was away.
    pub fn new(anchor: Reading) -> Self {
        Self { anchor, agents: BTreeMap::new() }
    }

    /// An agent is connected, or says what its clock says. Where most agree with this reading, it is believed.
    pub fn heard(&mut self, agent: &AgentName, says: Option<Instant>, reading: Reading) {
        self.agents.insert(agent.clone(), says.map(|now| Reading { now, boot_ms: reading.boot_ms }));
        if self.most_agree(reading) {
            self.anchor = reading;
        }
    }

    /// An agent is gone: what it said counts no more.
    pub fn gone(&mut self, agent: &AgentName) {
        self.agents.remove(agent);
    }

    /// An operator says that this reading is right.
    pub fn confirm(&mut self, reading: Reading) {
        self.anchor = reading;
    }

    /// The time to go by, and how the clock stands.
    pub fn look(&self, reading: Reading) -> (Instant, Standing) {
        let expected = self.anchor.at(reading.boot_ms);
        let ahead_seconds = ahead(reading.now, expected);
        if ahead_seconds <= CLOCK_BOUND_SECONDS || self.most_agree(reading) {
            return (reading.now, Standing::Trusted);
        }
        (expected, Standing::Suspect { ahead_seconds })
    }

    /// Whether more than half of the connected agents say the same, within the clock bound. Who has not said counts against.
    fn most_agree(&self, reading: Reading) -> bool {
        let agrees = |says: &&Option<Reading>| {
            says.is_some_and(|says| ahead(reading.now, says.at(reading.boot_ms)).abs() <= CLOCK_BOUND_SECONDS)
        };
        self.agents.values().filter(agrees).count() * 2 > self.agents.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    /// So many seconds after the beginning by its clock, so many minutes by the boot-time clock.
    fn reading(seconds: i64, minutes: u64) -> Reading {
        Reading { now: instant(seconds), boot_ms: 1_000 + minutes * MINUTE }
    }

    fn instant(seconds: i64) -> Instant {
        "2026-03-01T03:00:00Z".parse::<Instant>().expect("a literal") + SignedDuration::from_secs(seconds)
    }

    fn agent(name: &str) -> AgentName {
        name.parse().expect("a label")
    }

    fn suspect(ahead_seconds: i64) -> Standing {
        Standing::Suspect { ahead_seconds }
    }

    #[test]
    fn a_clock_that_runs_is_trusted_and_one_that_leaps_beyond_the_bound_is_not_gone_by() {
        let watch = Watch::new(reading(0, 0));
        assert_eq!(watch.look(reading(86_400, 1_440)), (instant(86_400), Standing::Trusted), "a day in a day");
        assert_eq!(watch.look(reading(660, 1)), (instant(660), Standing::Trusted), "at the bound");
        assert_eq!(watch.look(reading(661, 1)), (instant(60), suspect(601)), "time goes on from what was believed");
        assert_eq!(watch.look(reading(-9_000, 1)), (instant(-9_000), Standing::Trusted), "back makes nothing due");
    }

    #[test]
    fn small_leaps_add_up_to_a_large_one() {
        let mut watch = Watch::new(reading(0, 0));
        // An agent that never says anything is no evidence for any of them.
        watch.heard(&agent("web1"), None, reading(0, 0));
        for step in 1..=2 {
            let leapt = reading(300 * step, 0);
            assert_eq!(watch.look(leapt), (leapt.now, Standing::Trusted));
        }
        assert_eq!(watch.look(reading(900, 0)), (instant(0), suspect(900)));
    }

    #[test]
    fn more_than_half_of_the_connected_agents_end_the_doubt_and_none_alone_does() {
        let leapt = reading(7_200, 0);
        let mut watch = Watch::new(reading(0, 0));
        assert_eq!(watch.look(leapt).1, suspect(7_200), "nobody is connected");
        watch.heard(&agent("web1"), Some(instant(7_300)), leapt);
        assert_eq!(watch.look(leapt), (leapt.now, Standing::Trusted), "all of one");
        let mut watch = Watch::new(reading(0, 0));
        watch.heard(&agent("web2"), None, leapt);
        watch.heard(&agent("web1"), Some(instant(7_200)), leapt);
        assert_eq!(watch.look(leapt).1, suspect(7_200), "half");
        watch.heard(&agent("web2"), Some(instant(6_599)), leapt);
        assert_eq!(watch.look(leapt).1, suspect(7_200), "the other stands beyond the bound");
        watch.gone(&agent("web2"));
        assert_eq!(watch.look(leapt).1, Standing::Trusted);
        // What was agreed on is believed from there on, also when they are gone: but only what they said themselves.
        watch.heard(&agent("web1"), Some(instant(7_200)), leapt);
        watch.gone(&agent("web1"));
        assert_eq!(watch.look(reading(7_260, 1)).1, Standing::Trusted);
        assert_eq!(watch.look(reading(8_000, 1)).1, suspect(740));
    }

    #[test]
    fn what_agents_said_before_the_leap_agrees_with_the_time_before_it() {
        let mut watch = Watch::new(reading(0, 0));
        watch.heard(&agent("web1"), Some(instant(0)), reading(0, 0));
        assert_eq!(watch.look(reading(7_200, 1)), (instant(60), suspect(7_140)));
        // Half an hour after an agent said two hours more, it says two and a half.
        let mut watch = Watch::new(reading(0, 0));
        watch.heard(&agent("web1"), Some(instant(7_200)), reading(0, 0));
        assert_eq!(watch.look(reading(9_000, 30)), (instant(9_000), Standing::Trusted));
        assert_eq!(watch.look(reading(7_200, 30)).1, suspect(5_400));
    }

    #[test]
    fn an_operators_word_is_believed_for_what_it_was_said_of() {
        let mut watch = Watch::new(reading(0, 0));
        watch.confirm(reading(7_200, 1));
        assert_eq!(watch.look(reading(7_260, 2)).1, Standing::Trusted);
        assert_eq!(watch.look(reading(14_400, 2)).1, suspect(7_140), "another leap is another doubt");
    }
}
