//! `docs/formats/proof-v0-draft.md`, sections 2 and 3, and `docs/formats/envelope.md`.

use serde::{Deserialize, Serialize};

use super::shared::{ClockWord, Counts, Keep, Role, TargetKind};
use crate::time::{Day, Instant};
use crate::word::{Count, Hex64, Id, Name, Word};

pub(crate) const PROOF_TYPE: &str = "application/vnd.gallra.proof.v0-draft+json";
pub(crate) const PROOF_FORMAT: &str = "gallra-proof-v0-draft";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProofFile {
    pub(crate) format: String,
    pub(crate) statement: Envelope,
    pub(crate) plan: Envelope,
    pub(crate) receipts: Vec<Envelope>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Envelope {
    pub(crate) payload_type: String,
    pub(crate) payload: String,
    pub(crate) signatures: Vec<Signature>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Signature {
    pub(crate) keyid: String,
    pub(crate) sig: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Stage {
    Interim,
    Final,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Statement {
    pub(crate) format: String,
    pub(crate) request: Id,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<Id>,
    pub(crate) sequence: Count,
    pub(crate) stage: Stage,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<Day>,
    pub(crate) issued: Instant,
    pub(crate) clock: ClockWord,
    pub(crate) level: String,
    pub(crate) plan: Hex64,
    pub(crate) evidence: Vec<Hex64>,
    pub(crate) targets: Vec<TargetResult>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) copies_closed: Option<Instant>,
    pub(crate) copies: Vec<CopyResult>,
    pub(crate) kept: Vec<KeptResult>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TargetResult {
    pub(crate) agent: Name,
    pub(crate) target: Name,
    pub(crate) kind: TargetKind,
    pub(crate) category: Name,
    pub(crate) role: Role,
    pub(crate) counts: Counts,
    pub(crate) proven: bool,
    #[serde(default, skip_serializing_if = "is_empty")]
    pub(crate) why: Word,
}

fn is_empty(word: &Word) -> bool {
    word.as_str().is_empty()
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CopyResult {
    pub(crate) copy: Id,
    pub(crate) agent: Name,
    pub(crate) target: Name,
    pub(crate) began: Instant,
    pub(crate) expected: Expected,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gone: Option<Instant>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "day")]
pub(crate) enum Expected {
    By(Day),
    Never,
    Unknown,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptResult {
    pub(crate) handle: Id,
    pub(crate) agent: Name,
    pub(crate) target: Name,
    pub(crate) items: Count,
    pub(crate) keep: Keep,
}
