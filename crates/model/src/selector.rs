//! What a job carries to find the data by: ids that the billing system uses, matched exactly (decision 10).
//! Refuses empty selectors and everything that could be read as a path, a glob or SQL on its way to a template.

use core::net::IpAddr;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::Instant;

/// Longest service id or customer number accepted, in bytes.
pub const MAX_ID_BYTES: usize = 128;

/// A service id or customer number as billing writes it: 1 to [`MAX_ID_BYTES`] of letters, digits and `. _ @ + -`,
/// beginning with a letter or digit, and without `..`.
///
/// It is personal data: its `Debug` form shows nothing, and it must never be logged.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExternalId(String);

/// A text that may not be used as a service id or customer number. Does not quote the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a service id or customer number: expected 1 to {MAX_ID_BYTES} ASCII letters, digits or . _ @ + -, \
     beginning with a letter or digit, without '..'"
)]
pub struct ExternalIdError;

impl ExternalId {
    /// The id as text. Personal data: for templates, prepared statements and sealing only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for ExternalId {
    type Err = ExternalIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._@+-".contains(c);
        let good = text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.len() <= MAX_ID_BYTES
            && text.chars().all(allowed)
            && !text.contains("..");
        if good { Ok(Self(text.to_owned())) } else { Err(ExternalIdError) }
    }
}

impl TryFrom<String> for ExternalId {
    type Error = ExternalIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ExternalId> for String {
    fn from(id: ExternalId) -> Self {
        id.0
    }
}

impl fmt::Debug for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExternalId(sealed)")
    }
}

/// An IP address, and when it was the subject's (decision 10: outside of that time it is somebody else's).
///
/// It is personal data: its `Debug` form shows nothing, and it must never be logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressUse {
    /// The address. An IPv4 address in IPv6 clothes (`::ffff:192.0.2.1`) is the IPv4 address.
    pub address: IpAddr,
    /// The first instant at which it was theirs.
    pub from: Instant,
    /// The first instant at which it no longer was; unset while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Instant>,
}

impl AddressUse {
    /// Whether `address` was the subject's at `at`. Compares the addresses, not how they are written.
    pub fn covers(&self, address: IpAddr, at: Instant) -> bool {
        self.address.to_canonical() == address.to_canonical()
            && at >= self.from
            && self.until.is_none_or(|until| at < until)
    }
}

impl fmt::Debug for AddressUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressUse(sealed)")
    }
}

/// A personal or organisation number, a mail address, a domain or an IP address as billing told it, in the one spelling of its
/// kind (`docs/formats/subject-v1.md`, section 3), which the caller has brought it into. Never in a job.
///
/// It is personal data: its `Debug` form shows the kind alone, and it must never be logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToldIdentifier {
    kind: String,
    value: String,
}

impl ToldIdentifier {
    /// From the word of a kind and a value in its spelling.
    pub fn new(kind: impl Into<String>, value: impl Into<String>) -> Self {
        Self { kind: kind.into(), value: value.into() }
    }

    /// The word of its kind.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Its value. Personal data: for commitments, scans and sealing only.
    pub fn expose(&self) -> &str {
        &self.value
    }
}

impl fmt::Debug for ToldIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ToldIdentifier({}, sealed)", self.kind)
    }
}

/// Whom a job is about, in the words that the host's templates use. At least one is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selector {
    /// The service of one contract; unset on jobs about the customer only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ExternalId>,
    /// The customer number; unset on jobs about one service only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<ExternalId>,
    /// Addresses that were the subject's; only on jobs for targets that can be searched by nothing else (decision 13).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<AddressUse>,
}

impl Selector {
    /// Whether nothing is selected: an error everywhere (decision 10).
    pub fn is_empty(&self) -> bool {
        self.service.is_none() && self.customer.is_none() && self.addresses.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_lead_elsewhere_is_refused() {
        for good in ["1001", "anna.example", "a@b.example", "kund-7_x+1"] {
            assert!(good.parse::<ExternalId>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a..b", "../x", "a/b", "a*", "a?", "a'b", "a b", "a\0", "-x", "å", &"a".repeat(129)]
        {
            assert!(bad.parse::<ExternalId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_address_is_somebodys_only_in_its_time_and_however_it_is_written() {
        let at = |text: &str| text.parse::<Instant>().expect("a literal");
        let ip = |text: &str| text.parse::<IpAddr>().expect("a literal");
        let (from, until) = (at("2026-01-01T00:00:00Z"), Some(at("2026-02-01T00:00:00Z")));
        let old = AddressUse { address: ip("192.0.2.1"), from, until };
        assert!(old.covers(ip("::ffff:192.0.2.1"), from));
        assert!(!old.covers(ip("192.0.2.1"), at("2026-02-01T00:00:00Z")) && !old.covers(ip("192.0.2.10"), from));
        assert!(!old.covers(ip("192.0.2.1"), at("2025-12-31T23:59:59Z")));
        let still = AddressUse { address: ip("2001:db8::1"), from, until: None };
        assert!(still.covers(ip("2001:DB8:0:0::0001"), at("2030-01-01T00:00:00Z")));
        assert_eq!(format!("{still:?}"), "AddressUse(sealed)");
    }

    #[test]
    fn debug_shows_nothing() {
        let id: ExternalId = "anna.example".parse().expect("a literal");
        assert!(!format!("{id:?}").contains("anna"));
    }
}
