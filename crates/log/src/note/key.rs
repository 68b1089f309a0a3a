//! Named keys of notes, and their text: `name+id+base64`. The name is a part of the id, so that one key under two names is
//! two keys; so is the kind, so that a cosignature never passes for a log's own signature.
//!
//! Refuses to make randomness (a seed comes in), to know where keys are kept, and keys under which anybody can sign.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use ed25519_dalek::{Signature as Ed25519, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use super::{NoteError, Signature};
use crate::cosign;

/// Longest name of a key, in bytes: what the cosignatures of later kinds have room for.
pub const MOST_NAME_BYTES: usize = 255;

/// What a key's signatures say, and how they are made: the signature type of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Ed25519 over the text, type 0x01: a log's own.
    Log,
    /// Ed25519 over time and text, type 0x04: a witness's cosignature ([`crate::cosign`]).
    Witness,
}

impl Kind {
    const fn byte(self) -> u8 {
        match self {
            Self::Log => 0x01,
            Self::Witness => 0x04,
        }
    }
}

/// Why a text is no key, or a name none. Never quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Empty, too long, or with a space, a plus sign or a control character.
    #[error("not a key's name: expected 1 to {MOST_NAME_BYTES} bytes without space, plus sign or control character")]
    Name,
    /// Not `name+id+base64` of a kind that is known here.
    #[error("not a verifier key: expected name+id+base64 of an Ed25519 key of type 0x01 or 0x04")]
    Form,
    /// The id is another key's.
    #[error("the verifier key's id does not fit its name and key: it was altered or mistyped")]
    Id,
    /// A point under which anybody can make signatures.
    #[error("the verifier key is weak: make a new key pair")]
    Weak,
    /// Not PKCS#8 PEM of an Ed25519 key.
    #[error("not a private key: expected one Ed25519 key as PKCS#8 PEM")]
    Private,
}

/// Whether a text can be a key's name.
pub fn is_name(text: &str) -> bool {
    let fits = (1..=MOST_NAME_BYTES).contains(&text.len());
    fits && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

/// The public half of a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    name: String,
    kind: Kind,
    id: [u8; 4],
    key: VerifyingKey,
}

impl Eq for Key {}

impl Key {
    fn new(name: &str, kind: Kind, key: VerifyingKey) -> Result<Self, KeyError> {
        if !is_name(name) {
            return Err(KeyError::Name);
        }
        if key.is_weak() {
            return Err(KeyError::Weak);
        }
        let hash =
            Sha256::new().chain_update(name).chain_update([b'\n', kind.byte()]).chain_update(key.as_bytes()).finalize();
        let mut id = [0; 4];
        id.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        Ok(Self { name: name.to_owned(), kind, id, key })
    }

    /// A log's key out of its raw bytes, as a key manifest lists it.
    ///
    /// # Errors
    /// [`KeyError`]: not a name, not a key, or a weak one.
    pub fn of_log(name: &str, raw: &[u8; 32]) -> Result<Self, KeyError> {
        Self::new(name, Kind::Log, VerifyingKey::from_bytes(raw).map_err(|_| KeyError::Form)?)
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its signatures say.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The first four bytes of SHA-256 of name, line break, type and key. It says which key to try, and proves nothing.
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The raw 32 bytes of the key.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// The time that a cosignature says, and nothing for a log's signature.
    ///
    /// # Errors
    /// [`NoteError::Signature`] where the signature is not this key's over the text.
    pub(super) fn verify(&self, text: &str, signature: &[u8]) -> Result<Option<u64>, NoteError> {
        let (time, message, signature) = match self.kind {
            Kind::Log => (None, text.to_owned(), signature),
            Kind::Witness => {
                let (time, signature) = cosign::divide(signature).ok_or(NoteError::Signature)?;
                (Some(time), cosign::message(time, text), signature)
            }
        };
        // Strictly: the scalar is reduced and no point of small order, so that a signature has one form.
        let signature = Ed25519::from_slice(signature).map_err(|_| NoteError::Signature)?;
        self.key.verify_strict(message.as_bytes(), &signature).map_err(|_| NoteError::Signature)?;
        Ok(time)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed = [&[self.kind.byte()][..], self.key.as_bytes()].concat();
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id), STANDARD.encode(typed))
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Names have no plus sign; base64 may.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(base64)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Form);
        };
        let typed = STANDARD.decode(base64).map_err(|_| KeyError::Form)?;
        let (kind, key) = typed.split_first().ok_or(KeyError::Form)?;
        let kind = [Kind::Log, Kind::Witness].into_iter().find(|known| known.byte() == *kind).ok_or(KeyError::Form)?;
        let key = key.try_into().map_err(|_| KeyError::Form)?;
        let read = Self::new(name, kind, VerifyingKey::from_bytes(key).map_err(|_| KeyError::Form)?)?;
        if hex::encode(read.id) == id { Ok(read) } else { Err(KeyError::Id) }
    }
}

/// A private key under its name. Its `Debug` form shows only the public half.
pub struct Signer {
    secret: SigningKey,
    public: Key,
}

impl Signer {
    /// The key of a seed: 32 bytes from the operating system's random source.
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn from_seed(name: &str, kind: Kind, seed: &[u8; 32]) -> Result<Self, KeyError> {
        Self::new(name, kind, SigningKey::from_bytes(seed))
    }

    /// The key of a file: PKCS#8 PEM, as `openssl genpkey -algorithm ed25519` writes it. The file says neither name nor kind.
    ///
    /// # Errors
    /// [`KeyError::Private`], [`KeyError::Name`].
    pub fn from_pem(name: &str, kind: Kind, pem: &str) -> Result<Self, KeyError> {
        Self::new(name, kind, SigningKey::from_pkcs8_pem(pem).map_err(|_| KeyError::Private)?)
    }

    fn new(name: &str, kind: Kind, secret: SigningKey) -> Result<Self, KeyError> {
        Ok(Self { public: Key::new(name, kind, secret.verifying_key())?, secret })
    }

    /// The public half.
    pub fn public(&self) -> &Key {
        &self.public
    }

    /// Signs a message as it is. What a message may be is for the modules that make them.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.secret.sign(message).to_bytes()
    }

    /// The line of a signature that this key made.
    pub(crate) fn line(&self, bytes: Vec<u8>) -> Signature {
        Signature::new(self.public.name.clone(), self.public.id, bytes)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.public)
    }
}
