//! Walking a tree from open directory to open directory, down to names that are no directories. Owns no file and
//! changes none; what is done at each directory and name is the visitor's. However deep the tree, a fixed number of
//! directories is open at once and the way is on the heap.

use std::ffi::{CStr, CString};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{FileType, Mode, Statx};
use rustix::io::Errno;

use gallra_model::receipt::Code;

use crate::driver::Failure;

use super::open::{about_open, directory, each, flags, same, trouble};

/// Directories kept open along the way down; those above are reached again through `..`, and checked.
const OPEN_AT_ONCE: usize = 64;

/// A name that does not look like a directory, as it stands in an open one.
pub(crate) struct Entry<'a> {
    /// The open directory.
    pub(crate) at: &'a OwnedFd,
    /// What that directory is called; unset for the top of a tree.
    pub(crate) folder: Option<&'a CStr>,
    /// The name in it.
    pub(crate) name: &'a CStr,
    /// What the directory says it is; some file systems never say.
    pub(crate) looks: FileType,
}

/// What is done on the way.
pub(super) trait Visit {
    /// At each directory, before it is listed.
    fn directory(&mut self, open: &OwnedFd) -> Result<(), Failure>;

    /// At each name that does not look like a directory; says whether it is one after all.
    fn name(&mut self, entry: &Entry<'_>) -> Result<bool, Failure>;

    /// A name that was a directory when it was listed and is none now.
    fn swapped(&mut self) {}

    /// The way back up leads elsewhere, since a directory was moved meanwhile: the walk ends here.
    fn astray(&mut self) -> Result<(), Failure> {
        Err(Failure::new(
            Code::Target,
            "the tree was moved about while it was being walked: stop the tenant's processes and try again",
        ))
    }
}

struct Level {
    open: Option<OwnedFd>,
    is: Statx,
    unseen: Vec<CString>,
}

/// Visits an open directory and all below it.
pub(super) fn walk(top: OwnedFd, visitor: &mut dyn Visit) -> Result<(), Failure> {
    let mut way = vec![enter(top, None, visitor)?];
    while let Some(level) = way.last_mut() {
        let Some(open) = &level.open else {
            return Err(Failure::new(Code::Target, "a directory on the way back was not open: this is a defect"));
        };
        let Some(name) = level.unseen.pop() else {
            if !leave(&mut way)? {
                return visitor.astray();
            }
            continue;
        };
        match directory(open, name.as_c_str()) {
            Ok(next) => {
                way.push(enter(next, Some(&name), visitor)?);
                let far = way.len().checked_sub(OPEN_AT_ONCE + 1);
                if let Some(far) = far.and_then(|far| way.get_mut(far)) {
                    far.open = None;
                }
            }
            Err(Errno::NOENT) => {}
            Err(Errno::LOOP | Errno::NOTDIR) => visitor.swapped(),
            Err(errno) => return Err(trouble("opening a directory of the subject's tree", errno)),
        }
    }
    Ok(())
}

/// Visits one directory and what in it is no directory; remembers its directories.
fn enter(open: OwnedFd, folder: Option<&CStr>, visitor: &mut dyn Visit) -> Result<Level, Failure> {
    let is = about_open(&open).map_err(|errno| trouble("reading a directory of the subject's tree", errno))?;
    visitor.directory(&open)?;
    let mut unseen = Vec::new();
    each(&open, |name, looks| {
        if looks == FileType::Directory || visitor.name(&Entry { at: &open, folder, name, looks })? {
            unseen.push(name.to_owned());
        }
        Ok(())
    })?;
    Ok(Level { open: Some(open), is, unseen })
}

/// Goes one directory up. Where that one was closed it is opened again through `..`, which a tenant can turn elsewhere
/// by moving the directory: says whether it is still the one that the walk came through.
fn leave(way: &mut Vec<Level>) -> Result<bool, Failure> {
    let left = way.pop();
    let (Some(left), Some(level)) = (left.and_then(|left| left.open), way.last_mut()) else { return Ok(true) };
    if level.open.is_some() {
        return Ok(true);
    }
    let up = match open_above(left.as_fd()) {
        Ok(up) => up,
        Err(Errno::NOENT) => return Ok(false),
        Err(errno) => return Err(trouble("going back up in the subject's tree", errno)),
    };
    let is = about_open(&up).map_err(|errno| trouble("going back up in the subject's tree", errno))?;
    let right = same(&is, &level.is);
    level.open = Some(up);
    Ok(right)
}

fn open_above(directory: impl AsFd) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(directory, c"..", flags(), Mode::empty())
}
