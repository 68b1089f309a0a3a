//! A live target as it is: items, and whose each is. And its driver, which is what a real one is in the order of its steps and has
//! the faults that real ones have. Selects exactly, unless that bug is planted. Owns the contents; decides nothing about them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gallra_model::digest::Digest;
use gallra_model::job::Keep;
use gallra_model::outcome::Counts;
use gallra_model::receipt::{Check, Code, Tally};
use gallra_model::selector::Selector;
use gallra_model::target::TargetKind;
use gallra_planted::Bug;
use gallra_targets::{Boundary, Confirmation, Driver, Failure, Inspection, Preserved};

use crate::chance::Chance;
use crate::check;
use crate::half::Pace;
use crate::world::{World, lock};

/// What is in a target: items by whose they are.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// Item numbers, by service id or customer number.
    pub items: BTreeMap<String, Vec<u64>>,
    /// When somebody last looked here for whose items, and found none: milliseconds.
    pub found_empty: BTreeMap<String, u64>,
}

impl Place {
    /// Items of everybody else.
    fn others(&self, owners: &[String]) -> u64 {
        self.items.iter().filter(|(owner, _)| !owners.contains(owner)).map(|(_, items)| items.len() as u64).sum()
    }
}

/// The driver of one target.
pub struct Modelled {
    world: Arc<World>,
    at: (String, String),
    kind: TargetKind,
    pace: Pace,
    chance: Mutex<Chance>,
}

impl Modelled {
    /// Of a target.
    pub fn new(world: &Arc<World>, at: (String, String), kind: TargetKind, (pace, start): (Pace, u64)) -> Self {
        let chance = Mutex::new(Chance::of(world.seed, &format!("driver/{}/{}/{start}", at.0, at.1)));
        Self { world: Arc::clone(world), at, kind, pace, chance }
    }

    /// Whom a selector means here.
    fn owners(&self, selector: &Selector) -> Vec<String> {
        let id = selector.service.as_ref().or(selector.customer.as_ref()).map(|id| id.expose().to_owned());
        let id = id.unwrap_or_default();
        if !gallra_planted::is(Bug::MatchedByPrefix) {
            return vec![id];
        }
        let contents = self.world.contents();
        let place = contents.places.get(&self.at);
        place
            .map(|place| place.items.keys().filter(|owner| owner.starts_with(&id)).cloned().collect())
            .unwrap_or_default()
    }

    fn count(&self, owners: &[String]) -> (u64, u64) {
        let contents = self.world.contents();
        let Some(place) = contents.places.get(&self.at) else { return (0, 0) };
        let own = owners.iter().filter_map(|owner| place.items.get(owner)).map(|items| items.len() as u64).sum();
        (own, place.others(owners))
    }

    fn fails(&self, what: &str) -> Result<(), Failure> {
        let fails = lock(&self.chance).once_in(60);
        if !fails {
            return Ok(());
        }
        self.world.count(format!("fault target {what} failed"));
        self.world.tell(&self.at.0, format!("{} fails at {what}", self.at.1));
        Err(Failure::new(Code::Target, "the target did not answer"))
    }
}

impl Driver for Modelled {
    fn kind(&self) -> TargetKind {
        self.kind
    }

    fn inspect(&self, selector: &Selector) -> Result<Inspection, Failure> {
        self.fails("inspect")?;
        let owners = self.owners(selector);
        let (items, others) = self.count(&owners);
        let instance = (items > 0).then(|| Digest::of(format!("the inode of {owners:?}").as_bytes()));
        Ok(Inspection { instance, found: Tally { items, bytes: items * 100, others }, residue: Vec::new() })
    }

    fn restrict(&self, _: &Selector, seen: &Inspection) -> Result<u64, Failure> {
        self.fails("restrict")?;
        Ok(seen.found.items)
    }

    fn erase(&self, selector: &Selector, seen: &Inspection, boundary: &mut dyn Boundary) -> Result<Counts, Failure> {
        let owners = self.owners(selector);
        let mut erased = 0;
        if !boundary.mark(seen) {
            return Err(Failure::new(Code::Target, "nothing can be remembered"));
        }
        loop {
            if !boundary.may_go_on() {
                return Err(Failure::new(Code::Stopped, "stopped at an item"));
            }
            if check::erase_one(&self.world, &self.at, &owners).is_none() {
                return Ok(Counts { erased, ..Counts::default() });
            }
            erased += 1;
            self.world.stir();
            let slow = lock(&self.chance).between(5, 9_000);
            self.pace.takes(Duration::from_millis(slow));
        }
    }

    fn confirm(&self, selector: &Selector, _: &Inspection) -> Result<Confirmation, Failure> {
        self.fails("confirm")?;
        let owners = self.owners(selector);
        let (found, others) = self.count(&owners);
        if found == 0 {
            let ms = self.world.ms();
            if let Some(place) = self.world.contents().places.get_mut(&self.at) {
                place.found_empty.extend(owners.into_iter().map(|owner| (owner, ms)));
            }
        }
        let checks = vec![Check { name: "raw-walk".to_owned(), count: found, ok: true }];
        Ok(Confirmation { found, residue: 0, others, checks })
    }

    fn preserve(&self, selector: &Selector, seen: &Inspection, _: &Keep) -> Result<Preserved, Failure> {
        self.fails("preserve")?;
        let keys = format!("rows of {:?}", self.owners(selector).len());
        Ok(Preserved { items: seen.found.items, keys: keys.into_bytes() })
    }
}
