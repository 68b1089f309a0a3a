//! Texts with a shape: what is printed must not be able to write anything else on a terminal, and what is compared must
//! have one spelling.

use serde::{Deserialize, Serialize};

macro_rules! shaped {
    ($(#[$doc:meta])* $name:ident, $good:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub(crate) struct $name(String);

        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                let good: fn(&str) -> bool = $good;
                if good(&text) { Ok(Self(text)) } else { Err("a text does not have its documented shape") }
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl $name {
            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

fn is_hex(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

shaped!(
    /// 32 lowercase hex characters: a random or derived reference.
    Id,
    |text| is_hex(text, 32)
);
shaped!(
    /// 64 lowercase hex characters: a SHA-256 digest or an Ed25519 key.
    Hex64,
    |text| is_hex(text, 64)
);
shaped!(
    /// A name, rule or code: 1 to 128 of a-z, 0-9 and `-/._`.
    Name,
    |text| (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-/._".contains(&b))
);
shaped!(
    /// As [`Name`], or empty.
    #[derive(Default)]
    Word,
    |text| text.is_empty() || Name::try_from(text.to_owned()).is_ok()
);

shaped!(
    /// One line that people wrote: 1 to 256 bytes without control characters. Not for a terminal as it is.
    Line,
    |text| (1..=256).contains(&text.len()) && !text.chars().any(char::is_control)
);

/// A whole number up to 2^53 - 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub(crate) struct Count(u64);

impl Count {
    pub(crate) fn get(self) -> u64 {
        self.0
    }

    /// The sum, held at 2^53 - 1.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0).min(MAX_INTEGER))
    }
}

const MAX_INTEGER: u64 = (1 << 53) - 1;

impl TryFrom<u64> for Count {
    type Error = &'static str;

    fn try_from(number: u64) -> Result<Self, Self::Error> {
        if number <= MAX_INTEGER { Ok(Self(number)) } else { Err("a number is beyond 2^53 - 1") }
    }
}

impl From<Count> for u64 {
    fn from(count: Count) -> Self {
        count.0
    }
}
