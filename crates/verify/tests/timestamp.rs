//! Time stamps made by OpenSSL (`timestamp/make.sh`): those that are right verify, and each of the others is refused for
//! its own reason, as is whatever differs from a right one in a bit. Whatever the bytes are, nothing panics.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a missing part should fail the test at once")]

use std::path::{Path, PathBuf};

use gallra_verify::timestamp::{MOST_BYTES, Stamp, StampError, check};
use proptest::prelude::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/timestamp")
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
}

fn token(name: &str) -> Vec<u8> {
    file(&format!("{name}.tst"))
}

/// Names of the tokens that begin with this.
fn named(beginning: &str) -> Vec<String> {
    let names = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names
        .filter_map(|name| name.strip_suffix(".tst").filter(|name| name.starts_with(beginning)).map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// By the roots that an operator could name.
fn by(token: &[u8], roots: &[&str]) -> Result<Stamp, StampError> {
    let roots: Vec<_> = roots.iter().map(|root| file(&format!("root-{root}.der"))).collect();
    let roots: Vec<_> = roots.iter().map(Vec::as_slice).collect();
    check(token, &file("checkpoint"), &roots)
}

fn by_all(token: &[u8]) -> Result<Stamp, StampError> {
    by(token, &["other", "rsa", "p384", "ed25519", "no-path"])
}

fn length(bytes: usize) -> Vec<u8> {
    match u16::try_from(bytes).unwrap().to_be_bytes() {
        [0, short] if short < 0x80 => vec![short],
        [0, long] => vec![0x81, long],
        [high, low] => vec![0x82, high, low],
    }
}

/// An element of this tag around these bytes.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag], length(content.len()).as_slice(), content].concat()
}

/// Where the content of the element at this place begins and ends.
fn content(bytes: &[u8], at: usize) -> std::ops::Range<usize> {
    let (from, length) = match bytes[at + 1] {
        0x82 => (at + 4, usize::from(bytes[at + 2]) << 8 | usize::from(bytes[at + 3])),
        0x81 => (at + 3, usize::from(bytes[at + 2])),
        short => (at + 2, usize::from(short)),
    };
    from..from + length
}

/// The elements inside of one.
fn inside(bytes: &[u8], around: std::ops::Range<usize>) -> Vec<Vec<u8>> {
    let (mut at, mut all) = (around.start, Vec::new());
    while at < around.end {
        let end = content(bytes, at).end;
        all.push(bytes[at..end].to_vec());
        at = end;
    }
    all
}

fn parts(element: &[u8]) -> Vec<Vec<u8>> {
    inside(element, content(element, 0))
}

/// Takes a token apart (fields of SignedData, fields of its SignerInfo), lets somebody change that, and puts it together.
fn changed(token: &[u8], change: impl FnOnce(&mut Vec<Vec<u8>>, &mut Vec<Vec<u8>>)) -> Vec<u8> {
    let outside = parts(token);
    let mut fields = parts(&parts(&outside[1])[0]);
    let mut signer = parts(&parts(&fields.pop().unwrap())[0]);
    change(&mut fields, &mut signer);
    fields.push(element(0x31, &element(0x30, &signer.concat())));
    let data = element(0x30, &fields.concat());
    element(0x30, &[outside[0].clone(), element(0xa0, &data)].concat())
}

#[test]
fn what_openssl_stamps_verifies_under_its_own_root_only() {
    let roots = ["rsa", "p384", "ed25519"];
    let names = named("good-");
    assert_eq!(names.len(), 15, "{names:?}");
    for name in names {
        let token = token(&name);
        let stamp = by_all(&token).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert!(stamp.at().starts_with("202") && stamp.until().starts_with("20"), "{name}");
        assert_eq!(stamp.policy(), "1.2.3.4.1", "{name}");
        let mut trusted = roots.into_iter().filter(|root| by(&token, &[root]).is_ok());
        assert!(trusted.next().is_some() && trusted.next().is_none(), "{name} is of one root");
        assert_eq!(by(&token, &["other"]), Err(StampError::Untrusted), "{name}");
        assert_eq!(by(&token, &[]), Err(StampError::Untrusted), "{name}");
        assert_eq!(check(&token, b"another checkpoint\n", &[]), Err(StampError::OtherMessage), "{name}");
    }
}

#[test]
fn what_a_stamp_says_is_told() {
    let stamp = by_all(&token("good-all-fields")).unwrap();
    assert_eq!(stamp.at(), "2026-03-01T12:00:00.25Z");
    assert_eq!(stamp.until(), "2099-12-31T00:00:00Z");
    assert_eq!(stamp.accuracy(), Some(2_000_000));
    assert_eq!(stamp.serial(), "1234567890abcdef1234");
    assert_eq!(stamp.nonce(), Some("fedcba9876543210"));
    assert_eq!(stamp.authority(), Some("tsa-2048"));
    let stamp = by_all(&token("good-rsa-4096")).unwrap();
    assert_eq!(stamp.accuracy(), Some(1_500_000));
    assert!(stamp.nonce().is_some_and(|nonce| nonce.len() <= 16));
    let stamp = by_all(&token("good-cms")).unwrap();
    assert_eq!((stamp.accuracy(), stamp.nonce()), (None, None));
}

#[test]
fn each_wrong_token_is_refused_for_its_own_reason() {
    use StampError::{Algorithm, Form, Issuer, NoSigner, NotValidThen, Purpose, Unbound, Untrusted};
    let form = Form("its CMS SignedData is not of the form that RFC 3161 asks for");
    let info = Form("what is stamped is not a TSTInfo of version 1");
    let digest = Algorithm("another digest than SHA-256, 384 or 512");
    let expected = [
        ("bad-content-type", form),
        ("bad-critical-extension", Purpose),
        ("bad-critical-field", info),
        ("bad-detached", form),
        ("bad-early", NotValidThen),
        ("bad-expired", NotValidThen),
        ("bad-half-a-second-late", NotValidThen),
        ("bad-middle-expired", NotValidThen),
        ("bad-middle-limits", Issuer),
        ("bad-middle-not-ca", Issuer),
        ("bad-middle-purpose", Issuer),
        ("bad-middle-usage", Issuer),
        ("bad-more-fields", info),
        ("bad-no-attributes", form),
        ("bad-no-certificate", NoSigner),
        ("bad-no-middle", Untrusted),
        ("bad-p521", Algorithm("a key of another kind or size")),
        ("bad-path-length", Issuer),
        ("bad-purpose-mail", Purpose),
        ("bad-purpose-none", Purpose),
        ("bad-purpose-not-critical", Purpose),
        ("bad-purpose-two", Purpose),
        ("bad-rsa-1024", Algorithm("a key of another kind or size")),
        ("bad-sha1-certificate", Algorithm("another signature algorithm")),
        ("bad-sha1-imprint", digest),
        ("bad-sha1-signature", digest),
        ("bad-time", info),
        ("bad-two-signers", form),
        ("bad-unbound", Unbound),
        ("bad-usage", Purpose),
    ];
    assert_eq!(named("bad-"), expected.map(|(name, _)| name));
    for (name, why) in expected {
        assert_eq!(by_all(&token(name)), Err(why), "{name}");
    }
}

/// F18: the certificate has ended by now. Its token stands, and what its key signs later with a time of before looks the same:
/// only a time that somebody else gives tells them apart.
#[test]
fn an_ended_certificate_counts_for_what_was_seen_before_its_end() {
    let stamp = by_all(&token("good-then")).unwrap();
    assert_eq!((stamp.at(), stamp.until()), ("2021-03-01T12:00:00Z".into(), "2022-06-01T00:00:00Z".into()));
    assert_eq!(stamp.seen("2021-03-01T12:00:00Z"), Ok(()));
    assert_eq!(stamp.seen("2022-06-01T00:00:00Z"), Ok(()));
    assert_eq!(stamp.seen("2022-06-01T00:00:01Z"), Err(StampError::Ended));
    assert_eq!(stamp.seen("2021-03-01T11:59:59Z"), Err(StampError::NotYet));
    assert_eq!(stamp.seen("yesterday"), Err(StampError::NotYet));
}

#[test]
fn another_certificate_of_the_same_key_is_not_the_one_that_signed() {
    let (own, other) = (file("tsa-2048.der"), file("tsa-2048-swapped.der"));
    for name in ["good-rsa-2048", "good-rsa-2048-sha1-id"] {
        let token = token(name);
        let swapped = changed(&token, |fields, _| {
            assert_eq!(fields[3], element(0xa0, &own), "the token carries one certificate");
            fields[3] = element(0xa0, &other);
        });
        assert_eq!(by_all(&swapped), Err(StampError::Unbound), "{name}");
        // Beside the right one it is nobody's.
        let beside = changed(&token, |fields, _| fields[3] = element(0xa0, &[other.as_slice(), &own].concat()));
        assert!(by_all(&beside).is_ok(), "{name}");
        assert_eq!(changed(&token, |_, _| {}), token, "what is put together is what was taken apart");
    }
}

#[test]
fn a_certificate_that_is_trusted_itself_is_a_chain() {
    let (token, own) = (token("good-rsa-2048"), file("tsa-2048.der"));
    let message = file("checkpoint");
    assert!(check(&token, &message, &[&own]).is_ok());
    assert_eq!(check(&token, &message, &[&file("tsa-2048-swapped.der")]), Err(StampError::Untrusted));
    assert_eq!(check(&token, &message, &[b"no certificate"]), Err(StampError::Root));
}

#[test]
fn what_nobody_signed_is_not_taken_along() {
    let form = Err(StampError::Form("its CMS SignedData is not of the form that RFC 3161 asks for"));
    let token = token("good-rsa-2048");
    let attribute = element(0x30, &[element(0x06, &[0x2a, 3]), element(0x31, &element(0x05, &[]))].concat());
    let unsigned = changed(&token, |_, signer| signer.push(element(0xa1, &attribute)));
    assert_eq!(by_all(&unsigned), form);
    let list = changed(&token, |fields, _| fields.push(element(0xa1, &element(0x30, &[]))));
    assert_eq!(by_all(&list), form);
    let digests = changed(&token, |fields, _| fields[1] = element(0x31, &[]));
    assert_eq!(by_all(&digests), form);
    let many = changed(&token, |fields, _| {
        let certificate = parts(&fields[3])[0].clone();
        fields[3] = element(0xa0, &certificate.repeat(9));
    });
    assert_eq!(by_all(&many), Err(StampError::Form("it carries more than 8 certificates")));
    let signed = changed(&token, |_, signer| {
        let mut all = parts(&signer[3]);
        all.push(attribute.clone());
        signer[3] = element(0xa0, &all.concat());
    });
    assert_eq!(by_all(&signed), Err(StampError::Signature));
    let twice = changed(&token, |_, signer| {
        let mut all = parts(&signer[3]);
        all.push(all[0].clone());
        signer[3] = element(0xa0, &all.concat());
    });
    assert_eq!(by_all(&twice), form);
}

#[test]
fn a_signature_of_other_content_does_not_carry_over() {
    // The signer's part of one token under the content of another, which has the same imprint.
    let other = changed(&token("good-cms"), |_, _| {});
    let mut content = Vec::new();
    changed(&token("good-all-fields"), |fields, _| content = fields[2].clone());
    assert_eq!(by_all(&changed(&other, |fields, _| fields[2] = content)), Err(StampError::OtherContent));
}

/// Every byte of a small token that carries nothing but what it needs, and some of larger ones. A certificate that nobody
/// needs may be anything; then the stamp says the same.
#[test]
fn no_flipped_bit_survives() {
    for (name, step) in
        [("good-p256", 7), ("good-p384", 29), ("good-rsa-2048", 7), ("good-pss", 13), ("good-rsa-4096", 29)]
    {
        let mut flipped = token(name);
        for at in (0..flipped.len() * 8).step_by(step) {
            flipped[at / 8] ^= 1 << (at % 8);
            assert!(by_all(&flipped).is_err(), "{name}: byte {}, bit {}", at / 8, at % 8);
            flipped[at / 8] ^= 1 << (at % 8);
        }
        assert_eq!(flipped, token(name), "and everything was put back");
    }
    // What says how a PSS signature was made is not signed, and stands before its 256 bytes.
    let mut flipped = token("good-pss");
    for at in (flipped.len() - 256 - 80) * 8..(flipped.len() - 256) * 8 {
        flipped[at / 8] ^= 1 << (at % 8);
        assert!(by_all(&flipped).is_err(), "byte {}, bit {}", at / 8, at % 8);
        flipped[at / 8] ^= 1 << (at % 8);
    }
    let token = token("good-others-beside");
    let stamp = by_all(&token).unwrap();
    for at in (0..token.len()).step_by(7) {
        let mut flipped = token.clone();
        flipped[at] ^= 1;
        assert!(by_all(&flipped).is_ok_and(|said| said == stamp) || by_all(&flipped).is_err(), "byte {at}");
    }
}

#[test]
fn cut_lengthened_and_huge_tokens_are_refused() {
    let token = token("good-p384");
    for length in 0..token.len() {
        assert!(by_all(&token[..length]).is_err(), "{length} bytes");
    }
    assert!(by_all(&[&token[..], &[0]].concat()).is_err());
    assert!(by_all(&[&token[..], &token].concat()).is_err());
    // A length of four bytes that is not the shortest, then one of four gigabytes.
    let body = &token[content(&token, 0)];
    for head in [&[0x30, 0x83, 0, 6, 0x42][..], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x30, 0x80]] {
        assert!(by_all(&[head, body].concat()).is_err(), "{head:02x?}");
    }
    assert_eq!(by_all(&vec![0x30; MOST_BYTES + 1]), Err(StampError::TooLong));
    assert!(by_all(&vec![0x30; MOST_BYTES]).is_err());
    assert!(by_all(&[0x30, 0x80].repeat(MOST_BYTES / 2)).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(by_all(&bytes).is_err());
    }

    /// A run of a token's bytes replaced, whatever it was and is: refused, or nothing has changed.
    #[test]
    fn no_replaced_run_survives(at in 0..950_usize, run in prop::collection::vec(any::<u8>(), 1..12)) {
        let token = token("good-p256");
        let mut other = token.clone();
        let end = (at + run.len()).min(other.len());
        other.splice(at..end, run);
        prop_assert!(other == token || by_all(&other).is_err());
    }
}
