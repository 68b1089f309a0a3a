//! Claim codes, openings and commitments (`docs/formats/subject-v1.md`, sections 1, 2 and 4). Refuses to make randomness: the
//! 20 bytes come in. Upholds that a code and an opening never show in `Debug`.

use std::fmt;
use std::str::FromStr;

use gallra_model::Digest;

use super::identifier::{Identifier, MAX_IDENTIFIERS};

const OPENING_LABEL: &[u8] = b"gallra-opening/v1\0";
const SUBJECT_LABEL: &[u8] = b"gallra-subject/v1\0";
const PICKUP_LABEL: &[u8] = b"gallra-pickup/v1\0";

/// RFC 4648 base32 in lowercase.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// What only the subject holds: 160 random bits from the operating system.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimCode([u8; 20]);

/// A text that is no claim code. Does not quote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a claim code: expected 32 letters a-z or digits 2-7, in groups of four")]
pub struct ClaimCodeError;

impl ClaimCode {
    /// The code of 20 random bytes.
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// As it is handed out: eight groups of four characters. Together with the proof it is personal data.
    pub fn expose(&self) -> String {
        let mut text = String::with_capacity(39);
        for (place, five) in self.0.chunks_exact(5).flat_map(characters).enumerate() {
            if place > 0 && place % 4 == 0 {
                text.push('-');
            }
            text.push(char::from(five));
        }
        text
    }

    /// What opens the commitment with this number, and no other. Numbers begin at 1.
    pub fn opening(&self, number: u8) -> Opening {
        Opening(Digest::keyed(&self.0, &[OPENING_LABEL, &[number]].concat()))
    }

    /// Under which reference the final proof is picked up: 32 hex characters. Does not lead back to the code.
    pub fn pickup(&self) -> String {
        let digest = Digest::of(&[PICKUP_LABEL, &self.0].concat());
        digest.to_string().chars().take(32).collect()
    }
}

impl fmt::Debug for ClaimCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimCode(secret)")
    }
}

impl FromStr for ClaimCode {
    type Err = ClaimCodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bits: Vec<u8> = Vec::with_capacity(32);
        for c in text.bytes().filter(|c| !matches!(c, b'-' | b' ')) {
            let place = ALPHABET.iter().position(|known| *known == c.to_ascii_lowercase());
            bits.push(place.and_then(|place| u8::try_from(place).ok()).ok_or(ClaimCodeError)?);
        }
        let mut bytes = [0; 20];
        if bits.len() != 32 {
            return Err(ClaimCodeError);
        }
        for (five, eight) in bytes.chunks_exact_mut(5).zip(bits.chunks_exact(8)) {
            let all = eight.iter().fold(0_u64, |all, bits| all << 5 | u64::from(*bits));
            five.copy_from_slice(all.to_be_bytes().get(3..).unwrap_or_default());
        }
        Ok(Self(bytes))
    }
}

/// Five bytes as eight characters.
fn characters(five: &[u8]) -> impl Iterator<Item = u8> {
    let all = five.iter().fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
    (0..8).rev().filter_map(move |place| ALPHABET.get((all >> (place * 5) & 31) as usize).copied())
}

/// What opens one commitment.
#[derive(Clone, PartialEq, Eq)]
pub struct Opening(Digest);

impl Opening {
    /// The commitment to an identifier under this opening.
    pub fn commitment(&self, identifier: &Identifier) -> Digest {
        let kind = identifier.kind().word();
        // Every word is shorter than 256 bytes.
        let length = [u8::try_from(kind.len()).unwrap_or(u8::MAX)];
        let parts = [SUBJECT_LABEL, self.0.as_bytes(), &length, kind.as_bytes(), identifier.expose().as_bytes()];
        Digest::of(&parts.concat())
    }

    /// The 64 hex characters that a subject hands over to show one identifier.
    pub fn expose(&self) -> String {
        self.0.to_string()
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opening(secret)")
    }
}

/// The commitments to a subject's identifiers, in the order of their kinds and values, each once; None for none, or for more
/// than [`MAX_IDENTIFIERS`].
pub fn commitments(code: &ClaimCode, identifiers: &[Identifier]) -> Option<Vec<Digest>> {
    let mut sorted: Vec<_> = identifiers.iter().collect();
    sorted.sort();
    sorted.dedup();
    if sorted.is_empty() || sorted.len() > MAX_IDENTIFIERS {
        return None;
    }
    Some((1..).zip(sorted).map(|(number, identifier)| code.opening(number).commitment(identifier)).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::subject::Kind;

    fn identifier(kind: Kind, text: &str) -> Identifier {
        Identifier::new(kind, text).expect("a literal")
    }

    fn code() -> ClaimCode {
        ClaimCode::from_bytes(*b"abcdefghijklmnopqrst")
    }

    #[test]
    fn a_code_is_written_as_the_page_says() {
        // `printf abcdefghijklmnopqrst | base32`.
        assert_eq!(code().expose(), "mfrg-gzdf-mztw-q2lk-nnwg-23tp-obyx-e43u");
        for text in ["MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U", "mfrg gzdf mztw q2lk nnwg 23tp obyx e43u"] {
            assert_eq!(text.parse(), Ok(code()));
        }
        for text in ["", "mfrg", "mfrg-gzdf-mztw-q2lk-nnwg-23tp-obyx-e431", "mfrg-gzdf-mztw-q2lk-nnwg-23tp-obyx-e43ua"]
        {
            assert_eq!(text.parse::<ClaimCode>(), Err(ClaimCodeError), "{text}");
        }
    }

    #[test]
    fn commitments_are_those_of_the_pages_shell_commands() {
        // opening: printf 'gallra-opening/v1\0\001' | openssl dgst -sha256 -mac HMAC -macopt key:abcdefghijklmnopqrst
        let opening = code().opening(1);
        assert_eq!(opening.expose(), "6f529a868ef5bb10cbb2d284ed873df488f7b0b42da685259346fd53708b8d1c");
        assert_eq!(
            opening.commitment(&identifier(Kind::CustomerNumber, "1001")).to_string(),
            "26fb15198658e9c8f59f779286b053421d0a13af606ad6fceb7cfec9a09dcea2"
        );
        assert_eq!(code().pickup(), "dd9743409c81b56780da2b17b235da7e");
    }

    #[test]
    fn each_identifier_opens_alone_and_none_twice() {
        let mail = identifier(Kind::Email, "anna@example.org");
        let number = identifier(Kind::CustomerNumber, "1001");
        let both = commitments(&code(), &[mail.clone(), number.clone(), mail.clone()]).expect("two");
        assert_eq!(both, [code().opening(1).commitment(&number), code().opening(2).commitment(&mail)]);
        assert_ne!(code().opening(1), code().opening(2), "one that was handed over opens no other");
        assert_eq!(commitments(&code(), &[]), None);
        let another = identifier(Kind::CustomerNumber, "1002");
        assert_ne!(code().opening(1).commitment(&another), code().opening(1).commitment(&number));
        // The kind is inside: a service of the same name is another identifier.
        assert_ne!(code().opening(1).commitment(&identifier(Kind::Service, "1001")), both[0]);
    }

    #[test]
    fn secrets_do_not_show() {
        assert_eq!(format!("{:?} {:?}", code(), code().opening(1)), "ClaimCode(secret) Opening(secret)");
    }

    proptest! {
        #[test]
        fn codes_come_back(bytes in any::<[u8; 20]>()) {
            let code = ClaimCode::from_bytes(bytes);
            prop_assert_eq!(code.expose().parse(), Ok(code));
        }

        #[test]
        fn any_text_is_a_code_or_is_refused(text in "[a-zA-Z0-9 -]{0,48}") {
            if let Ok(code) = text.parse::<ClaimCode>() {
                let plain = text.to_lowercase().replace(['-', ' '], "");
                prop_assert_eq!(code.expose().replace('-', ""), plain);
            }
        }
    }
}
