//! Targets and inventories: one place with personal data on one agent, and all of them. What the host says about
//! itself; never a path, a database or a selector (decision 2: those stay in `agent.toml`).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::{AgentName, IdError, is_label};

/// A target's name on its agent, as `agent.toml` gives it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TargetId(Arc<str>);

impl TargetId {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TargetId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_label(text) { Ok(Self(text.into())) } else { Err(IdError::Name) }
    }
}

impl TryFrom<String> for TargetId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TargetId> for String {
    fn from(id: TargetId) -> Self {
        id.as_str().to_owned()
    }
}

impl fmt::Display for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What kind of place a target is; one driver each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetKind {
    /// A customer's tree of files.
    Files,
    /// A mailbox on disk, in Maildir form.
    Maildir,
    /// Rows of a subject in a database, by a declared mapping.
    Sql,
    /// Lines of a subject in a web server's access log.
    AccessLog,
    /// A restic repository.
    Restic,
}

impl TargetKind {
    /// Whether the target holds copies to be observed rather than live data to be erased.
    pub fn is_backup(self) -> bool {
        matches!(self, Self::Restic)
    }

    /// The word used in configuration, tables and proofs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Maildir => "maildir",
            Self::Sql => "sql",
            Self::AccessLog => "access-log",
            Self::Restic => "restic",
        }
    }
}

/// A retention category: one of the words in the category column of the policy packs. The closed list is the policy's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Category(Arc<str>);

impl Category {
    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Category {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_label(text) { Ok(Self(text.into())) } else { Err(IdError::Name) }
    }
}

impl TryFrom<String> for Category {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Category> for String {
    fn from(category: Category) -> Self {
        category.as_str().to_owned()
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// In which legal role the provider holds a target's data (GDPR Art. 4(7), 4(8)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Decides on purpose and means.
    Controller,
    /// Holds it for a customer, who is the controller (Art. 28).
    Processor,
}

/// Whose end a target waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// One contract's: selected by service id.
    Contract,
    /// The customer's (the last contract's): selected by customer number.
    Customer,
}

/// What the host's admin allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Inspects, plans and reports; touches nothing. The default.
    Observe,
    /// May erase.
    Act,
}

/// What becomes of a backup target's copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Wait for the store's own routine; change nothing.
    Observe,
}

/// How long the store's own rules keep a copy that holds a customer who has left, from simulating them (decision 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum CopyLife {
    /// Every copy is gone at most so many days after it began.
    AtMost {
        /// Whole days, rounded up.
        days: u32,
    },
    /// The rules never remove the customer's last copies.
    Never,
    /// The rules could not be simulated.
    Unknown,
}

/// One target as its agent reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetInfo {
    /// Name on this agent.
    pub id: TargetId,
    /// Which driver serves it.
    pub kind: TargetKind,
    /// Under which rules its data falls.
    pub category: Category,
    /// The provider's legal role.
    pub role: Role,
    /// Whose end it waits for.
    pub scope: Scope,
    /// What the host's admin allows.
    pub mode: Mode,
    /// Whether the host's admin lets what is old enough be purged here, whoever's it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub purges: bool,
    /// Backup targets only: what becomes of copies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// Backup targets only: how long copies of a customer who has left live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_life: Option<CopyLife>,
    /// Backup targets only: the targets (on the same agent) whose data its copies hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covers: Vec<TargetId>,
    /// Whether it is searched by IP addresses and by nothing else: then its jobs carry the subject's, and no other's do
    /// (decision 13).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_address: bool,
}

/// Everything one agent reports about its host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// The reporting agent.
    pub agent: AgentName,
    /// The agent's evidence key: Ed25519, 32 bytes, lowercase hex.
    pub evidence_key: String,
    /// Its targets, in the order of `agent.toml`.
    pub targets: Vec<TargetInfo>,
}

/// The immutable thing that a name stood for when it was inspected (inode and birth time, mailbox id, database id and
/// schema): a job refuses when the name was reused since (decision 10).
pub type Instance = Digest;
