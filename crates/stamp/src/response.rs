//! TimeStampResp (RFC 3161, section 2.4.2): whether it was granted, and whether it is the answer to this request. Reads no
//! more of the token than that; whether it is believed is the caller's check.

use der::asn1::AnyRef;
use der::{Decode as _, Reader as _, SliceReader, Tag, Tagged as _};

use crate::Why;
use crate::request::Request;

/// SHA-256, as it stands in DER.
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];

/// Bits of PKIFailureInfo that authorities set.
const REASONS: [(usize, &str); 8] = [
    (0, "badAlg, it does not take SHA-256"),
    (2, "badRequest, it does not support this request"),
    (5, "badDataFormat, it cannot read the request"),
    (14, "timeNotAvailable, its own clock is not right: ask again later, or another authority"),
    (15, "unacceptedPolicy, it has no policy for this"),
    (16, "unacceptedExtension, it does not support an extension"),
    (17, "addInfoNotAvailable, it does not understand or have what was asked for"),
    (25, "systemFailure, it failed: ask again later, or another authority"),
];

/// The token of a response to this request.
///
/// # Errors
/// [`Why::Form`], [`Why::Rejected`], [`Why::Nonce`], [`Why::Imprint`].
pub(crate) fn read(response: &[u8], asked: &Request) -> Result<Vec<u8>, Why> {
    let (status, token) = parts(response).ok_or(Why::Form)?;
    granted(status)?;
    let token = token.ok_or(Why::Form)?;
    let answer = Answered::read(token).ok_or(Why::Form)?;
    if answer.nonce != Some(&asked.nonce) {
        return Err(Why::Nonce);
    }
    if answer.algorithm != SHA256 || answer.imprint != asked.imprint {
        return Err(Why::Imprint);
    }
    Ok(token.to_vec())
}

/// PKIStatusInfo, and the token's bytes.
fn parts(response: &[u8]) -> Option<(AnyRef<'_>, Option<&[u8]>)> {
    let outside = sequence(AnyRef::from_der(response).ok()?)?;
    let mut reader = SliceReader::new(outside).ok()?;
    let status = AnyRef::decode(&mut reader).ok()?;
    let token = if reader.is_finished() { None } else { Some(reader.tlv_bytes().ok()?) };
    reader.is_finished().then_some((status, token))
}

fn granted(status: AnyRef<'_>) -> Result<(), Why> {
    let fields = sequence(status).and_then(elements).ok_or(Why::Form)?;
    let (number, rest) = fields.split_first().filter(|(number, _)| number.tag() == Tag::Integer).ok_or(Why::Form)?;
    let status = match number.value() {
        [0 | 1] => return Ok(()),
        [2] => "rejection",
        [3] => "waiting",
        [4] => "revocationWarning",
        [5] => "revocationNotification",
        _ => return Err(Why::Form),
    };
    let info = rest.iter().find(|field| field.tag() == Tag::BitString).map(|field| field.value());
    Err(Why::Rejected { status, reason: reason(info.unwrap_or_default()) })
}

/// The first bit that is set and has a name. A bit string's first byte counts its unused bits; they are not set.
fn reason(bits: &[u8]) -> &'static str {
    let is_set = |bit: usize| bits.get(1 + bit / 8).is_some_and(|byte| byte & (0x80 >> (bit % 8)) != 0);
    REASONS.into_iter().find(|(bit, _)| is_set(*bit)).map_or("it gives no reason", |(_, reason)| reason)
}

/// What shows that a token answers a request.
struct Answered<'a> {
    algorithm: &'a [u8],
    imprint: &'a [u8],
    nonce: Option<&'a [u8]>,
}

impl<'a> Answered<'a> {
    /// ContentInfo, SignedData, EncapsulatedContentInfo, TSTInfo.
    fn read(token: &'a [u8]) -> Option<Self> {
        let signed = elements(sequence(AnyRef::from_der(token).ok()?)?)?.get(1)?.value();
        let encapsulated = *elements(sequence(AnyRef::from_der(signed).ok()?)?)?.get(2)?;
        let content = AnyRef::from_der(elements(sequence(encapsulated)?)?.get(1)?.value()).ok()?;
        if content.tag() != Tag::OctetString {
            return None;
        }
        let fields = elements(sequence(AnyRef::from_der(content.value()).ok()?)?)?;
        let imprint = elements(sequence(*fields.get(2)?)?)?;
        let algorithm = *elements(sequence(*imprint.first()?)?)?.first()?;
        // Version and serial number, which are numbers too, stand before the time.
        let after = fields.iter().skip_while(|field| field.tag() != Tag::GeneralizedTime);
        let nonce = after.clone().find(|field| field.tag() == Tag::Integer).map(|field| field.value());
        Some(Self { algorithm: algorithm.value(), imprint: imprint.get(1)?.value(), nonce })
    }
}

fn sequence(any: AnyRef<'_>) -> Option<&[u8]> {
    (any.tag() == Tag::Sequence).then(|| any.value())
}

fn elements(content: &[u8]) -> Option<Vec<AnyRef<'_>>> {
    let mut reader = SliceReader::new(content).ok()?;
    let mut all = Vec::new();
    while !reader.is_finished() {
        all.push(AnyRef::decode(&mut reader).ok()?);
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A response without a token.
    fn refused(status: u8, info: &[u8]) -> Vec<u8> {
        let bits = [&[0x03, u8::try_from(info.len()).unwrap()], info].concat();
        let bits = if info.is_empty() { Vec::new() } else { bits };
        let inner = [&[0x02, 1, status], bits.as_slice()].concat();
        let inner = [&[0x30, u8::try_from(inner.len()).unwrap()], inner.as_slice()].concat();
        [&[0x30, u8::try_from(inner.len()).unwrap()], inner.as_slice()].concat()
    }

    #[test]
    fn refusals_are_told_by_their_names() {
        let asked = Request::new(b"a message", [7; 16]);
        let told = |status, info: &[u8]| match read(&refused(status, info), &asked) {
            Err(Why::Rejected { status, reason }) => format!("{status}: {}", reason.split(',').next().unwrap()),
            other => format!("{other:?}"),
        };
        assert_eq!(told(2, &[7, 0x80]), "rejection: badAlg");
        assert_eq!(told(2, &[5, 0x20]), "rejection: badRequest");
        assert_eq!(told(2, &[2, 0x04]), "rejection: badDataFormat");
        assert_eq!(told(2, &[1, 0, 0x02]), "rejection: timeNotAvailable");
        assert_eq!(told(2, &[0, 0, 0x01]), "rejection: unacceptedPolicy");
        assert_eq!(told(2, &[7, 0, 0, 0x80]), "rejection: unacceptedExtension");
        assert_eq!(told(2, &[6, 0, 0, 0x40]), "rejection: addInfoNotAvailable");
        assert_eq!(told(2, &[6, 0, 0, 0, 0x40]), "rejection: systemFailure");
        assert_eq!(told(2, &[]), "rejection: it gives no reason");
        assert_eq!(told(3, &[]), "waiting: it gives no reason");
        // Granted without a token, and a status that there is not.
        assert_eq!(told(0, &[]), "Err(Form)");
        assert_eq!(told(9, &[]), "Err(Form)");
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(read(&bytes, &Request::new(b"a message", [7; 16])).is_err());
        }
    }
}
