//! `gallra-coordinator store copy`: moves the state of a stopped coordinator into another engine. Owns which store is opened for what;
//! the order that leaves one of the two servable is `gallra_store::transfer`'s.

use std::io::Write as _;

use anyhow::{Context as _, ensure};
use gallra_store::transfer::{Moved, transfer};
use gallra_store::{Embedded, Store, StoreError, keys};
use gallra_store_etcd::{Config, Etcd};

use crate::archive::{Archive, look};
use crate::layout::Layout;
use crate::schema;

/// Where the state goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// Into the etcd that `[etcd]` in coordinator.toml names.
    Etcd,
    /// Into `store/`, which must be missing: move an older one away.
    Embedded,
}

/// Entries between two words on how far it is.
const EVERY: u64 = 50_000;

/// Moves everything, verified.
///
/// # Errors
/// Says what was in the way, and which store is the one that counts: until all was read back and compared it is the source.
pub async fn run(layout: &Layout, to: Engine) -> anyhow::Result<()> {
    let config = layout.config()?;
    let etcd = config.etcd.as_ref().context(
        "coordinator.toml has no [etcd]: write endpoints and certificates there, whichever way the state is to go",
    )?;
    let etcd = etcd.read(layout)?;
    let folder = layout.path("store");
    let (moved, there): (Moved, Box<dyn Store>) = match to {
        Engine::Etcd => {
            let from = Embedded::open(&folder).context("store/ cannot be opened")?;
            schema::look(&from, &config).await?;
            let to = empty_or_begun(&etcd).await?;
            (walk(&from, &to).await?, Box::new(to))
        }
        Engine::Embedded => {
            let from = Etcd::open(&etcd).await.context("the store in etcd cannot be opened")?;
            schema::look(&from, &config).await?;
            let alive = from.range(&keys::replicas_alive().range(), 1).await?;
            ensure!(alive.entries.is_empty(), "a coordinator works on the store in etcd: stop all of them first");
            let to = match Embedded::create(&folder) {
                Err(StoreError::Format { .. }) => Embedded::open(&folder),
                made => made,
            };
            let to = to.context("store/ cannot be made")?;
            (walk(&from, &to).await?, Box::new(to))
        }
    };
    let next = match to {
        Engine::Etcd => "serve works on etcd from now on; store/ is served no more, and may be removed",
        Engine::Embedded => "remove [etcd] from coordinator.toml: then serve works on store/",
    };
    let archive = Archive::of(layout, &config);
    let archive = match look(&*there, &archive).await?.told() {
        told if told.is_empty() => told,
        told => format!("{told}`archive` in the coordinator.toml of every coordinator has to name that folder\n"),
    };
    let Moved { entries, bytes } = moved;
    writeln!(std::io::stderr(), "{archive}moved {entries} entries of {bytes} bytes, read back and compared; {next}")?;
    Ok(())
}

/// The cell's store, where an earlier try was cut off; else a new one.
async fn empty_or_begun(etcd: &Config) -> anyhow::Result<Etcd> {
    match Etcd::open(etcd).await {
        Err(StoreError::Format { .. }) => Etcd::create(etcd).await,
        opened => opened,
    }
    .context("the store in etcd cannot be made")
}

async fn walk(from: &dyn Store, to: &dyn Store) -> anyhow::Result<Moved> {
    let mut next = EVERY;
    let mut told = |copied| {
        if copied >= next {
            tracing::info!(copied, "entries were copied so far");
            next = copied - copied % EVERY + EVERY;
        }
    };
    transfer(from, to, &mut told)
        .await
        .context("nothing is served from the target: the source counts as before, and the command may be repeated")
}
