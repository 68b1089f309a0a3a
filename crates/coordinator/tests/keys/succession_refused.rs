//! Words that end no log: too few holders, other people's, another history's, used before, of another name. Nothing has changed
//! after any of them.

use gallra_coordinator::succession::Words;
use gallra_log::checkpoint::Checkpoint;
use gallra_log::note::{Kind, Note, Signer};
use gallra_log::tree::Hash;
use gallra_model::manifest::{Algorithm, KeyRole, Manifest, Succession};
use gallra_proof::key::SigningKey;

use crate::ceremony::{Pair, next, replace, signed};
use crate::site::Site;
use crate::succeeded::{NEW, log_key, names, said, sign, succeed, three};

/// What a log's key would say of another history.
fn forged(origin: &str, seed: [u8; 32], size: u64) -> String {
    let key = Signer::from_seed(origin, Kind::Log, &seed).expect("a key");
    let origin = origin.parse().expect("an origin");
    let checkpoint = Checkpoint { origin, size, root: Hash::leaf(b"elsewhere"), extensions: Vec::new() };
    let mut note = Note::new(checkpoint.to_string()).expect("a note");
    note.sign(checkpoint.sign(&key).expect("signs")).expect("fits");
    note.to_string()
}

/// What is said, the words, and a part of why not.
type Case = (&'static str, Words, &'static str);

/// The right words of two of three holders, to be changed in one place each.
struct Table {
    holders: [Pair; 3],
    good: Manifest,
    right: Succession,
    /// The log's own key.
    own: SigningKey,
    /// A key whose private half lies in the directory.
    key: SigningKey,
    /// An issuer's pair that does, too.
    issuer: Pair,
}

impl Table {
    async fn new(site: &Site) -> Self {
        let holders = three(site).await;
        let (key, issuer) = (log_key(site, 61), Pair::of(91));
        issuer.install(site, "issuer-2");
        let pem = std::fs::read_to_string(site.folder.path().join("coordinator/log.key")).expect("a key");
        let own = SigningKey::from_pem(&pem).expect("a key");
        let good = next(site, |manifest| names(manifest, NEW, &key)).await;
        let note = site.core.ledger.checkpoint().expect("published").note;
        let right = said(site.core.ledger.origin().as_str(), &note, &good);
        Self { holders, good, right, own, key, issuer }
    }

    fn both(&self) -> [&Pair; 2] {
        [&self.holders[0], &self.holders[2]]
    }

    fn words(&self) -> Words {
        Words { succession: sign(&self.right, &self.both()), manifest: signed(&self.good, &self.both()) }
    }

    /// Another succession.
    fn with(&self, change: impl FnOnce(&mut Succession)) -> Words {
        let mut other = self.right.clone();
        change(&mut other);
        Words { succession: sign(&other, &self.both()), ..self.words() }
    }

    /// Another manifest.
    fn other(&self, change: impl FnOnce(&mut Manifest)) -> Words {
        let mut other = self.good.clone();
        change(&mut other);
        other.keys.sort_by_key(|key| key.keyid);
        Words { manifest: signed(&other, &self.both()), ..self.words() }
    }

    /// Another name or key in both.
    fn named(&self, origin: &str, key: &SigningKey) -> Words {
        let mut manifest = self.good.clone();
        names(&mut manifest, origin, key);
        manifest.keys.sort_by_key(|key| key.keyid);
        let said = said(&self.right.ended, &self.right.checkpoint, &manifest);
        Words { succession: sign(&said, &self.both()), manifest: signed(&manifest, &self.both()) }
    }

    fn of_signers(&self) -> Vec<Case> {
        let (strange, [first, second, _]) = (Pair::of(90), &self.holders);
        let by = |by: &[&Pair]| Words { succession: sign(&self.right, by), ..self.words() };
        let half = Words { manifest: signed(&self.good, &[second]), ..self.words() };
        vec![
            ("one holder of two", by(&[first]), "1 of 2 root holders"),
            ("one holder of two, of the manifest", half, "1 of 2 root holders"),
            ("another provider's holders", by(&[&strange, first]), "by nobody who holds a root key"),
            ("nobody", by(&[]), "0 of 2 root holders"),
        ]
    }

    fn of_logs(&self) -> Vec<Case> {
        let (old, own) = (self.right.ended.as_str(), self.own.seed());
        let at = |note: String| self.with(|said| said.checkpoint = note);
        let other = || "log.other.example/1".to_owned();
        vec![
            ("a checkpoint under another key", at(forged(old, [9; 32], 3)), "checkpoint of"),
            ("one of another history, under the log's own key", at(forged(old, own, 3)), "of another history"),
            ("one of another log", at(forged(NEW, own, 3)), "checkpoint of"),
            ("another log's end", self.with(|said| said.ended = other()), "and the one in force is"),
            ("another log than the manifest's", self.with(|said| said.origin = other()), "and the manifest names"),
            ("the old name", self.named(old, &self.key), "take another origin"),
            ("no name of a key", self.named("log two", &self.key), "origin: expected"),
            (
                "a key that is not here",
                self.named(NEW, &SigningKey::from_seed(&[62; 32])),
                "has no log*.key with the id",
            ),
            ("the old key", self.named(NEW, &self.own), "still lists the ended log's key"),
        ]
    }

    fn of_manifests(&self) -> Vec<Case> {
        let spki = self.own.verifying().to_spki();
        let ended = gallra_coordinator::signing::public(&spki, Algorithm::Ed25519, KeyRole::Log);
        let issuer = self.issuer.listed(KeyRole::Issuer);
        vec![
            ("the ended log's key", self.other(|next| next.keys.push(ended)), "still lists the ended log's key"),
            (
                "other issuer keys",
                self.other(|next| replace(next, KeyRole::Issuer, issuer)),
                "changes the issuer's keys, too",
            ),
            ("not the next one", self.other(|next| next.version += 1), "and the next one is version"),
            (
                "an agent left out",
                self.other(|next| next.keys.retain(|key| key.role != KeyRole::Agent)),
                "leaves out the key of agent",
            ),
            ("no succession", Words { succession: self.words().manifest, ..self.words() }, "not a log succession"),
        ]
    }
}

#[tokio::test]
async fn words_that_end_no_log_change_nothing() {
    let site = Site::new(&["www"]).await;
    let table = Table::new(&site).await;
    let (site, ()) = site
        .while_stopped(async |layout, now| {
            for (what, words, why) in [table.of_signers(), table.of_logs(), table.of_manifests()].into_iter().flatten()
            {
                let refused = succeed(&layout, now, &words).await.expect_err(what);
                assert!(refused.contains(why), "{what}: {refused}");
                assert!(!layout.path("log/ended").exists() && !layout.path("log/ended-1").exists(), "{what}");
            }
        })
        .await;
    assert_eq!(site.core.ledger.origin().as_str(), table.right.ended);
    crate::ceremony::sequence(&site).await;
    assert!(site.core.ledger.is_stopped().is_none() && site.core.ended.is_empty(), "the log goes on");
    // None of it was the reason of the others: the right words are taken.
    let (site, told) = site.while_stopped(async |layout, now| succeed(&layout, now, &table.words()).await).await;
    told.expect("taken");
    assert_eq!(site.core.ledger.origin().as_str(), NEW);
}
