//! Searches the database's files byte by byte, past SQLite: live pages, free pages, the write-ahead log, the journal.
//! Reads only. No session of this process may be open meanwhile (see `TURN`).

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::{Sqlite, broken, is_plain_file};
use crate::driver::Failure;
use crate::sql::matcher::{Matcher, Stream};

/// Bytes read at a time.
const PIECE: usize = 1 << 20;

/// Hits of each needle in all files together. Journal and log come first: what another program moves from them into the
/// database during the search is then seen at least once.
pub(super) fn search(database: &Sqlite, needles: &[Vec<u8>]) -> Result<Vec<u64>, Failure> {
    is_plain_file(&database.path)?;
    let matcher = Matcher::new(needles);
    let mut hits = vec![0; needles.len()];
    for ending in ["-journal", "-wal"] {
        if let Some(file) = open(&database.beside(ending))? {
            count(file, &matcher, &mut hits)?;
        }
    }
    let Some(file) = open(&database.path)? else {
        return Err(broken(&ErrorKind::NotFound.into(), "opening the database file for the byte search"));
    };
    count(file, &matcher, &mut hits)?;
    Ok(hits)
}

fn open(path: &Path) -> Result<Option<File>, Failure> {
    let flags = (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::CLOEXEC).bits().cast_signed();
    match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(broken(&error, "opening the database's files for the byte search")),
    }
}

fn count(mut file: File, matcher: &Matcher<'_>, hits: &mut [u64]) -> Result<(), Failure> {
    let mut stream = Stream::new(matcher);
    let mut piece = vec![0; PIECE];
    loop {
        let read = match file.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(broken(&error, "reading the database's files for the byte search")),
        };
        stream.take(piece.get(..read).unwrap_or_default(), &mut |index| {
            if let Some(hits) = hits.get_mut(index) {
                *hits += 1;
            }
        });
    }
}
