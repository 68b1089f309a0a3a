//! The store's file made anew while it is used: a copy is filled beside the writer, which notes what changes meanwhile, adds
//! that, and puts the new file in the old one's place between two groups.
//!
//! Upholds that no acknowledged commit is lost and none waits longer than the writing of at most [`MAX_CHANGES`] keys, and
//! that the new file holds no page of the old one (I12).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase};
use tokio::sync::oneshot;

use super::apply;
use super::copy;
use super::error;
use super::slot::Slot;
use crate::key::Key;
use crate::store::StoreError;

/// Changed keys that the writer notes while a copy is filled. Writing them again takes about a second.
const MAX_CHANGES: usize = 65_536;

/// The name of the new file until it takes the old one's place.
pub(super) const DRAFT_NAME: &str = "store.redb.rewrite";

/// What changed since the writer was asked to note it.
#[derive(Default)]
pub(super) struct Noted {
    keys: BTreeSet<Key>,
    too_many: bool,
}

impl Noted {
    pub(super) fn add<'k>(&mut self, keys: impl Iterator<Item = &'k Key>) {
        for key in keys {
            if self.keys.len() >= MAX_CHANGES {
                self.too_many = true;
                return;
            }
            self.keys.insert(key.clone());
        }
    }
}

/// A filled file that is to take the store's place.
pub(super) struct Swap {
    pub(super) new: Database,
    pub(super) draft: PathBuf,
    pub(super) path: PathBuf,
    pub(super) reply: oneshot::Sender<Result<(), StoreError>>,
}

/// What the writer is left with after a swap.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum After {
    /// A store, the new one or still the old.
    Goes,
    /// The new file has the name, and it is not known whether that outlasts a loss of power: nothing more may be
    /// acknowledged.
    Stops,
}

/// Fills a file beside the store with all that is in it now. The writer has begun to note changes before.
pub(super) fn fill(db: &Database, draft: &Path) -> Result<Database, StoreError> {
    let fill = || -> Result<Database, redb::Error> {
        let snapshot = db.begin_read()?;
        let new = copy::fresh(draft)?;
        copy::fill(&snapshot, &new)?;
        Ok(new)
    };
    fill().map_err(failed)
}

/// The writer's part: brings the new file up to date and exchanges the two.
pub(super) fn swap(slot: &Slot, noted: Option<Noted>, swap: Swap) -> After {
    let Swap { new, draft, path, reply } = swap;
    let ready = match noted {
        Some(noted) if !noted.too_many => apply::carry_over(&slot.get(), &new, &noted.keys).map_err(failed),
        _ => Err(StoreError::Failed {
            during: "rewriting the store",
            hint: "too much changed meanwhile; it is tried again".to_owned(),
        }),
    };
    let ready = ready.and_then(|()| fs::rename(&draft, &path).map_err(|e| error::io("rewriting the store", &e)));
    if let Err(error) = ready {
        drop(new);
        let _ = fs::remove_file(&draft);
        let _ = reply.send(Err(error));
        return After::Goes;
    }
    slot.set(new);
    match copy::sync_parent(&path) {
        Ok(()) => {
            let _ = reply.send(Ok(()));
            After::Goes
        }
        Err(source) => {
            let hint = format!("the store's new name could not be flushed ({source}); restart the coordinator");
            tracing::error!(hint, "the store stops");
            let _ = reply.send(Err(StoreError::Uncertain { hint }));
            After::Stops
        }
    }
}

fn failed(source: redb::Error) -> StoreError {
    error::failed("rewriting the store", source)
}
