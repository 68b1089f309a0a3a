//! Forgetting history: etcd keeps every value that a key ever had until it is told otherwise. The leader tells it, once a
//! minute, to forget what is older than some minutes; a feed that was away for longer reads everything again. Upholds nothing by
//! itself: compaction frees pages and erases none (decision 12), and what names a person is sealed.

use std::collections::VecDeque;
use std::time::Duration;

use gallra_store::election::boot_millis;
use gallra_store::txn::Revision;
use gallra_store::{StoreError, Term};

use crate::Etcd;
use crate::fault::{Fault, Kind};
use crate::members::Twice;

/// How much history is kept: longer than any restart of a replica, so that its feed goes on where it was.
pub const KEEP: Duration = Duration::from_secs(600);
/// How often the newest revision is noted, and older ones are forgotten.
pub const EVERY: Duration = Duration::from_secs(60);

/// Which revision was the newest when, as far back as is kept.
#[derive(Debug, Default)]
pub struct History(VecDeque<(u64, Revision)>);

impl History {
    /// Notes the newest revision at a reading of a clock in milliseconds; says what may be forgotten: everything before that
    /// revision is older than `keep`.
    pub fn note(&mut self, now: u64, newest: Revision, keep: Duration) -> Option<Revision> {
        self.0.push_back((now, newest));
        let keep = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
        let mut old = None;
        while let Some((at, revision)) = self.0.front().copied()
            && now.saturating_sub(at) >= keep
        {
            old = Some(revision);
            self.0.pop_front();
        }
        old
    }
}

impl Etcd {
    /// Forgets history while a term lasts. Several cells in one etcd each do so for all: the same `keep` suits all.
    pub async fn keep_compacted(&self, term: &Term, keep: Duration, every: Duration) {
        let mut history = History::default();
        let mut ticks = tokio::time::interval(every);
        loop {
            tokio::select! {
                _ = term.ended() => return,
                _ = ticks.tick() => {}
            }
            let newest = match self.revision().await {
                Ok(newest) => newest,
                Err(error) => {
                    tracing::warn!(%error, "etcd's history could not be looked at; it is tried again");
                    continue;
                }
            };
            let Some(old) = history.note(boot_millis(), newest, keep) else { continue };
            match self.compact(old).await {
                Ok(()) => {}
                Err(error @ StoreError::Denied { .. }) => {
                    tracing::warn!(%error, "etcd lets only root compact: start it with --auto-compaction-retention, see docs/etcd.md");
                    term.ended().await;
                    return;
                }
                Err(error) => tracing::warn!(%error, "etcd's history could not be compacted; it is tried again"),
            }
        }
    }

    /// Forgets all that was before a revision. That it is forgotten already is no failure.
    ///
    /// # Errors
    /// When nobody answers, or our user may not.
    pub async fn compact(&self, before: Revision) -> Result<(), StoreError> {
        let revision = i64::try_from(before.0).unwrap_or(i64::MAX);
        let compacted = self
            .shared
            .members
            .ask(Twice::Harmless, |client| async move { client.kv_client().compact(revision, None).await });
        match compacted.await {
            Ok(_) | Err(Fault { kind: Kind::Compacted, .. }) => Ok(()),
            Err(fault) => Err(fault.of_read("compacting etcd's history")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_younger_than_what_is_kept_is_forgotten() {
        let (mut history, keep) = (History::default(), Duration::from_millis(100));
        assert_eq!(history.note(0, Revision(1), keep), None);
        assert_eq!(history.note(60, Revision(5), keep), None);
        assert_eq!(history.note(99, Revision(6), keep), None);
        assert_eq!(history.note(100, Revision(7), keep), Some(Revision(1)));
        assert_eq!(history.note(120, Revision(8), keep), None, "once is enough");
        assert_eq!(history.note(199, Revision(9), keep), Some(Revision(6)));
        assert_eq!(history.note(10_000, Revision(20), keep), Some(Revision(9)), "what was newest just now is young");
    }
}
