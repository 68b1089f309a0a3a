//! Deleting what lies in one trash entry, until really nothing is left. Upholds I11: from open directory to one name
//! in it, links unlinked and never followed, mount points never crossed. Bounded: so many directories open at once,
//! the way on the heap; what lies deeper is first moved up beside the tree, so that a crash leaves it where it is
//! found again.

use std::ffi::{CStr, CString};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, FileType, Mode, RenameFlags};
use rustix::io::Errno;

use gallra_model::receipt::Code;

use crate::driver::{Boundary, Failure};

use super::config::HardLinks;
use super::open::{about, directory, is_dot, is_mount, kind, mounted, names, trouble};
use super::shut::{loosen, loosen_name, shut};
use super::trash::{self, LINKS};

/// Directories open at once on the way down.
const DEEPEST: usize = 64;
/// How often one directory is found filled again before the act gives up. It was made root's own first, so only root's
/// own processes can still fill it.
const MAX_PASSES: u32 = 1000;

/// A directory that is being emptied.
struct Level {
    listing: Dir,
    name: CString,
    passes: u32,
}

impl Level {
    fn at(&self) -> Result<BorrowedFd<'_>, Failure> {
        self.listing.fd().map_err(|errno| trouble("holding a directory open", errno))
    }
}

/// What became of a name.
enum Met {
    /// It is no longer there, or no longer where it was.
    Settled,
    /// It is a directory, now open, that must be emptied first.
    Directory(Level),
}

/// Empties one trash entry.
pub(super) struct Remover<'a> {
    /// The entry.
    pub(super) entry: &'a OwnedFd,
    /// What to do with files that have other names.
    pub(super) hard_links: HardLinks,
    /// Asked before every name.
    pub(super) boundary: &'a mut dyn Boundary,
    /// Names removed so far.
    pub(super) removed: u64,
    /// Next number for what lies too deep.
    pub(super) deep: u64,
}

impl Remover<'_> {
    /// Deletes everything in the entry. Returns how many files wait in it for their other names to go.
    pub(super) fn run(&mut self) -> Result<u64, Failure> {
        let entry = self.entry;
        loop {
            let left = names(entry, |name| name != LINKS)?;
            if left.is_empty() {
                break;
            }
            for name in left {
                self.remove(&name)?;
            }
        }
        rustix::fs::fsync(entry).map_err(|errno| trouble("writing the deletion to disk", errno))?;
        self.links()
    }

    /// Deletes one name in the entry and all below it.
    fn remove(&mut self, name: &CStr) -> Result<(), Failure> {
        let entry = self.entry;
        let mut way = match self.meet(entry.as_fd(), name, FileType::Directory, true)? {
            Met::Settled => return Ok(()),
            Met::Directory(level) => vec![level],
        };
        loop {
            let room = way.len() < DEEPEST;
            let Some(level) = way.last_mut() else { return Ok(()) };
            let Some(next) = level.listing.read() else {
                self.leave(&mut way)?;
                continue;
            };
            let next = next.map_err(|errno| trouble("listing a directory of the subject's tree", errno))?;
            if is_dot(next.file_name()) {
                continue;
            }
            let at = level.listing.fd().map_err(|errno| trouble("holding a directory open", errno))?;
            let met = self.meet(at, next.file_name(), next.file_type(), room)?;
            if let Met::Directory(level) = met {
                way.push(level);
            }
        }
    }

    /// Deals with one name. What a tenant swaps meanwhile is left for the directory's next pass.
    fn meet(&mut self, at: BorrowedFd<'_>, name: &CStr, looks: FileType, room: bool) -> Result<Met, Failure> {
        self.go_on()?;
        if looks != FileType::Directory && self.unlink(at, name)? {
            return Ok(Met::Settled);
        }
        if !room {
            self.move_up(at, name)?;
            return Ok(Met::Settled);
        }
        let open = match directory(at, name) {
            Ok(open) => open,
            Err(Errno::NOENT) => return Ok(Met::Settled),
            Err(Errno::LOOP | Errno::NOTDIR) => {
                self.unlink(at, name)?;
                return Ok(Met::Settled);
            }
            Err(errno) => return Err(trouble("opening a directory of the subject's tree", errno)),
        };
        shut(&open, Mode::RWXU).map_err(|errno| trouble("shutting a directory of the subject's tree", errno))?;
        let listing = Dir::new(open).map_err(|errno| trouble("listing a directory of the subject's tree", errno))?;
        Ok(Met::Directory(Level { listing, name: name.to_owned(), passes: 0 }))
    }

    /// Removes the last directory of the way if it is empty by now; else has it read again.
    fn leave(&mut self, way: &mut Vec<Level>) -> Result<(), Failure> {
        let Some(mut level) = way.pop() else { return Ok(()) };
        self.go_on()?;
        let at = match way.last() {
            Some(above) => above.at()?,
            None => self.entry.as_fd(),
        };
        match remove_directory(at, &level.name) {
            Ok(()) => self.removed += 1,
            // Moved away or swapped: the directory above is read again, since it is not empty then.
            Err(Errno::NOENT | Errno::NOTDIR) => {}
            Err(Errno::NOTEMPTY | Errno::EXIST) if level.passes < MAX_PASSES => {
                level.passes += 1;
                level.listing.rewind();
                way.push(level);
            }
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                return Err(Failure::new(
                    Code::Target,
                    "a directory of the subject's tree is filled again and again: stop what writes there as root",
                ));
            }
            Err(errno) => return Err(trouble("removing a directory of the subject's tree", errno)),
        }
        Ok(())
    }

    /// Removes a name that is no directory; says whether it was none.
    fn unlink(&mut self, at: BorrowedFd<'_>, name: &CStr) -> Result<bool, Failure> {
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
            Ok(()) => self.removed += 1,
            Err(Errno::NOENT) => {}
            Err(Errno::ISDIR) => return Ok(false),
            Err(errno) => return Err(trouble("removing a file of the subject's tree", errno)),
        }
        Ok(true)
    }

    /// Moves a file with several names to where its last name in the tree waits; false where one already waits there,
    /// so that this one can simply go.
    fn set_aside(&mut self, at: BorrowedFd<'_>, name: &CStr, inode: u64) -> Result<bool, Failure> {
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

    /// Moves a directory that lies too deep to the top of the entry, where its turn comes.
    fn move_up(&mut self, at: BorrowedFd<'_>, name: &CStr) -> Result<(), Failure> {
        loop {
            let to = format!("deep-{}", self.deep);
            self.deep += 1;
            let moved = with_flags_off(at, name, || {
                rustix::fs::renameat_with(at, name, self.entry, to.as_str(), RenameFlags::NOREPLACE)
            });
            match moved {
                Ok(()) | Err(Errno::NOENT) => return Ok(()),
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(trouble("moving up what lies deep in the subject's tree", errno)),
            }
        }
    }

    /// Removes the files set aside whose other names are gone by now; returns how many wait on.
    fn links(&mut self) -> Result<u64, Failure> {
        let entry = self.entry;
        let links = match directory(entry, LINKS) {
            Ok(links) => links,
            Err(Errno::NOENT) => return Ok(0),
            Err(errno) => return Err(trouble("opening a directory in the trash", errno)),
        };
        let mut waiting = 0;
        for name in names(&links, |_| true)? {
            self.go_on()?;
            let is = about(&links, &name).map_err(|errno| trouble("looking at a file with several names", errno))?;
            if is.stx_nlink > 1 && self.hard_links == HardLinks::Keep {
                waiting += 1;
                continue;
            }
            with_flags_off(links.as_fd(), &name, || rustix::fs::unlinkat(&links, &name, AtFlags::empty()))
                .map_err(|errno| trouble("removing a file with several names", errno))?;
            self.removed += 1;
        }
        if waiting == 0 {
            remove_directory(entry.as_fd(), LINKS).map_err(|errno| trouble("clearing the trash", errno))?;
        }
        Ok(waiting)
    }

    fn go_on(&mut self) -> Result<(), Failure> {
        if self.boundary.may_go_on() {
            return Ok(());
        }
        Err(Failure::new(
            Code::Stopped,
            "stopped between two files by a hold or the end of the permit: what is left waits in the trash, and a new \
             permit goes on with it",
        ))
    }
}

fn remove_directory(at: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    with_flags_off(at, name, || rustix::fs::unlinkat(at, name, AtFlags::REMOVEDIR))
}

/// Tries; where the system forbids it, takes `chattr +i` and `+a` off the name and its directory, and tries once more.
fn with_flags_off(at: BorrowedFd<'_>, name: &CStr, act: impl Fn() -> Result<(), Errno>) -> Result<(), Errno> {
    match act() {
        Err(Errno::PERM) => {
            loosen(at)?;
            loosen_name(at, name)?;
            act()
        }
        other => other,
    }
}
