//! A crash before and after every single commit and effect of a turning.

use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::key::{KeyPrefix, KeyRange};
use crate::keyring::KeyringError;
use crate::store::Page;
use crate::txn::Revision;
use crate::watch::Watch;

/// More than one batch of keys, and several pages of sealed values.
const PERSONS: u32 = 70;

/// Counts what changes something, and lets everything fail from one of them on: before it is done, or after.
struct Fuse {
    left: Mutex<u32>,
    done_first: bool,
}

impl Fuse {
    /// Whether this change happens, and whether it is heard of.
    fn burn(&self) -> (bool, bool) {
        let mut left = self.left.lock().expect("no panics");
        match *left {
            0 => (false, false),
            1 => {
                *left = 0;
                (self.done_first, false)
            }
            _ => {
                *left -= 1;
                (true, true)
            }
        }
    }

    fn blown(&self) -> bool {
        *self.left.lock().expect("no panics") == 0
    }
}

fn crashed() -> StoreError {
    StoreError::Uncertain { hint: "a crash".to_owned() }
}

struct Fused<'f>(&'f Open, &'f Fuse);

#[async_trait]
impl Store for Fused<'_> {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.0.store.get(key).await
    }

    async fn range(&self, range: &KeyRange, limit: usize) -> Result<Page, StoreError> {
        self.0.store.range(range, limit).await
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, StoreError> {
        let (happens, heard) = self.1.burn();
        let outcome = if happens { Some(self.0.store.commit(txn).await) } else { None };
        if heard { outcome.unwrap_or_else(|| Err(crashed())) } else { Err(crashed()) }
    }

    fn watch(&self, prefix: KeyPrefix) -> Watch {
        self.0.store.watch(prefix)
    }
}

impl Fused<'_> {
    async fn effect(&self, effect: impl Future<Output = Result<(), TurnError>> + Send) -> Result<(), TurnError> {
        let (happens, heard) = self.1.burn();
        if happens {
            effect.await?;
        }
        if heard { Ok(()) } else { Err(crashed().into()) }
    }
}

#[async_trait]
impl Effects for Fused<'_> {
    async fn make_key(&self, keyring: &Keyring, epoch: Epoch) -> Result<(), TurnError> {
        self.effect(self.0.effects.make_key(keyring, epoch)).await
    }

    async fn back_up(&self, keyring: &Keyring, epoch: Epoch, at: Instant) -> Result<(), TurnError> {
        self.effect(self.0.effects.back_up(keyring, epoch, at)).await
    }

    async fn destroy_key(&self, keyring: &Keyring, epoch: Epoch) -> Result<(), TurnError> {
        self.effect(self.0.effects.destroy_key(keyring, epoch)).await
    }

    async fn remove_backups_before(&self, epoch: Epoch) -> Result<(), TurnError> {
        self.effect(self.0.effects.remove_backups_before(epoch)).await
    }

    async fn rewrite(&self) -> Result<(), TurnError> {
        self.effect(self.0.effects.rewrite()).await
    }
}

/// A site in its thirtieth day, with a backup of its own.
async fn peopled() -> Site {
    let site = Site::new();
    let open = site.open();
    open.turn(start()).await;
    for some in (0..PERSONS).collect::<Vec<_>>().chunks(20) {
        let txn = some.iter().fold(Txn::new(), |txn, n| person(&open.keyring, txn, *n));
        open.store.commit(txn).await.expect("commits");
    }
    open.effects.back_up_now(&open.keyring, after_days(3)).await.expect("backs up");
    drop(open);
    site
}

/// Turns until the fuse blows or it is done; says which.
async fn turn_until_crash(site: &Site, fuse: &Fuse) -> Option<Progress> {
    let open = site.open();
    let fused = Fused(&open, fuse);
    let turning = Turning { store: &fused, keyring: &open.keyring, effects: &fused, names: &by_number };
    turning.turn(after_days(30), 1_000).await.ok()
}

/// After a crash, at any step: everybody is there, and a key that is gone was backed up before.
async fn nobody_is_lost(site: &Site, when: &str) {
    let open = site.open();
    for n in 0..PERSONS {
        assert!(open.readable(n).await, "{when}: {n} is lost");
    }
    let backed_up =
        site.names("backups").iter().any(|name| name.starts_with("store-00000002") && name.ends_with(".redb"));
    assert!(backed_up || open.keyring.epochs().contains(&Epoch::FIRST), "{when}: destroyed before a backup was made");
}

#[tokio::test]
async fn a_turning_goes_on_from_a_crash_before_any_of_its_steps() {
    crash_everywhere(false).await;
}

#[tokio::test]
async fn a_turning_goes_on_from_a_crash_after_any_of_its_steps() {
    crash_everywhere(true).await;
}

/// Turns once for each change that a turning makes, and crashes there.
async fn crash_everywhere(done_first: bool) {
    let peopled = peopled().await;
    for change in 0.. {
        let site = peopled.copy();
        let fuse = Fuse { left: Mutex::new(change + 1), done_first };
        let outcome = turn_until_crash(&site, &fuse).await;
        let when = format!("crash at change {change}, done first: {done_first}");
        nobody_is_lost(&site, &when).await;
        if !fuse.blown() {
            assert_eq!(outcome, Some(Progress::Turned { epoch: Epoch::FIRST.next() }));
            assert!(change > 12, "only {change} changes in a whole turning");
            return;
        }
        let open = site.open();
        let progress = open.turn(after_days(30)).await;
        assert!(matches!(progress, Progress::Turned { .. } | Progress::NotDue { .. }), "{when}: {progress:?}");
        is_turned(&site, &open, &when).await;
        drop(open);
        nobody_is_lost(&site, &when).await;
    }
}

/// Nothing of the old epoch is left, in the store or beside it.
async fn is_turned(site: &Site, open: &Open, when: &str) {
    assert_eq!(open.keyring.epochs(), [Epoch::FIRST.next()], "{when}");
    assert_eq!(site.names("keys"), ["closed.key", "epoch-00000002.key", "lasting.key"], "{when}");
    assert_eq!(site.names("store"), ["store.redb"], "{when}");
    assert_eq!(site.names("backups"), ["store-00000002-2026-01-31T000000Z.redb"], "{when}");
    assert!(open.turning().is_empty(&[Epoch::FIRST]).await.expect("reads"), "{when}");
    assert!(matches!(open.turn(after_days(30)).await, Progress::NotDue { .. }), "{when}: turned once, not twice");
}

#[tokio::test]
async fn without_the_old_key_nothing_is_given_up() {
    let site = peopled().await;
    let (away, back) = (site.path("elsewhere/a-key"), site.path("keys/epoch-00000001.key"));
    site.open().keyring.begin_epoch().expect("begins");
    std::fs::rename(&back, &away).expect("moves");
    let open = site.open();
    let outcome = open.turning().turn(after_days(30), 1_000).await;
    assert!(matches!(outcome, Err(TurnError::Keyring(KeyringError::NoEpoch(_)))), "{outcome:?}");
    drop(open);
    std::fs::rename(&away, &back).expect("a custodian brings it back");
    assert!(matches!(site.open().turn(after_days(30)).await, Progress::Turned { .. }));
    nobody_is_lost(&site, "after the key came back").await;
}
