//! What a subject shows of itself: identifiers, claim codes, openings; and the scan for them in what is signed. Issuer and verifier
//! read one page with code of their own: where they disagree, a subject cannot show its own proof, or the issuer signs what every
//! reader then calls a leak.

use gallra_proof::subject::{self, ClaimCode, Identifier, Kind};

use super::text;
use crate::Seen;
use crate::spelling::same_json;

/// Most identifiers of one execution: bounds its time.
const MOST: usize = 4;

/// An identifier as `KIND=VALUE`, as the issuer reads it.
fn ours(said: &str) -> Option<Identifier> {
    let (kind, value) = said.split_once('=')?;
    Identifier::new(kind.parse::<Kind>().ok()?, value).ok()
}

/// A claim code, an identifier, or an opening. Whatever the issuer takes the verifier takes, and both commit to the same.
pub fn asked(bytes: &[u8]) -> Seen {
    let Some(said) = text(bytes) else { return Seen::Refused };
    let (code, theirs) = (said.parse::<ClaimCode>(), said.parse::<gallra_verify::ClaimCode>());
    assert_eq!(code.is_ok(), theirs.is_ok(), "one of both takes the code");
    if let (Ok(code), Ok(theirs)) = (&code, &theirs) {
        assert_eq!(code.expose().parse::<ClaimCode>().as_ref(), Ok(code), "handed out in another spelling");
        commit_to_the_same(code, theirs, "customer-number=K-1001");
    }
    let identifier = ours(said);
    if identifier.is_some() {
        let fixed = ClaimCode::from_bytes(*b"abcdefghijklmnopqrst");
        let theirs = fixed.expose().parse().unwrap_or_else(|why| panic!("our own code: {why}"));
        commit_to_the_same(&fixed, &theirs, said);
    }
    let opening = said.parse::<gallra_verify::Opening>();
    if let Ok(opening) = &opening {
        let identifier = said.splitn(3, ':').nth(2).unwrap_or_default();
        assert!(identifier.parse::<gallra_verify::Identifier>().is_ok(), "opens to no identifier");
        let value = identifier.split_once('=').map_or("", |(_, value)| value);
        assert!(value.len() < 16 || !format!("{opening:?}").contains(value), "an opening shows whom it is about");
    }
    Seen::of(code.is_ok() || identifier.is_some() || opening.is_ok())
}

fn commit_to_the_same(code: &ClaimCode, theirs: &gallra_verify::ClaimCode, said: &str) {
    let read = said.parse().unwrap_or_else(|why| panic!("the verifier refuses what the issuer took: {why}"));
    let Some(identifier) = ours(said) else { return };
    for number in [1, 32] {
        let ours = code.opening(number).commitment(&identifier).to_string();
        assert_eq!(ours, gallra_verify::commits(theirs, number, &read), "two commitments to one identifier");
    }
}

/// Identifiers, one a line, then an empty line, then a payload. Both scans find the same.
pub fn scanned(bytes: &[u8]) -> Seen {
    let Some((identifiers, payload)) = text(bytes).and_then(|said| said.split_once("\n\n")) else {
        return Seen::Refused;
    };
    // What is no JSON is never signed.
    if same_json::<serde_json::Value>(payload.as_bytes()).is_none() {
        return Seen::Refused;
    }
    let lines: Vec<&str> = identifiers.lines().filter(|line| ours(line).is_some()).take(MOST).collect();
    let issuers: Vec<Identifier> = lines.iter().filter_map(|line| ours(line)).collect();
    let readers: Vec<gallra_verify::Identifier> = lines.iter().filter_map(|line| line.parse().ok()).collect();
    assert_eq!(issuers.len(), readers.len(), "the verifier refuses what the issuer took");
    let (signed, shown) =
        (subject::scan(payload.as_bytes(), &issuers), gallra_verify::shows(payload.as_bytes(), &readers));
    assert_eq!(signed.is_err(), shown, "one of both finds a leak: {signed:?}");
    Seen::of(!lines.is_empty())
}
