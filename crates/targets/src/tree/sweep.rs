//! Taking single files out of standing trees: what a purge by age needs, tree by tree. Owns the system calls; which files go is
//! its caller's word. Upholds I11 as an erasure does: from an open directory to one name in it, and only plain files.

use std::path::PathBuf;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Statx};
use rustix::io::Errno;

use gallra_model::receipt::Code;
use gallra_model::selector::Selector;

use crate::driver::Failure;

use super::bin::with_flags_off;
use super::config::HardLinks;
use super::count::{self, count};
use super::inspect::{Tree, unseen};
use super::look::{look, open_root};
use super::open::{about, about_open, directory, is_mount, kind, mounted, same, trouble};
use super::raw::{self, Raw};
use super::walk::Entry;

/// A subject's place, relative to the root. Personal data: no `Debug`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    above: String,
    last: String,
}

impl Tree {
    /// The place that a selector leads to.
    ///
    /// # Errors
    /// `BadSelector` when the template cannot tell it.
    pub(crate) fn place(&self, selector: &Selector) -> Result<Place, Failure> {
        let name = self.config.name(selector)?;
        Ok(Place { above: name.above, last: name.last })
    }

    /// The place of somebody who is held: nothing may go where a name could lead to another one's tree.
    ///
    /// # Errors
    /// As [`Tree::place`], and where the file system folds names.
    pub(crate) fn place_of_held(&self, selector: &Selector) -> Result<Place, Failure> {
        look(&self.config, self.kind, selector)?;
        self.place(selector)
    }

    /// Whether a file's other names are somebody else's business.
    pub(crate) fn unlinks(&self) -> bool {
        self.config.hard_links == HardLinks::Unlink
    }

    /// Shows every plain file of one standing tree, from open directory to open directory. `see` may remove what it is shown.
    pub(crate) fn sweep(&self, place: &Place, see: &mut count::See<'_>) -> Result<(), Failure> {
        let root = open_root(&self.config)?;
        let open = |at: &OwnedFd, name: &str| match directory(at, name) {
            Ok(open) => Ok(Some(open)),
            // It went, or is none by now: the other look says what is there.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(errno) => Err(trouble("opening a subject's tree", errno)),
        };
        let Some(above) = open(&root, &place.above)? else { return Ok(()) };
        let Some(top) = open(&above, &place.last)? else { return Ok(()) };
        count(top, see).map(drop)
    }

    /// Where a tree stands.
    pub(crate) fn path(&self, place: &Place) -> PathBuf {
        self.config.root.join(&place.above).join(&place.last)
    }

    /// Shows every file of one standing tree by plain paths: the second opinion.
    pub(crate) fn sweep_again(&self, place: &Place, see: &mut raw::See<'_>) -> Result<(), Failure> {
        self.sentinel()?;
        raw::walk(&self.path(place), &mut Raw::default(), see).map_err(|error| unseen(&error))
    }
}

/// What the system knows of a plain file; `None` for what went or is none by now.
pub(crate) fn plain(entry: &Entry<'_>) -> Result<Option<Statx>, Failure> {
    match about(entry.at, entry.name) {
        Ok(is) if is_mount(&is) => Err(mounted("looking at a file of the subject's tree")),
        Ok(is) => Ok((kind(&is) == FileType::RegularFile).then_some(is)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(trouble("looking at a file of the subject's tree", errno)),
    }
}

/// Removes one name from its open directory. False: it is gone already.
pub(crate) fn remove(entry: &Entry<'_>) -> Result<bool, Failure> {
    let unlink = || rustix::fs::unlinkat(entry.at, entry.name, AtFlags::empty());
    match with_flags_off(entry.at.as_fd(), entry.name, unlink) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(Errno::ISDIR) => Err(Failure::new(Code::Target, "a mail became a directory while it was being removed")),
        Err(errno) => Err(trouble("removing a file of the subject's tree", errno)),
    }
}

/// The directory that something was last removed from: it is made last when the next one's turn comes.
#[derive(Default)]
pub(crate) struct Changed {
    last: Option<(Statx, OwnedFd)>,
}

impl Changed {
    /// A name was removed.
    pub(crate) fn note(&mut self, entry: &Entry<'_>) -> Result<(), Failure> {
        let doing = |errno| trouble("writing a deletion to disk", errno);
        let is = about_open(entry.at).map_err(doing)?;
        if self.last.as_ref().is_some_and(|(last, _)| same(last, &is)) {
            return Ok(());
        }
        let open = rustix::io::fcntl_dupfd_cloexec(entry.at, 0).map_err(doing)?;
        std::mem::replace(self, Self { last: Some((is, open)) }).settle()
    }

    /// Makes it last.
    pub(crate) fn settle(self) -> Result<(), Failure> {
        let Some((_, open)) = self.last else { return Ok(()) };
        rustix::fs::fsync(open).map_err(|errno| trouble("writing a deletion to disk", errno))
    }
}
