//! When each stream last said anything, and for how long streams have been waited for. Owns the readings; what they come to is
//! [`gallra_flow::heartbeat`]'s. Never trusted to stop, to permit or to take a job away from anybody.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gallra_flow::heartbeat::{Heard, Presence, interval_seconds, presence};
use gallra_model::AgentName;
use gallra_model::message::ToCoordinator;
use gallra_store::election::boot_millis;

use super::Fleet;
use crate::core::Core;
use crate::error::CoreError;

/// One stream's. Readings of the boot-time clock, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pulse {
    asked_seconds: u32,
    heard: u64,
    /// Whether it has ever beaten: an agent that is older than heartbeats is not silent for want of them.
    beats: bool,
}

impl Pulse {
    /// Of a stream that opens beside so many others.
    pub(super) fn new(streams: usize) -> Self {
        Self { asked_seconds: interval_seconds(streams), heard: boot_millis(), beats: false }
    }

    fn heard(&self, now: u64) -> Heard {
        let ago = Duration::from_millis(now.saturating_sub(self.heard));
        Heard::Here(self.beats.then_some((ago, self.asked_seconds)))
    }
}

/// Since when streams are waited for, on the same clock.
#[derive(Debug)]
pub(super) struct Looking(AtomicU64);

impl Default for Looking {
    fn default() -> Self {
        Self(AtomicU64::new(boot_millis()))
    }
}

impl Fleet {
    /// Seconds between two heartbeats that a stream is asked for; 0 where a newer one took its place.
    pub fn asks_to_beat(&self, agent: &AgentName, number: u64) -> u32 {
        self.streams().get(agent).filter(|open| open.number == number).map_or(0, |open| open.pulse.asked_seconds)
    }

    /// Notes that something was said on a stream. Whether it was a heartbeat, which is no reason to look at anything else.
    pub fn is_beat(&self, agent: &AgentName, number: u64, word: &ToCoordinator) -> bool {
        let is_beat = *word == ToCoordinator::Alive;
        if let Some(open) = self.streams().get_mut(agent).filter(|open| open.number == number) {
            open.pulse.heard = boot_millis();
            open.pulse.beats |= is_beat;
        }
        is_beat
    }

    /// Everybody's streams may have ended just now: whoever has none is waited for again.
    pub fn begin_grace(&self) {
        self.looking.0.store(boot_millis(), Ordering::Relaxed);
    }

    fn presence_of(&self, agent: &AgentName, elsewhere: bool) -> Presence {
        let now = boot_millis();
        let here = self.streams().get(agent).map(|open| open.pulse.heard(now));
        let looking = Duration::from_millis(now.saturating_sub(self.looking.0.load(Ordering::Relaxed)));
        presence(here.unwrap_or(if elsewhere { Heard::Elsewhere } else { Heard::Nowhere }), looking)
    }
}

impl Core {
    /// Whether each of these agents is there, as far as this coordinator can tell: two reads of the store, however many they are.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn presences(
        &self,
        agents: impl IntoIterator<Item = AgentName>,
    ) -> Result<BTreeMap<AgentName, Presence>, CoreError> {
        let elsewhere: std::collections::BTreeSet<AgentName> =
            self.streams().await?.into_iter().map(|(agent, _)| agent).collect();
        let of = |agent: AgentName| {
            let presence = self.fleet.presence_of(&agent, elsewhere.contains(&agent));
            (agent, presence)
        };
        Ok(agents.into_iter().map(of).collect())
    }
}

#[cfg(test)]
mod tests {
    use gallra_flow::heartbeat::GRACE;

    use super::*;

    fn agent(name: &str) -> AgentName {
        name.parse().unwrap()
    }

    #[test]
    fn a_stream_that_goes_quiet_is_silent_by_what_it_was_asked_for() {
        let fleet = Fleet::default();
        let number = fleet.open(&agent("web1"));
        assert_eq!(fleet.asks_to_beat(&agent("web1"), number), 20);
        assert_eq!(fleet.asks_to_beat(&agent("web1"), number + 1), 0, "not its stream");
        let back = |seconds: u64| {
            let mut streams = fleet.streams();
            let open = streams.get_mut(&agent("web1")).unwrap();
            open.pulse.heard = boot_millis().saturating_sub(seconds * 1_000);
        };
        back(3_600);
        assert_eq!(fleet.presence_of(&agent("web1"), false), Presence::There, "it never beat");
        assert!(fleet.is_beat(&agent("web1"), number, &ToCoordinator::Alive));
        assert_eq!(fleet.presence_of(&agent("web1"), false), Presence::There);
        back(61);
        assert_eq!(fleet.presence_of(&agent("web1"), false), Presence::Silent);
        assert!(!fleet.is_beat(&agent("web1"), number, &ToCoordinator::Checkpoint { note: None }));
        assert_eq!(fleet.presence_of(&agent("web1"), false), Presence::There, "any word will do");
    }

    #[test]
    fn whoever_has_no_stream_is_waited_for_after_each_change() {
        let fleet = Fleet::default();
        let look = || fleet.presence_of(&agent("web1"), false);
        assert_eq!(look(), Presence::Awaited);
        let grace = u64::try_from(GRACE.as_millis()).unwrap();
        fleet.looking.0.store(boot_millis().saturating_sub(grace), Ordering::Relaxed);
        assert_eq!(look(), Presence::Silent);
        assert_eq!(fleet.presence_of(&agent("web1"), true), Presence::There, "another coordinator has it");
        fleet.begin_grace();
        assert_eq!(look(), Presence::Awaited);
    }
}
