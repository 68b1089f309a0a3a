//! The proof's statements and file, version 1 (`docs/formats/proof-v1.md`). Owns the shape that the issuer writes; the
//! verifier has its own reading of the same page and shares no code with this file.

use serde::{Deserialize, Serialize};

use crate::copy::Expected;
use crate::digest::Digest;
use crate::envelope::Envelope;
use crate::id::{AgentName, CopyId, ObligationId, RequestId};
use crate::job::Keep;
use crate::outcome::Counts;
use crate::statement::Type;
use crate::target::{Category, Role, TargetId, TargetKind};
use crate::time::{Clock, Day, Instant};

/// The proof file's `format`.
pub const PROOF_FORMAT: &str = "gallra-proof-v1";

/// How far a proof goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Something is still to come, and the statement says what.
    Interim,
    /// I5 holds.
    Final,
    /// I5 holds, and a final proof was issued before: something was added to it.
    Amendment,
}

impl Stage {
    /// The word, as it is spelt everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interim => "interim",
            Self::Final => "final",
            Self::Amendment => "amendment",
        }
    }

    /// Whether nothing is open.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Final | Self::Amendment)
    }
}

/// Why there is a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestKind {
    /// A contract ended.
    ContractEnd,
    /// A customer's last one did.
    CustomerEnd,
    /// Somebody asked (GDPR Art. 15 to 21).
    Right,
    /// Records grew old, whoever's they are.
    Purge,
}

/// Predicate of `request`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requested {
    /// The request, a random reference.
    pub request: RequestId,
    /// Why there is one.
    pub kind: RequestKind,
    /// When it was opened.
    pub received: Instant,
    /// Under which the proof is picked up with a claim code (`docs/formats/subject-v1.md`, section 4); a purge has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pickup: Option<String>,
    /// Under which clock.
    pub clock: Clock,
}

/// Predicate of `copy-set`: which copies are waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopySet {
    /// The request.
    pub request: RequestId,
    /// Digest of the plan's payload.
    pub plan: Digest,
    /// When the last backup target's set closed.
    pub closed: Instant,
    /// The statements that closed it, one a backup target.
    pub listings: Vec<Digest>,
    /// The copies.
    pub copies: Vec<SetCopy>,
    /// Under which clock.
    pub clock: Clock,
}

/// A copy of the set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetCopy {
    /// The copy.
    pub copy: CopyId,
    /// The agent that observes it.
    pub agent: AgentName,
    /// The backup target.
    pub target: TargetId,
    /// When its making began.
    pub began: Instant,
}

/// What became of one live target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetResult {
    /// Its agent.
    pub agent: AgentName,
    /// The target.
    pub target: TargetId,
    /// Its kind.
    pub kind: TargetKind,
    /// Its category.
    pub category: Category,
    /// The provider's role there.
    pub role: Role,
    /// Sum of the counts of the receipts that settle its steps.
    pub counts: Counts,
    /// Whether all of its steps so far due are settled. False: unproven.
    pub proven: bool,
    /// Why it is unproven: a stable word, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// One copy in the statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopyResult {
    /// The copy.
    pub copy: CopyId,
    /// The agent that observes it.
    pub agent: AgentName,
    /// The backup target.
    pub target: TargetId,
    /// When its making began.
    pub began: Instant,
    /// When it should go.
    pub expected: Expected,
    /// When it was seen gone; unset while it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<Instant>,
}

/// One obligation in the statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptResult {
    /// The opaque handle.
    pub handle: ObligationId,
    /// The agent that keeps what is behind it.
    pub agent: AgentName,
    /// The target.
    pub target: TargetId,
    /// How many items.
    pub items: u64,
    /// Ground and date.
    pub keep: Keep,
}

/// A restore of a backup that held the data, and what was erased again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreResult {
    /// SHA-256 of the suppression entry's canonical bytes.
    pub entry: Digest,
    /// Where.
    pub agent: AgentName,
    /// Where.
    pub target: TargetId,
    /// When the restored copy was taken.
    pub taken: Instant,
    /// When the erasing was over.
    pub finished: Instant,
    /// Items by outcome.
    pub counts: Counts,
    /// Whether all that had to go is confirmed gone.
    pub released: bool,
}

/// Somebody else who was told (GDPR Art. 19).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipientResult {
    /// A name of a policy pack's recipients.
    pub recipient: String,
    /// Of what.
    pub of: String,
    /// When.
    pub at: Instant,
    /// Whether it said that it heard.
    pub acknowledged: bool,
}

/// The newest key manifest at the time of a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestRef {
    /// Its version.
    pub version: u32,
    /// Digest of its payload.
    pub digest: Digest,
}

/// One statement that a proof stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Piece {
    /// Its type.
    pub statement: Type,
    /// Digest of its payload.
    pub digest: Digest,
}

/// Predicate of `proof`: what all of it comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The request, a random reference.
    pub request: RequestId,
    /// Counts from 1 in the request.
    pub sequence: u32,
    /// Digest of the payload of the proof before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// How far it goes.
    pub stage: Stage,
    /// Interim: the last day on which something that it waits for is expected; unset when that is not known or never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Day>,
    /// When it was signed.
    pub issued: Instant,
    /// Under which clock.
    pub clock: Clock,
    /// Digest of the plan's payload.
    pub plan: Digest,
    /// The newest key manifest.
    pub manifest: ManifestRef,
    /// What it stands on, in the file's order.
    pub evidence: Vec<Piece>,
    /// What became of live data.
    pub targets: Vec<TargetResult>,
    /// When the set of copies was closed; unset while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies_closed: Option<Instant>,
    /// The copies.
    pub copies: Vec<CopyResult>,
    /// What is kept, with ground and date.
    pub kept: Vec<KeptResult>,
    /// What came back, and went again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restores: Vec<RestoreResult>,
    /// Who else was told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<RecipientResult>,
}

/// A statement, and its place in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// It.
    pub envelope: Envelope,
    /// Of a plan, the day that its log entry names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Day>,
    /// Which of the file's checkpoints the path leads to, from 0.
    pub checkpoint: usize,
    /// Its position in the log, from 0.
    pub index: u64,
    /// From its leaf to the root: base64 of the hashes.
    pub path: String,
}

/// That one tree is the beginning of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consistency {
    /// The smaller tree's size.
    pub from: u64,
    /// Its root.
    pub root: Digest,
    /// The larger one's size.
    pub to: u64,
    /// Base64 of the hashes.
    pub path: String,
}

/// A time stamp (RFC 3161).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stamped {
    /// Of which of the file's checkpoints, from 0.
    pub checkpoint: usize,
    /// The token: DER, base64.
    pub token: String,
}

/// The file that is handed out. One line of compact JSON, fields in this order, ended by a newline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofFile {
    /// [`PROOF_FORMAT`].
    pub format: String,
    /// What it says.
    pub proof: FileEntry,
    /// What was asked.
    pub request: FileEntry,
    /// The plan that stands.
    pub plan: FileEntry,
    /// What the proof stands on, in its order.
    pub statements: Vec<FileEntry>,
    /// Key manifests, from the first to the one that the proof names.
    pub manifests: Vec<FileEntry>,
    /// Key events, in the log's order.
    pub events: Vec<FileEntry>,
    /// Signed notes, by size.
    pub checkpoints: Vec<String>,
    /// How they follow from each other.
    pub consistency: Vec<Consistency>,
    /// Time stamps.
    pub timestamps: Vec<Stamped>,
}
