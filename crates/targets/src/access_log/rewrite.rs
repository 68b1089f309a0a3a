//! Replacing one file by what is left of it: a new file beside it, read again by the second opinion, and exchanged in one
//! step only if everybody else's lines are in it, byte for byte. Upholds I11, and I6: whatever stops it, a name stands for
//! the old file or for the new one, and what lies about has a name that says so.
//!
//! Names: `.<log>.gallra-part-<inode of the old>` while it is written, `.<log>.gallra-done-<inode of the old>-<of the new>`
//! afterwards. What lies there under one of these inodes is not needed: the new file before the exchange, the old one
//! after it.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, BufWriter, Write};

use rustix::fd::AsFd;
use rustix::fs::{Mode, OFlags, RenameFlags, Statx, Timespec, Timestamps};

use gallra_model::receipt::Code;

use crate::driver::Failure;
use crate::tree::trouble;

use super::config::Act;
use super::crew::Halt;
use super::live;
use super::place::{Id, LogFile, Place, about};
use super::raw::{Rule, Tally, Wanted};
use super::stream::{Codec, Looking, Packer, Sink, Sum, pass};
use super::subject::Judge;

/// Bytes written at once.
const CHUNK: usize = 256 * 1024;

/// What became of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Done {
    /// What was in it.
    pub(super) sum: Sum,
    /// Whether the whole file went.
    pub(super) removed: bool,
}

pub(super) fn unreadable(error: &io::Error) -> Failure {
    Failure::new(
        Code::Target,
        format!("a log could not be read to its end, so nothing is said of it, and it stays as it is: {error}"),
    )
}

fn unwritable(error: &io::Error) -> Failure {
    Failure::new(Code::Target, format!("what is left of a log could not be written; the log is as it was: {error}"))
}

/// Looks through a file. `first_only`: up to the first line that goes or changes.
pub(super) fn look(place: &Place, file: &LogFile, judge: &dyn Judge, first_only: bool) -> Result<Sum, Failure> {
    let (open, _) = place.read(file)?;
    let mut reader = file.codec.read(&open).map_err(|error| unreadable(&error))?;
    pass(&mut reader, judge, &mut Looking { first_only }).map_err(|error| unreadable(&error))
}

/// Writes what stays, and lets the second opinion count what was read.
struct Keeping<'a, W: Write> {
    packer: Packer<W>,
    before: Tally,
    rule: &'a Rule<'a>,
    halt: &'a Halt,
}

impl<W: Write> Sink for Keeping<'_, W> {
    fn read(&mut self, bytes: &[u8]) {
        self.before.feed(bytes, self.rule);
    }

    fn keep(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.halt.is_worth_it().map_err(io::Error::other)?;
        self.packer.write_all(bytes)
    }
}

/// Rewrites a file, unless no line of it goes or changes. With `may_remove` a file that nothing would be left of goes.
pub(super) fn rewrite(
    place: &Place,
    file: &LogFile,
    (judge, rule): (&dyn Judge, &Rule<'_>),
    may_remove: bool,
    halt: &Halt,
) -> Result<Done, Failure> {
    let sum = look(place, file, judge, !may_remove)?;
    if sum.mine == 0 {
        return Ok(Done { sum, removed: false });
    }
    let (open, is) = place.read(file)?;
    if may_remove && sum.mine == sum.lines {
        return whole(place, file, &open, (rule, halt), sum);
    }
    let part = name(file, &format!("part-{}", file.is.inode))?;
    let new = create(place, &part)?;
    let written = write(file, &open, &new, (judge, rule, halt))
        .and_then(|sum| dress(&new, &is).map(|()| sum))
        .and_then(|sum| new.sync_all().map_err(|error| unwritable(&error)).map(|()| sum))
        // Up to here nothing has gone.
        .and_then(|sum| halt.may().map(|()| sum));
    let sum = match written {
        Ok(sum) => sum,
        Err(failure) => {
            let _ = rustix::fs::unlinkat(&place.directory, &part, rustix::fs::AtFlags::empty());
            return Err(failure);
        }
    };
    put(place, file, (&part, &new), is.stx_size)?;
    Ok(Done { sum, removed: false })
}

/// Removes a file that holds nobody else's line, if the second opinion says so too.
fn whole(
    place: &Place,
    file: &LogFile,
    open: &File,
    (rule, halt): (&Rule<'_>, &Halt),
    sum: Sum,
) -> Result<Done, Failure> {
    let again = file.codec.read(open).and_then(|reader| Tally::of(reader, rule)).map_err(|error| unreadable(&error))?;
    if again.others > 0 || again.mine != sum.mine {
        return Err(differs());
    }
    halt.may()?;
    place.remove(&file.name, file.is)?;
    place.sync()?;
    Ok(Done { sum, removed: true })
}

/// A name in the directory that says what lies under it.
pub(super) fn name(file: &LogFile, what: &str) -> Result<CString, Failure> {
    let codec = match file.codec {
        Codec::Plain => "",
        Codec::Gzip => ".gz",
        Codec::Zstd => ".zst",
    };
    CString::new(format!(".{}.gallra-{what}{codec}", file.log))
        .map_err(|_| Failure::new(Code::Target, "a log's name has a NUL in it"))
}

/// Makes a file that only the agent can read.
pub(super) fn create(place: &Place, name: &CStr) -> Result<File, Failure> {
    let how = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let new = rustix::fs::openat(&place.directory, name, how, Mode::RUSR | Mode::WUSR)
        .map_err(|errno| trouble("making a file beside a log", errno))?;
    Ok(File::from(new))
}

/// Writes what stays of an open file, and reads it again: everybody else's lines are in it, and none of the subject's.
fn write(
    file: &LogFile,
    mut open: &File,
    mut new: &File,
    (judge, rule, halt): (&dyn Judge, &Rule<'_>, &Halt),
) -> Result<Sum, Failure> {
    let packer = Packer::new(file.codec, BufWriter::with_capacity(CHUNK, new)).map_err(|error| unwritable(&error))?;
    let mut keeping = Keeping { packer, before: Tally::default(), rule, halt };
    let mut reader = file.codec.read(&mut open).map_err(|error| unreadable(&error))?;
    let passed = pass(&mut reader, judge, &mut keeping);
    halt.is_worth_it()?;
    let sum = passed.map_err(|error| unreadable(&error))?;
    let before = keeping.before;
    keeping.packer.finish().and_then(|mut out| out.flush()).map_err(|error| unwritable(&error))?;
    io::Seek::rewind(&mut new).map_err(|error| unwritable(&error))?;
    let reader = file.codec.read(new).map_err(|error| unwritable(&error))?;
    let changed = if matches!(rule.wanted, Wanted::Of(_, Act::Anonymise)) { before.runs() } else { &[] };
    let after = Tally::without(reader, rule, changed).map_err(|error| unwritable(&error))?;
    if after.mine > 0 || before.mine != sum.mine {
        return Err(differs());
    }
    if before.same_others(&after) { Ok(sum) } else { Err(differs()) }
}

fn differs() -> Failure {
    Failure::new(
        Code::OthersChanged,
        "what would be left of a log does not hold exactly everybody else's lines: it was thrown away, and the log is as it was",
    )
}

/// Gives a new file the owner, group, mode and times of the old.
pub(super) fn dress(new: impl AsFd, is: &Statx) -> Result<(), Failure> {
    let dressing = |errno| trouble("giving the new file the owner, mode and time of the old", errno);
    let (user, group) = (rustix::fs::Uid::from_raw(is.stx_uid), rustix::fs::Gid::from_raw(is.stx_gid));
    rustix::fs::fchown(&new, Some(user), Some(group)).map_err(dressing)?;
    rustix::fs::fchmod(&new, Mode::from_raw_mode(u32::from(is.stx_mode) & 0o7777)).map_err(dressing)?;
    let time = |at: rustix::fs::StatxTimestamp| Timespec { tv_sec: at.tv_sec, tv_nsec: at.tv_nsec.into() };
    let times = Timestamps { last_access: time(is.stx_atime), last_modification: time(is.stx_mtime) };
    rustix::fs::futimens(&new, &times).map_err(dressing)
}

/// Puts the finished new file in the old one's place, and removes the old, if nobody wrote to it after so much of it was read
/// and nobody is about to.
pub(super) fn put(place: &Place, file: &LogFile, (part, new): (&CStr, &File), read: u64) -> Result<(), Failure> {
    let new = about(new).map_err(|errno| trouble("looking at the new file", errno))?;
    let new = Id::of(&new);
    let done = name(file, &format!("done-{}-{}", file.is.inode, new.inode))?;
    rustix::fs::renameat_with(&place.directory, part, &place.directory, &done, RenameFlags::NOREPLACE)
        .map_err(|errno| trouble("naming the new file", errno))?;
    exchange(place, &done, new, &file.name, file.is)?;
    place.sync()?;
    if is_written(place, &done, file, read)? {
        exchange(place, &done, file.is, &file.name, new)?;
        place.remove(&done, new)?;
        return Err(Failure::new(
            Code::Target,
            "a process opened a log while it was being rewritten: the log is as that process left it; name its writer, \
             or try again when it is done",
        ));
    }
    place.remove(&done, file.is)?;
    place.sync()
}

/// Whether the file that was taken out of the way was written to since it was read, or is open to be.
fn is_written(place: &Place, name: &CStr, file: &LogFile, read: u64) -> Result<bool, Failure> {
    if !live::held(std::slice::from_ref(file))?.is_empty() {
        return Ok(true);
    }
    let (_, is) = place.read(&LogFile { name: name.to_owned(), ..file.clone() })?;
    Ok(is.stx_size != read)
}

/// Exchanges two names, and puts them back if they were not what they should be: rotation does not wait for anybody.
pub(super) fn exchange(place: &Place, one: &CStr, is_one: Id, other: &CStr, is_other: Id) -> Result<(), Failure> {
    let swap = || {
        rustix::fs::renameat_with(&place.directory, one, &place.directory, other, RenameFlags::EXCHANGE)
            .map_err(|errno| trouble("exchanging the new file for the old", errno))
    };
    swap()?;
    if place.id(one)? == Some(is_other) && place.id(other)? == Some(is_one) {
        return Ok(());
    }
    swap()?;
    if place.id(one)? == Some(is_one) {
        rustix::fs::unlinkat(&place.directory, one, rustix::fs::AtFlags::empty())
            .map_err(|errno| trouble("removing the new file", errno))?;
    }
    Err(Failure::new(
        Code::Target,
        "a log was rotated while it was being rewritten: it is as it was, and is tried again later",
    ))
}
