//! The chain of key manifests (`docs/formats/keys-v1.md`, section 2). Owns who is a root holder and how many must act;
//! upholds that no key changes what it is for.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::Sealed;
use super::note::NoteKey;
use crate::format::statement::Envelope;
use crate::format::v1::file::Bytes;
use crate::format::v1::keys::{Algorithm, Holder, KeyRole, Manifest};
use crate::format::v1::statement::{Statement, Subject};
use crate::key::{PublicKey, keyid};
use crate::verdict::{Failure, Kind};
use crate::word::{Hex64, Name};

/// Post-quantum keys that one proof's manifests may name: each is some 60 kB once it is read, and is read before it is known
/// whether a root holder signed for it.
const MAX_LATTICE_KEYS: usize = 256;
/// Witnesses, and time stamping authorities, of one manifest.
const MAX_OTHERS: usize = 64;

/// A manifest of a chain that holds.
pub(crate) struct Link {
    pub(crate) manifest: Manifest,
    /// SHA-256 of its payload.
    pub(crate) digest: Hex64,
    /// Position in the log.
    pub(crate) index: u64,
}

/// A key and what it is for, for good.
pub(crate) struct Known {
    pub(crate) key: PublicKey,
    pub(crate) algorithm: Algorithm,
    pub(crate) role: KeyRole,
    pub(crate) actor: Option<Name>,
}

/// All keys that manifests and events name. Each is read once, however often it is named.
#[derive(Default)]
pub(crate) struct Ring {
    keys: BTreeMap<Hex64, Known>,
    lattice: usize,
}

fn untrusted(why: &str) -> Failure {
    Failure::new(Kind::NoTrustedKey, why)
}

impl Ring {
    pub(crate) fn get(&self, keyid: &Hex64) -> Option<&Known> {
        self.keys.get(keyid)
    }

    pub(crate) fn add(
        &mut self,
        id: &Hex64,
        algorithm: Algorithm,
        role: KeyRole,
        actor: Option<&Name>,
        spki: &Bytes,
    ) -> Result<(), Failure> {
        if let Some(known) = self.keys.get(id) {
            let same = known.algorithm == algorithm && known.role == role && known.actor.as_ref() == actor;
            return if same { Ok(()) } else { Err(untrusted("a key changes its role, its actor or its algorithm")) };
        }
        let unusable = || untrusted("the manifest or an event names a key that is not usable for its role");
        if keyid(spki.as_slice()) != id.as_str() || actor.is_some() != (role == KeyRole::Agent) {
            return Err(unusable());
        }
        self.lattice += usize::from(algorithm == Algorithm::MlDsa65);
        if self.lattice > MAX_LATTICE_KEYS {
            return Err(Failure::malformed("the key manifests name more than 256 post-quantum keys"));
        }
        let key = PublicKey::from_spki(spki.as_slice()).ok_or_else(unusable)?;
        let found = if key.ed25519().is_some() { Algorithm::Ed25519 } else { Algorithm::MlDsa65 };
        let notes_and_agents = matches!(role, KeyRole::Log | KeyRole::Agent);
        if found != algorithm || notes_and_agents && algorithm != Algorithm::Ed25519 {
            return Err(unusable());
        }
        self.keys.insert(id.clone(), Known { key, algorithm, role, actor: actor.cloned() });
        Ok(())
    }

    fn is(&self, id: &Hex64, role: KeyRole, algorithm: Algorithm) -> bool {
        self.get(id).is_some_and(|known| known.role == role && known.algorithm == algorithm)
    }
}

/// The subject of a statement about keys.
pub(crate) fn is_about<'k>(subject: &[Subject], keys: impl ExactSizeIterator<Item = &'k Hex64>) -> bool {
    subject.len() == keys.len()
        && subject.iter().zip(keys).zip(1_usize..).all(|((subject, key), number)| {
            subject.name.as_str() == format!("key-{number}") && subject.digest.sha256 == *key
        })
}

/// Checks that each manifest is what it must be and follows from the one before. Whether the first is to be trusted is
/// for the caller to know.
pub(crate) fn chain<'e>(
    envelopes: impl Iterator<Item = (&'e Envelope, u64)>,
    ring: &mut Ring,
) -> Result<Vec<Link>, Failure> {
    let mut links: Vec<Link> = Vec::new();
    for (envelope, index) in envelopes {
        let sealed = Sealed::read(envelope, "key-manifest")?;
        let Statement { subject, predicate: manifest, .. } = sealed.statement::<Manifest>("key-manifest")?;
        let before = links.last();
        let next = before.map_or(1, |before| before.manifest.version.get() + 1);
        if manifest.version.get() != next || manifest.parent.as_ref() != before.map(|before| &before.digest) {
            return Err(untrusted("the key manifests are not one chain, version 1 first"));
        }
        if before.is_some_and(|before| before.index >= index) {
            return Err(untrusted("the key manifests are not in the log's order"));
        }
        shaped(&manifest, &subject, ring)?;
        signed(&sealed, &manifest, before.map(|before| &before.manifest), ring)?;
        links.push(Link { manifest, digest: sealed.digest()?, index });
    }
    if links.is_empty() { Err(untrusted("there is no key manifest")) } else { Ok(links) }
}

/// A manifest by itself.
fn shaped(manifest: &Manifest, subject: &[Subject], ring: &mut Ring) -> Result<(), Failure> {
    if manifest.keys.windows(2).any(|pair| matches!(pair, [one, next] if one.keyid >= next.keyid)) {
        return Err(Failure::malformed("a key manifest's keys are not in order, each once"));
    }
    if manifest.witnesses.len() > MAX_OTHERS || manifest.authorities.len() > MAX_OTHERS {
        return Err(Failure::malformed("a key manifest names more than 64 witnesses or authorities"));
    }
    if !is_about(subject, manifest.keys.iter().map(|key| &key.keyid)) {
        return Err(Failure::evidence("a key manifest's subject is not its keys"));
    }
    for key in &manifest.keys {
        ring.add(&key.keyid, key.algorithm, key.role, key.actor.as_ref(), &key.spki)?;
    }
    let listed: BTreeSet<&Hex64> = manifest.keys.iter().map(|key| &key.keyid).collect();
    let is = |id: &Hex64, role, algorithm| listed.contains(id) && ring.is(id, role, algorithm);
    let held = |holder: &Holder| {
        is(&holder.ed25519, KeyRole::Root, Algorithm::Ed25519)
            && is(&holder.ml_dsa_65, KeyRole::Root, Algorithm::MlDsa65)
    };
    let mut keys = manifest.holders.iter().flat_map(|holder| [&holder.ed25519, &holder.ml_dsa_65]);
    let mut seen = BTreeSet::new();
    if !manifest.holders.iter().all(held) || !keys.all(|key| seen.insert(key)) {
        return Err(untrusted("a root holder does not have two root keys of its own"));
    }
    let threshold = usize::try_from(manifest.threshold.get()).unwrap_or(usize::MAX);
    if !(1..=manifest.holders.len()).contains(&threshold) {
        return Err(untrusted("a key manifest asks for no root holder, or for more than there are"));
    }
    if !is(&manifest.log.key, KeyRole::Log, Algorithm::Ed25519) {
        return Err(untrusted("a key manifest does not list the log's key"));
    }
    witnesses(manifest, ring).map(drop)
}

/// The witnesses' keys: nobody is two witnesses, and the issuer, its log and its agents are none.
pub(crate) fn witnesses(manifest: &Manifest, ring: &Ring) -> Result<Vec<NoteKey>, Failure> {
    let mut seen: BTreeSet<[u8; 32]> =
        manifest.keys.iter().filter_map(|key| ring.get(&key.keyid)?.key.ed25519()).collect();
    let mut names = BTreeSet::new();
    let mut witnesses = Vec::new();
    for witness in &manifest.witnesses {
        let key = NoteKey::of_witness(witness.key.as_str());
        let key =
            key.filter(|key| key.raw().is_some_and(|raw| seen.insert(raw)) && names.insert(witness.name.as_str()));
        witnesses.push(key.ok_or_else(|| untrusted("a key manifest names a witness without a key of its own"))?);
    }
    Ok(witnesses)
}

/// Enough holders of the version before, and enough of its own.
fn signed(sealed: &Sealed, manifest: &Manifest, before: Option<&Manifest>, ring: &Ring) -> Result<(), Failure> {
    let of = |manifest: &Manifest| -> BTreeSet<Hex64> {
        manifest.holders.iter().flat_map(|holder| [holder.ed25519.clone(), holder.ml_dsa_65.clone()]).collect()
    };
    let mut holders = of(manifest);
    holders.extend(before.map(of).unwrap_or_default());
    let mut good = BTreeSet::new();
    for (id, signature) in &sealed.signatures {
        let known = ring.get(id).filter(|_| holders.contains(id));
        let known = known.ok_or_else(|| untrusted("a key manifest is signed by a key that is no root holder's"))?;
        if !known.key.signed(&sealed.pae, signature) {
            return Err(Failure::new(Kind::Signature, "a root holder's signature of a key manifest does not verify"));
        }
        good.insert(id);
    }
    let enough = |manifest: &Manifest| {
        let both = |holder: &&Holder| good.contains(&holder.ed25519) && good.contains(&holder.ml_dsa_65);
        u64::try_from(manifest.holders.iter().filter(both).count()).is_ok_and(|n| n >= manifest.threshold.get())
    };
    if enough(manifest) && before.is_none_or(enough) {
        Ok(())
    } else {
        Err(untrusted("too few root holders signed a key manifest"))
    }
}
