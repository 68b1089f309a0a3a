//! Holds and guards: what stands in the way of an act, as the coordinator keeps it. Owns the records; who may place what
//! is `gallra-identity`'s, and whether an act may begin is decided in `gallra-flow` (I1).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::{AgentName, ContractId, CustomerId, HoldId, RequestId};
use crate::target::{Category, TargetId};
use crate::time::{Day, Instant};

/// Open holds that may lie at one level, since they are kept in one value (I10).
pub const MAX_HOLDS_AT_ONE_LEVEL: usize = 256;

/// What a hold covers: one of the six levels that a permit compares (decision 3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "level", deny_unknown_fields)]
pub enum Level {
    /// Everything in the installation.
    Global,
    /// One category on every agent.
    Category {
        /// The category.
        category: Category,
    },
    /// One target on one agent.
    Target {
        /// The agent.
        agent: AgentName,
        /// The target.
        target: TargetId,
    },
    /// All that is held about one customer, contracts included.
    Customer {
        /// The customer, by reference.
        customer: CustomerId,
    },
    /// One contract.
    Contract {
        /// The contract, by reference.
        contract: ContractId,
    },
    /// One request.
    Request {
        /// The request.
        request: RequestId,
    },
}

/// One hold: erasure stops where it lies, until it is released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Reference.
    pub id: HoldId,
    /// What it covers.
    pub level: Level,
    /// Why, in the operator's words; names nobody.
    pub ground: String,
    /// Who placed it: the name in the caller's certificate.
    pub placed_by: String,
    /// When.
    pub placed: Instant,
    /// Local day on which somebody looks whether it is still needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Day>,
    /// Last local day on which it lies by itself; unset: until somebody releases it. It lies on until the end of that day has
    /// been seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Day>,
    /// How it ended; unset while it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<Release>,
}

/// The end of a hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Who released it; never who placed it (decision 14).
    pub by: String,
    /// When.
    pub at: Instant,
    /// Why, in the approver's words; names nobody.
    pub reason: String,
}

/// One guard (decision 3): raised by whatever could stop an act at its level, in the same transaction. What lies on it is
/// in the same value, so a permit that expects the guard as it was read cannot miss a hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Guard {
    /// How often it was raised.
    pub count: u64,
    /// Open holds at this level.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub holds: BTreeSet<HoldId>,
    /// Global level only: the emergency stop, or the brake, is pulled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub halt: Option<Halt>,
    /// A customer's level only: which of its instructions hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructed: Option<Instructed>,
}

/// A customer's instructions, as its permits have to know them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Instructed {
    /// Digest of those that hold; unset while none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// One strays so far that an approver has to accept it first: until then nothing of the customer's is erased.
    pub review: bool,
    /// The first local day on which others hold than these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Day>,
}

/// The emergency stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Halt {
    /// Who pulled it: the name in the caller's certificate, or `brake`.
    pub by: String,
    /// When.
    pub at: Instant,
    /// Why; names nobody.
    pub reason: String,
}

/// What the six guards of one job say together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Restraint {
    /// A hold lies on at least one of them.
    pub held: bool,
    /// The emergency stop is pulled.
    pub halted: bool,
    /// An instruction of the customer's waits for an approver.
    pub review: bool,
}
