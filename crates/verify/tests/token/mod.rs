//! A maker of time stamps: tokens put together part by part, signed with a key of our own (Ed25519, which `openssl ts` does not
//! have). None of its code is the verifier's.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a missing part should fail the test at once")]

use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest as _, Sha256, Sha512};

/// An end of validity in this century that no test reaches.
const LATE: &str = "20991231235959Z";

pub(crate) const ED25519: [u8; 3] = [0x2b, 0x65, 0x70];
pub(crate) const SHA256: [u8; 9] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
pub(crate) const SHA512: [u8; 9] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03];
pub(crate) const DATA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
pub(crate) const SIGNED_DATA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
pub(crate) const TST_INFO: [u8; 11] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];
pub(crate) const CONTENT_TYPE: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
pub(crate) const MESSAGE_DIGEST: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
pub(crate) const BINDING_V1: [u8; 11] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x0c];
pub(crate) const BINDING_V2: [u8; 11] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x2f];

/// An element of this tag around these.
pub(crate) fn element(tag: u8, content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    let length = match u16::try_from(content.len()).unwrap().to_be_bytes() {
        [0, short] if short < 0x80 => vec![short],
        [0, long] => vec![0x81, long],
        [high, low] => vec![0x82, high, low],
    };
    [&[tag], length.as_slice(), &content].concat()
}

pub(crate) fn sequence(content: &[&[u8]]) -> Vec<u8> {
    element(0x30, content)
}

pub(crate) fn algorithm(name: &[u8]) -> Vec<u8> {
    sequence(&[&element(0x06, &[name])])
}

/// A name of one part: a common name, in UTF-8.
pub(crate) fn name(text: &str) -> Vec<u8> {
    let pair = sequence(&[&[0x06, 3, 0x55, 4, 3], &element(0x0c, &[text.as_bytes()])]);
    sequence(&[&element(0x31, &[&pair])])
}

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

/// The root's, with seed 1, or the stamping one's, with seed 2; both are signed with the root's key.
pub(crate) fn certificate(seed: u8, subject: &str) -> Vec<u8> {
    issued(seed, subject, 1, "a root")
}

/// A certificate for the key of a seed: one to stamp with for seed 2, else an authority's.
pub(crate) fn issued(seed: u8, subject: &str, by: u8, issuer: &str) -> Vec<u8> {
    issued_until(LATE, seed, subject, by, issuer)
}

/// The same with another end: `YYMMDDhhmmssZ` before 2050, `YYYYMMDDhhmmssZ` from then on.
fn issued_until(until: &str, seed: u8, subject: &str, by: u8, issuer: &str) -> Vec<u8> {
    let until = element(if until.len() == 13 { 0x17 } else { 0x18 }, &[until.as_bytes()]);
    let extension =
        |name: &[u8], value: &[u8]| sequence(&[&element(0x06, &[name]), &[0x01, 1, 0xff], &element(0x04, &[value])]);
    let extension = if seed != 2 {
        extension(&[0x55, 0x1d, 0x13], &[0x30, 3, 0x01, 1, 0xff])
    } else {
        let purpose = element(0x06, &[&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08]]);
        extension(&[0x55, 0x1d, 0x25], &sequence(&[&purpose]))
    };
    let point = element(0x03, &[&[0], key(seed).verifying_key().as_bytes()]);
    let signed = sequence(&[
        &[0xa0, 3, 0x02, 1, 2],
        &[0x02, 1, seed],
        &algorithm(&ED25519),
        &name(issuer),
        &sequence(&[&element(0x17, &[b"200101000000Z"]), &until]),
        &name(subject),
        &sequence(&[&algorithm(&ED25519), &point]),
        &element(0xa3, &[&sequence(&[&extension])]),
    ]);
    let signature = key(by).sign(&signed).to_bytes();
    sequence(&[&signed, &algorithm(&ED25519), &element(0x03, &[&[0], &signature])])
}

pub(crate) fn attribute(name: &[u8], value: &[u8]) -> Vec<u8> {
    sequence(&[&element(0x06, &[name]), &element(0x31, &[value])])
}

/// signingCertificate's issuerSerial: a directoryName, and a number.
pub(crate) fn issuer_serial(issuer: &str, serial: u8) -> Vec<u8> {
    sequence(&[&sequence(&[&element(0xa4, &[&name(issuer)])]), &[0x02, 1, serial]])
}

/// A token, part by part.
pub(crate) struct Parts {
    pub(crate) message: Vec<u8>,
    pub(crate) subject: &'static str,
    pub(crate) time: &'static str,
    pub(crate) content_type: Vec<u8>,
    pub(crate) digest: [u8; 9],
    pub(crate) binding: Vec<Vec<u8>>,
    pub(crate) others: Vec<Vec<u8>>,
    pub(crate) until: &'static str,
}

/// A token that is right under the root with seed 1.
pub(crate) fn parts(subject: &'static str, message: &[u8]) -> Parts {
    parts_until(LATE, subject, message)
}

/// The same by a certificate with another end, as [`issued_until`] has it.
pub(crate) fn parts_until(until: &'static str, subject: &'static str, message: &[u8]) -> Parts {
    let hash = Sha256::digest(issued_until(until, 2, subject, 1, "a root"));
    let id = sequence(&[&element(0x04, &[&hash]), &issuer_serial("a root", 2)]);
    Parts {
        message: message.to_vec(),
        subject,
        until,
        time: "20260301120000Z",
        content_type: TST_INFO.to_vec(),
        digest: SHA512,
        binding: vec![attribute(&BINDING_V2, &sequence(&[&sequence(&[&id])]))],
        others: Vec::new(),
    }
}

impl Parts {
    pub(crate) fn token(&self) -> Vec<u8> {
        let imprint = sequence(&[&algorithm(&SHA256), &element(0x04, &[&Sha256::digest(&self.message)])]);
        let time = element(0x18, &[self.time.as_bytes()]);
        let info = sequence(&[&[0x02, 1, 1], &[0x06, 1, 0x2a], &imprint, &[0x02, 1, 9], &time]);
        let digest =
            if self.digest == SHA512 { Sha512::digest(&info).to_vec() } else { Sha256::digest(&info).to_vec() };
        let attributes = [
            attribute(&CONTENT_TYPE, &element(0x06, &[&self.content_type])),
            attribute(&MESSAGE_DIGEST, &element(0x04, &[&digest])),
            self.binding.concat(),
        ]
        .concat();
        let signature = key(2).sign(&element(0x31, &[&attributes])).to_bytes();
        let signer = sequence(&[
            &[0x02, 1, 1],
            &sequence(&[&name("a root"), &[0x02, 1, 2]]),
            &algorithm(&self.digest),
            &element(0xa0, &[&attributes]),
            &algorithm(&ED25519),
            &element(0x04, &[&signature]),
        ]);
        let content = sequence(&[&element(0x06, &[&TST_INFO]), &element(0xa0, &[&element(0x04, &[&info])])]);
        let data = sequence(&[
            &[0x02, 1, 3],
            &element(0x31, &[&algorithm(&self.digest)]),
            &content,
            &element(0xa0, &[&self.others.concat(), &issued_until(self.until, 2, self.subject, 1, "a root")]),
            &element(0x31, &[&signer]),
        ]);
        sequence(&[&element(0x06, &[&SIGNED_DATA]), &element(0xa0, &[&data])])
    }
}
