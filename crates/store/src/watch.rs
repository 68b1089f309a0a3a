//! Watches: being told which keys changed, without a queue that grows. Owns both ends; knows no engine. Upholds I10: a
//! watch holds each changed key once, and past its bound says that it lagged instead of holding more.

use std::collections::{BTreeSet, HashMap};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

use crate::key::{Key, KeyPrefix};

/// Most changed keys that one watch holds before it says [`Change::Lagged`].
pub const MAX_WATCH_KEYS: usize = 4_096;

/// What a watch tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// These keys were written or removed since the last answer, each named once, in order of keys.
    Keys(Vec<Key>),
    /// More changed than the watch holds: read the whole range again.
    Lagged,
    /// The store is closed; nothing more will come.
    Closed,
}

#[derive(Default)]
struct Pending {
    keys: BTreeSet<Key>,
    lagged: bool,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    pending: Mutex<Pending>,
    wake: Notify,
}

/// A poisoned lock only means that another thread panicked between two whole changes of plain data.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut Pending)) {
        change(&mut lock(&self.pending));
        self.wake.notify_one();
    }
}

/// The reader's end. Dropping it ends the watch.
pub struct Watch {
    shared: Arc<Shared>,
}

impl Watch {
    /// Waits for the next change. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Change {
        loop {
            if let Some(change) = self.try_next() {
                return change;
            }
            self.shared.wake.notified().await;
        }
    }

    /// The next change, if there is one already.
    pub fn try_next(&mut self) -> Option<Change> {
        let mut pending = lock(&self.shared.pending);
        if mem::take(&mut pending.lagged) {
            Some(Change::Lagged)
        } else if !pending.keys.is_empty() {
            Some(Change::Keys(mem::take(&mut pending.keys).into_iter().collect()))
        } else if pending.closed {
            Some(Change::Closed)
        } else {
            None
        }
    }
}

/// The engine's end: all watches of one store, found by prefix, so that ten thousand agents' watches cost a commit no
/// more than one does.
#[derive(Default)]
pub struct Watches {
    inner: Mutex<Registry>,
}

#[derive(Default)]
struct Registry {
    by_prefix: HashMap<String, Vec<Weak<Shared>>>,
    /// Prefixes as of the last sweep of watches whose readers are gone.
    swept: usize,
    closed: bool,
}

impl Watches {
    /// A new watch of a prefix.
    pub fn watch(&self, prefix: &KeyPrefix) -> Watch {
        let shared = Arc::<Shared>::default();
        let mut registry = lock(&self.inner);
        if registry.closed {
            shared.change(|pending| pending.closed = true);
        } else {
            registry.sweep();
            let watches = registry.by_prefix.entry(prefix.as_str().to_owned()).or_default();
            watches.retain(|watch| watch.strong_count() > 0);
            watches.push(Arc::downgrade(&shared));
        }
        Watch { shared }
    }

    /// Tells whom it concerns that a key changed.
    pub fn changed(&self, key: &Key) {
        let mut registry = lock(&self.inner);
        for (slash, _) in key.as_str().match_indices('/') {
            let (prefix, _) = key.as_str().split_at(slash + 1);
            let Some(watches) = registry.by_prefix.get_mut(prefix) else { continue };
            watches.retain(|watch| tell(watch, key));
            if watches.is_empty() {
                registry.by_prefix.remove(prefix);
            }
        }
    }

    /// Tells everybody that their picture of the store is old, as after a gap in an engine's own feed.
    pub fn lagged(&self) {
        self.all(|pending| pending.lagged = true);
    }

    /// Ends all watches, and every later one at once.
    pub fn close(&self) {
        lock(&self.inner).closed = true;
        self.all(|pending| pending.closed = true);
    }

    fn all(&self, change: impl Fn(&mut Pending)) {
        let registry = lock(&self.inner);
        for watch in registry.by_prefix.values().flatten().filter_map(Weak::upgrade) {
            watch.change(&change);
        }
    }
}

impl Registry {
    /// Forgets watches whose readers are gone, each time the number of prefixes has doubled: a prefix under which
    /// nothing ever changes would else stay for good.
    fn sweep(&mut self) {
        if self.by_prefix.len() < 2 * self.swept.max(16) {
            return;
        }
        for watches in self.by_prefix.values_mut() {
            watches.retain(|watch| watch.strong_count() > 0);
        }
        self.by_prefix.retain(|_, watches| !watches.is_empty());
        self.swept = self.by_prefix.len();
    }
}

/// Whether the reader is still there.
fn tell(watch: &Weak<Shared>, key: &Key) -> bool {
    let Some(watch) = watch.upgrade() else { return false };
    watch.change(|pending| {
        // Having lagged means reading everything again, so what changed up to then needs no mention.
        if pending.lagged || pending.keys.contains(key) {
            return;
        }
        if pending.keys.len() < MAX_WATCH_KEYS {
            pending.keys.insert(key.clone());
        } else {
            pending.keys.clear();
            pending.lagged = true;
        }
    });
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        Key::parse(text).expect("a key")
    }

    fn prefix(text: &str) -> KeyPrefix {
        KeyPrefix::parse(text).expect("a prefix")
    }

    #[test]
    fn a_watch_hears_of_its_prefix_only_and_of_each_key_once() {
        let watches = Watches::default();
        let mut watch = watches.watch(&prefix("a/1/"));
        for text in ["a/1/x", "a/10/x", "a/1/x", "a/1/y/z", "b/1/x"] {
            watches.changed(&key(text));
        }
        assert_eq!(watch.try_next(), Some(Change::Keys(vec![key("a/1/x"), key("a/1/y/z")])));
        assert_eq!(watch.try_next(), None);
    }

    #[test]
    fn a_slow_reader_is_told_that_it_lagged_and_then_goes_on() {
        let watches = Watches::default();
        let mut watch = watches.watch(&prefix("a/"));
        for n in 0..=MAX_WATCH_KEYS {
            watches.changed(&key(&format!("a/{n}")));
        }
        assert_eq!(watch.try_next(), Some(Change::Lagged));
        assert_eq!(watch.try_next(), None, "what the new reading shows is not told again");
        watches.changed(&key("a/next"));
        assert_eq!(watch.try_next(), Some(Change::Keys(vec![key("a/next")])));
    }

    #[test]
    fn watches_whose_readers_are_gone_are_forgotten() {
        let watches = Watches::default();
        for n in 0..1_000 {
            drop(watches.watch(&prefix(&format!("a/{n}/"))));
        }
        assert!(lock(&watches.inner).by_prefix.len() <= 64);
        for _ in 0..100 {
            drop(watches.watch(&prefix("a/same/")));
        }
        assert!(lock(&watches.inner).by_prefix.get("a/same/").is_some_and(|same| same.len() <= 1));
    }

    #[test]
    fn closing_lets_what_happened_before_through() {
        let watches = Watches::default();
        let mut watch = watches.watch(&prefix("a/"));
        watches.changed(&key("a/x"));
        watches.close();
        assert_eq!(watch.try_next(), Some(Change::Keys(vec![key("a/x")])));
        assert_eq!(watch.try_next(), Some(Change::Closed));
        assert_eq!(watches.watch(&prefix("b/")).try_next(), Some(Change::Closed));
    }
}
