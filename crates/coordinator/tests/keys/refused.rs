//! Manifests that nobody takes: neither the coordinator, nor a verifier that finds one in a key file.

use gallra_coordinator::signing::sign_manifest;
use gallra_model::Digest;
use gallra_model::envelope::Envelope;
use gallra_model::manifest::{Entered, KeyFile, KeyRole, Manifest, TimeAuthority};

use crate::ceremony::{Pair, done, key_file, next, proof, replace, signed, submit, verified};
use crate::site::Site;

/// A site with a proof, whose manifests need two of three holders.
struct Court {
    site: Site,
    holders: [Pair; 3],
    proof: String,
}

impl Court {
    async fn new() -> Self {
        let site = Site::new(&["www"]).await;
        let holders = [Pair::of(30), Pair::of(31), Pair::of(32)];
        let manifest = next(&site, |manifest| seat(manifest, &holders)).await;
        let first = Pair::first_root(&site);
        let one = submit(&site, &manifest, &[&first, &holders[0]]).await.err().map(|error| error.to_string());
        assert!(one.as_deref().is_some_and(|why| why.starts_with("1 of 2 root holders of version 2")), "{one:?}");
        let own = submit(&site, &manifest, &[&holders[0], &holders[1]]).await.err().map(|error| error.to_string());
        assert!(own.as_deref().is_some_and(|why| why.starts_with("0 of 1 root holders of version 1")), "{own:?}");
        submit(&site, &manifest, &[&first, &holders[0], &holders[1]]).await.expect("taken");
        let anna = done(&site, "anna.example", "1001").await;
        let proof = proof(&site, &anna.request).await;
        Self { site, holders, proof }
    }

    /// What the coordinator says, and the exit code of a verifier that is given a key file with it.
    async fn judged(&self, envelope: Envelope) -> (Result<u32, String>, u8) {
        let (_, mut file) = key_file(&self.site).await;
        let index = self.site.core.ledger.committed().await.expect("reads").0;
        file.manifests.push(Entered { envelope: envelope.clone(), index });
        let code = verified(&self.proof, &text(&file)).0;
        let said = self.site.core.submit_manifest(&envelope, "bertil").await;
        (said.map(|submitted| submitted.manifest.version).map_err(|error| error.to_string()), code)
    }

    /// Refused by both, for this.
    async fn refused(&self, envelope: Envelope, why: &str) {
        let (said, code) = self.judged(envelope).await;
        let said = said.expect_err("the coordinator refuses it");
        assert!(said.contains(why), "{said}");
        assert_ne!(code, 0, "the verifier refuses a key file with it: {why}");
    }
}

fn text(file: &KeyFile) -> String {
    serde_json::to_string(file).expect("JSON") + "\n"
}

fn seat(manifest: &mut Manifest, holders: &[Pair]) {
    replace(manifest, KeyRole::Root, holders.iter().flat_map(|holder| holder.listed(KeyRole::Root)).collect());
    manifest.holders = ["a", "b", "c"].iter().zip(holders).map(|(name, pair)| pair.holder(name)).collect();
    manifest.threshold = 2;
}

#[tokio::test]
async fn two_of_three_holders_are_enough_and_one_twice_is_not_two() {
    let court = Court::new().await;
    let [a, b, c] = &court.holders;
    let manifest = next(&court.site, |_| ()).await;
    court.refused(signed(&manifest, &[a]), "1 of 2").await;
    let mut twice = signed(&manifest, &[a]);
    twice.signatures.extend(signed(&manifest, &[a]).signatures);
    twice.signatures.sort_by(|one, other| one.keyid.cmp(&other.keyid));
    court.refused(twice, "stands there twice").await;
    let half = sign_manifest(&manifest, &[&a.ed25519, &a.ml_dsa, &b.ed25519, &c.ml_dsa]).expect("signs");
    court.refused(half, "1 of 2").await;
    court.refused(signed(&manifest, &[a, b, &Pair::of(99)]), "by nobody who holds a root key").await;
    let mut flipped = signed(&manifest, &[a, b]);
    flipped.signatures[0].sig = flipped.signatures[1].sig.clone();
    court.refused(flipped, "does not verify").await;
    assert_eq!(court.judged(signed(&manifest, &[a, c])).await, (Ok(3), 0), "the right one is taken by both");
}

#[tokio::test]
async fn what_is_not_the_next_version_of_the_newest_is_refused() {
    let court = Court::new().await;
    let [a, b, _] = &court.holders;
    let right = next(&court.site, |_| ()).await;
    let with = |change: fn(&mut Manifest)| {
        let mut manifest = right.clone();
        change(&mut manifest);
        signed(&manifest, &[a, b])
    };
    court.refused(with(|manifest| manifest.version += 1), "and the next one is version 3").await;
    court.refused(with(|manifest| manifest.version -= 1), "and the next one is version 3").await;
    court.refused(with(|manifest| manifest.parent = Some(Digest::of(b"another"))), "and the next one").await;
    court.refused(with(|manifest| manifest.threshold = 0), "asks for no root holder").await;
    court.refused(with(|manifest| manifest.threshold = 4), "or for more than there are").await;
    court.refused(with(|manifest| manifest.holders[1] = manifest.holders[0].clone()), "two root keys of its own").await;
    court.refused(with(|manifest| manifest.keys.reverse()), "in order").await;
    court
        .refused(
            with(|manifest| {
                let agent = manifest.keys.iter_mut().find(|key| key.role == KeyRole::Agent).expect("the agent's");
                agent.actor = Some("web2".parse().expect("a name"));
            }),
            "another role, actor or algorithm",
        )
        .await;
    assert_eq!(court.judged(with(|_| ())).await, (Ok(3), 0), "the right one is taken by both");
}

#[tokio::test]
async fn a_time_stamping_authority_without_a_certificate_is_refused() {
    let court = Court::new().await;
    let [a, b, _] = &court.holders;
    for certificate in ["", "no base64", "bm8gY2VydGlmaWNhdGU="] {
        let manifest = next(&court.site, |manifest| {
            manifest.authorities = vec![TimeAuthority { name: "Time".into(), certificate: certificate.into() }];
        });
        let said = court.site.core.submit_manifest(&signed(&manifest.await, &[a, b]), "bertil").await;
        let said = said.expect_err("no certificate").to_string();
        assert!(said.contains("time stamping authority Time: no certificate"), "{said}");
    }
}

#[tokio::test]
async fn the_holders_of_before_have_to_agree() {
    let court = Court::new().await;
    let [a, b, _] = &court.holders;
    let usurpers = [Pair::of(40), Pair::of(41), Pair::of(42)];
    let manifest = next(&court.site, |manifest| seat(manifest, &usurpers)).await;
    let [x, y, _] = &usurpers;
    court.refused(signed(&manifest, &[x, y]), "0 of 2 root holders of version 2").await;
    court.refused(signed(&manifest, &[a, x, y]), "1 of 2 root holders of version 2").await;
    court.refused(signed(&manifest, &[a, b, x]), "1 of 2 root holders of version 3").await;
    assert_eq!(court.judged(signed(&manifest, &[a, b, x, y])).await, (Ok(3), 0));
}
