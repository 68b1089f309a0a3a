//! Searches every pack file of a local repository for byte strings, decrypted with the repository's key: packs that no
//! index and no snapshot names are searched too. Trusts nothing that restic says about content; asks it only for the
//! key. Used to show that something is, or is no longer, in a backup.
//!
//! The format is restic's own "Repository Format" page: a pack is a row of encrypted blobs, then their encrypted list,
//! then that list's length. Authentication codes are not checked: every blob's SHA-256 is, which shows more.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aes::Aes256;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use serde::Deserialize;
use zeroize::Zeroizing;

use gallra_model::digest::Digest;
use gallra_model::receipt::Code;

use super::place::{Place, pack_files};
use super::program::{Program, json};
use crate::driver::Failure;

/// Bytes before each ciphertext (the nonce) and after it (the authentication code).
const FRAME: usize = 16;

/// Largest pack file read, in bytes; restic's own limit on their target size is an eighth of it.
const PACK_BYTES: u64 = 1 << 30;

/// Largest blob unpacked, in bytes; restic's chunks end at 8 MiB, directory listings can be longer.
const BLOB_BYTES: usize = 512 << 20;

/// What a search came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PackSearch {
    /// Pack files looked at.
    pub packs: u64,
    /// Blobs decrypted, unpacked and found to be what their id says.
    pub blobs: u64,
    /// Places where one of the byte strings begins. One that restic cut in two, in a file over 512 KiB, is not seen.
    pub hits: u64,
    /// Packs or blobs that could not be read: only with 0 here does no hit mean that nothing is there.
    pub unreadable: u64,
}

type Key = Zeroizing<[u8; 32]>;

/// Searches all packs of the repository in a local directory, with one call of restic.
///
/// # Errors
/// [`Code::SentinelMissing`] when the repository is not there, [`Code::BadSelector`] when a byte string is empty,
/// [`Code::Target`] when restic does not give the key or a file cannot be read.
pub fn search(
    repository: &Path,
    password_file: &Path,
    program: &str,
    needles: &[Vec<u8>],
) -> Result<PackSearch, Failure> {
    if needles.iter().any(Vec::is_empty) {
        return Err(Failure::new(Code::BadSelector, "an empty byte string would be found everywhere"));
    }
    Place::Local(repository.into()).sentinel()?;
    let restic = Program {
        program: program.to_owned(),
        repository: repository.into(),
        password_file: password_file.into(),
        cache_dir: None,
        limit: Duration::from_secs(600),
    };
    let key =
        restic.read(&["cat", "masterkey"], |answer| decode_key(&Zeroizing::new(json::<MasterKey>(answer)?.encrypt)))?;
    let files = pack_files(repository).map_err(unreadable)?;
    let mut found = PackSearch::default();
    for file in files {
        let bytes = read_pack(&file)?;
        found.packs += 1;
        search_pack(&bytes, &key, needles, &mut found);
    }
    Ok(found)
}

#[derive(Deserialize)]
struct MasterKey {
    encrypt: String,
}

fn decode_key(text: &str) -> Option<Key> {
    use base64::Engine as _;
    let bytes = Zeroizing::new(base64::engine::general_purpose::STANDARD.decode(text).ok()?);
    let mut key = Key::default();
    (bytes.len() == key.len()).then(|| key.copy_from_slice(&bytes))?;
    Some(key)
}

fn unreadable(error: std::io::Error) -> Failure {
    Failure::new(Code::Target, format!("a pack file of the repository cannot be read: {}", error.kind()))
}

fn read_pack(file: &PathBuf) -> Result<Vec<u8>, Failure> {
    let size = std::fs::metadata(file).map_err(unreadable)?.len();
    if size > PACK_BYTES {
        return Err(Failure::new(Code::Target, "a pack file of the repository is larger than 1 GiB: not searched"));
    }
    std::fs::read(file).map_err(unreadable)
}

pub(super) fn search_pack(pack: &[u8], key: &Key, needles: &[Vec<u8>], found: &mut PackSearch) {
    let Some((mut body, entries)) = entries(pack, key) else {
        found.unreadable += 1;
        return;
    };
    for entry in entries {
        let Some((blob, rest)) = body.split_at_checked(entry.length) else {
            // The list promises more than the pack has: the rest of it cannot be told apart.
            found.unreadable += 1;
            return;
        };
        body = rest;
        match entry.open(blob, key) {
            Some(plain) => {
                found.blobs += 1;
                found.hits += needles.iter().map(|needle| occurrences(&plain, needle)).sum::<u64>();
            }
            None => found.unreadable += 1,
        }
    }
    // Bytes that the list does not speak of.
    found.unreadable += u64::from(!body.is_empty());
}

/// One line of a pack's list.
struct Entry {
    /// Encrypted length in the pack, in bytes.
    length: usize,
    /// Length once unpacked, of a compressed blob.
    unpacked: Option<usize>,
    /// SHA-256 of the plain bytes.
    id: [u8; 32],
}

impl Entry {
    /// Decrypts, unpacks and checks a blob.
    fn open(&self, blob: &[u8], key: &Key) -> Option<Vec<u8>> {
        let mut plain = decrypt(blob, key)?;
        if let Some(unpacked) = self.unpacked {
            plain = (unpacked <= BLOB_BYTES).then(|| zstd::bulk::decompress(&plain, unpacked).ok())??;
        }
        (Digest::of(&plain).as_bytes() == &self.id).then_some(plain)
    }
}

/// The pack's blobs as they lie, and its list.
fn entries<'a>(pack: &'a [u8], key: &Key) -> Option<(&'a [u8], Vec<Entry>)> {
    let (rest, length) = pack.split_last_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (body, list) = rest.split_at_checked(rest.len().checked_sub(length)?)?;
    let list = decrypt(list, key)?;
    let mut rest = list.as_slice();
    let mut entries = Vec::new();
    while !rest.is_empty() {
        entries.push(entry(&mut rest)?);
    }
    Some((body, entries))
}

/// Type (0 data, 1 tree, 2 and 3 the same compressed), length, length once unpacked if compressed, id.
fn entry(rest: &mut &[u8]) -> Option<Entry> {
    let kind = take::<1>(rest)?;
    let length = number(rest)?;
    let unpacked = match kind {
        [0 | 1] => None,
        [2 | 3] => Some(number(rest)?),
        _ => return None,
    };
    Some(Entry { length, unpacked, id: take(rest)? })
}

fn number(rest: &mut &[u8]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(take(rest)?)).ok()
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}

fn decrypt(framed: &[u8], key: &Key) -> Option<Vec<u8>> {
    let (nonce, rest) = framed.split_first_chunk::<FRAME>()?;
    let (cipher, _code) = rest.split_last_chunk::<FRAME>()?;
    let mut plain = cipher.to_vec();
    Ctr128BE::<Aes256>::new((&**key).into(), nonce.into()).apply_keystream(&mut plain);
    Some(plain)
}

fn occurrences(plain: &[u8], needle: &[u8]) -> u64 {
    let Some((first, _)) = needle.split_first() else { return 0 };
    let mut hits = 0;
    let mut rest = plain;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        let (_, from) = rest.split_at(at);
        hits += u64::from(from.starts_with(needle));
        rest = from.get(1..).unwrap_or_default();
    }
    hits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A pack as restic writes it, with plain blobs.
    fn pack(blobs: &[&[u8]], key: &Key) -> Vec<u8> {
        let frame = |plain: &[u8]| {
            let mut bytes = plain.to_vec();
            Ctr128BE::<Aes256>::new((&**key).into(), &[7; FRAME].into()).apply_keystream(&mut bytes);
            [&[7; FRAME], bytes.as_slice(), &[0; FRAME]].concat()
        };
        let (mut body, mut list) = (Vec::new(), Vec::new());
        for blob in blobs {
            let framed = frame(blob);
            list.push(0);
            list.extend(u32::try_from(framed.len()).expect("small").to_le_bytes());
            list.extend(Digest::of(blob).as_bytes());
            body.extend(framed);
        }
        let list = frame(&list);
        let length = u32::try_from(list.len()).expect("small").to_le_bytes();
        [body, list, length.to_vec()].concat()
    }

    fn searched(pack: &[u8], key: &Key, needle: &[u8]) -> PackSearch {
        let mut found = PackSearch::default();
        search_pack(pack, key, &[needle.to_vec()], &mut found);
        found
    }

    #[test]
    fn a_pack_that_was_changed_is_unreadable_not_empty() {
        let key = Key::new([3; 32]);
        let good = pack(&[b"anna@example.org, anna", b"bert"], &key);
        assert_eq!(searched(&good, &key, b"anna"), PackSearch { packs: 0, blobs: 2, hits: 2, unreadable: 0 });
        assert!(searched(&good, &Key::new([4; 32]), b"anna").unreadable > 0, "another key");
        for flipped in 0..good.len() {
            let mut bad = good.clone();
            bad[flipped] ^= 1;
            let found = searched(&bad, &key, b"anna");
            assert!(found.hits == 2 || found.unreadable > 0, "byte {flipped}: {found:?}");
        }
        for shorter in 0..good.len() {
            assert!(searched(&good[..shorter], &key, b"anna").unreadable > 0, "{shorter} bytes");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            searched(&bytes, &Key::new([3; 32]), b"anna");
        }

        #[test]
        fn every_occurrence_counts(plain in "[ab]{0,12}", needle in "[ab]{1,3}") {
            let windows = plain.as_bytes().windows(needle.len()).filter(|window| *window == needle.as_bytes()).count();
            prop_assert_eq!(occurrences(plain.as_bytes(), needle.as_bytes()), windows as u64);
        }
    }
}
