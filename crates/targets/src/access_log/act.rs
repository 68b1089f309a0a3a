//! One act on all files of the logs, in its order: clean up after an act that was stopped, move the live logs aside that
//! have something to lose, wait for their writer, rewrite, move what was aside to the rotated files. Two files are worked
//! on at a time. Upholds I11 and I6 by that order; asks the permit before each file.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};

use gallra_model::receipt::Code;

use crate::driver::{Boundary, Failure};

use super::config::Config;
use super::place::{LogFile, Place, Role};
use super::raw::Rule;
use super::rewrite::{look, rewrite};
use super::stream::Sum;
use super::subject::Judge;
use super::{join, live};

/// Files worked on at once: what a host has to spare, and enough to hide one behind the other's disk.
const AT_ONCE: usize = 2;

/// What an act came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Came {
    /// Lines seen in the files that were read.
    pub(super) sum: Sum,
    /// Files of which nothing was left.
    pub(super) removed: u64,
    /// Whether something of an act that was stopped was put right.
    pub(super) recovered: bool,
}

/// Calls `work` with each file, two at a time, as long as `go_on` lets it. The first failure ends it.
pub(super) fn each<F: Sync, T: Send>(
    files: &[F],
    go_on: &mut dyn FnMut() -> Result<(), Failure>,
    work: &(dyn Fn(&F) -> Result<T, Failure> + Sync),
) -> Result<Vec<T>, Failure> {
    let (done, failed) = (Mutex::new((Vec::new(), None)), AtomicBool::new(false));
    let broken = || Failure::new(Code::Target, "a worker on the logs broke off");
    let stopped = std::thread::scope(|scope| {
        // Nothing waits in the queue: a file is handed over when somebody is free to work on it, and whether it may go is asked
        // then and not before, since the file before it may take longer than a permit lasts.
        let (give, take) = sync_channel::<&F>(0);
        let (idle, free) = sync_channel(AT_ONCE);
        let take = Arc::new(Mutex::new(take));
        for _ in 0..AT_ONCE.min(files.len()) {
            let (take, idle, done, failed) = (Arc::clone(&take), idle.clone(), &done, &failed);
            scope.spawn(move || {
                while idle.send(()).is_ok()
                    && let Some(file) = take.lock().ok().and_then(|take| take.recv().ok())
                {
                    let came = work(file);
                    failed.fetch_or(came.is_err(), Ordering::SeqCst);
                    let Ok(mut done) = done.lock() else { return };
                    match came {
                        Ok(came) => done.0.push(came),
                        Err(failure) => drop(done.1.get_or_insert(failure)),
                    }
                }
            });
        }
        drop((take, idle));
        for file in files {
            free.recv().map_err(|_| broken())?;
            go_on()?;
            if failed.load(Ordering::SeqCst) {
                break;
            }
            give.send(file).map_err(|_| broken())?;
        }
        Ok(())
    });
    let (came, failure) = done.into_inner().map_err(|_| broken())?;
    failure.map_or(stopped, Err).map(|()| came)
}

/// The permit's answer, as a failure.
pub(super) fn may(boundary: &mut dyn Boundary) -> Result<(), Failure> {
    if boundary.may_go_on() {
        return Ok(());
    }
    Err(Failure::new(Code::Stopped, "stopped between two files: each file is as it was, or done"))
}

/// Carries an act out on every file. With `may_remove` a rotated file that nothing would be left of goes.
pub(super) fn act(
    place: &Place,
    config: &Config,
    judge: &dyn Judge,
    rule: &Rule<'_>,
    may_remove: bool,
    boundary: &mut dyn Boundary,
) -> Result<Came, Failure> {
    let recovered = join::recover(place, config)?;
    let in_place = put_aside(place, config, judge, boundary)?;
    let mut files = place.list(config)?;
    files.retain(|file| file.role != Role::Live || in_place.contains(&file.is.inode));
    settle(place, config, &files)?;
    let held = live::held(&files)?;
    let one = |file: &LogFile| {
        if held.contains(&file.is.inode) && look(place, file, judge, true)?.mine > 0 {
            return Err(Failure::new(
                Code::Target,
                "a rotated log with lines that must go is still being written to: try again when that process has \
                 opened its logs anew",
            ));
        }
        rewrite(place, file, judge, rule, may_remove && file.role != Role::Live)
    };
    let done = each(&files, &mut || may(boundary), &one);
    // Also when it was stopped: whatever is in it, a file that waits is not forgotten beside the log.
    join::all(place, config)?;
    let mut came = Came { recovered, ..Came::default() };
    for done in done? {
        came.sum.add(&done.sum);
        came.removed += u64::from(done.removed);
    }
    Ok(came)
}

/// Moves each live log aside that has something to lose, where somebody may write it. The others' inodes are returned:
/// they are rewritten where they are.
fn put_aside(
    place: &Place,
    config: &Config,
    judge: &dyn Judge,
    boundary: &mut dyn Boundary,
) -> Result<HashSet<u64>, Failure> {
    let mut in_place = HashSet::new();
    for file in place.list(config)?.into_iter().filter(|file| file.role == Role::Live) {
        if look(place, &file, judge, true)?.mine == 0 {
            continue;
        }
        may(boundary)?;
        if config.writer.is_some() {
            live::aside(place, &file)?;
        } else if live::held(std::slice::from_ref(&file))?.is_empty() {
            in_place.insert(file.is.inode);
        } else {
            return Err(Failure::new(
                Code::Target,
                "a process writes to the log, and the target has no writer: name its pid_file, else lines would be lost",
            ));
        }
    }
    Ok(in_place)
}

/// Has the writer let go of what was moved aside, now or before a crash.
fn settle(place: &Place, config: &Config, files: &[LogFile]) -> Result<(), Failure> {
    let aside: Vec<LogFile> = files.iter().filter(|file| file.role == Role::Aside).cloned().collect();
    if aside.is_empty() || live::held(&aside)?.is_empty() {
        return Ok(());
    }
    let Some(writer) = &config.writer else {
        return Err(Failure::new(
            Code::Target,
            "a process writes to a log that was moved aside, and the target has no writer",
        ));
    };
    live::signal(writer, &aside)?;
    live::wait(place, &aside, writer.reopen_seconds)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::{Condvar, PoisonError};
    use std::time::Duration;

    use super::*;

    /// How long each file takes: long enough for a question that comes too early.
    const EARLY: Duration = Duration::from_millis(50);

    #[test]
    fn whether_a_file_may_go_is_asked_when_somebody_is_free_to_begin_with_it() {
        let (at_work, asked, bell) = (AtomicUsize::new(0), Mutex::new(0_usize), Condvar::new());
        let files: Vec<usize> = (0..6).collect();
        let mut may = || {
            assert!(at_work.load(Ordering::SeqCst) < AT_ONCE, "asked while nobody could begin");
            *asked.lock().expect("no panic while held") += 1;
            bell.notify_all();
            Ok(())
        };
        let work = |file: &usize| {
            at_work.fetch_add(1, Ordering::SeqCst);
            // A long file: the next but one must not be asked for during it.
            let asked = asked.lock().expect("no panic while held");
            let early = bell.wait_timeout_while(asked, EARLY, |asked| *asked < file + 1 + AT_ONCE);
            drop(early.unwrap_or_else(PoisonError::into_inner));
            at_work.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        };
        assert_eq!(each(&files, &mut may, &work).map(|done| done.len()), Ok(files.len()));
    }
}
