//! Which keys there are, and what became of each: manifests and events in the log's order (`docs/formats/keys-v1.md`, section 3).
//! For those who make manifests and list keys; whether what a key signed counts is the verifier's to work out.

use std::collections::BTreeMap;

use gallra_model::Digest;
use gallra_model::manifest::{KeyEvent, KeyRole, Manifest, ManifestKey};

/// How a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It may sign.
    Active,
    /// The newest manifest leaves it out.
    LeftOut,
    /// An event retired it.
    Retired,
    /// An event revoked it.
    Revoked,
    /// An event calls it compromised.
    Compromised,
}

impl Standing {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::LeftOut => "left-out",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
            Self::Compromised => "compromised",
        }
    }
}

/// A key, and what is known of it. Positions are those of the log; none while it has not entered the word yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// It.
    pub key: ManifestKey,
    /// How it stands.
    pub standing: Standing,
    /// Where it was first listed or enrolled: it signs from the next position on.
    pub from: Option<u64>,
    /// From where on it signs nothing.
    pub until: Option<u64>,
}

/// What was said of keys.
#[derive(Debug)]
pub enum Said<'a> {
    /// A manifest.
    Manifest(&'a Manifest),
    /// An event.
    Event(&'a KeyEvent),
}

/// All keys, by id. `said` may come in any order: positions decide, and what has none yet comes last, as it stands.
///
/// # Errors
/// The id of a key that changes its role, its actor or its algorithm.
pub fn known(mut said: Vec<(Option<u64>, Said<'_>)>) -> Result<BTreeMap<Digest, Known>, Digest> {
    said.sort_by_key(|(position, _)| position.unwrap_or(u64::MAX));
    let mut keys: BTreeMap<Digest, Known> = BTreeMap::new();
    for (position, said) in said {
        match said {
            Said::Manifest(manifest) => list(&mut keys, manifest, position)?,
            Said::Event(event) => follow(&mut keys, event, position)?,
        }
    }
    Ok(keys)
}

fn list(keys: &mut BTreeMap<Digest, Known>, manifest: &Manifest, position: Option<u64>) -> Result<(), Digest> {
    for key in &manifest.keys {
        let known = add(keys, key, position)?;
        if known.standing == Standing::LeftOut {
            (known.standing, known.until) = (Standing::Active, None);
        }
    }
    let listed = |known: &Known| manifest.keys.iter().any(|key| key.keyid == known.key.keyid);
    for known in keys.values_mut().filter(|known| known.standing == Standing::Active) {
        if !listed(known) {
            (known.standing, known.until) = (Standing::LeftOut, position);
        }
    }
    Ok(())
}

fn add<'k>(
    keys: &'k mut BTreeMap<Digest, Known>,
    key: &ManifestKey,
    from: Option<u64>,
) -> Result<&'k mut Known, Digest> {
    let new = || Known { key: key.clone(), standing: Standing::Active, from, until: None };
    let known = keys.entry(key.keyid).or_insert_with(new);
    if known.key == *key { Ok(known) } else { Err(key.keyid) }
}

fn follow(keys: &mut BTreeMap<Digest, Known>, event: &KeyEvent, position: Option<u64>) -> Result<(), Digest> {
    let (standing, until) = match event {
        KeyEvent::Enrolled { keyid, role, actor, algorithm, spki, .. } => {
            let (actor, spki) = (Some(actor.clone()), spki.clone());
            let key = ManifestKey { keyid: *keyid, algorithm: *algorithm, role: *role, actor, spki };
            return add(keys, &key, position).map(drop);
        }
        KeyEvent::Retired { .. } => (Standing::Retired, position),
        KeyEvent::Revoked { .. } => (Standing::Revoked, position),
        KeyEvent::Compromised { since, .. } => {
            (Standing::Compromised, Some(position.map_or(*since, |position| position.min(*since))))
        }
    };
    if let Some(known) = keys.get_mut(&event.keyid()) {
        // The first end counts, and the worst word.
        known.until = [known.until, until].into_iter().flatten().min();
        if known.standing != Standing::Compromised {
            known.standing = standing;
        }
    }
    Ok(())
}

/// The keys of agents that may sign: the next manifest has to list them, or they sign nothing from it on.
pub fn agents(keys: &BTreeMap<Digest, Known>) -> impl Iterator<Item = &ManifestKey> {
    let active = |known: &&Known| known.key.role == KeyRole::Agent && known.standing == Standing::Active;
    keys.values().filter(active).map(|known| &known.key)
}

#[cfg(test)]
mod tests {
    use gallra_model::manifest::{Algorithm, IssuerName, LogName};
    use gallra_model::{Clock, Instant};

    use super::*;

    fn key(name: &str, role: KeyRole) -> ManifestKey {
        let actor = (role == KeyRole::Agent).then(|| "web1".parse().expect("a name"));
        let keyid = Digest::of(name.as_bytes());
        ManifestKey { keyid, algorithm: Algorithm::Ed25519, role, actor, spki: name.to_owned() }
    }

    fn manifest(version: u32, keys: Vec<ManifestKey>) -> Manifest {
        let text = String::new;
        let issuer =
            IssuerName { name: text(), country: text(), contact: text(), authority: text(), organisation_number: None };
        let log = LogName { origin: text(), key: Digest::of(b"log") };
        let (made, clock) = (Instant::UNIX_EPOCH, Clock::Real);
        let (parent, threshold, holders, witnesses, authorities) = (None, 1, vec![], vec![], vec![]);
        Manifest { version, parent, issuer, log, threshold, holders, keys, witnesses, authorities, made, clock }
    }

    fn enrolled(name: &str) -> KeyEvent {
        let ManifestKey { keyid, algorithm, role, actor, spki } = key(name, KeyRole::Agent);
        let (at, clock) = (Instant::UNIX_EPOCH, Clock::Real);
        KeyEvent::Enrolled { keyid, at, clock, role, actor: actor.expect("an agent"), algorithm, spki }
    }

    fn revoked(name: &str) -> KeyEvent {
        KeyEvent::Revoked { keyid: Digest::of(name.as_bytes()), at: Instant::UNIX_EPOCH, clock: Clock::Real }
    }

    fn compromised(name: &str, since: u64) -> KeyEvent {
        let (keyid, at, clock) = (Digest::of(name.as_bytes()), Instant::UNIX_EPOCH, Clock::Real);
        KeyEvent::Compromised { keyid, at, clock, since }
    }

    #[test]
    fn positions_decide_and_not_the_order_of_telling() {
        let (first, second) = (
            manifest(1, vec![key("old", KeyRole::Issuer)]),
            manifest(2, vec![key("new", KeyRole::Issuer), key("two", KeyRole::Agent)]),
        );
        let (one, two, end) = (enrolled("one"), enrolled("two"), revoked("two"));
        let said = || {
            vec![
                (Some(9), Said::Event(&end)),
                (Some(7), Said::Manifest(&second)),
                (Some(3), Said::Event(&two)),
                (Some(1), Said::Event(&one)),
                (Some(0), Said::Manifest(&first)),
            ]
        };
        let known = known(said()).expect("consistent");
        let of = |name: &str| {
            let known = &known[&Digest::of(name.as_bytes())];
            (known.standing, known.from, known.until)
        };
        assert_eq!(of("old"), (Standing::LeftOut, Some(0), Some(7)));
        assert_eq!(of("new"), (Standing::Active, Some(7), None));
        assert_eq!(of("one"), (Standing::LeftOut, Some(1), Some(7)), "a manifest that misses an agent ends its key");
        assert_eq!(of("two"), (Standing::Revoked, Some(3), Some(9)));
        assert_eq!(agents(&known).count(), 0);
    }

    #[test]
    fn the_worst_word_and_the_first_end_count() {
        let (one, worse, end) = (enrolled("one"), compromised("one", 2), revoked("one"));
        for said in [
            vec![(Some(0), Said::Event(&one)), (Some(5), Said::Event(&end)), (Some(6), Said::Event(&worse))],
            vec![(Some(0), Said::Event(&one)), (Some(5), Said::Event(&worse)), (Some(6), Said::Event(&end))],
        ] {
            let known = known(said).expect("consistent");
            let known = &known[&Digest::of(b"one")];
            assert_eq!((known.standing, known.until), (Standing::Compromised, Some(2)));
        }
    }

    #[test]
    fn a_key_never_changes_what_it_is_for() {
        let (first, second) =
            (manifest(1, vec![key("one", KeyRole::Issuer)]), manifest(2, vec![key("one", KeyRole::Log)]));
        let said = vec![(Some(0), Said::Manifest(&first)), (None, Said::Manifest(&second))];
        assert_eq!(known(said), Err(Digest::of(b"one")));
    }
}
