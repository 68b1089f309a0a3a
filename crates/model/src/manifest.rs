//! Key manifests, key events and the published key file (`docs/formats/keys-v1.md`). Owns their fields; who may sign what
//! at which position of the log is worked out by the verifier and by `gallra-proof`, each for itself.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::envelope::Envelope;
use crate::id::AgentName;
use crate::time::{Clock, Instant};

/// The key file's `format`.
pub const KEYS_FORMAT: &str = "gallra-keys-v1";

/// A signature algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// RFC 8032.
    #[serde(rename = "ed25519")]
    Ed25519,
    /// FIPS 204, over the bytes `tuf`, one byte 1, and SHA-512 of what is signed (TUF TAP 21).
    #[serde(rename = "ml-dsa-65/1")]
    MlDsa65,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyRole {
    /// Manifests and log successions.
    Root,
    /// All that the coordinator says.
    Issuer,
    /// Checkpoints.
    Log,
    /// What one agent says.
    Agent,
}

/// Whose manifest it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerName {
    /// The provider.
    pub name: String,
    /// ISO 3166 in two capitals.
    pub country: String,
    /// A role address, nobody's own.
    pub contact: String,
    /// Who takes complaints.
    pub authority: String,
    /// Unset where it would be a person's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation_number: Option<String>,
}

/// The log that the issuer enters statements into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogName {
    /// Its name.
    pub origin: String,
    /// The id of its key.
    pub key: Digest,
}

/// Somebody who holds a root key of each algorithm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// A role in the organisation.
    pub name: String,
    /// The id of the one key.
    pub ed25519: Digest,
    /// The id of the other.
    pub ml_dsa_65: Digest,
}

/// A key, and what it may sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestKey {
    /// SHA-256 of `spki`'s bytes.
    pub keyid: Digest,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// What it is for.
    pub role: KeyRole,
    /// The agent whose it is; unset for the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<AgentName>,
    /// DER SubjectPublicKeyInfo, base64.
    pub spki: String,
}

/// Somebody who cosigns checkpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    /// Its name.
    pub name: String,
    /// C2SP verifier key text.
    pub key: String,
    /// Whether another organisation holds it.
    pub outside: bool,
}

/// Somebody who stamps times (RFC 3161).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeAuthority {
    /// Its name.
    pub name: String,
    /// The root that its certificates chain up to: DER, base64.
    pub certificate: String,
}

/// Which keys may sign what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Rises by one, from 1.
    pub version: u32,
    /// Digest of the payload of the version before; unset in the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Digest>,
    /// Whose it is.
    pub issuer: IssuerName,
    /// The log.
    pub log: LogName,
    /// How many holders a manifest needs.
    pub threshold: u32,
    /// The root holders.
    pub holders: Vec<Holder>,
    /// All keys, by id.
    pub keys: Vec<ManifestKey>,
    /// Who cosigns.
    pub witnesses: Vec<Witness>,
    /// Who stamps times.
    pub authorities: Vec<TimeAuthority>,
    /// When, on the clock of whoever made it.
    pub made: Instant,
    /// Which clock that is.
    pub clock: Clock,
}

/// What became of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "what", deny_unknown_fields)]
pub enum KeyEvent {
    /// It may sign from the next position on.
    Enrolled {
        /// The key's id.
        keyid: Digest,
        /// When.
        at: Instant,
        /// On which clock.
        clock: Clock,
        /// Always [`KeyRole::Agent`].
        role: KeyRole,
        /// The agent.
        actor: AgentName,
        /// Always [`Algorithm::Ed25519`].
        algorithm: Algorithm,
        /// DER SubjectPublicKeyInfo, base64.
        spki: String,
    },
    /// It signs nothing from this position on.
    Retired {
        /// The key's id.
        keyid: Digest,
        /// When.
        at: Instant,
        /// On which clock.
        clock: Clock,
    },
    /// The same, since it was lost.
    Revoked {
        /// The key's id.
        keyid: Digest,
        /// When.
        at: Instant,
        /// On which clock.
        clock: Clock,
    },
    /// Nothing counts that was entered at `since` or later.
    Compromised {
        /// The key's id.
        keyid: Digest,
        /// When it was said.
        at: Instant,
        /// On which clock.
        clock: Clock,
        /// A position of the log.
        since: u64,
    },
}

impl KeyEvent {
    /// The key that it is about.
    pub const fn keyid(&self) -> Digest {
        match self {
            Self::Enrolled { keyid, .. }
            | Self::Retired { keyid, .. }
            | Self::Revoked { keyid, .. }
            | Self::Compromised { keyid, .. } => *keyid,
        }
    }
}

/// That another log goes on where this one ended. Predicate of `log-succession`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Succession {
    /// The log that ended.
    pub ended: String,
    /// Its last good checkpoint: the signed note.
    pub checkpoint: String,
    /// The log that goes on.
    pub origin: String,
    /// The id of its key.
    pub key: Digest,
    /// When.
    pub at: Instant,
    /// On which clock.
    pub clock: Clock,
}

/// An envelope, and where it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entered {
    /// It.
    pub envelope: Envelope,
    /// Its position, from 0.
    pub index: u64,
}

/// What the operator publishes: all that an auditor needs beside a proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFile {
    /// [`KEYS_FORMAT`].
    pub format: String,
    /// Key manifests, version 1 first, none missing.
    pub manifests: Vec<Entered>,
    /// Key events, in the log's order.
    pub events: Vec<Entered>,
}
