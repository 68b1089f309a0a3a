//! The witnesses of `coordinator.toml`: asked for their word on each checkpoint before it is published, and heard before the
//! first signature after a start.
//!
//! Owns what an alarm of theirs comes to: the log stops (`docs/formats/log-v1.md`, section 10). A witness that does not answer
//! stops nothing: somebody else's machine would else decide whether anything is erased. Nor does it hold each checkpoint up: it is
//! left alone for a while, longer each time, and for as long as it asks for.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use gallra_log::checkpoint::Checkpoint;
use gallra_log::note::{Note, Signature};
use gallra_retry::Waits;
use gallra_tlog::{Remote, Withheld, gather};
use tokio::time::Instant;

use super::{Ledger, Vouch};
use crate::error::CoreError;

/// Real time: how long each may take. Less than the log gives whoever vouches, so that one who is late takes nobody else's word
/// away.
const ASK_WITHIN: Duration = Duration::from_secs(4);

/// Real time: how long a witness that did not answer is left alone, at first and at most. Its word on a later checkpoint covers those
/// that it missed.
const REST: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Witnesses of one log.
pub struct Witnesses {
    remotes: Vec<Remote>,
    /// One for each of them.
    rests: Mutex<Vec<Rest>>,
}

/// Until when a witness is left alone.
struct Rest {
    until: Option<Instant>,
    waits: Waits,
}

impl Rest {
    /// What came of asking: an answer that helps nobody is one that may be another soon.
    fn note(&mut self, now: Instant, withheld: Option<&Withheld>) {
        let hint = match withheld {
            Some(Withheld::Later(_, after)) => gallra_retry::after(after),
            Some(Withheld::NoAnswer(_) | Withheld::Late | Withheld::Refused(_)) => None,
            // It answered. What is wrong then is not mended by waiting, and an alarm is to be heard again at once.
            Some(
                Withheld::Ahead { .. }
                | Withheld::Fork { .. }
                | Withheld::Moved { .. }
                | Withheld::NoProof { .. }
                | Withheld::NotVerified(_)
                | Withheld::NotACheckpoint,
            )
            | None => {
                self.until = None;
                return self.waits.reset();
            }
        };
        self.until = Some(now + self.waits.next_wait_after(hint));
    }
}

impl Witnesses {
    /// Those of a log.
    pub fn new(remotes: Vec<Remote>) -> Self {
        let rests = remotes.iter().map(|_| Rest { until: None, waits: Waits::new(REST.0, REST.1) });
        Self { rests: Mutex::new(rests.collect()), remotes }
    }

    fn rests(&self) -> MutexGuard<'_, Vec<Rest>> {
        self.rests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks those that are not left alone, or all.
    async fn ask(&self, ledger: &Ledger, note: &Note, all: bool) -> Vec<Signature> {
        let Ok(checkpoint) = note.unverified_text().parse::<Checkpoint>() else { return Vec::new() };
        let consistency = |old| async move {
            let proof = ledger.consistency(old, checkpoint.size).await;
            proof.inspect_err(|error| tracing::error!(old, %error, "no proof can be made for a witness")).ok()
        };
        let began = Instant::now();
        let awake: Vec<bool> =
            self.rests().iter().map(|rest| all || rest.until.is_none_or(|until| until <= began)).collect();
        let asked = self.remotes.iter().zip(&awake).filter(|(_, awake)| **awake).map(|(remote, _)| remote);
        let gathered = gather(asked, note, consistency, ASK_WITHIN).await;
        for (name, why) in gathered.withheld.iter().filter(|(_, why)| why.is_alarm()) {
            ledger.stop(&format!("{why} (heard from the witness {name})"));
        }
        let now = Instant::now();
        let mut rests = self.rests();
        for ((rest, remote), _) in rests.iter_mut().zip(&self.remotes).zip(awake).filter(|(_, awake)| *awake) {
            let withheld = gathered.withheld.iter().find(|(name, _)| name == remote.name());
            rest.note(now, withheld.map(|(_, why)| why));
        }
        drop(rests);
        gathered.cosignatures
    }
}

#[async_trait]
impl Vouch for Witnesses {
    async fn vouch(&self, ledger: &Ledger, note: &Note) -> Vec<Signature> {
        self.ask(ledger, note, false).await
    }

    /// The newest note is shown again: who has seen more, or another one, says so.
    async fn hear(&self, ledger: &Ledger) -> Result<(), CoreError> {
        let Some(newest) = ledger.newest().await? else { return Ok(()) };
        let unreadable =
            |why: gallra_log::note::NoteError| CoreError::Unreadable { what: "log note", why: why.to_string() };
        self.ask(ledger, &newest.note.parse().map_err(unreadable)?, true).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_witness_that_is_away_is_left_alone_for_longer_each_time_and_for_as_long_as_it_asks() {
        let mut rest = Rest { until: None, waits: Waits::new(REST.0, REST.1) };
        let now = Instant::now();
        let waited = |rest: &mut Rest, withheld: Option<&Withheld>| {
            rest.note(now, withheld);
            rest.until.map(|until| until - now)
        };
        let first = waited(&mut rest, Some(&Withheld::Late)).expect("rests");
        assert!(first <= REST.0 * 3 / 2, "{first:?}");
        let later = (0..12).filter_map(|_| waited(&mut rest, Some(&Withheld::Late))).last().expect("rests");
        assert!(later >= REST.1 / 2 && later <= REST.1 * 3 / 2, "{later:?}");
        assert_eq!(waited(&mut rest, Some(&Withheld::Ahead { ours: 1, seen: 2 })), None, "an alarm is heard again");
        let busy = http::StatusCode::TOO_MANY_REQUESTS;
        let asked = waited(&mut rest, Some(&Withheld::Later(busy, "120".to_owned())));
        assert_eq!(asked, Some(Duration::from_secs(120)));
        assert_eq!(waited(&mut rest, None), None, "it answered");
        assert!(waited(&mut rest, Some(&Withheld::Late)).expect("rests") <= REST.0 * 3 / 2, "the shortest again");
    }
}
