//! The issuer's keys of this coordinator: which of those in its directory sign is what the newest key manifest says. So a change of
//! keys is one commit of the store, and no file is renamed. Refuses to sign with a key that the manifest does not list.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use gallra_identity::MlDsaKey;
use gallra_model::Digest;
use gallra_model::envelope::Envelope;
use gallra_model::manifest::{KeyRole, Manifest};
use gallra_model::statement::{Subject, Type};
use gallra_proof::issuer::{Issuer, Signer as _};
use gallra_proof::key::SigningKey;
use gallra_proof::payload::PayloadError;
use gallra_proof::subject::Identifier;
use serde::Serialize;

use crate::error::CoreError;

/// Key files begin with this.
const PREFIX: &str = "issuer";
/// Ed25519 ones end with this.
const SUFFIX: &str = ".key";
/// ML-DSA-65 ones end with this.
const ML_DSA_SUFFIX: &str = "-ml-dsa.key";

/// The issuer's keys that sign now, and where others are.
pub struct Issuers {
    folder: PathBuf,
    now: RwLock<Arc<Issuer>>,
}

impl Issuers {
    /// The keys in a directory that a manifest lists.
    ///
    /// # Errors
    /// [`CoreError::Precondition`] where there are none; names a file that cannot be read.
    pub fn open(folder: &Path, manifest: &Manifest) -> Result<Self, CoreError> {
        let now = find(folder, manifest, &[])?;
        Ok(Self { folder: folder.to_owned(), now: RwLock::new(Arc::new(now)) })
    }

    /// The keys that sign now.
    pub fn now(&self) -> Arc<Issuer> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Their ids.
    pub(crate) fn keyids(&self) -> [Digest; 2] {
        self.now().signers().map(|signer| signer.keyid())
    }

    /// As [`Issuer::sign`], with the keys that sign now. Where they are changed before what they signed is committed, the
    /// commit fails: `entered` expects that no signer has ended.
    ///
    /// # Errors
    /// As [`Issuer::sign`].
    pub fn sign<P: Serialize>(
        &self,
        kind: Type,
        about: Vec<Subject>,
        predicate: P,
        identifiers: &[Identifier],
    ) -> Result<Envelope, PayloadError> {
        self.now().sign(kind, about, predicate, identifiers)
    }

    /// The keys that would sign under another manifest: those that sign now as far as it lists them.
    pub(crate) fn under(&self, manifest: &Manifest) -> Result<Issuer, CoreError> {
        find(&self.folder, manifest, &self.keyids())
    }

    /// Others sign from now on.
    pub(crate) fn switch(&self, issuer: Issuer) {
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(issuer);
    }
}

/// One key of each algorithm that the manifest lists as the issuer's; of several, one of those that are preferred, or else the
/// first by file name.
fn find(folder: &Path, manifest: &Manifest, preferred: &[Digest]) -> Result<Issuer, CoreError> {
    let listed = |id: Digest| manifest.keys.iter().any(|key| key.keyid == id && key.role == KeyRole::Issuer);
    let (mut ed25519, mut ml_dsa): (Vec<SigningKey>, Vec<MlDsaKey>) = (Vec::new(), Vec::new());
    for name in names(folder)? {
        let text = std::fs::read_to_string(folder.join(&name)).map_err(|error| unreadable(&name, &error))?;
        if name.ends_with(ML_DSA_SUFFIX) {
            ml_dsa.push(MlDsaKey::from_pem(&text).map_err(|error| unreadable(&name, &error))?);
        } else {
            ed25519.push(SigningKey::from_pem(&text).map_err(|error| unreadable(&name, &error))?);
        }
    }
    ed25519.retain(|key| listed(key.keyid()));
    ml_dsa.retain(|key| listed(key.keyid()));
    ed25519.sort_by_key(|key| !preferred.contains(&key.keyid()));
    ml_dsa.sort_by_key(|key| !preferred.contains(&key.keyid()));
    match (ed25519.into_iter().next(), ml_dsa.into_iter().next()) {
        (Some(ed25519), Some(ml_dsa)) => Ok(Issuer::new(ed25519, Box::new(ml_dsa))),
        (ed25519, _) => Err(CoreError::Precondition(format!(
            "the coordinator's directory has no {} that key manifest {} lists as the issuer's: put the pair of `gallra key \
             create --for issuer` there as {PREFIX}-NAME{SUFFIX} and {PREFIX}-NAME{ML_DSA_SUFFIX}",
            if ed25519.is_none() { "Ed25519 key" } else { "ML-DSA-65 key" },
            manifest.version
        ))),
    }
}

/// The issuer's key files, by name.
fn names(folder: &Path) -> Result<Vec<String>, CoreError> {
    let read = |error: std::io::Error| unreadable("the coordinator's directory", &error);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let name = entry.map_err(read)?.file_name();
        let name = name.to_str().filter(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        names.extend(name.map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

fn unreadable(name: &str, error: &dyn std::fmt::Display) -> CoreError {
    CoreError::Precondition(format!("{name}: {error}"))
}
