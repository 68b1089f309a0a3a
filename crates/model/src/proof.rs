//! The proof's statement and file, format `v0-draft` (`docs/formats/proof-v0-draft.md`). Owns the shape that the issuer
//! writes; the verifier has its own reading of the same page and shares no code with this file.

use serde::{Deserialize, Serialize};

use crate::copy::Expected;
use crate::digest::Digest;
use crate::envelope::Envelope;
use crate::id::{AgentName, CopyId, ObligationId, RequestId, SubjectId};
use crate::job::Keep;
use crate::outcome::Counts;
use crate::target::{Category, Role, TargetId, TargetKind};
use crate::time::{Clock, Day, Instant};

/// DSSE payload type of a proof's statement.
pub const PROOF_TYPE: &str = "application/vnd.gallra.proof.v0-draft+json";
/// The proof file's `format`.
pub const PROOF_FORMAT: &str = "gallra-proof-v0-draft";

/// How far a proof goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Something is still to come, and the statement says what.
    Interim,
    /// I5 holds.
    Final,
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

/// What the issuer signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// [`PROOF_FORMAT`].
    pub format: String,
    /// The request, a random reference.
    pub request: RequestId,
    /// The subject, a random reference; a rolling purge has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectId>,
    /// Counts from 1 in the request.
    pub sequence: u32,
    /// How far it goes.
    pub stage: Stage,
    /// Interim: the last day on which something that it waits for is expected; unset when that is not known or never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Day>,
    /// When it was signed.
    pub issued: Instant,
    /// Under which clock.
    pub clock: Clock,
    /// Assurance level; always `none` in this format.
    pub level: String,
    /// SHA-256 of the plan envelope's payload.
    pub plan: Digest,
    /// SHA-256 of each receipt envelope's payload, in the file's order.
    pub evidence: Vec<Digest>,
    /// What became of live data.
    pub targets: Vec<TargetResult>,
    /// When the set of copies was closed; unset while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies_closed: Option<Instant>,
    /// The copies.
    pub copies: Vec<CopyResult>,
    /// What is kept, with ground and date.
    pub kept: Vec<KeptResult>,
}

/// The file that is handed out. One line of compact JSON, fields in this order, ended by a newline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofFile {
    /// [`PROOF_FORMAT`].
    pub format: String,
    /// The statement, signed by the issuer.
    pub statement: Envelope,
    /// The plan, signed by the issuer.
    pub plan: Envelope,
    /// Receipts, each signed by its agent.
    pub receipts: Vec<Envelope>,
}
