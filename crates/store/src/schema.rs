//! Which schema a store is in, which ones a program speaks, and whether the two go together. Owns the record of it and the fence that
//! several coordinators carry: what one of them writes expects the schema that it knows, so that the store refuses whoever has not
//! heard of a newer one. Knows no step from one schema to the next, and no value. The record itself is read by every version for ever:
//! fields may be added to it, and none changes its meaning.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::key::{Key, KeyPrefix, KeyRange};
use crate::keys;
use crate::store::{Entry, Page, Store, StoreError};
use crate::txn::{Expect, Revision, Txn};
use crate::watch::Watch;

/// What `meta/schema` holds. A store without it is of before there was one: schema 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// All values are in a form that whoever reads this schema reads.
    pub number: u32,
    /// Programs that speak no schema as new as this one may neither read nor write.
    pub oldest: u32,
    /// A raise to this schema has begun: its form is what is written from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raising: Option<u32>,
}

impl Schema {
    /// The schema of a store, and the entry that says it.
    ///
    /// # Errors
    /// The engine's; [`StoreError::Format`] where the entry is none.
    pub async fn of(store: &dyn Store) -> Result<(Self, Option<Entry>), StoreError> {
        let entry = store.get(&keys::meta_schema()).await?;
        let Some(read) = &entry else { return Ok((Self::default(), None)) };
        let schema = serde_json::from_slice(&read.value).map_err(|_| StoreError::Format {
            hint: format!("{} holds no schema: the store is damaged, restore a backup", read.key),
        })?;
        Ok((schema, entry))
    }

    /// The entry's value.
    pub fn to_bytes(&self) -> Vec<u8> {
        let raising = self.raising.map(|to| format!(",\"raising\":{to}")).unwrap_or_default();
        format!("{{\"number\":{},\"oldest\":{}{raising}}}", self.number, self.oldest).into_bytes()
    }

    /// The newest schema whose form may be in the store.
    pub fn newest(&self) -> u32 {
        self.raising.unwrap_or(self.number).max(self.number)
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.raising {
            Some(to) => write!(f, "{}, being raised to {to}", self.number),
            None => self.number.fmt(f),
        }
    }
}

/// The schemas that a program speaks: it reads all of them, and writes whichever the store is in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Speaks {
    /// The oldest that it reads.
    pub from: u32,
    /// The newest.
    pub to: u32,
}

impl Speaks {
    /// Why a program may not work on a store of this schema, for a person; none where it may.
    pub fn objection(self, schema: &Schema) -> Option<String> {
        if self.to < schema.oldest {
            return Some(format!(
                "the store's schema is {schema}, for programs that speak {} or newer; this one speaks {} to {}: upgrade it, or see \
                 schema_at_most in its coordinator.toml (docs/operations.md, section 9)",
                schema.oldest, self.from, self.to
            ));
        }
        (schema.number < self.from).then(|| {
            format!(
                "the store's schema is {schema}, and this program reads {} to {}: let a version in between raise it first \
                 (docs/operations.md, section 9)",
                self.from, self.to
            )
        })
    }

    /// The schema in whose form it writes into such a store.
    pub fn writes(self, schema: &Schema) -> u32 {
        self.to.min(schema.newest())
    }
}

/// What a process knows of its store's schema, and whether it may still work on it.
pub struct Known {
    speaks: Speaks,
    at: Mutex<(Schema, Option<Revision>)>,
    refused: watch::Sender<Option<String>>,
}

impl Known {
    /// Looks at a store that is to be opened.
    ///
    /// # Errors
    /// [`StoreError::Format`] with [`Speaks::objection`]; or the engine's.
    pub async fn open(store: &dyn Store, speaks: Speaks) -> Result<Arc<Self>, StoreError> {
        let known = Self { speaks, at: Mutex::default(), refused: watch::Sender::new(None) };
        known.learn(store).await?;
        Ok(Arc::new(known))
    }

    /// Looks again.
    ///
    /// # Errors
    /// As [`Known::open`]; [`Known::refused`] says it from then on.
    pub async fn learn(&self, store: &dyn Store) -> Result<Schema, StoreError> {
        let (schema, entry) = Schema::of(store).await?;
        // One that it does not speak is never what it expects: its writes go on to fail, whoever else looks meanwhile.
        if let Some(hint) = self.speaks.objection(&schema) {
            self.refused.send_replace(Some(hint.clone()));
            return Err(StoreError::Format { hint });
        }
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = (schema, entry.map(|entry| entry.version));
        Ok(schema)
    }

    fn at(&self) -> (Schema, Option<Revision>) {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the program speaks.
    pub fn speaks(&self) -> Speaks {
        self.speaks
    }

    /// The store's schema, as it was last read.
    pub fn schema(&self) -> Schema {
        self.at().0
    }

    /// The schema in whose form is written.
    pub fn writes(&self) -> u32 {
        self.speaks.writes(&self.schema())
    }

    /// Waits until this process may not work on its store any more, and says why.
    pub async fn refused(&self) -> String {
        let mut refused = self.refused.subscribe();
        let why = refused.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        why.unwrap_or_default()
    }
}

/// A store on which others may raise the schema: every transaction expects the one that this process knows.
pub struct Agreed {
    store: Arc<dyn Store>,
    known: Arc<Known>,
}

impl Agreed {
    /// The store under what is known of it.
    pub fn new(store: Arc<dyn Store>, known: Arc<Known>) -> Self {
        Self { store, known }
    }
}

#[async_trait]
impl Store for Agreed {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.store.get(key).await
    }

    async fn range(&self, range: &KeyRange, limit: usize) -> Result<Page, StoreError> {
        self.store.range(range, limit).await
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, StoreError> {
        let (_, version) = self.known.at();
        let expected = version.map_or(Expect::Absent, Expect::Version);
        match self.store.commit(txn.agreed(keys::meta_schema(), expected)).await {
            Err(StoreError::Conflict { key }) if key == keys::meta_schema() => {
                let schema = self.known.learn(&*self.store).await?;
                if self.known.at().1 == version {
                    return Err(StoreError::Conflict { key });
                }
                // Not again by itself: what is in the transaction may be of the form of before.
                Err(StoreError::Unavailable {
                    hint: format!("its schema changed meanwhile and is {schema} now; nothing was written, try again"),
                })
            }
            other => other,
        }
    }

    fn watch(&self, prefix: KeyPrefix) -> Watch {
        self.store.watch(prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Embedded;

    const fn schema(number: u32, oldest: u32, raising: Option<u32>) -> Schema {
        Schema { number, oldest, raising }
    }

    #[test]
    fn a_program_works_on_what_it_reads_and_may_write() {
        let old = Speaks { from: 0, to: 1 };
        for (store, fits) in [
            (Schema::default(), true),
            (schema(1, 1, None), true),
            // Newer, and still for older programs.
            (schema(2, 1, None), true),
            (schema(2, 2, None), false),
            // A raise that has begun shuts out whom its end shuts out.
            (schema(1, 2, Some(2)), false),
        ] {
            assert_eq!(old.objection(&store).is_none(), fits, "{store}");
        }
        let late = Speaks { from: 2, to: 3 };
        let refused = late.objection(&schema(1, 1, None)).expect("too old a store");
        assert!(refused.contains("a version in between"), "{refused}");
        assert_eq!(late.objection(&schema(2, 2, None)), None);
        assert_eq!([old.writes(&schema(0, 0, None)), old.writes(&schema(0, 1, Some(1)))], [0, 1]);
        assert_eq!(old.writes(&schema(3, 1, None)), 1, "what it can");
    }

    #[test]
    fn the_record_is_read_by_every_version() {
        for one in [schema(0, 0, None), schema(1, 1, None), schema(1, 2, Some(2))] {
            assert_eq!(serde_json::from_slice::<Schema>(&one.to_bytes()).expect("reads"), one);
        }
        let of_later = br#"{"number":7,"oldest":6,"raising":8,"since":"some day"}"#;
        assert_eq!(serde_json::from_slice::<Schema>(of_later).expect("reads"), schema(7, 6, Some(8)));
    }

    async fn raised(store: &dyn Store, to: Schema) {
        store.commit(Txn::new().put(keys::meta_schema(), to.to_bytes())).await.expect("commits");
    }

    fn word() -> Txn {
        Txn::new().put(keys::meta_clock(), "\"2026-11-28T08:00:00Z\"")
    }

    #[tokio::test]
    async fn who_has_not_heard_of_a_raise_writes_nothing_and_who_does_not_speak_it_never_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let raw: Arc<dyn Store> = Arc::new(Embedded::create(dir.path()).expect("a store"));
        let opened = async |to| {
            let known = Known::open(&*raw, Speaks { from: 0, to }).await.expect("it opens");
            (Agreed::new(Arc::clone(&raw), Arc::clone(&known)), known)
        };
        let ((old, of_old), (new, of_new)) = (opened(0).await, opened(1).await);
        old.commit(word()).await.expect("both speak 0");
        raised(&*raw, schema(0, 1, Some(1))).await;
        let late = new.commit(word()).await;
        assert!(matches!(late, Err(StoreError::Unavailable { .. })), "its form may be the old one: {late:?}");
        assert_eq!((of_new.writes(), of_new.schema()), (1, schema(0, 1, Some(1))));
        new.commit(word()).await.expect("it has heard");
        for _ in 0..2 {
            let refused = old.commit(word()).await;
            assert!(matches!(refused, Err(StoreError::Format { .. })), "{refused:?}");
        }
        assert!(of_old.refused().await.contains("upgrade it"));
        assert!(matches!(Known::open(&*raw, Speaks { from: 0, to: 0 }).await, Err(StoreError::Format { .. })));
    }

    #[tokio::test]
    async fn an_expectation_of_ones_own_is_told_as_before() {
        let dir = tempfile::tempdir().expect("a folder");
        let raw: Arc<dyn Store> = Arc::new(Embedded::create(dir.path()).expect("a store"));
        let known = Known::open(&*raw, Speaks { from: 0, to: 1 }).await.expect("it opens");
        let store = Agreed::new(Arc::clone(&raw), known);
        store.commit(word()).await.expect("commits");
        let lost = store.commit(Txn::new().create(keys::meta_clock(), "x")).await;
        assert!(matches!(&lost, Err(StoreError::Conflict { key }) if *key == keys::meta_clock()), "{lost:?}");
        let damaged = Txn::new().put(keys::meta_schema(), "1");
        store.commit(damaged).await.expect("commits");
        assert!(matches!(Schema::of(&*raw).await, Err(StoreError::Format { .. })));
    }
}
