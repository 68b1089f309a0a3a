//! Keys of what holds for many at once: facts about the store, guards, policies.

use gallra_model::target::{Category, TargetId};
use gallra_model::{AgentName, ContractId, CustomerId, Day, Digest, RequestId};

use super::Family;
use crate::key::{Key, KeyPrefix};
use crate::keyring::Epoch;

/// Which schema the store is in, and how old a program may work on it ([`crate::schema`]).
pub fn meta_schema() -> Key {
    Family::Meta.prefix().key("schema")
}

/// There once everything was moved into another store: the generation that was given up.
pub fn meta_moved() -> Key {
    Family::Meta.prefix().key("moved")
}

/// The coordinator's generation (I3), raised at each restore.
pub fn meta_generation() -> Key {
    Family::Meta.prefix().key("generation")
}

/// Which replica leads; there while one does, under a lease of its own ([`crate::election`]).
pub fn meta_leader() -> Key {
    Family::Meta.prefix().key("leader")
}

/// Number and first instant of the current key epoch, and how far its turning is ([`crate::epochs`]).
pub fn meta_epoch() -> Key {
    Family::Meta.prefix().key("epoch")
}

/// There once an epoch is closed: nothing more may be wrapped or indexed under it.
pub fn meta_closed_epoch(epoch: Epoch) -> Key {
    Family::Meta.under(&["closed-epoch"]).key(&epoch.to_string())
}

/// The last instant at which the coordinator believed its machine's clock (decision 6).
pub fn meta_clock() -> Key {
    Family::Meta.prefix().key("clock")
}

/// The policy in force, and those that wait for their first day.
pub fn meta_policy() -> Key {
    Family::Meta.prefix().key("policy")
}

/// The newest rolling purge: its local day and its request.
pub fn meta_purge() -> Key {
    Family::Meta.prefix().key("purge")
}

/// The newest list of ended contracts that nobody settles.
pub fn meta_unsettled() -> Key {
    Family::Meta.prefix().key("unsettled")
}

/// Which folder is this store's archive of finished requests.
pub fn meta_archive() -> Key {
    Family::Meta.prefix().key("archive")
}

/// All pages of lists of ended contracts that nobody settles.
pub fn unsettled() -> KeyPrefix {
    Family::Unsettled.prefix()
}

/// The pages of one day's list.
pub fn unsettled_of(day: Day) -> KeyPrefix {
    Family::Unsettled.under(&[&day.to_string()])
}

/// One page of a day's list, from 0 on.
pub fn unsettled_page(day: Day, page: u32) -> Key {
    unsettled_of(day).key(&format!("{page:08x}"))
}

/// One policy version.
pub fn policy(digest: &Digest) -> Key {
    policies().key(&digest.to_string())
}

/// All policy versions.
pub fn policies() -> KeyPrefix {
    Family::Policy.prefix()
}

/// What came into force as the policy of this number; the first one is 0.
pub fn policy_turn(turn: u64) -> Key {
    policy_turns().key(&format!("{turn:016x}"))
}

/// All of them, in the order in which they came into force.
pub fn policy_turns() -> KeyPrefix {
    Family::PolicyTurn.prefix()
}

/// Since when which of a customer's instructions hold. Their texts are sealed.
pub fn instructed(customer: &CustomerId) -> Key {
    all_instructed().key(&customer.to_string())
}

/// Every customer with instructions.
pub fn all_instructed() -> KeyPrefix {
    Family::Instruction.prefix()
}

/// Whose instructions a key is about; none for another key.
pub fn parse_instructed(key: &Key) -> Option<CustomerId> {
    all_instructed().rest(key)?.parse().ok()
}

/// The guard of everything.
pub fn guard_global() -> Key {
    Family::Guard.prefix().key("global")
}

/// The guard of a category.
pub fn guard_category(category: &Category) -> Key {
    Family::Guard.under(&["category"]).key(category.as_str())
}

/// The guard of one target.
pub fn guard_target(agent: &AgentName, target: &TargetId) -> Key {
    Family::Guard.under(&["target", agent.as_str()]).key(target.as_str())
}

/// The guard of a customer; a hold on a subject raises that of each customer that the subject belongs to.
pub fn guard_customer(customer: &CustomerId) -> Key {
    Family::Guard.under(&["customer"]).key(&customer.to_string())
}

/// The guard of a contract.
pub fn guard_contract(contract: &ContractId) -> Key {
    Family::Guard.under(&["contract"]).key(&contract.to_string())
}

/// The guard of a request.
pub fn guard_request(request: &RequestId) -> Key {
    Family::Guard.under(&["request"]).key(&request.to_string())
}
