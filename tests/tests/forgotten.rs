//! I12: 31 days after a request's end, whoever has the disk and every key that is left reads no identifier of its subject in
//! any file of any process: store, journal, logs, an old copy of the store, backups. What stays is named here: the sealed
//! handle of what the law keeps.

use std::path::Path;

use gallra_store::Keyring;
use gallra_store::search::{Needles, search_files};
use gallra_testkit::{Story, day};
use gallra_wire::v1;

/// Everything that coordinator, agent and their logs wrote.
const OURS: [&str; 3] = ["coordinator", "agent", "logs"];

/// The files in which one of the leaver's identifiers can be read with the keys that are there now, clear, encoded or hashed.
fn readable(story: &Story) -> Vec<String> {
    let keyring = Keyring::open(&story.site.path("coordinator/keys")).expect("the keys");
    // The service id and the customer number are beginnings of those of the customer who stays, by intent: they would be
    // found in what is rightly there. The coordinator's own test searches for such ids (`crates/coordinator/tests/epochs.rs`).
    let leaver = &story.leaver;
    let needles = Needles::new([&leaver.hosted, &leaver.canary, &leaver.billing, &leaver.name].map(String::as_str));
    let mut hits = Vec::new();
    for folder in OURS {
        let root = story.site.path(folder);
        let found = search_files(&root, &keyring, &needles).expect("every file can be read");
        assert!(!found.is_empty(), "nothing was searched in {folder}");
        let named = |path: &Path| path.strip_prefix(story.site.path("")).expect("inside").display().to_string();
        hits.extend(found.iter().filter(|(_, found)| found.is_hit()).map(|(path, _)| named(path)));
    }
    hits
}

/// How many files are in the archive.
fn archived(story: &Story) -> usize {
    let (folder, mut files) = (story.site.path("coordinator/archive"), 0);
    for entry in std::fs::read_dir(folder).expect("an archive").map(|entry| entry.expect("reads")) {
        if entry.path().is_dir() {
            files += std::fs::read_dir(entry.path()).expect("a folder").count();
        }
    }
    files
}

async fn stopped<T>(story: &mut Story, look: impl FnOnce(&Story) -> T) -> T {
    story.site.stop_agent().await.expect("it ends");
    story.site.stop_coordinator().await.expect("it ends");
    let seen = look(story);
    story.site.start_coordinator().await.expect("it starts");
    story.site.start_agent().await.expect("it starts");
    seen
}

#[tokio::test]
async fn a_month_after_the_end_no_file_of_any_process_names_who_was_erased() {
    let mut story = Story::begin(|options| options.backups = false).await.expect("a site");
    let request = story.end_and_settle().await.expect("a request");
    let before = stopped(&mut story, |story| {
        // As a backup of the disk would have it, which nobody thinks of later.
        let (store, copy) = (story.site.path("coordinator/store"), story.site.path("coordinator/copy-of-the-store"));
        assert!(std::process::Command::new("cp").arg("-a").arg(store).arg(copy).status().expect("cp").success());
        readable(story)
    })
    .await;
    for place in ["coordinator/store", "coordinator/copy-of-the-store"] {
        let seen = before.iter().any(|path| path.starts_with(place));
        assert!(seen, "the search is blind in {place}, so that its silence later would prove nothing: {before:?}");
    }

    story.advance(day(2026, 2, 28), 22, 30).await.expect("the clock moves");
    story.advance(day(2026, 3, 1), 22, 30).await.expect("the clock moves");
    let (_, _, stage) = story.newest_proof(&request).await.expect("a proof");
    assert_eq!(stage, v1::Stage::Final);
    for days in [5, 12, 20, 27, 31] {
        story.advance_days(day(2026, 3, 1), days).await.expect("the clock moves");
    }
    // Meanwhile it left the store, for a file that is searched as all others are.
    let (after, files) = stopped(&mut story, |story| (readable(story), archived(story))).await;
    assert_eq!(files, 1, "the request is in the archive");
    let (_, _, stage) = story.newest_proof(&request).await.expect("its proof is there all the same");
    assert_eq!(stage, v1::Stage::Final);
    assert_eq!(after, Vec::<String>::new(), "they still name who was erased a month ago");
}
