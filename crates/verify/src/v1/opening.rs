//! One identifier that a subject shows without the claim code, so that the others stay closed (`docs/formats/subject-v1.md`,
//! section 2). Openings are secrets and identifiers personal data: neither shows in `Debug`, an error or a printed line.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use super::links;
use super::open::AllOpened;
use super::question::{Identifier, QuestionError};
use crate::verdict::{Failure, Report};

/// What a subject hands over for one identifier: `NUMBER:OPENING:KIND=VALUE`, as `gallra subject open` prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct Opening {
    number: u8,
    opening: [u8; 32],
    identifier: Identifier,
}

/// The commitment to an identifier under an opening, in hex.
pub(super) fn commitment(opening: &[u8; 32], identifier: &Identifier) -> String {
    let word = identifier.kind().word();
    let digest = Sha256::new()
        .chain_update("gallra-subject/v1\0")
        .chain_update(opening)
        // Words are shorter than 256 bytes.
        .chain_update([u8::try_from(word.len()).unwrap_or(u8::MAX)])
        .chain_update(word)
        .chain_update(identifier.value())
        .finalize();
    hex::encode(digest)
}

impl Opening {
    pub(super) fn identifier(&self) -> &Identifier {
        &self.identifier
    }

    /// Whether it opens the commitment with its number, and so shows that the proof is about its identifier.
    pub(super) fn ask(&self, all: &AllOpened, report: &mut Report) -> Result<(), Failure> {
        if links::is_about_an_age(&all.proof.value) {
            return Err(Failure::evidence("the proof is about nobody: an opening opens nothing of it"));
        }
        let digests = all.proof.value.subject.iter().map(|one| one.digest.sha256.as_str());
        self.opens(digests)?;
        report.ok(format!("10 opening {}: the proof is about the {} that was given", self.number, self.kind()));
        Ok(())
    }

    fn opens<'d>(&self, digests: impl Iterator<Item = &'d str>) -> Result<(), Failure> {
        let committed = (1..).zip(digests).find(|(number, _)| *number == self.number).map(|(_, digest)| digest);
        if committed == Some(commitment(&self.opening, &self.identifier).as_str()) {
            return Ok(());
        }
        let text = format!("opening {} does not show that the proof is about this {}", self.number, self.kind());
        Err(Failure::evidence(&text))
    }

    fn kind(&self) -> &'static str {
        self.identifier.kind().word()
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opening({}, {})", self.number, self.kind())
    }
}

impl FromStr for Opening {
    type Err = QuestionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, ':');
        let (Some(number), Some(opening), Some(identifier)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(QuestionError::Opening);
        };
        let number = number.parse().ok().filter(|number| (1..=32).contains(number)).ok_or(QuestionError::Opening)?;
        let bytes = hex::decode(opening).map_err(|_| QuestionError::Opening)?;
        let opening = bytes.try_into().map_err(|_| QuestionError::Opening)?;
        Ok(Self { number, opening, identifier: identifier.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 5 of the page, for the code `mfrg-gzdf-mztw-q2lk-nnwg-23tp-obyx-e43u`.
    const FIRST: &str = "6f529a868ef5bb10cbb2d284ed873df488f7b0b42da685259346fd53708b8d1c";
    const COMMITTED: &str = "26fb15198658e9c8f59f779286b053421d0a13af606ad6fceb7cfec9a09dcea2";

    fn opens(text: &str, digests: &[&str]) -> bool {
        text.parse::<Opening>().expect("an opening").opens(digests.iter().copied()).is_ok()
    }

    #[test]
    fn an_opening_opens_its_own_commitment_to_its_own_value_alone() {
        let shown = format!("1:{FIRST}:customer-number=1001");
        let other = "0".repeat(64);
        assert!(opens(&shown, &[COMMITTED]) && opens(&shown, &[COMMITTED, &other]));
        assert!(!opens(&shown, &[&other, COMMITTED]), "under another number");
        assert!(!opens(&shown, &[]));
        for wrong in [
            format!("2:{FIRST}:customer-number=1001"),
            format!("1:{FIRST}:customer-number=1002"),
            format!("1:{FIRST}:service=1001"),
            format!("1:{other}:customer-number=1001"),
        ] {
            assert!(!opens(&wrong, &[COMMITTED]) && !opens(&wrong, &[COMMITTED, &other]), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_opening_is_refused() {
        let short = FIRST.get(2..).expect("ASCII");
        for bad in
            ["", "1", FIRST, &format!("1:{FIRST}"), &format!("0:{FIRST}:ip=192.0.2.1"), &format!("33:{FIRST}:ip=::1")]
        {
            assert_eq!(bad.parse::<Opening>(), Err(QuestionError::Opening), "{bad}");
        }
        assert_eq!(format!("1:{short}:ip=192.0.2.1").parse::<Opening>(), Err(QuestionError::Opening));
        assert_eq!(format!("1:{FIRST}:name=Anna").parse::<Opening>(), Err(QuestionError::Identifier));
        assert!(format!("1:{FIRST}:ip=2001:db8::1").parse::<Opening>().is_ok(), "a value may have colons");
    }

    #[test]
    fn nothing_personal_shows() {
        let opening: Opening = format!("1:{FIRST}:email=anna@example.org").parse().expect("an opening");
        assert_eq!(format!("{opening:?}"), "Opening(1, email)");
        let refused = opening.opens([COMMITTED].into_iter()).expect_err("another");
        assert!(!format!("{refused:?}").contains("anna"), "{refused:?}");
    }
}
