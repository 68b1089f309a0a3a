//! The file under the journal, as few operations as it needs: what is written is durable only after [`Disk::sync`]. The
//! real one is [`File`]; the one that loses what was not synced is the tests'. Knows nothing of lines and records.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::dir::{DirError, sync_parent};

/// One append-only file.
pub trait Disk: Send {
    /// All that it holds.
    ///
    /// # Errors
    /// The system's.
    fn read(&mut self) -> Result<Vec<u8>, DirError>;

    /// Writes at the end. Not durable yet.
    ///
    /// # Errors
    /// The system's; a part may have been written.
    fn append(&mut self, bytes: &[u8]) -> Result<(), DirError>;

    /// Makes everything that was written durable, the file's name included.
    ///
    /// # Errors
    /// The system's: then nobody knows what is durable.
    fn sync(&mut self) -> Result<(), DirError>;

    /// Cuts it to a length. Durable after [`Disk::sync`].
    ///
    /// # Errors
    /// The system's.
    fn cut(&mut self, length: u64) -> Result<(), DirError>;

    /// Puts a new file in its place, durably: a crash leaves the one or the other, whole.
    ///
    /// # Errors
    /// The system's; the old file is still whole.
    fn replace(&mut self, bytes: &[u8]) -> Result<(), DirError>;
}

/// A file in the agent's directory, for this user only.
pub struct File {
    path: PathBuf,
    file: fs::File,
    /// Its name may not be durable yet.
    new: bool,
}

impl File {
    /// Opens it, or makes it.
    ///
    /// # Errors
    /// The system's.
    pub fn open(path: &Path) -> Result<Self, DirError> {
        let new = !path.exists();
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
        let file = file.map_err(DirError::at("opening", path))?;
        remove_if_there(&unfinished(path))?;
        Ok(Self { path: path.to_owned(), file, new })
    }
}

impl Disk for File {
    fn read(&mut self) -> Result<Vec<u8>, DirError> {
        fs::read(&self.path).map_err(DirError::at("reading", &self.path))
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), DirError> {
        self.file.write_all(bytes).map_err(DirError::at("appending to", &self.path))
    }

    fn sync(&mut self) -> Result<(), DirError> {
        self.file.sync_data().map_err(DirError::at("syncing", &self.path))?;
        if self.new {
            sync_parent(&self.path)?;
            self.new = false;
        }
        Ok(())
    }

    fn cut(&mut self, length: u64) -> Result<(), DirError> {
        self.file.set_len(length).map_err(DirError::at("cutting", &self.path))
    }

    fn replace(&mut self, bytes: &[u8]) -> Result<(), DirError> {
        let fresh = unfinished(&self.path);
        remove_if_there(&fresh)?;
        crate::dir::write_private(&fresh, bytes)?;
        fs::rename(&fresh, &self.path).map_err(DirError::at("replacing", &self.path))?;
        sync_parent(&self.path)?;
        let reopened = OpenOptions::new().append(true).open(&self.path);
        self.file = reopened.map_err(DirError::at("opening", &self.path))?;
        Ok(())
    }
}

/// Where a replacement is written before it takes the place.
pub(super) fn unfinished(path: &Path) -> PathBuf {
    path.with_extension("new")
}

fn remove_if_there(path: &Path) -> Result<(), DirError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(DirError::at("removing", path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
