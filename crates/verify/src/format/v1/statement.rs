//! `docs/formats/statement-v1.md`, section 2, and the predicates of `docs/formats/proof-v1.md`, section 2.

use serde::{Deserialize, Serialize};

use crate::format::shared::{ClockWord, Counts, TargetKind};
use crate::format::statement::{CopyResult, KeptResult, TargetResult};
use crate::time::{Day, Instant};
use crate::word::{Count, Hex64, Id, Name};

pub(crate) const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// An in-toto statement.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Statement<P> {
    #[serde(rename = "_type")]
    pub(crate) form: String,
    pub(crate) subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    pub(crate) predicate_type: String,
    pub(crate) predicate: P,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Subject {
    pub(crate) name: Name,
    pub(crate) digest: Sha256Of,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sha256Of {
    pub(crate) sha256: Hex64,
}

/// What a proof can name as its evidence. The others have their own places in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EvidenceType {
    Receipt,
    Absence,
    Recheck,
    CopyExpiry,
    CopySet,
    Restore,
    Notification,
}

impl EvidenceType {
    /// The word in a predicate type and in the log.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Receipt => "receipt",
            Self::Absence => "absence",
            Self::Recheck => "recheck",
            Self::CopyExpiry => "copy-expiry",
            Self::CopySet => "copy-set",
            Self::Restore => "restore",
            Self::Notification => "notification",
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    pub(crate) request: Id,
    pub(crate) kind: RequestKind,
    pub(crate) received: Instant,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pickup: Option<Id>,
    pub(crate) clock: ClockWord,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RequestKind {
    ContractEnd,
    CustomerEnd,
    Right,
    Purge,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CopySet {
    pub(crate) request: Id,
    pub(crate) plan: Hex64,
    pub(crate) closed: Instant,
    pub(crate) listings: Vec<Hex64>,
    pub(crate) copies: Vec<CopyOf>,
    pub(crate) clock: ClockWord,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CopyOf {
    pub(crate) copy: Id,
    pub(crate) agent: Name,
    pub(crate) target: Name,
    pub(crate) began: Instant,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Restore {
    pub(crate) entry: Hex64,
    pub(crate) agent: Name,
    pub(crate) target: Name,
    pub(crate) kind: TargetKind,
    pub(crate) taken: Instant,
    pub(crate) counts: Counts,
    pub(crate) released: bool,
    started: Instant,
    pub(crate) finished: Instant,
    pub(crate) clock: ClockWord,
    software: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Notification {
    pub(crate) request: Id,
    pub(crate) recipient: Name,
    pub(crate) of: Name,
    pub(crate) at: Instant,
    pub(crate) acknowledged: bool,
    pub(crate) clock: ClockWord,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Proof {
    pub(crate) request: Id,
    pub(crate) sequence: Count,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<Hex64>,
    pub(crate) stage: ProofStage,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<Day>,
    pub(crate) issued: Instant,
    pub(crate) clock: ClockWord,
    pub(crate) plan: Hex64,
    pub(crate) manifest: ManifestName,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) targets: Vec<TargetResult>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) copies_closed: Option<Instant>,
    pub(crate) copies: Vec<CopyResult>,
    pub(crate) kept: Vec<KeptResult>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) restores: Vec<RestoreResult>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) recipients: Vec<Recipient>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ProofStage {
    Interim,
    Final,
    Amendment,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ManifestName {
    pub(crate) version: Count,
    pub(crate) digest: Hex64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Evidence {
    pub(crate) statement: EvidenceType,
    pub(crate) digest: Hex64,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RestoreResult {
    pub(crate) entry: Hex64,
    pub(crate) agent: Name,
    pub(crate) target: Name,
    pub(crate) taken: Instant,
    pub(crate) finished: Instant,
    pub(crate) counts: Counts,
    pub(crate) released: bool,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recipient {
    pub(crate) recipient: Name,
    pub(crate) of: Name,
    pub(crate) at: Instant,
    pub(crate) acknowledged: bool,
}
