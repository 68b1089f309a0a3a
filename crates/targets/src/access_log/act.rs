//! One act on all files of the logs, in its order: clean up after an act that was stopped, move the live logs aside that
//! have something to lose, wait for their writer, rewrite, move what was aside to the rotated files. Upholds I11
//! and I6 by that order; asks the permit before each file, and listens for a stop while it is rewritten.

use std::collections::HashSet;

use gallra_model::receipt::Code;

use crate::driver::{Boundary, Failure};

use super::config::Config;
use super::crew::{Acting, Halt, each, may};
use super::place::{LogFile, Place, Role};
use super::raw::Rule;
use super::rewrite::{look, rewrite};
use super::stream::Sum;
use super::subject::Judge;
use super::{join, live};

/// What an act came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Came {
    /// Lines seen in the files that were read.
    pub(super) sum: Sum,
    /// Files of which nothing was left.
    pub(super) removed: u64,
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
    if place.list(config)?.iter().any(join::is_unfinished) {
        // What lies about can hold lines of whom a hold covers by now.
        may(boundary)?;
    }
    let gone = join::recover(place, config, judge)?;
    let in_place = put_aside(place, config, judge, boundary)?;
    let mut files = place.list(config)?;
    files.retain(|file| file.role != Role::Live || in_place.contains(&file.is.inode));
    settle(place, config, &files)?;
    let held = live::held(&files)?;
    let one = |file: &LogFile, halt: &Halt| {
        if held.contains(&file.is.inode) && look(place, file, judge, true)?.mine > 0 {
            return Err(Failure::new(
                Code::Target,
                "a rotated log with lines that must go is still being written to: try again when that process has \
                 opened its logs anew",
            ));
        }
        rewrite(place, file, (judge, rule), may_remove && file.role != Role::Live, halt)
    };
    let done = each(&files, &mut Acting(boundary), &one);
    // Also when it was stopped: whatever is in it, a file that waits is not forgotten beside the log.
    join::all(place, config)?;
    let mut came = Came::default();
    came.sum.mine += gone;
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
