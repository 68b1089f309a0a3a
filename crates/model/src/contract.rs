//! Customers and contracts as the coordinator keeps them: dates and references only. What names a person (customer
//! number, service id, addresses) is sealed apart (decision 12).

use serde::{Deserialize, Serialize};

use crate::id::{ContractId, CustomerId, Nonce, RequestId, SubjectId};
use crate::selector::{AddressUse, ExternalId};
use crate::time::Day;

/// Where a contract stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContractState {
    /// The service is delivered.
    Active,
    /// Terminated; the last invoice is open.
    Ended,
    /// Terminated, and paid or written off.
    Settled,
}

/// One contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// Reference.
    pub id: ContractId,
    /// Whose.
    pub customer: CustomerId,
    /// Under whose key its identifiers are sealed.
    pub subject: SubjectId,
    /// The last event's version: late and doubled events are below it and do no harm.
    pub version: u64,
    /// Where it stands.
    pub state: ContractState,
    /// First day.
    pub started: Day,
    /// Last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Day>,
    /// Day of settlement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<Day>,
    /// The request that its end opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// The requests that its newest resumption cancelled: its own, and the customer's end where that was under way. A doubled
    /// event is answered from them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cancelled: Vec<RequestId>,
}

/// One customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Customer {
    /// Reference.
    pub id: CustomerId,
    /// The natural person that it is (a sole trader), or its first contact.
    pub subject: SubjectId,
    /// All contracts, oldest first. Bounded by [`MAX_CONTRACTS`].
    pub contracts: Vec<ContractId>,
    /// The request that carries the customer's own end; unset while a contract is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<RequestId>,
}

/// Contracts that one customer may have, since they are kept in one value.
pub const MAX_CONTRACTS: usize = 10_000;

/// What names the customer, sealed under the subject's key until the request ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomerIdentity {
    /// The customer number of the billing system.
    pub number: ExternalId,
    /// IP addresses of contracts whose identifiers are destroyed already, where a target of the customer's scope is searched
    /// by them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<AddressUse>,
    /// Whether some of those did not fit. For good: no target is searched by the rest, as if they were all.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub former_incomplete: bool,
    /// Random: what jobs are salted from. Gone with the rest, so that afterwards nobody can test a guess of the number
    /// against the digests in a receipt.
    pub salt: Nonce,
}

/// What names the contract, sealed under the subject's key until the request ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractIdentity {
    /// The service id of the billing system.
    pub service: ExternalId,
    /// Addresses hosted under the service, for look-up by blind index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<ExternalId>,
    /// IP addresses, and when each was theirs: by them the provider's own logs are searched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<AddressUse>,
    /// Random: by it the blind index of those addresses lists the contract; unset while it has had none. Destroyed with the rest,
    /// so that what the index may still hold leads to nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Nonce>,
    /// Random: as [`CustomerIdentity::salt`].
    pub salt: Nonce,
}
