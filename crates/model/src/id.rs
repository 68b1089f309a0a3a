//! Typed ids. An id is a random or derived reference: never a customer number, an address or a path, so that
//! ids may stand in store keys, logs and proofs (decision 12). Knows nothing of what an id refers to.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::time::Instant;

/// Why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not 32 lowercase hex characters.
    #[error("not an id: expected 32 lowercase hex characters")]
    Hex,
    /// Not a host-like name.
    #[error("not a name: expected 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit")]
    Name,
}

macro_rules! reference {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; 16]);

        impl $name {
            /// An id from sixteen bytes that are random, or derived from random ones.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// A time-ordered id: 48 bits of milliseconds since 1970 UTC, then 80 random bits.
            /// Store keys made of it stay in order of creation, which the embedded engine needs for speed.
            pub fn at(now: Instant, random: [u8; 10]) -> Self {
                let millis = u64::try_from(now.as_millisecond().max(0)).unwrap_or(0).to_be_bytes();
                let mut bytes = [0; 16];
                let (time, rest) = bytes.split_at_mut(6);
                time.copy_from_slice(millis.get(2..).unwrap_or(&[0; 6]));
                rest.copy_from_slice(&random);
                Self(bytes)
            }

            /// The first half of a digest, for ids that follow from other ids.
            pub fn from_digest(digest: &Digest) -> Self {
                let mut bytes = [0; 16];
                for (to, from) in bytes.iter_mut().zip(digest.as_bytes()) {
                    *to = *from;
                }
                Self(bytes)
            }

            /// The raw sixteen bytes.
            pub fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                if text.bytes().any(|b| b.is_ascii_uppercase()) {
                    return Err(IdError::Hex);
                }
                let mut bytes = [0; 16];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| IdError::Hex)?;
                Ok(Self(bytes))
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

reference!(
    /// One customer, by a random reference. The customer number is sealed (decision 12).
    CustomerId
);
reference!(
    /// One contract, by a random reference.
    ContractId
);
reference!(
    /// One natural person, by a random reference; what the proof names.
    SubjectId
);
reference!(
    /// One thing asked.
    RequestId
);
reference!(
    /// One hold.
    HoldId
);
reference!(
    /// One step of a plan as an agent sees it: derived from the request's id, so that two agents cannot tell
    /// that their jobs belong to the same request (decision 13).
    JobId
);
reference!(
    /// One backup generation: derived from the repository's and the snapshot's own ids by the agent.
    CopyId
);
reference!(
    /// What a request leaves behind for later.
    ObligationId
);
reference!(
    /// One suppression entry (decision 8).
    SuppressionId
);
reference!(
    /// A subject's name towards one agent (decision 13).
    Pseudonym
);
reference!(
    /// Chosen by the agent for one asking to begin; a permit answers exactly one nonce (decision 3).
    Nonce
);

/// The name of an agent, as the operator gave it when inviting it: like a host name's label. Shared when cloned: a plan has it
/// in each step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AgentName(Arc<str>);

impl AgentName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text may name an agent or a target: 1 to 63 of a-z, 0-9 and '-', no '-' at either end.
pub(crate) fn is_label(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    matches!((bytes.first(), bytes.last()), (Some(&a), Some(&z)) if plain(a) && plain(z))
        && bytes.len() <= 63
        && bytes.iter().all(|&b| plain(b) || b == b'-')
}

impl FromStr for AgentName {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_label(text) { Ok(Self(text.into())) } else { Err(IdError::Name) }
    }
}

impl TryFrom<String> for AgentName {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<AgentName> for String {
    fn from(name: AgentName) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_made_later_sort_later() {
        let early = RequestId::at("2026-01-01T00:00:00Z".parse().expect("a literal"), [255; 10]);
        let late = RequestId::at("2026-01-01T00:00:01Z".parse().expect("a literal"), [0; 10]);
        assert!(early < late);
        assert_eq!(early.to_string().parse(), Ok(early));
    }

    #[test]
    fn names_are_labels() {
        for good in ["a", "web1", "mail-02"] {
            assert!(good.parse::<AgentName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "../x", "å", &"a".repeat(64)] {
            assert!(bad.parse::<AgentName>().is_err(), "{bad}");
        }
    }
}
