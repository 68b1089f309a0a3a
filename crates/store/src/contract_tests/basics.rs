//! One caller: conditions, versions, pages, bounds, durability.

use crate::key::KeyRange;
use crate::store::{MAX_PAGE_ENTRIES, StoreError};
use crate::txn::{Expect, MAX_TXN_BYTES, MAX_TXN_OPS, Revision, Txn, TxnRefused};

use super::{Fixture, all, key, pages, value};

/// Each expectation is met by what it names and by nothing else.
pub async fn conditions_hold_or_refuse(mut fixture: impl Fixture) {
    let store = fixture.open().await;
    let (here, gone, mark) = (key("here"), key("gone"), key("mark"));
    let written = store.commit(Txn::new().put(here.clone(), "1")).await.expect("unconditional");
    let cases = [
        (&here, Expect::Present, true),
        (&here, Expect::Absent, false),
        (&here, Expect::Version(written), true),
        (&here, Expect::Version(Revision(written.0 + 1)), false),
        (&gone, Expect::Absent, true),
        (&gone, Expect::Present, false),
        (&gone, Expect::Version(written), false),
        (&gone, Expect::Version(Revision(0)), false),
    ];
    for (subject, expect, holds) in cases {
        let outcome = store.commit(Txn::new().expect(subject.clone(), expect).put(mark.clone(), "x")).await;
        match outcome {
            Ok(_) => assert!(holds, "{subject} met {expect:?}"),
            Err(StoreError::Conflict { key }) => assert!(!holds && &key == subject, "{key} failed {expect:?}"),
            Err(other) => panic!("{subject} with {expect:?}: {other}"),
        }
    }
    let entry = store.get(&here).await.expect("reads").expect("is there");
    store.commit(Txn::new().replace(&entry, "2")).await.expect("unchanged since it was read");
    let again = store.commit(Txn::new().replace(&entry, "3")).await;
    assert!(matches!(again, Err(StoreError::Conflict { .. })), "it changed since it was read");
    store.commit(Txn::new().expect_as_read(&gone, None).delete(here.clone())).await.expect("absent as read");
    assert_eq!(value(&*store, &here).await, None);
}

/// One failed expectation among many stops all writes of its transaction.
pub async fn a_conflict_leaves_nothing_behind(mut fixture: impl Fixture) {
    let store = fixture.open().await;
    store.commit(Txn::new().put(key("b"), "old")).await.expect("unconditional");
    let txn = Txn::new().create(key("a"), "new").create(key("b"), "new").create(key("c"), "new").delete(key("d"));
    let outcome = store.commit(txn).await;
    assert!(matches!(outcome, Err(StoreError::Conflict { key: at }) if at == key("b")));
    let left: Vec<_> = pages(&*store, all().range(), 10).await.into_iter().map(|e| (e.key, e.value)).collect();
    assert_eq!(left, [(key("b"), b"old".to_vec())]);
}

/// Revisions count commits that changed something, and a key carries that of its last write.
pub async fn a_version_is_the_revision_of_the_last_write(mut fixture: impl Fixture) {
    let store = fixture.open().await;
    let first = store.commit(Txn::new().put(key("a"), "1").put(key("b"), "1")).await.expect("writes");
    let second = store.commit(Txn::new().put(key("b"), "2")).await.expect("writes");
    assert!(first < second);
    for (name, version) in [("a", first), ("b", second)] {
        assert_eq!(store.get(&key(name)).await.expect("reads").map(|entry| entry.version), Some(version));
    }
    let idle = store.commit(Txn::new().delete(key("none")).expect(key("a"), Expect::Present)).await.expect("holds");
    assert_eq!(idle, second, "what changes nothing is no commit");
    let removed = store.commit(Txn::new().delete(key("a"))).await.expect("removes");
    let back = store.commit(Txn::new().create(key("a"), "1")).await.expect("is absent");
    assert!(second < removed && removed < back, "a key that came back has a version of its own");
}

/// Pages come in order, end where they should, and leave nothing out.
pub async fn a_page_says_where_to_go_on(mut fixture: impl Fixture) {
    const COUNT: usize = MAX_PAGE_ENTRIES + 250;
    let store = fixture.open().await;
    let names: Vec<String> = (0..COUNT).map(|n| format!("p/{n:05}")).collect();
    for chunk in names.chunks(MAX_TXN_OPS) {
        let txn = chunk.iter().fold(Txn::new(), |txn, name| txn.put(key(name), name.as_bytes()));
        store.commit(txn).await.expect("writes");
    }
    store.commit(Txn::new().put(key("o"), "before").put(key("q"), "after")).await.expect("writes");
    let range = crate::KeyPrefix::parse("test/p/").expect("a literal").range();
    for limit in [7, COUNT + 1] {
        let found: Vec<String> = paged(&*store, range.clone(), limit)
            .await
            .into_iter()
            .map(|e| String::from_utf8_lossy(&e).into())
            .collect();
        assert_eq!(found, names, "limit {limit}");
    }
    let page = store.range(&range, COUNT).await.expect("reads");
    assert!(page.entries.len() <= MAX_PAGE_ENTRIES && page.more.is_some(), "a page is bounded whatever is asked for");
    let last = store.range(&range.clone().starting_at(&key("p/01249")), 1).await.expect("reads");
    assert_eq!((last.entries.len(), last.more), (1, None), "the last entry leaves nothing to come");
    let none = store.range(&range.starting_at(&key("p/zzz")), 5).await.expect("reads");
    assert_eq!((none.entries.len(), none.more), (0, None));
}

async fn paged(store: &dyn crate::Store, range: KeyRange, limit: usize) -> Vec<Vec<u8>> {
    pages(store, range, limit).await.into_iter().map(|entry| entry.value).collect()
}

/// What is too big for some engine is refused by all, and the biggest that fits is taken.
pub async fn bounds_are_refused_before_anything_is_written(mut fixture: impl Fixture) {
    let store = fixture.open().await;
    let many = |count: usize| (0..count).fold(Txn::new(), |txn, n| txn.put(key(&format!("m/{n}")), "x"));
    let checks = (0..=MAX_TXN_OPS).fold(Txn::new(), |txn, n| txn.expect(key(&format!("e/{n}")), Expect::Absent));
    let big = |bytes: usize| Txn::new().put(key("big"), vec![7; bytes]);
    let room = MAX_TXN_BYTES - key("big").as_bytes().len();
    let twice = Txn::new().put(key("t"), "1").delete(key("t"));
    for (txn, reason) in [
        (many(MAX_TXN_OPS + 1), TxnRefused::Ops(MAX_TXN_OPS + 1)),
        (checks, TxnRefused::Ops(MAX_TXN_OPS + 1)),
        (big(room + 1), TxnRefused::Bytes(MAX_TXN_BYTES + 1)),
        (twice, TxnRefused::Twice(key("t"))),
    ] {
        let outcome = store.commit(txn).await;
        assert!(matches!(&outcome, Err(StoreError::Refused(why)) if *why == reason), "{outcome:?}");
    }
    assert!(pages(&*store, all().range(), 10).await.is_empty());
    store.commit(many(MAX_TXN_OPS)).await.expect("as many as fit");
    store.commit(big(room)).await.expect("as big as fits");
    assert_eq!(value(&*store, &key("big")).await.map(|bytes| bytes.len()), Some(room));
}

/// Entries, versions and the revision are there after the store was closed and opened again; so is any byte.
pub async fn what_was_acknowledged_outlives_the_handle(mut fixture: impl Fixture) {
    let bytes: Vec<u8> = (0..=u8::MAX).collect();
    let store = fixture.open().await;
    store.commit(Txn::new().put(key("a"), bytes.clone()).put(key("empty"), "")).await.expect("writes");
    let last = store.commit(Txn::new().put(key("b"), "2").put(key("c"), "3")).await.expect("writes");
    store.commit(Txn::new().delete(key("c"))).await.expect("removes");
    let before = pages(&*store, all().range(), 10).await;
    drop(store);
    let store = fixture.open().await;
    assert_eq!(pages(&*store, all().range(), 10).await, before);
    assert_eq!(value(&*store, &key("a")).await, Some(bytes));
    assert_eq!(value(&*store, &key("empty")).await, Some(Vec::new()));
    assert_eq!(value(&*store, &key("c")).await, None);
    let next = store.commit(Txn::new().put(key("d"), "4")).await.expect("writes");
    assert!(next > last, "revisions go on where they were");
}
