//! The writer thread: takes what is queued as one group, has it made durable with one flush, tells the watches, answers.
//! Owns the only write transactions there are; upholds that nobody is answered before the flush.

use redb::Database;
use tokio::sync::{mpsc, oneshot};

use super::apply::{self, Applied};
use super::rewrite::{self, After, Noted, Swap};
use super::slot::Slot;
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

/// What the writer is asked.
pub(super) enum Asked {
    /// Carry out a transaction.
    Commit(Queued),
    /// Note from now on which keys change, and say when.
    Note(oneshot::Sender<()>),
    /// Put a new file in the old one's place.
    Swap(Swap),
}

/// Serves the queue until all callers have hung up and it is empty, or the store may not go on.
pub(super) fn run(slot: &Slot, watches: &Watches, mut queue: mpsc::Receiver<Asked>) {
    let _closing = CloseAtEnd(watches);
    let mut noted = None;
    let mut held_back = None;
    while let Some(asked) = held_back.take().or_else(|| queue.blocking_recv()) {
        match asked {
            Asked::Commit(first) => {
                let (group, next) = gather(first, &mut queue);
                held_back = next;
                serve(&slot.get(), watches, &mut noted, group);
            }
            Asked::Note(reply) => {
                noted = Some(Noted::default());
                let _ = reply.send(());
            }
            Asked::Swap(swap) => {
                if rewrite::swap(slot, noted.take(), swap) == After::Stops {
                    return;
                }
            }
        }
    }
}

fn serve(db: &Database, watches: &Watches, noted: &mut Option<Noted>, group: Vec<Queued>) {
    match apply::apply(db, group.iter().map(|queued| &queued.txn)) {
        Ok(applied) => {
            if let Some(noted) = noted {
                noted.add(applied.changed.iter());
            }
            answer(watches, group, applied);
        }
        Err(failure) => {
            tracing::error!(members = group.len(), error = %failure.answer(), "a group commit failed");
            for queued in group {
                let _ = queued.reply.send(Err(failure.answer()));
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

/// What is queued right now, within bounds, and what is to be done after it. It never waits for more: under load the
/// queue fills while a group is being flushed, and without load waiting would only delay.
fn gather(first: Queued, queue: &mut mpsc::Receiver<Asked>) -> (Vec<Queued>, Option<Asked>) {
    let mut bytes = first.txn.bytes();
    let mut group = vec![first];
    while group.len() < MAX_GROUP && bytes <= MAX_GROUP_BYTES {
        match queue.try_recv() {
            Ok(Asked::Commit(next)) => {
                bytes += next.txn.bytes();
                group.push(next);
            }
            Ok(other) => return (group, Some(other)),
            Err(_) => break,
        }
    }
    (group, None)
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
