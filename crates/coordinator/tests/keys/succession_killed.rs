//! A process that is killed between two steps of a log succession: nothing is signed by either log until it is run again, and then
//! it is as if nothing had happened. The test starts itself again as the process to kill.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;

use gallra_coordinator::layout::Layout;
use gallra_coordinator::opening;
use gallra_coordinator::succession::Words;
use gallra_model::Instant;

use crate::ceremony::{done, key_file, proof, sequence, verified};
use crate::site::Site;
use crate::succeeded::{NEW, succeed, three, words};

const NAME: &str = "succession_killed::a_kill_between_two_steps_leaves_no_two_logs_in_force";
const FOLDER: &str = "GALLRA_SUCCESSION_CRASH_FOLDER";
const NOW: &str = "2026-04-01T10:00:00Z";

/// In the order in which they are passed.
const POINTS: [&str; 3] = ["log_ended", "log_begun", "log_succeeded"];

#[test]
fn a_kill_between_two_steps_leaves_no_two_logs_in_force() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if let Ok(folder) = std::env::var(FOLDER) {
        runtime.block_on(child(Path::new(&folder)));
        return;
    }
    for point in POINTS {
        runtime.block_on(killed_at(point));
    }
}

async fn child(folder: &Path) {
    let read = |name: &str| serde_json::from_slice(&std::fs::read(folder.join(name)).expect("there")).expect("JSON");
    let words = Words { succession: read("succession.json"), manifest: read("manifest.json") };
    let now: Instant = NOW.parse().expect("an instant");
    let _ = succeed(&Layout::new(folder.join("coordinator")), now, &words).await;
}

async fn killed_at(point: &str) {
    let site = Site::new(&["www"]).await;
    let holders = three(&site).await;
    let words = words(&site, &holders, 71, NEW).await;
    let write = |name: &str, envelope| {
        std::fs::write(site.folder.path().join(name), serde_json::to_vec(envelope).expect("JSON")).expect("written");
    };
    write("succession.json", &words.succession);
    write("manifest.json", &words.manifest);
    let old = site.core.ledger.checkpoint().expect("published").size;
    let folder = site.folder.path().to_owned();
    let is_in_force = point == "log_succeeded";
    let (site, ()) = site
        .while_stopped(async |layout, now| {
            let status = Command::new(std::env::current_exe().expect("this program"))
                .args(["--exact", NAME, "--nocapture"])
                .env(FOLDER, &folder)
                .env("GALLRA_CRASH_AT", point)
                .output()
                .expect("starts");
            assert_eq!(status.status.signal(), Some(9), "{point} was never passed: this round proves nothing");
            // Between: the one log has ended, and the other one is in force or does not exist.
            let core = opening::open(&layout, Some(now)).await.expect("it opens");
            core.ledger.heard(&crate::site::agent(), None).await.expect("heard");
            core.ledger.pass(now).await.expect("a pass");
            assert_eq!(core.ledger.is_stopped().is_none(), is_in_force, "{point}");
            assert_eq!(core.ledger.checkpoint().is_some(), is_in_force, "{point}");
            assert_eq!(core.ledger.origin().as_str() == NEW, is_in_force, "{point}");
            if !is_in_force {
                assert_eq!(
                    core.ledger.committed().await.expect("reads").0,
                    old,
                    "{point}: nothing more of the old one"
                );
            }
            drop(core);
            assert_eq!(succeed(&layout, now, &words).await.expect("again").already, is_in_force, "{point}");
        })
        .await;
    sequence(&site).await;
    let anna = done(&site, "anna.example", "1001").await;
    let (code, line) = verified(&proof(&site, &anna.request).await, &key_file(&site).await.0);
    assert!(code == 0 && line.contains("final"), "{point}: {line}");
}
