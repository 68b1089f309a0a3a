//! RFC 3161 time stamps on checkpoints of the log (`docs/formats/timestamp-v1.md`). Owns what a token must be, and by whom
//! signed, before its time is believed; refuses to know where tokens come from and what day it is. Reads bytes of
//! strangers: never panics, allocates no more than it was given, says nothing back of what it read.
//!
//! Read in this order: here (the steps), `token` (what was signed, and with what), `info` (what it says), `certificate`,
//! `chain`, `signature`, `der`.
//!
//! The reader is our own. The `cms` and `x509-cert` crates read what they are given into trees and write it again to check a
//! signature, and take more spellings than one; here signed bytes stay the bytes that came, nothing recurses, and all of it is
//! shorter than what those crates would need around them. The arithmetic of signatures is not our own.

mod certificate;
mod chain;
mod der;
mod info;
mod instant;
mod oid;
mod signature;
mod token;

use crate::time::Instant;
use certificate::Certificate;
use info::Info;
use token::Token;

/// Longest token, in bytes. With eight certificates of 4096-bit keys it has about 16 000.
pub const MOST_BYTES: usize = 65_536;

/// Why a time stamp shows nothing. No variant repeats what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StampError {
    /// Over [`MOST_BYTES`].
    #[error("the time stamp has more than {MOST_BYTES} bytes")]
    TooLong,
    /// Not DER of the kind that it should be, or something in it that is not read.
    #[error("not a time stamp token (RFC 3161) as it is read here: {0}")]
    Form(&'static str),
    /// A root that the caller trusts is no certificate.
    #[error("a trusted root is not an X.509 certificate in DER: check the key manifest")]
    Root,
    /// A digest, a signature algorithm or a key that is too weak or not known.
    #[error("the time stamp uses {0}, which is not accepted")]
    Algorithm(&'static str),
    /// The imprint is not of this message.
    #[error("the time stamp is of something else than this checkpoint")]
    OtherMessage,
    /// The signed digest is not that of the content.
    #[error("the time stamp's signature is of another content")]
    OtherContent,
    /// The token does not carry the certificate of who signed.
    #[error("the signer's certificate is not in the time stamp: ask for one with certReq")]
    NoSigner,
    /// signingCertificate is missing, or is of another certificate.
    #[error("the signature does not name the certificate that the time stamp carries as its signer's")]
    Unbound,
    /// The signature does not verify.
    #[error("the time stamp's signature does not verify")]
    Signature,
    /// The signer's certificate is not critically and only for time stamping.
    #[error("the signer's certificate is not one for time stamping and nothing else")]
    Purpose,
    /// No chain to any root.
    #[error("no chain of certificates leads from the time stamp's signer to a trusted root")]
    Untrusted,
    /// A certificate of the chain may not issue others, or not these.
    #[error("a certificate of the time stamp's chain may not issue the one below it")]
    Issuer,
    /// A certificate of the chain was not valid yet, or no longer.
    #[error("a certificate of the time stamp's chain was not valid at the time that it says")]
    NotValidThen,
    /// The time that somebody else gives is before the token's, or no instant.
    #[error("the time stamp is of a later time than the one at which it was seen")]
    NotYet,
    /// The time that somebody else gives is after the end of a certificate of the chain.
    #[error("a certificate of the time stamp's chain had ended by the time at which it was seen")]
    Ended,
}

/// What a time stamp says, once it is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    at: Instant,
    until: Instant,
    accuracy: Option<u64>,
    serial: String,
    policy: String,
    nonce: Option<String>,
    authority: Option<String>,
}

impl Stamp {
    /// When: UTC, on the authority's clock.
    pub(crate) fn instant(&self) -> &Instant {
        &self.at
    }

    /// When, as `2026-02-28T21:00:00Z`; up to nine decimals of a second.
    pub fn at(&self) -> String {
        self.instant().to_string()
    }

    /// How far the authority says that its clock may be off, in microseconds; `None` where it does not say.
    pub fn accuracy(&self) -> Option<u64> {
        self.accuracy
    }

    /// The token's number at its authority, in lowercase hex.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// The authority's policy, as a dotted object identifier.
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// The number that whoever asked gave along, in lowercase hex without leading zeros.
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }

    /// The common name in the signer's certificate; `None` where it has none, or one that is not fit to be printed.
    pub fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    /// The first end of validity among the certificates of the chain, as [`Stamp::at`].
    pub fn until(&self) -> String {
        self.until.to_string()
    }

    /// Whether the token had been made while its certificates were valid, where somebody else shows an instant at which it
    /// was there: a witness's cosignature, or the time stamp of a later checkpoint that covers it.
    ///
    /// [`check`] alone believes the token's own time. Who comes into the key of a certificate that has ended can sign any
    /// time before its end; who has to show such a token *before* that end cannot.
    ///
    /// # Errors
    /// [`StampError::NotYet`] or [`StampError::Ended`].
    pub fn seen(&self, reference: &str) -> Result<(), StampError> {
        let reference = Instant::try_from(reference.to_owned()).map_err(|_| StampError::NotYet)?;
        if self.at > reference {
            return Err(StampError::NotYet);
        }
        if reference > self.until { Err(StampError::Ended) } else { Ok(()) }
    }
}

/// Whether a certificate (DER) can stand among the roots of [`check`]: one that cannot refuses every token.
pub fn is_root(der: &[u8]) -> bool {
    Certificate::read(der).is_ok()
}

/// Checks a token over a message: imprint, signer, signature, and a chain to one of the roots (DER certificates) that was
/// valid at the token's own time. Whether a certificate was revoked is not asked: nothing here can be.
///
/// # Errors
/// [`StampError`], the first step that fails.
pub fn check(token: &[u8], message: &[u8], roots: &[&[u8]]) -> Result<Stamp, StampError> {
    if token.len() > MOST_BYTES {
        return Err(StampError::TooLong);
    }
    let roots = roots.iter().map(|der| Certificate::read(der)).collect::<Result<Vec<_>, _>>();
    let roots = roots.map_err(|_| StampError::Root)?;
    let token = Token::read(token)?;
    let info = Info::read(token.content)?;
    if info.digest.of(message) != info.imprint {
        return Err(StampError::OtherMessage);
    }
    let signer = token.signer()?;
    token.is_signed_by(signer)?;
    let extensions = signer.extensions().map_err(|_| StampError::Form("the signer's certificate"))?;
    if !extensions.is_for_time_stamping() {
        return Err(StampError::Purpose);
    }
    let until = chain::ends(signer, &token.certificates, &roots, &info.at)?;
    Ok(Stamp {
        at: info.at,
        until,
        accuracy: info.accuracy,
        serial: hex::encode(info.serial),
        policy: info.policy,
        nonce: info.nonce.map(|nonce| hex::encode(nonce).trim_start_matches('0').to_owned()),
        authority: signer.common_name(),
    })
}
