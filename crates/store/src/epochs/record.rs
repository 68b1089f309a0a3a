//! What `meta/epoch` holds: the current key epoch, since when, and how far its turning is. Owns the stages and their order;
//! one that is stored was reached, with all before it done, so a turning resumes where it stands (I6, I8).

use gallra_model::Instant;
use serde::{Deserialize, Serialize};

use super::due::{Due, epoch_due};
use crate::keyring::Epoch;

/// The value of `meta/epoch`, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochRecord {
    /// The epoch under which everything live is wrapped, or was when its turning began.
    pub epoch: Epoch,
    /// Not later than the first use of its keys, UTC.
    pub since: Instant,
    /// Its turning, once begun.
    pub turning: Option<Turn>,
}

/// A turning under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// The epoch that follows.
    pub to: Epoch,
    /// Not later than the first use of that epoch's keys, UTC.
    pub began: Instant,
    /// What is to be done now.
    pub stage: Stage,
}

/// What is to be done now. Each is done in steps that may be repeated; the next is stored when nothing is left of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Stage {
    /// Make the new epoch's keys, and close the old one: nothing more is written under it.
    Key,
    /// Wrap live subjects' keys under the new epoch.
    Rewrap,
    /// Index live identifiers under the new epoch, those of sealed values above this key.
    Index {
        /// The last sealed value that was looked at.
        after: Option<String>,
    },
    /// Remove what is left of the old epoch's index.
    Sweep,
    /// Make and verify a copy of the store, readable under the new epoch alone.
    BackUp,
    /// Destroy the old epoch's keys.
    Destroy,
    /// Remove copies that were made under older epochs.
    Clean,
    /// Put a fresh file in the store's place.
    Rewrite,
}

impl EpochRecord {
    /// The epoch under which something new is written: the next one only once nothing more is under the one before.
    pub(crate) fn current(&self) -> Epoch {
        match &self.turning {
            Some(turn) if turn.stage != Stage::Key => turn.to,
            _ => self.epoch,
        }
    }

    /// The oldest epoch whose keys there still are.
    pub(crate) fn oldest(&self) -> Epoch {
        match &self.turning {
            Some(Turn { stage: Stage::Clean | Stage::Rewrite, to, .. }) => *to,
            _ => self.epoch,
        }
    }
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing, for so many seconds.
    Wait(i64),
    /// Begin to turn: store this.
    Begin(EpochRecord),
    /// Go on.
    Go(Turn),
}

/// Decides what comes next. `newest` is the newest epoch whose keys are in the key directory.
pub(super) fn next(record: &EpochRecord, newest: Epoch, now: Instant) -> Next {
    if let Some(turn) = &record.turning {
        return Next::Go(turn.clone());
    }
    let begin = |to, began| {
        let turning = Some(Turn { to, began, stage: Stage::Key });
        Next::Begin(EpochRecord { turning, ..record.clone() })
    };
    if newest > record.epoch {
        // Keys without a turning: the store is a copy from before it. They are of unknown age, so they count as old as may be.
        return begin(newest, record.since);
    }
    match epoch_due(record.since, now) {
        Due::In(seconds) => Next::Wait(seconds),
        Due::Now | Due::Late | Due::Missed => begin(record.epoch.next(), now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        text.parse().expect("an instant")
    }

    fn idle() -> EpochRecord {
        EpochRecord { epoch: Epoch::FIRST, since: at("2026-01-01T00:00:00Z"), turning: None }
    }

    #[test]
    fn a_turning_begins_when_due_and_is_dated_before_its_first_key() {
        assert_eq!(next(&idle(), Epoch::FIRST, at("2026-01-30T23:59:59Z")), Next::Wait(1));
        let now = at("2026-01-31T00:00:00Z");
        let Next::Begin(record) = next(&idle(), Epoch::FIRST, now) else { panic!("due") };
        let turn = Turn { to: Epoch::FIRST.next(), began: now, stage: Stage::Key };
        assert_eq!(record, EpochRecord { turning: Some(turn.clone()), ..idle() });
        // Once begun, no clock takes it back (decision 6).
        assert_eq!(next(&record, Epoch::FIRST, at("2025-01-01T00:00:00Z")), Next::Go(turn));
    }

    #[test]
    fn keys_of_unknown_age_count_as_old() {
        let Next::Begin(record) = next(&idle(), Epoch::FIRST.next(), at("2026-01-02T00:00:00Z")) else { panic!("due") };
        assert_eq!(record.turning.map(|turn| turn.began), Some(idle().since));
    }

    #[test]
    fn the_record_reads_back_and_has_one_form() {
        let turn =
            Turn { to: Epoch::FIRST.next(), began: idle().since, stage: Stage::Index { after: Some("v1/x".into()) } };
        let record = EpochRecord { turning: Some(turn), ..idle() };
        let text = serde_json::to_string(&record).expect("writes");
        assert_eq!(
            text,
            r#"{"epoch":"00000001","since":"2026-01-01T00:00:00Z","turning":{"to":"00000002","began":"2026-01-01T00:00:00Z","stage":{"index":{"after":"v1/x"}}}}"#
        );
        assert_eq!(serde_json::from_str::<EpochRecord>(&text).expect("reads"), record);
    }
}
