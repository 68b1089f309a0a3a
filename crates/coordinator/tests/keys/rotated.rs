//! Every key changed twice, while requests go on, and proofs of before and after.

use gallra_coordinator::leader;
use gallra_coordinator::signing::Ending;
use gallra_model::manifest::KeyRole;

use crate::ceremony::{
    Pair, anchor, confirmed, done, erase, inspected, key_file, look, next, proof, replace, submit, verified,
};
use crate::site::Site;

/// The issuer's keys, three root holders of whom two act, and the agent's key: all of them others afterwards.
async fn all_changed(site: &mut Site, roots: &[&Pair], round: u8) -> [Pair; 3] {
    let old = site.evidence();
    site.core.end_key(&old, Ending::Retired, "bertil").await.expect("retired");
    site.joins_again(round, &["www"]).await;
    let issuer = Pair::of(round + 1);
    issuer.install(site, &format!("issuer-{round}"));
    let holders = [Pair::of(round + 2), Pair::of(round + 3), Pair::of(round + 4)];
    let manifest = next(site, |manifest| {
        replace(manifest, KeyRole::Issuer, issuer.listed(KeyRole::Issuer));
        replace(manifest, KeyRole::Root, holders.iter().flat_map(|holder| holder.listed(KeyRole::Root)).collect());
        manifest.holders = ["a", "b", "c"].iter().zip(&holders).map(|(name, pair)| pair.holder(name)).collect();
        manifest.threshold = 2;
    })
    .await;
    let by: Vec<&Pair> = roots.iter().copied().chain([&holders[0], &holders[2]]).collect();
    let submitted = submit(site, &manifest, &by).await.expect("taken");
    assert!(submitted.issuer_changed && submitted.index.is_some());
    holders
}

#[tokio::test]
async fn a_proof_of_today_and_one_of_tomorrow_verify_after_every_key_was_changed_twice() {
    let mut site = Site::new(&["www"]).await;
    let anna = done(&site, "anna.example", "1001").await;
    let berta = confirmed(&site, "berta.example", "1002").await;
    let old = proof(&site, &anna.request).await;
    let (old_keys, _) = key_file(&site).await;
    let anchor_of_old = anchor(&site).await;

    let first = Pair::first_root(&site);
    let holders = all_changed(&mut site, &[&first], 40).await;
    all_changed(&mut site, &[&holders[1], &holders[2]], 60).await;
    let site = site.restarted().await;

    // What was begun under the old keys ends under the new ones, and something begins after all of it.
    leader::run_due(&site.core).await.expect("a pass");
    look(&site, &berta).await;
    let carla = done(&site, "carla.example", "1003").await;
    let new = [proof(&site, &berta.request).await, proof(&site, &carla.request).await];
    let (keys, file) = key_file(&site).await;
    assert_eq!((file.manifests.len(), file.events.len()), (3, 5), "three enrolled, two retired");
    assert_eq!(anchor(&site).await, anchor_of_old, "the anchor stays");
    let fetched = proof(&site, &anna.request).await;
    for (proof, trust, what) in [
        (&fetched, &keys, "an old one that is fetched now, with the new file"),
        (&fetched, &anchor_of_old, "an old one that is fetched now, with the anchor"),
        (&old, &keys, "an old one with the new file"),
        (&old, &anchor_of_old, "an old one with the anchor"),
        (&old, &old_keys, "an old one with the old file"),
        (&new[0], &keys, "one begun before, with the new file"),
        (&new[0], &anchor_of_old, "one begun before, with the anchor"),
        (&new[1], &keys, "a new one with the new file"),
        (&new[1], &anchor_of_old, "a new one with the anchor"),
        (&new[1], &old_keys, "a new one with the old file, from which its chain goes on"),
    ] {
        let (code, line) = verified(proof, trust);
        assert_eq!(code, 0, "{what}: {line}");
    }
    for proof in [&old, &new[0], &new[1]] {
        assert!(verified(proof, &keys).1.contains("final"), "{}", verified(proof, &keys).1);
    }
}

#[tokio::test]
async fn requests_go_on_while_the_issuers_keys_are_changed() {
    let site = Site::new(&["www"]).await;
    let services: Vec<String> = (0..6).map(|number| format!("number{number}.example")).collect();
    for (service, number) in services.iter().zip(2000..) {
        site.sells(service, &number.to_string()).await;
    }
    let issuer = Pair::of(70);
    issuer.install(&site, "issuer-2");
    let manifest = next(&site, |manifest| replace(manifest, KeyRole::Issuer, issuer.listed(KeyRole::Issuer))).await;
    let first = Pair::first_root(&site);
    let ends = async {
        let mut ended = Vec::new();
        for (service, number) in services.iter().zip(2000..) {
            ended.push(site.ends_only(service, &number.to_string()).await.1);
        }
        ended
    };
    let (ended, submitted) = tokio::join!(ends, async {
        // In the middle of it: as soon as some of them wait for their places.
        for _ in 0..10_000 {
            if site.core.ledger.waiting().await.expect("reads") >= 3 {
                break;
            }
            tokio::task::yield_now().await;
        }
        submit(&site, &manifest, &[&first]).await.expect("taken")
    });
    assert!(submitted.issuer_changed);
    let (keys, _) = key_file(&site).await;
    for request in &ended {
        let leaving = inspected(&site, request).await;
        erase(&site, &leaving).await;
        look(&site, &leaving).await;
        look(&site, &leaving).await;
        let (code, line) = verified(&proof(&site, request).await, &keys);
        assert_eq!(code, 0, "{line}");
    }
}

#[tokio::test]
async fn a_manifest_whose_issuers_keys_are_not_here_changes_nothing() {
    let site = Site::new(&["www"]).await;
    let (first, absent) = (Pair::first_root(&site), Pair::of(80));
    let manifest = next(&site, |manifest| replace(manifest, KeyRole::Issuer, absent.listed(KeyRole::Issuer))).await;
    let refused = submit(&site, &manifest, &[&first]).await.err().map(|error| error.to_string());
    assert!(refused.as_deref().is_some_and(|why| why.contains("no Ed25519 key")), "{refused:?}");
    absent.install(&site, "issuer-next");
    submit(&site, &manifest, &[&first]).await.expect("with its keys it is taken");
    let anna = done(&site, "anna.example", "1001").await;
    assert_eq!(verified(&proof(&site, &anna.request).await, &anchor(&site).await).0, 0);
}

#[tokio::test]
async fn an_agent_that_joined_meanwhile_is_not_left_out() {
    let mut site = Site::new(&["www"]).await;
    let first = Pair::first_root(&site);
    let stale = next(&site, |manifest| manifest.threshold = 1).await;
    site.core.end_key(&site.evidence(), Ending::Revoked, "bertil").await.expect("revoked");
    site.joins_again(90, &["www"]).await;
    let refused = submit(&site, &stale, &[&first]).await.err().map(|error| error.to_string());
    assert!(refused.as_deref().is_some_and(|why| why.contains("leaves out the key of agent web1")), "{refused:?}");
    let fresh = next(&site, |_| ()).await;
    submit(&site, &fresh, &[&first]).await.expect("made again it is taken");
    let anna = done(&site, "anna.example", "1001").await;
    let (code, line) = verified(&proof(&site, &anna.request).await, &anchor(&site).await);
    assert_eq!(code, 0, "{line}");
}
