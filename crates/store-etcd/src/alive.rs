//! Showing that this process is there: a key under a lease of its own, so that it goes when the process does. Owns that lease. Not the
//! leader's: whoever leads no longer may well be there.

use std::sync::Arc;

use async_trait::async_trait;
use etcd_client::{Compare, CompareOp, PutOptions, TxnOp};
use gallra_store::{Cluster, Store, StoreError, Term, keys};

use crate::fault::Fault;
use crate::members::Twice;
use crate::moment::Moment;
use crate::{Etcd, Shared, compaction};

#[async_trait]
impl Cluster for Etcd {
    fn id(&self) -> &str {
        &self.shared.id
    }

    async fn show(&self, about: &[u8]) -> Result<(), StoreError> {
        let mut lease = self.shared.alive.lock().await;
        let shown = match *lease {
            Some(id) if keeps(&self.shared, id).await? => put(&self.shared, id, about).await,
            _ => {
                let id = grant(&self.shared).await.map_err(Self::unshown)?;
                *lease = Some(id);
                put(&self.shared, id, about).await
            }
        };
        shown.map_err(Self::unshown)
    }

    async fn moment(&self) -> Result<Arc<dyn Store>, StoreError> {
        let at = self.revision().await?;
        Ok(Arc::new(Moment::new(Arc::clone(&self.shared), at)))
    }

    async fn findings(&self) -> Result<Vec<(bool, String)>, StoreError> {
        let said = self.health().await?.findings();
        Ok(said.into_iter().map(|finding| (finding.urgent, finding.text)).collect())
    }

    async fn quota_share(&self) -> Result<Option<f64>, StoreError> {
        self.fullest().await.map(Some)
    }

    async fn forget_history(&self) -> Result<(), StoreError> {
        self.compact(self.revision().await?).await
    }

    async fn while_leading(&self, term: &Term) {
        self.keep_compacted(term, compaction::KEEP, compaction::EVERY).await;
    }
}

impl Etcd {
    fn unshown(fault: Fault) -> StoreError {
        fault.of_read("showing that this coordinator is there")
    }
}

async fn grant(shared: &Shared) -> Result<i64, Fault> {
    let seconds = i64::try_from(shared.lease.as_secs().max(1)).unwrap_or(1);
    // One that was granted without our hearing of it runs out.
    let granted =
        shared.members.ask(Twice::Harmless, |client| async move { client.lease_client().grant(seconds, None).await });
    Ok(granted.await?.id())
}

/// Has the lease confirmed; false when it ran out.
async fn keeps(shared: &Shared, id: i64) -> Result<bool, StoreError> {
    let (turn, member) = shared.members.current();
    let mut client = member.client.lease_client();
    let fault = match tokio::time::timeout(shared.members.answer_within, client.keep_alive(id)).await {
        Ok(Ok(_)) => return Ok(true),
        Ok(Err(etcd_client::Error::LeaseKeepAliveError(_))) => return Ok(false),
        Ok(Err(error)) => Fault::of(&error),
        Err(_) => Fault::silent(shared.members.answer_within),
    };
    shared.members.leave(turn, &fault);
    Err(Etcd::unshown(fault))
}

/// Writes the word once for each lease: a heartbeat is no revision.
async fn put(shared: &Shared, id: i64, about: &[u8]) -> Result<(), Fault> {
    let key = shared.prefix.key(&keys::replica_alive(&shared.id));
    let there = Compare::lease(key.clone(), CompareOp::Equal, id);
    let put = TxnOp::put(key, about, Some(PutOptions::new().with_lease(id)));
    let txn = etcd_client::Txn::new().when([there]).or_else([put]);
    let asked = shared.members.ask(Twice::Harmless, |client| {
        let txn = txn.clone();
        async move { client.kv_client().txn(txn).await }
    });
    asked.await.map(drop)
}
