//! The leader's daily look at all requests: those that may leave the store do, what a crash cut short is gone on with, and files that
//! nothing names for long are removed. Owns how far it is, in memory: a new leader begins again. Little at a time: whatever is due comes
//! first, and nothing waits for this.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gallra_flow::clock::Standing;
use gallra_model::request::Request;
use gallra_model::time::day_of;
use gallra_model::{Clock, Day, RequestId};
use gallra_store::{Entry, Key, Store, StoreError, Txn, keys};
use jiff::SignedDuration;

use super::away::{self, Left};
use super::file::Records;
use super::folder::{self, Found};
use super::{Archive, Pointer, rule};
use crate::clock::real_now;
use crate::core::{Core, random};
use crate::error::{CoreError, decode, encode};

/// Requests looked at in one step.
const PAGE: usize = 500;
/// Requests moved in one step, each some synced writes: well under a second.
const MOST_MOVED: usize = 16;
/// Real time between two steps of a round.
const REST: Duration = Duration::from_millis(250);
/// Real time between two looks whether a day has begun.
const LOOK: Duration = Duration::from_secs(300);
/// Days for which a file is kept that no pointer names any more: a backup of the store may, and lives until its key epoch ends, after 31
/// days. Far longer, too, than a deposed leader can take to name what it has written.
const KEPT_DAYS: i64 = 45;

/// The first schema whose programs all know pointers (decision 0042).
const SINCE_SCHEMA: u32 = 1;

/// How far a day's look is.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// The local day of the last one that ended.
    ended: Option<Day>,
    /// The last request that was looked at.
    after: Option<RequestId>,
    /// Once all requests were: folders in which files are still to be looked at, the next one last.
    folders: Option<Vec<String>>,
}

/// Does it under the machine's clock, until the task is dropped. Under a simulated one each pass of the leader does it.
pub async fn run(core: &Core) {
    loop {
        let mut rest = LOOK;
        if core.time.kind() == Clock::Real && core.time.look().1 == Standing::Trusted {
            match core.archive_some().await {
                Ok(true) => {}
                Ok(false) => rest = REST,
                Err(error) => tracing::error!(%error, "finished requests could not leave the store; it is tried again"),
            }
        }
        tokio::time::sleep(rest).await;
    }
}

impl Core {
    /// What a demonstration's clock makes due; nothing under the machine's.
    pub(crate) async fn archive_in_passing(&self) {
        if self.time.kind() != Clock::Simulated {
            return;
        }
        match self.archive_some().await {
            Ok(true) => {}
            Ok(false) => self.wake.notify_one(),
            Err(error) => tracing::error!(%error, "finished requests could not leave the store; it is tried again"),
        }
    }

    /// One step of the day's look. Returns whether the day's is over.
    ///
    /// # Errors
    /// The store's, and a folder that is not this store's archive. One request's trouble is logged, and it is tried again tomorrow.
    pub async fn archive_some(&self) -> Result<bool, CoreError> {
        let Some(days) = self.archive.after_days else { return Ok(true) };
        // A program of before does not know pointers, and would find nothing where one lies. This schema shuts it out.
        if self.schema.schema().number < SINCE_SCHEMA {
            return Ok(true);
        }
        let mut round = self.archive.round.lock().await;
        let today = day_of(self.time.now());
        if round.ended == Some(today) {
            return Ok(true);
        }
        match &mut round.folders {
            None => {
                let (after, all) = self.look_at_requests(round.after, days).await?;
                round.after = after;
                round.folders = if all { Some(self.archive_folders().await?) } else { None };
            }
            Some(folders) => {
                if let Some(folder) = folders.last() {
                    self.sweep(folder).await?;
                }
                folders.pop();
            }
        }
        let over = round.folders.as_ref().is_some_and(Vec::is_empty);
        if over {
            *round = Round { ended: Some(today), ..Round::default() };
        }
        Ok(over)
    }

    /// Looks at the next requests. Returns the last one, and whether it was the last of all.
    async fn look_at_requests(
        &self,
        after: Option<RequestId>,
        days: u32,
    ) -> Result<(Option<RequestId>, bool), CoreError> {
        let mut range = keys::requests().range();
        if let Some(after) = after {
            range = range.above(&keys::request(&after));
        }
        let rows = self.store.range(&range, PAGE).await?;
        let ids: Vec<RequestId> = rows.entries.iter().filter_map(|row| keys::parse_request(&row.key)).collect();
        let pointers = pointers(&*self.store, &ids).await?;
        let (mut last, mut moved) = (after, 0);
        for (row, id) in rows.entries.iter().zip(ids) {
            if moved == MOST_MOVED {
                return Ok((last, false));
            }
            match self.look_at(row, &id, pointers.get(&id), days).await {
                Ok(did) => moved += usize::from(did),
                // What is wrong with the folder or the store is so for all of them; what is wrong with one is not.
                Err(error @ (CoreError::Precondition(_) | CoreError::Store(StoreError::Deposed))) => return Err(error),
                Err(error) => tracing::error!(request = %id, %error, "a finished request could not leave the store"),
            }
            last = Some(id);
        }
        Ok((last, rows.more.is_none()))
    }

    async fn look_at(
        &self,
        row: &Entry,
        id: &RequestId,
        pointer: Option<&(Entry, Pointer)>,
        days: u32,
    ) -> Result<bool, CoreError> {
        let (before, cut_off) = match pointer {
            Some((_, Pointer::Away(of))) if !of.clearing => return Ok(false),
            Some((_, Pointer::Away(_))) => {
                self.archive.clear(&*self.store, id).await?;
                return Ok(true);
            }
            Some((entry, Pointer::Leaving)) => (Some(entry), true),
            None => (None, false),
        };
        let (now, request) = (self.time.now(), decode::<Request>("request", &row.value)?);
        if !rule::is_finished(&request, days, now) {
            if cut_off {
                self.archive.put_back(&*self.store, id).await?;
            }
            return Ok(cut_off);
        }
        let quiet = |records: &Records| rule::is_quiet(records, days, now);
        // By itself first: a code that waits to be delivered keeps many of them for weeks, and each try costs two commits.
        let asked = self.store.get(&keys::asked(id)).await?.map(|entry| (entry.key, entry.value));
        if !quiet(&asked.into_iter().collect())? {
            return Ok(false);
        }
        self.own_archive().await?;
        Ok(self.archive.put_away(&*self.store, (id, row, before), quiet).await? == Left::Yes)
    }

    /// Sees to it that the folder is this store's archive, before anything is put there or removed.
    async fn own_archive(&self) -> Result<(), CoreError> {
        if let Some(why) = self.archive.another(&*self.store).await? {
            return Err(CoreError::Precondition(format!("the archive: {why}")));
        }
        let stored = self.store.get(&keys::meta_archive()).await?;
        if stored.is_some() {
            return Ok(());
        }
        let whose = match self.archive.folder.whose().map_err(|error| self.of_folder(&error))? {
            // A store that was put back from a backup of before there was an archive.
            Some(whose) => whose,
            None => {
                let whose = format!("{} {}", self.archive.anchor, hex::encode(random::<16>()?));
                self.archive.folder.begin(&whose).map_err(|error| self.of_folder(&error))?;
                whose
            }
        };
        self.store.commit(Txn::new().create(keys::meta_archive(), encode(&whose)?)).await?;
        Ok(())
    }

    fn of_folder(&self, error: &std::io::Error) -> CoreError {
        CoreError::Precondition(format!("the archive's folder {}: {error}", self.archive.folder.root().display()))
    }

    async fn archive_folders(&self) -> Result<Vec<String>, CoreError> {
        if self.store.get(&keys::meta_archive()).await?.is_none() {
            return Ok(Vec::new());
        }
        self.own_archive().await?;
        let mut folders = self.archive.folder.folders().map_err(|error| self.of_folder(&error))?;
        folders.reverse();
        Ok(folders)
    }

    /// Removes the files of one folder that no pointer names, and that are old enough.
    async fn sweep(&self, folder: &str) -> Result<(), CoreError> {
        let files = self.archive.folder.files(folder).map_err(|error| self.of_folder(&error))?;
        let ids: BTreeSet<RequestId> = files.iter().filter_map(|file| folder::request_of(&file.name)).collect();
        let pointers = pointers(&*self.store, &ids.into_iter().collect::<Vec<_>>()).await?;
        let named: BTreeSet<&str> = pointers.values().filter_map(|(_, pointer)| named(pointer)).collect();
        let now = real_now();
        for Found { name, changed } in &files {
            let old = changed.is_some_and(|at| now.duration_since(at) > SignedDuration::from_hours(24 * KEPT_DAYS));
            if old && !named.contains(name.as_str()) {
                self.archive.folder.remove(folder, name).map_err(|error| self.of_folder(&error))?;
                tracing::info!(file = name, "a file of the archive that nothing names any more was removed");
            }
        }
        Ok(())
    }
}

impl Archive {
    /// Whether anything is put into it.
    pub fn is_used(&self) -> bool {
        self.after_days.is_some()
    }
}

fn named(pointer: &Pointer) -> Option<&str> {
    match pointer {
        Pointer::Leaving => None,
        Pointer::Away(away) => Some(&away.file),
    }
}

/// The pointers of requests, which are in order.
async fn pointers(store: &dyn Store, ids: &[RequestId]) -> Result<BTreeMap<RequestId, (Entry, Pointer)>, CoreError> {
    let mut found = BTreeMap::new();
    let (Some(first), Some(last)) = (ids.first(), ids.last()) else { return Ok(found) };
    let last: Key = keys::archived(last);
    let mut left = Some(keys::archived_all().range().starting_at(&keys::archived(first)));
    while let Some(range) = left {
        let page = store.range(&range, PAGE).await?;
        for entry in page.entries {
            let Some(id) = keys::parse_archived(&entry.key).filter(|_| entry.key <= last) else { return Ok(found) };
            let pointer = away::opened(&entry)?;
            found.insert(id, (entry, pointer));
        }
        left = page.more.map(|more| range.starting_at(&more));
    }
    Ok(found)
}
