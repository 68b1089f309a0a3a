//! Removes what deleted rows leave: the database is written anew, so that no page and no gap in a page outlives it, and
//! the write-ahead log is emptied. A rollback journal, also one that another program keeps for reuse, goes with this
//! connection's own commit. May be done any number of times.

use gallra_model::receipt::Code;

use super::{Sqlite, answered};
use crate::driver::Failure;

/// Writes the database anew and empties what lies beside it.
pub(super) fn scrub(database: &Sqlite) -> Result<(), Failure> {
    let connection = database.writer()?;
    let failed = |error: rusqlite::Error| answered(&error, "the rows are gone, but scrubbing freed pages failed");
    connection.execute_batch("VACUUM").map_err(failed)?;
    // Without a write-ahead log this does nothing and says so with a 0.
    let busy: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(failed)?;
    if busy != 0 {
        return Err(Failure::new(
            Code::Target,
            "the rows are gone, but another program reads the database and keeps its write-ahead log from being \
             emptied for longer than `wait_seconds`: end that reader; the next attempt scrubs again",
        ));
    }
    Ok(())
}
