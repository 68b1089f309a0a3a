//! Who signs what the coordinator says: one key of each algorithm, both required (`docs/formats/statement-v1.md`, section 4).
//! Owns the order of signatures and the scan before them; refuses to know where keys are kept and how ML-DSA is computed:
//! a [`Signer`] comes in. Upholds I12: what shows an identifier of its subjects is not signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_model::Digest;
use gallra_model::envelope::{Envelope, Signature};
use gallra_model::manifest::Algorithm;
use gallra_model::statement::{PAYLOAD_TYPE, Statement, Subject, Type};
use serde::Serialize;
use sha2::{Digest as _, Sha512};

use crate::dsse;
use crate::key::SigningKey;
use crate::payload::PayloadError;
use crate::subject::{self, Identifier};

/// A key could not sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the key {keyid} could not sign: {why}")]
pub struct SignError {
    /// The key.
    pub keyid: Digest,
    /// What its holder said.
    pub why: String,
}

/// Something that holds a private key: a file now, a token or another machine later.
pub trait Signer: Send + Sync {
    /// Its algorithm.
    fn algorithm(&self) -> Algorithm;

    /// DER SubjectPublicKeyInfo of its public half.
    fn spki(&self) -> Vec<u8>;

    /// Signs the pre-authentication encoding of an envelope, in the form of its algorithm.
    ///
    /// # Errors
    /// [`SignError`] where whoever holds the key does not sign.
    fn sign(&self, pae: &[u8]) -> Result<Vec<u8>, SignError>;

    /// SHA-256 of [`Signer::spki`].
    fn keyid(&self) -> Digest {
        Digest::of(&self.spki())
    }
}

/// What an ML-DSA-65 key signs for an encoding: `tuf`, one byte 1, SHA-512 of it (TUF TAP 21).
pub fn tap21(pae: &[u8]) -> Vec<u8> {
    [b"tuf\x01".as_slice(), &Sha512::digest(pae)].concat()
}

/// Signs a payload as a statement with each of these keys; signatures stand by key id.
///
/// # Errors
/// [`SignError`].
pub fn envelope(payload: &[u8], signers: &[&dyn Signer]) -> Result<Envelope, SignError> {
    let pae = dsse::pae(PAYLOAD_TYPE, payload);
    let sign = |signer: &&dyn Signer| {
        let sig = STANDARD.encode(signer.sign(&pae)?);
        Ok(Signature { keyid: signer.keyid().to_string(), sig })
    };
    let mut signatures: Vec<_> = signers.iter().map(sign).collect::<Result<_, _>>()?;
    signatures.sort_by(|one, other| one.keyid.cmp(&other.keyid));
    Ok(Envelope { payload_type: PAYLOAD_TYPE.to_owned(), payload: STANDARD.encode(payload), signatures })
}

/// The canonical bytes of a statement.
///
/// # Errors
/// [`PayloadError::Form`] where it cannot be written; never in practice.
pub fn payload<P: Serialize>(kind: Type, subject: Vec<Subject>, predicate: P) -> Result<Vec<u8>, PayloadError> {
    serde_json::to_vec(&Statement::new(kind, subject, predicate)).map_err(|_| PayloadError::Form("statement"))
}

/// The coordinator's two issuer keys.
pub struct Issuer {
    ed25519: SigningKey,
    ml_dsa: Box<dyn Signer>,
}

impl Issuer {
    /// An issuer out of its two keys.
    pub fn new(ed25519: SigningKey, ml_dsa: Box<dyn Signer>) -> Self {
        Self { ed25519, ml_dsa }
    }

    /// The classical key: what one's own stored envelopes are opened with.
    pub fn ed25519(&self) -> &SigningKey {
        &self.ed25519
    }

    /// The public halves as SubjectPublicKeyInfo PEM, one block each.
    pub fn public_pem(&self) -> String {
        let block = |signer: &dyn Signer| {
            let text = STANDARD.encode(signer.spki());
            let lines: Vec<&str> =
                (0..text.len()).step_by(64).filter_map(|at| text.get(at..text.len().min(at + 64))).collect();
            format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
        };
        self.signers().map(block).concat()
    }

    /// Both keys.
    pub fn signers(&self) -> [&dyn Signer; 2] {
        [&self.ed25519, self.ml_dsa.as_ref()]
    }

    /// Signs a statement with both keys, unless it shows one of these identifiers.
    ///
    /// # Errors
    /// [`PayloadError::Leak`], and the keys'.
    pub fn sign<P: Serialize>(
        &self,
        kind: Type,
        about: Vec<Subject>,
        predicate: P,
        identifiers: &[Identifier],
    ) -> Result<Envelope, PayloadError> {
        let bytes = payload(kind, about, predicate)?;
        subject::scan(&bytes, identifiers)?;
        Ok(envelope(&bytes, &self.signers())?)
    }
}

impl Signer for SigningKey {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Ed25519
    }

    fn spki(&self) -> Vec<u8> {
        self.verifying().to_spki()
    }

    fn sign(&self, pae: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(Self::sign(self, pae).to_vec())
    }
}
