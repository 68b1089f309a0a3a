//! What a token says: TSTInfo (RFC 3161, section 2.4.2). Refuses to know who says so.

use super::StampError;
use super::der::{
    BOOLEAN, GENERALIZED_TIME, INTEGER, Malformed, OCTET_STRING, OID, Reader, SEQUENCE, boolean, context, implicit,
    small,
};
use super::signature::{Algorithm, Digest};
use super::{instant, oid};
use crate::time::Instant;

/// Longest serial number and nonce, in bytes. RFC 3161 asks readers for 160 bits of serial number.
const MOST_NUMBER: usize = 32;

/// The fields that somebody reads.
#[derive(Debug)]
pub(super) struct Info<'a> {
    pub(super) digest: Digest,
    pub(super) imprint: &'a [u8],
    pub(super) at: Instant,
    /// In microseconds.
    pub(super) accuracy: Option<u64>,
    pub(super) serial: &'a [u8],
    pub(super) policy: String,
    pub(super) nonce: Option<&'a [u8]>,
}

impl<'a> Info<'a> {
    pub(super) fn read(content: &'a [u8]) -> Result<Self, StampError> {
        const FORM: StampError = StampError::Form("what is stamped is not a TSTInfo of version 1");
        let (digest, info) = fields(content).map_err(|_| FORM)?;
        let digest = Digest::named(&digest).ok_or(StampError::Algorithm("another digest than SHA-256, 384 or 512"))?;
        Ok(Self { digest, ..info })
    }
}

/// The imprint's algorithm, and everything else.
fn fields(content: &[u8]) -> Result<(Algorithm<'_>, Info<'_>), Malformed> {
    let mut fields = Reader::new(content).only(SEQUENCE)?.reader();
    if small(&fields.take(INTEGER)?)? != 1 {
        return Err(Malformed);
    }
    let policy = oid::dotted(fields.take(OID)?.content).ok_or(Malformed)?;
    let mut imprint = fields.take(SEQUENCE)?.reader();
    let algorithm = Algorithm::read(&imprint.take(SEQUENCE)?)?;
    let imprint = imprint.only(OCTET_STRING)?.content;
    let serial = number(&fields.take(INTEGER)?.content)?;
    let at = instant::generalized(&fields.take(GENERALIZED_TIME)?)?;
    let accuracy = fields.optional(SEQUENCE)?.map(|accuracy| micros(accuracy.reader())).transpose()?;
    fields.optional(BOOLEAN)?.map(|ordering| boolean(&ordering)).transpose()?;
    let nonce = fields.optional(INTEGER)?.map(|nonce| number(&nonce.content)).transpose()?;
    // A name for people; who signed is in the certificate.
    fields.optional(context(0))?;
    if let Some(extensions) = fields.optional(context(1))? {
        none_is_critical(extensions.reader())?;
    }
    fields.end()?;
    Ok((algorithm, Info { digest: Digest::Sha256, imprint, at, accuracy, serial, policy, nonce }))
}

/// Any whole number, as it stands.
fn number<'a>(content: &&'a [u8]) -> Result<&'a [u8], Malformed> {
    if (1..=MOST_NUMBER).contains(&content.len()) { Ok(content) } else { Err(Malformed) }
}

/// Seconds, thousandths and millionths; each may be missing, and the last two are 1 to 999.
fn micros(mut accuracy: Reader<'_>) -> Result<u64, Malformed> {
    let part = |number: Option<super::der::Element<'_>>| number.map_or(Ok(0), |number| small(&number).map(u64::from));
    let seconds = part(accuracy.optional(INTEGER)?)?;
    let millis = part(accuracy.optional(implicit(0))?)?;
    let micros = part(accuracy.optional(implicit(1))?)?;
    accuracy.end()?;
    if millis > 999 || micros > 999 { Err(Malformed) } else { Ok(seconds * 1_000_000 + millis * 1_000 + micros) }
}

/// An extension that its reader has to understand is not understood here.
fn none_is_critical(mut extensions: Reader<'_>) -> Result<(), Malformed> {
    while !extensions.is_empty() {
        let mut extension = extensions.take(SEQUENCE)?.reader();
        extension.take(OID)?;
        if extension.optional(BOOLEAN)?.map(|critical| boolean(&critical)).transpose()? == Some(true) {
            return Err(Malformed);
        }
        extension.only(OCTET_STRING)?;
    }
    Ok(())
}
