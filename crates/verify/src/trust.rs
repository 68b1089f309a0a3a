//! What the caller trusts (`docs/formats/keys-v1.md`, section 5). Owns the three forms of it;
//! whether a chain of manifests holds is found out where a proof is verified.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::form;
use crate::format::v1::file::{KEYS_FORMAT, KeyFile};
use crate::key::{PublicKey, keyid};
use crate::word::Hex64;

/// A text that says of nobody that they are to be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// None of the forms.
    #[error(
        "not a trusted key: expected a published key file, sha256: and 64 hex characters, or the issuer's public keys as \
         PEM (Ed25519 and ML-DSA-65)"
    )]
    Form,
    /// A key file that is not in its one spelling.
    #[error("not a key file: it does not follow the format gallra-keys-v1")]
    KeyFile,
}

/// Keys that the caller has from elsewhere than the proof. Several are alternatives.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    pub(crate) anchors: Vec<Anchor>,
}

/// From what the keys of a proof of version 1 are vouched for.
#[derive(Debug, Clone)]
pub(crate) enum Anchor {
    /// The published key file.
    File(Box<KeyFile>),
    /// SHA-256 of the payload of the first manifest.
    Digest(Hex64),
    /// The issuer's two keys, by id, in order.
    Issuer([String; 2]),
}

impl Trust {
    /// Nobody.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads one trusted key in any of its forms.
    ///
    /// # Errors
    /// [`TrustError`]. That a key file's manifests are no chain is found out when a proof is verified.
    pub fn parse(text: &str) -> Result<Self, TrustError> {
        let trimmed = text.trim();
        if trimmed.starts_with('{') {
            let read = form::bounded(text.as_bytes()).and_then(|()| form::line::<KeyFile>(text.as_bytes()));
            let file = read.ok().filter(|file| file.format == KEYS_FORMAT).ok_or(TrustError::KeyFile)?;
            return Ok(Anchor::File(Box::new(file)).into());
        }
        if let Some(digest) = trimmed.strip_prefix("sha256:") {
            let digest = Hex64::try_from(digest.to_owned()).map_err(|_| TrustError::Form)?;
            return Ok(Anchor::Digest(digest).into());
        }
        let mut ids: Vec<(bool, String)> = pem(trimmed)
            .ok_or(TrustError::Form)?
            .iter()
            .map(|der| Some((PublicKey::from_spki(der)?.ed25519().is_some(), keyid(der))))
            .collect::<Option<_>>()
            .ok_or(TrustError::Form)?;
        ids.sort_by(|one, next| one.1.cmp(&next.1));
        match ids.as_slice() {
            [(one, first), (next, second)] if one != next => Ok(Anchor::Issuer([first.clone(), second.clone()]).into()),
            _ => Err(TrustError::Form),
        }
    }

    /// This one, or the other one.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        self.anchors.extend(other.anchors);
        self
    }
}

impl From<Anchor> for Trust {
    fn from(anchor: Anchor) -> Self {
        Self { anchors: vec![anchor] }
    }
}

impl FromIterator<Self> for Trust {
    fn from_iter<I: IntoIterator<Item = Self>>(all: I) -> Self {
        all.into_iter().fold(Self::none(), Self::or)
    }
}

/// The DER of each block of a PEM text of public keys; nothing where there is anything else in it.
fn pem(text: &str) -> Option<Vec<Vec<u8>>> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (body, after) = rest.strip_prefix("-----BEGIN PUBLIC KEY-----")?.split_once("-----END PUBLIC KEY-----")?;
        let base64: String = body.split_ascii_whitespace().collect();
        blocks.push(STANDARD.decode(base64).ok()?);
        rest = after.trim_start();
    }
    Some(blocks)
}
