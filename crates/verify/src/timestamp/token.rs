//! A token: CMS SignedData with one signer (RFC 5652; RFC 3161, section 2.4.2). Owns what the signature is over, and that
//! the signer's certificate is the one that the signature names; refuses to know whether that one is trusted.
//!
//! What nobody has signed is not taken along: unsigned attributes and revocation lists are refused, and certificates are only
//! offers for the chain.

use sha1::Sha1;
use sha2::Digest as _;

use super::certificate::Certificate;
use super::der::{Element, INTEGER, Malformed, OCTET_STRING, OID, Reader, SEQUENCE, SET, context, implicit, small};
use super::signature::{Algorithm, Digest, verify};
use super::{StampError, oid};

/// Most certificates in a token.
pub(super) const MOST_CERTIFICATES: usize = 8;
/// Most signed attributes; there are three or four.
const MOST_ATTRIBUTES: usize = 32;

/// Who signed, as CMS says it.
#[derive(Debug)]
enum SignerId<'a> {
    IssuerAndSerial { issuer: &'a [u8], serial: &'a [u8] },
    KeyId(&'a [u8]),
}

/// A token whose form is right. Nothing in it is believed yet.
#[derive(Debug)]
pub(super) struct Token<'a> {
    /// The TSTInfo's bytes.
    pub(super) content: &'a [u8],
    pub(super) certificates: Vec<Certificate<'a>>,
    signer: SignerId<'a>,
    digest: Digest,
    /// The attributes as they were signed: the SET.
    signed: Vec<u8>,
    attributes: Attributes<'a>,
    algorithm: Algorithm<'a>,
    signature: &'a [u8],
}

/// The signed attributes that are read. Others may stand beside them.
#[derive(Debug, Default)]
struct Attributes<'a> {
    content_type: Option<Element<'a>>,
    message_digest: Option<Element<'a>>,
    certificate: Option<Element<'a>>,
    certificate_v2: Option<Element<'a>>,
}

impl<'a> Token<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, StampError> {
        const FORM: StampError = StampError::Form("its CMS SignedData is not of the form that RFC 3161 asks for");
        let parts = Parts::read(bytes).map_err(|_| FORM)?;
        let certificates = certificates(parts.certificates)?;
        let digest =
            Digest::named(&parts.digest).ok_or(StampError::Algorithm("another digest than SHA-256, 384 or 512"))?;
        let attributes = Attributes::read(parts.attributes.reader()).map_err(|_| FORM)?;
        // What is signed has the tag of a SET, which in the token another one stands for (RFC 5652, section 5.4).
        let mut signed = parts.attributes.whole.to_vec();
        if let Some(tag) = signed.first_mut() {
            *tag = SET;
        }
        Ok(Self {
            content: parts.content,
            certificates,
            signer: parts.signer,
            digest,
            signed,
            attributes,
            algorithm: parts.algorithm,
            signature: parts.signature,
        })
    }

    /// The certificate that the signature names: twice, once outside of what is signed and once inside.
    pub(super) fn signer(&self) -> Result<&Certificate<'a>, StampError> {
        let named = |certificate: &&Certificate<'a>| match self.signer {
            SignerId::IssuerAndSerial { issuer, serial } => {
                certificate.issuer == issuer && certificate.serial == serial
            }
            SignerId::KeyId(id) => certificate.extensions().is_ok_and(|extensions| extensions.key_id == Some(id)),
        };
        let mut named = self.certificates.iter().filter(named).peekable();
        if named.peek().is_none() {
            return Err(StampError::NoSigner);
        }
        named.find(|certificate| self.attributes.bind(certificate)).ok_or(StampError::Unbound)
    }

    /// Whether the signature is the certificate's key's, over attributes that are those of the content.
    pub(super) fn is_signed_by(&self, certificate: &Certificate<'_>) -> Result<(), StampError> {
        let is = |value: Option<Element<'_>>, tag: u8, content: &[u8]| {
            value.is_some_and(|value| value.tag == tag && value.content == content)
        };
        if !is(self.attributes.content_type, OID, oid::TST_INFO)
            || !is(self.attributes.message_digest, OCTET_STRING, &self.digest.of(self.content))
        {
            return Err(StampError::OtherContent);
        }
        verify(&certificate.key, &self.algorithm, Some(self.digest), &self.signed, self.signature)
    }
}

/// The fields of SignedData and its one SignerInfo.
struct Parts<'a> {
    content: &'a [u8],
    certificates: Reader<'a>,
    signer: SignerId<'a>,
    digest: Algorithm<'a>,
    attributes: Element<'a>,
    algorithm: Algorithm<'a>,
    signature: &'a [u8],
}

impl<'a> Parts<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut outside = Reader::new(bytes).only(SEQUENCE)?.reader();
        named(&mut outside, oid::SIGNED_DATA)?;
        let mut fields = outside.only(context(0))?.reader().only(SEQUENCE)?.reader();
        version(&mut fields, 3)?;
        let digests = fields.take(SET)?;
        let mut content = fields.take(SEQUENCE)?.reader();
        named(&mut content, oid::TST_INFO)?;
        let content = content.only(context(0))?.reader().only(OCTET_STRING)?.content;
        let certificates = fields.optional(context(0))?.map_or(Reader::new(&[]), |list| list.reader());
        // Another field behind, revocation lists, ends it here: this has to be the last.
        let mut signer = fields.only(SET)?.reader().only(SEQUENCE)?.reader();
        let signer_version = small(&signer.take(INTEGER)?)?;
        let id = match (signer_version, signer.any()?) {
            (1, Element { tag: SEQUENCE, content, .. }) => {
                let mut pair = Reader::new(content);
                let issuer = pair.take(SEQUENCE)?.whole;
                SignerId::IssuerAndSerial { issuer, serial: pair.only(INTEGER)?.content }
            }
            (3, Element { tag, content, .. }) if tag == implicit(0) => SignerId::KeyId(content),
            _ => return Err(Malformed),
        };
        let digest = Algorithm::read(&signer.take(SEQUENCE)?)?;
        // The list in front is for who reads while it comes; it says the same.
        if Algorithm::read(&digests.reader().only(SEQUENCE)?)? != digest {
            return Err(Malformed);
        }
        let attributes = signer.take(context(0))?;
        let algorithm = Algorithm::read(&signer.take(SEQUENCE)?)?;
        // And here unsigned attributes.
        let signature = signer.only(OCTET_STRING)?.content;
        Ok(Self { content, certificates, signer: id, digest, attributes, algorithm, signature })
    }
}

fn named(reader: &mut Reader<'_>, name: &[u8]) -> Result<(), Malformed> {
    if reader.take(OID)?.content == name { Ok(()) } else { Err(Malformed) }
}

fn version(reader: &mut Reader<'_>, number: u32) -> Result<(), Malformed> {
    if small(&reader.take(INTEGER)?)? == number { Ok(()) } else { Err(Malformed) }
}

fn certificates(mut list: Reader<'_>) -> Result<Vec<Certificate<'_>>, StampError> {
    let mut all = Vec::new();
    while !list.is_empty() {
        if all.len() == MOST_CERTIFICATES {
            return Err(StampError::Form("it carries more than 8 certificates"));
        }
        let one = list.take(SEQUENCE).and_then(|one| Certificate::read(one.whole));
        all.push(one.map_err(|_| StampError::Form("what it carries as a certificate is none of X.509 version 3"))?);
    }
    Ok(all)
}

impl<'a> Attributes<'a> {
    fn read(mut list: Reader<'a>) -> Result<Self, Malformed> {
        let mut known = Self::default();
        let mut count = 0;
        while !list.is_empty() {
            count += 1;
            let mut attribute = list.take(SEQUENCE)?.reader();
            let name = attribute.take(OID)?.content;
            let values = attribute.only(SET)?;
            let place = match name {
                oid::CONTENT_TYPE => &mut known.content_type,
                oid::MESSAGE_DIGEST => &mut known.message_digest,
                oid::SIGNING_CERTIFICATE => &mut known.certificate,
                oid::SIGNING_CERTIFICATE_V2 => &mut known.certificate_v2,
                _ => continue,
            };
            let mut values = values.reader();
            let value = values.any()?;
            values.end()?;
            if place.replace(value).is_some() || count > MOST_ATTRIBUTES {
                return Err(Malformed);
            }
        }
        Ok(known)
    }

    /// Whether signingCertificate, in the version that is there or in both, is of this certificate (RFC 5035).
    fn bind(&self, certificate: &Certificate<'_>) -> bool {
        let v1 = self.certificate.map(|value| binds_by_sha1(&value, certificate).unwrap_or(false));
        let v2 = self.certificate_v2.map(|value| binds(&value, certificate).unwrap_or(false));
        match (v1, v2) {
            (None, None) => false,
            (v1, v2) => v1.unwrap_or(true) && v2.unwrap_or(true),
        }
    }
}

/// Version 1, which many authorities still send. Two certificates of one SHA-1 can be made by who makes both, and here the one
/// of them had to be a trusted authority's.
fn binds_by_sha1(value: &Element<'_>, certificate: &Certificate<'_>) -> Result<bool, Malformed> {
    let mut id = first_id(value)?;
    let hash = id.take(OCTET_STRING)?.content;
    Ok(*hash == *Sha1::digest(certificate.whole) && is_of_issuer(id, certificate)?)
}

fn binds(value: &Element<'_>, certificate: &Certificate<'_>) -> Result<bool, Malformed> {
    let mut id = first_id(value)?;
    let digest = match id.optional(SEQUENCE)? {
        Some(algorithm) => Digest::named(&Algorithm::read(&algorithm)?).ok_or(Malformed)?,
        None => Digest::Sha256,
    };
    let hash = id.take(OCTET_STRING)?.content;
    Ok(hash == digest.of(certificate.whole) && is_of_issuer(id, certificate)?)
}

/// The first certificate's id: the signer's. Ids of others may follow.
fn first_id<'a>(value: &Element<'a>) -> Result<Reader<'a>, Malformed> {
    if value.tag != SEQUENCE {
        return Err(Malformed);
    }
    Ok(value.reader().take(SEQUENCE)?.reader().take(SEQUENCE)?.reader())
}

/// What may stand behind the hash: issuer and serial number, the same as in the certificate.
fn is_of_issuer(mut rest: Reader<'_>, certificate: &Certificate<'_>) -> Result<bool, Malformed> {
    let Some(pair) = rest.optional(SEQUENCE)? else { return rest.end().map(|()| true) };
    rest.end()?;
    let mut pair = pair.reader();
    let issuer = pair.take(SEQUENCE)?.reader().only(context(4))?.reader().only(SEQUENCE)?;
    Ok(issuer.whole == certificate.issuer && pair.only(INTEGER)?.content == certificate.serial)
}
