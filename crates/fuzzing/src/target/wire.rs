//! Protobuf messages as they come from the network, and their way into the model.

use gallra_model::selector::ExternalId;
use gallra_model::{AgentName, Day, Digest, JobId, RequestId};
use gallra_wire::parse::{beginning, day, end, field, instant, optional_day};
use gallra_wire::{session, v1};
use prost::Message;
use tonic::{Code, Status};

use crate::Seen;
use crate::quiet::{repeats_nothing_of, says_nothing_of};

/// A message of the agent's stream, in either direction: what is taken is sent the same.
pub fn session(bytes: &[u8]) -> Seen {
    let mut read = false;
    if let Ok(request) = v1::SessionRequest::decode(bytes) {
        match session::to_coordinator(request) {
            Ok(message) => {
                let again = decoded(&session::request_of(&message));
                assert_eq!(session::to_coordinator(again).ok(), Some(message));
                read = true;
            }
            Err(status) => is_quiet(bytes, &status),
        }
    }
    if let Ok(response) = v1::SessionResponse::decode(bytes) {
        match session::to_agent(response) {
            Ok(message) => {
                let again = decoded(&session::response_of(&message));
                assert_eq!(session::to_agent(again).ok(), Some(message));
                read = true;
            }
            Err(status) => is_quiet(bytes, &status),
        }
    }
    Seen::of(read)
}

/// Through the wire.
fn decoded<M: Message + Default>(message: &M) -> M {
    M::decode(message.encode_to_vec().as_slice()).unwrap_or_else(|why| panic!("what we send is not read: {why}"))
}

/// A call of billing's, an operator's or a joining agent's. The first byte says which; fields are read as the handlers do.
pub fn call(bytes: &[u8]) -> Seen {
    let Some((which, bytes)) = bytes.split_first() else { return Seen::Refused };
    let read = match which % 8 {
        0 => v1::StartContractRequest::decode(bytes).ok().map(|call| {
            let addresses = call.addresses.iter().map(|id| field::<ExternalId>("addresses", id).map(drop));
            let ids = [&call.service, &call.customer].map(|id| field::<ExternalId>("service", id).map(drop));
            ids.into_iter().chain(addresses).collect::<Result<(), _>>().and(day("started", &call.started).map(drop))
        }),
        1 => v1::EndContractRequest::decode(bytes).ok().map(|call| {
            let cause = call.cause.map_or(Ok(()), |cause| gallra_wire::cause::from_wire(cause).map(drop));
            field::<ExternalId>("service", &call.service).and(day("ended", &call.ended)).map(drop).and(cause)
        }),
        2 => v1::SettleContractRequest::decode(bytes).ok().map(|call| {
            field::<ExternalId>("service", &call.service).and(optional_day("settled", &call.settled)).map(drop)
        }),
        3 => v1::EnrolRequest::decode(bytes).ok().map(|call| {
            let secret = field::<gallra_identity::Secret>("secret", &call.secret).map(drop);
            field::<AgentName>("agent", &call.agent).and(secret)
        }),
        4 => v1::AdvanceClockRequest::decode(bytes).ok().map(|call| instant("to", &call.to).map(drop)),
        5 => v1::GetReceiptRequest::decode(bytes).ok().map(|call| {
            field::<RequestId>("request", &call.request).and(field::<Digest>("digest", &call.digest)).map(drop)
        }),
        7 => v1::RecordAddressRequest::decode(bytes).ok().map(|call| {
            let ids = field::<ExternalId>("service", &call.service).map(drop);
            let address = field::<std::net::IpAddr>("address", &call.address).map(drop);
            ids.and(address).and(beginning("from", &call.from)).and(end("until", &call.until)).map(drop)
        }),
        _ => v1::GetJobRequest::decode(bytes).ok().map(|call| field::<JobId>("id", &call.id).map(drop)),
    };
    match read {
        None => Seen::Refused,
        Some(Ok(())) => Seen::Read,
        Some(Err(status)) => {
            is_quiet(bytes, &status);
            Seen::Refused
        }
    }
}

/// What a caller is told: that the field is wrong, never what was in it.
fn is_quiet(bytes: &[u8], status: &Status) {
    assert_eq!(status.code(), Code::InvalidArgument);
    says_nothing_of(bytes, status.message());
    // Programs are told which field, and why: in the same words.
    repeats_nothing_of(bytes, status.details());
    assert!(status.metadata().is_empty());
}

/// Days have one reading on the wire and in the model.
const _: fn(&str, &str) -> Result<Day, Status> = day;
