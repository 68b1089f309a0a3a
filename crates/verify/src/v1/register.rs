//! Which key may sign what at which position of the log (`docs/formats/keys-v1.md`, sections 2 and 3). Order decides, and
//! never a clock.

use std::collections::{BTreeMap, BTreeSet};

use super::chain::{Link, Ring, is_about};
use super::entry::Sealed;
use crate::format::statement::Envelope;
use crate::format::v1::keys::{Algorithm, Event, KeyRole, What};
use crate::format::v1::statement::Statement;
use crate::verdict::{Failure, Kind};
use crate::word::{Hex64, Name};

fn untrusted(why: &str) -> Failure {
    Failure::new(Kind::NoTrustedKey, why)
}

/// An event, and where it is in the log.
pub(crate) struct EventAt {
    event: Event,
    sealed: Sealed,
    /// It stands in the proof's file, and not in the key file alone.
    own: bool,
}

/// Events by position.
#[derive(Default)]
pub(crate) struct Events(BTreeMap<u64, EventAt>);

impl Events {
    /// Reads events in the log's order. The same event may come from file and key file.
    pub(crate) fn read<'e>(
        &mut self,
        envelopes: impl Iterator<Item = (&'e Envelope, u64)>,
        own: bool,
    ) -> Result<(), Failure> {
        let mut last = None;
        for (envelope, index) in envelopes {
            if last.is_some_and(|last| last >= index) {
                return Err(Failure::malformed("key events are not in the log's order"));
            }
            last = Some(index);
            let sealed = Sealed::read(envelope, "key-event")?;
            if let Some(other) = self.0.get(&index) {
                if other.sealed.payload != sealed.payload {
                    return Err(untrusted("proof and key file have two key events at one position"));
                }
                continue;
            }
            let Statement { subject, predicate: event, .. } = sealed.statement::<Event>("key-event")?;
            if !is_about(&subject, [&event.keyid].into_iter()) {
                return Err(Failure::evidence("a key event's subject is not its key"));
            }
            let (enrols, since) = (event.what == What::Enrolled, event.what == What::Compromised);
            let given = [event.role.is_some(), event.actor.is_some(), event.algorithm.is_some(), event.spki.is_some()];
            if given != [enrols; 4] || event.since.is_some() != since {
                return Err(Failure::malformed("a key event has fields of another kind of event"));
            }
            self.0.insert(index, EventAt { event, sealed, own });
        }
        Ok(())
    }

    /// Leaves out what was signed by keys that a later event that counts calls compromised by then, and says since when
    /// each key is.
    fn weigh(&mut self) -> Result<BTreeMap<Hex64, u64>, Failure> {
        let mut since: BTreeMap<Hex64, u64> = BTreeMap::new();
        let mut void = BTreeSet::new();
        for (index, at) in self.0.iter().rev() {
            let mut signers = at.sealed.signatures.iter().map(|(key, _)| key);
            if signers.any(|key| since.get(key).is_some_and(|since| since <= index)) {
                if at.own {
                    return Err(untrusted("a key event of the proof is signed by a key that was compromised by then"));
                }
                void.insert(*index);
            } else if let Some(from) = at.event.since {
                let from = from.get().min(*index);
                since.entry(at.event.keyid.clone()).and_modify(|since| *since = from.min(*since)).or_insert(from);
            }
        }
        self.0.retain(|index, _| !void.contains(index));
        Ok(since)
    }
}

/// When each key could sign.
pub(crate) struct Register {
    ring: Ring,
    /// By key: from which position on it is listed, or not any more.
    listed: BTreeMap<Hex64, Vec<(u64, bool)>>,
    /// By key: the first position at which nothing of it counts.
    ended: BTreeMap<Hex64, u64>,
    compromised: BTreeMap<Hex64, u64>,
}

impl Register {
    /// Follows manifests and events in the log's order, and sees that each event was signed by who could.
    pub(crate) fn new(links: &[Link], mut events: Events, mut ring: Ring) -> Result<Self, Failure> {
        let compromised = events.weigh()?;
        for at in events.0.values() {
            let event = &at.event;
            if let (Some(role), Some(algorithm), Some(spki)) = (event.role, event.algorithm, &event.spki) {
                if role != KeyRole::Agent {
                    return Err(untrusted("a key event enrols a key that is no agent's"));
                }
                ring.add(&event.keyid, algorithm, role, event.actor.as_ref(), spki)?;
            }
        }
        let mut register = Self { ring, listed: BTreeMap::new(), ended: compromised.clone(), compromised };
        let mut current: BTreeSet<&Hex64> = BTreeSet::new();
        let mut links = links.iter().peekable();
        for (index, at) in &events.0 {
            while let Some(link) = links.next_if(|link| link.index <= *index) {
                if link.index == *index {
                    return Err(untrusted("a key manifest and a key event are at one position of the log"));
                }
                current = register.list(link, &current);
            }
            let key = &at.event.keyid;
            match at.event.what {
                What::Enrolled => {
                    current.insert(key);
                    register.change(key, *index, true);
                }
                What::Retired | What::Revoked => {
                    let end = register.ended.entry(key.clone()).or_insert(*index);
                    *end = (*end).min(*index);
                }
                What::Compromised => {}
            }
        }
        for link in links {
            current = register.list(link, &current);
        }
        for (index, at) in &events.0 {
            register.by_issuer(&at.sealed, "key-event", *index)?;
        }
        Ok(register)
    }

    fn change(&mut self, key: &Hex64, index: u64, listed: bool) {
        self.listed.entry(key.clone()).or_default().push((index, listed));
    }

    fn list<'l>(&mut self, link: &'l Link, current: &BTreeSet<&'l Hex64>) -> BTreeSet<&'l Hex64> {
        let listed: BTreeSet<&Hex64> = link.manifest.keys.iter().map(|key| &key.keyid).collect();
        for key in current.difference(&listed) {
            self.change(key, link.index, false);
        }
        for key in listed.difference(current) {
            self.change(key, link.index, true);
        }
        listed
    }

    /// Whether what this key signed counts at this position.
    fn may(&self, key: &Hex64, position: u64) -> bool {
        let changes = self.listed.get(key).map(Vec::as_slice).unwrap_or_default();
        let before = changes.partition_point(|(index, _)| *index < position);
        let listed = before.checked_sub(1).and_then(|last| changes.get(last)).is_some_and(|(_, listed)| *listed);
        listed && self.ended.get(key).is_none_or(|end| position < *end)
    }

    /// The first position from which on nothing that this key signed counts, since somebody else had it.
    pub(crate) fn compromised(&self, key: &Hex64) -> Option<u64> {
        self.compromised.get(key).copied()
    }

    pub(crate) fn ring(&self) -> &Ring {
        &self.ring
    }

    /// One signature of each algorithm, both by issuer keys that may sign here.
    pub(crate) fn by_issuer(&self, sealed: &Sealed, noun: &str, position: u64) -> Result<(), Failure> {
        let mut algorithms = Vec::new();
        for (id, signature) in &sealed.signatures {
            algorithms.push(self.by(id, signature, sealed, KeyRole::Issuer, noun, position)?.0);
        }
        match algorithms.as_slice() {
            [Algorithm::Ed25519, Algorithm::MlDsa65] | [Algorithm::MlDsa65, Algorithm::Ed25519] => Ok(()),
            _ => Err(Failure::new(
                Kind::Signature,
                &format!("a {noun} does not carry exactly two signatures by the issuer, one of each algorithm"),
            )),
        }
    }

    /// Exactly one signature, by a key of an agent that may sign here. Gives whose.
    pub(crate) fn by_agent(&self, sealed: &Sealed, noun: &str, position: u64) -> Result<&Name, Failure> {
        let [(id, signature)] = sealed.signatures.as_slice() else {
            let why = format!("a {noun} does not carry exactly one signature");
            return Err(Failure::new(Kind::Signature, &why));
        };
        let (_, actor) = self.by(id, signature, sealed, KeyRole::Agent, noun, position)?;
        actor.ok_or_else(|| untrusted("an agent's key has no actor"))
    }

    fn by(
        &self,
        id: &Hex64,
        signature: &[u8],
        sealed: &Sealed,
        role: KeyRole,
        noun: &str,
        position: u64,
    ) -> Result<(Algorithm, Option<&Name>), Failure> {
        let known = self.ring.get(id).filter(|known| known.role == role && self.may(id, position));
        let known = known.ok_or_else(|| {
            untrusted(&format!("a {noun} is signed by a key that may not sign it at its position in the log"))
        })?;
        if !known.key.signed(&sealed.pae, signature) {
            return Err(Failure::new(Kind::Signature, &format!("a {noun}'s signature does not verify")));
        }
        Ok((known.algorithm, known.actor.as_ref()))
    }
}
