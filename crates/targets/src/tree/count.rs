//! Counting a tree: the first opinion, by open directories. Owns what an entry is; changes nothing.

use rustix::fd::OwnedFd;
use rustix::fs::FileType;
use rustix::io::Errno;

use crate::driver::Failure;

use super::open::{about, is_mount, kind, mounted, trouble};
use super::walk::{Entry, Visit, walk};

/// Entries of every kind, the top directory among them, and the size of the plain files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum {
    /// How many.
    pub(super) entries: u64,
    /// Bytes.
    pub(super) bytes: u64,
}

impl Sum {
    /// Both together.
    pub(super) fn add(&mut self, other: Self) {
        self.entries += other.entries;
        self.bytes += other.bytes;
    }
}

/// Where every plain file is shown to.
pub(crate) type See<'a> = dyn FnMut(&Entry<'_>) -> Result<(), Failure> + 'a;

struct Counter<'a, 'b> {
    sum: Sum,
    see: &'a mut See<'b>,
}

/// Counts what an open directory holds, itself included, and shows the plain files to `see`.
pub(super) fn count(top: OwnedFd, see: &mut See<'_>) -> Result<Sum, Failure> {
    let mut counter = Counter { sum: Sum::default(), see };
    walk(top, &mut counter)?;
    Ok(counter.sum)
}

impl Visit for Counter<'_, '_> {
    fn directory(&mut self, _: &OwnedFd) -> Result<(), Failure> {
        self.sum.entries += 1;
        Ok(())
    }

    fn name(&mut self, entry: &Entry<'_>) -> Result<bool, Failure> {
        let is = match about(entry.at, entry.name) {
            Ok(is) => is,
            Err(Errno::NOENT) => return Ok(false),
            Err(errno) => return Err(trouble("looking at a file of the subject's tree", errno)),
        };
        if kind(&is) == FileType::Directory {
            return Ok(true);
        }
        if is_mount(&is) {
            return Err(mounted("looking at a file of the subject's tree"));
        }
        self.sum.entries += 1;
        if kind(&is) == FileType::RegularFile {
            self.sum.bytes += is.stx_size;
            (self.see)(entry)?;
        }
        Ok(false)
    }

    fn swapped(&mut self) {
        self.sum.entries += 1;
    }

    /// What was counted so far differs from what the other look finds: before an erasure the tenant is shut out then.
    fn astray(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}
