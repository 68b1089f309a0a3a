//! Signed causes to and from the wire. Whether one is good is not looked at here, beyond its shape.

use gallra_model::Nonce;
use gallra_model::cause::Salts;
use gallra_model::envelope::Envelope;
use tonic::Status;

use crate::session::{envelope_from_wire, envelope_to_wire};
use crate::{parse, v1};

/// To the wire.
pub fn to_wire(envelope: &Envelope, salts: &Salts) -> v1::SignedCause {
    v1::SignedCause {
        envelope: Some(envelope_to_wire(envelope)),
        service_salt: parse::text_or_empty(salts.service),
        customer_salt: parse::text_or_empty(salts.customer),
    }
}

/// From the wire.
///
/// # Errors
/// `INVALID_ARGUMENT` naming the field.
pub fn from_wire(cause: v1::SignedCause) -> Result<(Envelope, Salts), Status> {
    let envelope = envelope_from_wire(parse::required("cause.envelope", cause.envelope)?);
    let salt = |name: &str, text: &str| -> Result<Option<Nonce>, Status> {
        if text.is_empty() { Ok(None) } else { parse::field(name, text).map(Some) }
    };
    let salts = Salts {
        service: salt("cause.service_salt", &cause.service_salt)?,
        customer: salt("cause.customer_salt", &cause.customer_salt)?,
    };
    Ok((envelope, salts))
}
