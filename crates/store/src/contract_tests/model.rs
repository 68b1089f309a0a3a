//! Random transactions against a map in memory: same outcomes, same entries, same versions.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::key::Key;
use crate::store::{Store, StoreError};
use crate::txn::{Expect, Revision, Txn};

use super::{Fixture, all, key, pages};

const KEYS: usize = 5;

/// What a random transaction expects of a key, put so that about half of it holds.
#[derive(Debug, Clone, Copy)]
enum Wish {
    Absent,
    Present,
    AsIs,
    Stale,
}

/// A random transaction, by numbers of keys.
#[derive(Debug, Clone)]
struct Draft {
    wishes: Vec<(usize, Wish)>,
    /// Unset: removed.
    writes: BTreeMap<usize, Option<Vec<u8>>>,
    page: usize,
}

fn draft() -> impl Strategy<Value = Draft> {
    let wish = prop_oneof![
        1 => Just(Wish::Absent), 1 => Just(Wish::Present), 4 => Just(Wish::AsIs), 1 => Just(Wish::Stale)
    ];
    let value = prop::option::weighted(0.7, prop::collection::vec(any::<u8>(), 0..40));
    let wishes = prop::collection::vec((0..KEYS, wish), 0..3);
    let writes = prop::collection::btree_map(0..KEYS, value, 0..4);
    (wishes, writes, 1usize..4).prop_map(|(wishes, writes, page)| Draft { wishes, writes, page })
}

#[derive(Default)]
struct Model {
    entries: BTreeMap<Key, (Revision, Vec<u8>)>,
    newest: Revision,
}

impl Model {
    fn version(&self, key: &Key) -> Option<Revision> {
        self.entries.get(key).map(|(version, _)| *version)
    }

    fn expect(&self, key: &Key, wish: Wish) -> Expect {
        match (wish, self.version(key)) {
            (Wish::Absent, _) | (Wish::AsIs, None) => Expect::Absent,
            (Wish::Present, _) => Expect::Present,
            (Wish::AsIs, Some(version)) => Expect::Version(version),
            (Wish::Stale, version) => Expect::Version(Revision(version.map_or(1, |version| version.0 - 1))),
        }
    }

    /// Takes over what the store did, at the revision that the store says.
    fn write(&mut self, draft: &Draft, at: Revision) {
        let mut changed = false;
        for (n, value) in &draft.writes {
            let key = numbered(*n);
            changed |= match value {
                Some(value) => {
                    self.entries.insert(key, (at, value.clone()));
                    true
                }
                None => self.entries.remove(&key).is_some(),
            };
        }
        if changed {
            assert!(at > self.newest, "a change has a revision of its own");
        } else {
            assert!(at >= self.newest);
        }
        self.newest = at;
    }
}

fn numbered(n: usize) -> Key {
    key(&format!("k{n}"))
}

/// See the module. Takes a maker of fixtures, since every case begins with an empty store.
///
/// # Panics
/// When the store and the map differ; the message has the smallest list of transactions that shows it.
pub fn random_transactions_do_what_a_map_does<F: Fixture>(fixture: impl Fn() -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let config = Config { cases: 48, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&prop::collection::vec(draft(), 1..16), |drafts| {
            runtime.block_on(play(fixture(), &drafts));
            Ok(())
        })
        .expect("the store does what the map does");
}

async fn play(mut fixture: impl Fixture, drafts: &[Draft]) {
    let store = fixture.open().await;
    let mut model = Model::default();
    for draft in drafts {
        step(&*store, &mut model, draft).await;
        let entries: Vec<_> = pages(&*store, all().range(), draft.page)
            .await
            .into_iter()
            .map(|entry| (entry.key, (entry.version, entry.value)))
            .collect();
        let expected: Vec<_> = model.entries.clone().into_iter().collect();
        assert_eq!(entries, expected);
    }
}

async fn step(store: &dyn Store, model: &mut Model, draft: &Draft) {
    let mut txn = Txn::new();
    let mut failing = None;
    for (n, wish) in &draft.wishes {
        let (key, expect) = (numbered(*n), model.expect(&numbered(*n), *wish));
        if failing.is_none() && !expect.holds(model.version(&key)) {
            failing = Some(key.clone());
        }
        txn = txn.expect(key, expect);
    }
    for (n, value) in &draft.writes {
        txn = match value {
            Some(value) => txn.put(numbered(*n), value.clone()),
            None => txn.delete(numbered(*n)),
        };
    }
    match (store.commit(txn).await, failing) {
        (Ok(revision), None) => model.write(draft, revision),
        (Err(StoreError::Conflict { key }), Some(failing)) => assert_eq!(key, failing),
        (outcome, failing) => panic!("{outcome:?}, where the map says conflict at {failing:?}"),
    }
}
