//! Shutting a tenant out of a directory, through its open descriptor so that no swapped name can misdirect it. Owns
//! ownership, modes, inode flags, and the note that a later release needs.

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{FileType, IFlags, Mode, OFlags, ResolveFlags, XattrFlags};
use rustix::io::Errno;

use std::ffi::CStr;

use gallra_model::receipt::Code;

use crate::driver::Failure;

use super::open::{about, about_open, kind, trouble};
use super::walk::{Entry, Visit, walk};

/// Where a restricted directory remembers its owner, group and mode. Only root can read or write it.
const NOTE: &str = "trusted.gallra.restricted";

/// Makes a directory root's own. Processes that still hold it open lose it too: the kernel asks for permission at every
/// name that they use in it.
pub(super) fn shut(directory: impl AsFd, mode: Mode) -> Result<(), Errno> {
    let directory = directory.as_fd();
    let is = about_open(directory)?;
    if is.stx_uid == rustix::process::geteuid().as_raw() && u32::from(is.stx_mode) & 0o7777 == mode.as_raw_mode() {
        return Ok(());
    }
    match own(directory, mode) {
        Err(Errno::PERM) => {
            loosen(directory)?;
            own(directory, mode)
        }
        other => other,
    }
}

fn own(directory: impl AsFd, mode: Mode) -> Result<(), Errno> {
    let directory = directory.as_fd();
    rustix::fs::fchown(directory, Some(rustix::process::geteuid()), Some(rustix::process::getegid()))?;
    rustix::fs::fchmod(directory, mode)
}

/// Notes how the directory was, then shuts it for everybody. Doing it twice keeps the first note.
pub(super) fn restrict(directory: &OwnedFd) -> Result<(), Failure> {
    let reading = |errno| trouble("reading the mode of the subject's tree", errno);
    note(directory).map_err(|errno| {
        Failure::new(
            Code::Unsupported,
            format!("the owner and mode of the tree could not be noted for a later release, so it stays: {errno}"),
        )
    })?;
    shut(directory, Mode::empty()).map_err(|errno| trouble("shutting the subject's tree", errno))?;
    let now = about_open(directory).map_err(reading)?;
    if now.stx_mode & 0o7777 != 0 || now.stx_uid != rustix::process::geteuid().as_raw() {
        return Err(Failure::new(
            Code::Target,
            "the tree still has its owner or mode: does its file system keep them?",
        ));
    }
    rustix::fs::fsync(directory).map_err(|errno| trouble("writing the tree's mode to disk", errno))
}

/// Writes owner, group and mode beside the directory, unless they are written there already.
fn note(directory: &OwnedFd) -> Result<(), Errno> {
    let was = about_open(directory)?;
    let note = format!("{}:{}:{:o}", was.stx_uid, was.stx_gid, was.stx_mode & 0o7777);
    match rustix::fs::fsetxattr(directory, NOTE, note.as_bytes(), XattrFlags::CREATE) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(Errno::PERM) => {
            loosen(directory)?;
            rustix::fs::fsetxattr(directory, NOTE, note.as_bytes(), XattrFlags::empty())
        }
        other => other,
    }
}

/// Shuts a directory and every one below it, each before it is listed: from then on only root changes which names there
/// are, and two looks can agree. No pass is needed after it: what is not yet shut cannot leave what is.
pub(super) fn shut_all(top: OwnedFd) -> Result<(), Failure> {
    walk(top, &mut Shutter)
}

struct Shutter;

impl Visit for Shutter {
    fn directory(&mut self, open: &OwnedFd) -> Result<(), Failure> {
        // The note serves a release after a hold in the middle; where none can be written the act goes on without.
        let _ = note(open);
        shut(open, Mode::RWXU).map_err(|errno| trouble("shutting a directory of the subject's tree", errno))
    }

    fn name(&mut self, entry: &Entry<'_>) -> Result<bool, Failure> {
        if entry.looks != FileType::Unknown {
            return Ok(false);
        }
        match about(entry.at, entry.name) {
            Ok(is) => Ok(kind(&is) == FileType::Directory),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(trouble("looking at a file of the subject's tree", errno)),
        }
    }
}

/// Takes the flags away that forbid deletion (`chattr +i`, `+a`).
pub(super) fn loosen(file: impl AsFd) -> Result<(), Errno> {
    let file = file.as_fd();
    let flags = rustix::fs::ioctl_getflags(file)?;
    let free = flags - (IFlags::IMMUTABLE | IFlags::APPEND);
    if free == flags { Ok(()) } else { rustix::fs::ioctl_setflags(file, free) }
}

/// The same for a name in an open directory. Devices, pipes, sockets and links carry no such flags: never opened.
pub(super) fn loosen_name(at: impl AsFd, name: &CStr) -> Result<(), Errno> {
    let at = at.as_fd();
    if !matches!(kind(&about(at, name)?), FileType::RegularFile | FileType::Directory) {
        return Ok(());
    }
    let how = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    loosen(rustix::fs::openat2(at, name, how, Mode::empty(), resolve)?)
}
