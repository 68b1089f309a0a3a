//! The signatures that a proof's file carries, and nothing but their checks, with the same libraries: what verifying it cannot be
//! done without. Owns no decision; keys are read before the clock runs.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;
use ml_dsa::MlDsa65;
use serde_json::Value;
use sha2::{Digest as _, Sha512};

/// A key of one of the two algorithms.
enum Key {
    Ed25519(VerifyingKey),
    MlDsa65(Box<ml_dsa::VerifyingKey<MlDsa65>>),
}

struct Signed {
    key: String,
    /// In the form of the key's algorithm.
    message: Vec<u8>,
    signature: Vec<u8>,
}

/// All signatures of a file, and the keys that made them.
pub(crate) struct Raw {
    keys: BTreeMap<String, Key>,
    all: Vec<Signed>,
}

impl Raw {
    /// Collects them from the bytes of a good file.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let file: Value = serde_json::from_slice(bytes).ok()?;
        let mut raw = Self { keys: BTreeMap::new(), all: Vec::new() };
        let (manifests, events) = (file.get("manifests")?.as_array()?, file.get("events")?.as_array()?);
        for entry in manifests.iter().chain(events) {
            raw.learn(&payload(entry)?)?;
        }
        let single = ["proof", "request", "plan"].iter().filter_map(|name| file.get(name));
        for entry in single.chain(file.get("statements")?.as_array()?).chain(manifests).chain(events) {
            raw.envelope(entry)?;
        }
        for note in file.get("checkpoints")?.as_array()? {
            raw.note(note.as_str()?)?;
        }
        Some(raw)
    }

    /// How many by each algorithm.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let of = |one: &&Signed| matches!(self.keys.get(&one.key), Some(Key::Ed25519(_)));
        let classical = self.all.iter().filter(of).count();
        (classical, self.all.len() - classical)
    }

    /// Whether each of them is right.
    pub(crate) fn holds(&self) -> bool {
        self.all.iter().all(|one| match self.keys.get(&one.key) {
            Some(Key::Ed25519(key)) => ed25519_dalek::Signature::from_slice(&one.signature)
                .is_ok_and(|signature| key.verify_strict(&one.message, &signature).is_ok()),
            Some(Key::MlDsa65(key)) => ml_dsa::Signature::<MlDsa65>::try_from(one.signature.as_slice())
                .is_ok_and(|signature| key.verify_with_context(&one.message, &[], &signature)),
            None => false,
        })
    }

    /// The keys that a manifest or an event names.
    fn learn(&mut self, payload: &[u8]) -> Option<()> {
        let statement: Value = serde_json::from_slice(payload).ok()?;
        let said = statement.get("predicate")?;
        let listed = said.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for key in listed.iter().chain(said.get("spki").map(|_| said)) {
            let spki = STANDARD.decode(key.get("spki")?.as_str()?).ok()?;
            self.keys.insert(key.get("keyid")?.as_str()?.to_owned(), read(&spki)?);
        }
        for witness in said.get("witnesses").and_then(Value::as_array).into_iter().flatten() {
            let (name, rest) = witness.get("key")?.as_str()?.split_once('+')?;
            let typed = STANDARD.decode(rest.split_once('+')?.1).ok()?;
            let key = VerifyingKey::from_bytes(typed.get(1..)?.try_into().ok()?).ok()?;
            self.keys.insert(name.to_owned(), Key::Ed25519(key));
        }
        if let Some(log) = said.get("log") {
            // Notes name it by its origin.
            let Key::Ed25519(key) = self.keys.get(log.get("key")?.as_str()?)? else { return None };
            let key = Key::Ed25519(*key);
            self.keys.insert(log.get("origin")?.as_str()?.to_owned(), key);
        }
        Some(())
    }

    fn envelope(&mut self, entry: &Value) -> Option<()> {
        let payload = payload(entry)?;
        let pae = [format!("DSSEv1 28 application/vnd.in-toto+json {} ", payload.len()).as_bytes(), &payload].concat();
        for signature in entry.get("envelope")?.get("signatures")?.as_array()? {
            let key = signature.get("keyid")?.as_str()?.to_owned();
            let message = match self.keys.get(&key)? {
                Key::Ed25519(_) => pae.clone(),
                Key::MlDsa65(_) => [b"tuf\x01", Sha512::digest(&pae).as_slice()].concat(),
            };
            let signature = STANDARD.decode(signature.get("sig")?.as_str()?).ok()?;
            self.all.push(Signed { key, message, signature });
        }
        Some(())
    }

    /// A log's line signs the text, a witness's the text under a time of its own.
    fn note(&mut self, note: &str) -> Option<()> {
        let (text, lines) = note.split_at_checked(note.rfind("\n\n")? + 1)?;
        for line in lines.trim().lines() {
            let (name, base64) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
            let bytes = STANDARD.decode(base64).ok()?;
            let signed = bytes.get(4..)?;
            let (message, signature) = match signed.split_first_chunk::<8>() {
                Some((time, signature)) if signature.len() == 64 => {
                    (format!("cosignature/v1\ntime {}\n{text}", u64::from_be_bytes(*time)), signature)
                }
                _ => (text.to_owned(), signed),
            };
            let (message, signature) = (message.into_bytes(), signature.to_vec());
            self.all.push(Signed { key: name.to_owned(), message, signature });
        }
        Some(())
    }
}

fn payload(entry: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(entry.get("envelope")?.get("payload")?.as_str()?).ok()
}

/// From DER SubjectPublicKeyInfo, whose key comes last.
fn read(spki: &[u8]) -> Option<Key> {
    if let Some(raw) = spki.get(12..).filter(|raw| raw.len() == 32) {
        return Some(Key::Ed25519(VerifyingKey::from_bytes(raw.try_into().ok()?).ok()?));
    }
    let encoded = ml_dsa::EncodedVerifyingKey::<MlDsa65>::try_from(spki.get(22..)?).ok()?;
    Some(Key::MlDsa65(Box::new(ml_dsa::VerifyingKey::decode(&encoded))))
}
