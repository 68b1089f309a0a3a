//! Others write, look up and destroy while an epoch turns: nobody is lost, nobody comes back, nobody is unfindable.

use tokio::sync::watch;

use super::*;
use crate::keyring::Shared;

const WRITERS: u32 = 4;
const EACH: u32 = 40;

/// Makes persons, keeps looking for them, and takes every third away; until it is done, whatever turns meanwhile. Whoever is
/// faster than the epochs waits for them: each lives through three turnings.
async fn live(store: Arc<Embedded>, keyring: Arc<Keyring>, from: u32, mut turned: watch::Receiver<u32>) {
    for n in from..from + EACH {
        let so_far = (n - from) / (EACH / 3);
        turned.wait_for(|turned| *turned >= so_far).await.expect("it turns until all are done");
        loop {
            match store.commit(person(&keyring, Txn::new(), n)).await {
                Ok(_) => break,
                Err(StoreError::Conflict { .. }) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
        for known in from..=n {
            let gone = known % 3 == 0 && known + 1 < n;
            assert_eq!(readable(&*store, &keyring, known).await, !gone, "{known} of {from}..={n}");
        }
        if n > from && (n - 1) % 3 == 0 {
            while let Err(error) = forget(&*store, &keyring, n - 1).await {
                assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_lost_or_comes_back_while_epochs_turn() {
    let site = Site::new();
    let Open { store, keyring, effects } = site.open();
    let keyring = Arc::new(keyring);
    let turning = Turning { store: &*store, keyring: &keyring, effects: &effects, names: &by_number };
    let mut now = start();
    turning.turn(now, 10).await.expect("begins");
    let mut writers = tokio::task::JoinSet::new();
    let (turned, seen) = watch::channel(0);
    for writer in 0..WRITERS {
        writers.spawn(live(Arc::clone(&store), Arc::clone(&keyring), writer * 1_000, seen.clone()));
    }
    while !writers.is_empty() {
        match turning.turn(now, 1).await.expect("turns") {
            Progress::Turned { .. } => turned.send_modify(|turned| *turned += 1),
            Progress::NotDue { seconds } => now = Instant::from_second(now.as_second() + seconds).expect("an instant"),
            Progress::Working { .. } => {}
        }
        while let Some(ended) = writers.try_join_next() {
            ended.expect("nobody was lost");
        }
    }
    drop((store, effects));
    drop(keyring);
    let open = site.open();
    while !matches!(open.turn(now).await, Progress::NotDue { .. }) {}
    for n in (0..WRITERS).flat_map(|writer| writer * 1_000..writer * 1_000 + EACH) {
        let (last, gone) = (n % 1_000 == EACH - 1, n % 3 == 0);
        assert_eq!(open.readable(n).await, last || !gone, "{n}");
        let key = open.keyring.find_subject(&*open.store, &subject(n)).await.expect("reads");
        assert_eq!(key.is_some(), last || !gone, "the key of {n}");
    }
}

#[tokio::test]
async fn what_was_made_under_a_closed_epoch_is_refused() {
    let site = Site::new();
    let open = site.open();
    open.turn(start()).await;
    let late = person(&open.keyring, Txn::new(), 1);
    open.turning().turn(after_days(30), 3).await.expect("turns");
    let refused = open.store.commit(late).await;
    assert!(
        matches!(&refused, Err(StoreError::Conflict { key }) if *key == keys::meta_closed_epoch(Epoch::FIRST)),
        "{refused:?}"
    );
    open.store.commit(person(&open.keyring, Txn::new(), 1)).await.expect("under the new one");
    assert!(matches!(open.turn(after_days(30)).await, Progress::Turned { .. }));
    assert!(open.readable(1).await);
}

#[tokio::test]
async fn one_number_is_claimed_once_across_epochs() {
    let site = Site::new();
    let open = site.open();
    open.turn(start()).await;
    open.store.commit(person(&open.keyring, Txn::new(), 1)).await.expect("commits");
    // The new epoch has begun, the old index is not moved yet.
    open.turning().turn(after_days(30), 2).await.expect("turns");
    assert_eq!(open.keyring.epochs().len(), 2);
    let again = open.keyring.claim_index(Txn::new(), IndexKind::CustomerNumber, &number(1), "other");
    assert!(matches!(open.store.commit(again).await, Err(StoreError::Conflict { .. })));
}

#[tokio::test]
async fn a_shared_entry_is_read_under_every_epoch_and_written_under_the_newest_only() {
    let site = Site::new();
    let open = site.open();
    open.turn(start()).await;
    let find = async || {
        let shared = open.keyring.find_shared(&*open.store, IndexKind::UsedAddress, "192.0.2.1").await.expect("reads");
        let values: Vec<_> = shared.values().map(<[u8]>::to_vec).collect();
        (shared, values)
    };
    let write = async |shared: Shared, value: Option<&[u8]>| {
        open.store.commit(shared.replace_in(Txn::new(), value.map(<[u8]>::to_vec))).await
    };
    let (nothing, _) = find().await;
    write(find().await.0, Some(b"one")).await.expect("commits");
    assert!(matches!(write(nothing, Some(b"two")).await, Err(StoreError::Conflict { .. })), "one would be lost");
    // The new epoch has begun, the old entry is not moved yet.
    let (stale, _) = find().await;
    open.turning().turn(after_days(30), 2).await.expect("turns");
    assert_eq!(open.keyring.epochs().len(), 2);
    let (shared, values) = find().await;
    assert_eq!(values, [b"one"]);
    write(shared, Some(b"one, two")).await.expect("commits");
    let (shared, values) = find().await;
    assert_eq!(values, [b"one, two"], "once, under the new one");
    assert!(matches!(write(stale, Some(b"three")).await, Err(StoreError::Conflict { .. })));
    write(shared, None).await.expect("commits");
    assert!(find().await.1.is_empty());
}
