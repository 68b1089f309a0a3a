//! The second opinion on all files: found by plain paths and the standard library, read by `raw`. Looks only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

use rustix::fs::OFlags;

use gallra_model::receipt::{Check, Code};

use crate::driver::{Confirmation, Failure};

use super::config::Config;
use super::crew::{Looking, each};
use super::place::{Role, role_of};
use super::raw::{Rule, Tally};
use super::stream::Codec;

/// How far a live log had been written when it was inspected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    /// Which log.
    pub(super) log: String,
    /// Which file it was.
    pub(super) inode: u64,
    /// Bytes of whole lines.
    pub(super) length: u64,
}

struct Found {
    path: PathBuf,
    log: String,
    role: Role,
    codec: Codec,
    inode: u64,
}

/// What one file came to: lines up to the mark, and after it.
struct Seen {
    role: Role,
    upto: Tally,
    since: Tally,
}

fn unseen(error: &io::Error) -> Failure {
    Failure::new(Code::Target, format!("the independent check could not read everything: {error}"))
}

/// Reads every file. `marks`: what was written later to a live log is counted apart. `read_before`: lines were read in
/// this attempt, so that logs without any line are the right ones.
pub(super) fn look(
    config: &Config,
    rule: &Rule<'_>,
    marks: &[Mark],
    read_before: bool,
) -> Result<Confirmation, Failure> {
    let found = list(config).map_err(|error| unseen(&error))?;
    let seen = each(&found, &mut Looking, &|file, _| one(file, rule, marks).map_err(|error| unseen(&error)))?;
    let sentinel = seen.iter().filter(|seen| seen.upto.reads || seen.since.reads).count() as u64;
    let silent = seen.iter().any(|seen| {
        let (upto, since) = (&seen.upto, &seen.since);
        upto.mine + upto.others + since.mine + since.others > 0 && !upto.reads && !since.reads
    });
    let all_there = config.logs.iter().all(|log| found.iter().any(|file| file.log == *log));
    if !all_there || silent || (sentinel == 0 && !read_before) {
        return Err(no_sentinel());
    }
    let mut sum = Confirmation::default();
    let (mut lines, mut since, mut unread, mut leftovers) = (0, 0, 0, 0);
    for Seen { role, upto, since: later } in &seen {
        sum.found += upto.mine;
        since += later.mine;
        unread += upto.unread + later.unread;
        if matches!(role, Role::Live | Role::Rotated | Role::Aside) {
            sum.others += upto.others + later.others + later.mine;
            lines += upto.mine + upto.others + later.mine + later.others;
        } else {
            leftovers += 1;
        }
    }
    let check = |name: &str, count: u64, ok: bool| Check { name: name.to_owned(), count, ok };
    sum.checks = vec![
        check("sentinel", sentinel, true),
        check("raw-lines", lines, true),
        check("unread-lines", unread, true),
        check("written-since", since, true),
        check("leftovers", leftovers, leftovers == 0),
    ];
    Ok(sum)
}

pub(super) fn no_sentinel() -> Failure {
    Failure::new(
        Code::SentinelMissing,
        "a log is missing, or one has lines and none of them reads as the configured format: is it the right format, \
         and the right directory? Nothing can be called absent here",
    )
}

fn list(config: &Config) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(&config.root)? {
        let name = entry?.file_name();
        let bytes = name.as_encoded_bytes();
        if config.ignore.iter().any(|ignored| ignored.as_bytes() == bytes) {
            continue;
        }
        let path = config.root.join(&name);
        for log in &config.logs {
            let Some((role, codec)) = role_of(log, bytes) else { continue };
            let is = match fs::symlink_metadata(&path) {
                Ok(is) if is.is_file() => is,
                Ok(_) => return Err(io::Error::other("a log's name stands for something that is no plain file")),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            found.push(Found { path: path.clone(), log: log.clone(), role, codec, inode: is.ino() });
        }
    }
    let inodes: Vec<u64> = found.iter().filter(|file| file.role == Role::Rotated).map(|file| file.inode).collect();
    for file in &mut found {
        if let Role::Joining(inode) = file.role
            && !inodes.contains(&inode)
        {
            file.role = Role::Aside;
        }
    }
    Ok(found)
}

fn one(file: &Found, rule: &Rule<'_>, marks: &[Mark]) -> io::Result<Seen> {
    let (mut upto, mut since) = (Tally::default(), Tally::default());
    if file.role != Role::Part {
        let how = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let flags = i32::try_from(how.bits()).map_err(io::Error::other)?;
        let mut open = match OpenOptions::new().read(true).custom_flags(flags).open(&file.path) {
            Ok(open) => open,
            // Rotated away meanwhile: its lines are counted under its new name, or missed, and then the looks differ.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Seen { role: file.role, upto, since }),
            Err(error) => return Err(error),
        };
        let mark = marks.iter().find(|mark| file.role == Role::Live && mark.log == file.log);
        match mark {
            None => upto = Tally::of(file.codec.read(&open)?, rule)?,
            Some(mark) => {
                if mark.inode == file.inode {
                    upto = Tally::of((&mut open).take(mark.length), rule)?;
                }
                since = rest(&mut open, rule)?;
            }
        }
    }
    Ok(Seen { role: file.role, upto, since })
}

/// What follows in a live log.
fn rest(open: &mut File, rule: &Rule<'_>) -> io::Result<Tally> {
    Tally::of(open, rule)
}
