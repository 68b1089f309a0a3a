//! Taking a new key manifest, and with it other issuer keys, while requests go on (`docs/formats/keys-v1.md`, section 2).
//!
//! Whatever is entered expects that none of its signers has ended. So the keys that sign are ended first; then all that they
//! signed is given its place; then the manifest is stored with its entry before all else that waits; then those sign that it lists.
//! A crash before the manifest is stored changes nothing: at the next start the keys that the newest one lists sign on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_identity::ml_dsa_verifies;
use gallra_log::note::Key;
use gallra_model::envelope::Envelope;
use gallra_model::manifest::{KeyRole, Manifest, Witness};
use gallra_model::proof::ManifestRef;
use gallra_model::statement::Type;
use gallra_model::{Digest, Instant};
use gallra_proof::issuer::Issuer;
use gallra_proof::manifest::{self, ManifestError};
use gallra_proof::payload::Opened;
use gallra_proof::register;
use gallra_store::{Expect, Store, Txn, keys};

use crate::asked::digest_of;
use crate::core::Core;
use crate::entered::{Turn, enter};
use crate::error::{CoreError, encode};

/// A manifest that is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submitted {
    /// It.
    pub manifest: ManifestRef,
    /// Its position in the log; none while the log has not entered it.
    pub index: Option<u64>,
    /// Whether other issuer keys sign from it on.
    pub issuer_changed: bool,
}

pub(crate) fn refused(error: &ManifestError) -> CoreError {
    match error {
        ManifestError::Chain { .. } | ManifestError::Few { .. } => CoreError::Precondition(error.to_string()),
        ManifestError::Payload(_) | ManifestError::Shape(_) | ManifestError::Key(..) | ManifestError::Signature(..) => {
            CoreError::Invalid(error.to_string())
        }
    }
}

impl Core {
    /// Stores and enters the next key manifest. The newest one, sent again, is answered as it stands.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] for what is no manifest or wrongly signed; [`CoreError::Precondition`] where it is not the next one, has
    /// too few holders' signatures, leaves out what signs here, or where the log takes no entries now. Nothing has changed then.
    pub async fn submit_manifest(&self, envelope: &Envelope, by: &str) -> Result<Submitted, CoreError> {
        let _alone = self.signing.changing().await;
        let manifests = self.manifests().await?;
        let newest = manifests.last().ok_or(CoreError::NotFound("key manifest"))?;
        let before = manifest::read(newest).map_err(|error| refused(&error))?;
        if envelope == newest {
            let stands = ManifestRef { version: before.predicate.version, digest: before.digest };
            return self.submitted(envelope, stands, false).await;
        }
        let next = manifest::follows(envelope, &before).map_err(|error| refused(&error))?;
        manifest::signed(envelope, &next.predicate, Some(&before.predicate), ml_dsa_verifies)
            .map_err(|error| refused(&error))?;
        keeps_the_log(&next.predicate, &before.predicate)?;
        reads_others(&next.predicate)?;
        let issuer = self.issuer.under(&next.predicate)?;
        let signing = self.issuer.keyids();
        self.freeze(&signing).await?;
        let stored = self.store_manifest(envelope, &next, &issuer).await;
        // What failed may be stored all the same: the store says.
        if self.stored_as(next.predicate.version).await? != Some(next.digest) {
            self.thaw(&signing).await?;
            stored?;
            return Err(CoreError::Busy);
        }
        let issuer_changed = issuer.signers().map(|signer| signer.keyid()) != signing;
        let stands = ManifestRef { version: next.predicate.version, digest: next.digest };
        self.issuer.switch(issuer);
        self.signing.moved(stands);
        tracing::info!(version = stands.version, by, issuer_changed, "a key manifest was stored");
        self.submitted(envelope, stands, issuer_changed).await
    }

    async fn submitted(
        &self,
        envelope: &Envelope,
        manifest: ManifestRef,
        issuer_changed: bool,
    ) -> Result<Submitted, CoreError> {
        let index = self.placed(envelope, Type::KeyManifest).await?;
        Ok(Submitted { manifest, index, issuer_changed })
    }

    /// From here on nothing is committed that these keys signed.
    async fn freeze(&self, signing: &[Digest; 2]) -> Result<(), CoreError> {
        let mark = |txn: Txn, id: &Digest| txn.create(keys::key_ended(id), "a key manifest is being entered");
        self.store.commit(signing.iter().fold(Txn::new(), mark)).await?;
        Ok(())
    }

    async fn thaw(&self, signing: &[Digest; 2]) -> Result<(), CoreError> {
        let txn = signing.iter().fold(Txn::new(), |txn, id| txn.delete(keys::key_ended(id)));
        self.store.commit(txn).await?;
        Ok(())
    }

    async fn stored_as(&self, version: u32) -> Result<Option<Digest>, CoreError> {
        let envelopes = self.manifests().await?;
        let at = usize::try_from(version.saturating_sub(1)).unwrap_or(usize::MAX);
        envelopes.get(at).map(digest_of).transpose()
    }

    async fn store_manifest(
        &self,
        envelope: &Envelope,
        next: &Opened<Manifest>,
        issuer: &Issuer,
    ) -> Result<(), CoreError> {
        self.drained().await?;
        self.keeps_who_signs(&next.predicate).await?;
        let signing = self.issuer.keyids();
        let mut txn = Txn::new().create(keys::key_manifest(next.predicate.version), encode(envelope)?);
        for id in issuer.signers().map(|signer| signer.keyid()) {
            let ended = keys::key_ended(&id);
            txn = if signing.contains(&id) { txn.delete(ended) } else { txn.expect(ended, Expect::Absent) };
        }
        // Another coordinator that starts meanwhile takes the marks for a crash's: then what the keys signed since has no place yet.
        txn = signing.iter().fold(txn, |txn, id| txn.expect(keys::key_ended(id), Expect::Present));
        // Before all else that waits: what is signed from here on counts only after it.
        let txn = enter(txn, envelope, Type::KeyManifest, None, Turn::first(Instant::UNIX_EPOCH))?;
        self.store.commit(txn).await?;
        Ok(())
    }

    /// No key changes what it is for, no agent's key that signs is left out, and no other one is let in.
    pub(crate) async fn keeps_who_signs(&self, next: &Manifest) -> Result<(), CoreError> {
        let known = self.known_keys().await?;
        for key in &next.keys {
            let id = key.keyid;
            match known.get(&id) {
                Some(known) if known.key != *key => {
                    let why = format!("the key {id} was listed or enrolled with another role, actor or algorithm");
                    return Err(CoreError::Invalid(why));
                }
                None if key.role == KeyRole::Agent => {
                    let why = format!("the manifest lists an agent's key that never joined here: {id}");
                    return Err(CoreError::Precondition(why));
                }
                _ => {}
            }
        }
        let listed = |id: &Digest| next.keys.iter().any(|key| key.keyid == *id);
        if let Some(agent) = register::agents(&known).find(|key| !listed(&key.keyid)) {
            let name = agent.actor.as_ref().map(ToString::to_string).unwrap_or_default();
            return Err(CoreError::Precondition(format!(
                "the manifest leaves out the key of agent {name}: make it again from the newest key file, or revoke that key \
                 first with `gallra key revoke {}`",
                agent.keyid
            )));
        }
        Ok(())
    }
}

/// What the manifest says of others can be used: witnesses and time stamping authorities.
pub(crate) fn reads_others(next: &Manifest) -> Result<(), CoreError> {
    has_witnesses(next)?;
    has_authorities(next)
}

/// Another log, or another key of it, is a succession and not a manifest alone.
fn keeps_the_log(next: &Manifest, before: &Manifest) -> Result<(), CoreError> {
    if next.log == before.log {
        return Ok(());
    }
    Err(CoreError::Precondition(
        "the manifest names another log, or another key of it: a log goes on under its key only; where it cannot, root \
         holders sign a log succession (`gallra log succession`) and `gallra-coordinator log succeed` takes both"
            .into(),
    ))
}

/// Witnesses' keys are what cosignatures can be checked with, and nobody is two of them.
fn has_witnesses(next: &Manifest) -> Result<(), CoreError> {
    for (number, witness) in next.witnesses.iter().enumerate() {
        let wrong = |why: &dyn std::fmt::Display| CoreError::Invalid(format!("witness {}: {why}", witness.name));
        witness.key.parse::<Key>().map_err(|error| wrong(&error))?;
        let twice = |other: &Witness| other.name == witness.name || other.key == witness.key;
        if next.witnesses.iter().skip(number + 1).any(twice) {
            return Err(wrong(&"stands there twice"));
        }
    }
    Ok(())
}

/// Time stamping authorities' roots are certificates: one that cannot be read would refuse every time stamp.
fn has_authorities(next: &Manifest) -> Result<(), CoreError> {
    for authority in &next.authorities {
        let der = STANDARD.decode(&authority.certificate).ok();
        if !der.is_some_and(|der| gallra_verify::timestamp::is_root(&der)) {
            let name = &authority.name;
            return Err(CoreError::Invalid(format!(
                "time stamping authority {name}: no certificate that readers of proofs can check time stamps with"
            )));
        }
    }
    Ok(())
}

/// Ends what a crash in the middle of [`Core::submit_manifest`] left: the keys of the newest manifest sign.
pub(super) async fn thaw_at_start(store: &dyn Store, signing: [Digest; 2]) -> Result<(), CoreError> {
    for id in signing {
        let at = keys::key_ended(&id);
        if store.get(&at).await?.is_some() {
            store.commit(Txn::new().delete(at)).await?;
        }
    }
    Ok(())
}
