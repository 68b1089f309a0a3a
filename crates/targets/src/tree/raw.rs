//! The second opinion: a walk by plain paths and the standard library, sharing no code with what counts and erases.
//! Looks only. Upholds decision 9: what it cannot read is an error, never "nothing there".

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;

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
    let Some(mut path) = there(path_to(way))? else { return Ok(()) };
    match at(&path)? {
        Some(is) if is.is_dir() => {}
        _ => return Ok(()),
    }
    if way.last().is_some_and(|last| last.length > LONGEST) {
        let Some(open) = there(open(&path))? else { return Ok(()) };
        path = through(&open);
        if let Some(last) = way.last_mut() {
            (last.from_here, last.length, last.open) = (true, 0, Some(open));
        }
        close_far(way);
    }
    let mut unseen = Vec::new();
    let Some(entries) = there(fs::read_dir(&path))? else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let Some(is) = there(entry.metadata())? else { continue };
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
    there(fs::symlink_metadata(path))
}

/// `None` for what went, or was swapped for something else, between two looks at it. A tenant could keep every look from
/// ending otherwise; what is not counted for that reason makes the two looks differ, and the tenant is shut out.
fn there<T>(looked: io::Result<T>) -> io::Result<Option<T>> {
    use io::ErrorKind::{NotADirectory, NotFound};
    match looked {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => Ok(None),
        Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens a directory and nothing else: a pipe that was swapped in would keep the agent waiting for its writer.
fn open(path: &Path) -> io::Result<File> {
    let only = (OFlags::DIRECTORY | OFlags::NOFOLLOW).bits();
    OpenOptions::new().read(true).custom_flags(only.cast_signed()).open(path)
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
            let open = open(&path)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_swapped_for_something_else_is_not_there_and_a_pipe_keeps_nobody_waiting() {
        let dir = tempfile::tempdir().expect("a directory");
        let [file, link, pipe] = ["file", "link", "pipe"].map(|name| dir.path().join(name));
        fs::write(&file, "x").expect("a file");
        std::os::unix::fs::symlink(dir.path(), &link).expect("a link");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
            .expect("a pipe");
        for path in [file, link, pipe, dir.path().join("missing")] {
            assert!(there(open(&path)).expect("no error").is_none());
        }
        assert!(there(open(dir.path())).expect("no error").is_some());
    }

    #[test]
    fn what_may_not_be_read_is_an_error_and_not_absent() {
        assert!(there::<()>(Err(io::Error::from_raw_os_error(Errno::IO.raw_os_error()))).is_err());
        assert!(there::<()>(Err(io::Error::from_raw_os_error(Errno::ACCESS.raw_os_error()))).is_err());
    }
}
