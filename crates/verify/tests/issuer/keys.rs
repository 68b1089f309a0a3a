//! Keys from fixed seeds, and what they sign.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};

use aws_lc_rs::signature::{ML_DSA_65_SIGNING, PqdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use ml_dsa::MlDsa65;
use sha2::{Digest as _, Sha256, Sha512};

use super::json::{Json, list, object};

/// Making a post-quantum key takes a while: each once.
static LATTICE: LazyLock<Mutex<BTreeMap<u8, ml_dsa::ExpandedSigningKey<MlDsa65>>>> = LazyLock::new(Mutex::default);

/// A key by name: `issuer`, `root1`, `root2` have one of each algorithm; the others are Ed25519.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Ed(u8),
    Ml(u8),
    /// The same key as `Ml`, in the hands of another implementation (AWS-LC).
    OtherMl(u8),
}

pub(crate) const ISSUER: [Key; 2] = [Key::Ed(1), Key::Ml(1)];
pub(crate) const NEXT_ISSUER: [Key; 2] = [Key::Ed(21), Key::Ml(21)];
pub(crate) const ROOTS: [Key; 4] = [Key::Ed(11), Key::Ml(11), Key::Ed(12), Key::Ml(12)];
pub(crate) const LOG: Key = Key::Ed(9);
pub(crate) const ORIGIN: &str = "log.provider.example/2026a";

/// The key of an agent.
pub(crate) fn agent(name: &str) -> Key {
    Key::Ed(match name {
        "web1" => 2,
        "db1" => 3,
        "backup1" => 4,
        "web2" => 5,
        other => panic!("no agent {other}"),
    })
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn pae(payload: &[u8]) -> Vec<u8> {
    [format!("DSSEv1 28 application/vnd.in-toto+json {} ", payload.len()).as_bytes(), payload].concat()
}

impl Key {
    pub(crate) fn ed(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn lattice<T>(seed: u8, run: impl FnOnce(&ml_dsa::ExpandedSigningKey<MlDsa65>) -> T) -> T {
        let mut keys = LATTICE.lock().unwrap();
        run(keys.entry(seed).or_insert_with(|| ml_dsa::ExpandedSigningKey::from_seed(&[seed; 32].into())))
    }

    pub(crate) fn spki(self) -> Vec<u8> {
        match self {
            Self::Ed(seed) => [
                &hex::decode("302a300506032b6570032100").unwrap(),
                Self::ed(seed).verifying_key().as_bytes().as_slice(),
            ]
            .concat(),
            Self::Ml(seed) | Self::OtherMl(seed) => {
                let raw = Self::lattice(seed, |key| key.verifying_key().encode());
                [&hex::decode("308207b2300b0609608648016503040312038207a100").unwrap(), raw.as_slice()].concat()
            }
        }
    }

    pub(crate) fn id(self) -> String {
        sha256(&self.spki())
    }

    pub(crate) fn sign(self, payload: &[u8]) -> Vec<u8> {
        let pae = pae(payload);
        match self {
            Self::Ed(seed) => Self::ed(seed).sign(&pae).to_bytes().to_vec(),
            Self::Ml(seed) => {
                let message = [b"tuf\x01", Sha512::digest(&pae).as_slice()].concat();
                Self::lattice(seed, |key| key.sign_deterministic(&message, &[]).unwrap().encode().to_vec())
            }
            Self::OtherMl(seed) => {
                let message = [b"tuf\x01", Sha512::digest(&pae).as_slice()].concat();
                let key = PqdsaKeyPair::from_seed(&ML_DSA_65_SIGNING, &[seed; 32]).unwrap();
                let mut made = vec![0; ML_DSA_65_SIGNING.signature_len()];
                let length = key.sign(&message, &mut made).unwrap();
                made.truncate(length);
                made
            }
        }
    }

    pub(crate) fn pem(self) -> String {
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", base64(&self.spki()))
    }

    fn algorithm(self) -> &'static str {
        match self {
            Self::Ed(_) => "ed25519",
            Self::Ml(_) | Self::OtherMl(_) => "ml-dsa-65/1",
        }
    }
}

/// A DSSE envelope by these keys.
pub(crate) fn envelope(payload: &[u8], keys: &[Key]) -> Json {
    let mut signatures: Vec<(String, Vec<u8>)> = keys.iter().map(|key| (key.id(), key.sign(payload))).collect();
    signatures.sort();
    object([
        ("payloadType", "application/vnd.in-toto+json".into()),
        ("payload", base64(payload).into()),
        ("signatures", list(signatures.iter().map(|(id, sig)| signature(id, sig)))),
    ])
}

pub(crate) fn signature(id: &str, sig: &[u8]) -> Json {
    object([("keyid", id.into()), ("sig", base64(sig).into())])
}

/// A key of a manifest.
pub(crate) fn listed(key: Key, role: &str, actor: Option<&str>) -> (String, Json) {
    let mut line = object([
        ("keyid", key.id().into()),
        ("algorithm", key.algorithm().into()),
        ("role", role.into()),
        ("spki", base64(&key.spki()).into()),
    ]);
    if let Some(actor) = actor {
        line.before("spki", "actor", actor.into());
    }
    (key.id(), line)
}

/// A manifest's predicate with these keys.
pub(crate) fn manifest(version: u64, mut keys: Vec<(String, Json)>) -> Json {
    keys.sort_by(|one, next| one.0.cmp(&next.0));
    let holder = |name: &str, seed: u8| {
        object([
            ("name", name.into()),
            ("ed25519", Key::Ed(seed).id().into()),
            ("ml_dsa_65", Key::Ml(seed).id().into()),
        ])
    };
    let witness = |number: u8| {
        object([
            ("name", format!("Witness {number}").into()),
            ("key", super::log::witness_key(number).into()),
            ("outside", true.into()),
        ])
    };
    let mut manifest = object([
        ("version", version.into()),
        (
            "issuer",
            object([
                ("name", "Example Hosting AB".into()),
                ("country", "SE".into()),
                ("contact", "privacy@provider.example".into()),
                ("authority", "Integritetsskyddsmyndigheten".into()),
                ("organisation_number", "5560360793".into()),
            ]),
        ),
        ("log", object([("origin", ORIGIN.into()), ("key", LOG.id().into())])),
        ("threshold", 2.into()),
        ("holders", list([holder("management", 11), holder("board", 12)])),
        ("keys", list(keys.into_iter().map(|(_, key)| key))),
        ("witnesses", list([witness(1), witness(2)])),
        ("authorities", list([])),
        ("made", "2026-01-01T09:00:00Z".into()),
        ("clock", "real".into()),
    ]);
    if version > 1 {
        manifest.before("issuer", "parent", format!("@manifest-{}", version - 1).into());
    }
    manifest
}

/// The keys of the story's first manifest.
pub(crate) fn first() -> Vec<(String, Json)> {
    let roots = ROOTS.iter().map(|key| listed(*key, "root", None));
    let issuer = ISSUER.iter().map(|key| listed(*key, "issuer", None));
    let agents = ["web1", "db1", "backup1"].map(|name| listed(agent(name), "agent", Some(name)));
    roots.chain(issuer).chain([listed(LOG, "log", None)]).chain(agents).collect()
}
