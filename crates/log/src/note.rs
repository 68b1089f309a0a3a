//! Signed notes (C2SP signed-note v1.0.0): a text, an empty line, and lines of signatures by named keys.
//!
//! Owns the form and the rule whose signatures count: those of keys that the reader was given. Others are kept and ignored,
//! one of a given key that does not verify refuses the whole note. Refuses to know what a text says, and which keys are to
//! be trusted. Of a note that nobody opened, nothing is to be believed, and the names of its functions say so.

mod key;
mod line;

use std::fmt;
use std::str::FromStr;

pub use key::{Key, KeyError, Kind, MOST_NAME_BYTES, Signer, is_name};
pub use line::Signature;

/// Longest note that is read, in bytes: the most signatures, each a post-quantum one of 7 kB, beside a text of a few kB.
pub const MOST_BYTES: usize = 256 * 1024;

/// Most signatures that are read. The specification asks for at least 16.
pub const MOST_SIGNATURES: usize = 32;

/// Why a note is not read or not believed. Never quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// More bytes or signatures than are read.
    #[error("the note is too large: at most {MOST_BYTES} bytes and {MOST_SIGNATURES} signatures are read")]
    Large,
    /// Not UTF-8, or with a control character.
    #[error("the note is not UTF-8 text without control characters")]
    Text,
    /// No text that ends in a line break, an empty line, and one signature or more.
    #[error("the note is not a text, an empty line and lines of signatures")]
    Form,
    /// A line is not `— name base64`.
    #[error("a signature line of the note is not a dash, a key's name and canonical base64")]
    Line,
    /// Two of the given keys have one name and one id.
    #[error("two of the trusted keys have the same name and id: leave one out")]
    Ambiguous,
    /// A given key's signature does not verify.
    #[error("the signature of a trusted key does not verify")]
    Signature,
    /// A given key signed twice.
    #[error("a trusted key has signed the note twice")]
    Twice,
    /// None of the given keys signed.
    #[error("none of the trusted keys has signed the note")]
    Unknown,
}

/// A note in its form, whoever signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

/// What one of the given keys signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed<'k> {
    /// The key.
    pub key: &'k Key,
    /// For a cosignature, when it was made, in seconds since 1970 UTC: its maker's word.
    pub time: Option<u64>,
}

impl Note {
    /// A note that nobody has signed yet; it is written once somebody has.
    ///
    /// # Errors
    /// [`NoteError::Text`] or [`NoteError::Form`] where the text cannot be in a note.
    pub fn new(text: String) -> Result<Self, NoteError> {
        check_text(&text)?;
        if !text.ends_with('\n') {
            return Err(NoteError::Form);
        }
        Ok(Self { text, signatures: Vec::new() })
    }

    /// Reads a note; believes nothing of it.
    ///
    /// # Errors
    /// [`NoteError`] for anything that is not exactly one note in its form.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MOST_BYTES {
            return Err(NoteError::Large);
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| NoteError::Text)?;
        // The last empty line: texts may have others.
        let empty = whole.rfind("\n\n").ok_or(NoteError::Form)?;
        let (text, lines) = whole.split_at_checked(empty + 1).ok_or(NoteError::Form)?;
        let lines = lines.strip_prefix('\n').ok_or(NoteError::Form)?;
        let mut note = Self::new(text.to_owned())?;
        note.signatures = Signature::parse_lines(lines)?;
        Ok(note)
    }

    /// The text, whoever wrote it: to find out which keys to try, and to sign.
    pub fn unverified_text(&self) -> &str {
        &self.text
    }

    /// All signatures, whoever made them.
    pub fn unverified_signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Adds a signature, in the place of an older one by a key of the same name and id.
    ///
    /// # Errors
    /// [`NoteError::Large`] where nobody would read the note any more.
    pub fn sign(&mut self, signature: Signature) -> Result<(), NoteError> {
        let same = |other: &Signature| (other.name(), other.id()) == (signature.name(), signature.id());
        let mut signatures = self.signatures.clone();
        signatures.retain(|other| !same(other));
        signatures.push(signature);
        let note = Self { text: self.text.clone(), signatures };
        if note.signatures.len() > MOST_SIGNATURES || note.to_string().len() > MOST_BYTES {
            return Err(NoteError::Large);
        }
        *self = note;
        Ok(())
    }

    /// Who of `keys` signed the text, in the order of the lines: at least one, each once.
    ///
    /// # Errors
    /// [`NoteError`]: the text must not be used then.
    pub fn open<'k>(&self, keys: &'k [Key]) -> Result<Vec<Signed<'k>>, NoteError> {
        let mut signed: Vec<Signed<'k>> = Vec::new();
        for signature in &self.signatures {
            let mut known = keys.iter().filter(|key| (key.name(), key.id()) == (signature.name(), signature.id()));
            let Some(key) = known.next() else { continue };
            if known.next().is_some() {
                return Err(NoteError::Ambiguous);
            }
            if signed.iter().any(|other| other.key == key) {
                return Err(NoteError::Twice);
            }
            let time = key.verify(&self.text, signature.bytes())?;
            signed.push(Signed { key, time });
        }
        if signed.is_empty() { Err(NoteError::Unknown) } else { Ok(signed) }
    }
}

fn check_text(text: &str) -> Result<(), NoteError> {
    if text.len() > MOST_BYTES {
        return Err(NoteError::Large);
    }
    let forbidden = |b: u8| b < 0x20 && b != b'\n';
    if text.bytes().any(forbidden) { Err(NoteError::Text) } else { Ok(()) }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| write!(f, "{signature}"))
    }
}

impl FromStr for Note {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text.as_bytes())
    }
}

#[cfg(test)]
mod tests;
