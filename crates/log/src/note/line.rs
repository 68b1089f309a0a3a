//! One line of a note's end: an em dash, the key's name, and base64 of the key's id and what it signed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::key::is_name;
use super::{MOST_BYTES, MOST_SIGNATURES, NoteError};

/// What each line begins with: U+2014 and a space.
const DASH: &str = "\u{2014} ";

/// A signature as a line has it, by whomever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    name: String,
    id: [u8; 4],
    bytes: Vec<u8>,
}

impl Signature {
    pub(super) fn new(name: String, id: [u8; 4], bytes: Vec<u8>) -> Self {
        Self { name, id, bytes }
    }

    /// The name of the key that is said to have signed.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of that key.
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// What the key made; its form is the key's kind's.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads lines of signatures and nothing else: a note's end, or a witness's answer.
    ///
    /// # Errors
    /// [`NoteError::Large`], [`NoteError::Form`], [`NoteError::Line`].
    pub fn parse_lines(text: &str) -> Result<Vec<Self>, NoteError> {
        if text.len() > MOST_BYTES {
            return Err(NoteError::Large);
        }
        let lines = text.strip_suffix('\n').ok_or(NoteError::Form)?;
        // One more than is allowed is enough to know.
        let lines: Vec<&str> = lines.split('\n').take(MOST_SIGNATURES + 1).collect();
        if lines.len() > MOST_SIGNATURES {
            return Err(NoteError::Large);
        }
        lines.into_iter().map(|line| Self::parse(line).ok_or(NoteError::Line)).collect()
    }

    fn parse(line: &str) -> Option<Self> {
        let (name, base64) = line.strip_prefix(DASH)?.split_once(' ')?;
        let bytes = STANDARD.decode(base64).ok()?;
        let (id, bytes) = bytes.split_first_chunk::<4>()?;
        (is_name(name) && !bytes.is_empty()).then(|| Self::new(name.to_owned(), *id, bytes.to_vec()))
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{DASH}{} {}", self.name, STANDARD.encode([&self.id[..], &self.bytes].concat()))
    }
}
