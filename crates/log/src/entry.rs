//! What the log's leaves are (`docs/formats/log-v1.md`, section 2): a few lines that a shell can write, about one signed
//! statement. They name its bytes and its signatures by digest; which bytes those are, nobody can tell from them.
//!
//! Owns the text; refuses to know the statement, and who may sign it. No identifier of a person has a place in it (I12):
//! a leaf stays for good, and the request's id in it is random.

use std::fmt;
use std::str::FromStr;

use gallra_model::{Day, Digest, RequestId};

use crate::tree::Hash;

/// First line: the format and its version.
const FORMAT: &str = "gallra-log-entry/v1";

/// Most signatures of a statement: an issuer's two, and a few who approve.
pub const MOST_SIGNATURES: usize = 16;

/// Longest entry, in bytes: all lines at their longest.
pub const MOST_BYTES: usize = 4096;

/// Why a text is no entry, or parts do not make one. Never quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Too long, another format, or a line that is not where or what it must be.
    #[error("not a log entry of a version that is known here, in its one spelling")]
    Form,
    /// A statement about the log's own workings names a request, or another one does not.
    #[error("the entry's kind and its request do not fit each other")]
    Request,
    /// A day by which something is due stands elsewhere than in a plan, or cannot be written.
    #[error("the entry has a due day, which only a plan has, from the year 0 to 9999")]
    Due,
    /// No signature, too many, or two by one key.
    #[error("the entry does not have 1 to {MOST_SIGNATURES} signatures, each by another key")]
    Signatures,
}

/// What a statement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// That something was asked for.
    Request,
    /// What will happen, and when.
    Plan,
    /// What an agent did.
    Receipt,
    /// That a second look found nothing.
    Absence,
    /// Which copies there were when the residue was gone.
    CopySet,
    /// That a copy is gone.
    CopyExpiry,
    /// That data was put back from a copy.
    Restore,
    /// That somebody else was told.
    Notification,
    /// A later look.
    Recheck,
    /// What is proven, so far or for good.
    Proof,
    /// Which keys speak for whom.
    KeyManifest,
    /// What became of a key.
    KeyEvent,
    /// Which log goes on where another one ended.
    LogSuccession,
}

impl Kind {
    /// All kinds.
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

    /// The word in the entry.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Plan => "plan",
            Self::Receipt => "receipt",
            Self::Absence => "absence",
            Self::CopySet => "copy-set",
            Self::CopyExpiry => "copy-expiry",
            Self::Restore => "restore",
            Self::Notification => "notification",
            Self::Recheck => "recheck",
            Self::Proof => "proof",
            Self::KeyManifest => "key-manifest",
            Self::KeyEvent => "key-event",
            Self::LogSuccession => "log-succession",
        }
    }

    /// Whether such a statement is about one request, and not about keys and logs.
    pub const fn has_request(self) -> bool {
        !matches!(self, Self::KeyManifest | Self::KeyEvent | Self::LogSuccession)
    }
}

/// What everybody may see of a statement: enough to miss the proof of a plan whose day is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// What it is.
    pub kind: Kind,
    /// Which request it belongs to: a random id.
    pub request: Option<RequestId>,
    /// Of a plan, the day by which the final proof is due; unset where nobody can say.
    pub due: Option<Day>,
}

/// One signature of a statement: SHA-256 of the key's SubjectPublicKeyInfo, and of the raw bytes of the signature.
pub type SignedBy = (Digest, Digest);

/// One leaf's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    about: Option<About>,
    pae: Digest,
    signatures: Vec<SignedBy>,
}

impl Entry {
    /// The entry of a statement: what it is (or nothing, in a log that discloses nothing), the digest of its
    /// pre-authentication encoding, and its signatures in any order.
    ///
    /// # Errors
    /// [`EntryError::Request`], [`EntryError::Due`], [`EntryError::Signatures`].
    pub fn new(about: Option<About>, pae: Digest, mut signatures: Vec<SignedBy>) -> Result<Self, EntryError> {
        if let Some(About { kind, request, due }) = about {
            if kind.has_request() != request.is_some() {
                return Err(EntryError::Request);
            }
            if due.is_some_and(|due| kind != Kind::Plan || due.year() < 0) {
                return Err(EntryError::Due);
            }
        }
        signatures.sort();
        let twice = signatures.windows(2).any(|pair| matches!(pair, [(one, _), (other, _)] if one == other));
        if twice || !(1..=MOST_SIGNATURES).contains(&signatures.len()) {
            return Err(EntryError::Signatures);
        }
        Ok(Self { about, pae, signatures })
    }

    /// What it says of the statement; nothing in a log that discloses nothing.
    pub fn about(&self) -> Option<&About> {
        self.about.as_ref()
    }

    /// SHA-256 of the statement's pre-authentication encoding: of its type and its payload.
    pub fn pae(&self) -> Digest {
        self.pae
    }

    /// Who signed it, by key.
    pub fn signatures(&self) -> &[SignedBy] {
        &self.signatures
    }

    /// The hash of the leaf.
    pub fn leaf(&self) -> Hash {
        Hash::leaf(self.to_string().as_bytes())
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FORMAT}")?;
        if let Some(About { kind, request, due }) = &self.about {
            writeln!(f, "kind {}", kind.word())?;
            request.iter().try_for_each(|request| writeln!(f, "request {request}"))?;
            due.iter().try_for_each(|due| writeln!(f, "due {due}"))?;
        }
        writeln!(f, "pae sha256:{}", self.pae)?;
        self.signatures.iter().try_for_each(|(key, signature)| writeln!(f, "sig {key} sha256:{signature}"))
    }
}

impl FromStr for Entry {
    type Err = EntryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MOST_BYTES {
            return Err(EntryError::Form);
        }
        let entry = read(text)?;
        // Written again: lines in another order, and whatever else the parts are read from, is another spelling.
        if entry.to_string() == text { Ok(entry) } else { Err(EntryError::Form) }
    }
}

fn read(text: &str) -> Result<Entry, EntryError> {
    let mut lines = text.lines().peekable();
    if lines.next() != Some(FORMAT) {
        return Err(EntryError::Form);
    }
    let mut field = |name: &str| {
        let value = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' '));
        lines.next_if(value).and_then(|line| line.get(name.len() + 1..))
    };
    let word = field("kind");
    let kind = word.map(|word| Kind::ALL.into_iter().find(|kind| kind.word() == word).ok_or(EntryError::Form));
    let request = field("request").map(|id| id.parse().map_err(|_| EntryError::Form)).transpose()?;
    let due = field("due").map(|day| day.parse().map_err(|_| EntryError::Form)).transpose()?;
    let about = kind.transpose()?.map(|kind| About { kind, request, due });
    let pae = field("pae").and_then(digest).ok_or(EntryError::Form)?;
    let mut signatures = Vec::new();
    while let Some((key, signature)) =
        field("sig").map(|line| line.split_once(' ').ok_or(EntryError::Form)).transpose()?
    {
        let key = key.parse().map_err(|_| EntryError::Form)?;
        signatures.push((key, digest(signature).ok_or(EntryError::Form)?));
    }
    Entry::new(about, pae, signatures)
}

/// A digest as the lines have it.
fn digest(text: &str) -> Option<Digest> {
    text.strip_prefix("sha256:")?.parse().ok()
}

#[cfg(test)]
mod tests;
