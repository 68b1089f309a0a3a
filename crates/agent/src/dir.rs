//! The agent's state directory: what lies where, who may read it, and who holds it. `session/` and `privileged/` are apart
//! because they will belong to two users (decision 15). Every secret is written with mode 0600 and is durable before it
//! is used.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use gallra_model::AgentName;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

/// A file of the state directory could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {}: {source}", path.display())]
pub struct DirError {
    doing: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl DirError {
    /// Names what was being done, to which path.
    pub fn at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { doing, path, source }
    }
}

/// What `join` learnt and `serve` needs; no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Joined {
    /// This agent's name.
    pub agent: AgentName,
    /// Where sessions are opened: https URL.
    pub session_address: String,
    /// Where the other coordinators open them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_session_addresses: Vec<String>,
    /// The key that signs permits: Ed25519, lowercase hex.
    pub permit_key: String,
}

/// Paths in one state directory.
#[derive(Debug, Clone)]
pub struct Dir {
    root: PathBuf,
}

impl Dir {
    /// A state directory, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Makes the directories, for this user only.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn create(&self) -> Result<(), DirError> {
        for path in [self.root.clone(), self.session(), self.privileged()] {
            create_private_dir(&path)?;
        }
        Ok(())
    }

    /// `agent.json`: what `join` learnt.
    pub fn joined(&self) -> PathBuf {
        self.root.join("agent.json")
    }

    /// Of the network half.
    pub fn session(&self) -> PathBuf {
        self.root.join("session")
    }

    /// Of the privileged half.
    pub fn privileged(&self) -> PathBuf {
        self.root.join("privileged")
    }

    /// The mTLS key, PEM.
    pub fn session_key(&self) -> PathBuf {
        self.session().join("key.pem")
    }

    /// The mTLS certificate, PEM.
    pub fn session_certificate(&self) -> PathBuf {
        self.session().join("certificate.pem")
    }

    /// The coordinator's authority, PEM.
    pub fn authority(&self) -> PathBuf {
        self.session().join("authority.pem")
    }

    /// The evidence key, PKCS#8 PEM.
    pub fn evidence_key(&self) -> PathBuf {
        self.privileged().join("evidence.pem")
    }

    /// Reads what `join` learnt.
    ///
    /// # Errors
    /// When the host has not joined, or the file is damaged.
    pub fn read_joined(&self) -> Result<Joined, DirError> {
        let path = self.joined();
        let text = fs::read_to_string(&path).map_err(DirError::at("has this host joined? reading", &path))?;
        serde_json::from_str(&text).map_err(|error| DirError::at("understanding", &path)(error.into()))
    }

    /// Holds the directory for this process; a second one is refused. Kept until dropped.
    ///
    /// # Errors
    /// When another process holds it.
    pub fn lock(&self) -> Result<File, DirError> {
        let path = self.root.join("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(DirError::at("opening", &path))?;
        let held = flock(&file, FlockOperation::NonBlockingLockExclusive);
        held.map_err(|error| DirError::at("another gallra-agent holds", &path)(error.into()))?;
        Ok(file)
    }
}

/// Makes one directory for this user only, and its name durable. One that exists is left as it is.
///
/// # Errors
/// When the file system refuses.
pub fn create_private_dir(path: &Path) -> Result<(), DirError> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(DirError::at("making", path))?;
    sync_parent(path)
}

/// Writes a new file for this user only, durably. Never replaces one.
///
/// # Errors
/// When the file exists, or the file system refuses.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), DirError> {
    let mut file =
        OpenOptions::new().create_new(true).write(true).mode(0o600).open(path).map_err(DirError::at("making", path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(DirError::at("writing", path))?;
    sync_parent(path)
}

/// Makes a file's name (or its absence) durable.
///
/// # Errors
/// When the directory cannot be synced.
pub fn sync_parent(path: &Path) -> Result<(), DirError> {
    let parent = path.parent().unwrap_or(Path::new("."));
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    File::open(parent).and_then(|dir| dir.sync_all()).map_err(DirError::at("syncing", parent))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn secrets_are_private_and_never_replaced() {
        let temp = tempfile::tempdir().expect("a directory");
        let dir = Dir::new(temp.path().join("state"));
        dir.create().expect("makes");
        write_private(&dir.evidence_key(), b"seed").expect("writes");
        assert!(write_private(&dir.evidence_key(), b"other").is_err());
        assert_eq!(fs::read(dir.evidence_key()).expect("reads"), b"seed");
        for (path, mode) in [(dir.evidence_key(), 0o600), (dir.privileged(), 0o700), (dir.session(), 0o700)] {
            assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, mode, "{path:?}");
        }
    }

    #[test]
    fn one_process_holds_the_directory() {
        let temp = tempfile::tempdir().expect("a directory");
        let dir = Dir::new(temp.path());
        let held = dir.lock().expect("free");
        assert!(dir.lock().is_err());
        drop(held);
        assert!(dir.lock().is_ok());
    }
}
