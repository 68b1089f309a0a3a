//! What a caller asks beside whether a proof is valid: who witnessed it, whether it is about somebody, and whether it gives
//! that somebody away (`docs/formats/subject-v1.md`). Identifiers and codes are personal data: they show in no `Debug`, no
//! error and no line that is printed.

use core::net::IpAddr;
use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use super::leak::Scan;
use super::links;
use super::open::AllOpened;
use super::opening::{self, Opening};
use crate::verdict::{Failure, Kind, Report};
use crate::word::Hex64;

/// RFC 4648 base32 in lowercase.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// What is asked of a proof of version 1. Nothing by default.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// Identifiers of the subject: none may stand in a statement, and with a code each must open a commitment.
    pub identifiers: Vec<Identifier>,
    /// The claim code that was handed out to the subject.
    pub code: Option<ClaimCode>,
    /// Identifiers that the subject shows one by one, without the code.
    pub openings: Vec<Opening>,
    /// How many witnesses must have cosigned the last checkpoint. Exit code 23 if fewer did.
    pub witnesses: usize,
}

/// A text that is no identifier or no code. Never quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    /// Not `KIND=VALUE`.
    #[error(
        "not an identifier: expected KIND=VALUE, KIND one of customer-number, service, personal-number, \
         organisation-number, email, domain, ip"
    )]
    Identifier,
    /// Not a value of its kind.
    #[error("not a value of its kind: see docs/formats/subject-v1.md, section 3")]
    Value,
    /// A sole trader's number.
    #[error("this organisation number is a person's: give it as personal-number, with all 12 digits")]
    SoleTrader,
    /// Not a claim code.
    #[error("not a claim code: expected 32 letters a-z or digits 2-7")]
    Code,
    /// Not an opening.
    #[error("not an opening: expected NUMBER:OPENING:KIND=VALUE, as `gallra subject open` prints it")]
    Opening,
}

/// What an identifier is, in the order in which commitments are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum IdentifierKind {
    /// As billing writes it.
    CustomerNumber,
    /// As billing writes it.
    Service,
    /// 12 digits.
    PersonalNumber,
    /// 10 digits, of a legal person.
    OrganisationNumber,
    /// A mail address.
    Email,
    /// A domain.
    Domain,
    /// An IP address.
    Ip,
}

impl IdentifierKind {
    const ALL: [Self; 7] = [
        Self::CustomerNumber,
        Self::Service,
        Self::PersonalNumber,
        Self::OrganisationNumber,
        Self::Email,
        Self::Domain,
        Self::Ip,
    ];

    /// The word in a commitment.
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

/// One identifier of a subject.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identifier {
    kind: IdentifierKind,
    value: String,
}

impl Identifier {
    pub(super) fn kind(&self) -> IdentifierKind {
        self.kind
    }

    pub(super) fn value(&self) -> &str {
        &self.value
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identifier({})", self.kind.word())
    }
}

impl FromStr for Identifier {
    type Err = QuestionError;

    /// Reads `KIND=VALUE` and brings the value into its one spelling.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (word, value) = text.split_once('=').ok_or(QuestionError::Identifier)?;
        let kind = IdentifierKind::ALL.into_iter().find(|kind| kind.word() == word).ok_or(QuestionError::Identifier)?;
        let value = match kind {
            IdentifierKind::CustomerNumber | IdentifierKind::Service => plain(value),
            IdentifierKind::PersonalNumber => digits(value, 12),
            IdentifierKind::OrganisationNumber => {
                let number = digits(value, 10);
                if number.as_ref().is_some_and(|number| number.as_bytes().get(2).is_some_and(|third| *third < b'2')) {
                    return Err(QuestionError::SoleTrader);
                }
                number
            }
            IdentifierKind::Email => {
                value.rsplit_once('@').and_then(|(local, host)| Some(format!("{}@{}", plain(local)?, domain(host)?)))
            }
            IdentifierKind::Domain => domain(value),
            IdentifierKind::Ip => value.parse::<IpAddr>().ok().map(|ip| ip.to_canonical().to_string()),
        };
        value.map(|value| Self { kind, value }).ok_or(QuestionError::Value)
    }
}

fn plain(text: &str) -> Option<String> {
    let good = (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    good.then(|| text.to_owned())
}

fn digits(text: &str, many: usize) -> Option<String> {
    let digits: String = text.chars().filter(|c| !matches!(c, '-' | '+' | ' ')).collect();
    (digits.len() == many && digits.bytes().all(|b| b.is_ascii_digit())).then_some(digits)
}

fn domain(text: &str) -> Option<String> {
    let label = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (text.contains('.') && text.split('.').all(label)).then(|| text.to_ascii_lowercase())
}

/// The subject's own secret, 20 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimCode([u8; 20]);

impl fmt::Debug for ClaimCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimCode")
    }
}

impl FromStr for ClaimCode {
    type Err = QuestionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (mut bytes, mut filled) = ([0_u8; 20], 0_usize);
        for c in text.bytes().filter(|c| !matches!(c, b'-' | b' ')) {
            let five = ALPHABET.iter().position(|known| *known == c.to_ascii_lowercase()).ok_or(QuestionError::Code)?;
            for bit in (0..5).rev() {
                let byte = bytes.get_mut(filled / 8).ok_or(QuestionError::Code)?;
                *byte = *byte << 1 | u8::from(five >> bit & 1 == 1);
                filled += 1;
            }
        }
        if filled == 160 { Ok(Self(bytes)) } else { Err(QuestionError::Code) }
    }
}

impl ClaimCode {
    /// The commitment with this number, from 1, to an identifier.
    pub(crate) fn commitment(&self, number: u8, identifier: &Identifier) -> String {
        let opening = hmac(&self.0, &[b"gallra-opening/v1\0".as_slice(), &[number]].concat());
        opening::commitment(&opening, identifier)
    }
}

/// HMAC-SHA256 (RFC 2104) under a key that is shorter than a block.
fn hmac(key: &[u8; 20], message: &[u8]) -> [u8; 32] {
    let pad = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
}

impl Question {
    /// Step 10.
    pub(crate) fn ask(&self, all: &AllOpened, report: &mut Report) -> Result<(), Failure> {
        let given: Vec<_> =
            self.identifiers.iter().chain(self.openings.iter().map(Opening::identifier)).cloned().collect();
        if !given.is_empty() {
            nothing_leaks(&given, all)?;
            report.ok(format!("10 identifiers: none of {} stands in a statement", given.len()));
        }
        self.openings.iter().try_for_each(|opening| opening.ask(all, report))?;
        let Some(code) = &self.code else { return Ok(()) };
        let subject = &all.proof.value.subject;
        if links::is_about_an_age(&all.proof.value) {
            return Err(Failure::evidence("the proof is about nobody: a claim code opens nothing of it"));
        }
        for identifier in &self.identifiers {
            let opens = |(number, digest): (u8, &Hex64)| code.commitment(number, identifier) == digest.as_str();
            if !(1..).zip(subject.iter().map(|one| &one.digest.sha256)).any(opens) {
                let kind = identifier.kind.word();
                return Err(Failure::evidence(&format!("the code does not show that the proof is about this {kind}")));
            }
        }
        let (opened, whole) = (self.identifiers.len(), subject.len());
        let text = format!("10 subject: the code opens {opened} of {whole} commitments with what was given");
        if opened == whole {
            report.ok(text)
        } else {
            report.note(text)
        }
        Ok(())
    }
}

fn nothing_leaks(given: &[Identifier], all: &AllOpened) -> Result<(), Failure> {
    let scan = Scan::new(given);
    let named = [("proof", &all.proof.payload), ("request", &all.request.payload), ("plan", &all.plan.payload)];
    let agents = all.agents.iter().map(|at| (at.word.word(), &at.payload));
    let restores = all.restores.iter().map(|(at, _)| ("restore", &at.payload));
    let told = all.notifications.iter().map(|at| ("notification", &at.payload));
    let sets = all.copy_sets.iter().map(|at| ("copy-set", &at.payload));
    for (noun, payload) in named.into_iter().chain(agents).chain(restores).chain(told).chain(sets) {
        if let Some(kind) = scan.finds(payload) {
            let why = format!("a {} that was given stands in a {noun}", kind.word());
            return Err(Failure::new(Kind::Leak, &why));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commitments_are_those_of_the_pages_shell_commands() {
        // code: printf abcdefghijklmnopqrst | base32; commitment: section 5 of the page with customer number 1001
        let code: ClaimCode = "mfrg-gzdf-mztw-q2lk-nnwg-23tp-obyx-e43u".parse().expect("a code");
        let number: Identifier = "customer-number=1001".parse().expect("an identifier");
        assert_eq!(code, ClaimCode(*b"abcdefghijklmnopqrst"));
        assert_eq!(code.commitment(1, &number), "26fb15198658e9c8f59f779286b053421d0a13af606ad6fceb7cfec9a09dcea2");
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for bad in ["1001", "name=Anna", "personal-number=8112189876", "email=anna", "domain=localhost", "ip=1.2.3"] {
            assert!(bad.parse::<Identifier>().is_err(), "{bad}");
        }
        let sole = "organisation-number=811218-9876".parse::<Identifier>();
        assert_eq!(sole, Err(QuestionError::SoleTrader));
        for bad in ["", "mfrg", "mfrg-gzdf-mztw-q2lk-nnwg-23tp-obyx-e431", "mfrg-gzdf-mztw-q2lk-nnwg-23tp-obyx-e43ua"] {
            assert_eq!(bad.parse::<ClaimCode>(), Err(QuestionError::Code), "{bad}");
        }
    }

    #[test]
    fn nothing_personal_shows() {
        let question = Question {
            identifiers: vec!["email=Anna@Example.org".parse().expect("an identifier")],
            code: Some("mfrg-gzdf-mztw-q2lk-nnwg-23tp-obyx-e43u".parse().expect("a code")),
            ..Question::default()
        };
        let shown = format!("{question:?}").to_lowercase();
        assert!(!shown.contains("anna") && !shown.contains("mfrg"), "{shown}");
    }
}
