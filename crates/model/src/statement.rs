//! The in-toto Statement v1 around everything that goes into a proof (`docs/formats/statement-v1.md`). Owns its names and
//! fields; knows no predicate's content, and nothing of signatures.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::RequestId;

/// DSSE payload type of every statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// The statement's `_type`.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// What a statement says: the predicate types of version 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Type {
    /// What was asked, and when.
    Request,
    /// What will happen.
    Plan,
    /// What an agent says of an attempt.
    Receipt,
    /// What it found when it looked whether the data is gone.
    Absence,
    /// Which copies are waited for.
    CopySet,
    /// What a backup store holds at one moment.
    CopyExpiry,
    /// What came back with a backup, and went again.
    Restore,
    /// That a recipient was told.
    Notification,
    /// A look again, after the last copy went.
    Recheck,
    /// What all of it comes to.
    Proof,
    /// Which keys may sign what.
    KeyManifest,
    /// What became of a key.
    KeyEvent,
    /// Which log goes on.
    LogSuccession,
}

impl Type {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Request,
        Self::Plan,
        Self::Receipt,
        Self::Absence,
        Self::CopySet,
        Self::CopyExpiry,
        Self::Restore,
        Self::Notification,
        Self::Recheck,
        Self::Proof,
        Self::KeyManifest,
        Self::KeyEvent,
        Self::LogSuccession,
    ];

    /// The predicate type: a name that nothing fetches (decision record 0025).
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Request => "https://w3id.org/gallra/request/v1",
            Self::Plan => "https://w3id.org/gallra/plan/v1",
            Self::Receipt => "https://w3id.org/gallra/receipt/v1",
            Self::Absence => "https://w3id.org/gallra/absence/v1",
            Self::CopySet => "https://w3id.org/gallra/copy-set/v1",
            Self::CopyExpiry => "https://w3id.org/gallra/copy-expiry/v1",
            Self::Restore => "https://w3id.org/gallra/restore/v1",
            Self::Notification => "https://w3id.org/gallra/notification/v1",
            Self::Recheck => "https://w3id.org/gallra/recheck/v1",
            Self::Proof => "https://w3id.org/gallra/proof/v1",
            Self::KeyManifest => "https://w3id.org/gallra/key-manifest/v1",
            Self::KeyEvent => "https://w3id.org/gallra/key-event/v1",
            Self::LogSuccession => "https://w3id.org/gallra/log-succession/v1",
        }
    }

    /// The type of that name.
    pub fn of_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.uri() == uri)
    }
}

/// One thing that a statement is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// A word for it in this statement.
    pub name: String,
    /// What it is.
    pub digest: Sha256,
}

/// A digest as in-toto spells one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sha256 {
    /// SHA-256, hex.
    pub sha256: Digest,
}

impl Subject {
    /// Something with a name.
    pub fn new(name: impl Into<String>, sha256: Digest) -> Self {
        Self { name: name.into(), digest: Sha256 { sha256 } }
    }

    /// The commitments of somebody's identifiers, in their order (`docs/formats/subject-v1.md`, section 2).
    pub fn of_commitments(commitments: &[Digest]) -> Vec<Self> {
        commitments.iter().enumerate().map(|(at, digest)| Self::new(format!("subject-{}", at + 1), *digest)).collect()
    }

    /// What a statement about nobody is about: its request.
    pub fn of_request(request: &RequestId) -> Self {
        let bytes = [b"gallra-request/v1\0".as_slice(), request.to_string().as_bytes()].concat();
        Self::new("request", Digest::of(&bytes))
    }

    /// What a restore is about: an entry of the suppression list.
    pub fn of_entry(entry: Digest) -> Self {
        Self::new("entry", entry)
    }

    /// What an agent's statement is about: the exact offer.
    pub fn of_job(spec: Digest) -> Self {
        Self::new("job", spec)
    }
}

/// A statement around a predicate. Field order is part of the format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement<P> {
    /// [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// What it is about; never empty.
    pub subject: Vec<Subject>,
    /// [`Type::uri`].
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// What it says.
    pub predicate: P,
}

impl<P> Statement<P> {
    /// A statement of a type.
    pub fn new(kind: Type, subject: Vec<Subject>, predicate: P) -> Self {
        Self { statement_type: STATEMENT_TYPE.to_owned(), subject, predicate_type: kind.uri().to_owned(), predicate }
    }
}

/// A tree of the log: what a permit quotes, and a receipt repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commitment {
    /// Entries.
    pub size: u64,
    /// The root.
    pub root: Digest,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_one_name_made_of_its_word() {
        for kind in Type::ALL {
            let word = serde_json::to_string(&kind).expect("a word").replace('"', "");
            assert_eq!(kind.uri(), format!("https://w3id.org/gallra/{word}/v1"));
            assert_eq!(Type::of_uri(kind.uri()), Some(kind));
        }
    }

    #[test]
    fn a_statement_has_the_fields_of_the_page_in_its_order() {
        let statement = Statement::new(Type::Request, vec![Subject::new("subject-1", Digest::of(b""))], 7);
        let text = serde_json::to_string(&statement).expect("json");
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(
            text,
            format!(
                "{{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{{\"name\":\"subject-1\",\"digest\":{{\"sha256\":\"{empty}\"}}}}],\
                 \"predicateType\":\"https://w3id.org/gallra/request/v1\",\"predicate\":7}}"
            )
        );
    }
}
