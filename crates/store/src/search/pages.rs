//! Old pages: every entry in any leaf page of a file, those that the engine freed long ago and has not written over
//! included. Owns the little that must be known of redb's pages; works on any file, whether it opens or not.

use crate::embedded::VERSION_BYTES;

/// Pages begin at multiples of this; larger ones too.
const PAGE: usize = 4_096;
/// The first byte of a leaf.
const LEAF: u8 = 1;
/// Of a leaf: its kind, a filler, the number of entries.
const HEAD: usize = 4;
/// More than fit a page of the largest value that there is; past it the bytes are no leaf.
const MOST: usize = 4_096;

/// Calls `each` with the key and the value of whatever reads as an entry of ours.
pub(crate) fn each(file: &[u8], mut each: impl FnMut(&[u8], &[u8])) {
    for start in (0..file.len()).step_by(PAGE) {
        let Some(page) = file.get(start..).filter(|page| page.first() == Some(&LEAF)) else { continue };
        leaf(page, &mut each);
    }
}

/// Reads a leaf with keys and values of any length: ends of keys, ends of values, keys, values. Whatever does not fit
/// together ends it.
fn leaf(page: &[u8], each: &mut impl FnMut(&[u8], &[u8])) -> Option<()> {
    let count = usize::from(u16::from_le_bytes([*page.get(2)?, *page.get(3)?]));
    if count == 0 || count > MOST {
        return None;
    }
    let end = |n: usize| {
        let at = HEAD + 4 * n;
        let bytes: [u8; 4] = page.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    let mut key_start = HEAD + 8 * count;
    let mut value_start = end(count - 1)?;
    for n in 0..count {
        let (key_end, value_end) = (end(n)?, end(count + n)?);
        let (key, value) = (page.get(key_start..key_end)?, page.get(value_start..value_end)?);
        // Before the value stands its version.
        if let Some((_, value)) = value.split_at_checked(VERSION_BYTES) {
            each(key, value);
        }
        (key_start, value_start) = (key_end, value_end);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::embedded::FILE_NAME;
    use crate::{Embedded, Key, Store, Txn};

    #[tokio::test]
    async fn an_entry_that_was_removed_is_still_found() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Embedded::create(dir.path()).expect("makes");
        let key = |n: u32| Key::parse(&format!("some/{n}")).expect("a key");
        for n in 0..40 {
            store.commit(Txn::new().put(key(n), format!("value {n}"))).await.expect("writes");
        }
        store.commit((0..40).fold(Txn::new(), |txn, n| txn.delete(key(n)))).await.expect("removes");
        // As on an image of the disk: closing the store would write over some freed pages.
        let file = std::fs::read(dir.path().join(FILE_NAME)).expect("reads");
        drop(store);
        let mut found = std::collections::BTreeSet::new();
        each(&file, |key, value| {
            found.insert((key.to_vec(), value.to_vec()));
        });
        let lost =
            (0..40).filter(|n| !found.contains(&(format!("some/{n}").into_bytes(), format!("value {n}").into_bytes())));
        assert_eq!(lost.count(), 0, "nothing wrote over so few freed pages");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 4..400), count in 0u8..20) {
            bytes[0] = LEAF;
            bytes[2] = count;
            bytes[3] = 0;
            each(&bytes, |_, _| {});
        }
    }
}
