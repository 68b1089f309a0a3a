//! Finished requests outside of the store (0041): one file a request, in a folder that all coordinators share, and a pointer in the
//! store that says which. Owns the folder and what was read of it. Refuses to know what a record means; when a request is finished is
//! [`rule`]'s.
//!
//! While the pointer `archived/<request>` is there, nobody writes the request or what hangs on it: [`through::WithArchive`], which
//! every part of the coordinator has for a store, expects its absence in each transaction that would. Reading goes through it to the
//! file; a writer has the records put back first, and begins anew. Upholds I6 and I8: from a crash between any two steps the records
//! are in the store, or in a whole file that the store names, and never in neither.

mod away;
mod file;
mod folder;
mod looked;
mod pass;
mod rule;
#[cfg(test)]
mod tests;
mod through;

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gallra_model::{Digest, RequestId};
use gallra_store::{Entry, StoreError, keys};
use serde::{Deserialize, Serialize};

use crate::layout::{Config, Layout};
use file::Records;
use folder::Folder;

pub use looked::{Looked, look};
pub use pass::run;
pub use rule::{AFTER_DAYS, LEAST_DAYS, MOST_DAYS};
pub use through::WithArchive;

/// Files whose records are kept in memory: who fetches a proof reads a dozen records of one file, one after the other.
const RECENT: usize = 4;
/// How long a request that was read as open needs no look at its pointer: far below [`rule::LEAST_DAYS`], for which one is done before
/// it leaves.
const OPEN_FOR: Duration = Duration::from_secs(5);
/// Most requests that this is remembered of.
const MOST_OPEN: usize = 4_096;

/// Where a request's records are that are not only in the store any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Pointer {
    /// In the store, and about to leave it.
    Leaving,
    /// In a file.
    Away(Away),
}

/// Which file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Away {
    /// Its name.
    pub file: String,
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// How many they are.
    pub bytes: u64,
    /// Some of what is in it may be in the store still, or again, and does not count there.
    pub clearing: bool,
}

/// As much of a stored request as says whether it is open.
#[derive(Deserialize)]
struct Ends {
    done: Option<serde::de::IgnoredAny>,
}

/// The archive of one store.
pub struct Archive {
    folder: Folder,
    /// Days after which what is finished leaves the store; unset where it stays there.
    after_days: Option<u32>,
    /// The installation's trust anchor: a folder of another one is not used.
    anchor: String,
    open: Mutex<HashMap<RequestId, Instant>>,
    recent: Mutex<VecDeque<(Digest, Arc<Records>)>>,
    round: tokio::sync::Mutex<pass::Round>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Archive {
    /// The archive that a directory's configuration means.
    pub fn of(layout: &Layout, config: &Config) -> Arc<Self> {
        // Where the anchor was lost, only a folder that the store does not know yet is not taken for its own.
        let anchor = layout.read("anchor").map_or_else(|_| String::new(), |text| text.trim().to_owned());
        Self::at(&layout.archive(config), config.archives().then_some(config.archive_after_days), anchor)
    }

    fn at(folder: &Path, after_days: Option<u32>, anchor: String) -> Arc<Self> {
        Arc::new(Self {
            folder: Folder::new(folder),
            after_days,
            anchor,
            open: Mutex::default(),
            recent: Mutex::default(),
            round: tokio::sync::Mutex::default(),
        })
    }

    /// The records of a request's file.
    ///
    /// # Errors
    /// [`StoreError::Archive`] names the file, and says what to do.
    pub(crate) async fn read(&self, id: &RequestId, away: &Away) -> Result<Arc<Records>, StoreError> {
        if let Some((_, found)) = locked(&self.recent).iter().find(|(digest, _)| *digest == away.digest) {
            return Ok(Arc::clone(found));
        }
        let (folder, id, of) = (self.folder.clone(), *id, away.clone());
        let read = tokio::task::spawn_blocking(move || folder.records(&id, &of)).await;
        let records = Arc::new(read.map_err(|error| StoreError::Archive { hint: error.to_string() })??);
        let mut recent = locked(&self.recent);
        recent.truncate(RECENT - 1);
        recent.push_front((away.digest, Arc::clone(&records)));
        Ok(records)
    }

    /// A request was read: one that is open needs no look at its pointer for a moment.
    fn saw(&self, entry: &Entry) {
        let Some(id) = keys::parse_request(&entry.key) else { return };
        let open = serde_json::from_slice::<Ends>(&entry.value).is_ok_and(|request| request.done.is_none());
        let mut all = locked(&self.open);
        if !open {
            all.remove(&id);
            return;
        }
        if all.len() >= MOST_OPEN {
            all.clear();
        }
        all.insert(id, now());
    }

    fn is_open(&self, id: &RequestId) -> bool {
        locked(&self.open).get(id).is_some_and(|seen| now().duration_since(*seen) < OPEN_FOR)
    }

    fn forget_open(&self, id: &RequestId) {
        locked(&self.open).remove(id);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long ago something was read is real time, and decides nothing about a request"
)]
fn now() -> Instant {
    Instant::now()
}
