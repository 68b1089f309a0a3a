//! What a key is: printable ASCII in segments parted by `/`. Owns prefixes and half-open ranges over keys; knows no
//! family (see [`crate::keys`]). Upholds that a prefix ends at a segment, so that contract 1 never covers contract 10.

use std::fmt;
use std::ops::RangeInclusive;

/// Longest key, in bytes. etcd has no such limit of its own; this one keeps index pages dense.
pub const MAX_KEY_BYTES: usize = 512;

/// Printable, and neither a space nor anything that a terminal or a shell reads its own meaning into first.
const ALLOWED: RangeInclusive<u8> = b'!'..=b'~';

/// A text that is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a store key: expected 1 to {MAX_KEY_BYTES} printable ASCII characters without spaces")]
pub struct KeyError;

/// One key. Order of keys is the order of their bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    /// A key from its text, as an engine or a person gives it. Code makes keys with [`crate::keys`] instead.
    ///
    /// # Errors
    /// When the text is empty, longer than [`MAX_KEY_BYTES`], or not printable ASCII without spaces.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let good = !text.is_empty() && text.len() <= MAX_KEY_BYTES && text.bytes().all(|b| ALLOWED.contains(&b));
        if good { Ok(Self(text.to_owned())) } else { Err(KeyError) }
    }

    /// A key from stored bytes.
    ///
    /// # Errors
    /// As [`Key::parse`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        Self::parse(std::str::from_utf8(bytes).map_err(|_| KeyError)?)
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The segments between the slashes.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// The smallest key above this one.
    fn successor(&self) -> String {
        // '!' is the lowest allowed byte; nothing that is a key lies between.
        format!("{}!", self.0)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.0)
    }
}

/// The beginning of keys, whole segments only: it always ends in `/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPrefix(String);

impl KeyPrefix {
    /// The prefix of `segments`, which must be of a key's characters; the schema's builders see to it.
    pub(crate) fn of(segments: &[&str]) -> Self {
        let mut text = segments.join("/");
        text.push('/');
        debug_assert!(Key::parse(&text).is_ok(), "a prefix of key characters");
        Self(text)
    }

    /// A prefix from its text, for tests and tools.
    ///
    /// # Errors
    /// When the text is no key, or does not end in `/`.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if text.ends_with('/') { Key::parse(text).map(|key| Self(key.0)) } else { Err(KeyError) }
    }

    /// The prefix as text, `/` at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key under this prefix with one more segment.
    pub(crate) fn key(&self, last: &str) -> Key {
        let text = format!("{}{last}", self.0);
        debug_assert!(Key::parse(&text).is_ok(), "a key of key characters");
        Key(text)
    }

    /// Whether the key lies under the prefix.
    pub fn covers(&self, key: &Key) -> bool {
        key.0.starts_with(&self.0)
    }

    /// What follows the prefix in a key that lies under it.
    pub(crate) fn rest<'k>(&self, key: &'k Key) -> Option<&'k str> {
        key.0.strip_prefix(&self.0)
    }

    /// All keys under the prefix.
    pub fn range(&self) -> KeyRange {
        KeyRange { start: self.0.clone(), end: self.end() }
    }

    /// The first text above every key under the prefix: `0` follows `/` in ASCII.
    fn end(&self) -> String {
        let mut end = self.0.clone();
        end.pop();
        end.push('0');
        end
    }
}

/// Keys from a start, which is in it, to an end, which is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    start: String,
    end: String,
}

impl KeyRange {
    /// Just one key.
    pub fn only(key: &Key) -> Self {
        Self { start: key.0.clone(), end: key.successor() }
    }

    /// First text in the range.
    pub fn start(&self) -> &str {
        &self.start
    }

    /// First text above the range.
    pub fn end(&self) -> &str {
        &self.end
    }

    /// What remains from `key` on, `key` included: how [`crate::Page::more`] is followed.
    #[must_use]
    pub fn starting_at(mut self, key: &Key) -> Self {
        if self.start.as_str() < key.as_str() {
            self.start = key.as_str().to_owned();
        }
        self
    }

    /// What remains above `key`.
    #[must_use]
    pub fn above(mut self, key: &Key) -> Self {
        if self.start.as_str() <= key.as_str() {
            self.start = key.successor();
        }
        self
    }

    /// What lies under `prefix` up to and with every key whose next segments sort at or below `last`.
    pub(crate) fn through(prefix: &KeyPrefix, last: &str) -> Self {
        let upto = KeyPrefix(format!("{}{last}/", prefix.as_str()));
        Self { start: prefix.as_str().to_owned(), end: upto.end() }
    }

    /// Whether the key lies in the range.
    pub fn contains(&self, key: &Key) -> bool {
        self.start.as_str() <= key.as_str() && key.as_str() < self.end.as_str()
    }

    /// Whether no key can lie in the range.
    pub fn is_empty(&self) -> bool {
        self.start >= self.end
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> Key {
        Key::parse(text).expect("a key")
    }

    #[test]
    fn a_prefix_covers_whole_segments_only() {
        let one = KeyPrefix::of(&["v1", "contract", "1"]);
        assert!(one.range().contains(&key("v1/contract/1/a")));
        for other in ["v1/contract/1", "v1/contract/10/a", "v1/contract/10", "v1/contract/2/a", "v1/contracts/1/a"] {
            assert!(!one.range().contains(&key(other)), "{other}");
            assert!(!one.covers(&key(other)), "{other}");
        }
    }

    #[test]
    fn through_takes_the_last_segment_with_all_below_it() {
        let due = KeyRange::through(&KeyPrefix::of(&["t"]), "05");
        assert!(due.contains(&key("t/04/z")) && due.contains(&key("t/05/~")));
        assert!(!due.contains(&key("t/06/a")) && !due.contains(&key("s/04/a")));
    }

    #[test]
    fn a_range_goes_on_where_it_stopped() {
        let all = KeyPrefix::of(&["t"]).range();
        assert!(all.clone().starting_at(&key("t/b")).contains(&key("t/b")));
        assert!(!all.clone().above(&key("t/b")).contains(&key("t/b")));
        assert!(all.clone().above(&key("t/b")).contains(&key("t/b!")));
        assert_eq!(all.clone().starting_at(&key("a")), all, "a range never grows");
        assert!(all.starting_at(&key("u")).is_empty());
    }

    proptest! {
        #[test]
        fn covering_and_lying_in_the_range_are_the_same(text in "[!-~]{1,12}", prefix in "[!-~]{0,6}/") {
            let (key, prefix) = (key(&text), KeyPrefix::parse(&prefix).expect("a prefix"));
            prop_assert_eq!(prefix.covers(&key), prefix.range().contains(&key));
        }

        #[test]
        fn only_printable_ascii_is_a_key(text in any::<String>()) {
            let plain = !text.is_empty() && text.chars().all(|c| ('!'..='~').contains(&c));
            prop_assert_eq!(Key::parse(&text).is_ok(), plain && text.len() <= MAX_KEY_BYTES);
        }
    }
}
