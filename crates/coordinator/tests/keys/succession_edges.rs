//! What is on its way when a log ends, and what was said of keys by positions of the log that ended.

use gallra_coordinator::signing::Ending;
use gallra_coordinator::succession::Words;
use gallra_model::job::Action;
use gallra_model::manifest::KeyRole;
use gallra_model::receipt::Verdict;
use gallra_model::request::JobState;

use crate::ceremony::{Pair, confirmed, done, key_file, next, proof, replace, sequence, signed, submit, verified};
use crate::site::Site;
use crate::succeeded::{NEW, log_key, names, said, sign, succeed, three, words};

#[tokio::test]
async fn a_proof_that_waited_for_the_ended_log_is_not_handed_out() {
    let site = Site::new(&["www"]).await;
    let holders = three(&site).await;
    let anna = confirmed(&site, "anna.example", "1001").await;
    let words = words(&site, &holders, 81, NEW).await;
    let jobs = site.jobs(&anna.request, Action::Confirm).await;
    let last = jobs.into_iter().find(|job| job.state == JobState::Ready).expect("a look again").id();
    site.ask(&last).await.expect("permitted");
    site.report(&anna.request, &last, Verdict::Done, None).await;
    assert!(site.view(&anna.request).await.request.done.is_some(), "the final proof is signed");
    let (site, told) = site.while_stopped(async |layout, now| succeed(&layout, now, &words).await).await;
    assert_eq!(told.expect("it goes on").lost, 1, "and it was foretold");
    sequence(&site).await;
    let stored = site.core.proofs(&anna.request).await.expect("reads");
    let refused = site.core.proof_file(&anna.request, stored.last().expect("a proof")).await;
    let why = refused.expect_err("a reader would refuse it").to_string();
    assert!(why.contains("was signed for the log"), "{why}");
}

/// Somebody else had the log's key for a while: what was entered since is not good, whoever said it.
#[tokio::test]
async fn a_proof_behind_the_last_good_checkpoint_is_not_handed_out_and_one_before_it_is() {
    let site = Site::new(&["www"]).await;
    let holders = three(&site).await;
    let anna = done(&site, "anna.example", "1001").await;
    sequence(&site).await;
    let good = site.core.ledger.checkpoint().expect("published");
    let berta = done(&site, "berta.example", "1002").await;
    let key = log_key(&site, 84);
    let manifest = next(&site, |manifest| names(manifest, NEW, &key)).await;
    let said = said(site.core.ledger.origin().as_str(), &good.note, &manifest);
    let by = [&holders[0], &holders[1]];
    let words = Words { succession: sign(&said, &by), manifest: signed(&manifest, &by) };
    let (site, told) = site.while_stopped(async |layout, now| succeed(&layout, now, &words).await).await;
    let told = told.expect("it goes on");
    assert_eq!((told.last, told.lost, told.stand), (good.size, 1, 1), "{told:?}");
    sequence(&site).await;
    let ended = site.folder.path().join("coordinator/log/ended-1");
    let read = |name: &str| std::fs::read_to_string(ended.join(name)).expect("written out");
    assert_eq!(verified(&proof(&site, &anna.request).await, &read("keys.json")).0, 0);
    let stored = site.core.proofs(&berta.request).await.expect("reads");
    let refused = site.core.proof_file(&berta.request, stored.last().expect("a proof")).await;
    let why = refused.expect_err("it stands behind it").to_string();
    assert!(why.contains("behind the last good checkpoint"), "{why}");
    let kept: gallra_model::envelope::Envelope = serde_json::from_str(&read("succession.json")).expect("the words");
    assert_eq!(kept, words.succession);
}

#[tokio::test]
async fn positions_of_the_ended_log_void_nothing_that_the_next_manifest_lists() {
    let site = Site::new(&["www"]).await;
    let (first, issuer) = (Pair::first_root(&site), Pair::of(82));
    let (_, file) = key_file(&site).await;
    let old = gallra_proof::manifest::read(&file.manifests[0].envelope).expect("a manifest").predicate;
    let old = old.keys.iter().find(|key| key.role == KeyRole::Issuer).expect("an issuer's key").keyid;
    // The agent joined at position 1; from position 2 on somebody else had the issuer's key. In the new log that word stands at 2.
    assert_eq!(file.events[0].index, 1);
    issuer.install(&site, "issuer-2");
    let other = next(&site, |manifest| replace(manifest, KeyRole::Issuer, issuer.listed(KeyRole::Issuer))).await;
    submit(&site, &other, &[&first]).await.expect("taken");
    site.core.end_key(&old, Ending::Compromised(2), "bertil").await.expect("said");
    let before = done(&site, "anna.example", "1001").await;
    assert_eq!(verified(&proof(&site, &before.request).await, &key_file(&site).await.0).0, 0);
    let holders = three(&site).await;
    let words = words(&site, &holders, 83, NEW).await;
    let (site, told) = site.while_stopped(async |layout, now| succeed(&layout, now, &words).await).await;
    told.expect("it goes on");
    let berta = done(&site, "berta.example", "1002").await;
    let (keys, file) = key_file(&site).await;
    assert_eq!(file.events[0].index, 2);
    let (code, line) = verified(&proof(&site, &berta.request).await, &keys);
    assert!(code == 0 && line.contains("final"), "{line}");
}
