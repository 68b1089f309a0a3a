//! Epochs: their numbers, and the pair of keys that each has. Refuses to know when one begins: the store's
//! `meta/epoch` says so ([`crate::epochs`]).

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::secret::Secret;
use super::{KeyringError, file};

/// How long an epoch lasts, in days.
pub const EPOCH_DAYS: u32 = 30;

/// The number of an epoch; later ones are larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Epoch(u32);

impl Epoch {
    /// The first one.
    pub const FIRST: Self = Self(1);

    /// The one after this. There is no end in sight: numbers last some hundred million years.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The name of its file in a key directory.
    pub(super) fn file(self) -> String {
        format!("epoch-{self}.key")
    }

    /// The epoch of a file with this name.
    pub(super) fn of_file(name: &str) -> Option<Self> {
        name.strip_prefix("epoch-")?.strip_suffix(".key")?.parse().ok()
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// The text was not eight lowercase hex characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an epoch: expected 8 lowercase hex characters")]
pub struct EpochError;

impl FromStr for Epoch {
    type Err = EpochError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if plain { u32::from_str_radix(text, 16).map(Self).map_err(|_| EpochError) } else { Err(EpochError) }
    }
}

impl TryFrom<String> for Epoch {
    type Error = EpochError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Epoch> for String {
    fn from(epoch: Epoch) -> Self {
        epoch.to_string()
    }
}

pub(super) const FIELDS: [&str; 2] = ["wrap", "index"];

/// One epoch's keys.
pub(super) struct EpochKeys {
    /// Whose.
    pub(super) epoch: Epoch,
    /// Wraps subjects' keys.
    pub(super) wrap: Secret,
    /// Makes blind indexes.
    pub(super) index: Secret,
}

impl EpochKeys {
    pub(super) fn random(epoch: Epoch) -> Result<Self, KeyringError> {
        Ok(Self { epoch, wrap: Secret::random()?, index: Secret::random()? })
    }

    pub(super) fn read(dir: &Path, epoch: Epoch) -> Result<Self, KeyringError> {
        let [wrap, index] = file::read(dir, &epoch.file(), FIELDS)?;
        Ok(Self { epoch, wrap, index })
    }

    pub(super) fn write(&self, dir: &Path) -> Result<(), KeyringError> {
        file::write(dir, &self.epoch.file(), FIELDS, [&self.wrap, &self.index])
    }
}
