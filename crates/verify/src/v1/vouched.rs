//! Step 2: from what the caller trusts to the keys of this proof (`docs/formats/keys-v1.md`, section 5). Upholds that no key
//! which is only in the proof is trusted.

use super::chain::{self, Link, Ring};
use super::register::{Events, Register};
use crate::format::statement::Envelope;
use crate::format::v1::file::{Entry, KeyFile, Placed, ProofFile};
use crate::format::v1::keys::Manifest;
use crate::format::v1::statement::{Proof, Statement};
use crate::short;
use crate::trust::{Anchor, Trust};
use crate::verdict::{Failure, Kind, Report};
use crate::word::Hex64;

/// Keys that somebody whom the caller trusts stands for.
pub(crate) struct Vouched {
    /// SHA-256 of the payload of the first manifest.
    pub(crate) anchor: Hex64,
    /// The newest manifest that the proof carries: the log, the witnesses and the authorities of this proof.
    pub(crate) newest: Link,
    pub(crate) by: By,
}

/// Who vouches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    KeyFile,
    Anchor,
    IssuerAlone,
}

fn untrusted(why: &str) -> Failure {
    Failure::new(Kind::NoTrustedKey, why)
}

/// Tries each alternative. Where none holds, the first says why.
pub(crate) fn trusted(file: &ProofFile, trust: &Trust, report: &mut Report) -> Result<(Vouched, Register), Failure> {
    let mut first = None;
    for anchor in &trust.anchors {
        match by(file, anchor) {
            Ok((vouched, register)) => {
                vouched.tell(report);
                return Ok((vouched, register));
            }
            Err(failure) => first = first.or(Some(failure)),
        }
    }
    Err(first.unwrap_or_else(|| {
        untrusted(
            "no trusted key was given: a proof of version 1 needs a key file, an anchor, or the issuer's two keys",
        )
    }))
}

fn by(file: &ProofFile, anchor: &Anchor) -> Result<(Vouched, Register), Failure> {
    let mut ring = Ring::default();
    let (mut events, own) = (Events::default(), |entry: &Entry| entry.index.get());
    let mut links = chain::chain(file.manifests.iter().map(|entry| (&entry.envelope, own(entry))), &mut ring)?;
    let carried = links.len();
    let by = match anchor {
        Anchor::Digest(digest) => {
            if links.first().is_none_or(|first| first.digest != *digest) {
                return Err(untrusted("the proof's first key manifest is not the trusted one"));
            }
            By::Anchor
        }
        Anchor::Issuer(keys) => {
            if !file.proof.envelope.signatures.iter().map(|signature| &signature.keyid).eq(keys) {
                return Err(untrusted("the proof is signed by keys that are not the trusted ones"));
            }
            By::IssuerAlone
        }
        Anchor::File(keys) => {
            further(keys, &mut links, &mut ring)?;
            By::KeyFile
        }
    };
    events.read(file.events.iter().map(|entry| (&entry.envelope, own(entry))), true)?;
    if let Anchor::File(keys) = anchor {
        events.read(placed(&keys.events), false)?;
    }
    let register = Register::new(&links, events, ring)?;
    let anchor = links.first().map(|first| first.digest.clone());
    let newest = links.into_iter().nth(carried.saturating_sub(1));
    let (Some(anchor), Some(newest)) = (anchor, newest) else { return Err(untrusted("there is no key manifest")) };
    Ok((Vouched { anchor, newest, by }, register))
}

fn placed(all: &[Placed]) -> impl Iterator<Item = (&Envelope, u64)> {
    all.iter().map(|placed| (&placed.envelope, placed.index.get()))
}

/// What the key file knows beside the proof. One of both may be newer: then the longer chain goes on from the shorter.
fn further(keys: &KeyFile, links: &mut Vec<Link>, ring: &mut Ring) -> Result<(), Failure> {
    let theirs = chain::chain(placed(&keys.manifests), ring)?;
    if links.iter().zip(&theirs).any(|(ours, theirs)| ours.digest != theirs.digest || ours.index != theirs.index) {
        return Err(untrusted("the proof's key manifests are not those of the trusted key file"));
    }
    let known = links.len();
    links.extend(theirs.into_iter().skip(known));
    Ok(())
}

impl Vouched {
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.newest.manifest
    }

    pub(crate) fn by_issuer_alone(&self) -> bool {
        self.by == By::IssuerAlone
    }

    /// The proof names the newest manifest that it carries.
    pub(crate) fn named(&self, proof: &Statement<Proof>) -> Result<(), Failure> {
        let (newest, named) = (&self.newest, &proof.predicate.manifest);
        if named.digest == newest.digest && named.version == newest.manifest.version {
            Ok(())
        } else {
            Err(untrusted("the proof names another key manifest than the newest in the file"))
        }
    }

    fn tell(&self, report: &mut Report) {
        let version = self.newest.manifest.version.get();
        let anchor = short(self.anchor.as_str());
        match self.by {
            By::KeyFile => {
                report.ok(format!("2 keys: manifest {version}, of the trusted key file, which begins with {anchor}"));
            }
            By::Anchor => {
                report.ok(format!("2 keys: manifest {version}, in a chain from the trusted {anchor}"));
                report.note("keys: what became of a key after this proof is in the key file only".to_owned());
            }
            By::IssuerAlone => {
                report.ok("2 keys: the proof is signed by the two trusted keys".to_owned());
                report.note(format!("keys: nobody but the issuer vouches for log and agents (manifest {version})"));
            }
        }
    }
}
