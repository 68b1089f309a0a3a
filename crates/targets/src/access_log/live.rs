//! The log that somebody writes: moved aside without losing a line, the writer told to open its log anew, and nothing
//! done to the old file before no process can write to it. Upholds I11: a line that was written while we act is in the old
//! file or in the new one.
//!
//! The signal goes to the process whose number its own file names, and only if that process holds the log open.

use std::collections::HashSet;
use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::inotify;
use rustix::process::{Pid, PidfdFlags, Signal};

use gallra_model::receipt::Code;

use crate::driver::Failure;
use crate::tree::trouble;

use super::config::Writer;
use super::place::{Id, LogFile, Place, about};
use super::rewrite::{create, dress, exchange};

/// Nanoseconds between two looks at who holds a file, when the system says nothing before.
const LOOK_AGAIN: i64 = 50_000_000;
/// Files that were moved aside and wait, of one log: more are a sign that something is wrong.
const MOST_ASIDE: u32 = 100;

/// Moves a live log aside: an empty file with its owner and mode takes its place in one step. Returns what it is now.
pub(super) fn aside(place: &Place, live: &LogFile) -> Result<LogFile, Failure> {
    let (_, is) = place.read(live)?;
    let mut numbers = 1..=MOST_ASIDE;
    let (name, new) = loop {
        let Some(number) = numbers.next() else {
            return Err(Failure::new(Code::Target, "too many files of this log wait beside it: look at its directory"));
        };
        let name = CString::new(format!("{}.gallra-{number}", live.log))
            .map_err(|_| Failure::new(Code::Target, "a log's name has a NUL in it"))?;
        if place.id(&name)?.is_none() {
            let new = create(place, &name)?;
            break (name, new);
        }
    };
    dress(&new, &is)?;
    new.sync_all().map_err(|error| Failure::new(Code::Target, format!("writing an empty log to disk: {error}")))?;
    let new = about(&new).map_err(|errno| trouble("looking at the empty log", errno))?;
    exchange(place, &name, Id::of(&new), &live.name, live.is)?;
    place.sync()?;
    Ok(LogFile { name, role: super::place::Role::Aside, ..live.clone() })
}

/// Which of these files some process may write to.
pub(super) fn held(files: &[LogFile]) -> Result<HashSet<u64>, Failure> {
    let mut held = HashSet::new();
    let unseen = |error: io::Error| {
        Failure::new(Code::Target, format!("who writes to a log could not be seen in /proc (it takes root): {error}"))
    };
    let own = std::process::id().to_string();
    for process in fs::read_dir("/proc").map_err(unseen)? {
        let process = process.map_err(unseen)?;
        let number = process.file_name();
        let is_other = number.to_str().is_some_and(|name| name != own && name.bytes().all(|b| b.is_ascii_digit()));
        if is_other {
            writes(&process.path(), files, &mut held).or_else(gone).map_err(unseen)?;
        }
    }
    Ok(held)
}

/// A process that ended meanwhile holds nothing.
fn gone(error: io::Error) -> io::Result<()> {
    let ended =
        error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error());
    if ended { Ok(()) } else { Err(error) }
}

/// Adds the inodes of `files` that a process has open for writing.
fn writes(process: &Path, files: &[LogFile], held: &mut HashSet<u64>) -> io::Result<()> {
    for descriptor in fs::read_dir(process.join("fd"))? {
        let descriptor = descriptor?;
        let Ok(is) = fs::metadata(descriptor.path()) else { continue };
        if !is.is_file() || !files.iter().any(|file| same(file, &is)) {
            continue;
        }
        let info = fs::read_to_string(process.join("fdinfo").join(descriptor.file_name()))
            .or_else(|error| gone(error).map(|()| String::new()))?;
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
        if flags.is_some_and(|flags| flags & 0o3 != 0) {
            held.insert(is.ino());
        }
    }
    Ok(())
}

fn same(file: &LogFile, is: &fs::Metadata) -> bool {
    let device = (rustix::fs::major(is.dev()), rustix::fs::minor(is.dev()));
    file.is == Id { device, inode: is.ino() }
}

/// Tells the writer to open its logs anew, if it is the one that holds one of these.
pub(super) fn signal(writer: &Writer, files: &[LogFile]) -> Result<(), Failure> {
    let pid = read_pid(&writer.pid_file)?;
    let wrong = |what: &str| Failure::new(Code::Target, format!("{what}: the process was not signalled"));
    // From here on the number cannot come to mean another process.
    let process = rustix::process::pidfd_open(pid, PidfdFlags::empty())
        .map_err(|_| wrong("the process that writer.pid_file names is not running, and another one holds the log"))?;
    let mut held = HashSet::new();
    let path = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    writes(&path, files, &mut held).map_err(|error| wrong(&format!("what writer.pid_file names: {error}")))?;
    if held.is_empty() {
        return Err(wrong("the process that writer.pid_file names does not hold the log open, and another one does"));
    }
    rustix::process::pidfd_send_signal(process, Signal::USR1).map_err(|errno| trouble("signalling the writer", errno))
}

/// A signal kills who does not expect it: the number is believed only where nobody but the file's owner may change it.
fn read_pid(path: &Path) -> Result<Pid, Failure> {
    let wrong = |what: &str| Failure::new(Code::Target, format!("writer.pid_file {what}: the log stays as it is"));
    let file = File::open(path).map_err(|error| wrong(&format!("cannot be opened ({error})")))?;
    let is = file.metadata().map_err(|error| wrong(&format!("cannot be looked at ({error})")))?;
    let ours = [0, rustix::process::geteuid().as_raw()].contains(&is.uid());
    if !is.is_file() || !ours || is.mode() & 0o022 != 0 {
        return Err(wrong("is not root's own, or others may write to it"));
    }
    let mut text = String::new();
    io::Read::read_to_string(&mut io::Read::take(file, 32), &mut text).map_err(|_| wrong("is no number"))?;
    let number: i32 = text.trim().parse().map_err(|_| wrong("is no number"))?;
    Pid::from_raw(number).filter(|pid| pid.as_raw_nonzero().get() > 1).ok_or_else(|| wrong("is no number of a process"))
}

/// Waits until nobody can write to any of these files.
pub(super) fn wait(place: &Place, files: &[LogFile], seconds: u32) -> Result<(), Failure> {
    let now = || rustix::time::clock_gettime(rustix::time::ClockId::Monotonic).tv_sec;
    let until = now() + i64::from(seconds);
    let waiting = |errno| trouble("waiting for the writer", errno);
    let events = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).map_err(waiting)?;
    for file in files {
        let (open, _) = place.read(file)?;
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&open));
        inotify::add_watch(&events, path, inotify::WatchFlags::CLOSE_WRITE).map_err(waiting)?;
    }
    let mut room = [std::mem::MaybeUninit::uninit(); 4096];
    while !held(files)?.is_empty() {
        if now() >= until {
            return Err(Failure::new(
                Code::Target,
                "a process still writes to a log that was moved aside or rotated: its lines are kept, and the job goes \
                 on when that process has let go of it (an Apache child with a long request?); see docs/targets",
            ));
        }
        let mut polled = [PollFd::new(&events, PollFlags::IN)];
        let pause = Timespec { tv_sec: 0, tv_nsec: LOOK_AGAIN };
        match rustix::event::poll(&mut polled, Some(&pause)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(waiting(errno)),
        }
        let mut reader = inotify::Reader::new(&events, &mut room);
        while reader.next().is_ok() {}
    }
    Ok(())
}
