//! Keys of fixed seeds, and what is said of them: manifests, key events. ML-DSA signs without randomness here, so that fixed
//! seeds give fixed bytes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_model::manifest::{
    Algorithm, Holder, IssuerName, KeyEvent, KeyRole, LogName, Manifest, ManifestKey, Witness,
};
use gallra_model::statement::Subject;
use gallra_model::{Clock, Digest};
use gallra_proof::issuer::{Issuer, SignError, Signer, tap21};
use gallra_proof::key::{SigningKey, VerifyingKey};
use ml_dsa::MlDsa65;

use super::at;
use super::log::{ORIGIN, witness_key};

/// A DER SubjectPublicKeyInfo of an ML-DSA-65 key is this, then the key (RFC 9881 s. 4).
const ML_DSA_65_PREFIX: [u8; 22] = [
    0x30, 0x82, 0x07, 0xb2, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x12, 0x03, 0x82,
    0x07, 0xa1, 0x00,
];

/// The log's and the witness's keys are of these seeds, the issuer's of 1, the agents' of 2 to 4.
pub(crate) const ISSUER: u8 = 1;
pub(crate) const ROOT: u8 = 11;

/// An ML-DSA-65 key that signs the same bytes with the same signature.
#[derive(Clone)]
pub(crate) struct Deterministic(Arc<Expanded>);

struct Expanded {
    key: ml_dsa::SigningKey<MlDsa65>,
    spki: Vec<u8>,
    /// By message. Stories of one test have most statements in common, and a signature takes as long as all the rest.
    signed: Mutex<BTreeMap<Digest, Vec<u8>>>,
}

impl Deterministic {
    pub(crate) fn from_seed(seed: u8) -> Self {
        static KNOWN: Mutex<BTreeMap<u8, Deterministic>> = Mutex::new(BTreeMap::new());
        let new = || {
            let key = ml_dsa::SigningKey::from_seed(&[seed; 32].into());
            let public = key.expanded_key().verifying_key().encode();
            let spki = [ML_DSA_65_PREFIX.as_slice(), public.as_slice()].concat();
            Self(Arc::new(Expanded { key, spki, signed: Mutex::default() }))
        };
        KNOWN.lock().expect("not poisoned").entry(seed).or_insert_with(new).clone()
    }

    /// Signs a message as it is.
    pub(crate) fn bare(&self, message: &[u8]) -> Vec<u8> {
        let new = || {
            let signature = self.0.key.expanded_key().sign_deterministic(message, &[]).expect("no context");
            signature.encode().to_vec()
        };
        self.0.signed.lock().expect("not poisoned").entry(Digest::of(message)).or_insert_with(new).clone()
    }
}

impl Signer for Deterministic {
    fn algorithm(&self) -> Algorithm {
        Algorithm::MlDsa65
    }

    fn spki(&self) -> Vec<u8> {
        self.0.spki.clone()
    }

    fn sign(&self, pae: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(self.bare(&tap21(pae)))
    }
}

/// A key of each algorithm, of one seed.
pub(crate) struct Pair {
    pub(crate) ed25519: SigningKey,
    pub(crate) ml_dsa: Deterministic,
}

impl Pair {
    pub(crate) fn of(seed: u8) -> Self {
        Self { ed25519: SigningKey::from_seed(&[seed; 32]), ml_dsa: Deterministic::from_seed(seed) }
    }

    pub(crate) fn signers(&self) -> [&dyn Signer; 2] {
        [&self.ed25519, &self.ml_dsa]
    }

    pub(crate) fn issuer(self) -> Issuer {
        Issuer::new(self.ed25519, Box::new(self.ml_dsa))
    }
}

fn listed(key: &dyn Signer, role: KeyRole) -> ManifestKey {
    let spki = key.spki();
    ManifestKey { keyid: Digest::of(&spki), algorithm: key.algorithm(), role, actor: None, spki: STANDARD.encode(spki) }
}

/// A manifest: the issuer of one seed, one root holder of another, the log, a witness of another organisation, and agents.
pub(crate) fn manifest(
    (version, parent): (u32, Option<Digest>),
    issuer: u8,
    root: u8,
    agents: &[(&str, SigningKey)],
) -> Manifest {
    let (issuer, root, log) = (Pair::of(issuer), Pair::of(root), SigningKey::from_seed(&super::log::LOG_SEED));
    let mut keys: Vec<ManifestKey> = issuer.signers().map(|key| listed(key, KeyRole::Issuer)).into();
    keys.extend(root.signers().map(|key| listed(key, KeyRole::Root)));
    keys.push(listed(&log, KeyRole::Log));
    let of_agent = |(name, key): &(&str, SigningKey)| ManifestKey {
        actor: Some(name.parse().expect("a literal name")),
        ..listed(key, KeyRole::Agent)
    };
    keys.extend(agents.iter().map(of_agent));
    keys.sort_by_key(|key| key.keyid);
    Manifest {
        version,
        parent,
        issuer: IssuerName {
            name: "Provider AB".to_owned(),
            country: "SE".to_owned(),
            contact: "privacy@provider.example".to_owned(),
            authority: "Integritetsskyddsmyndigheten, imy.se".to_owned(),
            organisation_number: Some("556036-0793".to_owned()),
        },
        log: LogName { origin: ORIGIN.to_owned(), key: Digest::of(&log.spki()) },
        threshold: 1,
        holders: vec![Holder {
            name: "management".to_owned(),
            ed25519: root.ed25519.keyid(),
            ml_dsa_65: root.ml_dsa.keyid(),
        }],
        keys,
        witnesses: vec![Witness { name: "auditor".to_owned(), key: witness_key().public().to_string(), outside: true }],
        authorities: Vec::new(),
        made: at("2026-01-02T08:00:00Z"),
        clock: Clock::Simulated,
    }
}

/// What a manifest is about.
pub(crate) fn keys_of(manifest: &Manifest) -> Vec<Subject> {
    (1..).zip(&manifest.keys).map(|(number, key)| Subject::new(format!("key-{number}"), key.keyid)).collect()
}

/// That an agent's key may sign.
pub(crate) fn enrolled(agent: &str, key: &VerifyingKey) -> KeyEvent {
    enrolled_spki(agent, key.to_spki())
}

pub(crate) fn enrolled_spki(agent: &str, spki: Vec<u8>) -> KeyEvent {
    KeyEvent::Enrolled {
        keyid: Digest::of(&spki),
        at: at("2026-01-02T09:00:00Z"),
        clock: Clock::Simulated,
        role: KeyRole::Agent,
        actor: agent.parse().expect("a literal name"),
        algorithm: Algorithm::Ed25519,
        spki: STANDARD.encode(spki),
    }
}

/// That a key was lost.
pub(crate) fn revoked(key: &dyn Signer) -> KeyEvent {
    KeyEvent::Revoked { keyid: key.keyid(), at: at("2026-02-24T10:00:00Z"), clock: Clock::Simulated }
}

/// That somebody else had a key from a position of the log on.
pub(crate) fn compromised(key: &dyn Signer, since: u64) -> KeyEvent {
    KeyEvent::Compromised { keyid: key.keyid(), at: at("2026-09-02T10:00:00Z"), clock: Clock::Simulated, since }
}
