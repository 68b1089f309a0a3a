//! `docs/formats/keys-v1.md`, sections 2 and 3.

use serde::{Deserialize, Serialize};

use super::file::Bytes;
use crate::format::shared::ClockWord;
use crate::time::Instant;
use crate::word::{Count, Hex64, Line, Name};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub(crate) version: Count,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parent: Option<Hex64>,
    pub(crate) issuer: Issuer,
    pub(crate) log: Log,
    pub(crate) threshold: Count,
    pub(crate) holders: Vec<Holder>,
    pub(crate) keys: Vec<Key>,
    pub(crate) witnesses: Vec<Witness>,
    pub(crate) authorities: Vec<Authority>,
    made: Instant,
    clock: ClockWord,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Issuer {
    pub(crate) name: Line,
    pub(crate) country: Line,
    pub(crate) contact: Line,
    pub(crate) authority: Line,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) organisation_number: Option<Line>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) origin: Line,
    pub(crate) key: Hex64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Holder {
    name: Line,
    pub(crate) ed25519: Hex64,
    pub(crate) ml_dsa_65: Hex64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    pub(crate) keyid: Hex64,
    pub(crate) algorithm: Algorithm,
    pub(crate) role: KeyRole,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) actor: Option<Name>,
    pub(crate) spki: Bytes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Algorithm {
    #[serde(rename = "ed25519")]
    Ed25519,
    #[serde(rename = "ml-dsa-65/1")]
    MlDsa65,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum KeyRole {
    Root,
    Issuer,
    Log,
    Agent,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Witness {
    pub(crate) name: Line,
    /// C2SP's text of a verifier key.
    pub(crate) key: Line,
    pub(crate) outside: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Authority {
    pub(crate) name: Line,
    pub(crate) certificate: Bytes,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Event {
    pub(crate) what: What,
    pub(crate) keyid: Hex64,
    at: Instant,
    clock: ClockWord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<KeyRole>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) actor: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) algorithm: Option<Algorithm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) spki: Option<Bytes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<Count>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum What {
    Enrolled,
    Retired,
    Revoked,
    Compromised,
}
