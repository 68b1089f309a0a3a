//! Restores: what an agent signs about one subject that a restored copy brought back into one target, and that went again.
//! Owns the content (`docs/formats/proof-v1.md`, section 2.6). Refuses to know who that was: an entry of the suppression list
//! is named by its digest, and stands for somebody without telling whom.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::AgentName;
use crate::outcome::Counts;
use crate::proof::RestoreResult;
use crate::suppression::Entry;
use crate::target::{TargetId, TargetKind};
use crate::time::{Clock, Instant};

/// Predicate of `restore`. Field order is part of the format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restore {
    /// SHA-256 of the suppression entry's canonical bytes ([`Entry::digest`]).
    pub entry: Digest,
    /// The signing agent.
    pub agent: AgentName,
    /// The target.
    pub target: TargetId,
    /// Its kind.
    pub kind: TargetKind,
    /// When the restored copy was taken, as the host's admin said.
    pub taken: Instant,
    /// Items by outcome: what was erased again, or that nothing of it had come back.
    pub counts: Counts,
    /// Whether all of it that had to go is confirmed gone.
    pub released: bool,
    /// When the erasing began, on the agent's clock.
    pub started: Instant,
    /// When the last look after it was over.
    pub finished: Instant,
    /// Which clock these are on.
    pub clock: Clock,
    /// Program and version that acted.
    pub software: String,
}

impl Restore {
    /// Whether what came back is gone again: only then it keeps no proof open (`docs/formats/proof-v1.md`, section 4, point 3).
    pub fn is_gone_again(&self) -> bool {
        self.released && self.counts.settles()
    }

    /// Whether a later look says of the same entry that all of it is gone: then this one, which does not, says nothing any more.
    fn is_overtaken_by(&self, later: &Self) -> bool {
        later.is_gone_again()
            && (&later.entry, &later.agent, &later.target, later.clock)
                == (&self.entry, &self.agent, &self.target, self.clock)
            && later.started >= self.finished
    }

    /// Its line in a proof.
    pub fn result(&self) -> RestoreResult {
        RestoreResult {
            entry: self.entry,
            agent: self.agent.clone(),
            target: self.target.clone(),
            taken: self.taken,
            finished: self.finished,
            counts: self.counts,
            released: self.released,
        }
    }
}

/// Which of these stand, told of in this order: all under which all went again, and of the others those after which no other one of
/// the same entry says that all of it did. What failed once and went at the second run is not open for ever. Both order and instants
/// must agree: under a simulated clock many things are at once.
pub fn standing(all: &[Restore]) -> Vec<bool> {
    let overtaken = |(one, at): (&Restore, usize)| all.iter().skip(at).any(|later| one.is_overtaken_by(later));
    all.iter().zip(1..).map(|(one, next)| one.is_gone_again() || !overtaken((one, next))).collect()
}

/// Whether something that came back is not said to be gone again.
pub fn came_back(all: &[Restore]) -> bool {
    all.iter().zip(standing(all)).any(|(one, stands)| stands && !one.is_gone_again())
}

impl Entry {
    /// SHA-256 of its canonical bytes: how restores name it. Its id is random, so that no guess of who it is about can be tried
    /// against it.
    ///
    /// # Errors
    /// Never in practice: every field has a JSON form.
    pub fn digest(&self) -> Result<Digest, serde_json::Error> {
        Ok(Digest::of(&serde_json::to_vec(self)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        text.parse().expect("a literal")
    }

    fn restore(started: &str, finished: &str, released: bool) -> Restore {
        Restore {
            entry: Digest::of(b"entry"),
            agent: "web1".parse().expect("a label"),
            target: "www".parse().expect("a label"),
            kind: TargetKind::Files,
            taken: at("2026-02-01T00:00:00Z"),
            counts: Counts { erased: 1, ..Counts::default() },
            released,
            started: at(started),
            finished: at(finished),
            clock: Clock::Real,
            software: "gallra-agent 0.1.0".into(),
        }
    }

    fn stand(all: &[&Restore]) -> Vec<bool> {
        standing(&all.iter().copied().cloned().collect::<Vec<_>>())
    }

    #[test]
    fn a_failed_run_is_over_once_a_later_one_says_that_all_is_gone_and_not_before() {
        let failed = restore("2026-03-01T10:00:00Z", "2026-03-01T10:05:00Z", false);
        let again = restore("2026-03-01T11:00:00Z", "2026-03-01T11:05:00Z", true);
        assert_eq!(stand(&[&failed, &again]), [false, true]);
        assert_eq!(stand(&[&again, &failed]), [true, true], "told of later, whenever it was");
        let (at_once, then) =
            (restore("2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z", false), at("2026-03-01T10:00:00Z"));
        let gone = Restore { released: true, started: then, finished: then, ..at_once.clone() };
        assert_eq!(
            stand(&[&gone, &at_once]),
            [true, true],
            "the clock stands still, and it came back after it had gone"
        );
        assert_eq!(stand(&[&at_once, &gone]), [false, true]);
        let early = restore("2026-03-01T10:04:59Z", "2026-03-01T11:00:00Z", true);
        assert_eq!(stand(&[&failed, &early]), [true, true], "it began before the other one ended");
        let later = restore("2026-03-01T12:00:00Z", "2026-03-01T12:05:00Z", false);
        assert_eq!(stand(&[&failed, &again, &later]), [false, true, true], "it came back once more");
        let uncounted = Restore { counts: Counts { failed: 1, ..Counts::default() }, ..again.clone() };
        assert_eq!(stand(&[&failed, &uncounted]), [true, true]);
        assert!(came_back(std::slice::from_ref(&failed)) && came_back(&[again.clone(), later]));
        assert!(!came_back(&[failed, again]));
    }

    #[test]
    fn only_the_same_entry_in_the_same_place_overtakes_and_all_that_went_again_is_told() {
        let failed = restore("2026-03-01T10:00:00Z", "2026-03-01T10:05:00Z", false);
        let again = restore("2026-03-01T11:00:00Z", "2026-03-01T11:05:00Z", true);
        for other in [
            Restore { entry: Digest::of(b"another"), ..again.clone() },
            Restore { target: "mail".parse().expect("a label"), ..again.clone() },
            Restore { agent: "web2".parse().expect("a label"), ..again.clone() },
            Restore { clock: Clock::Simulated, ..again.clone() },
        ] {
            assert_eq!(stand(&[&failed, &other]), [true, true]);
        }
        let third = restore("2026-03-02T11:00:00Z", "2026-03-02T11:05:00Z", true);
        assert_eq!(stand(&[&again, &third]), [true, true]);
    }
}
