//! Time stamps that no authority makes, put together here and signed with a key of our own (Ed25519, which `openssl ts`
//! does not have): each is right but for one thing, and that thing alone refuses it.

#![allow(clippy::unwrap_used, reason = "a missing part should fail the test at once")]

mod token;

use gallra_verify::timestamp::{Stamp, StampError, check};
use sha2::{Digest as _, Sha256};
use token::{
    BINDING_V1, BINDING_V2, DATA, ED25519, Parts, SHA256, SIGNED_DATA, attribute, certificate, element, issued,
    issuer_serial, sequence,
};

const MESSAGE: &[u8] = b"log.provider.example/2026a\n22\nx8v5p6pAwXZR4rlV1KgmePu0a0ox+p5knSO186vH7z8=\n";

fn parts(subject: &'static str) -> Parts {
    token::parts(subject, MESSAGE)
}

fn verified(parts: &Parts) -> Result<Stamp, StampError> {
    check(&parts.token(), MESSAGE, &[&certificate(1, "a root")])
}

#[test]
fn what_is_put_together_right_verifies() {
    let stamp = verified(&parts("an authority")).unwrap();
    assert_eq!((stamp.at(), stamp.until()), ("2026-03-01T12:00:00Z".into(), "2099-12-31T23:59:59Z".into()));
    assert_eq!((stamp.policy(), stamp.serial(), stamp.authority()), ("1.2", "09", Some("an authority")));
    let token = parts("an authority").token();
    assert_eq!(check(&token, MESSAGE, &[&certificate(1, "another root")]), Err(StampError::Untrusted));
}

#[test]
fn a_signature_over_another_type_of_content_is_none() {
    let other = Parts { content_type: DATA.to_vec(), ..parts("an authority") };
    assert_eq!(verified(&other), Err(StampError::OtherContent));
    assert_eq!(verified(&Parts { content_type: SIGNED_DATA.to_vec(), ..other }), Err(StampError::OtherContent));
}

#[test]
fn ed25519_stands_beside_sha_512_only() {
    let beside = Parts { digest: SHA256, ..parts("an authority") };
    assert_eq!(verified(&beside), Err(StampError::Algorithm("another signature algorithm")));
}

#[test]
fn every_binding_that_is_there_is_of_the_signers_certificate() {
    let right = certificate(2, "an authority");
    let v2 = |hash: &[u8], rest: &[u8]| {
        attribute(&BINDING_V2, &sequence(&[&sequence(&[&sequence(&[&element(0x04, &[hash]), rest])])]))
    };
    let v1 = |certificate: &[u8], rest: &[u8]| {
        let hash = sha1::Sha1::digest(certificate);
        attribute(&BINDING_V1, &sequence(&[&sequence(&[&sequence(&[&element(0x04, &[&hash]), rest])])]))
    };
    let with = |binding| verified(&Parts { binding, ..parts("an authority") }).map(|stamp| stamp.at());
    let (hash, here) = (Sha256::digest(&right), issuer_serial("a root", 2));
    let good = Ok("2026-03-01T12:00:00Z".to_owned());
    assert_eq!(with(vec![v2(&hash, &here)]), good);
    assert_eq!(with(vec![v2(&hash, &[])]), good);
    assert_eq!(with(vec![v1(&right, &here)]), good);
    assert_eq!(with(vec![v1(&right, &[]), v2(&hash, &[])]), good);
    for wrong in [
        vec![],
        vec![v2(&[7; 32], &here)],
        vec![v2(&hash, &issuer_serial("another root", 2))],
        vec![v2(&hash, &issuer_serial("a root", 3))],
        vec![v1(b"another", &here)],
        vec![v1(&right, &issuer_serial("another root", 2))],
        vec![v1(b"another", &here), v2(&hash, &here)],
        vec![v1(&right, &here), v2(&[7; 32], &here)],
        vec![v2(&hash, &[0x05, 0])],
    ] {
        assert_eq!(with(wrong), Err(StampError::Unbound));
    }
}

#[test]
fn names_that_would_do_something_to_a_terminal_are_left_out() {
    for (subject, told) in [
        ("Tidsstämpling AB, enhet 7", true),
        ("\u{1b}[31mred", false),
        ("line\nbreak", false),
        ("\u{202e}backwards", false),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
    ] {
        let stamp = verified(&parts(subject)).unwrap();
        assert_eq!(stamp.authority(), told.then_some(subject), "{subject:?}");
    }
}

#[test]
fn the_algorithm_that_nobody_signed_is_the_one_that_was_signed() {
    let root = certificate(1, "a root");
    let token = parts("an authority").token();
    assert!(check(&token, MESSAGE, &[&root]).is_ok());
    // The outer one is the last: its name and 67 bytes of signature end the certificate.
    let mut other = root.clone();
    let at = root.len() - 67 - 3;
    assert_eq!(other.get(at..at + 3), Some(&ED25519[..]));
    *other.get_mut(at).unwrap() ^= 1;
    assert_eq!(check(&token, MESSAGE, &[&other]), Err(StampError::Root));
}

/// Authorities that issued one another: every certificate is looked at once, and a chain through them is found where there
/// is one.
#[test]
fn authorities_in_a_ring_end() {
    let ring = |numbers: &[u8]| {
        let pair = |from: u8, to: u8| issued(from, &format!("ring {from}"), to, &format!("ring {to}"));
        numbers.iter().zip(numbers.iter().cycle().skip(1)).map(|(from, to)| pair(*from, *to)).collect::<Vec<_>>()
    };
    let mut others = ring(&[3, 4, 5, 6, 7]);
    // The root under whose name the signer's certificate stands, issued by the ring.
    others.push(issued(1, "a root", 3, "ring 3"));
    let made = Parts { others, ..parts("an authority") };
    let by = |root: &[u8]| check(&made.token(), MESSAGE, &[root]).map(|stamp| stamp.at());
    assert_eq!(by(&certificate(9, "another")), Err(StampError::Untrusted));
    assert!(by(&issued(7, "ring 7", 7, "ring 7")).is_ok(), "the ring leads to a root");
    // Another key under the ring's name.
    assert_eq!(by(&issued(8, "ring 7", 8, "ring 7")), Err(StampError::Untrusted));
}
