//! What is done with one name in one trash entry. Upholds I11: from an open directory to one name in it, links unlinked
//! and never followed, mount points never crossed, special files never opened. May be called from several threads at
//! once: every step is one system call that the others can only lose or win.

use std::ffi::CStr;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, RenameFlags};
use rustix::io::Errno;

use crate::driver::Failure;

use super::config::HardLinks;
use super::hands::Batch;
use super::open::{about, directory, is_mount, kind, mounted, trouble};
use super::shut::{loosen, loosen_name};
use super::trash::{self, LINKS};

/// One trash entry that is being emptied.
pub(super) struct Bin<'a> {
    /// The entry.
    pub(super) entry: &'a OwnedFd,
    /// What to do with files that have other names.
    pub(super) hard_links: HardLinks,
    /// Names removed so far.
    removed: AtomicU64,
}

impl<'a> Bin<'a> {
    pub(super) fn new(entry: &'a OwnedFd, hard_links: HardLinks) -> Self {
        Self { entry, hard_links, removed: AtomicU64::new(0) }
    }

    /// Names removed so far.
    pub(super) fn removed(&self) -> u64 {
        self.removed.load(Ordering::Relaxed)
    }

    /// Counts one more name as removed.
    pub(super) fn one_less(&self) {
        self.removed.fetch_add(1, Ordering::Relaxed);
    }

    /// Removes the names of a batch, then the directory where it may go too. What is a directory by now, or was made
    /// meanwhile, is left for the next pass over the directory above.
    pub(super) fn empty(&self, batch: &Batch) -> Result<(), Failure> {
        for name in batch.names() {
            self.unlink(batch.at.as_fd(), name)?;
        }
        let Some((above, name)) = &batch.then else { return Ok(()) };
        match remove_directory(above.as_fd(), name) {
            Ok(()) => self.one_less(),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::NOTEMPTY | Errno::EXIST) => {}
            Err(errno) => return Err(trouble("removing a directory of the subject's tree", errno)),
        }
        Ok(())
    }

    /// Removes a name that is no directory; says whether it was none.
    pub(super) fn unlink(&self, at: BorrowedFd<'_>, name: &CStr) -> Result<bool, Failure> {
        let is = match about(at, name) {
            Ok(is) => is,
            Err(Errno::NOENT) => return Ok(true),
            Err(errno) => return Err(trouble("looking at a file of the subject's tree", errno)),
        };
        if kind(&is) == FileType::Directory {
            return Ok(false);
        }
        if is_mount(&is) {
            return Err(mounted("removing a file of the subject's tree"));
        }
        if is.stx_nlink > 1 && self.hard_links == HardLinks::Keep && self.set_aside(at, name, is.stx_ino)? {
            return Ok(true);
        }
        match with_flags_off(at, name, || rustix::fs::unlinkat(at, name, AtFlags::empty())) {
            Ok(()) => self.one_less(),
            Err(Errno::NOENT) => {}
            Err(Errno::ISDIR) => return Ok(false),
            Err(errno) => return Err(trouble("removing a file of the subject's tree", errno)),
        }
        Ok(true)
    }

    /// Moves a file with several names to where its last name in the tree waits; false where one already waits there,
    /// so that this one can simply go.
    fn set_aside(&self, at: BorrowedFd<'_>, name: &CStr, inode: u64) -> Result<bool, Failure> {
        trash::make(self.entry, LINKS)?;
        let links = directory(self.entry, LINKS).map_err(|errno| trouble("opening a directory in the trash", errno))?;
        let to = format!("{inode:016x}");
        let moved = with_flags_off(at, name, || {
            rustix::fs::renameat_with(at, name, &links, to.as_str(), RenameFlags::NOREPLACE)
        });
        match moved {
            Ok(()) | Err(Errno::NOENT) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(errno) => Err(trouble("setting a file with several names aside", errno)),
        }
    }
}

/// Removes an empty directory.
pub(super) fn remove_directory(at: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    with_flags_off(at, name, || rustix::fs::unlinkat(at, name, AtFlags::REMOVEDIR))
}

/// Tries; where the system forbids it, takes `chattr +i` and `+a` off the name and its directory, and tries once more.
pub(super) fn with_flags_off(
    at: BorrowedFd<'_>,
    name: &CStr,
    act: impl Fn() -> Result<(), Errno>,
) -> Result<(), Errno> {
    match act() {
        Err(Errno::PERM) => {
            loosen(at)?;
            loosen_name(at, name)?;
            act()
        }
        other => other,
    }
}
