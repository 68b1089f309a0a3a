//! The engine against real etcd: the contract, and what only this engine promises.
#![allow(missing_docs, reason = "a program of its own")]

mod contract;
mod full;
mod history;
mod leading;
mod lost;
mod members;
mod strangers;

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use gallra_store::watch::Change;
use gallra_store::{Key, KeyPrefix, Watch};

/// Longest wait for anything, on a machine that is busy with other tests.
const BOUND: Duration = Duration::from_secs(60);

fn key(text: &str) -> Key {
    Key::parse(text).expect("a key")
}

fn prefix(text: &str) -> KeyPrefix {
    KeyPrefix::parse(text).expect("a prefix")
}

/// A failure rather than a test that hangs.
async fn bounded<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(BOUND, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: not within {BOUND:?}"),
    }
}

/// Asks again and again until it is so.
async fn until<F: Future<Output = bool>>(what: &str, mut so: impl FnMut() -> F) {
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    bounded(what, async {
        while !so().await {
            ticks.tick().await;
        }
    })
    .await;
}

/// Waits until all of these were named, or everything is to be read again.
async fn hear(watch: &mut Watch, mut expected: BTreeSet<Key>) {
    bounded("every change is told", async {
        while !expected.is_empty() {
            match watch.next().await {
                Change::Keys(keys) => keys.iter().for_each(|key| {
                    expected.remove(key);
                }),
                Change::Lagged => expected.clear(),
                Change::Closed => panic!("the store is open"),
            }
        }
    })
    .await;
}
