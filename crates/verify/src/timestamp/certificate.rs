//! X.509 certificates (RFC 5280), as far as a time stamp needs them. Names are compared byte by byte. Refuses to know which
//! are trusted.

use super::der::{
    BIT_STRING, BOOLEAN, Element, INTEGER, Malformed, OCTET_STRING, OID, PRINTABLE_STRING, Reader, SEQUENCE, SET,
    UTF8_STRING, boolean, context, implicit, small, whole_bytes,
};
use super::signature::{Algorithm, verify};
use super::{StampError, instant, oid};
use crate::time::Instant;

/// Longest name that is repeated to people, in characters.
const MOST_NAME: usize = 64;
/// Most extensions of a certificate, and most purposes in one; those of authorities have about ten.
const MOST_LISTED: usize = 32;

// Bits of keyUsage, the highest of the first byte first (RFC 5280, section 4.2.1.3).
const DIGITAL_SIGNATURE: u8 = 0x80;
const CONTENT_COMMITMENT: u8 = 0x40;
const CERTIFICATE_SIGN: u8 = 0x04;

/// A certificate whose form is right. Nothing about it is believed yet.
#[derive(Debug)]
pub(super) struct Certificate<'a> {
    pub(super) whole: &'a [u8],
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    /// The number's bytes, as they stand.
    pub(super) serial: &'a [u8],
    from: Instant,
    pub(super) until: Instant,
    pub(super) key: Element<'a>,
    signed: &'a [u8],
    algorithm: Algorithm<'a>,
    signature: &'a [u8],
    extensions: Reader<'a>,
}

impl<'a> Certificate<'a> {
    pub(super) fn read(der: &'a [u8]) -> Result<Self, Malformed> {
        let whole = Reader::new(der).only(SEQUENCE)?;
        let mut parts = whole.reader();
        let signed = parts.take(SEQUENCE)?;
        let outside = parts.take(SEQUENCE)?;
        let signature = parts.only(BIT_STRING)?;
        let mut fields = signed.reader();
        // Version 3: others have no extensions, which say what a certificate is for.
        if small(&fields.take(context(0))?.reader().only(INTEGER)?)? != 2 {
            return Err(Malformed);
        }
        let serial = fields.take(INTEGER)?.content;
        // The algorithm stands twice, and one of both is not signed.
        if fields.take(SEQUENCE)?.whole != outside.whole {
            return Err(Malformed);
        }
        let issuer = fields.take(SEQUENCE)?.whole;
        let mut validity = fields.take(SEQUENCE)?.reader();
        let (from, until) = (validity.any()?, validity.any()?);
        validity.end()?;
        let subject = fields.take(SEQUENCE)?.whole;
        let key = fields.take(SEQUENCE)?;
        fields.optional(implicit(1))?;
        fields.optional(implicit(2))?;
        let extensions = fields.only(context(3))?.reader().only(SEQUENCE)?.reader();
        Ok(Self {
            whole: whole.whole,
            issuer,
            subject,
            serial,
            from: instant::of_certificate(&from)?,
            until: instant::of_certificate(&until)?,
            key,
            signed: signed.whole,
            algorithm: Algorithm::read(&outside)?,
            signature: whole_bytes(&signature)?,
            extensions,
        })
    }

    /// From the first to the last second, both included.
    pub(super) fn is_valid_at(&self, at: &Instant) -> bool {
        self.from <= *at && *at <= self.until
    }

    /// Whether the issuer's key signed this one.
    pub(super) fn is_signed_by(&self, issuer: &Certificate<'_>) -> Result<(), StampError> {
        verify(&issuer.key, &self.algorithm, None, self.signed, self.signature)
    }

    pub(super) fn extensions(&self) -> Result<Extensions<'a>, Malformed> {
        Extensions::read(self.extensions)
    }

    /// The last common name of the subject, if people can be shown it as it is.
    pub(super) fn common_name(&self) -> Option<String> {
        let mut sets = Reader::new(self.subject).only(SEQUENCE).ok()?.reader();
        let mut name = None;
        while let Ok(set) = sets.take(SET) {
            let mut pair = set.reader().take(SEQUENCE).ok()?.reader();
            if pair.take(OID).ok()?.content == oid::COMMON_NAME {
                let text = pair.any().ok()?;
                let text = [UTF8_STRING, PRINTABLE_STRING].contains(&text.tag).then_some(text.content);
                name = text.and_then(|text| std::str::from_utf8(text).ok());
            }
        }
        let printable = |c: char| c.is_alphanumeric() || " .,-_()/&'+:".contains(c);
        name.filter(|name| name.chars().count() <= MOST_NAME && name.chars().all(printable)).map(str::to_owned)
    }
}

/// What a certificate may be used for.
#[derive(Debug, Default)]
pub(super) struct Extensions<'a> {
    is_authority: bool,
    /// How many authorities may stand between this one and the signer.
    path_length: Option<u32>,
    /// The first byte of keyUsage.
    usage: Option<u8>,
    purposes: Option<Purposes<'a>>,
    pub(super) key_id: Option<&'a [u8]>,
    has_unknown: bool,
}

#[derive(Debug)]
struct Purposes<'a> {
    critical: bool,
    all: Vec<&'a [u8]>,
}

impl<'a> Extensions<'a> {
    fn read(mut list: Reader<'a>) -> Result<Self, Malformed> {
        let mut known = Self::default();
        let mut seen: Vec<&[u8]> = Vec::new();
        while !list.is_empty() {
            let mut extension = list.take(SEQUENCE)?.reader();
            let name = extension.take(OID)?.content;
            let critical = extension.optional(BOOLEAN)?.map(|critical| boolean(&critical)).transpose()? == Some(true);
            let value = Reader::new(extension.only(OCTET_STRING)?.content);
            if seen.contains(&name) || seen.len() == MOST_LISTED {
                return Err(Malformed);
            }
            seen.push(name);
            known.take(name, critical, value)?;
        }
        Ok(known)
    }

    fn take(&mut self, name: &[u8], critical: bool, value: Reader<'a>) -> Result<(), Malformed> {
        match name {
            oid::BASIC_CONSTRAINTS => {
                let mut fields = value.only(SEQUENCE)?.reader();
                let authority = fields.optional(BOOLEAN)?.map(|authority| boolean(&authority)).transpose()?;
                self.is_authority = authority == Some(true);
                self.path_length = fields.optional(INTEGER)?.map(|length| small(&length)).transpose()?;
                fields.end()?;
            }
            oid::KEY_USAGE => match value.only(BIT_STRING)?.content {
                [0..=7, first, ..] => self.usage = Some(*first),
                _ => return Err(Malformed),
            },
            oid::EXTENDED_KEY_USAGE => {
                let mut list = value.only(SEQUENCE)?.reader();
                let mut all = Vec::new();
                while !list.is_empty() && all.len() < MOST_LISTED {
                    all.push(list.take(OID)?.content);
                }
                list.end()?;
                self.purposes = Some(Purposes { critical, all });
            }
            oid::SUBJECT_KEY_ID => self.key_id = Some(value.only(OCTET_STRING)?.content),
            // Which policies apply is asked by nobody here.
            oid::CERTIFICATE_POLICIES => {}
            _ => self.has_unknown |= critical,
        }
        Ok(())
    }

    /// RFC 3161, section 2.3: extendedKeyUsage is critical, and time stamping is all that it has.
    pub(super) fn is_for_time_stamping(&self) -> bool {
        let only = |purposes: &Purposes<'_>| purposes.critical && purposes.all == [oid::TIME_STAMPING];
        let signs = self.usage.is_none_or(|usage| usage & (DIGITAL_SIGNATURE | CONTENT_COMMITMENT) != 0);
        self.purposes.as_ref().is_some_and(only) && signs && !self.has_unknown
    }

    /// Whether it may issue certificates of those who stamp, with so many authorities between.
    pub(super) fn may_issue(&self, between: u32) -> bool {
        let allows =
            |purposes: &Purposes<'_>| purposes.all.iter().any(|it| [oid::TIME_STAMPING, oid::ANY_PURPOSE].contains(it));
        self.is_authority
            && self.path_length.is_none_or(|length| between <= length)
            && self.usage.is_none_or(|usage| usage & CERTIFICATE_SIGN != 0)
            && self.purposes.as_ref().is_none_or(allows)
            && !self.has_unknown
    }
}
