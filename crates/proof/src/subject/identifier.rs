//! Identifiers of a subject in their one spelling (`docs/formats/subject-v1.md`, section 3). Owns what each kind looks like;
//! refuses what could be read in two ways. Values never show in `Debug` or in an error.

use core::net::IpAddr;
use std::fmt;
use std::str::FromStr;

use gallra_model::selector::ExternalId;
use jiff::civil::Date;

/// Most identifiers that one subject has in one request: their numbers are one byte, and a proof stays small.
pub const MAX_IDENTIFIERS: usize = 32;

/// What an identifier is. Declared in the order in which commitments are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// As billing writes it.
    CustomerNumber,
    /// A service id, as billing writes it.
    Service,
    /// A Swedish personal identity or coordination number: 12 digits. A sole trader's organisation number is one.
    PersonalNumber,
    /// Of a legal person: 10 digits.
    OrganisationNumber,
    /// An electronic mail address.
    Email,
    /// A domain name in A-labels.
    Domain,
    /// An IP address.
    Ip,
}

impl Kind {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::CustomerNumber,
        Self::Service,
        Self::PersonalNumber,
        Self::OrganisationNumber,
        Self::Email,
        Self::Domain,
        Self::Ip,
    ];

    /// The word that goes into commitments.
    pub fn word(self) -> &'static str {
        match self {
            Self::CustomerNumber => "customer-number",
            Self::Service => "service",
            Self::PersonalNumber => "personal-number",
            Self::OrganisationNumber => "organisation-number",
            Self::Email => "email",
            Self::Domain => "domain",
            Self::Ip => "ip",
        }
    }
}

/// Why a text is no identifier of its kind. Never quotes the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// Not a kind.
    #[error(
        "not a kind of identifier: expected customer-number, service, personal-number, organisation-number, email, domain or ip"
    )]
    Kind,
    /// A customer number or service id that billing could not have written.
    #[error("not a customer number or service id: expected 1 to 128 ASCII letters, digits or . _ @ + -")]
    External,
    /// Not a personal identity number.
    #[error("not a personal identity number: write all 12 digits, century first")]
    Personal,
    /// Not an organisation number.
    #[error("not an organisation number: write its 10 digits")]
    Organisation,
    /// A sole trader's number.
    #[error("this organisation number is a person's: give it as personal-number, with all 12 digits")]
    SoleTrader,
    /// Not a mail address.
    #[error("not a mail address: expected local part, @, and a domain in its ASCII form")]
    Email,
    /// Not a domain.
    #[error("not a domain: write its ASCII form (xn--...), without a final dot")]
    Domain,
    /// Not an address.
    #[error("not an IP address")]
    Ip,
}

impl FromStr for Kind {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.word() == text).ok_or(IdentifierError::Kind)
    }
}

/// One identifier, in its one spelling. Personal data: its `Debug` form shows only the kind.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identifier {
    kind: Kind,
    value: String,
}

impl Identifier {
    /// Brings a text into its kind's spelling. Separators and spaces in numbers, and capitals in domains, are left out.
    ///
    /// # Errors
    /// [`IdentifierError`]: it is none of that kind, or could be read in two ways.
    pub fn new(kind: Kind, text: &str) -> Result<Self, IdentifierError> {
        let value = match kind {
            Kind::CustomerNumber | Kind::Service => {
                text.parse::<ExternalId>().map_err(|_| IdentifierError::External)?.expose().to_owned()
            }
            Kind::PersonalNumber => personal(text).ok_or(IdentifierError::Personal)?,
            Kind::OrganisationNumber => organisation(text)?,
            Kind::Email => email(text).ok_or(IdentifierError::Email)?,
            Kind::Domain => domain(text).ok_or(IdentifierError::Domain)?,
            Kind::Ip => text.parse::<IpAddr>().map_err(|_| IdentifierError::Ip)?.to_canonical().to_string(),
        };
        Ok(Self { kind, value })
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its value. Personal data: for commitments, scans and sealing only.
    pub fn expose(&self) -> &str {
        &self.value
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identifier({}, sealed)", self.kind.word())
    }
}

fn digits(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '-' | '+' | ' ')).collect()
}

fn personal(text: &str) -> Option<String> {
    let digits = digits(text);
    if digits.len() != 12 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| digits.get(range)?.parse::<i8>().ok();
    let year = digits.get(..4)?.parse::<i16>().ok()?;
    // A coordination number has 60 added to the day (folkbokforingslagen 1991:481 s. 18 b).
    let day = number(6..8)?;
    let day = if day > 60 { day - 60 } else { day };
    Date::new(year, number(4..6)?, day).ok()?;
    checks(digits.get(2..)?).then_some(digits)
}

fn organisation(text: &str) -> Result<String, IdentifierError> {
    let digits = digits(text);
    if digits.len() != 10 || !digits.bytes().all(|b| b.is_ascii_digit()) || !checks(&digits) {
        return Err(IdentifierError::Organisation);
    }
    // A legal person's has at least 20 in the place where a person's has the month (lag 1974:174 s. 1).
    if digits.as_bytes().get(2).is_some_and(|digit| *digit < b'2') {
        return Err(IdentifierError::SoleTrader);
    }
    Ok(digits)
}

/// The check digit of ten digits (ISO/IEC 7812-1, Luhn's).
fn checks(ten: &str) -> bool {
    let sum: u32 = ten
        .bytes()
        .enumerate()
        .map(|(place, digit)| {
            let weighed = u32::from(digit.saturating_sub(b'0')) * if place % 2 == 0 { 2 } else { 1 };
            weighed / 10 + weighed % 10
        })
        .sum();
    sum.is_multiple_of(10)
}

fn email(text: &str) -> Option<String> {
    let (local, host) = text.rsplit_once('@')?;
    let plain = |c: char| c.is_ascii_graphic() && !"()<>,;:\\\"[]@".contains(c);
    let good = !local.is_empty() && local.len() <= 64 && local.chars().all(plain);
    good.then(|| domain(host)).flatten().map(|host| format!("{local}@{host}"))
}

fn domain(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let label = |label: &str| {
        let known = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        (1..=63).contains(&label.len()) && known && !label.starts_with('-') && !label.ends_with('-')
    };
    (lower.len() <= 253 && lower.contains('.') && lower.split('.').all(label)).then_some(lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(kind: Kind, text: &str) -> Result<String, IdentifierError> {
        Identifier::new(kind, text).map(|identifier| identifier.expose().to_owned())
    }

    #[test]
    fn each_kind_has_one_spelling() {
        // 19811218-9876 is the tax agency's own example of a personal identity number.
        assert_eq!(value(Kind::PersonalNumber, "19811218-9876").as_deref(), Ok("198112189876"));
        assert_eq!(
            value(Kind::PersonalNumber, "19811278-9873"),
            Ok("198112789873".to_owned()),
            "a coordination number"
        );
        assert_eq!(value(Kind::OrganisationNumber, "556036-0793").as_deref(), Ok("5560360793"));
        assert_eq!(value(Kind::Email, "Anna.S@Example.ORG").as_deref(), Ok("Anna.S@example.org"));
        assert_eq!(value(Kind::Domain, "Xn--4gbrim.Example").as_deref(), Ok("xn--4gbrim.example"));
        assert_eq!(value(Kind::Ip, "2001:DB8:0:0::1").as_deref(), Ok("2001:db8::1"));
        assert_eq!(value(Kind::Ip, "::ffff:192.0.2.1").as_deref(), Ok("192.0.2.1"));
        assert_eq!(value(Kind::CustomerNumber, "K-1001").as_deref(), Ok("K-1001"));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for text in ["811218-9876", "8112189876", "198113189876", "198112189877", "19811218987a", ""] {
            assert_eq!(value(Kind::PersonalNumber, text), Err(IdentifierError::Personal), "{text}");
        }
        for text in ["556036-0794", "55603607", "165560360793"] {
            assert_eq!(value(Kind::OrganisationNumber, text), Err(IdentifierError::Organisation), "{text}");
        }
        for text in ["anna", "@example.org", "anna@", "an na@example.org", "anna@exämple.org", "anna@localhost"] {
            assert_eq!(value(Kind::Email, text), Err(IdentifierError::Email), "{text}");
        }
        for text in ["example.org.", "-a.example", "a..example", "räksmörgås.se"] {
            assert_eq!(value(Kind::Domain, text), Err(IdentifierError::Domain), "{text}");
        }
    }

    #[test]
    fn a_sole_traders_number_is_a_persons() {
        assert_eq!(value(Kind::OrganisationNumber, "811218-9876"), Err(IdentifierError::SoleTrader));
    }

    #[test]
    fn debug_shows_no_value() {
        let identifier = Identifier::new(Kind::Email, "anna@example.org").expect("a literal");
        assert_eq!(format!("{identifier:?}"), "Identifier(email, sealed)");
    }

    #[test]
    fn words_come_back() {
        for kind in Kind::ALL {
            assert_eq!(kind.word().parse(), Ok(kind));
        }
    }
}
