//! What the agent's journal holds, and what follows from reading it again after a stop. Owns the meaning of the records;
//! the file is the agent's. Carries no identifier: job and target names, digests and signed receipts only. Upholds I3
//! (the highest generation survives a crash) and I4 (an entry without an end shows).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::lasts::Lasts;
use gallra_model::envelope::Envelope;
use gallra_model::job::Action;
use gallra_model::journal::JournalMark;
use gallra_model::order::Order;
use gallra_model::receipt::Mark;
use gallra_model::statement::Commitment;
use gallra_model::target::{Instance, TargetId, TargetKind};
use gallra_model::{Clock, Digest, Instant, JobId, ObligationId, Pseudonym};

/// One attempt that was begun: everything that a receipt needs if nothing more is ever known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begun {
    /// The job.
    pub job: JobId,
    /// The attempt, as in the permit.
    pub attempt: u32,
    /// Digest of the permit's payload.
    pub permit: Digest,
    /// Digest of the exact offer.
    pub spec: Digest,
    /// The target.
    pub target: TargetId,
    /// Its kind.
    pub kind: TargetKind,
    /// The act.
    pub action: Action,
    /// The subject's name towards this agent.
    pub pseudonym: Pseudonym,
    /// What the target's name stood for, as permitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Instance>,
    /// Purge only: what was older than this was to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_than: Option<Instant>,
    /// Preserve only: the handle minted for it. Without a receipt nobody knows the handle, so what is behind it is
    /// thrown away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<ObligationId>,
    /// Confirm only: whether it is the look again, after the last copy went.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// The tree of the log that the permit quoted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commitment: Option<Commitment>,
    /// The checkpoint that came with the permit, where it is another than the newest known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// When, on the agent's clock.
    pub started: Instant,
    /// Which clock that is.
    pub clock: Clock,
}

/// A signed receipt that the coordinator has not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// The job.
    pub job: JobId,
    /// The attempt; 0 where the agent refused before it had a permit.
    pub attempt: u32,
    /// SHA-256 of the receipt's payload.
    pub receipt: Digest,
    /// The receipt.
    pub envelope: Envelope,
    /// Whether it says that the job is over: then no later attempt counts on from this one, and no later statement names it. A
    /// look at a backup store never is: it is made again, and one between two others is not to be left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub done: bool,
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "record", deny_unknown_fields)]
pub enum Record {
    /// First in a journal that was shortened: how far it had come.
    Origin {
        /// There.
        mark: JournalMark,
    },
    /// A higher generation was seen.
    Generation {
        /// It.
        generation: u64,
    },
    /// Written before the act.
    Begin(Box<Begun>),
    /// Written in the middle of an act, before the first item goes for good.
    Mark {
        /// The job.
        job: JobId,
        /// What was there.
        mark: Mark,
    },
    /// The newest order: an emergency stop holds after a restart too.
    Order {
        /// It.
        order: Order,
    },
    /// Written after the act, or after a refusal, before anybody is told.
    End(Held),
    /// In a journal that was shortened: the last statement about a job that is not done, which the next one names.
    Last {
        /// The job.
        job: JobId,
        /// SHA-256 of its payload.
        receipt: Digest,
    },
    /// In a journal that was shortened: the newest checkpoint of the coordinator's log.
    Checkpoint {
        /// The signed note.
        note: String,
    },
    /// The coordinator has the receipt: nothing of the attempt is needed any more.
    Stored {
        /// SHA-256 of the receipt's payload.
        receipt: Digest,
    },
}

/// What a journal comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Highest generation seen; 0 in a new journal.
    pub generation: u64,
    /// Attempts without an end: each is owed a receipt that says unknown.
    pub unfinished: Vec<Begun>,
    /// Receipts to be repeated until acknowledged, oldest first.
    pub held: Vec<Held>,
    /// What was there when jobs that are not done began to erase.
    pub marks: BTreeMap<JobId, Mark>,
    /// The newest order.
    pub order: Option<Order>,
    /// The last statement about each job that is not over.
    pub lasts: Lasts,
    /// The newest checkpoint of the coordinator's log that came with a permit.
    pub checkpoint: Option<String>,
}

/// Marks kept at most: a job beyond them counts from what its next attempt finds, which is never too much (I10).
pub const MAX_MARKS: usize = 4_096;

impl Replayed {
    /// Reads records in the order in which they were written.
    pub fn of(records: Vec<Record>) -> Self {
        let mut open = BTreeMap::new();
        let mut out = Self::default();
        for record in records {
            match record {
                Record::Origin { .. } => {}
                Record::Generation { generation } => out.generation = out.generation.max(generation),
                Record::Last { job, receipt } => out.lasts.remember(job, receipt, false),
                Record::Checkpoint { note } => out.checkpoint = Some(note),
                Record::Begin(begun) => {
                    out.checkpoint = begun.checkpoint.clone().or(out.checkpoint.take());
                    open.insert((begun.job, begun.attempt), *begun);
                }
                Record::Mark { job, mark } => {
                    out.marks.insert(job, mark);
                }
                Record::Order { order } => {
                    if out.order.as_ref().is_none_or(|known| order.is_newer_than(known)) {
                        out.order = Some(order);
                    }
                }
                Record::End(held) => {
                    open.remove(&(held.job, held.attempt));
                    if held.done {
                        out.marks.remove(&held.job);
                    }
                    out.lasts.remember(held.job, held.receipt, held.done);
                    if !out.held.iter().any(|known| known.receipt == held.receipt) {
                        out.held.push(held);
                    }
                }
                Record::Stored { receipt } => out.held.retain(|held| held.receipt != receipt),
            }
        }
        out.unfinished = open.into_values().collect();
        out
    }

    /// The shortest journal that comes to the same.
    pub fn into_records(self) -> Vec<Record> {
        let Self { generation, unfinished, held, marks, order, lasts, checkpoint } = self;
        let lasts = lasts.iter().map(|(job, receipt)| Record::Last { job, receipt }).collect::<Vec<_>>();
        let checkpoint = checkpoint.map(|note| Record::Checkpoint { note });
        let generation = (generation > 0).then_some(Record::Generation { generation });
        let begun = unfinished.into_iter().map(|begun| Record::Begin(Box::new(begun)));
        let marks = marks.into_iter().map(|(job, mark)| Record::Mark { job, mark });
        let order = order.map(|order| Record::Order { order });
        let held = held.into_iter().map(Record::End);
        generation
            .into_iter()
            .chain(order)
            .chain(checkpoint)
            .chain(lasts)
            .chain(begun)
            .chain(marks)
            .chain(held)
            .collect()
    }
}
