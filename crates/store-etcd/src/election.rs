//! Leading, under a lease: the leader key is there while its lease is, and the revision that made it is the term's fence.
//! Owns lease and key; upholds that no term is believed longer than two thirds of what etcd granted, counted from before it
//! was asked, on a clock that goes on while the machine sleeps.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use etcd_client::{Compare, CompareOp, PutOptions, Txn, TxnOp};
use gallra_retry::Waits;
use gallra_store::election::{Ended, Fence, Keeper, RESIGN_WITHIN, boot_millis};
use gallra_store::txn::Revision;
use gallra_store::{Election, Store as _, StoreError, Term, keys};

use crate::fault::{Fault, Kind};
use crate::members::Twice;
use crate::read::revision_of;
use crate::{Etcd, Shared};

const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// A lease, and until when a term on it is believed.
struct Lease {
    id: i64,
    granted: Duration,
    until: u64,
}

/// Two thirds of the time: what remains is for clocks that differ in speed, and for an act that has just begun.
fn believed(asked_at: u64, granted: Duration) -> u64 {
    asked_at + u64::try_from(granted.as_millis() * 2 / 3).unwrap_or(0)
}

#[async_trait]
impl Election for Etcd {
    async fn campaign(&self, who: &str) -> Result<Term, StoreError> {
        let mut waits = Waits::new(FIRST_WAIT, LONGEST_WAIT);
        loop {
            let stood = match self.until_nobody_leads().await {
                Ok(()) => stand(&self.shared, who).await,
                Err(fault) => Err(fault),
            };
            match stood {
                Ok(Some((lease, revision))) => return Ok(reign(&self.shared, lease, revision)),
                Ok(None) => {}
                Err(fault) if matches!(fault.kind, Kind::NotSent | Kind::Unknown) => {
                    tracing::warn!(why = %fault.hint, "no election can be held yet; it is tried again");
                    tokio::time::sleep(waits.next_wait()).await;
                }
                Err(fault) => return Err(fault.of_read("standing for election")),
            }
        }
    }
}

impl Etcd {
    /// Waits until the leader key is gone.
    async fn until_nobody_leads(&self) -> Result<(), Fault> {
        let mut watch = self.watch(keys::Family::Meta.prefix());
        while crate::read::get(&self.shared, &keys::meta_leader()).await?.is_some() {
            // A word that is lost costs no more than this.
            let _ = tokio::time::timeout(self.shared.lease, watch.next()).await;
        }
        Ok(())
    }
}

/// Takes a lease and puts the leader key under it, unless somebody was quicker.
async fn stand(shared: &Shared, who: &str) -> Result<Option<(Lease, Revision)>, Fault> {
    let lease = grant(shared).await?;
    let made = put_leader(shared, &lease, who).await;
    if !matches!(made, Ok(Some(_))) {
        revoke(shared, lease.id).await;
    }
    Ok(made?.map(|revision| (lease, revision)))
}

async fn grant(shared: &Shared) -> Result<Lease, Fault> {
    let seconds = i64::try_from(shared.lease.as_secs().max(1)).unwrap_or(1);
    let asked_at = boot_millis();
    // One that was granted without our hearing of it runs out.
    let granted =
        shared.members.ask(Twice::Harmless, |client| async move { client.lease_client().grant(seconds, None).await });
    let granted = granted.await?;
    let ttl = Duration::from_secs(u64::try_from(granted.ttl()).unwrap_or(0));
    // A second asking may have been answered by the first one's member: never later than the first.
    Ok(Lease { id: granted.id(), granted: ttl, until: believed(asked_at, ttl) })
}

async fn put_leader(shared: &Shared, lease: &Lease, who: &str) -> Result<Option<Revision>, Fault> {
    let key = shared.prefix.key(&keys::meta_leader());
    let nobody = Compare::create_revision(key.clone(), CompareOp::Equal, 0);
    let put = TxnOp::put(key.clone(), who, Some(PutOptions::new().with_lease(lease.id)));
    let txn = Txn::new().when([nobody]).and_then([put]);
    shared.believed()?;
    let before = shared.newest();
    let asked = shared.members.ask(Twice::Harmful, |client| {
        let txn = txn.clone();
        async move { client.kv_client().txn(txn).await }
    });
    match asked.await {
        Ok(answer) => {
            let revision = shared.seen(answer.header(), before)?;
            Ok(answer.succeeded().then_some(revision))
        }
        // The lease is nobody else's: if the key has it, it is ours.
        Err(fault) if fault.kind == Kind::Unknown => {
            let read = shared.members.ask(Twice::Harmless, |client| {
                let key = key.clone();
                async move { client.kv_client().get(key, None).await }
            });
            let found = read.await?;
            Ok(found.kvs().iter().find(|kv| kv.lease() == lease.id).map(|kv| revision_of(kv.mod_revision())))
        }
        Err(fault) => Err(fault),
    }
}

fn reign(shared: &Arc<Shared>, lease: Lease, revision: Revision) -> Term {
    let (term, keeper) = Term::kept(Fence { key: keys::meta_leader(), revision }, lease.until);
    tracing::info!(term = %revision, "this replica leads");
    tokio::spawn(keep(Arc::clone(shared), lease, keeper));
    term
}

/// Keeps a term until it ends, then gives it back as far as that can be done.
async fn keep(shared: Arc<Shared>, lease: Lease, keeper: Keeper) {
    tokio::select! {
        () = keeper.asked_to_resign() => keeper.end(Ended::Resigned),
        () = confirm(&shared, &lease, &keeper) => keeper.end(Ended::Deposed),
        () = out_of_time(&keeper) => keeper.end(Ended::Unconfirmed),
        _ = keeper.ended() => {}
    }
    let why = keeper.ended().await;
    tracing::info!(%why, "this replica leads no longer");
    revoke(&shared, lease.id).await;
    keeper.given_back();
}

/// Has the lease confirmed at each third of its time; returns when etcd says that it is gone.
async fn confirm(shared: &Shared, lease: &Lease, keeper: &Keeper) {
    let third = lease.granted / 3;
    let mut wait = third;
    loop {
        tokio::time::sleep(wait).await;
        let (turn, member) = shared.members.current();
        let mut client = member.client.lease_client();
        let asked_at = boot_millis();
        let fault = match tokio::time::timeout(third / 2, client.keep_alive(lease.id)).await {
            Ok(Ok(_)) => {
                keeper.confirmed(believed(asked_at, lease.granted));
                wait = third;
                continue;
            }
            Ok(Err(etcd_client::Error::LeaseKeepAliveError(_))) => return,
            Ok(Err(error)) => Fault::of(&error),
            Err(_) => Fault::silent(third / 2),
        };
        shared.members.leave(turn, &fault);
        // Another member, soon: there is a third of the time for it.
        wait = third / 10;
    }
}

/// Returns when the term is believed no longer.
async fn out_of_time(keeper: &Keeper) {
    loop {
        let left = keeper.until().saturating_sub(boot_millis());
        if left == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(left)).await;
    }
}

/// Ends a lease, and with it the leader key under it. Where that fails it ends by itself.
async fn revoke(shared: &Shared, id: i64) {
    let revoked = shared.members.ask(Twice::Harmless, |client| async move { client.lease_client().revoke(id).await });
    match tokio::time::timeout(RESIGN_WITHIN, revoked).await {
        Ok(Ok(_)) => {}
        Ok(Err(fault)) => tracing::info!(why = %fault.hint, "a lease was not given back, and runs out by itself"),
        Err(_) => tracing::info!("a lease was not given back in time, and runs out by itself"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_is_believed_for_two_thirds_of_its_lease() {
        assert_eq!(believed(1_000, Duration::from_secs(6)), 5_000);
    }
}
