//! Key manifests on the side of those who make and take them (`docs/formats/keys-v1.md`, section 2): whether one follows from
//! the one before, who of its holders signed it, and signing it. The verifier reads the same page for itself. Refuses to know
//! where keys are, and how ML-DSA is computed: a [`Checker`] comes in.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_model::Digest;
use gallra_model::envelope::Envelope;
use gallra_model::manifest::{Algorithm, Holder, KeyRole, Manifest, ManifestKey};
use gallra_model::statement::{PAYLOAD_TYPE, Subject, Type};

use crate::dsse;
use crate::issuer::{self, SignError, Signer};
use crate::key::VerifyingKey;
use crate::payload::{self, Opened, PayloadError};

/// Checks what this crate does not compute: whether an ML-DSA-65 key (DER SubjectPublicKeyInfo) signed an encoding.
pub type Checker = fn(spki: &[u8], pae: &[u8], signature: &[u8]) -> bool;

/// Why a manifest is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// No manifest, or not in canonical form.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// It does not follow from the one before.
    #[error(
        "the manifest is version {found} of parent {parent}, and the next one is version {next} of parent {newest}"
    )]
    Chain {
        /// Its own.
        found: u32,
        /// Its own, `none` where it has none.
        parent: String,
        /// The version that is next.
        next: u32,
        /// The payload's digest of the newest.
        newest: String,
    },
    /// What it lists cannot be.
    #[error("the manifest {0}")]
    Shape(&'static str),
    /// A key that is listed with another role, actor or algorithm than before, or is not usable.
    #[error("the key {0} of the manifest {1}")]
    Key(Digest, &'static str),
    /// Somebody signed who may not, or a signature that does not check.
    #[error("the manifest's signature by {0} {1}")]
    Signature(String, &'static str),
    /// Too few holders.
    #[error("{good} of {needed} root holders of version {version} have signed with both keys")]
    Few {
        /// How many did.
        good: usize,
        /// How many are needed.
        needed: u32,
        /// Whose holders.
        version: u32,
    },
}

/// The canonical bytes of a manifest as a statement: what its holders sign. Its subjects are the keys that it lists.
///
/// # Errors
/// [`PayloadError`]; never in practice.
pub fn bytes(manifest: &Manifest) -> Result<Vec<u8>, PayloadError> {
    let subject =
        (1..).zip(&manifest.keys).map(|(number, key)| Subject::new(format!("key-{number}"), key.keyid)).collect();
    issuer::payload(Type::KeyManifest, subject, manifest)
}

/// An envelope that nobody has signed yet.
pub fn unsigned(payload: &[u8]) -> Envelope {
    Envelope { payload_type: PAYLOAD_TYPE.to_owned(), payload: STANDARD.encode(payload), signatures: Vec::new() }
}

/// Adds one holder's two signatures. The same key never stands twice; signatures stand by key id.
///
/// # Errors
/// [`SignError`] where the key's holder does not sign; [`PayloadError`] where the payload is no base64.
pub fn sign(envelope: &Envelope, signers: &[&dyn Signer]) -> Result<Envelope, PayloadError> {
    let mut signed = issuer::envelope(&dsse::payload(envelope)?, signers)?;
    let new: BTreeSet<String> = signed.signatures.iter().map(|signature| signature.keyid.clone()).collect();
    signed.signatures.extend(envelope.signatures.iter().filter(|old| !new.contains(&old.keyid)).cloned());
    signed.signatures.sort_by(|one, other| one.keyid.cmp(&other.keyid));
    Ok(signed)
}

/// Reads a manifest, and sees that it is one by itself; signatures are not looked at.
///
/// # Errors
/// [`ManifestError`].
pub fn read(envelope: &Envelope) -> Result<Opened<Manifest>, ManifestError> {
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(ManifestError::Payload(PayloadError::Form("key manifest")));
    }
    let opened: Opened<Manifest> = payload::read("key manifest", envelope)?;
    if opened.kind != Type::KeyManifest {
        return Err(ManifestError::Payload(PayloadError::Form("key manifest")));
    }
    shaped(&opened)?;
    Ok(opened)
}

/// Reads a manifest that follows from the newest one; signatures are not looked at.
///
/// # Errors
/// [`ManifestError`].
pub fn follows(envelope: &Envelope, before: &Opened<Manifest>) -> Result<Opened<Manifest>, ManifestError> {
    let opened = read(envelope)?;
    let (next, newest) = (before.predicate.version.saturating_add(1), Some(before.digest));
    if opened.predicate.version != next || opened.predicate.parent != newest {
        let parent = opened.predicate.parent.map_or_else(|| "none".to_owned(), |parent| parent.to_string());
        let found = opened.predicate.version;
        return Err(ManifestError::Chain { found, parent, next, newest: before.digest.to_string() });
    }
    for key in &opened.predicate.keys {
        let other = before.predicate.keys.iter().find(|other| other.keyid == key.keyid);
        if other.is_some_and(|other| other != key) {
            return Err(ManifestError::Key(key.keyid, "was listed with another role, actor or algorithm before"));
        }
    }
    Ok(opened)
}

/// Checks all signatures, and that enough holders of both versions signed.
///
/// # Errors
/// [`ManifestError`].
pub fn signed(
    envelope: &Envelope,
    manifest: &Manifest,
    before: Option<&Manifest>,
    checker: Checker,
) -> Result<(), ManifestError> {
    let good = good_signatures(envelope, manifest, before, checker)?;
    for manifest in before.into_iter().chain([manifest]) {
        let count = signers(manifest, &good).len();
        if u32::try_from(count).unwrap_or(u32::MAX) < manifest.threshold {
            let (needed, version) = (manifest.threshold, manifest.version);
            return Err(ManifestError::Few { good: count, needed, version });
        }
    }
    Ok(())
}

/// The keys whose signatures check. All of them are a holder's of one of the two versions.
///
/// # Errors
/// [`ManifestError::Signature`].
pub fn good_signatures(
    envelope: &Envelope,
    manifest: &Manifest,
    before: Option<&Manifest>,
    checker: Checker,
) -> Result<BTreeSet<Digest>, ManifestError> {
    let payload = dsse::payload(envelope).map_err(PayloadError::from)?;
    let pae = dsse::pae(&envelope.payload_type, &payload);
    let mut good = BTreeSet::new();
    for signature in &envelope.signatures {
        let wrong = |why| ManifestError::Signature(signature.keyid.clone(), why);
        let id: Digest = signature.keyid.parse().map_err(|_| wrong("names no key"))?;
        let key = before.into_iter().chain([manifest]).find_map(|manifest| root_key(manifest, &id));
        let key = key.ok_or_else(|| wrong("is by nobody who holds a root key"))?;
        let sig = STANDARD.decode(&signature.sig).map_err(|_| wrong("is no base64"))?;
        if !checks(key, &pae, &sig, checker) {
            return Err(wrong("does not verify"));
        }
        if !good.insert(id) {
            return Err(wrong("stands there twice"));
        }
    }
    Ok(good)
}

/// The holders of a manifest both of whose keys are among these.
pub fn signers<'m>(manifest: &'m Manifest, good: &BTreeSet<Digest>) -> Vec<&'m Holder> {
    let both = |holder: &&Holder| good.contains(&holder.ed25519) && good.contains(&holder.ml_dsa_65);
    manifest.holders.iter().filter(both).collect()
}

fn root_key<'m>(manifest: &'m Manifest, id: &Digest) -> Option<&'m ManifestKey> {
    manifest.holders.iter().find(|holder| holder.ed25519 == *id || holder.ml_dsa_65 == *id)?;
    manifest.keys.iter().find(|key| key.keyid == *id)
}

fn checks(key: &ManifestKey, pae: &[u8], signature: &[u8], checker: Checker) -> bool {
    let Ok(spki) = STANDARD.decode(&key.spki) else { return false };
    match key.algorithm {
        Algorithm::MlDsa65 => checker(&spki, pae, signature),
        Algorithm::Ed25519 => {
            let key = VerifyingKey::from_spki(&spki);
            <[u8; 64]>::try_from(signature).is_ok_and(|signature| key.is_ok_and(|key| key.verifies(pae, &signature)))
        }
    }
}

/// A manifest by itself.
fn shaped(opened: &Opened<Manifest>) -> Result<(), ManifestError> {
    let manifest = &opened.predicate;
    let shape = |why| Err(ManifestError::Shape(why));
    if manifest.version == 0 || (manifest.version == 1) != manifest.parent.is_none() {
        return shape("is no version from 1 on with the parent that it needs");
    }
    if manifest.keys.windows(2).any(|pair| matches!(pair, [one, next] if one.keyid >= next.keyid)) {
        return shape("does not list its keys in order, each once");
    }
    let named: Vec<Subject> =
        (1..).zip(&manifest.keys).map(|(number, key)| Subject::new(format!("key-{number}"), key.keyid)).collect();
    if opened.subject != named {
        return shape("is not about the keys that it lists");
    }
    for key in &manifest.keys {
        usable(key)?;
    }
    let is = |id: &Digest, role, algorithm| {
        manifest.keys.iter().any(|key| key.keyid == *id && key.role == role && key.algorithm == algorithm)
    };
    let held = |holder: &Holder| {
        is(&holder.ed25519, KeyRole::Root, Algorithm::Ed25519)
            && is(&holder.ml_dsa_65, KeyRole::Root, Algorithm::MlDsa65)
    };
    let mut seen = BTreeSet::new();
    let mut keys = manifest.holders.iter().flat_map(|holder| [holder.ed25519, holder.ml_dsa_65]);
    if !manifest.holders.iter().all(held) || !keys.all(|key| seen.insert(key)) {
        return shape("has a root holder without two root keys of its own");
    }
    let holders = u32::try_from(manifest.holders.len()).unwrap_or(u32::MAX);
    if !(1..=holders).contains(&manifest.threshold) {
        return shape("asks for no root holder, or for more than there are");
    }
    if !is(&manifest.log.key, KeyRole::Log, Algorithm::Ed25519) {
        return shape("does not list the log's key");
    }
    Ok(())
}

fn usable(key: &ManifestKey) -> Result<(), ManifestError> {
    let wrong = |why| ManifestError::Key(key.keyid, why);
    let spki = STANDARD.decode(&key.spki).map_err(|_| wrong("is no base64"))?;
    if Digest::of(&spki) != key.keyid {
        return Err(wrong("does not have this id"));
    }
    if key.actor.is_some() != (key.role == KeyRole::Agent) {
        return Err(wrong("has an actor and is no agent's, or the other way round"));
    }
    let found = if VerifyingKey::from_spki(&spki).is_ok() { Algorithm::Ed25519 } else { Algorithm::MlDsa65 };
    let alone = matches!(key.role, KeyRole::Log | KeyRole::Agent) && key.algorithm != Algorithm::Ed25519;
    if found != key.algorithm || alone || found == Algorithm::MlDsa65 && !is_ml_dsa(&spki) {
        return Err(wrong("is not of the algorithm that its role has"));
    }
    Ok(())
}

/// A DER SubjectPublicKeyInfo of an ML-DSA-65 key is this, then the 1952 bytes of the key (RFC 9881 s. 4).
const ML_DSA_PREFIX: [u8; 22] = [
    0x30, 0x82, 0x07, 0xb2, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x12, 0x03, 0x82,
    0x07, 0xa1, 0x00,
];

/// Whether a DER SubjectPublicKeyInfo is of an ML-DSA-65 key.
pub fn is_ml_dsa(spki: &[u8]) -> bool {
    spki.len() == ML_DSA_PREFIX.len() + 1952 && spki.starts_with(&ML_DSA_PREFIX)
}

impl From<SignError> for ManifestError {
    fn from(error: SignError) -> Self {
        Self::Payload(error.into())
    }
}
