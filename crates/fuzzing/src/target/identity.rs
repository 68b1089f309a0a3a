//! What strangers hand to the enrolment server, and what a certificate says of its holder.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use gallra_identity::{Authority, Caller, CallerRole, JoinToken, TOKEN_PREFIX, is_label};
use jiff::{SignedDuration, Timestamp};

use super::text;
use crate::Seen;
use crate::quiet::says_nothing_of;

const NAME: &str = "web1";
const INSTALLATION: &str = "demo";

/// Certificates live in the machine's own time; this one is fixed, so that findings repeat.
fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap_or(Timestamp::UNIX_EPOCH)
}

static AUTHORITY: LazyLock<Authority> =
    LazyLock::new(|| Authority::create(INSTALLATION, now()).expect("an authority can be made"));

/// A join token: as it is pasted, or (where the bytes do not begin like one) the JSON in it.
pub fn join_token(bytes: &[u8]) -> Seen {
    let pasted = text(bytes).filter(|text| text.trim_start().starts_with(TOKEN_PREFIX)).map(str::to_owned);
    let token = pasted.unwrap_or_else(|| format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)));
    match token.parse::<JoinToken>() {
        Ok(read) => {
            assert_eq!(read.to_string().parse::<JoinToken>().as_ref(), Ok(&read), "not read again");
            assert!(is_label(&read.agent) && read.address.starts_with("https://"), "{:?}", read.address);
            assert!(!format!("{read:?}").contains(&read.secret.to_hex()), "the secret is shown");
            Seen::Read
        }
        Err(refusal) => {
            says_nothing_of(token.as_bytes(), &refusal.to_string());
            Seen::Refused
        }
    }
}

/// A signing request, PEM or (where the bytes do not begin like one) DER. Whatever it asks for, the certificate says what
/// the authority was told to say.
pub fn signing_request(bytes: &[u8]) -> Seen {
    let pem = as_pem(bytes, "CERTIFICATE REQUEST");
    let validity = SignedDuration::from_hours(24);
    match AUTHORITY.sign_csr(&pem, CallerRole::Agent, NAME, now(), validity) {
        Ok(issued) => {
            let der = der_of(&issued).unwrap_or_else(|| panic!("the authority issues no PEM"));
            let caller = Caller::from_der(&der, INSTALLATION).unwrap_or_else(|why| panic!("names nobody: {why}"));
            assert_eq!((caller.role, caller.name.as_str()), (CallerRole::Agent, NAME));
            Seen::Read
        }
        Err(refusal) => {
            says_nothing_of(pem.as_bytes(), &refusal.to_string());
            Seen::Refused
        }
    }
}

/// A certificate, DER or PEM: a caller of this installation, an authority with its key, or nobody.
pub fn certificate(bytes: &[u8]) -> Seen {
    let pem = as_pem(bytes, "CERTIFICATE");
    let der = der_of(&pem).unwrap_or_default();
    // Under a foreign key no certificate makes an authority.
    let foreign = AUTHORITY.to_pem();
    assert!(Authority::from_pem(&pem, &foreign.key_pem).is_err(), "another authority's key is taken");
    match Caller::from_der(&der, INSTALLATION) {
        Ok(caller) => {
            assert!(is_label(&caller.name) && caller.fingerprint.len() == 64, "{:?}", caller.name);
            assert!(caller.serial.bytes().all(|b| b"0123456789abcdef".contains(&b)));
            assert!(Caller::from_der(&der, "another").is_err(), "of two installations");
            Seen::Read
        }
        Err(refusal) => {
            says_nothing_of(&der, &refusal.to_string());
            Seen::Refused
        }
    }
}

/// Text as it is; other bytes as what stands in a block of PEM.
fn as_pem(bytes: &[u8], label: &str) -> String {
    let pasted = text(bytes).filter(|text| text.trim_start().starts_with("-----BEGIN"));
    let body = || STANDARD.encode(bytes);
    pasted.map_or_else(|| format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", body()), str::to_owned)
}

/// What stands in the first block of a PEM text that we made.
fn der_of(pem: &str) -> Option<Vec<u8>> {
    let body: String = pem.trim().lines().skip(1).take_while(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(body).ok()
}
