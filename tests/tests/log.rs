//! The log's commands against a running site: what they show, and that a checkpoint of the log's own key that the store cannot
//! know stops it for good, also over a start.
#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

use std::path::Path;
use std::process::{Command, Output};

use gallra_cli::demo::site::{programs, wait_for};
use gallra_log::checkpoint::Checkpoint;
use gallra_log::note::{Key, Kind, Note, Signer};
use gallra_log::tree::Hash;
use gallra_proof::key::SigningKey;
use gallra_testkit::Story;
use serde_json::Value;

fn gallra(profile: &Path, words: &[&str]) -> Output {
    Command::new(programs().expect("the programs").join("gallra"))
        .args(words)
        .env("GALLRA_PROFILE", profile)
        .output()
        .expect("gallra runs")
}

fn shown(profile: &Path) -> Value {
    let output = gallra(profile, &["log", "show", "--output", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// What the log would have signed at a size that it never had: the work of a store that is gone.
fn signed_elsewhere(key: &Signer) -> String {
    let origin = key.public().name().parse().expect("an origin");
    let checkpoint = Checkpoint { origin, size: 1_000_000, root: Hash::leaf(b"elsewhere"), extensions: Vec::new() };
    let mut note = Note::new(checkpoint.to_string()).expect("a note");
    note.sign(checkpoint.sign(key).expect("signs")).expect("fits");
    note.to_string()
}

#[tokio::test]
async fn a_kept_checkpoint_that_the_store_cannot_know_stops_the_log_over_a_start_too() {
    let mut story = Story::begin(|options| options.backups = false).await.expect("a site");
    let (profile, folder) = (story.site.profile(), story.site.path("coordinator"));
    let log = shown(&profile);
    let public = std::fs::read_to_string(folder.join("log.vkey")).expect("the public key lies beside");
    assert_eq!((log["vkey"].as_str(), log["stopped"].as_str()), (Some(public.trim_end()), Some("")));
    let public: Key = public.trim_end().parse().expect("a key");
    assert_eq!(log["origin"], public.name());
    for (words, code) in [
        (vec!["log", "tile", "tile/0/0"], 2),
        (vec!["log", "tile", "tile/63/000"], 3),
        (vec!["log", "entry", "1000000"], 3),
        (vec!["log", "hear", "/dev/null"], 2),
        (vec!["log", "hear", "/nothing/there"], 1),
    ] {
        assert_eq!(gallra(&profile, &words).status.code(), Some(code), "{words:?}");
    }
    let pem = std::fs::read_to_string(folder.join("log.key")).expect("the key");
    let seed = SigningKey::from_pem(&pem).expect("a key").seed();
    let note = story.folder.path().join("kept.note");
    let hear = ["log", "hear", &note.display().to_string()];
    let forged = Signer::from_seed(public.name(), Kind::Log, &[1; 32]).expect("a key");
    std::fs::write(&note, signed_elsewhere(&forged)).expect("written");
    assert_eq!(gallra(&profile, &hear).status.code(), Some(2), "another key's");
    assert_eq!(shown(&profile)["stopped"], "");

    let own = Signer::from_seed(public.name(), Kind::Log, &seed).expect("a key");
    std::fs::write(&note, signed_elsewhere(&own)).expect("written");
    let heard = gallra(&profile, &hear);
    assert_eq!(heard.status.code(), Some(1), "{}", String::from_utf8_lossy(&heard.stdout));
    assert!(String::from_utf8_lossy(&heard.stderr).contains("the store went back"));
    let stopped = shown(&profile)["stopped"].as_str().expect("a text").to_owned();
    assert!(stopped.contains("was seen with 1000000 entries"), "{stopped}");
    story.site.stop_coordinator().await.expect("it stops");
    story.site.start_coordinator().await.expect("it starts");
    let again =
        wait_for("the stop", async || Some(shown(&profile)["stopped"].as_str()?.to_owned()).filter(|s| !s.is_empty()));
    assert!(again.await.expect("stopped again").contains("was seen with 1000000 entries"));
}
