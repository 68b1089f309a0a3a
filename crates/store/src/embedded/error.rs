//! What the engine's errors mean to an operator. Owns the wording; upholds that no path and no value gets into it.

use std::io;

use crate::store::StoreError;

/// An engine error in a call that wrote nothing.
pub(super) fn failed(during: &'static str, source: impl Into<redb::Error>) -> StoreError {
    let source = source.into();
    if matches!(source, redb::Error::DatabaseAlreadyOpen) {
        return StoreError::InUse;
    }
    StoreError::Failed { during, hint: hint(&source) }
}

/// An operating system error beside the engine.
pub(super) fn io(during: &'static str, source: &io::Error) -> StoreError {
    StoreError::Failed { during, hint: io_hint(source) }
}

/// What the engine said, and what to do next.
pub(super) fn hint(source: &redb::Error) -> String {
    #[expect(clippy::wildcard_enum_match_arm, reason = "redb's enum is open, and the rest needs no advice of its own")]
    match source {
        redb::Error::Io(source) => io_hint(source),
        redb::Error::PreviousIo => {
            "an earlier write failed and the engine stopped; see that error in the log, then restart".to_owned()
        }
        redb::Error::Corrupted(what) => format!("the file is damaged ({what}); keep it and restore the newest backup"),
        redb::Error::RepairAborted => "it was not closed cleanly; let the coordinator open it once".to_owned(),
        other => other.to_string(),
    }
}

fn io_hint(source: &io::Error) -> String {
    #[expect(clippy::wildcard_enum_match_arm, reason = "an open enum; only these have advice of their own")]
    match source.kind() {
        io::ErrorKind::StorageFull => "the disk is full; free some space, then restart".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied; check who owns the store's directory".to_owned(),
        _ => source.to_string(),
    }
}
