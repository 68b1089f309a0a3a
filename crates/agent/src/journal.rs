//! The journal's file: one line a record, a checksum before it, durable before [`Journal::append`] returns. A line that a
//! crash tore at the end is cut off: its append never returned, so nothing was done under it. Damage anywhere else stops
//! the agent. Knows no meaning of records beyond replaying them to shorten the file; the file itself is `disk`'s.
//! Upholds I4.

mod disk;

use std::path::{Path, PathBuf};

use gallra_flow::agent::record::{Record, Replayed};
use gallra_model::Digest;
use gallra_model::journal::JournalMark;
use gallra_planted::Bug;

use crate::dir::DirError;

pub use disk::{Disk, File};

/// Size in bytes from which [`Journal::compact`] shortens the file.
pub const COMPACT_BYTES: u64 = 256 * 1024;

/// Hex characters of the SHA-256 of a record that stand before it.
const CHECK_CHARS: usize = 16;

/// The journal cannot be used: nothing may be done until it can.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system refused.
    #[error(transparent)]
    File(#[from] DirError),
    /// A record before the last is unreadable.
    #[error(
        "the journal {} is damaged at line {line}: what was begun there is unknown. Restore the file if a copy exists; \
         else move it away, join again under a new name, and have the coordinator's operator retry this agent's jobs",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Counts from 1.
        line: usize,
    },
    /// A record could not be written as text.
    #[error("a journal record cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// An open journal.
pub struct Journal {
    path: PathBuf,
    disk: Box<dyn Disk>,
    bytes: u64,
    /// Its size when it was last shortened; 0 while it was not since the start.
    shortest: u64,
    mark: JournalMark,
}

/// One record as a line.
fn line_of(record: &Record) -> Result<String, serde_json::Error> {
    let json = serde_json::to_string(record)?;
    let sum = Digest::of(json.as_bytes()).to_string();
    Ok(format!("{} {json}\n", sum.get(..CHECK_CHARS).unwrap_or(&sum)))
}

/// The mark after one record that was read.
fn moved(mark: JournalMark, record: &Record) -> Result<JournalMark, serde_json::Error> {
    match record {
        Record::Origin { mark } => Ok(*mark),
        Record::Generation { .. }
        | Record::Begin(_)
        | Record::Mark { .. }
        | Record::Order { .. }
        | Record::End(_)
        | Record::Last { .. }
        | Record::Checkpoint { .. }
        | Record::Stored { .. } => Ok(mark.after(line_of(record)?.as_bytes())),
    }
}

/// One line, without its end, as a record.
fn record_of(line: &[u8]) -> Option<Record> {
    let (sum, rest) = line.split_at_checked(CHECK_CHARS)?;
    let json = rest.strip_prefix(b" ")?;
    let expected = Digest::of(json).to_string();
    (expected.as_bytes().get(..CHECK_CHARS) == Some(sum)).then_some(())?;
    serde_json::from_slice(json).ok()
}

/// Reads a journal's bytes: its records, and how many bytes they fill. What follows is torn.
///
/// # Errors
/// The number of the unreadable line (from 1), if another line follows it.
pub fn parse(bytes: &[u8]) -> Result<(Vec<Record>, usize), usize> {
    let mut records = Vec::new();
    let mut good = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(record) = line.strip_suffix(b"\n").and_then(record_of) else {
            let is_last = good + line.len() == bytes.len();
            // A line's end is written last, so a torn line has none, or has the holes that a disk leaves. A bad line with
            // its end and without holes was whole once, and may be two: cutting it could lose what was synced.
            let torn = !line.ends_with(b"\n") || line.contains(&0);
            return if is_last && torn { Ok((records, good)) } else { Err(records.len() + 1) };
        };
        records.push(record);
        good += line.len();
    }
    Ok((records, good))
}

impl Journal {
    /// Opens or makes the journal at `path`, cuts off a torn last line, and returns what it holds.
    ///
    /// # Errors
    /// When the file system refuses, or a record before the last is damaged.
    pub fn open(path: &Path) -> Result<(Self, Vec<Record>), JournalError> {
        Self::on(Box::new(File::open(path)?), path)
    }

    /// The same on any disk; `path` is only what errors name.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn on(mut disk: Box<dyn Disk>, path: &Path) -> Result<(Self, Vec<Record>), JournalError> {
        let bytes = disk.read()?;
        let (records, good) = parse(&bytes).map_err(|line| JournalError::Damaged { path: path.to_owned(), line })?;
        if good < bytes.len() {
            tracing::warn!(bytes = bytes.len() - good, "cut a torn line off the journal: its act was never begun");
            disk.cut(good as u64)?;
        }
        // What was read may still be in memory only: it is durable before anything follows from it.
        disk.sync()?;
        let mut mark = JournalMark::start();
        for record in &records {
            mark = moved(mark, record)?;
        }
        Ok((Self { path: path.to_owned(), disk, bytes: good as u64, shortest: 0, mark }, records))
    }

    /// Appends one record; when this returns, it is on the disk. After an error the journal must not be used further.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn append(&mut self, record: &Record) -> Result<(), JournalError> {
        let line = line_of(record)?;
        self.disk.append(line.as_bytes())?;
        if !gallra_planted::is(Bug::JournalNotSynced) {
            self.disk.sync()?;
        }
        self.bytes += line.len() as u64;
        self.mark = self.mark.after(line.as_bytes());
        Ok(())
    }

    /// How far it has come.
    pub fn mark(&self) -> JournalMark {
        self.mark
    }

    /// Replaces a journal larger than [`COMPACT_BYTES`] by the shortest one that comes to the same. A crash in between
    /// leaves the one or the other.
    ///
    /// # Errors
    /// When the file system refuses; the old journal is still whole.
    pub fn compact(&mut self) -> Result<(), JournalError> {
        // A journal that stays long is not written anew over and over.
        if self.bytes > COMPACT_BYTES.max(2 * self.shortest) { self.shorten() } else { Ok(()) }
    }

    fn shorten(&mut self) -> Result<(), JournalError> {
        let bytes = self.disk.read()?;
        let damaged = |line| JournalError::Damaged { path: self.path.clone(), line };
        let (records, _) = parse(&bytes).map_err(damaged)?;
        // The mark goes on from here: a shortened journal is no older one.
        let mut text = line_of(&Record::Origin { mark: self.mark })?;
        for record in Replayed::of(records).into_records() {
            text.push_str(&line_of(&record)?);
        }
        self.disk.replace(text.as_bytes())?;
        self.bytes = text.len() as u64;
        self.shortest = self.bytes;
        Ok(())
    }
}

#[cfg(test)]
mod loss;
#[cfg(test)]
mod tests;
