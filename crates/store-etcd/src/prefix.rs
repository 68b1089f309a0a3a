//! Where a cell's keys lie in etcd: `gallra/<cell>/` and then the key as it is. Owns the translation both ways; the prefix by
//! itself, which is no store key since keys are not empty, is the store's own mark.

use gallra_store::{Key, KeyRange};

use crate::config::Cell;

#[derive(Debug, Clone)]
pub(crate) struct Prefix(String);

impl Prefix {
    pub(crate) fn of(cell: &Cell) -> Self {
        Self(format!("gallra/{cell}/"))
    }

    /// The prefix itself: the first key of the cell.
    pub(crate) fn first(&self) -> Vec<u8> {
        self.0.clone().into_bytes()
    }

    /// The first key above the cell: `0` follows `/` in ASCII.
    pub(crate) fn end(&self) -> Vec<u8> {
        let mut end = self.first();
        end.pop();
        end.push(b'0');
        end
    }

    pub(crate) fn key(&self, key: &Key) -> Vec<u8> {
        self.text(key.as_str())
    }

    /// Both ends of a range of the store's.
    pub(crate) fn range(&self, range: &KeyRange) -> (Vec<u8>, Vec<u8>) {
        (self.text(range.start()), self.text(range.end()))
    }

    fn text(&self, text: &str) -> Vec<u8> {
        format!("{}{text}", self.0).into_bytes()
    }

    /// The store's key in an etcd key of the cell; none for what is no key of the store's, the mark among them.
    pub(crate) fn strip(&self, key: &[u8]) -> Option<Key> {
        Key::from_bytes(key.strip_prefix(self.0.as_bytes())?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gallra_store::KeyPrefix;

    fn prefix(cell: &str) -> Prefix {
        Prefix::of(&cell.parse().expect("a cell"))
    }

    #[test]
    fn a_key_comes_back_as_it_went_and_another_cell_s_does_not() {
        let key = Key::parse("v1/meta/leader").expect("a key");
        assert_eq!(prefix("a").key(&key), b"gallra/a/v1/meta/leader");
        assert_eq!(prefix("a").strip(&prefix("a").key(&key)), Some(key.clone()));
        assert_eq!(prefix("a").strip(&prefix("ab").key(&key)), None);
        assert_eq!(prefix("a").strip(&prefix("a").first()), None);
    }

    #[test]
    fn all_keys_of_a_cell_lie_between_its_ends_and_no_other_cell_s() {
        let (one, other) = (prefix("a"), prefix("a-b"));
        let range = KeyPrefix::parse("v1/").expect("a prefix").range();
        for key in [one.first(), one.range(&range).0, one.key(&Key::parse("~~").expect("a key"))] {
            assert!(one.first() <= key && key < one.end());
        }
        for key in [other.first(), other.range(&range).0, prefix("b").first()] {
            assert!(key < one.first() || one.end() <= key);
        }
    }
}
