//! `[causes]` of `agent.toml`: whose signature the host wants to see, beside the coordinator's permit, before anything is
//! erased for good (decision 2). Owns the reading of keys; refuses to know what a cause says, which is
//! `gallra_flow::agent::privileged`'s.

use gallra_model::cause::Cause;
use gallra_model::envelope::Envelope;
use gallra_proof::key::{KeyError, VerifyingKey};
use serde::Deserialize;

/// Whose causes count.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Causes {
    /// Public keys, as `gallra key create --for cause` prints them: 64 lowercase hex characters each. Without one no target
    /// can be in `mode = "act"`.
    #[serde(default)]
    pub keys: Vec<TrustedKey>,
}

/// One key.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct TrustedKey(VerifyingKey);

impl TryFrom<String> for TrustedKey {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        VerifyingKey::from_hex(&text).map(Self)
    }
}

impl From<VerifyingKey> for TrustedKey {
    fn from(key: VerifyingKey) -> Self {
        Self(key)
    }
}

impl Causes {
    /// The cause in an envelope that one of these keys signed; none if none did.
    pub fn open(&self, envelope: &Envelope) -> Option<Cause> {
        self.keys.iter().find_map(|key| gallra_proof::cause::open(envelope, &key.0).ok()).map(|(cause, _)| cause)
    }
}
