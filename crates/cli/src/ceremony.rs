//! Making and signing key manifests away from the coordinator (`docs/formats/keys-v1.md`, section 2): what the next one says, in
//! which it differs from the newest one, and who has signed it. Reads the published key file and trusts none of it: whoever signs
//! sees what is signed, worked out on the signer's own machine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_identity::ml_dsa_verifies;
use gallra_model::Digest;
use gallra_model::envelope::Envelope;
use gallra_model::manifest::{Holder, KeyEvent, KeyFile, KeyRole, Manifest, ManifestKey};
use gallra_proof::manifest::{self, good_signatures, signers};
use gallra_proof::payload::{self, Opened};
use gallra_proof::register::{Known, Said, agents, known};

use crate::exit::{Failure, USAGE};
use crate::pair::Public;

/// What is published, read and seen to be one chain.
pub struct Published {
    /// Manifests, version 1 first.
    pub manifests: Vec<(Opened<Manifest>, u64)>,
    events: Vec<(KeyEvent, u64)>,
}

fn wrong(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(USAGE, format!("{}: {error}", path.display()))
}

impl Published {
    /// Reads a key file. Its chain is checked as a coordinator and a verifier check it; who signed events is not.
    ///
    /// # Errors
    /// [`USAGE`] with the path.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read(path).map_err(|error| wrong(path, &error))?;
        let no_keys = "not a published key file: `gallra key export` writes one";
        let file: KeyFile = serde_json::from_slice(&text).map_err(|_| wrong(path, &no_keys))?;
        let mut manifests: Vec<(Opened<Manifest>, u64)> = Vec::new();
        for entered in &file.manifests {
            let before = manifests.last().map(|(before, _)| before);
            let opened = match before {
                None => manifest::read(&entered.envelope),
                Some(before) => manifest::follows(&entered.envelope, before),
            };
            let opened = opened.map_err(|error| wrong(path, &error))?;
            let before = before.map(|before| &before.predicate);
            manifest::signed(&entered.envelope, &opened.predicate, before, ml_dsa_verifies)
                .map_err(|error| wrong(path, &error))?;
            manifests.push((opened, entered.index));
        }
        if manifests.first().is_none_or(|(first, _)| first.predicate.version != 1) {
            return Err(wrong(path, &no_keys));
        }
        let event = |entered: &gallra_model::manifest::Entered| {
            let opened: Opened<KeyEvent> =
                payload::read("key event", &entered.envelope).map_err(|error| wrong(path, &error))?;
            Ok((opened.predicate, entered.index))
        };
        let events = file.events.iter().map(event).collect::<Result<_, Failure>>()?;
        Ok(Self { manifests, events })
    }

    /// The newest manifest.
    pub fn newest(&self) -> Option<&Opened<Manifest>> {
        self.manifests.last().map(|(newest, _)| newest)
    }

    /// The trust anchor.
    pub fn anchor(&self) -> Option<Digest> {
        self.manifests.first().map(|(first, _)| first.digest)
    }

    /// All keys, and what became of each.
    ///
    /// # Errors
    /// [`USAGE`] where a key changes what it is for.
    pub fn known(&self) -> Result<BTreeMap<Digest, Known>, Failure> {
        let manifests = self.manifests.iter().map(|(opened, index)| (Some(*index), Said::Manifest(&opened.predicate)));
        let events = self.events.iter().map(|(event, index)| (Some(*index), Said::Event(event)));
        known(manifests.chain(events).collect())
            .map_err(|id| Failure::new(USAGE, format!("key file: the key {id} is listed with two roles or actors")))
    }

    /// What the next manifest begins from: the newest one, with the keys of all agents that may sign.
    ///
    /// # Errors
    /// As [`Published::known`].
    pub fn next(&self) -> Result<Manifest, Failure> {
        let newest = self.newest().ok_or_else(|| Failure::new(USAGE, "key file: no manifest"))?;
        let mut next = newest.predicate.clone();
        (next.version, next.parent) = (next.version.saturating_add(1), Some(newest.digest));
        next.keys.retain(|key| key.role != KeyRole::Agent);
        next.keys.extend(agents(&self.known()?).cloned());
        Ok(next)
    }
}

/// Lists a public key.
pub fn add(manifest: &mut Manifest, public: &Public, role: KeyRole) {
    let (keyid, algorithm, spki) = (public.keyid, public.algorithm, STANDARD.encode(&public.spki));
    manifest.keys.retain(|key| key.keyid != keyid);
    manifest.keys.push(ManifestKey { keyid, algorithm, role, actor: None, spki });
}

/// Seats a root holder; one of the same name leaves.
pub fn seat(manifest: &mut Manifest, name: &str, both: &[Public; 2]) {
    unseat(manifest, name);
    let [ed25519, ml_dsa] = both;
    let holder = Holder { name: name.to_owned(), ed25519: ed25519.keyid, ml_dsa_65: ml_dsa.keyid };
    manifest.holders.push(holder);
    both.iter().for_each(|public| add(manifest, public, KeyRole::Root));
}

/// Has a root holder leave. Gives whether there was one.
pub fn unseat(manifest: &mut Manifest, name: &str) -> bool {
    let gone: Vec<Digest> = manifest
        .holders
        .iter()
        .filter(|holder| holder.name == name)
        .flat_map(|holder| [holder.ed25519, holder.ml_dsa_65])
        .collect();
    manifest.holders.retain(|holder| holder.name != name);
    manifest.keys.retain(|key| !gone.contains(&key.keyid));
    !gone.is_empty()
}

/// A file that is a manifest: the payload that nobody has signed yet, or an envelope.
///
/// # Errors
/// [`USAGE`] with the path.
pub fn read_envelope(path: &Path) -> Result<Envelope, Failure> {
    let text = std::fs::read(path).map_err(|error| wrong(path, &error))?;
    let text = text.strip_suffix(b"\n").unwrap_or(&text);
    let envelope = serde_json::from_slice(text).unwrap_or_else(|_| manifest::unsigned(text));
    manifest::read(&envelope).map_err(|error| wrong(path, &error))?;
    Ok(envelope)
}

/// Who signed so far, and who still has to.
pub struct Progress {
    /// One line a version whose holders count.
    pub lines: Vec<String>,
    /// Whether nobody is missing.
    pub enough: bool,
}

/// Counts the holders that have signed with both keys, among those of the version before and among its own.
///
/// # Errors
/// [`USAGE`] for a signature that does not check or is nobody's.
pub fn progress(envelope: &Envelope, own: &Manifest, before: Option<&Manifest>) -> Result<Progress, Failure> {
    let good: BTreeSet<Digest> = good_signatures(envelope, own, before, ml_dsa_verifies)
        .map_err(|error| Failure::new(USAGE, error.to_string()))?;
    let mut progress = Progress { lines: Vec::new(), enough: true };
    for manifest in before.into_iter().chain([own]) {
        let have: Vec<&str> = signers(manifest, &good).iter().map(|holder| holder.name.as_str()).collect();
        let need = usize::try_from(manifest.threshold).unwrap_or(usize::MAX);
        progress.enough &= have.len() >= need;
        let names = if have.is_empty() { "nobody yet".to_owned() } else { have.join(", ") };
        let (of, version) = (manifest.holders.len(), manifest.version);
        progress
            .lines
            .push(format!("signed by {names}: {} of {need} needed, of {of} in version {version}", have.len()));
    }
    Ok(progress)
}

/// In what a manifest differs from the one before: lines for a person. Everything is said where there is none before.
pub fn changes(before: Option<&Manifest>, after: &Manifest) -> Vec<String> {
    let mut lines = Vec::new();
    let facts = |manifest: &Manifest| {
        let issuer = &manifest.issuer;
        [
            ("name", issuer.name.clone()),
            ("country", issuer.country.clone()),
            ("contact", issuer.contact.clone()),
            ("complaints", issuer.authority.clone()),
            ("organisation number", issuer.organisation_number.clone().unwrap_or_default()),
            ("log", manifest.log.origin.clone()),
            ("threshold", manifest.threshold.to_string()),
        ]
    };
    let old = before.map(facts);
    for (number, (what, new)) in facts(after).into_iter().enumerate() {
        let old = old.as_ref().and_then(|old| old.get(number)).map(|(_, old)| old.as_str()).unwrap_or_default();
        if old != new {
            lines.push(if old.is_empty() { format!("{what}: {new}") } else { format!("{what}: {old} -> {new}") });
        }
    }
    let parts = |manifest: &Manifest| -> BTreeSet<String> {
        let holders = manifest
            .holders
            .iter()
            .map(|holder| format!("root holder {} with {} and {}", holder.name, holder.ed25519, holder.ml_dsa_65));
        let keys = manifest.keys.iter().filter(|key| key.role != KeyRole::Root).map(of_key);
        let witnesses = manifest.witnesses.iter().map(|witness| {
            let outside = if witness.outside { ", of another organisation" } else { "" };
            format!("witness {} with {}{outside}", witness.name, witness.key)
        });
        let authorities = manifest.authorities.iter().map(|authority| {
            let digest = Digest::of(authority.certificate.as_bytes());
            format!("time stamping authority {} (certificate {digest})", authority.name)
        });
        holders.chain(keys).chain(witnesses).chain(authorities).collect()
    };
    let (old, new) = (before.map(parts).unwrap_or_default(), parts(after));
    lines.extend(old.difference(&new).map(|gone| format!("- {gone}")));
    lines.extend(new.difference(&old).map(|come| format!("+ {come}")));
    lines
}

fn of_key(key: &ManifestKey) -> String {
    let role = match key.role {
        KeyRole::Root => "root",
        KeyRole::Issuer => "issuer",
        KeyRole::Log => "log",
        KeyRole::Agent => "agent",
    };
    let actor = key.actor.as_ref().map(|actor| format!(" of {actor}")).unwrap_or_default();
    format!("{role} key {}{actor}", key.keyid)
}
