//! What the agent's journal holds, and what follows from reading it again after a stop. Owns the meaning of the records;
//! the file is the agent's. Carries no identifier: job and target names, digests and signed receipts only. Upholds I3
//! (the highest generation survives a crash) and I4 (an entry without an end shows).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use gallra_model::envelope::Envelope;
use gallra_model::job::Action;
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
    /// Preserve only: the handle minted for it. Without a receipt nobody knows the handle, so what is behind it is
    /// thrown away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<ObligationId>,
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
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "record", deny_unknown_fields)]
pub enum Record {
    /// A higher generation was seen.
    Generation {
        /// It.
        generation: u64,
    },
    /// Written before the act.
    Begin(Begun),
    /// Written after the act, or after a refusal, before anybody is told.
    End(Held),
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
}

impl Replayed {
    /// Reads records in the order in which they were written.
    pub fn of(records: Vec<Record>) -> Self {
        let mut open = BTreeMap::new();
        let mut out = Self::default();
        for record in records {
            match record {
                Record::Generation { generation } => out.generation = out.generation.max(generation),
                Record::Begin(begun) => {
                    open.insert((begun.job, begun.attempt), begun);
                }
                Record::End(held) => {
                    open.remove(&(held.job, held.attempt));
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
        let Self { generation, unfinished, held } = self;
        let generation = (generation > 0).then_some(Record::Generation { generation });
        let begun = unfinished.into_iter().map(Record::Begin);
        generation.into_iter().chain(begun).chain(held.into_iter().map(Record::End)).collect()
    }
}
