//! The mark of a store in etcd: its version, and the cluster that it was made in. Owns the one key that is not the store's. It
//! is what tells a store from an empty prefix, and a restored cluster from the one that went on: after a restore etcd has
//! another cluster id, and versions of keys may come a second time.

use etcd_client::{Compare, CompareOp, ResponseHeader, Txn, TxnOp};
use gallra_store::StoreError;

use crate::fault::{Fault, Kind};
use crate::members::{Members, Twice};
use crate::prefix::Prefix;

/// The version of how keys and values lie in etcd.
const VERSION: &str = "1";

fn mark(cluster: u64) -> String {
    format!("gallra store {VERSION} cluster {cluster:016x}")
}

/// Whether it is a mark of this version, of whichever cluster.
fn is_mark(text: &[u8]) -> bool {
    text.starts_with(format!("gallra store {VERSION} cluster ").as_bytes())
}

fn cluster_of(header: Option<&ResponseHeader>) -> Result<u64, Fault> {
    header.map(ResponseHeader::cluster_id).ok_or_else(|| Fault::new(Kind::Unknown, "an answer without a header"))
}

fn format(hint: &str) -> StoreError {
    StoreError::Format { hint: hint.to_owned() }
}

/// The mark that is there, and the cluster that answers.
async fn read(members: &Members, prefix: &Prefix) -> Result<(Option<Vec<u8>>, u64), StoreError> {
    let read = members.ask(Twice::Harmless, |client| {
        let key = prefix.first();
        async move { client.kv_client().get(key, None).await }
    });
    let answer = read.await.map_err(|fault| fault.of_read("opening the store"))?;
    let cluster = cluster_of(answer.header()).map_err(|fault| fault.of_read("opening the store"))?;
    Ok((answer.kvs().first().map(|kv| kv.value().to_vec()), cluster))
}

/// Marks an empty prefix.
pub(crate) async fn create(members: &Members, prefix: &Prefix) -> Result<u64, StoreError> {
    let (_, cluster) = read(members, prefix).await?;
    let nothing = Compare::create_revision(prefix.first(), CompareOp::Equal, 0).with_range(prefix.end());
    let txn = Txn::new().when([nothing]).and_then([TxnOp::put(prefix.first(), mark(cluster), None)]);
    let made = members.ask(Twice::Harmful, |client| {
        let txn = txn.clone();
        async move { client.kv_client().txn(txn).await }
    });
    match made.await {
        Ok(answer) if answer.succeeded() => Ok(cluster),
        Ok(_) => {
            Err(format("there is something under the cell's prefix already; open it, or take another cell's name"))
        }
        Err(fault) => Err(fault.of_write("making the store")),
    }
}

/// The cluster, where the store is its.
pub(crate) async fn check(members: &Members, prefix: &Prefix) -> Result<u64, StoreError> {
    match read(members, prefix).await? {
        (Some(found), cluster) if found == mark(cluster).as_bytes() => Ok(cluster),
        (Some(found), _) if is_mark(&found) => Err(format(
            "it was made in another cluster, so this etcd was restored or copied; see docs/etcd.md before going on",
        )),
        (Some(_), _) => Err(format("what is under the cell's prefix is of another version, or no store")),
        (None, _) => Err(format("there is no store under the cell's prefix; check etcd's address and the cell's name")),
    }
}

/// The cluster that answers, where there is a store of this version, whichever cluster made it.
pub(crate) async fn found(members: &Members, prefix: &Prefix) -> Result<u64, StoreError> {
    let (Some(found), cluster) = read(members, prefix).await? else {
        return Err(format("there is no store under the cell's prefix; check etcd's address and the cell's name"));
    };
    if !is_mark(&found) {
        return Err(format("what is under the cell's prefix is of another version, or no store"));
    }
    Ok(cluster)
}

/// Marks a store anew as this cluster's.
pub(crate) async fn adopt(members: &Members, prefix: &Prefix) -> Result<u64, StoreError> {
    let cluster = found(members, prefix).await?;
    // Twice is the same as once.
    let marked = members.ask(Twice::Harmless, |client| {
        let key = prefix.first();
        async move { client.kv_client().put(key, mark(cluster), None).await }
    });
    marked.await.map(|_| cluster).map_err(|fault| fault.of_write("marking the store"))
}
