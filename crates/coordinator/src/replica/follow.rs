//! What every replica hears from the store, whether it leads or not: checkpoints that the leader signed, who leads, and which keys
//! sign. Each look reads everything that it needs; a change only says that it is time to look (decision 6).

use std::time::Duration;

use gallra_store::keys::{self, Family};
use gallra_store::{Change, Watch};

use crate::core::Core;

/// Real time: longest without a look, where a change was not told.
const LONGEST: Duration = Duration::from_secs(30);

/// Waits for a change, or long enough. False once the store is closed.
pub(crate) async fn changed(watch: &mut Watch) -> bool {
    !matches!(tokio::time::timeout(LONGEST, watch.next()).await, Ok(Change::Closed))
}

/// Hands out what the leader signed, and stops the log where another replica heard what speaks against it.
pub(super) async fn log(core: &Core) {
    let mut notes = core.store.watch(core.ledger.notes());
    let mut contraries = core.store.watch(keys::ledger_contraries());
    loop {
        if let Err(error) = core.ledger.adopt().await {
            tracing::warn!(%error, "the log's newest checkpoint could not be read; it is tried again");
        }
        tokio::select! {
            biased;
            open = changed(&mut notes) => if !open { return },
            open = changed(&mut contraries) => if !open { return },
        }
    }
}

/// Tells each new leader which agents were heard here.
pub(super) async fn leader(core: &Core) {
    let mut facts = core.store.watch(Family::Meta.prefix());
    let mut last = None;
    loop {
        match core.store.get(&keys::meta_leader()).await {
            Ok(entry) => {
                let term = entry.map(|entry| entry.version);
                if term.is_some() && term != last {
                    core.fleet.begin_grace();
                    match core.ledger.pass_all_on().await {
                        Ok(()) => last = term,
                        Err(error) => tracing::warn!(%error, "the leader was not told whom this one has heard"),
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "who leads could not be read; it is tried again"),
        }
        if !changed(&mut facts).await {
            return;
        }
    }
}

/// Forgets key-wrapping keys that the leader has destroyed, though nobody looks anything up here.
pub(super) async fn epochs(core: &Core) {
    let mut facts = core.store.watch(Family::Meta.prefix());
    loop {
        if let Err(error) = core.keyring.learn(&*core.store).await {
            tracing::error!(%error, "this replica does not know the current key epoch, and finds nobody");
        }
        if !changed(&mut facts).await {
            return;
        }
    }
}

/// Signs with the keys that the newest manifest lists, whoever took it in.
pub(super) async fn keys(core: &Core) {
    let mut manifests = core.store.watch(keys::key_manifests());
    loop {
        if let Err(error) = core.follow_manifests().await {
            tracing::error!(%error, "this replica has not the keys of the newest key manifest, and signs nothing under it");
        }
        if !changed(&mut manifests).await {
            return;
        }
    }
}
