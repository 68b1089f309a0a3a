//! `docs/log.md`: its commands, run as they stand on the page against a served log, say what the page says, and see a log
//! that changed its history, its entries or its key.

use std::path::Path;
use std::process::Command;

use gallra_log::note::{Kind, Signer};
use gallra_tlog::Tiles;

use crate::Served;
use crate::log::{Log, ORIGIN};

const PAGE: &str = include_str!("../../../../docs/log.md");

/// The fenced blocks of a language, one by one.
fn blocks(language: &str) -> Vec<&'static str> {
    let parts = PAGE.split("```").skip(1).step_by(2);
    parts.filter_map(|part| part.strip_prefix(language)?.strip_prefix('\n')).collect()
}

/// Brings the mirror in the folder up to a log, and says what was said.
async fn mirror(folder: &Path, log: Log, vkey: &str) -> String {
    let served = Served::new(Tiles(log)).await;
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(blocks("sh").concat()).current_dir(folder);
    shell.env("LOG", format!("http://{}", served.at)).env("VKEY", vkey).env("no_proxy", "127.0.0.1");
    let output = tokio::task::spawn_blocking(move || shell.output().unwrap()).await.unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn key() -> String {
    Log::of(0).key.public().to_string()
}

#[tokio::test]
async fn the_pages_commands_mirror_a_log_that_grows_and_see_that_it_did_not() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = blocks("text")[..] else { panic!("two answers") };
    assert_eq!(mirror(folder.path(), Log::of(300), &key()).await, first);
    assert_eq!(mirror(folder.path(), Log::of(305), &key()).await, second);
    assert_eq!(std::fs::read(folder.path().join("tile/entries/000")).unwrap().len(), 10 * 9 + 90 * 10 + 156 * 11);

    // A mirror that begins today sees nothing wrong with another history; this one does, whichever entries are the other ones.
    let said = mirror(folder.path(), Log::forked(310, 302, "another"), &key()).await;
    assert!(said.ends_with("the log has changed its history\n"), "{said}");
    assert!(folder.path().join("another-history").exists());
    let said = mirror(folder.path(), Log::forked(310, 20, "another"), &key()).await;
    assert!(!said.contains("are in the signed tree") && !said.contains("beginning"), "{said}");
    let said = mirror(folder.path(), Log::of(290), &key()).await;
    assert!(said.ends_with("the log has changed its history\n"), "a log that went back: {said}");
}

#[tokio::test]
async fn the_pages_commands_believe_nobody_else() {
    let new = || tempfile::tempdir().unwrap();
    let folder = new();
    let said = mirror(folder.path(), Log::of(0), &key()).await;
    assert_eq!(said, "Signature Verified Successfully\nall 0 entries are in the signed tree\n");

    // Another entry than the tree has: the tile of hashes is the tree's, the bundle is not.
    let folder = new();
    let mut log = Log::of(5);
    log.spoil(3);
    let said = mirror(folder.path(), log, &key()).await;
    assert!(!said.contains("are in the signed tree"), "{said}");

    let other = Signer::from_seed(ORIGIN, Kind::Log, &[9; 32]).unwrap().public().to_string();
    let said = mirror(new().path(), Log::of(5), &other).await;
    assert!(!said.contains("Successfully") && !said.contains("are in the signed tree"), "{said}");
    let renamed = key().replace("2026a", "2026b");
    let said = mirror(new().path(), Log::of(5), &renamed).await;
    assert!(said.contains("the id is wrong") && said.contains("another log"), "{said}");
    assert!(!said.contains("are in the signed tree"), "{said}");
}
