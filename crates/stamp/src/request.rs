//! TimeStampReq (RFC 3161, section 2.4.1) of one form: version 1, SHA-256, a nonce of 16 bytes, certReq.

use sha2::{Digest as _, Sha256};

/// Everything before the digest: the SEQUENCE of 75 bytes, version 1, and a MessageImprint of SHA-256.
const BEFORE_IMPRINT: [u8; 24] = [
    0x30, 0x4b, 0x02, 0x01, 0x01, 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
    0x01, 0x05, 0x00, 0x04, 0x20,
];
const BEFORE_NONCE: [u8; 2] = [0x02, 0x10];
/// certReq is true: without the signer's certificate nobody can check the token later.
const CERT_REQ: [u8; 3] = [0x01, 0x01, 0xff];

/// What an answer has to be to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) imprint: [u8; 32],
    pub(crate) nonce: [u8; 16],
}

impl Request {
    /// The first bits of the nonce are set to 01: positive, and never shorter.
    pub(crate) fn new(message: &[u8], mut nonce: [u8; 16]) -> Self {
        let [first, ..] = &mut nonce;
        *first = *first & 0x3f | 0x40;
        Self { imprint: Sha256::digest(message).into(), nonce }
    }

    pub(crate) fn to_der(&self) -> Vec<u8> {
        [&BEFORE_IMPRINT[..], &self.imprint, &BEFORE_NONCE, &self.nonce, &CERT_REQ].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_fit() {
        for nonce in [[0; 16], [0xff; 16]] {
            let der = Request::new(b"a message", nonce).to_der();
            assert_eq!(der.len(), 77);
            assert_eq!(usize::from(der[1]), der.len() - 2);
            assert_eq!(der[58] & 0xc0, 0x40, "the nonce is positive and has no leading zero");
        }
    }
}
