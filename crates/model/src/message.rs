//! What coordinator and agent say to each other on the stream, and what the two halves of an agent say to each other.
//! Plain values: the wire crate carries the first kind over gRPC, the agent carries the second as JSON lines.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::envelope::Envelope;
use crate::id::{JobId, Nonce};
use crate::journal::JournalMark;
use crate::permit::Denial;
use crate::suppression::MonthKey;
use crate::target::Inventory;
use crate::time::{Clock, Instant};
use crate::trace::TraceRef;

/// Longest message on the stream, in bytes: a listing of some thousand copies fits many times.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// From agent to coordinator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "say", deny_unknown_fields)]
pub enum ToCoordinator {
    /// First on every stream.
    Hello {
        /// What the host has.
        inventory: Inventory,
        /// Highest coordinator generation that the agent has seen (I3).
        generation: u64,
        /// How many offers the agent takes at once.
        credits: u32,
    },
    /// Where the agent's journal stands, and its clock: first on a stream, before each asking, and whenever the journal has
    /// moved since the last word.
    Journal {
        /// There.
        mark: JournalMark,
        /// What the machine's own clock says, also under a simulated one.
        now: Instant,
    },
    /// How far the agent's suppression list goes: once on each stream. The coordinator answers with what comes after.
    Suppression {
        /// The sequence of its newest line; 0 while it has none.
        through: u64,
    },
    /// The newest checkpoint of the coordinator's log that the agent was given: once on each stream, so that a coordinator whose
    /// store went back signs no second history.
    Checkpoint {
        /// The signed note; unset while it has none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// May this job begin? Counted from here on the agent's boot-time clock.
    AskBegin {
        /// The job.
        job: JobId,
        /// Digest of the exact offer.
        spec: Digest,
        /// Fresh for every asking.
        nonce: Nonce,
    },
    /// May the act that is under way go on for another minute? Asked between two items, and counted from here as above.
    AskOn {
        /// The job.
        job: JobId,
        /// The attempt that is being carried out.
        attempt: u32,
        /// Digest of the exact offer.
        spec: Digest,
        /// Fresh for every asking.
        nonce: Nonce,
    },
    /// What an attempt came to; repeated on every new stream until acknowledged.
    Receipt {
        /// Signed by the agent's evidence key.
        envelope: Envelope,
    },
    /// What came of a restore; repeated on every new stream until answered.
    Restore {
        /// Signed by the agent's evidence key.
        envelope: Envelope,
    },
    /// The agent is there and works: said as often as the coordinator's welcome asked for.
    Alive,
}

/// From coordinator to agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "say", deny_unknown_fields)]
pub enum ToAgent {
    /// First on every stream.
    Welcome {
        /// The coordinator's generation.
        generation: u64,
        /// Which clock it runs under.
        clock: Clock,
        /// Its time.
        now: Instant,
        /// Seconds between two heartbeats that it wants of this agent; 0: none.
        #[serde(default)]
        heartbeat_seconds: u32,
    },
    /// The coordinator's simulated clock moved. Never sent under a real clock.
    ClockMoved {
        /// Its time now.
        now: Instant,
    },
    /// A job to ask for.
    Offer {
        /// The exact bytes of a `JobSpec`, as text.
        spec: String,
        /// What spans about the job hang from; unset where nobody collects any. No part of what is hashed or signed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace: Option<TraceRef>,
    },
    /// Yes.
    Permitted {
        /// Signed by the permit key.
        permit: Envelope,
    },
    /// No.
    Denied {
        /// The job.
        job: JobId,
        /// The asking that it answers.
        nonce: Nonce,
        /// Why.
        reason: Denial,
    },
    /// The receipt is durable: the agent may forget it.
    ReceiptStored {
        /// SHA-256 of the receipt's payload.
        receipt: Digest,
    },
    /// A restore is durable, or never will be: the agent sends it no more.
    RestoreHeard {
        /// SHA-256 of the restore's payload.
        statement: Digest,
        /// Why it is not taken, now or later; unset: it is durable.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused: Option<String>,
    },
    /// Irreversible work stops, or may go on. Pushed at once, and said again on every new stream once there is one.
    Order {
        /// Signed by the permit key.
        order: Envelope,
    },
    /// A hold, a resumption or a new plan covers a job that has a permit: its act stops at the next item. Unsigned, since
    /// it can only make the agent do less.
    Withdraw {
        /// The job.
        job: JobId,
    },
    /// A line of the agent's suppression list (decision 8).
    Suppression {
        /// Signed by the permit key.
        line: Envelope,
        /// With an entry: its month's key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<MonthKey>,
    },
}

/// From the agent's session to its privileged half.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "say", deny_unknown_fields)]
pub enum ToPrivileged {
    /// A stream was opened: say what is unfinished.
    Connected {
        /// The coordinator's generation.
        generation: u64,
        /// Which clock it runs under.
        clock: Clock,
        /// Its time; followed only under a simulated clock that a flag accepts.
        now: Instant,
    },
    /// The simulated clock moved.
    ClockMoved {
        /// Its time now.
        now: Instant,
    },
    /// An offer, as it came.
    Offer {
        /// The exact bytes of a `JobSpec`, as text.
        spec: String,
    },
    /// A permit, as it came.
    Permitted {
        /// Signed by the permit key.
        permit: Envelope,
    },
    /// A denial.
    Denied {
        /// The job.
        job: JobId,
        /// The asking that it answers.
        nonce: Nonce,
        /// Why.
        reason: Denial,
    },
    /// A receipt is durable at the coordinator.
    ReceiptStored {
        /// SHA-256 of the receipt's payload.
        receipt: Digest,
    },
    /// A restore is durable at the coordinator, or never will be.
    RestoreHeard {
        /// SHA-256 of the restore's payload.
        statement: Digest,
        /// Why it is not taken; unset: it is durable.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused: Option<String>,
    },
    /// Irreversible work stops, or may go on.
    Order {
        /// Signed by the permit key.
        order: Envelope,
    },
    /// An act stops at the next item.
    Withdraw {
        /// The job.
        job: JobId,
    },
    /// A line of the suppression list.
    Suppression {
        /// Signed by the permit key.
        line: Envelope,
        /// With an entry: its month's key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<MonthKey>,
    },
}

/// From the agent's privileged half to its session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "say", content = "message", deny_unknown_fields)]
pub enum ToSession {
    /// Once, at start.
    Ready {
        /// What the host has.
        inventory: Inventory,
        /// Highest generation seen.
        generation: u64,
    },
    /// Pass on.
    Say(ToCoordinator),
}
