//! The writer thread: takes what is queued as one group, has it made durable with one flush, tells the watches, answers.
//! Owns the only write transactions there are; upholds that nobody is answered before the flush.

use redb::Database;
use tokio::sync::{mpsc, oneshot};

use super::apply::{self, Applied};
use crate::store::StoreError;
use crate::txn::{Revision, Txn};
use crate::watch::Watches;

/// Most transactions in one group; past some hundred the flush is no longer what costs.
const MAX_GROUP: usize = 512;
/// A group ends after the transaction that takes it past this many bytes, so that no answer waits for much more.
const MAX_GROUP_BYTES: usize = 8 * 1024 * 1024;

/// A transaction with its caller, who may have gone away.
pub(super) struct Queued {
    pub(super) txn: Txn,
    pub(super) reply: oneshot::Sender<Result<Revision, StoreError>>,
}

/// Serves the queue until all callers have hung up and it is empty.
pub(super) fn run(db: &Database, watches: &Watches, mut queue: mpsc::Receiver<Queued>) {
    let _closing = CloseAtEnd(watches);
    while let Some(first) = queue.blocking_recv() {
        let group = gather(first, &mut queue);
        let applied = apply::apply(db, group.iter().map(|queued| &queued.txn));
        match applied {
            Ok(applied) => answer(watches, group, applied),
            Err(failure) => {
                tracing::error!(members = group.len(), error = %failure.answer(), "a group commit failed");
                for queued in group {
                    let _ = queued.reply.send(Err(failure.answer()));
                }
            }
        }
    }
}

/// Watches end with the writer, also when it panics: nobody waits for news that cannot come.
struct CloseAtEnd<'w>(&'w Watches);

impl Drop for CloseAtEnd<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// What is queued right now, within bounds. It never waits for more: under load the queue fills while a group is being
/// flushed, and without load waiting would only delay.
fn gather(first: Queued, queue: &mut mpsc::Receiver<Queued>) -> Vec<Queued> {
    let mut bytes = first.txn.bytes();
    let mut group = vec![first];
    while group.len() < MAX_GROUP && bytes <= MAX_GROUP_BYTES {
        let Ok(next) = queue.try_recv() else { break };
        bytes += next.txn.bytes();
        group.push(next);
    }
    group
}

/// Watches first: who has an answer in hand can rely on its watch having been told.
fn answer(watches: &Watches, group: Vec<Queued>, applied: Applied) {
    for key in &applied.changed {
        watches.changed(key);
    }
    for (queued, outcome) in group.into_iter().zip(applied.outcomes) {
        let _ = queued.reply.send(outcome);
    }
}
