//! The `access-log` driver: the lines of one subject out of the live and rotated logs of a web server, and lines of any
//! subject that are too old. Owns what the logs' directory holds under the logs' names. Refuses to know what a visit
//! means. Upholds I11: everybody else's line is there afterwards, once; and the writer never writes into nowhere. What
//! it does, in which order, and what it cannot remove is in `docs/targets/access-logs.md`.

mod act;
mod config;
mod crew;
mod format;
#[doc(hidden)]
pub mod fuzzing;
mod join;
mod json;
mod live;
mod mask;
mod needle;
mod place;
mod purge;
mod raw;
mod rewrite;
mod second;
mod stream;
mod subject;
#[cfg(test)]
mod tests;
mod time;

use std::cell::RefCell;

use gallra_model::Instant;
use gallra_model::outcome::Counts;
use gallra_model::receipt::{Code, Tally};
use gallra_model::selector::Selector;
use gallra_model::target::TargetKind;

use crate::driver::{Boundary, Confirmation, Driver, Failure, Inspection, PurgeOrder, Purged};

pub use config::{Act, Config, SubjectBy, Writer};
pub use format::{Fields, Format, Names};

use place::{LogFile, Place, Role};
use raw::{Rule, Wanted};
use second::Mark;
use stream::{Looking, Sum};
use subject::{Judge, Subject};

/// The logs of one directory.
pub struct AccessLog {
    config: Config,
    /// How far each live log was read by the last inspection: what a visitor does later is no part of the attempt.
    marks: RefCell<Vec<Mark>>,
}

/// What was seen in all files.
struct Looked {
    sum: Sum,
    others: u64,
    /// Whether something waits that an act has to put right.
    unfinished: bool,
    marks: Vec<Mark>,
}

impl AccessLog {
    /// Checks the keys. Looks at no disk, since the directory may not be mounted yet.
    ///
    /// # Errors
    /// In words, when a key could never be used safely.
    pub fn open(config: &Config) -> Result<Self, String> {
        config.check()?;
        Ok(Self { config: config.clone(), marks: RefCell::default() })
    }

    /// Reads every file from the open directory.
    fn look(&self, place: &Place, judge: &dyn Judge) -> Result<Looked, Failure> {
        let files = place.list(&self.config)?;
        let rotated: Vec<u64> = files.iter().filter(|f| f.role == Role::Rotated).map(|f| f.is.inode).collect();
        let writer = self.config.writer.is_some();
        let seen = crew::each(&files, &mut crew::Looking, &|file, _| {
            let (sum, mark) = look_at(place, file, judge, writer)?;
            let doubled = match file.role {
                Role::Live | Role::Rotated | Role::Aside => false,
                Role::Joining(inode) => rotated.contains(&inode),
                Role::Part | Role::Done(..) | Role::Strange => true,
            };
            let unfinished = !matches!(file.role, Role::Live | Role::Rotated);
            Ok((sum, mark, doubled, unfinished))
        })?;
        let mut looked = Looked { sum: Sum::default(), others: 0, unfinished: false, marks: Vec::new() };
        for (sum, mark, doubled, unfinished) in seen {
            if sum.lines > 0 && !sum.reads && !doubled {
                return Err(second::no_sentinel());
            }
            looked.sum.add(&sum);
            looked.sum.reads |= sum.reads;
            looked.others += if doubled { 0 } else { sum.lines - sum.mine };
            looked.unfinished |= unfinished;
            looked.marks.extend(mark);
        }
        let all_there = self.config.logs.iter().all(|log| files.iter().any(|file| file.log == *log));
        if all_there && looked.sum.reads { Ok(looked) } else { Err(second::no_sentinel()) }
    }
}

/// Reads one file; a live log that somebody may write only up to its last whole line.
fn look_at(place: &Place, file: &LogFile, judge: &dyn Judge, writer: bool) -> Result<(Sum, Option<Mark>), Failure> {
    match file.role {
        Role::Part => Ok((Sum::default(), None)),
        Role::Live if writer => {
            let (open, is) = place.read(file)?;
            let cut = |error: std::io::Error| rewrite::unreadable(&error);
            let length = stream::whole_lines(&open, is.stx_size).map_err(cut)?;
            let mut reader = std::io::Read::take(&open, length);
            let sum = stream::pass(&mut reader, judge, &mut Looking { first_only: false }).map_err(cut)?;
            Ok((sum, Some(Mark { log: file.log.clone(), inode: file.is.inode, length })))
        }
        Role::Live | Role::Rotated | Role::Aside | Role::Joining(_) | Role::Done(..) | Role::Strange => {
            Ok((rewrite::look(place, file, judge, false)?, None))
        }
    }
}

impl Driver for AccessLog {
    fn kind(&self) -> TargetKind {
        TargetKind::AccessLog
    }

    fn purges(&self) -> bool {
        self.config.youngest().is_some()
    }

    fn inspect(&self, selector: &Selector) -> Result<Inspection, Failure> {
        let place = Place::open(&self.config)?;
        let subject = Subject::of(&self.config, selector)?;
        let looked = self.look(&place, &subject)?;
        self.marks.replace(looked.marks);
        let found = Tally { items: looked.sum.mine, bytes: looked.sum.bytes, others: looked.others };
        let there = found.items > 0 || looked.unfinished;
        Ok(Inspection { instance: there.then_some(place.instance), found, ..Inspection::default() })
    }

    fn restrict(&self, _: &Selector, _: &Inspection) -> Result<u64, Failure> {
        Err(Failure::new(Code::Unsupported, "lines of a log cannot be put out of reach one by one: erase or anonymise"))
    }

    fn erase(&self, selector: &Selector, seen: &Inspection, boundary: &mut dyn Boundary) -> Result<Counts, Failure> {
        let place = Place::open(&self.config)?;
        if seen.instance != Some(place.instance) {
            return Err(Failure::new(
                Code::InstanceChanged,
                "the logs' directory is another one than a moment ago: inspect again and approve anew",
            ));
        }
        let subject = Subject::of(&self.config, selector)?;
        let rule = Rule { format: &self.config.format, wanted: Wanted::Of(&subject.who, self.config.act) };
        // No mark of what is there: lines leave by other hands too (rotation), so an attempt after a crash counts its own.
        let came = act::act(&place, &self.config, &subject, &rule, false, boundary)?;
        let mine = came.sum.mine;
        Ok(match self.config.act {
            Act::Erase => Counts { erased: mine, ..Counts::default() },
            Act::Anonymise => Counts { anonymised: mine, ..Counts::default() },
        })
    }

    fn confirm(&self, selector: &Selector, seen: &Inspection) -> Result<Confirmation, Failure> {
        let subject = Subject::of(&self.config, selector)?;
        let rule = Rule { format: &self.config.format, wanted: Wanted::Of(&subject.who, self.config.act) };
        second::look(&self.config, &rule, &self.marks.borrow(), seen.found.items > 0)
    }

    fn purge(&self, order: &PurgeOrder, now: Instant, boundary: &mut dyn Boundary) -> Result<Purged, Failure> {
        purge::purge(self, order, now, boundary)
    }
}
