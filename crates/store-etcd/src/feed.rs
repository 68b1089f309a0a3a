//! The feed: one watch in etcd over the whole cell, for all watches of this process. Owns the position in etcd's history and
//! recovery: whatever breaks, it goes on from the last revision that it heard; where etcd has forgotten that one, every watch
//! is told that it lagged. A gap is never silent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use etcd_client::{WatchOptions, WatchResponse, WatchStream};
use gallra_retry::Waits;
use gallra_store::election::boot_millis;
use gallra_store::txn::Revision;

use crate::Shared;
use crate::fault::{Fault, Kind};
use crate::members::MAX_ANSWER_BYTES;
use crate::read;

/// After so long without a word etcd is asked how far it is; after as long again without an answer the connection is given up.
const QUIET: Duration = Duration::from_secs(5);

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// When the feed last heard anything, for `doctor`: milliseconds on the boot-time clock; 0 before the first word.
#[derive(Debug, Default)]
pub(crate) struct Heard(AtomicU64);

impl Heard {
    fn now(&self) {
        self.0.store(boot_millis(), Ordering::Relaxed);
    }

    /// For how long nothing was heard; none before the first word.
    pub(crate) fn silent_for(&self) -> Option<Duration> {
        let heard = self.0.load(Ordering::Relaxed);
        (heard > 0).then(|| Duration::from_millis(boot_millis().saturating_sub(heard)))
    }
}

/// Why a watch in etcd ended.
enum Broken {
    /// Go on from the same position.
    Lost(Fault),
    /// The position is forgotten.
    Forgotten,
}

/// Feeds the watches with what happened after `from`, until the task is dropped.
pub(crate) async fn run(shared: Arc<Shared>, from: Revision) {
    let mut next = from.0 + 1;
    let mut waits = Waits::new(FIRST_WAIT, LONGEST_WAIT);
    loop {
        let (turn, _) = shared.members.current();
        let began = next;
        match follow(&shared, &mut next).await {
            Broken::Lost(fault) => {
                tracing::warn!(why = %fault.hint, revision = next, "the feed of changes broke; it goes on from there");
                shared.members.leave(turn, &fault);
            }
            Broken::Forgotten => match restart(&shared).await {
                Ok(now) => next = now,
                Err(fault) => tracing::warn!(why = %fault.hint, "the feed of changes cannot be taken up yet"),
            },
        }
        if next != began {
            waits.reset();
        }
        tokio::time::sleep(waits.next_wait()).await;
    }
}

/// Where to go on when what came between cannot be had: whoever watches reads everything again, at this revision or later.
async fn restart(shared: &Shared) -> Result<u64, Fault> {
    let now = read::revision(shared).await?;
    tracing::warn!(revision = now.0, "etcd forgot what the feed of changes had not heard; all watches read again");
    // Before anything later is told, and after the position was taken.
    shared.watches.lagged();
    Ok(now.0 + 1)
}

async fn follow(shared: &Shared, next: &mut u64) -> Broken {
    let mut stream = match tokio::time::timeout(shared.members.answer_within, open(shared, *next)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Broken::Lost(Fault::of(&error)),
        Err(_) => return Broken::Lost(Fault::silent(shared.members.answer_within)),
    };
    let mut asked = false;
    loop {
        match tokio::time::timeout(QUIET, stream.message()).await {
            Ok(Ok(Some(answer))) => {
                asked = false;
                shared.feed.now();
                if let Err(broken) = take(shared, next, &answer) {
                    return broken;
                }
            }
            Ok(Ok(None)) => return Broken::Lost(Fault::new(Kind::Unknown, "etcd ended the watch")),
            Ok(Err(error)) => return Broken::Lost(Fault::of(&error)),
            Err(_) if asked => return Broken::Lost(Fault::silent(2 * QUIET)),
            Err(_) => {
                asked = true;
                if let Err(error) = stream.request_progress().await {
                    return Broken::Lost(Fault::of(&error));
                }
            }
        }
    }
}

async fn open(shared: &Shared, next: u64) -> Result<WatchStream, etcd_client::Error> {
    let options = WatchOptions::new()
        .with_range(shared.prefix.end())
        .with_start_revision(i64::try_from(next).unwrap_or(i64::MAX))
        .with_progress_notify()
        // A transaction may be larger than one answer.
        .with_fragment();
    let (_, member) = shared.members.current();
    let mut client = member.client.watch_client().max_decoding_message_size(MAX_ANSWER_BYTES);
    client.watch(shared.prefix.first(), Some(options)).await
}

/// Tells of what is in one answer.
fn take(shared: &Shared, next: &mut u64, answer: &WatchResponse) -> Result<(), Broken> {
    if answer.compact_revision() > 0 {
        return Err(Broken::Forgotten);
    }
    if answer.canceled() {
        return Err(Broken::Lost(Fault::new(
            Kind::Unknown,
            format!("etcd ended the watch: {}", answer.cancel_reason()),
        )));
    }
    let header = answer.header();
    if header.is_some_and(|header| header.cluster_id() != shared.cluster) {
        return Err(Broken::Lost(Fault::new(Kind::Stale, "another cluster answers than the one that this began with")));
    }
    for kv in answer.events().iter().filter_map(|event| event.kv()) {
        if let Some(key) = shared.prefix.strip(kv.key()) {
            shared.watches.changed(&key);
        }
        // Not one further: an answer may end within a revision, and what is told twice does no harm. What etcd says about
        // progress moves nothing either: versions before 3.4.25 and 3.5.8 may say it before the events that it covers.
        *next = (*next).max(read::revision_of(kv.mod_revision()).0);
    }
    Ok(())
}
