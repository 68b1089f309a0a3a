//! Which logs a store has: the one in force, and those that ended before it (`docs/formats/log-v1.md`, section 10). The store's
//! newest succession says which is in force, and no file does. Upholds that what stands in a log that ended is read there, and
//! counts for nothing that is erased, or proven, under the one in force.

use std::sync::Arc;

use anyhow::Context as _;
use gallra_log::note::Key;
use gallra_log::tree::Hash;
use gallra_model::envelope::Envelope;
use gallra_model::manifest::{Manifest, Succession};
use gallra_model::statement::Type;
use gallra_model::{Digest, RequestId};
use gallra_proof::payload::Opened;
use gallra_proof::{manifest, succession};
use gallra_store::keys::Tree;
use gallra_store::{Store, keys};
use serde::{Deserialize, Serialize};

use crate::asked::crypto;
use crate::core::Core;
use crate::entered::entry_of;
use crate::error::CoreError;
use crate::layout::{Config, Layout};
use crate::ledger::{self, Ledger, Opening, Past};
use crate::state;

/// A log succession as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredSuccession {
    /// The signed statement.
    pub envelope: Envelope,
    /// What the tree of the log that goes on is called in the store.
    pub tree: Digest,
}

/// The logs of a store.
pub struct Logs {
    /// The one in force.
    pub in_force: Ledger,
    /// Those that ended, oldest first.
    pub ended: Vec<Ledger>,
}

/// All successions of a store, oldest first.
///
/// # Errors
/// The store's.
pub async fn successions(store: &dyn Store) -> Result<Vec<(StoredSuccession, Opened<Succession>)>, CoreError> {
    let stored: Vec<StoredSuccession> = state::all(store, &keys::ledger_successions(), "log succession").await?;
    stored
        .into_iter()
        .map(|stored| {
            let opened = succession::read(&stored.envelope).map_err(crypto)?;
            Ok((stored, opened))
        })
        .collect()
}

/// The key of a log, as the manifest lists it that names the log.
///
/// # Errors
/// [`CoreError::Crypto`] where it is none.
pub(crate) fn key_of(manifest: &Manifest) -> Result<Key, CoreError> {
    let key = manifest.keys.iter().find(|key| key.keyid == manifest.log.key).ok_or(CoreError::NotFound("log's key"))?;
    ledger::public_of(&manifest.log.origin, &key.spki)
}

async fn manifests(store: &dyn Store) -> Result<Vec<Manifest>, CoreError> {
    let stored: Vec<Envelope> = state::all(store, &keys::key_manifests(), "key manifest").await?;
    stored.iter().map(|one| Ok(manifest::read(one).map_err(crypto)?.predicate)).collect()
}

/// Opens the logs of a directory. One that is to be read only needs no key: neither then is anything signed.
///
/// # Errors
/// Says which file or line does not fit.
pub(crate) async fn open(
    layout: &Layout,
    config: &Config,
    store: &Arc<dyn Store>,
    (generation, read_only): (u64, bool),
) -> anyhow::Result<Logs> {
    let gone = successions(&**store).await?;
    let folder = layout.path(ledger::FOLDER);
    let manifests = manifests(&**store).await?;
    let past = |tree: Tree, origin: &str, last: Option<String>| {
        let named = manifests.iter().find(|manifest| manifest.log.origin == origin);
        let named = named.with_context(|| format!("no key manifest names the log {origin}"))?;
        let (origin, public) = (origin.parse()?, key_of(named)?);
        anyhow::Ok(Past { store: Arc::clone(store), folder: &folder, tree, origin, public, last })
    };
    let (mut ended, mut tree) = (Vec::new(), Tree::First);
    for (stored, opened) in &gone {
        let said = &opened.predicate;
        ended.push(Ledger::past(past(tree, &said.ended, Some(said.checkpoint.clone()))?).await?);
        tree = Tree::After(stored.tree);
    }
    if read_only {
        let newest = manifests.last().context("the store has no key manifest")?;
        let in_force = Ledger::past(past(tree, &newest.log.origin, None)?).await?;
        return Ok(Logs { in_force, ended });
    }
    let (origin, seed) = match gone.last() {
        None => {
            let origin = config.origin()?;
            let named = manifests.last().map(|manifest| manifest.log.origin.as_str());
            if let Some(named) = named.filter(|named| *named != origin.as_str()) {
                anyhow::bail!(
                    "coordinator.toml calls the log {origin}, and the key manifest names the log {named}: proofs would be of a log \
                     that no reader looks in. Write origin = \"{named}\"; another name is for `init --log-origin`, or a log succession"
                );
            }
            (origin, ledger::read_or_make(layout, &**store).await?)
        }
        Some((_, opened)) => {
            let said = &opened.predicate;
            if let Some(written) = config.log.origin.as_ref().filter(|written| **written != said.origin) {
                anyhow::bail!(
                    "coordinator.toml: log.origin is {written}, and that log goes on as {} since a log succession: write that",
                    said.origin
                );
            }
            (said.origin.parse()?, ledger::read_listed(layout, &said.key)?)
        }
    };
    let before = gone.iter().map(|(_, opened)| opened.predicate.ended.clone()).collect();
    let (store, hear_agents) = (Arc::clone(store), config.log.hear_agents);
    let opening = Opening { store, folder: &folder, origin, seed, generation, hear_agents, tree, before };
    let in_force = Ledger::open(opening).await.context("the log cannot be opened")?;
    Ok(Logs { in_force, ended })
}

impl Core {
    /// Where a leaf is: in the log in force, or else in the newest one that ended and has it.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn place_of(&self, leaf: &Hash) -> Result<Option<(&Ledger, u64)>, CoreError> {
        for ledger in std::iter::once(&self.ledger).chain(self.ended.iter().rev()) {
            if let Some(index) = ledger.position(leaf).await? {
                return Ok(Some((ledger, index)));
            }
        }
        Ok(None)
    }

    /// Whether a request was begun in a log that ended and is not in the one in force: its proof would be of two logs, which no
    /// proof is.
    ///
    /// # Errors
    /// The store's.
    pub async fn is_of_an_ended_log(&self, id: &RequestId) -> Result<bool, CoreError> {
        if self.ended.is_empty() {
            return Ok(false);
        }
        let Some(asked) = self.asked(id).await? else { return Ok(false) };
        // Said again in this log, where it may wait for its place still.
        if asked.tree.is_some() && asked.tree == self.ledger.tree() {
            return Ok(false);
        }
        let leaf = entry_of(&asked.envelope, Type::Request, Some(*id), None)?.leaf();
        let place = self.place_of(&leaf).await?;
        Ok(place.is_some_and(|(ledger, _)| ledger.origin() != self.ledger.origin()))
    }
}
