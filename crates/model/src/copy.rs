//! Copies: backup generations that can hold the data (decision 7). Owns the listing that an agent signs and the record
//! that the coordinator keeps; when a copy is gone is decided in `gallra-flow`.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::{AgentName, CopyId};
use crate::target::TargetId;
use crate::time::{Day, Instant};

/// When the store's own rules are expected to remove a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "day")]
pub enum Expected {
    /// Removed and reclaimed by the end of this day.
    By(Day),
    /// The rules never remove it.
    Never,
    /// The rules could not be simulated.
    Unknown,
}

/// One copy in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedCopy {
    /// Derived from the repository's and the snapshot's ids.
    pub copy: CopyId,
    /// When its making began, as the store records it.
    pub began: Instant,
    /// When it should go.
    pub expected: Expected,
}

/// Whether the bytes of removed copies were reclaimed, repository-wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reclaimed {
    /// Blobs that the index names.
    pub blobs_indexed: u64,
    /// Blobs that the remaining snapshots refer to.
    pub blobs_referenced: u64,
    /// Pack files in the repository.
    pub packs_stored: u64,
    /// Pack files that the index names.
    pub packs_indexed: u64,
}

impl Reclaimed {
    /// Every indexed blob is referenced and every pack is indexed: nothing of a removed copy is left but what a
    /// remaining copy shares with it.
    pub fn is_complete(&self) -> bool {
        self.blobs_indexed == self.blobs_referenced && self.packs_stored == self.packs_indexed
    }
}

/// What a backup target's agent saw, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopyListing {
    /// Digest of the repository's own id.
    pub repository: Digest,
    /// When the listing began, on the agent's clock.
    pub listed: Instant,
    /// Whether a backup run was under way (a lock was held): such a listing closes nothing.
    pub run_under_way: bool,
    /// Copies that can hold the subject's data, oldest first.
    pub copies: Vec<ListedCopy>,
    /// Set when a copy that the question knows is no longer listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reclaimed: Option<Reclaimed>,
}

/// Where a copy stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum CopyState {
    /// The store lists it.
    Listed,
    /// The store no longer lists it; its bytes were not seen reclaimed.
    Unlisted,
    /// No longer listed, and its bytes were reclaimed.
    Gone {
        /// When the listing that showed it began.
        seen: Instant,
    },
}

/// One copy as the coordinator follows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopyRecord {
    /// The copy.
    pub copy: CopyId,
    /// The agent that observes it.
    pub agent: AgentName,
    /// The backup target that it is in.
    pub target: TargetId,
    /// When its making began.
    pub began: Instant,
    /// When it should go.
    pub expected: Expected,
    /// Where it stands.
    pub state: CopyState,
}
