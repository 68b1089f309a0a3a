//! Time stamping authorities that come and go with manifests: a proof is handed out with a stamp that whoever reads it under the
//! manifest that it names believes, or with none.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_log::note::Note;
use gallra_model::manifest::TimeAuthority;
use gallra_store::{Txn, keys};

use crate::ceremony::{Pair, anchor, done, key_file, next, proof, sequence, submit};
use crate::site::Site;
use crate::token;

/// The next manifest names this authority alone.
async fn names(site: &Site, root: &[u8]) {
    let authority = TimeAuthority { name: "Time".into(), certificate: STANDARD.encode(root) };
    let manifest = next(site, |manifest| manifest.authorities = vec![authority]).await;
    submit(site, &manifest, &[&Pair::first_root(site)]).await.expect("taken");
}

/// Keeps a time stamp by the root with seed 1 on the newest checkpoint.
async fn stamp(site: &Site) {
    sequence(site).await;
    let signed = site.core.ledger.checkpoint().expect("a checkpoint");
    let note = Note::parse(signed.note.as_bytes()).expect("a note");
    let token = token::parts("Time 1", note.unverified_text().as_bytes()).token();
    let txn = Txn::new().put(keys::ledger_stamp(&keys::Tree::First, signed.size), STANDARD.encode(token));
    site.core.store.commit(txn).await.expect("stored");
}

/// How many time stamps the proof that is fetched now has, and its level.
async fn fetched(site: &Site, request: &gallra_model::RequestId) -> (usize, &'static str) {
    let proof = proof(site, request).await;
    let file: serde_json::Value = serde_json::from_str(&proof).expect("JSON");
    let (keys, _) = key_file(site).await;
    let mut levels = Vec::new();
    for trust in [keys, anchor(site).await] {
        let trust = gallra_verify::Trust::parse(&trust).expect("something to trust");
        let verdict = gallra_verify::verify(proof.as_bytes(), &trust, &gallra_verify::Question::default());
        assert_eq!(verdict.exit_code(&[]), 0, "{}: {:#?}", verdict.conclusion(), verdict.checks);
        levels.push(verdict.level);
    }
    levels.dedup();
    let [level] = levels[..] else { panic!("two levels of one proof: {levels:?}") };
    (file.get("timestamps").and_then(serde_json::Value::as_array).expect("a list").len(), level)
}

#[tokio::test]
async fn a_stamp_that_the_manifest_of_a_proof_does_not_name_stays_out_of_it() {
    let site = Site::new(&["www"]).await;
    let anna = done(&site, "anna.example", "1001").await.request;
    assert_eq!(fetched(&site, &anna).await, (0, "A0"));
    names(&site, &token::certificate(1, "a root")).await;
    let berta = done(&site, "berta.example", "1002").await.request;
    assert_eq!(fetched(&site, &berta).await, (0, "A0"), "nothing is stamped yet");
    stamp(&site).await;
    assert_eq!(fetched(&site, &anna).await, (0, "A0"), "its manifest names nobody");
    assert_eq!(fetched(&site, &berta).await, (1, "A1"));
    names(&site, &token::issued(9, "another root", 9, "another root")).await;
    let carla = done(&site, "carla.example", "1003").await.request;
    stamp(&site).await;
    assert_eq!(fetched(&site, &carla).await, (0, "A0"), "its manifest names another");
    assert_eq!(fetched(&site, &berta).await, (1, "A1"));
}
