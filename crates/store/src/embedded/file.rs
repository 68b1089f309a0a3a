//! The store's file: making it, opening it, and refusing what is not one. Owns its tables and format number; upholds
//! that a half-made store is never taken for one and that nobody but its owner can read it.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use redb::{Builder, Database, DatabaseError, ReadOnlyDatabase, ReadableDatabase, StorageError, TableDefinition};

use super::FILE_NAME;
use super::copy;
use super::error;
use super::rewrite::DRAFT_NAME;
use crate::store::StoreError;

/// Every entry: key to version and value.
pub(super) const ENTRIES: TableDefinition<'static, &[u8], (u64, &[u8])> = TableDefinition::new("entries");
/// How many bytes the version takes before the value, in a page.
pub(crate) const VERSION_BYTES: usize = 8;
/// [`REVISION`] and [`FORMAT`].
pub(super) const COUNTERS: TableDefinition<'static, &str, u64> = TableDefinition::new("counters");
/// The newest commit's number, written in that same commit.
pub(super) const REVISION: &str = "revision";
/// How the tables are laid out.
const FORMAT: &str = "format";
/// The only layout so far.
const FORMAT_NOW: u64 = 1;

/// Memory for pages of the file; design's figure for the whole process is 300 MB.
const CACHE_BYTES: usize = 128 * 1024 * 1024;

/// Makes the file under another name first, so that a crash leaves no store rather than a broken one.
pub(super) fn create(dir: &Path) -> Result<Database, StoreError> {
    let (path, draft) = (dir.join(FILE_NAME), dir.join(format!("{FILE_NAME}.new")));
    let making = |source: io::Error| error::io("making the store", &source);
    if path.try_exists().map_err(making)? {
        return Err(StoreError::Format { hint: "there is a store here already; open it".to_owned() });
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(making)?;
    let db = copy::fresh(&draft).map_err(|source| error::failed("making the store", source))?;
    fs::rename(&draft, &path).map_err(making)?;
    copy::sync_parent(&path).map_err(making)?;
    Ok(db)
}

/// Opens the file to write; the engine locks it.
pub(super) fn open(dir: &Path) -> Result<Database, StoreError> {
    let db = builder().open(dir.join(FILE_NAME)).map_err(not_opened)?;
    check_format(&db)?;
    // A copy that a crash left half made holds what is live today and may not outlast it (I12).
    match fs::remove_file(dir.join(DRAFT_NAME)) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(error::io("removing a half-made copy of the store", &source))
        }
        _ => Ok(db),
    }
}

/// Opens the file of a store that nobody has open, to read only.
pub(super) fn open_read_only(file: &Path) -> Result<ReadOnlyDatabase, StoreError> {
    let db = builder().open_read_only(file).map_err(not_opened)?;
    check_format(&db)?;
    Ok(db)
}

/// How every file of ours is opened.
pub(super) fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// Makes the tables of an empty store.
pub(super) fn lay_out(db: &Database) -> Result<(), redb::Error> {
    let write = db.begin_write()?;
    write.open_table(ENTRIES)?;
    {
        let mut counters = write.open_table(COUNTERS)?;
        counters.insert(FORMAT, FORMAT_NOW)?;
        counters.insert(REVISION, 0)?;
    }
    Ok(write.commit()?)
}

fn not_opened(source: DatabaseError) -> StoreError {
    let kind = if let DatabaseError::Storage(StorageError::Io(io)) = &source { Some(io.kind()) } else { None };
    let hint = if kind == Some(io::ErrorKind::NotFound) {
        "there is no store in this directory; check the path, or make one with init".to_owned()
    } else if kind == Some(io::ErrorKind::InvalidData) {
        "the file is no redb file; keep it, check the path".to_owned()
    } else if let DatabaseError::UpgradeRequired(version) = source {
        format!("redb file format {version}; use the program that wrote it")
    } else {
        return error::failed("opening the store", source);
    };
    StoreError::Format { hint }
}

/// Refuses a file whose tables are none of ours.
pub(super) fn check_format(db: &impl ReadableDatabase) -> Result<(), StoreError> {
    let read = || -> Result<Option<u64>, redb::Error> {
        let found = db.begin_read()?.open_table(COUNTERS)?.get(FORMAT)?.map(|value| value.value());
        Ok(found)
    };
    match read() {
        Ok(Some(FORMAT_NOW)) => Ok(()),
        Ok(Some(other)) => Err(StoreError::Format { hint: format!("layout {other}, this program reads {FORMAT_NOW}") }),
        Ok(None) | Err(redb::Error::TableDoesNotExist(_)) => {
            Err(StoreError::Format { hint: "a redb file, but not one of gallra's; check the path".to_owned() })
        }
        Err(source) => Err(error::failed("reading the store's layout", source)),
    }
}
