//! Where a repository lies, and what can be seen of it without its key. A repository in a local directory is looked at
//! directly, which saves a key derivation a call; any other is asked through restic. Upholds: a repository that is not
//! there, or only in part, is never an empty one (restic itself lists nothing when a directory of it is missing).

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use gallra_model::digest::Digest;
use gallra_model::receipt::Code;

use super::program::Program;
use crate::driver::Failure;

/// What every repository in a directory has beside `config`.
const PARTS: [&str; 5] = ["data", "index", "keys", "locks", "snapshots"];

/// Schemes of repositories that are not in a local directory.
const SCHEMES: [&str; 8] = ["azure", "b2", "gs", "rclone", "rest", "s3", "sftp", "swift"];

/// Largest `config` file of a repository.
const CONFIG_BYTES: u64 = 64 << 10;

/// Where a repository lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a directory of this host.
    Local(PathBuf),
    /// Behind a protocol that restic speaks.
    Remote,
}

impl Place {
    /// Reads the `repository` key.
    ///
    /// # Errors
    /// What to write instead.
    pub(crate) fn of(repository: &str) -> Result<Self, String> {
        let path = repository.strip_prefix("local:").unwrap_or(repository);
        if path.starts_with('/') {
            return Ok(Self::Local(path.into()));
        }
        match repository.split_once(':') {
            Some((scheme, _)) if SCHEMES.contains(&scheme) => Ok(Self::Remote),
            _ => {
                Err("`repository` must be an absolute path or begin with a scheme of restic's, like sftp: or rest:"
                    .into())
            }
        }
    }

    /// Digest of the `config` file's bytes, which never change while the repository is the same; `None` where only
    /// restic can tell.
    ///
    /// # Errors
    /// [`Code::SentinelMissing`] when a part of the repository is not there.
    pub(crate) fn sentinel(&self) -> Result<Option<Digest>, Failure> {
        let Self::Local(root) = self else { return Ok(None) };
        let missing = || {
            Failure::new(
                Code::SentinelMissing,
                "the directory of this target's repository is not a whole restic repository: is its disk mounted?",
            )
        };
        if PARTS.iter().any(|part| !root.join(part).is_dir()) {
            return Err(missing());
        }
        let config = root.join("config");
        let small = fs::metadata(&config).is_ok_and(|file| file.is_file() && file.len() <= CONFIG_BYTES);
        let bytes = if small { fs::read(&config).ok() } else { None };
        bytes.filter(|bytes| !bytes.is_empty()).map(|bytes| Some(Digest::of(&bytes))).ok_or_else(missing)
    }

    /// Ids of the files of one kind: `locks`, `index` or `snapshots`.
    ///
    /// # Errors
    /// [`Code::Target`] when it cannot be read.
    pub(crate) fn ids(&self, restic: &Program, part: &'static str) -> Result<BTreeSet<String>, Failure> {
        match self {
            Self::Local(root) => names(&root.join(part)).map_err(unreadable),
            Self::Remote => list(restic, part),
        }
    }

    /// Ids of all stored pack files. In a directory, whatever else lies among them is counted too: a half-written pack
    /// holds data as well.
    ///
    /// # Errors
    /// [`Code::Target`] when it cannot be read.
    pub(crate) fn packs(&self, restic: &Program) -> Result<BTreeSet<String>, Failure> {
        match self {
            Self::Local(root) => {
                let files = pack_files(root).map_err(unreadable)?;
                Ok(files
                    .iter()
                    .map(|file| file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default())
                    .collect())
            }
            Self::Remote => list(restic, "packs"),
        }
    }
}

/// Every file under `data`, in order.
///
/// # Errors
/// Of the file system.
pub(crate) fn pack_files(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![root.join("data")];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() { open.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    files.sort();
    Ok(files)
}

fn names(dir: &Path) -> io::Result<BTreeSet<String>> {
    fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

fn list(restic: &Program, what: &'static str) -> Result<BTreeSet<String>, Failure> {
    restic.read(&["list", what], |answer| {
        let lines: io::Result<BTreeSet<String>> = answer.lines().collect();
        lines.ok().filter(|ids| ids.iter().all(|id| is_id(id)))
    })
}

/// Whether a text is an id as restic writes it.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn unreadable(error: io::Error) -> Failure {
    Failure::new(Code::Target, format!("the directory of this target's repository cannot be read: {}", error.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_absolute_or_has_a_scheme() {
        assert_eq!(Place::of("local:/srv/repo"), Ok(Place::Local("/srv/repo".into())));
        assert_eq!(Place::of("sftp:backup@host:/srv/repo"), Ok(Place::Remote));
        for bad in ["", "repo", "./repo", "local:repo", "ftp:x", "C:\\x"] {
            assert!(Place::of(bad).is_err(), "{bad}");
        }
    }
}
