//! Raising the store's schema. Owns the order: the beginning is marked, and older programs are shut out by the same transaction; then
//! come batches; the end is marked last. Whoever leads after a crash goes on where the mark is, and finds done what is done.

use std::time::Duration;

use gallra_store::schema::Schema;
use gallra_store::{Entry, Expect, Speaks, Store, StoreError, Txn, keys};
use tokio::time::Instant;

use super::steps::{self, Step};
use super::{Living, living};
use crate::core::{Core, MAX_TRIES};
use crate::error::CoreError;
use crate::generation;

/// Real time for which all coordinators that are there have to speak a schema before it is begun: one of before that is restarted
/// meanwhile is there again by then.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Real time between two looks.
const EVERY: Duration = Duration::from_secs(15);
/// Entries looked at in one batch: a transaction's worth where each asks for something.
const BATCH: usize = 100;

/// What is to be done about a store's schema.
pub enum Next {
    /// Nothing: it is the newest that this program speaks, or newer.
    Done,
    /// Nothing yet: these do not speak the next one.
    Waits(Vec<Living>),
    /// The step is to begin.
    Begin(&'static Step),
    /// It has begun.
    GoOn(&'static Step),
}

/// Decides it.
pub fn next(schema: &Schema, speaks: Speaks, living: &[Living]) -> Next {
    let Some(step) = steps::after(schema.number).filter(|step| step.to <= speaks.to) else { return Next::Done };
    if schema.raising.is_some() {
        return Next::GoOn(step);
    }
    let late: Vec<Living> = living.iter().filter(|one| one.schemas.to < step.to).cloned().collect();
    if late.is_empty() { Next::Begin(step) } else { Next::Waits(late) }
}

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Raised {
    /// The store is in the newest schema that this program speaks.
    Newest,
    /// These coordinators do not speak the next one.
    Waits(Vec<Living>),
}

/// Raises the schema as far as all coordinators that are there allow, through a leader's store. The same again, also after a crash at
/// any point, comes to the same.
///
/// # Errors
/// The store's; an entry that cannot be read, or that others change too often.
pub async fn raise(core: &Core) -> Result<Raised, CoreError> {
    loop {
        let (schema, entry) = Schema::of(&*core.store).await?;
        let step = match next(&schema, core.schema.speaks(), &living(core).await?) {
            Next::Done => return Ok(Raised::Newest),
            Next::Waits(late) => return Ok(Raised::Waits(late)),
            Next::Begin(step) => {
                tracing::info!(from = schema.number, to = step.to, "the store's schema is being raised: {}", step.says);
                begin(core, step, (&schema, entry.as_ref())).await?;
                continue;
            }
            Next::GoOn(step) => step,
        };
        let written = rewrite(&*core.store, step).await?;
        let raised = Schema { number: step.to, raising: None, ..schema };
        mark(core, raised, entry.as_ref(), Txn::new()).await?;
        tracing::info!(schema = step.to, written, "the store's schema was raised");
    }
}

async fn mark(core: &Core, schema: Schema, read: Option<&Entry>, txn: Txn) -> Result<(), CoreError> {
    let key = keys::meta_schema();
    core.store.commit(txn.expect_as_read(&key, read).put(key, schema.to_bytes())).await?;
    // By its own commit this process need not be surprised.
    core.schema.learn(&*core.store).await?;
    Ok(())
}

/// From here on every coordinator writes the new form. Programs of before there was a schema do not look at it; they read the
/// generation, and cannot any more.
async fn begin(core: &Core, step: &Step, (schema, read): (&Schema, Option<&Entry>)) -> Result<(), CoreError> {
    let begun = Schema { oldest: schema.oldest.max(step.oldest), raising: Some(step.to), ..*schema };
    let mut txn = Txn::new();
    if begun.oldest > 0
        && let Some(entry) = core.store.get(&keys::meta_generation()).await?
    {
        let number = generation::decode(&entry.value)?;
        txn = txn.replace(&entry, generation::encode(number, true)?);
    }
    mark(core, begun, read, txn).await
}

/// Writes what a step asks for and is not there yet; returns how many entries that were.
async fn rewrite(store: &dyn Store, step: &Step) -> Result<u64, CoreError> {
    let (mut left, mut written) = (Some((step.over)().range()), 0);
    while let Some(range) = left {
        let mut tries = 0;
        // Whoever changes an entry meanwhile makes the batch read it again.
        let (batch, more) = loop {
            let page = store.range(&range, BATCH).await?;
            match batch(store, step, &page.entries).await {
                Err(CoreError::Store(StoreError::Conflict { .. })) if tries < MAX_TRIES => tries += 1,
                done => break (done?, page.more),
            }
        };
        written += batch;
        left = more.map(|more| range.starting_at(&more));
    }
    Ok(written)
}

async fn batch(store: &dyn Store, step: &Step, entries: &[Entry]) -> Result<u64, CoreError> {
    let (mut txn, mut written) = (Txn::new(), 0);
    for entry in entries {
        for (key, value) in (step.due)(entry)? {
            let there = store.get(&key).await?;
            if there.as_ref().is_some_and(|there| there.value == value) {
                continue;
            }
            let bytes = 2 * key.as_bytes().len() + value.len() + entry.key.as_bytes().len();
            let twice = txn.writes().iter().any(|write| *write.key() == key);
            // An entry's version is expected with what follows from it, so it counts for two.
            if twice || !txn.has_room(2, bytes) {
                store.commit(std::mem::take(&mut txn)).await?;
            }
            if key != entry.key {
                txn = txn.expect(entry.key.clone(), Expect::Version(entry.version));
            }
            txn = txn.expect_as_read(&key, there.as_ref()).put(key, value);
            written += 1;
        }
    }
    if !txn.writes().is_empty() {
        store.commit(txn).await?;
    }
    Ok(written)
}

/// The leader's task: raises what can be raised, as long as it leads.
pub async fn run(core: &Core) {
    let (mut agreed, mut told) = (None, Vec::new());
    let patience = if core.replica.is_some() { PATIENCE } else { Duration::ZERO };
    let mut facts = core.store.watch(keys::replicas_alive());
    loop {
        match may(core).await {
            Ok(Next::Done) => return,
            Ok(Next::Waits(late)) => {
                agreed = None;
                if told != late {
                    let addresses: Vec<&str> = late.iter().map(|one| one.address.as_str()).collect();
                    tracing::warn!(
                        ?addresses,
                        "the store's schema waits for coordinators that do not speak the next one"
                    );
                    told = late;
                }
            }
            Ok(Next::Begin(_)) if agreed.get_or_insert_with(Instant::now).elapsed() < patience => {}
            Ok(Next::Begin(_) | Next::GoOn(_)) => match raise(core).await {
                Ok(Raised::Newest) => return,
                Ok(Raised::Waits(_)) => {}
                Err(error) => {
                    tracing::error!(%error, "the store's schema could not be raised; it is tried again, and goes on where it was");
                }
            },
            Err(error) => tracing::warn!(%error, "the store's schema could not be read; it is tried again"),
        }
        // Whoever comes or goes is looked at soon; the patience that is left is at most four looks.
        let _ = tokio::time::timeout(EVERY, facts.next()).await;
    }
}

async fn may(core: &Core) -> Result<Next, CoreError> {
    let (schema, _) = Schema::of(&*core.store).await?;
    Ok(next(&schema, core.schema.speaks(), &living(core).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(to: u32) -> Living {
        Living { address: format!("https://{to}.example"), schemas: Speaks { from: 0, to } }
    }

    fn word(next: &Next) -> String {
        match next {
            Next::Done => "done".to_owned(),
            Next::Waits(late) => format!("waits for {}", late.len()),
            Next::Begin(step) => format!("begin {}", step.to),
            Next::GoOn(step) => format!("go on {}", step.to),
        }
    }

    #[test]
    fn a_step_begins_once_all_that_are_there_speak_it_and_then_goes_on_whoever_comes() {
        let before = Schema::default();
        let begun = Schema { raising: Some(1), oldest: 1, ..before };
        let done = Schema { number: 1, oldest: 1, raising: None };
        let (old, new) = (Speaks { from: 0, to: 0 }, Speaks { from: 0, to: 1 });
        for (schema, speaks, living, expected) in [
            (before, new, vec![one(1)], "begin 1"),
            (before, new, vec![one(1), one(1)], "begin 1"),
            (before, new, vec![one(1), one(0), one(0)], "waits for 2"),
            // Held back itself: nothing that it speaks is missing.
            (before, old, vec![one(0)], "done"),
            (begun, new, vec![one(1), one(0)], "go on 1"),
            (done, new, vec![one(1), one(0)], "done"),
            (Schema { number: 9, oldest: 1, raising: None }, new, vec![one(1)], "done"),
        ] {
            assert_eq!(word(&next(&schema, speaks, &living)), expected, "{schema}");
        }
    }

    #[test]
    fn one_that_does_not_say_what_it_speaks_is_of_before() {
        let of = |text: &str| serde_json::from_str::<Living>(text).expect("reads").schemas;
        assert_eq!(of(r#"{"since":"2026-11-28T08:00:00Z","address":"https://a.example"}"#), Speaks::default());
        assert_eq!(of(r#"{"schemas":{"from":0,"to":3},"later":true}"#), Speaks { from: 0, to: 3 });
    }
}
