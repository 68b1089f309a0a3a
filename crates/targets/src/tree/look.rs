//! Finding a subject's place: the root and its sentinel, the tree under its exact name, its remains in the trash, and
//! who its neighbours are. Touches nothing. Upholds: what is missing is called missing only beside a sentinel, and a
//! file system that folds case never passes one customer's tree off as another's.

use std::ffi::CString;

use rustix::fd::OwnedFd;
use rustix::fs::{FileType, Mode, OFlags, Statx};
use rustix::io::Errno;

use gallra_model::digest::Digest;
use gallra_model::receipt::Code;
use gallra_model::selector::Selector;
use gallra_model::target::{Instance, TargetKind};

use crate::driver::Failure;

use super::config::{Config, Name};
use super::open::{about, about_open, directory, each, instance, is_mount, kind, trouble};
use super::trash::{self, Remains};

/// The tree at its own place.
pub(super) struct Top {
    /// Open.
    pub(super) directory: OwnedFd,
    /// Its inode.
    pub(super) is: Statx,
    /// What it is.
    pub(super) instance: Instance,
}

/// Everything found about one subject. The descriptors stay valid whatever happens to the names.
pub(super) struct Look {
    /// The root.
    pub(super) root: OwnedFd,
    /// The directory that holds the subject's; `None` where even that is missing.
    pub(super) above: Option<OwnedFd>,
    /// The subject's name in it.
    pub(super) last: CString,
    /// Begins the names of its remains.
    pub(super) key: String,
    /// The tree, where it stands.
    pub(super) top: Option<Top>,
    /// Trees of the same name whose deletion was begun, in order of name.
    pub(super) remains: Vec<Remains>,
    /// Entries beside the subject's that are neither sentinel nor trash.
    pub(super) others: u64,
}

impl Look {
    /// What the name stands for: the tree, or what remains of it. Where several things are there (it was made anew
    /// during an interrupted erasure), all of them together are one instance, so that none is erased unapproved.
    pub(super) fn instance(&self) -> Option<Instance> {
        let mut all: Vec<Instance> = self.remains.iter().map(|remains| remains.instance).collect();
        all.extend(self.top.iter().map(|top| top.instance));
        all.sort_unstable();
        all.dedup();
        match all.as_slice() {
            [] => None,
            [only] => Some(*only),
            several => Some(Digest::of_parts(&several.iter().map(|i| i.as_bytes().as_slice()).collect::<Vec<_>>())),
        }
    }
}

/// Looks for what a selector names.
pub(super) fn look(config: &Config, of: TargetKind, selector: &Selector) -> Result<Look, Failure> {
    let name = config.name(selector)?;
    let root = open_root(config)?;
    let last = CString::new(name.last.as_str()).map_err(|_| Failure::new(Code::BadSelector, "a path with a NUL"))?;
    let trash = trash::open(&root, &config.trash)?;
    let remains = match &trash {
        Some(trash) => trash::remains(trash, &name.key)?,
        None => Vec::new(),
    };
    let mut look = Look { root, above: None, last, key: name.key.clone(), top: None, remains, others: 0 };
    look.above = open_above(config, &look.root, &name)?;
    let Some(above) = &look.above else { return Ok(look) };
    let listed;
    (listed, look.others) = neighbours(config, above, &name)?;
    look.top = open_top(&look.root, above, &look.last, of)?;
    if look.top.is_some() && !listed {
        return Err(Failure::new(
            Code::BadSelector,
            "the subject's name opens a directory that is written differently: this file system folds names, and \
             nothing on it can be told apart",
        ));
    }
    Ok(look)
}

/// Opens the root and finds its sentinel.
pub(super) fn open_root(config: &Config) -> Result<OwnedFd, Failure> {
    let missing = |what: &str| {
        Failure::new(
            Code::SentinelMissing,
            format!("{what}: is the disk mounted, and is it the right one? Nothing can be called absent here"),
        )
    };
    let how = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = match rustix::fs::open(&config.root, how, Mode::empty()) {
        Ok(root) => root,
        Err(Errno::NOENT | Errno::NOTDIR) => return Err(missing("root is missing")),
        Err(errno) => return Err(trouble("opening root", errno)),
    };
    let (above, last) = config.sentinel.rsplit_once('/').unwrap_or((".", &config.sentinel));
    let last = CString::new(last).map_err(|_| missing("the sentinel's name has a NUL"))?;
    let found = directory(&root, above).and_then(|above| about(&above, &last));
    match found {
        Ok(found) if kind(&found) == FileType::RegularFile && !is_mount(&found) => Ok(root),
        Ok(_) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => {
            Err(missing("the sentinel is not found as a plain file on root's own file system"))
        }
        Err(errno) => Err(trouble("looking for the sentinel", errno)),
    }
}

/// Opens the directory that holds the subject's tree. Only what an id makes up may be missing.
fn open_above(config: &Config, root: &OwnedFd, name: &Name) -> Result<Option<OwnedFd>, Failure> {
    if let Some(fixed) = config.fixed() {
        match directory(root, fixed) {
            Ok(_) => {}
            Err(Errno::NOENT) => {
                return Err(Failure::new(
                    Code::SentinelMissing,
                    "the part of path that is the same for everybody is missing under root: is a disk not mounted?",
                ));
            }
            Err(errno) => return Err(trouble("opening the directory above the subjects'", errno)),
        }
    }
    match directory(root, name.above.as_str()) {
        Ok(above) => Ok(Some(above)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(trouble("opening the directory above the subject's", errno)),
    }
}

/// Whether exactly this name is listed, and how many others are.
fn neighbours(config: &Config, above: &OwnedFd, name: &Name) -> Result<(bool, u64), Failure> {
    let (mut listed, mut others) = (false, 0);
    each(above, |entry, _| {
        let entry = entry.to_bytes();
        if entry == name.last.as_bytes() {
            listed = true;
        } else if !config.is_ours(&name.above, entry) {
            others += 1;
        }
        Ok(())
    })?;
    Ok((listed, others))
}

fn open_top(root: &OwnedFd, above: &OwnedFd, last: &CString, of: TargetKind) -> Result<Option<Top>, Failure> {
    let reading = |errno| trouble("reading the subject's top directory", errno);
    let directory = match directory(above, last.as_c_str()) {
        Ok(directory) => directory,
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP | Errno::NOTDIR) => {
            return Err(Failure::new(
                Code::Target,
                "the subject's place is a link or a file, not a directory: give the real place in agent.toml",
            ));
        }
        Err(errno) => return Err(trouble("opening the subject's top directory", errno)),
    };
    let is = about_open(&directory).map_err(reading)?;
    let instance = instance(of, &about_open(root).map_err(reading)?, &is)?;
    Ok(Some(Top { directory, is, instance }))
}
