//! `docs/formats/receipt-v1.md`.

use serde::{Deserialize, Serialize};

use super::shared::{Action, ClockWord, Counts, Keep, TargetKind};
use super::statement::Expected;
use crate::time::Instant;
use crate::word::{Count, Hex64, Id, Name};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Receipt {
    pub(crate) job: Id,
    pub(crate) attempt: Count,
    pub(crate) agent: Name,
    pub(crate) target: Name,
    pub(crate) kind: TargetKind,
    pub(crate) action: Action,
    pub(crate) pseudonym: Id,
    pub(crate) spec: Hex64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) permit: Option<Hex64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) instance: Option<Hex64>,
    pub(crate) verdict: Verdict,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<Name>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) hint: String,
    pub(crate) counts: Counts,
    pub(crate) before: Tally,
    pub(crate) after: Tally,
    pub(crate) checks: Vec<Check>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) older_than: Option<Instant>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) listing: Option<Listing>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kept: Option<Kept>,
    /// Version 1 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) commitment: Option<Commitment>,
    /// Version 1 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<Hex64>,
    pub(crate) started: Instant,
    pub(crate) finished: Instant,
    pub(crate) clock: ClockWord,
    pub(crate) software: String,
}

impl Receipt {
    /// Items that a purge left since their age does not read.
    pub(crate) fn unread(&self) -> u64 {
        let of = |check: &&Check| check.name == "unread-items";
        self.checks.iter().find(of).map_or(0, |check| check.count.get())
    }
}

/// The checkpoint that the permit quoted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Commitment {
    pub(crate) size: Count,
    pub(crate) root: Hex64,
}

/// A receipt's `verdict`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    Done,
    Failed,
    Refused,
    Unknown,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tally {
    items: Count,
    bytes: Count,
    others: Count,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Check {
    name: String,
    count: Count,
    ok: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    pub(crate) handle: Id,
    pub(crate) items: Count,
    pub(crate) keep: Keep,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listing {
    pub(crate) repository: Hex64,
    pub(crate) listed: Instant,
    pub(crate) run_under_way: bool,
    pub(crate) copies: Vec<ListedCopy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reclaimed: Option<Reclaimed>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListedCopy {
    pub(crate) copy: Id,
    pub(crate) began: Instant,
    pub(crate) expected: Expected,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reclaimed {
    blobs_indexed: Count,
    blobs_referenced: Count,
    packs_stored: Count,
    packs_indexed: Count,
}

impl Reclaimed {
    /// Every indexed blob is referenced, every stored pack is indexed.
    pub(crate) fn is_complete(&self) -> bool {
        self.blobs_indexed == self.blobs_referenced && self.packs_stored == self.packs_indexed
    }
}
