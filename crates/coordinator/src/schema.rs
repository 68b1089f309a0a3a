//! The schemas that this version speaks, and who raises the store's: the leader, once every coordinator that is there speaks the new one
//! (decision 0042). Owns what is said at opening, copying and restoring; the record and its fence are `gallra_store::schema`'s, what a
//! raise rewrites is [`steps`]'. Upholds that an older program is never left working on values that it would misread.

mod raise;
pub mod steps;

use anyhow::{Context as _, ensure};
use gallra_store::{Entry, Known, Schema, Speaks, Store, StoreError, Txn, keys};
use serde::Deserialize;

use crate::core::Core;
use crate::error::CoreError;
use crate::layout::Config;
use crate::{generation, state};

pub use raise::{Next, PATIENCE, Raised, next, raise, run};

/// The newest schema that this version speaks: what a new store is in.
pub const NEWEST: u32 = 1;
/// The oldest that it reads, and raises.
pub const OLDEST: u32 = 0;

/// What this version speaks where nobody holds it back.
pub const SPEAKS: Speaks = Speaks { from: OLDEST, to: NEWEST };

/// The schema of a new store.
pub const OF_NEW: Schema = Schema { number: NEWEST, oldest: 1, raising: None };

/// What this version speaks under a configuration.
///
/// # Errors
/// Where `schema_at_most` names one that it does not write.
pub fn spoken(config: &Config) -> anyhow::Result<Speaks> {
    let Some(most) = config.schema_at_most else { return Ok(SPEAKS) };
    ensure!(
        (OLDEST..=NEWEST).contains(&most),
        "coordinator.toml: schema_at_most: this version writes {OLDEST} to {NEWEST}"
    );
    Ok(Speaks { to: most, ..SPEAKS })
}

/// Looks whether a store may be worked on under a configuration.
///
/// # Errors
/// Says what to do where it may not.
pub async fn look(store: &dyn Store, config: &Config) -> anyhow::Result<std::sync::Arc<Known>> {
    let speaks = spoken(config)?;
    Known::open(store, speaks).await.context("the store is of another version than this program")
}

/// Gives a store a generation: in the form that says where its schema is, once no program that does not look there may work on it.
///
/// # Errors
/// The store's.
pub(crate) async fn with_generation(store: &dyn Store, txn: Txn, number: u64) -> Result<Txn, CoreError> {
    let (schema, entry) = Schema::of(store).await?;
    let txn = txn.expect_as_read(&keys::meta_schema(), entry.as_ref());
    Ok(txn.put(keys::meta_generation(), generation::encode(number, schema.oldest > 0)?))
}

/// A coordinator that shows that it is there: where, and what it speaks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Living {
    /// Where it takes sessions: https URL; empty where it does not say.
    #[serde(default)]
    pub address: String,
    /// The schemas that it speaks; one that does not say is of before there were any.
    #[serde(default)]
    pub schemas: Speaks,
}

impl Living {
    /// One that cannot be read is taken for the oldest there is: nothing is raised beside it.
    fn of(entry: &Entry) -> Self {
        serde_json::from_slice(&entry.value).unwrap_or(Self { address: String::new(), schemas: Speaks::default() })
    }

    /// What is written about a coordinator that is there.
    pub(crate) fn said(core: &Core) -> String {
        let about = serde_json::json!({
            "since": core.time.now(), "address": core.session_address, "schemas": core.schema.speaks(),
        });
        about.to_string()
    }
}

/// The coordinators that are there, this one among them.
///
/// # Errors
/// The store's.
pub async fn living(core: &Core) -> Result<Vec<Living>, CoreError> {
    let own = Living { address: core.session_address.clone(), schemas: core.schema.speaks() };
    let Some(replica) = &core.replica else { return Ok(vec![own]) };
    let mine = keys::replica_alive(replica);
    let entries = state::entries(&*core.store, &keys::replicas_alive()).await?;
    let others = entries.iter().filter(|entry| entry.key != mine).map(Living::of);
    Ok(std::iter::once(own).chain(others).collect())
}

/// Looks at the schema whenever a fact about the store changes, until this process may not work on it any more.
pub(crate) async fn follow(core: &Core) {
    let mut facts = core.store.watch(keys::Family::Meta.prefix());
    loop {
        match core.schema.learn(&*core.store).await {
            // Whoever serves hears it, and ends this process.
            Err(StoreError::Format { .. }) => return,
            Err(error) => tracing::warn!(%error, "the store's schema could not be read; it is tried again"),
            Ok(_) => {}
        }
        if !crate::replica::changed(&mut facts).await {
            return;
        }
    }
}
