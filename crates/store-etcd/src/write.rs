//! Transactions: the store's expectations as etcd's comparisons. Owns the translation and what a conflict names; upholds that
//! a transaction whose answer was lost is not sent again.

use etcd_client::{Compare, CompareOp, GetOptions, TxnOp, TxnOpResponse};
use gallra_store::txn::{Expect, Revision, Txn, Write};
use gallra_store::{Key, StoreError};

use crate::Shared;
use crate::fault::{Fault, Kind};
use crate::members::Twice;
use crate::prefix::Prefix;
use crate::read::revision_of;

/// How often a transaction is tried that failed on what holds again when it is looked at. Presence may go and come; a version
/// does not come back.
const MAX_LOOKS: usize = 3;

/// A revision that no key has.
const NEVER: i64 = -1;

/// Carries a checked transaction out.
pub(crate) async fn commit(shared: &Shared, txn: &Txn) -> Result<Revision, StoreError> {
    for _ in 0..MAX_LOOKS {
        shared.believed().map_err(|fault| fault.of_write("writing"))?;
        let before = shared.newest();
        let asked = shared.members.ask(Twice::Harmful, |client| {
            let request = request(&shared.prefix, txn);
            async move { client.kv_client().txn(request).await }
        });
        let answer = asked.await.map_err(|fault| fault.of_write("writing"))?;
        let revision = match shared.seen(answer.header(), before) {
            Ok(revision) => revision,
            // It was carried out, and where is the question.
            Err(fault) if answer.succeeded() => return Err(StoreError::Uncertain { hint: fault.hint }),
            Err(fault) => return Err(fault.of_write("writing")),
        };
        if answer.succeeded() {
            return Ok(revision);
        }
        // It was not carried out. What is left is to say why.
        match failed(shared, txn).await {
            Ok(None) => {}
            Ok(Some(key)) => return Err(StoreError::Conflict { key }),
            Err(_) => break,
        }
    }
    // Where that cannot be read any is as good, but a leader's fence, which comes first: who hears of it gives its term up.
    match txn.expects().last() {
        Some((key, _)) => Err(StoreError::Conflict { key: key.clone() }),
        None => {
            Err(StoreError::Failed { during: "writing", hint: "etcd failed a transaction that expects nothing".into() })
        }
    }
}

fn request(prefix: &Prefix, txn: &Txn) -> etcd_client::Txn {
    let compares: Vec<Compare> = txn.expects().iter().map(|(key, expect)| compare(prefix.key(key), *expect)).collect();
    let writes: Vec<TxnOp> = txn
        .writes()
        .iter()
        .map(|write| match write {
            Write::Put { key, value } => TxnOp::put(prefix.key(key), value.clone(), None),
            Write::Delete { key } => TxnOp::delete(prefix.key(key), None),
        })
        .collect();
    etcd_client::Txn::new().when(compares).and_then(writes)
}

fn compare(key: Vec<u8>, expect: Expect) -> Compare {
    match expect {
        Expect::Absent => Compare::create_revision(key, CompareOp::Equal, 0),
        Expect::Present => Compare::create_revision(key, CompareOp::Greater, 0),
        // To etcd an absent key has the modification revision 0.
        Expect::Version(Revision(version)) => {
            let version = i64::try_from(version).ok().filter(|version| *version > 0).unwrap_or(NEVER);
            Compare::mod_revision(key, CompareOp::Equal, version)
        }
    }
}

/// The first expectation that does not hold now, at one moment for all of them.
async fn failed(shared: &Shared, txn: &Txn) -> Result<Option<Key>, Fault> {
    let looks: Vec<TxnOp> = txn
        .expects()
        .iter()
        .map(|(key, _)| TxnOp::get(shared.prefix.key(key), Some(GetOptions::new().with_keys_only())))
        .collect();
    let before = shared.newest();
    let answer = shared
        .members
        .ask(Twice::Harmless, |client| {
            let looks = etcd_client::Txn::new().and_then(looks.clone());
            async move { client.kv_client().txn(looks).await }
        })
        .await?;
    shared.seen(answer.header(), before)?;
    let found = answer.op_responses();
    if found.len() != txn.expects().len() {
        return Err(Fault::new(Kind::Unknown, "an answer with another number of parts than were asked for"));
    }
    for ((key, expect), found) in txn.expects().iter().zip(found) {
        let TxnOpResponse::Get(found) = found else {
            return Err(Fault::new(Kind::Unknown, "an answer to another question"));
        };
        if !expect.holds(found.kvs().first().map(|kv| revision_of(kv.mod_revision()))) {
            return Ok(Some(key.clone()));
        }
    }
    Ok(None)
}
