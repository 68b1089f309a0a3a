//! Words that several pages use (`docs/formats/README.md`, section 3).

use serde::{Deserialize, Serialize};

use crate::time::Day;
use crate::verdict::Clock;
use crate::word::{Count, Name};

pub(crate) type ClockWord = Clock;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TargetKind {
    Files,
    Maildir,
    Sql,
    AccessLog,
    Restic,
}

impl TargetKind {
    pub(crate) fn is_backup(self) -> bool {
        matches!(self, Self::Restic)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    Controller,
    Processor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    Inspect,
    Restrict,
    Preserve,
    Erase,
    Purge,
    Confirm,
    Observe,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keep {
    pub(crate) rule: Name,
    pub(crate) ground: String,
    pub(crate) earliest: Day,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) latest: Option<Day>,
}

/// Items by outcome. Sums saturate: signed counts are at most 2^53 - 1 each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Counts {
    pub(crate) erased: Count,
    pub(crate) absent: Count,
    pub(crate) anonymised: Count,
    pub(crate) key_destroyed: Count,
    pub(crate) retained: Count,
    pub(crate) restricted: Count,
    pub(crate) failed: Count,
    pub(crate) unknown: Count,
}

impl Counts {
    pub(crate) fn words(&self) -> [(&'static str, u64); 8] {
        [
            ("erased", self.erased.get()),
            ("absent", self.absent.get()),
            ("anonymised", self.anonymised.get()),
            ("key-destroyed", self.key_destroyed.get()),
            ("retained", self.retained.get()),
            ("restricted", self.restricted.get()),
            ("failed", self.failed.get()),
            ("unknown", self.unknown.get()),
        ]
    }

    /// Something ended well, and nothing is merely restricted, failed or unknown.
    pub(crate) fn settles(&self) -> bool {
        let (good, bad) = self.words().into_iter().partition::<Vec<_>, _>(|(word, _)| !is_bad(word));
        good.iter().any(|(_, count)| *count > 0) && bad.iter().all(|(_, count)| *count == 0)
    }

    pub(crate) fn plus(&self, other: &Self) -> Self {
        Self {
            erased: self.erased.plus(other.erased),
            absent: self.absent.plus(other.absent),
            anonymised: self.anonymised.plus(other.anonymised),
            key_destroyed: self.key_destroyed.plus(other.key_destroyed),
            retained: self.retained.plus(other.retained),
            restricted: self.restricted.plus(other.restricted),
            failed: self.failed.plus(other.failed),
            unknown: self.unknown.plus(other.unknown),
        }
    }
}

fn is_bad(word: &str) -> bool {
    matches!(word, "restricted" | "failed" | "unknown")
}
