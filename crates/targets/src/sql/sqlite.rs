//! SQLite's seat behind the engine traits: one database file. Never creates it, never follows a symbolic link to it.
//! Pages, logs and journals are in `raw` and `scrub`; what is owed after a crash is in `owed`.

mod older;
mod owed;
mod raw;
mod scrub;
mod session;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gallra_model::receipt::Code;
use gallra_model::target::Instance;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::engine::{Engine, Session, Turn};
use crate::driver::Failure;

/// Closing any handle on a database file drops the locks that SQLite holds on it for the whole process, and `raw` opens
/// and closes such handles. So no two calls may work on SQLite files at once.
static TURN: Mutex<()> = Mutex::new(());

/// One database file.
pub(super) struct Sqlite {
    path: PathBuf,
    wait: Duration,
}

impl Sqlite {
    /// Touches nothing: the file may not be there yet.
    pub(super) fn new(path: PathBuf, wait: Duration) -> Self {
        Self { path, wait }
    }

    fn connect(&self, flags: OpenFlags) -> Result<Connection, Failure> {
        is_plain_file(&self.path)?;
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let open = || {
            let connection = Connection::open_with_flags(&self.path, flags)?;
            connection.busy_timeout(self.wait)?;
            // A misspelt name in double quotes must be an error, never a text that matches nothing.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
            Ok(connection)
        };
        open().map_err(|error| answered(&error, "opening the database"))
    }

    /// A connection that may write, with no transaction begun.
    fn writer(&self) -> Result<Connection, Failure> {
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection
            .execute_batch("PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;")
            .map_err(|error| answered(&error, "opening the database"))?;
        Ok(connection)
    }

    /// The file that SQLite (or this driver) keeps beside the database under this ending.
    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(ending);
        PathBuf::from(name)
    }
}

impl Engine for Sqlite {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn turn(&self) -> Turn {
        TURN.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self) -> Result<Box<dyn Session>, Failure> {
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        Ok(Box::new(session::Sqlite::begin(connection, "BEGIN")?))
    }

    fn begin(&self) -> Result<Box<dyn Session>, Failure> {
        let connection = self.writer()?;
        Ok(Box::new(session::Sqlite::begin(connection, "BEGIN IMMEDIATE")?))
    }

    fn search(&self, needles: &[Vec<u8>]) -> Result<Vec<u64>, Failure> {
        raw::search(self, needles)
    }

    fn scrub(&self) -> Result<(), Failure> {
        scrub::scrub(self)?;
        owed::settle(self)
    }

    fn remember(&self, marks: &[&str], instance: Instance) -> Result<(), Failure> {
        owed::remember(self, marks, instance)
    }

    fn owed(&self, marks: &[&str]) -> Result<Option<Instance>, Failure> {
        owed::find(self, marks)
    }
}

/// The file must be there, as itself.
fn is_plain_file(path: &Path) -> Result<(), Failure> {
    let missing = || {
        Failure::new(Code::SentinelMissing, "the database file is not there: is its disk mounted, is `database` right?")
    };
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => {
            Err(Failure::new(Code::Target, "`database` is a symbolic link: write the file's real path in agent.toml"))
        }
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err(missing()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Err(missing()),
        Err(error) => Err(broken(&error, "looking for the database file")),
    }
}

/// An error of the operating system, without the path.
fn broken(error: &std::io::Error, doing: &str) -> Failure {
    Failure::new(Code::Target, format!("{doing}: {}", error.kind()))
}

/// An error of SQLite in our words: its own may quote data (a trigger's text does).
fn answered(error: &rusqlite::Error, doing: &str) -> Failure {
    use rusqlite::ErrorCode as E;
    let Some(code) = error.sqlite_error_code() else {
        return Failure::new(Code::Target, format!("{doing}: SQLite's answer could not be read"));
    };
    let extended = error.sqlite_error().map_or(0, |error| error.extended_code);
    let foreign_key = extended == rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY;
    let why = if matches!(code, E::DatabaseBusy | E::DatabaseLocked) {
        "another program held the database's lock for longer than `wait_seconds`: find it, or raise the wait"
    } else if foreign_key || extended == rusqlite::ffi::SQLITE_CONSTRAINT_TRIGGER {
        "a foreign key forbids it (rows of another table still refer to these), or a trigger does"
    } else if code == E::ConstraintViolation {
        "a constraint of the table forbids it (unique, not null, check or a strict type)"
    } else if matches!(code, E::NotADatabase | E::DatabaseCorrupt) {
        "the file is no SQLite database, is encrypted, or is damaged"
    } else if code == E::CannotOpen {
        "the file cannot be opened: no part of `database` may be a symbolic link, and the agent needs access to its \
         folder"
    } else if code == E::ReadOnly {
        "the file or its folder cannot be written, or a crash left a journal that a program with write access must \
         first roll back"
    } else if code == E::DiskFull {
        "the disk is full: scrubbing needs as much free space again as the database takes"
    } else {
        "SQLite refused; look its number up in SQLite's list of result codes"
    };
    Failure::new(Code::Target, format!("{doing}: {why} (SQLite result {extended})"))
}
