//! Files beside the store, which a store that is restored from a copy does not take back with it: the newest note that was
//! handed to anybody, and the first one that contradicted the store. Written to the device before anybody else sees the note.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::error::CoreError;

/// The newest note that was handed out.
pub(super) const PUBLISHED: &str = "published";

/// A note under the log's own key that the store's tree does not agree with.
pub(super) const CONTRARY: &str = "contrary";

/// The folder.
#[derive(Debug, Clone)]
pub(super) struct Beside {
    folder: PathBuf,
}

impl Beside {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Reads a file; nothing where there is none.
    ///
    /// # Errors
    /// Names the file.
    pub(super) fn read(&self, name: &'static str) -> Result<Option<String>, CoreError> {
        match fs::read_to_string(self.folder.join(name)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(name, &error)),
        }
    }

    /// Puts a file in the place of an older one, so that after a loss of power there is the one or the other.
    ///
    /// # Errors
    /// Names the file. Then the note must be handed to nobody.
    pub(super) async fn write(&self, name: &'static str, text: &str) -> Result<(), CoreError> {
        let (folder, text) = (self.folder.clone(), text.to_owned());
        // With one thread there is nobody whom it would keep waiting.
        if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
            return replace(&folder, name, text.as_bytes()).map_err(|error| failed(name, &error));
        }
        let written = tokio::task::spawn_blocking(move || replace(&folder, name, text.as_bytes())).await;
        written.map_err(|error| failed(name, &io::Error::other(error)))?.map_err(|error| failed(name, &error))
    }
}

fn replace(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let draft = folder.join(format!("{name}.new"));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, folder.join(name))?;
    fs::File::open(folder)?.sync_all()
}

fn failed(name: &'static str, error: &io::Error) -> CoreError {
    CoreError::Precondition(format!("the log's file {name} beside the store: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_the_newest_that_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let beside = Beside::new(folder.path());
        assert!(beside.read(PUBLISHED).unwrap().is_none());
        for text in ["one\n", "a longer one\n", "two\n"] {
            beside.write(PUBLISHED, text).await.unwrap();
            assert_eq!(beside.read(PUBLISHED).unwrap().as_deref(), Some(text));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[tokio::test]
    async fn where_it_cannot_be_written_or_read_that_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let beside = Beside::new(&folder.path().join("missing"));
        assert!(beside.write(PUBLISHED, "one\n").await.is_err());
        fs::create_dir_all(folder.path().join("missing").join(PUBLISHED)).unwrap();
        assert!(beside.read(PUBLISHED).is_err());
    }
}
