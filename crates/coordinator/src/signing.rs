//! Which keys may sign what, as the coordinator knows it: key manifests and key events in the store (`docs/formats/keys-v1.md`).
//! Owns the first manifest, what enters the log of keys, and the published key file; refuses to hold root keys: they are
//! people's. Who may sign at which position of the log is the verifier's to work out.

mod ended;
mod issuers;
pub(crate) mod submit;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::RwLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_model::envelope::Envelope;
use gallra_model::manifest::{
    Algorithm, Entered, Holder, IssuerName, KEYS_FORMAT, KeyEvent, KeyFile, KeyRole, LogName, Manifest, ManifestKey,
    TimeAuthority,
};
use gallra_model::proof::ManifestRef;
use gallra_model::statement::{Subject, Type};
use gallra_model::{AgentName, Clock, Digest, Instant};
use gallra_proof::issuer::Signer;
use gallra_proof::key::VerifyingKey;
use gallra_proof::payload::{self, Opened};
use gallra_proof::register::{self, Known, Said};
use gallra_store::{Expect, Store, Txn, keys};
use jiff::SignedDuration;

pub use ended::{Ended, Ending};
pub use issuers::Issuers;
pub use submit::Submitted;

use crate::asked::{crypto, digest_of};
use crate::core::Core;
use crate::entered::{Turn, enter, entry_of};
use crate::error::{CoreError, decode, encode};
use crate::ledger::Ledger;
use crate::state;

/// What of the keys is asked for all the time.
#[derive(Debug)]
pub struct Signing {
    newest: RwLock<ManifestRef>,
    /// Held while keys are changed.
    changing: tokio::sync::Mutex<()>,
}

impl Signing {
    /// Reads it from the store, and the issuer's keys that the newest manifest lists from a directory.
    ///
    /// # Errors
    /// [`CoreError::Precondition`] where there is no key manifest, or not its keys; the store's.
    pub async fn load(store: &dyn Store, folder: &Path) -> Result<(Self, Issuers), CoreError> {
        let manifests: Vec<Envelope> = state::all(store, &keys::key_manifests(), "key manifest").await?;
        let newest = manifests.last().ok_or_else(|| {
            CoreError::Precondition("the store has no key manifest: make a new coordinator with `init`".into())
        })?;
        let opened: Opened<Manifest> = payload::read("key manifest", newest).map_err(crypto)?;
        let issuers = Issuers::open(folder, &opened.predicate)?;
        submit::thaw_at_start(store, issuers.keyids()).await?;
        let newest = ManifestRef { version: opened.predicate.version, digest: opened.digest };
        Ok((Self { newest: RwLock::new(newest), changing: tokio::sync::Mutex::default() }, issuers))
    }

    /// The newest manifest.
    pub fn newest(&self) -> ManifestRef {
        *self.newest.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Held by whoever changes keys: two at once would meet each other's marks.
    pub(crate) async fn changing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    /// Waits while keys are changed. Gives whether they were.
    pub(crate) async fn settled(&self) -> bool {
        let was_changing = self.changing.try_lock().is_err();
        if was_changing {
            drop(self.changing.lock().await);
        }
        was_changing
    }

    /// A newer one is stored.
    pub(crate) fn moved(&self, newest: ManifestRef) {
        *self.newest.write().unwrap_or_else(std::sync::PoisonError::into_inner) = newest;
    }
}

/// A key as a manifest lists it.
pub fn listed_key(signer: &dyn Signer, role: KeyRole) -> ManifestKey {
    public(&signer.spki(), signer.algorithm(), role)
}

/// A public key as a manifest lists it.
pub fn public(spki: &[u8], algorithm: Algorithm, role: KeyRole) -> ManifestKey {
    ManifestKey { keyid: Digest::of(spki), algorithm, role, actor: None, spki: STANDARD.encode(spki) }
}

/// Somebody who holds a root key of each algorithm.
pub struct RootHolder<'a> {
    /// A role in the organisation.
    pub name: String,
    /// One key.
    pub ed25519: &'a dyn Signer,
    /// The other.
    pub ml_dsa: &'a dyn Signer,
}

/// What the first manifest says.
pub struct First<'a> {
    /// Whose it is.
    pub issuer: IssuerName,
    /// The log's name.
    pub origin: String,
    /// The log's public key.
    pub log: ManifestKey,
    /// The issuer's keys.
    pub signers: [&'a dyn Signer; 2],
    /// Who stamps times.
    pub authorities: Vec<TimeAuthority>,
    /// The root holders; all of them sign, and all are needed later.
    pub holders: Vec<RootHolder<'a>>,
    /// When, and on which clock.
    pub made: (Instant, Clock),
}

/// The first manifest, signed by its holders, and the transaction that stores and enters it.
///
/// # Errors
/// The keys'.
pub fn first(first: &First<'_>, txn: Txn) -> Result<(Envelope, Txn), CoreError> {
    let mut listed: Vec<ManifestKey> = first.signers.iter().map(|key| listed_key(*key, KeyRole::Issuer)).collect();
    listed.push(first.log.clone());
    for holder in &first.holders {
        listed.push(listed_key(holder.ed25519, KeyRole::Root));
        listed.push(listed_key(holder.ml_dsa, KeyRole::Root));
    }
    listed.sort_by_key(|key| key.keyid);
    let holder = |holder: &RootHolder<'_>| Holder {
        name: holder.name.clone(),
        ed25519: holder.ed25519.keyid(),
        ml_dsa_65: holder.ml_dsa.keyid(),
    };
    let manifest = Manifest {
        version: 1,
        parent: None,
        issuer: first.issuer.clone(),
        log: LogName { origin: first.origin.clone(), key: first.log.keyid },
        threshold: u32::try_from(first.holders.len()).map_err(crypto)?,
        holders: first.holders.iter().map(holder).collect(),
        keys: listed,
        witnesses: Vec::new(),
        authorities: first.authorities.clone(),
        made: first.made.0,
        clock: first.made.1,
    };
    let signers: Vec<&dyn Signer> = first.holders.iter().flat_map(|one| [one.ed25519, one.ml_dsa]).collect();
    let envelope = sign_manifest(&manifest, &signers)?;
    let txn = txn.create(keys::key_manifest(1), encode(&envelope)?);
    // Before everything else, whatever clock the coordinator is served under.
    let txn = enter(txn, &envelope, Type::KeyManifest, None, Turn::first(Instant::UNIX_EPOCH))?;
    Ok((envelope, txn))
}

fn written(manifests: Vec<Entered>, mut events: Vec<Entered>) -> Result<Vec<u8>, CoreError> {
    events.sort_by_key(|entered| entered.index);
    let file = KeyFile { format: KEYS_FORMAT.to_owned(), manifests, events };
    let mut bytes = encode(&file)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Signs a manifest with root keys.
///
/// # Errors
/// The keys'.
pub fn sign_manifest(manifest: &Manifest, signers: &[&dyn Signer]) -> Result<Envelope, CoreError> {
    let bytes = gallra_proof::manifest::bytes(manifest).map_err(crypto)?;
    gallra_proof::manifest::sign(&gallra_proof::manifest::unsigned(&bytes), signers).map_err(crypto)
}

impl Core {
    /// Says something of a key, in the caller's transaction. It is entered before all else that waits but manifests: what the key
    /// signs counts only after it.
    ///
    /// # Errors
    /// The keys'; the store's.
    pub(crate) async fn say_of_key(&self, txn: Txn, event: &KeyEvent, now: Instant) -> Result<Txn, CoreError> {
        let subject = vec![Subject::new("key-1", event.keyid())];
        let envelope = self.issuer.sign(Type::KeyEvent, subject, event, &[]).map_err(crypto)?;
        let mut places = 0;
        let mut at = keys::key_event(now, &event.keyid());
        // Two words on one key in one instant keep their order.
        while self.store.get(&at).await?.is_some() {
            places += 1;
            let later = now.checked_add(SignedDuration::from_millis(places)).map_err(crypto)?;
            at = keys::key_event(later, &event.keyid());
        }
        let txn = txn.expect(at.clone(), Expect::Absent).put(at, encode(&envelope)?);
        enter(txn, &envelope, Type::KeyEvent, None, Turn::after(Instant::UNIX_EPOCH, 1 + places))
    }

    /// Signs with what the newest manifest lists, where another replica took that in.
    ///
    /// # Errors
    /// [`CoreError::Precondition`] where its keys are not in this replica's directory; the store's.
    pub(crate) async fn follow_manifests(&self) -> Result<(), CoreError> {
        let _alone = self.signing.changing().await;
        let manifests = self.manifests().await?;
        let newest = manifests.last().ok_or(CoreError::NotFound("key manifest"))?;
        let opened: Opened<Manifest> = payload::read("key manifest", newest).map_err(crypto)?;
        if opened.predicate.version > self.signing.newest().version {
            self.issuer.switch(self.issuer.under(&opened.predicate)?);
            self.signing.moved(ManifestRef { version: opened.predicate.version, digest: opened.digest });
        }
        Ok(())
    }

    /// Whether other keys sign than those that signed this, or keys were changed just now: then it is to be made again.
    pub(crate) async fn is_overtaken(&self, envelope: &Envelope) -> bool {
        let changed = self.signing.settled().await;
        let now = self.issuer.keyids().map(|id| id.to_string());
        changed || !envelope.signatures.iter().all(|signature| now.contains(&signature.keyid))
    }

    /// That an agent's evidence key may sign from now on.
    pub(crate) fn enrolled(&self, agent: &AgentName, key: &VerifyingKey, at: Instant) -> KeyEvent {
        let spki = key.to_spki();
        KeyEvent::Enrolled {
            keyid: Digest::of(&spki),
            at,
            clock: self.time.kind(),
            role: KeyRole::Agent,
            actor: agent.clone(),
            algorithm: Algorithm::Ed25519,
            spki: STANDARD.encode(spki),
        }
    }

    /// Key manifests, by version.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn manifests(&self) -> Result<Vec<Envelope>, CoreError> {
        state::all(&*self.store, &keys::key_manifests(), "key manifest").await
    }

    /// Key events, oldest first.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn key_events(&self) -> Result<Vec<Envelope>, CoreError> {
        state::all(&*self.store, &keys::key_events(), "key event").await
    }

    /// Key events with what they say, oldest first.
    pub(crate) async fn opened_events(&self) -> Result<Vec<(Envelope, KeyEvent)>, CoreError> {
        let open = |envelope: Envelope| {
            let opened: Opened<KeyEvent> = payload::read("key event", &envelope).map_err(crypto)?;
            Ok((envelope, opened.predicate))
        };
        self.key_events().await?.into_iter().map(open).collect()
    }

    /// All keys that manifests and events name, by id, and what became of each.
    ///
    /// # Errors
    /// The store's.
    pub async fn known_keys(&self) -> Result<BTreeMap<Digest, Known>, CoreError> {
        let (mut manifests, mut events) = (Vec::new(), Vec::new());
        for envelope in self.manifests().await? {
            let opened: Opened<Manifest> = payload::read("key manifest", &envelope).map_err(crypto)?;
            manifests.push((self.position_of(&envelope, Type::KeyManifest).await?, opened.predicate));
        }
        for (envelope, event) in self.opened_events().await? {
            events.push((self.position_of(&envelope, Type::KeyEvent).await?, event));
        }
        let said = manifests.iter().map(|(index, manifest)| (*index, Said::Manifest(manifest)));
        let said = said.chain(events.iter().map(|(index, event)| (*index, Said::Event(event)))).collect();
        register::known(said).map_err(|id| CoreError::Unreadable {
            what: "key",
            why: format!("{id} is listed with two roles, actors or algorithms"),
        })
    }

    /// Whether a manifest or an event names a key, whatever became of it. Unlike [`Core::known_keys`] it does not ask where each
    /// stands in the log: it is asked at each enrolment, when there may be ten thousand.
    pub(crate) async fn names_key(&self, keyid: &Digest) -> Result<bool, CoreError> {
        for envelope in self.manifests().await? {
            let opened: Opened<Manifest> = payload::read("key manifest", &envelope).map_err(crypto)?;
            if opened.predicate.keys.iter().any(|key| key.keyid == *keyid) {
                return Ok(true);
            }
        }
        let enrolled = |event: &KeyEvent| matches!(event, KeyEvent::Enrolled { keyid: named, .. } if named == keyid);
        Ok(self.opened_events().await?.iter().any(|(_, event)| enrolled(event)))
    }

    pub(crate) async fn position_of(&self, envelope: &Envelope, kind: Type) -> Result<Option<u64>, CoreError> {
        self.ledger.position(&entry_of(envelope, kind, None, None)?.leaf()).await
    }

    /// The published key file: one line of canonical JSON.
    ///
    /// # Errors
    /// [`CoreError::Precondition`] while something of it has no place in the log yet; the store's.
    pub async fn key_file(&self) -> Result<Vec<u8>, CoreError> {
        let manifests = self.entered_all(self.manifests().await?, Type::KeyManifest).await?;
        let events = self.entered_all(self.key_events().await?, Type::KeyEvent).await?;
        written(manifests, events)
    }

    /// The key file of one log, with what it has of keys: what a reader of proofs out of a log that ended needs.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn key_file_of(&self, ledger: &Ledger) -> Result<Vec<u8>, CoreError> {
        let good = ledger.checkpoint().map_or(0, |signed| signed.size);
        let mut both = [Vec::new(), Vec::new()];
        let all = [(self.manifests().await?, Type::KeyManifest), (self.key_events().await?, Type::KeyEvent)];
        for ((envelopes, kind), entered) in all.into_iter().zip(&mut both) {
            for envelope in envelopes {
                let index = ledger.position(&entry_of(&envelope, kind, None, None)?.leaf()).await?;
                entered.extend(index.filter(|index| *index < good).map(|index| Entered { index, envelope }));
            }
        }
        let [manifests, events] = both;
        written(manifests, events)
    }

    async fn entered_all(&self, envelopes: Vec<Envelope>, kind: Type) -> Result<Vec<Entered>, CoreError> {
        let mut all = Vec::with_capacity(envelopes.len());
        for envelope in envelopes {
            let index = self.position_of(&envelope, kind).await?.ok_or_else(|| {
                CoreError::Precondition("the log has not entered all keys yet: ask again in a moment".into())
            })?;
            all.push(Entered { index, envelope });
        }
        Ok(all)
    }

    /// The trust anchor.
    ///
    /// # Errors
    /// The store's.
    pub async fn anchor(&self) -> Result<Digest, CoreError> {
        let entry = self.store.get(&keys::key_manifest(1)).await?.ok_or(CoreError::NotFound("key manifest"))?;
        digest_of(&decode::<Envelope>("key manifest", &entry.value)?)
    }
}
