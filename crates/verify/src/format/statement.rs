//! What a proof says of targets, copies and obligations (`docs/formats/proof-v1.md`), and envelopes (`docs/formats/envelope.md`).

use serde::{Deserialize, Serialize};

use super::shared::{Counts, Keep, Role, TargetKind};
use crate::time::{Day, Instant};
use crate::word::{Count, Id, Name, Word};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Envelope {
    pub(crate) payload_type: String,
    pub(crate) payload: String,
    pub(crate) signatures: Vec<Signature>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Signature {
    pub(crate) keyid: String,
    pub(crate) sig: String,
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
