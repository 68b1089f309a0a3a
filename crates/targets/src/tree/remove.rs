//! Deleting what lies in one trash entry, until really nothing is left. Upholds I11 together with `bin`: from open
//! directory to one name in it. Bounded: so many directories open at once, the way on the heap; what lies deeper is
//! first moved up beside the tree, so that a crash leaves it where it is found again. This thread alone walks and asks
//! the permit; a second one helps to carry out what may go.

use std::ffi::{CStr, CString};
use std::sync::Arc;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, RenameFlags};
use rustix::io::Errno;

use gallra_model::receipt::Code;

use crate::driver::{Boundary, Failure};

use super::bin::{Bin, remove_directory, with_flags_off};
use super::config::HardLinks;
use super::hands::{Batch, Hands};
use super::open::{about, directory, each, kind, names, trouble};
use super::shut::shut;
use super::trash::LINKS;

/// Directories open at once on the way down.
const DEEPEST: usize = 64;
/// How often one directory is found filled again before the act gives up. It was made root's own first, so only root's
/// own processes can still fill it.
const MAX_PASSES: u32 = 1000;

/// A directory that is being emptied.
struct Level {
    at: Arc<OwnedFd>,
    name: CString,
    /// Directories in it, from its last listing.
    unseen: Vec<CString>,
    passes: u32,
}

/// Empties one trash entry.
pub(super) struct Remover<'a> {
    bin: &'a Bin<'a>,
    hands: Hands<'a>,
    /// Asked before every name.
    boundary: &'a mut dyn Boundary,
    /// Next number for what lies too deep.
    deep: u64,
}

/// What came of emptying one trash entry.
pub(super) struct Emptied {
    /// Names removed.
    pub(super) removed: u64,
    /// Files that wait in it for their other names to go.
    pub(super) waiting: u64,
}

/// Deletes everything in a trash entry.
pub(super) fn empty(entry: &OwnedFd, hard_links: HardLinks, boundary: &mut dyn Boundary) -> Result<Emptied, Failure> {
    let bin = Bin::new(entry, hard_links);
    let waiting = std::thread::scope(|scope| {
        let hands = Hands::new(scope, &bin);
        Remover { bin: &bin, hands, boundary, deep: 0 }.run()
    })?;
    Ok(Emptied { removed: bin.removed(), waiting })
}

impl Remover<'_> {
    /// Deletes everything in the entry. Returns how many files wait in it for their other names to go.
    fn run(&mut self) -> Result<u64, Failure> {
        let entry = self.bin.entry;
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
        let entry = self.bin.entry;
        self.go_on()?;
        let Some(top) = self.open(entry.as_fd(), name)? else { return Ok(()) };
        let mut way = vec![top];
        self.list(&mut way)?;
        while let Some(level) = way.last_mut() {
            let Some(next) = level.unseen.pop() else {
                self.leave(&mut way)?;
                continue;
            };
            let at = Arc::clone(&level.at);
            self.go_on()?;
            if way.len() >= DEEPEST {
                self.move_up(at.as_fd(), &next)?;
            } else if let Some(next) = self.open(at.as_fd(), &next)? {
                way.push(next);
                self.list(&mut way)?;
            }
        }
        Ok(())
    }

    /// Opens a directory and makes it root's own; `None` where there is none. What a tenant swaps meanwhile is left for
    /// the next pass over the directory above.
    fn open(&mut self, at: BorrowedFd<'_>, name: &CStr) -> Result<Option<Level>, Failure> {
        let open = match directory(at, name) {
            Ok(open) => open,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP | Errno::NOTDIR) => {
                self.bin.unlink(at, name)?;
                return Ok(None);
            }
            Err(errno) => return Err(trouble("opening a directory of the subject's tree", errno)),
        };
        shut(&open, Mode::RWXU).map_err(|errno| trouble("shutting a directory of the subject's tree", errno))?;
        Ok(Some(Level { at: Arc::new(open), name: name.to_owned(), unseen: Vec::new(), passes: 0 }))
    }

    /// Reads the last directory of the way. Its directories are noted, the rest may go. Where there are none, the
    /// directory goes with what is in it, and is no longer on the way.
    fn list(&mut self, way: &mut Vec<Level>) -> Result<(), Failure> {
        let Some(level) = way.last_mut() else { return Ok(()) };
        let at = Arc::clone(&level.at);
        let mut batch = Batch::of(&at);
        each(&*at, |name, looks| {
            if is_directory(at.as_fd(), name, looks)? {
                level.unseen.push(name.to_owned());
                return Ok(());
            }
            self.go_on()?;
            batch.add(name);
            if batch.is_full() {
                self.hands.give(std::mem::replace(&mut batch, Batch::of(&at)))?;
            }
            Ok(())
        })?;
        let leaf = level.unseen.is_empty() && level.passes == 0;
        if let (true, [.., above, leaf]) = (leaf, way.as_slice()) {
            self.go_on()?;
            batch.then = Some((Arc::clone(&above.at), leaf.name.clone()));
            way.pop();
        }
        self.hands.give(batch)
    }

    /// Removes the last directory of the way if it is empty by now; else has it read again.
    fn leave(&mut self, way: &mut Vec<Level>) -> Result<(), Failure> {
        let Some(mut level) = way.pop() else { return Ok(()) };
        self.hands.wait()?;
        self.go_on()?;
        let at = way.last().map_or(self.bin.entry.as_fd(), |above| above.at.as_fd());
        match remove_directory(at, &level.name) {
            Ok(()) => self.bin.one_less(),
            // Moved away or swapped: the directory above is read again, since it is not empty then.
            Err(Errno::NOENT | Errno::NOTDIR) => {}
            Err(Errno::NOTEMPTY | Errno::EXIST) if level.passes < MAX_PASSES => {
                level.passes += 1;
                way.push(level);
                self.list(way)?;
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

    /// Moves a directory that lies too deep to the top of the entry, where its turn comes.
    fn move_up(&mut self, at: BorrowedFd<'_>, name: &CStr) -> Result<(), Failure> {
        loop {
            let to = format!("deep-{}", self.deep);
            self.deep += 1;
            let moved = with_flags_off(at, name, || {
                rustix::fs::renameat_with(at, name, self.bin.entry, to.as_str(), RenameFlags::NOREPLACE)
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
        let entry = self.bin.entry;
        let links = match directory(entry, LINKS) {
            Ok(links) => links,
            Err(Errno::NOENT) => return Ok(0),
            Err(errno) => return Err(trouble("opening a directory in the trash", errno)),
        };
        let mut waiting = 0;
        for name in names(&links, |_| true)? {
            self.go_on()?;
            let is = about(&links, &name).map_err(|errno| trouble("looking at a file with several names", errno))?;
            if is.stx_nlink > 1 && self.bin.hard_links == HardLinks::Keep {
                waiting += 1;
                continue;
            }
            with_flags_off(links.as_fd(), &name, || rustix::fs::unlinkat(&links, &name, AtFlags::empty()))
                .map_err(|errno| trouble("removing a file with several names", errno))?;
            self.bin.one_less();
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

/// Whether a listed name is a directory; asks where the file system does not say.
fn is_directory(at: BorrowedFd<'_>, name: &CStr, looks: FileType) -> Result<bool, Failure> {
    if looks != FileType::Unknown {
        return Ok(looks == FileType::Directory);
    }
    match about(at, name) {
        Ok(is) => Ok(kind(&is) == FileType::Directory),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(trouble("looking at a file of the subject's tree", errno)),
    }
}
