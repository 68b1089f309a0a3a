//! A log that cannot go on, and another that goes on where it ended: what becomes of proofs of before, of requests under way and of
//! new ones; and that nothing more of the ended log is signed, whatever store is put back.

use gallra_coordinator::layout::Layout;
use gallra_coordinator::leader;
use gallra_coordinator::opening;
use gallra_coordinator::succession::{Foretold, Words};
use gallra_log::entry::{Entry, Kind};
use gallra_model::envelope::Envelope;
use gallra_model::job::Action;
use gallra_model::manifest::{Algorithm, KeyRole, LogName, Manifest, Succession};
use gallra_model::permit::Denial;
use gallra_model::receipt::Verdict;
use gallra_model::request::RequestState;
use gallra_model::{Clock, Digest, Instant};
use gallra_proof::issuer::Signer;
use gallra_proof::key::SigningKey;
use gallra_proof::{manifest, succession};
use gallra_verify::{Question, Trust};

use crate::ceremony::{
    Pair, anchor, done, erase, inspected, key_file, leaves, look, next, proof, replace, sequence, signed, submit,
    verified,
};
use crate::site::{ENDED, Site, id};

/// The name of the log that goes on.
pub(crate) const NEW: &str = "log.test.invalid/2";

/// A new log's key, in the coordinator's directory.
pub(crate) fn log_key(site: &Site, seed: u8) -> SigningKey {
    let key = SigningKey::from_seed(&[seed; 32]);
    let path = site.folder.path().join(format!("coordinator/log-{seed}.key"));
    std::fs::write(path, key.to_pem().expect("PEM")).expect("written");
    key
}

/// Names another log in a manifest.
pub(crate) fn names(manifest: &mut Manifest, origin: &str, key: &SigningKey) {
    let spki = key.verifying().to_spki();
    let listed = gallra_coordinator::signing::public(&spki, Algorithm::Ed25519, KeyRole::Log);
    manifest.log = LogName { origin: origin.to_owned(), key: listed.keyid };
    replace(manifest, KeyRole::Log, vec![listed]);
}

/// What root holders sign so that the log of this manifest goes on.
pub(crate) fn said(ended: &str, checkpoint: &str, next: &Manifest) -> Succession {
    Succession {
        ended: ended.to_owned(),
        checkpoint: checkpoint.to_owned(),
        origin: next.log.origin.clone(),
        key: next.log.key,
        at: "2026-04-01T10:00:00Z".parse().expect("an instant"),
        clock: Clock::Simulated,
    }
}

pub(crate) fn sign(said: &Succession, by: &[&Pair]) -> Envelope {
    let signers: Vec<&dyn Signer> = by.iter().flat_map(|pair| pair.signers()).collect();
    manifest::sign(&manifest::unsigned(&succession::bytes(said).expect("bytes")), &signers).expect("signs")
}

/// Three holders of whom two act, in the place of the first one.
pub(crate) async fn three(site: &Site) -> [Pair; 3] {
    let holders = [Pair::of(31), Pair::of(32), Pair::of(33)];
    let seated = next(site, |manifest| {
        replace(manifest, KeyRole::Root, holders.iter().flat_map(|holder| holder.listed(KeyRole::Root)).collect());
        manifest.holders = ["a", "b", "c"].iter().zip(&holders).map(|(name, pair)| pair.holder(name)).collect();
        manifest.threshold = 2;
    })
    .await;
    let first = Pair::first_root(site);
    submit(site, &seated, &[&first, &holders[0], &holders[1]]).await.expect("seated");
    holders
}

/// The words of the first and the third of them, at the newest checkpoint.
pub(crate) async fn words(site: &Site, holders: &[Pair; 3], seed: u8, origin: &str) -> Words {
    let key = log_key(site, seed);
    let manifest = next(site, |manifest| names(manifest, origin, &key)).await;
    let checkpoint = site.core.ledger.checkpoint().expect("published").note;
    let said = said(site.core.ledger.origin().as_str(), &checkpoint, &manifest);
    let by = [&holders[0], &holders[2]];
    Words { succession: sign(&said, &by), manifest: signed(&manifest, &by) }
}

/// As `gallra-coordinator log succeed` does it.
pub(crate) async fn succeed(layout: &Layout, now: Instant, words: &Words) -> Result<Foretold, String> {
    let core = opening::open_to_read(layout, Some(now)).await.map_err(|error| format!("{error:#}"))?;
    core.succeed_log(layout, words).await.map_err(|error| error.to_string())
}

fn either(proof: &str, one: &str, other: &str) -> u8 {
    let trust = Trust::parse(one).expect("a key file").or(Trust::parse(other).expect("a key file"));
    gallra_verify::verify(proof.as_bytes(), &trust, &Question::default()).exit_code(&[])
}

/// The kinds of a log's first entries.
async fn beginning(site: &Site, count: u64) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for index in 0..count {
        let text = site.core.ledger.entry(index).await.expect("reads").expect("an entry");
        let entry: Entry = text.parse().expect("an entry");
        kinds.push(entry.about().expect("disclosed").kind);
    }
    kinds
}

#[tokio::test]
async fn where_a_logs_key_is_lost_two_of_three_holders_have_another_go_on() {
    let site = Site::new(&["www"]).await;
    let holders = three(&site).await;
    // One whose proof is final, one that is inspected, one whose data is gone and was not looked for yet.
    let anna = done(&site, "anna.example", "1001").await;
    let berta = leaves(&site, "berta.example", "1002").await;
    let carla = leaves(&site, "carla.example", "1003").await;
    erase(&site, &carla).await;
    let (old_proof, old_keys, anchor) =
        (proof(&site, &anna.request).await, key_file(&site).await.0, anchor(&site).await);
    let ended = site.core.ledger.checkpoint().expect("published");
    let words = words(&site, &holders, 51, NEW).await;

    let (site, told) = site
        .while_stopped(async |layout, now| {
            std::fs::remove_file(layout.path("log.key")).expect("lost");
            let lost = opening::open(&layout, Some(now)).await.map(|_| ()).map_err(|error| format!("{error:#}"));
            assert!(lost.is_err_and(|why| why.contains("log.key is missing")), "it cannot go on");
            let core = opening::open_to_read(&layout, Some(now)).await.expect("it is read");
            let foretold = core.foretell(&layout, &words).await.expect("foretold");
            assert!(!layout.path("log/ended").exists() && core.ended.is_empty(), "nothing was changed");
            drop(core);
            let told = succeed(&layout, now, &words).await.expect("it goes on");
            assert_eq!(told, foretold, "what was foretold is what is done");
            assert!(succeed(&layout, now, &words).await.expect("again").already, "a second run is no harm");
            told
        })
        .await;
    assert_eq!((told.anew.as_slice(), told.stay.as_slice()), ([berta.request].as_slice(), [carla.request].as_slice()));
    assert_eq!((told.last, told.lost), (ended.size, 0));

    // The new log begins with the succession, then all that was said of keys, in order.
    sequence(&site).await;
    assert_eq!(site.core.ledger.origin().as_str(), NEW);
    let (manifest, event) = (Kind::KeyManifest, Kind::KeyEvent);
    assert_eq!(beginning(&site, 5).await, [Kind::LogSuccession, manifest, event, manifest, manifest]);

    // Proofs of before stand, by the key file of the log that they are of, and by the anchor.
    let (keys, file) = key_file(&site).await;
    let written =
        std::fs::read_to_string(site.folder.path().join("coordinator/log/ended-1/keys.json")).expect("written out");
    let fetched = proof(&site, &anna.request).await;
    for (proof, trust, what) in [
        (&old_proof, &old_keys, "with the key file of then"),
        (&old_proof, &written, "with the one that was written out"),
        (&old_proof, &anchor, "with the anchor"),
        (&fetched, &written, "fetched now, with the one that was written out"),
        (&fetched, &anchor, "fetched now, with the anchor"),
    ] {
        let (code, line) = verified(proof, trust);
        assert!(code == 0 && line.contains("final"), "{what}: {line}");
    }
    assert_eq!(verified(&old_proof, &keys).0, 25, "the new file has the manifests at the new log's positions");
    assert_eq!((either(&old_proof, &keys, &written), either(&old_proof, &written, &keys)), (0, 0), "given both");
    assert_eq!(file.manifests.iter().map(|one| one.index).collect::<Vec<_>>(), [1, 3, 4]);

    // What was not begun is planned, inspected and erased under the new log.
    assert!(
        matches!(site.ask(&berta.erase.id()).await, Err(Denial::Stale | Denial::NotLogged)),
        "not under the old plan"
    );
    leader::run_due(&site.core).await.expect("a pass");
    assert_eq!(site.view(&berta.request).await.request.plan.expect("a plan").number, 2);
    let berta = inspected(&site, &berta.request).await;
    erase(&site, &berta).await;
    look(&site, &berta).await;
    look(&site, &berta).await;
    let dora = done(&site, "dora.example", "1004").await;
    for request in [berta.request, dora.request] {
        for trust in [&keys, &anchor] {
            let (code, line) = verified(&proof(&site, &request).await, trust);
            assert!(code == 0 && line.contains("final"), "{line}");
        }
    }
    stays_open(&site, &carla).await;
    told_again(&site, &keys).await;
    let site = site.restarted().await;
    assert_eq!(site.core.ledger.origin().as_str(), NEW);
    assert_eq!(verified(&proof(&site, &dora.request).await, &keys).0, 0, "after a start, too");
}

/// Data that has begun to go in the old log: looked for, and never proven, and the request says so.
async fn stays_open(site: &Site, carla: &crate::ceremony::Going) {
    let before = site.view(&carla.request).await.request.proofs;
    look(site, carla).await;
    look(site, carla).await;
    leader::run_due(&site.core).await.expect("a pass");
    let view = site.view(&carla.request).await;
    assert_eq!((view.request.proofs, view.request.done), (before, None), "a proof would be of two logs");
    assert!(view.request.state >= RequestState::Running);
    assert!(site.core.is_of_an_ended_log(&carla.request).await.expect("reads"), "and it says so");
}

/// The way out for it: billing takes the end back and tells it again, and everything is looked for anew.
async fn told_again(site: &Site, keys: &str) {
    site.core.resume_contract(&id("carla.example"), 0).await.expect("resumed");
    let end = gallra_coordinator::contracts::End {
        service: id("carla.example"),
        ended: ENDED,
        version: 0,
        cause: Some(site.cause("carla.example", "1003")),
    };
    let request = site.core.end_contract(&end).await.expect("ended again").request.expect("a request");
    site.core.settle_contract(&id("carla.example"), ENDED, 0).await.expect("settled");
    leader::run_due(&site.core).await.expect("planned");
    let again = inspected(site, &request).await;
    erase(site, &again).await;
    look(site, &again).await;
    look(site, &again).await;
    let (code, line) = verified(&proof(site, &request).await, keys);
    assert!(code == 0 && line.contains("final"), "{line}");
}

#[tokio::test]
async fn an_act_under_a_plan_of_the_ended_log_is_permitted_no_more() {
    let site = Site::new(&["www", "db"]).await;
    let holders = three(&site).await;
    let anna = leaves(&site, "anna.example", "1001").await;
    erase(&site, &anna).await;
    let words = words(&site, &holders, 52, NEW).await;
    let (site, told) = site.while_stopped(async |layout, now| succeed(&layout, now, &words).await).await;
    told.expect("it goes on");
    sequence(&site).await;
    leader::run_due(&site.core).await.expect("a pass");
    let other = site.jobs(&anna.request, Action::Erase).await.remove(1);
    assert_eq!(site.ask(&other.id()).await.err(), Some(Denial::NotLogged));
}

#[tokio::test]
async fn a_receipt_that_comes_after_the_log_ended_is_taken_as_what_it_was_permitted_as() {
    let site = Site::new(&["www"]).await;
    let holders = three(&site).await;
    let anna = leaves(&site, "anna.example", "1001").await;
    sequence(&site).await;
    site.ask(&anna.erase.id()).await.expect("permitted");
    let words = words(&site, &holders, 53, NEW).await;
    let (site, told) = site.while_stopped(async |layout, now| succeed(&layout, now, &words).await).await;
    told.expect("it goes on");
    site.report(&anna.request, &anna.erase.id(), Verdict::Done, None).await;
    let stored = gallra_coordinator::state::receipts(&*site.core.store, &anna.request).await.expect("reads");
    assert!(stored.last().expect("a receipt").taken, "it quotes the tree of its permit");
}

#[tokio::test]
async fn a_store_from_before_the_end_signs_nothing_more_of_the_ended_log() {
    let site = Site::new(&["www"]).await;
    let holders = three(&site).await;
    let words = words(&site, &holders, 54, NEW).await;
    let (site, copy) = site
        .while_stopped(async |layout, now| {
            let file = layout.path("store").join(gallra_store::embedded::FILE_NAME);
            let copy = std::fs::read(&file).expect("copied");
            succeed(&layout, now, &words).await.expect("it goes on");
            (file, copy)
        })
        .await;
    // Nothing of the new log was published yet, so that no file of its own tells.
    let (site, ()) = site.while_stopped(async |_, _| std::fs::write(&copy.0, &copy.1).expect("put back")).await;
    let size = site.core.ledger.committed().await.expect("reads").0;
    site.sells("anna.example", "1001").await;
    site.ends_only("anna.example", "1001").await;
    site.core.ledger.pass(site.core.time.now()).await.expect("a pass");
    let stopped = site.core.ledger.is_stopped().map(|stopped| stopped.to_string());
    assert!(stopped.is_some_and(|why| why.contains("was ended by a log succession")));
    assert_eq!(site.core.ledger.committed().await.expect("reads").0, size, "nothing was appended");
    assert!(site.core.ledger.checkpoint().is_none(), "and nothing published");
    // Run again, it goes on.
    let (site, again) = site.while_stopped(async |layout, now| succeed(&layout, now, &words).await).await;
    assert!(!again.expect("it goes on").already);
    sequence(&site).await;
    assert_eq!(site.core.ledger.origin().as_str(), NEW);
}

#[tokio::test]
async fn a_store_that_went_back_goes_on_from_a_checkpoint_that_others_kept() {
    let site = Site::new(&["www"]).await;
    let holders = three(&site).await;
    let (site, copy) = site
        .while_stopped(async |layout, _| {
            let file = layout.path("store").join(gallra_store::embedded::FILE_NAME);
            (file.clone(), std::fs::read(&file).expect("copied"))
        })
        .await;
    let (_, old_keys) = (done(&site, "anna.example", "1001").await, key_file(&site).await.0);
    let kept = site.core.ledger.checkpoint().expect("published");
    let words = words(&site, &holders, 55, NEW).await;
    let (site, ()) = site.while_stopped(async |_, _| std::fs::write(&copy.0, &copy.1).expect("put back")).await;
    site.core.ledger.pass(site.core.time.now()).await.expect("a pass");
    assert!(site.core.ledger.is_stopped().is_some(), "the guard stops it");
    let (site, told) = site.while_stopped(async |layout, now| succeed(&layout, now, &words).await).await;
    let told = told.expect("it goes on");
    assert!(told.store < told.last && told.last == kept.size, "{told:?}");
    let berta = done(&site, "berta.example", "1002").await;
    let (keys, _) = key_file(&site).await;
    let (code, line) = verified(&proof(&site, &berta.request).await, &keys);
    assert!(code == 0 && line.contains("final"), "{line}");
    assert_ne!(keys, old_keys);
}

#[tokio::test]
async fn a_log_can_end_twice() {
    let site = Site::new(&["www"]).await;
    let holders = three(&site).await;
    let anna = done(&site, "anna.example", "1001").await;
    let first = words(&site, &holders, 56, NEW).await;
    let (site, told) = site.while_stopped(async |layout, now| succeed(&layout, now, &first).await).await;
    told.expect("it goes on");
    let berta = done(&site, "berta.example", "1002").await;
    let second = words(&site, &holders, 57, "log.test.invalid/3").await;
    let (site, told) = site.while_stopped(async |layout, now| succeed(&layout, now, &second).await).await;
    assert_eq!(told.expect("again").stand, 2 + proofs_before(&site, &anna, &berta).await);
    let (site, again) = site.while_stopped(async |layout, now| succeed(&layout, now, &first).await).await;
    assert!(again.is_err_and(|why| why.contains("taken before")), "replayed");
    let anchor = anchor(&site).await;
    let folder = |number: u8| {
        let path = site.folder.path().join(format!("coordinator/log/ended-{number}/keys.json"));
        std::fs::read_to_string(path).expect("written out")
    };
    for (request, keys) in [(anna.request, folder(1)), (berta.request, folder(2))] {
        let file = proof(&site, &request).await;
        for trust in [&keys, &anchor] {
            let (code, line) = verified(&file, trust);
            assert_eq!(code, 0, "{line}");
        }
    }
    let carla = done(&site, "carla.example", "1003").await;
    assert_eq!(verified(&proof(&site, &carla.request).await, &key_file(&site).await.0).0, 0);
    let _: Digest = site.core.ledger.tree().expect("a later log");
}

/// Proofs beside the two final ones.
async fn proofs_before(site: &Site, one: &crate::ceremony::Going, other: &crate::ceremony::Going) -> usize {
    let count = async |request| site.core.proofs(request).await.expect("reads").len();
    count(&one.request).await + count(&other.request).await - 2
}
