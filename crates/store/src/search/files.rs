//! The search over files as they lie there: every file under a folder, by name and by content, with all key material that
//! exists at that moment. Store files and copies are read page by page, freed pages included: what an intruder with the disk
//! and the keys could read, this reads.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::pages;
use super::{Needles, SubjectKeys};
use crate::key::Key;
use crate::keyring::Keyring;
use crate::keys::{self, Family};

/// Folders in folders that are followed.
const MAX_DEPTH: usize = 32;

/// What was found in one file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileFound {
    /// A needle stands in its name or its bytes, as it is or in an encoding ([`Needles`]).
    pub in_bytes: bool,
    /// Sealed values in its pages that some key opens.
    pub sealed_opened: u64,
    /// Sealed values in its pages that no key opens.
    pub sealed_unreadable: u64,
    /// Those opened ones that hold a needle.
    pub sealed_hits: u64,
}

impl FileFound {
    /// Whether a needle can be read from it.
    pub fn is_hit(&self) -> bool {
        self.in_bytes || self.sealed_hits > 0
    }
}

/// Searches every file under `folder`. Subjects' keys are collected from all of them first: a key in one copy opens values in
/// another. No process may have a store in it open, since a file that changes is not searched whole.
///
/// # Errors
/// When a file cannot be read: that is never "nothing found".
pub fn search_files(folder: &Path, keyring: &Keyring, needles: &Needles) -> io::Result<BTreeMap<PathBuf, FileFound>> {
    let mut files = Vec::new();
    collect(folder, &mut files, MAX_DEPTH)?;
    let mut keys = SubjectKeys::default();
    for path in &files {
        pages::each(&fs::read(path)?, |name, value| keys.add(keyring, name, value));
    }
    files.into_iter().map(|path| Ok((path.clone(), one(&path, &fs::read(&path)?, &keys, needles)))).collect()
}

fn one(path: &Path, bytes: &[u8], keys: &SubjectKeys, needles: &Needles) -> FileFound {
    let in_bytes = needles.in_bytes(path.as_os_str().as_encoded_bytes()) || needles.in_bytes(bytes);
    let mut found = FileFound { in_bytes, ..FileFound::default() };
    pages::each(bytes, |key, value| {
        let Some(name) = Key::from_bytes(key).ok() else { return };
        // An envelope or a record in a page: through its layers, too.
        found.in_bytes |= needles.in_value(value);
        if Family::of(&name) != Some(Family::Sealed) {
            return;
        }
        match keys.open(&name, value) {
            Some(plain) => {
                found.sealed_opened += 1;
                found.sealed_hits += u64::from(needles.in_value(&plain));
            }
            None => found.sealed_unreadable += 1,
        }
    });
    found
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>, depth: usize) -> io::Result<()> {
    let depth = depth.checked_sub(1).ok_or_else(|| io::Error::other("folders lie too deep in each other"))?;
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&entry.path(), files, depth)?;
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}

impl SubjectKeys {
    /// Takes in what may be a wrapped key.
    pub(super) fn add(&mut self, keyring: &Keyring, name: &[u8], value: &[u8]) {
        let Ok(name) = Key::from_bytes(name) else { return };
        let Some((_, subject)) = keys::parse_subject_key(&name) else { return };
        if let Ok(key) = keyring.unwrap_subject(&name, value) {
            self.by_subject.entry(subject.to_string()).or_default().push(key);
        }
    }
}
