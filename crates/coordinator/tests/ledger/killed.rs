//! A process that is killed between two steps of a signature: whoever starts next goes on from what is on the disk, and signs no
//! other tree. The test starts itself again as the process to kill.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;

use gallra_coordinator::ledger::enqueue;
use gallra_log::tree::check_consistency;
use gallra_store::{Store as _, Txn};

use crate::place::{Place, at, entry, leaf, now};

const NAME: &str = "killed::a_kill_between_two_steps_loses_nothing_and_forks_nothing";
const FOLDER: &str = "GALLRA_LEDGER_CRASH_FOLDER";

/// In the order in which they are passed.
const POINTS: [&str; 5] = ["log_committed", "log_signed", "log_stored", "log_kept", "log_published"];

#[test]
fn a_kill_between_two_steps_loses_nothing_and_forks_nothing() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if let Ok(folder) = std::env::var(FOLDER) {
        runtime.block_on(sign_more(Path::new(&folder)));
        return;
    }
    for point in POINTS {
        runtime.block_on(killed_at(point));
    }
}

/// The child: four entries more, and a pass.
async fn sign_more(folder: &Path) {
    let (store, ledger) = Place::of(folder).await;
    for number in 3..7 {
        let txn = enqueue(Txn::new(), &entry(number), at(i64::try_from(number).expect("small")));
        store.commit(txn).await.expect("committed");
    }
    ledger.pass(now()).await.expect("a pass");
}

async fn killed_at(point: &str) {
    let mut place = Place::new().await;
    place.log(0..3).await;
    let before = place.published().expect("published");
    place.close();
    let status = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", NAME, "--nocapture"])
        .env(FOLDER, place.path(""))
        .env("GALLRA_CRASH_AT", point)
        .output()
        .expect("starts");
    assert_eq!(status.status.signal(), Some(9), "{point} was never passed: this round proves nothing");
    let kept = std::fs::read_to_string(place.path("log/published")).expect("kept");
    let at = POINTS.iter().position(|one| *one == point).expect("a point");
    assert_eq!(
        kept.contains("\n7\n"),
        at >= 3,
        "{point}: kept beside the store before it was handed out, not before it was stored"
    );
    place.reopen().await;
    assert_eq!(place.pass().await, 0, "{point}: what was committed has its place");
    let after = place.published().expect("published");
    assert_eq!((place.stopped(), after.size), (None, 7), "{point}");
    let path = place.ledger().consistency(3, 7).await.expect("a proof");
    assert_eq!(check_consistency(&path, (3, &before.root), (7, &after.root)), Ok(()), "{point}");
    for number in 0..7 {
        assert_eq!(place.ledger().position(&leaf(number)).await.expect("reads"), Some(number), "{point}");
    }
}
