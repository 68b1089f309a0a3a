//! Values as JSON: what the agent's two halves say to each other, offers, and everything that the store keeps.

use gallra_coordinator::causes::CauseKey;
use gallra_coordinator::instructions::StoredInstruction;
use gallra_coordinator::jobs::AgentRecord;
use gallra_coordinator::policies::{InForce, StoredPolicy, Turn};
use gallra_coordinator::quarantine::Standing;
use gallra_coordinator::state::StoredReceipt;
use gallra_coordinator::suppression::Stored;
use gallra_model::cause::Backing;
use gallra_model::contract::{Contract, ContractIdentity, Customer, CustomerIdentity};
use gallra_model::copy::CopyRecord;
use gallra_model::envelope::Envelope;
use gallra_model::hold::{Guard, Hold};
use gallra_model::job::JobSpec;
use gallra_model::message::{ToAgent, ToCoordinator, ToPrivileged, ToSession};
use gallra_model::proof::ProofFile;
use gallra_model::request::{JobRecord, Obligation, Request};
use gallra_model::selector::Selector;
use gallra_model::target::Inventory;

use crate::Seen;
use crate::spelling::same_json;

/// One line of the channel between an agent's halves, or a message of its stream, or an offer.
pub fn messages(bytes: &[u8]) -> Seen {
    let channel = [
        same_json::<ToPrivileged>(bytes).is_some(),
        same_json::<ToSession>(bytes).is_some(),
        same_json::<ToAgent>(bytes).is_some(),
        same_json::<ToCoordinator>(bytes).is_some(),
        same_json::<Selector>(bytes).is_some(),
    ];
    let offer = same_json::<JobSpec>(bytes);
    if let Some(offer) = &offer {
        let ids = [&offer.selector.service, &offer.selector.customer];
        let leads_elsewhere = |text: &str| text.is_empty() || text.contains("..") || text.contains(['/', '\0', '*']);
        assert!(!ids.into_iter().flatten().any(|id| leads_elsewhere(id.expose())));
    }
    Seen::of(offer.is_some() || channel.contains(&true))
}

/// One value of the store.
pub fn store_value(bytes: &[u8]) -> Seen {
    let read = [
        same_json::<Request>(bytes).is_some(),
        same_json::<JobRecord>(bytes).is_some(),
        same_json::<CopyRecord>(bytes).is_some(),
        same_json::<Obligation>(bytes).is_some(),
        same_json::<Contract>(bytes).is_some(),
        same_json::<Customer>(bytes).is_some(),
        same_json::<ContractIdentity>(bytes).is_some(),
        same_json::<CustomerIdentity>(bytes).is_some(),
        same_json::<Inventory>(bytes).is_some(),
        same_json::<Envelope>(bytes).is_some(),
        same_json::<ProofFile>(bytes).is_some(),
        same_json::<gallra_identity::TokenRecord>(bytes).is_some(),
        same_json::<Backing>(bytes).is_some(),
        same_json::<Guard>(bytes).is_some(),
        same_json::<Hold>(bytes).is_some(),
        same_json::<AgentRecord>(bytes).is_some(),
        same_json::<CauseKey>(bytes).is_some(),
        same_json::<Standing>(bytes).is_some(),
        same_json::<StoredPolicy>(bytes).is_some(),
        same_json::<InForce>(bytes).is_some(),
        same_json::<Turn>(bytes).is_some(),
        same_json::<Vec<StoredInstruction>>(bytes).is_some(),
        same_json::<StoredReceipt>(bytes).is_some(),
        same_json::<Stored>(bytes).is_some(),
    ];
    Seen::of(read.contains(&true))
}
