//! Log successions on the side of those who make and take them (`docs/formats/keys-v1.md`, section 6): the statement's bytes,
//! whether it fits the key manifests before and after it, and whether enough root holders signed it. Refuses to know what a
//! checkpoint is and where the log's tree lies: whoever takes a succession looks at both.

use std::collections::BTreeSet;

use gallra_model::envelope::Envelope;
use gallra_model::manifest::{Algorithm, KeyRole, Manifest, Succession};
use gallra_model::statement::{PAYLOAD_TYPE, Subject, Type};

use crate::issuer;
use crate::manifest::{self, Checker, ManifestError};
use crate::payload::{self, Opened, PayloadError};

/// Why a succession is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SuccessionError {
    /// No succession, or not in canonical form.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// It is of another log, or leads to another one than the manifest.
    #[error("the log succession {0}")]
    Fit(String),
    /// Who signed it: the same rules as for manifests.
    #[error("of the log succession: {0}")]
    Signed(ManifestError),
}

/// The canonical bytes: what root holders sign. Its subject is the key of the log that goes on.
///
/// # Errors
/// [`PayloadError`]; never in practice.
pub fn bytes(succession: &Succession) -> Result<Vec<u8>, PayloadError> {
    issuer::payload(Type::LogSuccession, vec![Subject::new("key-1", succession.key)], succession)
}

/// Reads a succession by itself; signatures are not looked at.
///
/// # Errors
/// [`SuccessionError`].
pub fn read(envelope: &Envelope) -> Result<Opened<Succession>, SuccessionError> {
    let form = || SuccessionError::Payload(PayloadError::Form("log succession"));
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(form());
    }
    let opened: Opened<Succession> = payload::read("log succession", envelope)?;
    let about = [Subject::new("key-1", opened.predicate.key)];
    if opened.kind != Type::LogSuccession || opened.subject != about {
        return Err(form());
    }
    Ok(opened)
}

/// Whether it leads from the log of the newest manifest to the log of the next one. A name or a key of a log is never used twice:
/// a checkpoint under it could be of either.
///
/// # Errors
/// [`SuccessionError::Fit`] says what does not.
pub fn leads(succession: &Succession, before: &Manifest, next: &Manifest) -> Result<(), SuccessionError> {
    let wrong = |why: String| Err(SuccessionError::Fit(why));
    if succession.ended != before.log.origin {
        return wrong(format!("ends the log {}, and the one in force is {}", succession.ended, before.log.origin));
    }
    if (&succession.origin, succession.key) != (&next.log.origin, next.log.key) {
        return wrong(format!(
            "leads to the log {} under {}, and the manifest names {} under {}",
            succession.origin, succession.key, next.log.origin, next.log.key
        ));
    }
    if succession.origin == succession.ended {
        return wrong("gives the new log the name of the one that ended: take another origin".to_owned());
    }
    let old = |key: &gallra_model::manifest::ManifestKey| key.keyid == before.log.key;
    if succession.key == before.log.key || next.keys.iter().any(old) {
        return wrong(
            "goes with a manifest that still lists the ended log's key: leave it out, and name another".to_owned(),
        );
    }
    let is = |key: &gallra_model::manifest::ManifestKey| {
        key.keyid == succession.key && key.role == KeyRole::Log && key.algorithm == Algorithm::Ed25519
    };
    if !next.keys.iter().any(is) {
        return wrong("names a key that the manifest does not list as a log's".to_owned());
    }
    Ok(())
}

/// Checks all signatures: holders of the newest manifest alone, and as many of them as it asks for.
///
/// # Errors
/// [`SuccessionError::Signed`].
pub fn signed(envelope: &Envelope, before: &Manifest, checker: Checker) -> Result<(), SuccessionError> {
    manifest::signed(envelope, before, None, checker).map_err(SuccessionError::Signed)
}

/// The names of the holders that have signed it with both keys.
///
/// # Errors
/// [`SuccessionError::Signed`] for a signature by nobody, or that does not check.
pub fn signers<'m>(
    envelope: &Envelope,
    before: &'m Manifest,
    checker: Checker,
) -> Result<BTreeSet<&'m str>, SuccessionError> {
    let good = manifest::good_signatures(envelope, before, None, checker).map_err(SuccessionError::Signed)?;
    Ok(manifest::signers(before, &good).into_iter().map(|holder| holder.name.as_str()).collect())
}
