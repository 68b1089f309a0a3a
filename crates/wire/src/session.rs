//! The agent's stream to and from the model's messages.

use gallra_model::Clock;
use gallra_model::envelope::{Envelope, Signature};
use gallra_model::journal::JournalMark;
use gallra_model::message::{ToAgent, ToCoordinator};
use gallra_model::permit::Denial;
use tonic::Status;

use crate::details::invalid;
use crate::protocol::PROTOCOL;
use crate::v1::session_request::Say as Ask;
use crate::v1::session_response::Say as Answer;
use crate::{parse, target, v1};

/// To the wire.
pub fn envelope_to_wire(envelope: &Envelope) -> v1::Envelope {
    v1::Envelope {
        payload_type: envelope.payload_type.clone(),
        payload: envelope.payload.clone(),
        signatures: envelope
            .signatures
            .iter()
            .map(|signature| v1::Signature { keyid: signature.keyid.clone(), sig: signature.sig.clone() })
            .collect(),
    }
}

/// From the wire. Nothing is checked here but the shape.
pub fn envelope_from_wire(envelope: v1::Envelope) -> Envelope {
    Envelope {
        payload_type: envelope.payload_type,
        payload: envelope.payload,
        signatures: envelope
            .signatures
            .into_iter()
            .map(|signature| Signature { keyid: signature.keyid, sig: signature.sig })
            .collect(),
    }
}

/// The agent's words to the wire.
pub fn request_of(message: &ToCoordinator) -> v1::SessionRequest {
    let say = match message {
        ToCoordinator::Hello { inventory, generation, credits } => Ask::Hello(v1::Hello {
            inventory: Some(target::inventory_to_wire(inventory)),
            generation: *generation,
            credits: *credits,
            protocol: PROTOCOL,
        }),
        ToCoordinator::Journal { mark, now } => {
            Ask::Journal(v1::Journal { position: mark.position, head: mark.head.to_string(), now: now.to_string() })
        }
        ToCoordinator::Checkpoint { note } => {
            Ask::Checkpoint(v1::SeenCheckpoint { note: note.clone().unwrap_or_default() })
        }
        ToCoordinator::Suppression { through } => Ask::Suppression(v1::SuppressionThrough { sequence: *through }),
        ToCoordinator::AskBegin { job, spec, nonce } => {
            Ask::AskBegin(v1::AskBegin { job: job.to_string(), spec: spec.to_string(), nonce: nonce.to_string() })
        }
        ToCoordinator::AskOn { job, attempt, spec, nonce } => Ask::AskOn(v1::AskOn {
            job: job.to_string(),
            attempt: *attempt,
            spec: spec.to_string(),
            nonce: nonce.to_string(),
        }),
        ToCoordinator::Receipt { envelope } => {
            Ask::Receipt(v1::SubmitReceipt { envelope: Some(envelope_to_wire(envelope)) })
        }
        ToCoordinator::Restore { envelope } => {
            Ask::Restore(v1::SubmitRestore { envelope: Some(envelope_to_wire(envelope)) })
        }
        ToCoordinator::Alive => Ask::Alive(v1::Alive {}),
    };
    v1::SessionRequest { say: Some(say) }
}

/// The agent's words from the wire.
///
/// # Errors
/// `INVALID_ARGUMENT` naming the field.
pub fn to_coordinator(request: v1::SessionRequest) -> Result<ToCoordinator, Status> {
    Ok(match request.say.ok_or_else(unknown_word)? {
        Ask::Hello(hello) => ToCoordinator::Hello {
            inventory: target::inventory_from_wire(parse::required("hello.inventory", hello.inventory)?)?,
            generation: hello.generation,
            credits: hello.credits,
        },
        Ask::Journal(journal) => {
            let head = parse::field("journal.head", &journal.head)?;
            let now = parse::instant("journal.now", &journal.now)?;
            ToCoordinator::Journal { mark: JournalMark { position: journal.position, head }, now }
        }
        Ask::Checkpoint(seen) => ToCoordinator::Checkpoint { note: Some(seen.note).filter(|note| !note.is_empty()) },
        Ask::Suppression(list) => ToCoordinator::Suppression { through: list.sequence },
        Ask::AskBegin(ask) => ToCoordinator::AskBegin {
            job: parse::field("ask_begin.job", &ask.job)?,
            spec: parse::field("ask_begin.spec", &ask.spec)?,
            nonce: parse::field("ask_begin.nonce", &ask.nonce)?,
        },
        Ask::AskOn(ask) => ToCoordinator::AskOn {
            job: parse::field("ask_on.job", &ask.job)?,
            attempt: ask.attempt,
            spec: parse::field("ask_on.spec", &ask.spec)?,
            nonce: parse::field("ask_on.nonce", &ask.nonce)?,
        },
        Ask::Receipt(receipt) => ToCoordinator::Receipt {
            envelope: envelope_from_wire(parse::required("receipt.envelope", receipt.envelope)?),
        },
        Ask::Restore(restore) => ToCoordinator::Restore {
            envelope: envelope_from_wire(parse::required("restore.envelope", restore.envelope)?),
        },
        Ask::Alive(v1::Alive {}) => ToCoordinator::Alive,
    })
}

/// What the agent's first word says of its protocol; 0 where it is no greeting, which says nothing either.
pub fn protocol_of_agent(request: &v1::SessionRequest) -> u32 {
    if let Some(Ask::Hello(hello)) = &request.say { hello.protocol } else { 0 }
}

/// What the coordinator's first word says of its protocol; 0 where it is no welcome.
pub fn protocol_of_coordinator(response: &v1::SessionResponse) -> u32 {
    if let Some(Answer::Welcome(welcome)) = &response.say { welcome.protocol } else { 0 }
}

/// Nobody who keeps to the other side's version says one.
fn unknown_word() -> Status {
    invalid("say", format_args!("must be set, to a word of version {PROTOCOL} of the protocol or older"))
}

/// A clock to the wire.
pub fn clock_to_wire(clock: Clock) -> v1::ClockKind {
    match clock {
        Clock::Real => v1::ClockKind::Real,
        Clock::Simulated => v1::ClockKind::Simulated,
    }
}

fn clock_from_wire(clock: v1::ClockKind) -> Result<Clock, Status> {
    match clock {
        v1::ClockKind::Real => Ok(Clock::Real),
        v1::ClockKind::Simulated => Ok(Clock::Simulated),
        v1::ClockKind::Unspecified => Err(crate::details::invalid_text("clock: unspecified or unknown")),
    }
}

/// The coordinator's words to the wire.
pub fn response_of(message: &ToAgent) -> v1::SessionResponse {
    let say = match message {
        ToAgent::Welcome { generation, clock, now, heartbeat_seconds } => Answer::Welcome(v1::Welcome {
            generation: *generation,
            clock: clock_to_wire(*clock).into(),
            now: now.to_string(),
            heartbeat_seconds: *heartbeat_seconds,
            protocol: PROTOCOL,
        }),
        ToAgent::ClockMoved { now } => Answer::ClockMoved(v1::ClockMoved { now: now.to_string() }),
        ToAgent::Offer { spec, trace } => {
            Answer::Offer(v1::Offer { spec: spec.clone(), traceparent: trace.map(String::from).unwrap_or_default() })
        }
        ToAgent::Permitted { permit } => Answer::Permitted(v1::Permitted { permit: Some(envelope_to_wire(permit)) }),
        ToAgent::Denied { job, nonce, reason } => Answer::Denied(v1::Denied {
            job: job.to_string(),
            nonce: nonce.to_string(),
            reason: denial_to_wire(*reason).into(),
        }),
        ToAgent::ReceiptStored { receipt } => Answer::ReceiptStored(v1::ReceiptStored { receipt: receipt.to_string() }),
        ToAgent::RestoreHeard { statement, refused } => Answer::RestoreHeard(v1::RestoreHeard {
            statement: statement.to_string(),
            refused: refused.clone().unwrap_or_default(),
        }),
        ToAgent::Order { order } => Answer::Order(v1::Order { order: Some(envelope_to_wire(order)) }),
        ToAgent::Withdraw { job } => Answer::Withdraw(v1::Withdraw { job: job.to_string() }),
        ToAgent::Suppression { line, key } => Answer::Suppression(v1::SuppressionLine {
            line: Some(envelope_to_wire(line)),
            key: key.clone().map(String::from).unwrap_or_default(),
        }),
    };
    v1::SessionResponse { say: Some(say) }
}

/// The coordinator's words from the wire.
///
/// # Errors
/// `INVALID_ARGUMENT` naming the field.
pub fn to_agent(response: v1::SessionResponse) -> Result<ToAgent, Status> {
    Ok(match response.say.ok_or_else(unknown_word)? {
        Answer::Welcome(welcome) => ToAgent::Welcome {
            generation: welcome.generation,
            clock: clock_from_wire(welcome.clock())?,
            now: parse::instant("welcome.now", &welcome.now)?,
            heartbeat_seconds: welcome.heartbeat_seconds,
        },
        Answer::ClockMoved(moved) => ToAgent::ClockMoved { now: parse::instant("clock_moved.now", &moved.now)? },
        // What is no traceparent costs a span, never a job.
        Answer::Offer(offer) => ToAgent::Offer { spec: offer.spec, trace: offer.traceparent.parse().ok() },
        Answer::Permitted(permitted) => {
            ToAgent::Permitted { permit: envelope_from_wire(parse::required("permitted.permit", permitted.permit)?) }
        }
        Answer::Denied(denied) => ToAgent::Denied {
            job: parse::field("denied.job", &denied.job)?,
            nonce: parse::field("denied.nonce", &denied.nonce)?,
            reason: denial_from_wire(denied.reason)?,
        },
        Answer::ReceiptStored(stored) => {
            ToAgent::ReceiptStored { receipt: parse::field("receipt_stored.receipt", &stored.receipt)? }
        }
        Answer::RestoreHeard(heard) => ToAgent::RestoreHeard {
            statement: parse::field("restore_heard.statement", &heard.statement)?,
            refused: Some(heard.refused).filter(|why| !why.is_empty()),
        },
        Answer::Order(order) => {
            ToAgent::Order { order: envelope_from_wire(parse::required("order.order", order.order)?) }
        }
        Answer::Withdraw(withdraw) => ToAgent::Withdraw { job: parse::field("withdraw.job", &withdraw.job)? },
        Answer::Suppression(suppression) => ToAgent::Suppression {
            line: envelope_from_wire(parse::required("suppression.line", suppression.line)?),
            key: match suppression.key.as_str() {
                "" => None,
                key => Some(parse::field("suppression.key", key)?),
            },
        },
    })
}

fn denial_to_wire(denial: Denial) -> v1::DenialReason {
    match denial {
        Denial::NotDue => v1::DenialReason::NotDue,
        Denial::Held => v1::DenialReason::Held,
        Denial::Cancelled => v1::DenialReason::Cancelled,
        Denial::NotApproved => v1::DenialReason::NotApproved,
        Denial::Begun => v1::DenialReason::Begun,
        Denial::Stale => v1::DenialReason::Stale,
        Denial::NotInspected => v1::DenialReason::NotInspected,
        Denial::Raced => v1::DenialReason::Raced,
        Denial::Foreign => v1::DenialReason::Foreign,
        Denial::Halted => v1::DenialReason::Halted,
        Denial::Clock => v1::DenialReason::Clock,
        Denial::NoAddress => v1::DenialReason::NoAddress,
        Denial::NotLogged => v1::DenialReason::NotLogged,
        // Nobody who gives a reason has one that it does not know.
        Denial::Other => v1::DenialReason::Unspecified,
    }
}

/// No is no, for whichever reason.
fn denial_from_wire(reason: i32) -> Result<Denial, Status> {
    let Ok(reason) = v1::DenialReason::try_from(reason) else { return Ok(Denial::Other) };
    Ok(match reason {
        v1::DenialReason::NotDue => Denial::NotDue,
        v1::DenialReason::Held => Denial::Held,
        v1::DenialReason::Cancelled => Denial::Cancelled,
        v1::DenialReason::NotApproved => Denial::NotApproved,
        v1::DenialReason::Begun => Denial::Begun,
        v1::DenialReason::Stale => Denial::Stale,
        v1::DenialReason::NotInspected => Denial::NotInspected,
        v1::DenialReason::Raced => Denial::Raced,
        v1::DenialReason::Foreign => Denial::Foreign,
        v1::DenialReason::Halted => Denial::Halted,
        v1::DenialReason::Clock => Denial::Clock,
        v1::DenialReason::NoAddress => Denial::NoAddress,
        v1::DenialReason::NotLogged => Denial::NotLogged,
        v1::DenialReason::Unspecified => {
            return Err(crate::details::invalid_text("denied.reason: unspecified or unknown"));
        }
    })
}
