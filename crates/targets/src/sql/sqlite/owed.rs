//! Remembers, beside the database, that rows went and a scrub must still follow, so that a crash in between cannot turn
//! into "nothing there" (I6). The note holds no identifier: a salted digest tells only who already knows the id that it
//! is meant. A scrub covers the whole database and so settles all notes at once.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;

use gallra_model::digest::Digest;
use gallra_model::receipt::Code;
use gallra_model::target::Instance;
use serde::{Deserialize, Serialize};

use super::{Sqlite, answered, broken};
use crate::driver::Failure;

/// Ending of the note's file.
const ENDING: &str = ".gallra-owed";
/// Notes that one file may hold; each is one interrupted erasure.
const MAX_NOTES: usize = 10_000;
/// Largest file read, in bytes.
const MAX_BYTES: u64 = 1 << 22;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    salt: Digest,
    subject: Digest,
    instance: Instance,
}

/// Adds a note.
pub(super) fn remember(database: &Sqlite, marks: &[&str], instance: Instance) -> Result<(), Failure> {
    let mut notes = read(database)?;
    if notes.iter().any(|note| note.instance == instance && note.subject == subject(&note.salt, marks)) {
        return Ok(());
    }
    if notes.len() >= MAX_NOTES {
        return Err(Failure::new(Code::Limit, "too many erasures wait for a scrub of this database: scrub it first"));
    }
    let salt = salt(database)?;
    notes.push(Note { salt, subject: subject(&salt, marks), instance });
    write(database, &notes)
}

/// The newest note about this subject.
pub(super) fn find(database: &Sqlite, marks: &[&str]) -> Result<Option<Instance>, Failure> {
    let notes = read(database)?;
    Ok(notes.iter().rev().find(|note| note.subject == subject(&note.salt, marks)).map(|note| note.instance))
}

/// Removes all notes: a scrub is done.
pub(super) fn settle(database: &Sqlite) -> Result<(), Failure> {
    match fs::remove_file(database.beside(ENDING)) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(broken(&error, "removing the note that a scrub is owed")),
    }
}

fn subject(salt: &Digest, marks: &[&str]) -> Digest {
    let mut parts: Vec<&[u8]> = vec![b"gallra/sql/owed/v0", salt.as_bytes()];
    parts.extend(marks.iter().map(|mark| mark.as_bytes()));
    Digest::of_parts(&parts)
}

fn salt(database: &Sqlite) -> Result<Digest, Failure> {
    let random: Vec<u8> = database
        .connect(rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?
        .query_row("SELECT randomblob(32)", [], |row| row.get(0))
        .map_err(|error| answered(&error, "drawing random bytes"))?;
    Ok(Digest::of(&random))
}

fn read(database: &Sqlite) -> Result<Vec<Note>, Failure> {
    let doing = "reading the note that a scrub is owed";
    let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(database.beside(ENDING)) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(broken(&error, doing)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(|error| broken(&error, doing))?;
    serde_json::from_slice(&bytes).map_err(|_| {
        Failure::new(
            Code::Target,
            "the note that a scrub is owed (beside the database, ending in .gallra-owed) cannot be read: run VACUUM \
             on the database and empty its write-ahead log, then remove the note",
        )
    })
}

/// Whole or not at all: under a new name, synced, then renamed into place.
fn write(database: &Sqlite, notes: &[Note]) -> Result<(), Failure> {
    let path = database.beside(ENDING);
    let new = database.beside(".gallra-owed-new");
    let doing = "noting beside the database that a scrub is owed (is the folder writable?)";
    let bytes = serde_json::to_vec(notes).map_err(|_| Failure::new(Code::Target, doing))?;
    let store = || {
        match fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
    };
    store().map_err(|error| broken(&error, doing))
}
