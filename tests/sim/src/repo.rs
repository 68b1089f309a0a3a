//! A backup store as it is: copies that hold items until their own routine lets them go, and bytes that are reclaimed later than
//! that. And its driver, which lists what the store says: the store may not answer, or be in the middle of a run.

use std::sync::{Arc, Mutex};

use gallra_model::copy::{CopyListing, Expected, ListedCopy, Reclaimed};
use gallra_model::job::Question;
use gallra_model::receipt::Code;
use gallra_model::selector::Selector;
use gallra_model::target::{CopyLife, TargetKind};
use gallra_model::time::day_of;
use gallra_model::{CopyId, Digest, Instant};
use gallra_targets::{Boundary, Confirmation, Driver, Failure, Inspection};

use crate::chance::Chance;
use crate::place::Place;
use crate::world::{World, lock};

/// How long a copy lives by the store's own rules, in days.
pub const LIFE_DAYS: u64 = 100;
/// Milliseconds in a day.
pub const DAY_MS: u64 = 86_400_000;

/// One copy.
#[derive(Debug, Clone)]
pub struct Copy {
    /// Its number in the store.
    pub number: u64,
    /// When it was made, in milliseconds.
    pub began: u64,
    /// What it holds, by target.
    pub holds: Vec<(String, Place)>,
    /// Whether the store lists it.
    pub listed: bool,
}

/// The store.
#[derive(Debug, Clone, Default)]
pub struct Repo {
    /// Copies whose bytes are still there.
    pub copies: Vec<Copy>,
    /// How many were ever made.
    pub made: u64,
    /// When the last bytes of a copy that held somebody went, by whose they were.
    pub last_gone: std::collections::BTreeMap<String, u64>,
}

/// Its driver.
pub struct Listing {
    world: Arc<World>,
    at: (String, String),
    chance: Mutex<Chance>,
}

impl Listing {
    /// Of a store.
    pub fn new(world: &Arc<World>, at: (String, String), start: u64) -> Self {
        let chance = Mutex::new(Chance::of(world.seed, &format!("repo/{}/{}/{start}", at.0, at.1)));
        Self { world: Arc::clone(world), at, chance }
    }
}

/// What a copy is called outside.
fn id_of(at: &(String, String), number: u64) -> CopyId {
    CopyId::from_digest(&Digest::of(format!("{}/{}/{number}", at.0, at.1).as_bytes()))
}

impl Driver for Listing {
    fn kind(&self) -> TargetKind {
        TargetKind::Restic
    }

    fn copy_life(&self) -> Option<CopyLife> {
        Some(CopyLife::AtMost { days: u32::try_from(LIFE_DAYS + 45).unwrap_or(u32::MAX) })
    }

    fn inspect(&self, _: &Selector) -> Result<Inspection, Failure> {
        Err(Failure::new(Code::Unsupported, "a backup store"))
    }

    fn restrict(&self, _: &Selector, _: &Inspection) -> Result<u64, Failure> {
        Err(Failure::new(Code::Unsupported, "a backup store"))
    }

    fn erase(
        &self,
        _: &Selector,
        _: &Inspection,
        _: &mut dyn Boundary,
    ) -> Result<gallra_model::outcome::Counts, Failure> {
        Err(Failure::new(Code::Unsupported, "a backup store"))
    }

    fn confirm(&self, _: &Selector, _: &Inspection) -> Result<Confirmation, Failure> {
        Err(Failure::new(Code::Unsupported, "a backup store"))
    }

    fn observe(&self, _: &Selector, question: &Question, now: Instant) -> Result<CopyListing, Failure> {
        let (fails, under_way) = {
            let mut chance = lock(&self.chance);
            (chance.once_in(6), chance.once_in(12))
        };
        if fails {
            self.world.count("fault backup store does not answer");
            self.world.tell(&self.at.0, format!("{} does not answer", self.at.1));
            return Err(Failure::new(Code::Target, "the store did not answer"));
        }
        let contents = self.world.contents();
        let repo = contents.repos.get(&self.at).cloned().unwrap_or_default();
        drop(contents);
        let listed = repo.copies.iter().filter(|copy| copy.listed).map(|copy| ListedCopy {
            copy: id_of(&self.at, copy.number),
            began: self.world.at(copy.began),
            expected: Expected::By(day_of(self.world.at(copy.began + (LIFE_DAYS + 45) * DAY_MS))),
        });
        let copies: Vec<ListedCopy> = listed.collect();
        let missing = question.known.iter().any(|known| copies.iter().all(|listed| listed.copy != *known));
        let unlisted = repo.copies.iter().filter(|copy| !copy.listed).count() as u64;
        let packs = repo.copies.len() as u64;
        let reclaimed = missing.then_some(Reclaimed {
            blobs_indexed: packs,
            blobs_referenced: packs - unlisted,
            packs_stored: packs,
            packs_indexed: packs,
        });
        let repository = Digest::of(format!("{}/{}", self.at.0, self.at.1).as_bytes());
        Ok(CopyListing { repository, listed: now, run_under_way: under_way, copies, reclaimed })
    }
}
