//! What every party of a simulation shares: the time, the story, what was found wrong, and the contents of the world. Owns
//! simulated time: tokio's paused clock, and what was skipped of it while nothing happened. Decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gallra_model::Instant;
use gallra_planted::Bug;
use jiff::SignedDuration;

use crate::place::Place;
use crate::repo::Repo;
use crate::truth::Truth;

/// When every simulated year begins.
pub const START: &str = "2026-01-05T08:00:00Z";

/// Parties act in slots of time, so that no two ever act in the same millisecond: then nothing depends on who is woken first.
pub const SLOTS: u64 = 64;

/// Longest story that is kept, in lines: what is older is dropped.
const MAX_STORY: usize = 20_000;

/// A poisoned lock only means that a simulated process was killed between two whole changes.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Something that must never be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which invariant, as `docs` number them.
    pub invariant: &'static str,
    /// What was seen.
    pub what: String,
}

/// The contents of the world.
#[derive(Default)]
pub struct Contents {
    /// Live targets, by agent and name.
    pub places: BTreeMap<(String, String), Place>,
    /// Backup stores, by agent and name.
    pub repos: BTreeMap<(String, String), Repo>,
    /// What is so, whatever the product believes.
    pub truth: Truth,
}

/// One simulated world.
pub struct World {
    /// Its seed.
    pub seed: u64,
    /// The bug that is planted in it, if any. No checker looks at this.
    pub bug: Option<Bug>,
    start: Instant,
    /// Milliseconds skipped so far.
    skipped: AtomicU64,
    /// What tokio's clock said when somebody with a runtime last looked: for threads that have none.
    seen: AtomicU64,
    began: tokio::time::Instant,
    /// Things that happened; when it stands still, nothing is under way.
    pub moved: AtomicU64,
    story: Mutex<Vec<String>>,
    violations: Mutex<Vec<Violation>>,
    names: Mutex<BTreeMap<String, String>>,
    /// Transitions and faults that were seen.
    seen_of: Mutex<BTreeMap<String, u64>>,
    contents: Mutex<Contents>,
    /// Whether the story is told on stderr while it happens: `GALLRA_SIM_FOLLOW`.
    follows: bool,
}

impl World {
    /// A new one. To be called in a runtime whose clock is paused.
    pub fn new(seed: u64, bug: Option<Bug>) -> Arc<Self> {
        Arc::new(Self {
            seed,
            bug,
            start: START.parse().expect("a literal instant"),
            skipped: AtomicU64::new(0),
            seen: AtomicU64::new(0),
            began: tokio::time::Instant::now(),
            moved: AtomicU64::new(0),
            story: Mutex::default(),
            violations: Mutex::default(),
            names: Mutex::default(),
            seen_of: Mutex::default(),
            contents: Mutex::default(),
            follows: std::env::var_os("GALLRA_SIM_FOLLOW").is_some(),
        })
    }

    /// Milliseconds since the beginning of the world.
    pub fn ms(&self) -> u64 {
        if tokio::runtime::Handle::try_current().is_ok() {
            let elapsed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.seen.store(elapsed, Ordering::Relaxed);
        }
        self.seen.load(Ordering::Relaxed) + self.skipped.load(Ordering::Relaxed)
    }

    /// The true time.
    pub fn now(&self) -> Instant {
        self.at(self.ms())
    }

    /// The instant of so many milliseconds.
    pub fn at(&self, ms: u64) -> Instant {
        let passed = SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
        self.start.checked_add(passed).unwrap_or(self.start)
    }

    /// Milliseconds of an instant; 0 before the beginning.
    pub fn ms_of(&self, at: Instant) -> u64 {
        u64::try_from(at.duration_since(self.start).as_millis()).unwrap_or(0)
    }

    /// Lets time pass in which nothing happens.
    pub fn skip_to(&self, ms: u64) {
        let behind = ms.saturating_sub(self.ms());
        self.skipped.fetch_add(behind, Ordering::Relaxed);
    }

    /// Waits for a party's own slot, at least so long.
    pub async fn slot(&self, slot: u64, at_least: Duration) {
        let elapsed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let from = elapsed + u64::try_from(at_least.as_millis()).unwrap_or(0);
        let ahead = (slot + SLOTS - from % SLOTS) % SLOTS;
        // Never in the very moment: whoever else acts in it has its turn before.
        let until = if from + ahead == elapsed { elapsed + SLOTS } else { from + ahead };
        tokio::time::sleep_until(self.began + Duration::from_millis(until)).await;
    }

    /// Something happened.
    pub fn stir(&self) {
        self.moved.fetch_add(1, Ordering::Relaxed);
    }

    /// Tells the story on.
    pub fn tell(&self, who: &str, what: impl AsRef<str>) {
        let at = self.now().to_string();
        let line = format!("{} {who}: {}", at.get(..23).unwrap_or(&at), what.as_ref());
        if self.follows {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "{line}");
        }
        let mut story = lock(&self.story);
        if story.len() < MAX_STORY {
            story.push(line);
        }
    }

    /// What a reference is called in the story: the first job that is heard of is job 1.
    pub fn name(&self, kind: &str, id: &str) -> String {
        let mut names = lock(&self.names);
        if let Some(name) = names.get(id) {
            return name.clone();
        }
        let number = names.values().filter(|name| name.starts_with(kind)).count() + 1;
        names.insert(id.to_owned(), format!("{kind} {number}"));
        format!("{kind} {number}")
    }

    /// An invariant does not hold.
    pub fn violate(&self, invariant: &'static str, what: impl Into<String>) {
        let violation = Violation { invariant, what: what.into() };
        self.tell("CHECK", format!("{invariant} is broken: {}", violation.what));
        let mut all = lock(&self.violations);
        if !all.contains(&violation) {
            all.push(violation);
        }
    }

    /// Counts something that was seen: a transition, a fault.
    pub fn count(&self, what: impl Into<String>) {
        *lock(&self.seen_of).entry(what.into()).or_default() += 1;
    }

    /// The contents.
    pub fn contents(&self) -> MutexGuard<'_, Contents> {
        lock(&self.contents)
    }

    /// What was found wrong so far.
    pub fn violations(&self) -> Vec<Violation> {
        lock(&self.violations).clone()
    }

    /// The story so far.
    pub fn story(&self) -> Vec<String> {
        lock(&self.story).clone()
    }

    /// What was seen, and how often.
    pub fn coverage(&self) -> BTreeMap<String, u64> {
        lock(&self.seen_of).clone()
    }

    /// The identifiers that may stand nowhere in clear.
    pub fn identifiers(&self) -> BTreeSet<String> {
        self.contents().truth.identifiers.clone()
    }
}
