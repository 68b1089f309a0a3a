//! The second opinion: a walk by plain paths and the standard library, sharing no code with what counts and erases.
//! Looks only. Upholds decision 9: what it cannot read is an error, never "nothing there".

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Bytes of path after which the walk goes on from an open directory: the system takes no longer paths than 4096, and
/// looks up every part of one again each time.
const LONGEST: usize = 512;
/// Directories kept open for that; those further up are opened again when the walk comes back.
const OPEN_AT_ONCE: usize = 32;
/// Files with several names that are told apart in memory; beyond, each counts as having a name elsewhere.
const MAX_LINKED: usize = 1_000_000;

/// What a raw walk saw.
#[derive(Debug, Default)]
pub(super) struct Raw {
    /// Entries of every kind, top directories included.
    pub(super) entries: u64,
    linked: HashMap<(u64, u64), u64>,
    beyond: u64,
}

impl Raw {
    /// Files that have a name outside of everything walked.
    pub(super) fn linked_elsewhere(&self) -> u64 {
        self.linked.values().filter(|&&left| left > 0).count() as u64 + self.beyond
    }

    fn see(&mut self, is: &Metadata) {
        self.entries += 1;
        if is.is_dir() || is.nlink() < 2 {
            return;
        }
        let file = (is.dev(), is.ino());
        if self.linked.len() >= MAX_LINKED && !self.linked.contains_key(&file) {
            self.beyond += 1;
            return;
        }
        let left = self.linked.entry(file).or_insert_with(|| is.nlink());
        *left = left.saturating_sub(1);
    }
}

/// One directory on the way down.
struct Level {
    /// Its name; of the first, its absolute path.
    name: OsString,
    unseen: Vec<OsString>,
    /// Bytes of path since the last directory that the walk went on from.
    length: usize,
    from_here: bool,
    open: Option<File>,
}

/// Where files are shown to, each with a path under which it can be opened now.
pub(crate) type See<'a> = dyn FnMut(&Path, &Metadata) -> io::Result<()> + 'a;

/// Walks a directory, itself included; a missing one is nothing.
pub(super) fn walk(top: &Path, raw: &mut Raw, see: &mut See<'_>) -> io::Result<()> {
    let Some(is) = at(top)? else { return Ok(()) };
    raw.see(&is);
    if !is.is_dir() {
        return see(top, &is);
    }
    let length = top.as_os_str().len();
    let mut way = vec![Level { name: top.into(), unseen: Vec::new(), length, from_here: false, open: None }];
    list(&mut way, raw, see)?;
    while let Some(level) = way.last_mut() {
        let Some(name) = level.unseen.pop() else {
            way.pop();
            continue;
        };
        let length = level.length + name.len() + 1;
        way.push(Level { name, unseen: Vec::new(), length, from_here: false, open: None });
        list(&mut way, raw, see)?;
    }
    Ok(())
}

/// Reads the last directory of the way.
fn list(way: &mut [Level], raw: &mut Raw, see: &mut See<'_>) -> io::Result<()> {
    let mut path = path_to(way)?;
    match at(&path)? {
        Some(is) if is.is_dir() => {}
        _ => return Ok(()),
    }
    if way.last().is_some_and(|last| last.length > LONGEST) {
        let open = File::open(&path)?;
        path = through(&open);
        if let Some(last) = way.last_mut() {
            (last.from_here, last.length, last.open) = (true, 0, Some(open));
        }
        close_far(way);
    }
    let mut unseen = Vec::new();
    for entry in fs::read_dir(&path)? {
        let entry = entry?;
        let Some(is) = at(&entry.path())? else { continue };
        raw.see(&is);
        if is.is_dir() { unseen.push(entry.file_name()) } else { see(&entry.path(), &is)? }
    }
    if let Some(last) = way.last_mut() {
        last.unseen = unseen;
    }
    Ok(())
}

/// What stands at a path, never following a link; `None` where nothing does.
fn at(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(is) => Ok(Some(is)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn through(open: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd()))
}

/// A path of bearable length to the last directory of the way: from the top, or from the last open directory on it.
fn path_to(way: &mut [Level]) -> io::Result<PathBuf> {
    let mut path = PathBuf::new();
    let start = way.iter().rposition(|level| level.open.is_some()).unwrap_or(0);
    let mut closed = way.iter().skip(start).filter(|level| level.from_here && level.open.is_none()).count();
    // What the path goes through for the moment, where it is too far up to be kept open.
    let mut _held = None;
    for level in way.iter_mut().skip(start) {
        match &level.open {
            Some(open) => path = through(open),
            None => path.push(&level.name),
        }
        if level.from_here && level.open.is_none() {
            let open = File::open(&path)?;
            path = through(&open);
            if closed > OPEN_AT_ONCE {
                _held = Some(open)
            } else {
                level.open = Some(open)
            }
            closed -= 1;
        }
    }
    close_far(way);
    Ok(path)
}

/// Closes what is furthest up. The open directories that a path goes through are the last ones, so they stay.
fn close_far(way: &mut [Level]) {
    let mut open = 0;
    for level in way.iter_mut().rev().filter(|level| level.open.is_some()) {
        open += 1;
        if open > OPEN_AT_ONCE {
            level.open = None;
        }
    }
}
