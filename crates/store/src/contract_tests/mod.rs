//! What every engine must do, as tests that know none: each takes a [`Fixture`] and drives the trait. An engine's own
//! test module runs them all with [`store_contract_tests!`](crate::store_contract_tests).

mod basics;
mod concurrent;
mod model;

use std::sync::Arc;

use async_trait::async_trait;

pub use basics::{
    a_conflict_leaves_nothing_behind, a_page_says_where_to_go_on, a_version_is_the_revision_of_the_last_write,
    bounds_are_refused_before_anything_is_written, conditions_hold_or_refuse,
    what_was_acknowledged_outlives_the_handle,
};
pub use concurrent::{
    a_watch_names_every_change_or_says_that_it_lagged, each_commit_has_a_revision_of_its_own,
    increments_of_many_lose_nothing, neighbours_of_a_conflict_succeed, one_of_many_creators_wins,
};
pub use model::random_transactions_do_what_a_map_does;

use crate::key::{Key, KeyPrefix, KeyRange};
use crate::store::{Entry, Store};

/// One store, empty at first, that can be opened again.
#[async_trait]
pub trait Fixture: Send {
    /// Opens the store. Called again only after every handle from before was dropped; it is the same store then.
    async fn open(&mut self) -> Arc<dyn Store>;
}

/// Makes one `#[tokio::test]` of each contract test; takes an expression that gives a fresh [`Fixture`]. Where stores live in a
/// server, `server = START => FIXTURE` starts one for each test, in the test's own thread, and the fixture may name it.
#[macro_export]
macro_rules! store_contract_tests {
    ($fixture:expr) => {
        $crate::store_contract_tests!(_server = () => $fixture);
    };
    ($server:ident = $start:expr => $fixture:expr) => {
        $crate::store_contract_tests!($server = $start => $fixture =>
            a_conflict_leaves_nothing_behind, a_page_says_where_to_go_on, a_version_is_the_revision_of_the_last_write,
            a_watch_names_every_change_or_says_that_it_lagged, bounds_are_refused_before_anything_is_written,
            conditions_hold_or_refuse, each_commit_has_a_revision_of_its_own, increments_of_many_lose_nothing, neighbours_of_a_conflict_succeed,
            one_of_many_creators_wins, what_was_acknowledged_outlives_the_handle);

        #[test]
        fn random_transactions_do_what_a_map_does() {
            let $server = $start;
            $crate::contract_tests::random_transactions_do_what_a_map_does(|| $fixture);
        }
    };
    ($server:ident = $start:expr => $fixture:expr => $($case:ident),*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let $server = $start;
                $crate::contract_tests::$case($fixture).await;
            }
        )*
    };
}

/// A key of the tests' own.
fn key(name: &str) -> Key {
    Key::parse(&format!("test/{name}")).expect("names in tests are of key characters")
}

/// All keys of the tests.
fn all() -> KeyPrefix {
    KeyPrefix::parse("test/").expect("a literal")
}

async fn value(store: &dyn Store, key: &Key) -> Option<Vec<u8>> {
    store.get(key).await.expect("reading works").map(|entry| entry.value)
}

/// A whole range, read in pages of `limit`.
async fn pages(store: &dyn Store, mut range: KeyRange, limit: usize) -> Vec<Entry> {
    let mut entries = Vec::new();
    loop {
        let page = store.range(&range, limit).await.expect("reading works");
        assert!(page.entries.len() <= limit, "a page holds at most what was asked for");
        assert!(page.more.is_none() || !page.entries.is_empty(), "a page with more to come holds something");
        entries.extend(page.entries);
        match page.more {
            Some(more) => range = range.starting_at(&more),
            None => return entries,
        }
    }
}
