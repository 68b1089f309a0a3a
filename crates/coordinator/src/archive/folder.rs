//! The archive's folder: writes a file so that it is whole on the disk or not there, reads one that is what the store says, and
//! removes what nothing names for long. Knows no store. No name in it is of a person: requests' ids and random words only.
//!
//! ```text
//! store                        one line: whose archive it is, as `meta/archive` in the store has it
//! 0189a/<request>-<word>.gz    a request's records; the folders are the ids' first five characters, some three days each
//! ```

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use gallra_model::{Digest, Instant, RequestId};
use gallra_store::StoreError;
use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};

use super::Away;
use super::file::{self, FileError, Records};
use crate::layout::make_private_dir;

/// The file that says whose archive it is.
const WHOSE: &str = "store";
/// Characters of a request's id in a folder's name.
const FOLDER: usize = 5;
/// Hex characters of a request's id.
const ID: usize = 32;
/// What is done about a file that is not as it should be.
const NEXT: &str = "put it back from the backup of this folder, or mend `archive` in coordinator.toml where that is not the folder that \
                    all coordinators share; docs/operations.md, section 6";

/// A folder.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    root: PathBuf,
}

/// A file that is there.
pub(super) struct Found {
    pub(super) name: String,
    pub(super) changed: Option<Instant>,
}

/// A new name for a request's file.
pub(super) fn name(id: &RequestId, random: [u8; 8]) -> String {
    format!("{id}-{}.gz", hex::encode(random))
}

/// Whose file a name is.
pub(super) fn request_of(name: &str) -> Option<RequestId> {
    let (id, word) = name.strip_suffix(".gz")?.split_once('-')?;
    let is_word = word.len() == 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    if id.len() == ID && is_word { id.parse().ok() } else { None }
}

impl Folder {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name.get(..FOLDER).unwrap_or_default()).join(name)
    }

    /// Whose archive it says to be; none where it does not say.
    pub(super) fn whose(&self) -> io::Result<Option<String>> {
        match fs::read_to_string(self.root.join(WHOSE)) {
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes it, and has it say whose it is.
    pub(super) fn begin(&self, whose: &str) -> io::Result<()> {
        make_private_dir(&self.root).map_err(io::Error::other)?;
        whole(&self.root, WHOSE, format!("{whose}\n").as_bytes())
    }

    /// Writes a request's file, and reads it back.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let folder = self.root.join(name.get(..FOLDER).unwrap_or_default());
        if !folder.is_dir() {
            make_private_dir(&folder).map_err(io::Error::other)?;
            sync(&self.root)?;
        }
        whole(&folder, name, bytes)?;
        if fs::read(self.path(name))? == bytes { Ok(()) } else { Err(io::Error::other("read back it is another one")) }
    }

    /// A request's records, as they were written.
    pub(super) fn records(&self, id: &RequestId, away: &Away) -> Result<Records, StoreError> {
        let wrong = |why: &dyn std::fmt::Display| StoreError::Archive {
            hint: format!("{} of request {id}: {why}: {NEXT}", self.path(&away.file).display()),
        };
        // Longer than it was: not even read.
        let length = fs::metadata(self.path(&away.file)).map_err(|error| wrong(&error))?.len();
        if length != away.bytes {
            return Err(wrong(&format!("it has {length} bytes, and {} were written", away.bytes)));
        }
        let bytes = fs::read(self.path(&away.file)).map_err(|error| wrong(&error))?;
        if Digest::of(&bytes) != away.digest {
            return Err(wrong(&"it is not what was written there"));
        }
        file::unpack(id, &bytes).map_err(|error: FileError| wrong(&error))
    }

    /// Whether a file is there, and as long as it should be.
    pub(super) fn has(&self, away: &Away) -> bool {
        fs::metadata(self.path(&away.file)).is_ok_and(|found| found.len() == away.bytes)
    }

    /// From now on a file's age counts anew: it is named no more, and backups of the store that name it are a while yet.
    pub(super) fn touch(&self, name: &str) -> io::Result<()> {
        let now = || Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let file = File::open(self.path(name))?;
        Ok(futimens(&file, &Timestamps { last_access: now(), last_modification: now() })?)
    }

    /// The folders in it, in the order of the requests.
    pub(super) fn folders(&self) -> io::Result<Vec<String>> {
        let mut folders = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let name = entry.file_name().into_string().unwrap_or_default();
            if name.len() == FOLDER && entry.file_type()?.is_dir() {
                folders.push(name);
            }
        }
        folders.sort();
        Ok(folders)
    }

    /// The files of one of them, half written ones included.
    pub(super) fn files(&self, folder: &str) -> io::Result<Vec<Found>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(self.root.join(folder))? {
            let entry = entry?;
            let changed = entry.metadata()?.modified().ok().and_then(|at| Instant::try_from(at).ok());
            let name = entry.file_name().into_string().unwrap_or_default();
            if request_of(name.trim_start_matches('.').trim_end_matches(NEW)).is_some() {
                files.push(Found { name, changed });
            }
        }
        Ok(files)
    }

    /// Removes a file.
    pub(super) fn remove(&self, folder: &str, name: &str) -> io::Result<()> {
        fs::remove_file(self.root.join(folder).join(name))
    }
}

/// What a file's name ends with while it is written.
const NEW: &str = ".new";

/// Writes a file beside its place, and puts it there when it is on the disk.
fn whole(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let draft = folder.join(format!(".{name}{NEW}"));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, folder.join(name))?;
    sync(folder)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
