//! `gallra-coordinator restore`: puts a backup in the place of a stopped coordinator's store, or adopts an etcd that was put back from
//! its own snapshot. Owns the order that leaves, from any crash, either the store of before, one that refuses to be served, or a whole
//! one; what may be put back is [`examine`]'s. Upholds I3 (the generation is above all that was served) and that nothing is erased
//! before a person has looked: holds that were placed after the backup are gone with it, so the emergency stop is pulled.

mod examine;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use gallra_model::Instant;
use gallra_model::hold::{Guard, Halt};
use gallra_store::transfer::put_back;
use gallra_store::{Embedded, Expect, Frozen, Known, Speaks, Store, StoreError, Txn, embedded, keys};
use gallra_store_etcd::{Config as Cell, Etcd};

use crate::archive::{self, Archive};
use crate::clock::real_now;
use crate::layout::{EtcdConfig, Layout};
use crate::{generation, guards, schema};

pub use examine::{Examined, examine};

/// Who pulled the emergency stop when a store was put back.
pub const RESTORE: &str = "restore";
/// Where a store is put together before it gets its place.
const DRAFT: &str = "store-restored";
/// Where a backup is copied to, to be checked; it has no name any more when that is done.
const SCRATCH: &str = "backup-checked.redb";
/// Between two words on how far it is, in entries.
const EVERY: u64 = 50_000;

/// What is put back.
pub enum Source {
    /// A backup's file.
    File(PathBuf),
    /// The etcd of the configuration, which somebody put back from its own snapshot.
    Snapshot,
}

/// What it is told.
pub struct Restore {
    /// Where it comes from.
    pub from: Source,
    /// Another cell of the same etcd, where that of the configuration holds something.
    pub cell: Option<String>,
    /// Only look, and say what would be.
    pub dry_run: bool,
}

/// Does it. Returns what was done, or would be, for a person.
///
/// # Errors
/// Says what was in the way, and what counts now.
pub async fn run(layout: &Layout, told: Restore) -> anyhow::Result<String> {
    let config = layout.config()?;
    let keys = layout.keys(&config);
    let anchor = layout.read("anchor")?;
    let speaks = schema::spoken(&config)?;
    let here = Here { layout, keys: &keys, anchor: &anchor, speaks, dry_run: told.dry_run };
    match (told.from, &config.etcd) {
        (Source::File(file), None) => {
            ensure!(told.cell.is_none(), "--cell is for etcd, and coordinator.toml has no [etcd]");
            here.replace_file(&file).await
        }
        (Source::File(file), Some(etcd)) => here.fill_cell(&file, etcd, told.cell).await,
        (Source::Snapshot, Some(etcd)) => here.adopt(&etcd.read(layout)?).await,
        (Source::Snapshot, None) => anyhow::bail!("--adopt is for etcd, and coordinator.toml has no [etcd]"),
    }
}

/// A directory, and what a store is compared with.
struct Here<'a> {
    layout: &'a Layout,
    keys: &'a Path,
    anchor: &'a str,
    speaks: Speaks,
    dry_run: bool,
}

/// A store that was looked at.
struct Looked {
    found: Examined,
    next: u64,
    text: String,
}

impl Here<'_> {
    /// Looks at what is to be put back, beside what is there now, if that can be read.
    async fn look(&self, from: &dyn Store, name: &str, now: Option<&dyn Store>) -> anyhow::Result<Looked> {
        let not = || format!("{name} is not put back");
        Known::open(from, self.speaks).await.with_context(not)?;
        let found = examine(from, self.keys, self.anchor).await.with_context(not)?;
        let mut known = vec![found.generation, generation::read(self.layout)?];
        let mut text = format!(
            "{name}: {} entries and {} wrapped keys, all read; of this installation, and readable with keys/\n",
            found.entries, found.subjects
        );
        text += &match found.newest {
            Some(newest) => format!("made at {newest} or later: whatever was acknowledged after that is not in it\n"),
            None => "it knows no instant: how old it is cannot be said\n".to_owned(),
        };
        match now {
            None => text += "there is no store that can be compared with it: what is lost cannot be counted\n",
            Some(now) => {
                known.extend(generation_of(now).await?);
                text += &lost(now, from).await?;
            }
        }
        let archive = Archive::of(self.layout, &self.layout.config()?);
        text += &archive::look(from, &archive).await?.told();
        let next = generation::above(&known);
        text += &format!("generation {} becomes {next}; the emergency stop is pulled\n", found.generation);
        Ok(Looked { found, next, text })
    }

    /// Opens a backup, whole.
    fn open(&self, file: &Path) -> anyhow::Result<Frozen> {
        Frozen::checked(file, &self.layout.path(SCRATCH))
            .with_context(|| format!("{} cannot be opened", file.display()))
    }

    fn would_be(&self, looked: &Looked) -> String {
        format!("{}nothing was changed\n", looked.text)
    }

    async fn replace_file(&self, file: &Path) -> anyhow::Result<String> {
        let folder = self.layout.path("store");
        let place = folder.join(embedded::FILE_NAME);
        let from = self.open(file)?;
        // Held to the end: its lock is what keeps a coordinator from starting on it meanwhile.
        let now = match Embedded::open(&folder) {
            Ok(now) => Some(now),
            Err(StoreError::InUse) => anyhow::bail!("a coordinator is running on store/: stop it first"),
            Err(error) => {
                tracing::warn!(%error, "the store of now cannot be opened; it is moved aside as it is");
                None
            }
        };
        let compared = now.as_ref().map(|now| now as &dyn Store);
        let looked = self.look(&from, &file.display().to_string(), compared).await?;
        if self.dry_run {
            return Ok(self.would_be(&looked));
        }
        let draft = self.layout.path(DRAFT);
        remove_draft(&draft)?;
        let to = Embedded::create(&draft).context("store-restored/ cannot be made")?;
        walk(&from, &to).await?;
        generation::note(self.layout, looked.next)?;
        finish(&to, &looked).await?;
        drop(to);
        let aside = self.layout.path(&format!("store-replaced-{}.redb", real_now().to_string().replace(':', "")));
        let moved = place.try_exists()?;
        if moved {
            fs::rename(&place, &aside).context("the store of now cannot be moved aside")?;
            sync(&folder)?;
        } else {
            crate::layout::make_private_dir(&folder)?;
        }
        sync(self.layout.root())?;
        gallra_crash::point("restore_aside");
        let made = draft.join(embedded::FILE_NAME);
        File::open(&made)?.sync_all()?;
        fs::rename(&made, &place).context("the restored store cannot be put in its place: run this again")?;
        sync(&folder)?;
        drop(now);
        remove_draft(&draft)?;
        let aside = if moved { format!("the store of before is {}\n", aside.display()) } else { String::new() };
        Ok(format!("{}{aside}{NEXT}", looked.text))
    }

    async fn fill_cell(&self, file: &Path, etcd: &EtcdConfig, other: Option<String>) -> anyhow::Result<String> {
        let from = self.open(file)?;
        let (before, own) = (etcd.read(self.layout)?, self.layout.config()?.cell);
        let cell = match &other {
            None => before.clone(),
            Some(cell) => etcd.read_for(self.layout, cell)?,
        };
        ensure!(other.as_deref() != Some(own.as_str()), "--cell names the cell of coordinator.toml: leave it out");
        let now = match Etcd::open(&before).await {
            Ok(now) => Some(now),
            Err(error @ (StoreError::Unavailable { .. } | StoreError::Denied { .. })) => return Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "the cell of coordinator.toml holds no store that can be opened");
                None
            }
        };
        if let Some(now) = &now {
            nobody_works_on(now).await?;
            let served = generation_of(now).await?.is_some();
            ensure!(
                other.is_some() || !served,
                "the cell {own} holds a store: name another one with --cell, and write that into coordinator.toml afterwards"
            );
        }
        let compared = now.as_ref().map(|now| now as &dyn Store);
        let looked = self.look(&from, &file.display().to_string(), compared).await?;
        if self.dry_run {
            return Ok(self.would_be(&looked));
        }
        let to = empty_or_begun(&cell).await?;
        walk(&from, &to).await?;
        generation::note(self.layout, looked.next)?;
        // Before the new one has a generation: at most one of the two can be served.
        if let (Some(now), Some(_)) = (&now, &other) {
            give_up(now)
                .await
                .context("the cell of before does not give its generation up: nothing is served from the new one")?;
        }
        gallra_crash::point("restore_given_up");
        finish(&to, &looked).await?;
        let cell = other.map_or_else(String::new, |cell| {
            format!("write cell = \"{cell}\" in coordinator.toml of every coordinator; {own} is served no more\n")
        });
        Ok(format!("{}{cell}{NEXT}", looked.text))
    }

    async fn adopt(&self, cell: &Cell) -> anyhow::Result<String> {
        let store = Etcd::open_restored(cell).await.context("the store in etcd cannot be opened")?;
        nobody_works_on(&store).await?;
        let looked = self.look(&store, "the etcd of coordinator.toml", None).await?;
        if self.dry_run {
            return Ok(self.would_be(&looked));
        }
        generation::note(self.layout, looked.next)?;
        // Before it is this cluster's: nobody opens it until both are in it.
        finish(&store, &looked).await?;
        drop(store);
        gallra_crash::point("restore_raised");
        drop(Etcd::adopt(cell).await.context("the store has its new generation, and is not adopted: run this again")?);
        Ok(format!("{}{NEXT}", looked.text))
    }
}

/// What a person does then.
const NEXT: &str = "done. Start the coordinator; compare holds, policies and requests with what you know (docs/operations.md, section 6), \
                    then `gallra start`\n";

/// Gives the store its generation, and pulls the stop, in one transaction: nothing can be served without both.
async fn finish(store: &dyn Store, looked: &Looked) -> anyhow::Result<()> {
    let before = store.get(&keys::meta_generation()).await?;
    let halt = halt(looked.found.newest, real_now());
    let txn = Txn::new().expect_as_read(&keys::meta_generation(), before.as_ref());
    let txn = schema::with_generation(store, txn, looked.next).await?;
    let txn = guards::change(store, txn, keys::guard_global(), |guard| {
        pull(guard, halt);
        Ok(())
    })
    .await?;
    store.commit(txn).await.context("the restored store has no generation, and is not served: run this again")?;
    Ok(())
}

fn halt(newest: Option<Instant>, at: Instant) -> Halt {
    let of = newest.map_or_else(|| "an unknown instant".to_owned(), |newest| newest.to_string());
    Halt {
        by: RESTORE.to_owned(),
        at,
        reason: format!("restored from a backup of {of}: compare holds, then gallra start"),
    }
}

/// Pulls the stop. One that was pulled already is named in its reason, so that lifting this one forgets nobody's.
fn pull(guard: &mut Guard, mut halt: Halt) {
    if let Some(before) = guard.halt.take().filter(|before| before.by != RESTORE) {
        halt.reason = format!("{}; it was pulled before by {}: {}", halt.reason, before.by, before.reason);
    }
    guard.halt = Some(halt);
}

/// What the store of now has that the backup has not.
async fn lost(now: &dyn Store, from: &dyn Store) -> anyhow::Result<String> {
    let families = [
        ("holds", keys::holds()),
        ("requests", keys::requests()),
        ("contracts", keys::contracts()),
        ("policies", keys::policy_turns()),
        ("agents", keys::agents()),
    ];
    let mut text = String::new();
    for (name, prefix) in families {
        let gone = examine::missing(now, from, &prefix).await?;
        if gone.is_empty() {
            continue;
        }
        text += &format!("{name} that are new or otherwise in the store of now: {}\n", gone.len());
        if name == "holds" {
            let ids = gone.iter().filter_map(|key| key.segments().last());
            text += &ids.map(|id| format!("  hold {id}\n")).collect::<String>();
        }
    }
    Ok(text)
}

async fn generation_of(store: &dyn Store) -> anyhow::Result<Option<u64>> {
    let entry = store.get(&keys::meta_generation()).await?;
    Ok(entry.map(|entry| generation::decode(&entry.value)).transpose()?)
}

async fn give_up(store: &dyn Store) -> anyhow::Result<()> {
    let Some(entry) = store.get(&keys::meta_generation()).await? else { return Ok(()) };
    let txn = Txn::new().expect(entry.key.clone(), Expect::Version(entry.version)).delete(entry.key);
    store.commit(txn.put(keys::meta_moved(), entry.value)).await?;
    Ok(())
}

async fn nobody_works_on(store: &dyn Store) -> anyhow::Result<()> {
    let alive = store.range(&keys::replicas_alive().range(), 1).await?;
    ensure!(
        alive.entries.is_empty(),
        "a coordinator works on the store in etcd: stop all of them first; one that was killed is gone after its lease"
    );
    Ok(())
}

/// The cell's store, where an earlier try was cut off; else a new one.
async fn empty_or_begun(cell: &Cell) -> anyhow::Result<Etcd> {
    match Etcd::open(cell).await {
        Err(StoreError::Format { .. }) => Etcd::create(cell).await,
        opened => opened,
    }
    .context("the store in etcd cannot be made")
}

async fn walk(from: &dyn Store, to: &dyn Store) -> anyhow::Result<()> {
    let mut next = EVERY;
    let mut told = |copied| {
        if copied >= next {
            tracing::info!(copied, "entries were copied so far");
            next = copied - copied % EVERY + EVERY;
        }
    };
    let moved =
        put_back(from, to, &mut told).await.context("the store of before counts, and the command may be repeated")?;
    tracing::info!(entries = moved.entries, bytes = moved.bytes, "copied, read back and compared");
    Ok(())
}

/// Removes what an earlier try put together and gave no place: the store's file, whole or half made, and its folder.
fn remove_draft(draft: &Path) -> anyhow::Result<()> {
    let absent_is_fine = |done: std::io::Result<()>| match done {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", draft.display()))
        }
        _ => Ok(()),
    };
    for name in [embedded::FILE_NAME.to_owned(), format!("{}.new", embedded::FILE_NAME)] {
        absent_is_fine(fs::remove_file(draft.join(name)))?;
    }
    absent_is_fine(fs::remove_dir(draft))
}

fn sync(folder: &Path) -> anyhow::Result<()> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .with_context(|| format!("{} cannot be flushed", folder.display()))
}

/// Prints what was done.
///
/// # Errors
/// Where stdout is closed.
pub fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("what was done could not be printed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stop_says_how_old_the_backup_is_and_forgets_no_other_stop() {
        let at: Instant = "2026-11-28T08:00:00Z".parse().unwrap();
        let mut guard = Guard::default();
        pull(&mut guard, halt(Some(at), at));
        let first = guard.halt.clone().unwrap();
        assert_eq!(first.reason, "restored from a backup of 2026-11-28T08:00:00Z: compare holds, then gallra start");
        // A second restore of a store that one put back says its own only.
        pull(&mut guard, halt(None, at));
        assert!(!guard.halt.as_ref().unwrap().reason.contains("before"), "{guard:?}");
        guard.halt = Some(Halt { by: "astrid".to_owned(), at, reason: "wrong tree".to_owned() });
        pull(&mut guard, halt(Some(at), at));
        let both = guard.halt.unwrap();
        assert!(both.by == RESTORE && both.reason.ends_with("pulled before by astrid: wrong tree"), "{both:?}");
    }
}
