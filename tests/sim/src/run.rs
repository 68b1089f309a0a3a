//! One year of one seed: jumps from one thing that happens to the next, lets something go wrong while work is under way, waits until
//! nothing moves, and looks. Owns the order of the year; it is drawn from the seed before anything happens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gallra_planted::Bug;
use gallra_store::{Key, keys};

use crate::actors::{Actors, Deed, SERVICES, STAYS};
use crate::chance::Chance;
use crate::check;
use crate::faults::{Fault, mend, strike};
use crate::repo::{Copy, DAY_MS, LIFE_DAYS};
use crate::site::Site;
use crate::template::template;
use crate::world::{Violation, World};

/// How long a year is, in days.
const YEAR: u64 = 365;

/// What came of a seed.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// What was broken.
    pub violations: Vec<Violation>,
    /// What happened.
    pub story: Vec<String>,
    /// Which transitions and faults were seen, and how often.
    pub coverage: BTreeMap<String, u64>,
    /// Contracts whose final proof was issued.
    pub done: usize,
}

impl Outcome {
    /// The story, for a person.
    pub fn tale(&self) -> String {
        let broken: Vec<String> =
            self.violations.iter().map(|one| format!("  {}: {}", one.invariant, one.what)).collect();
        format!("seed {}: broken are\n{}\nwhat happened:\n{}\n", self.seed, broken.join("\n"), self.story.join("\n"))
    }
}

/// Makes a runtime's clock stand still until everybody waits for it: tokio's own test feature does, which only tests are built with.
pub type Pause = fn(&mut tokio::runtime::Builder) -> &mut tokio::runtime::Builder;

/// Plays so many days of a seed's year.
///
/// # Panics
/// When the world cannot be made.
pub fn run(seed: u64, days: u64, bug: Option<Bug>, pause: Pause) -> Outcome {
    template();
    let played = std::thread::spawn(move || {
        let mut draws = Chance::of(seed, "random");
        let source: gallra_random::Source = Arc::new(Mutex::new(move |bytes: &mut [u8]| draws.fill(bytes)));
        gallra_random::draw_from(Some(source));
        gallra_planted::plant(bug);
        let runtime = pause(tokio::runtime::Builder::new_current_thread().enable_time()).build().expect("a runtime");
        tokio::task::LocalSet::new().block_on(&runtime, year(seed, days, bug)).expect("a world can be made")
    });
    played.join().expect("the simulation itself does not panic")
}

enum Happens {
    Deed(Deed),
    Backup,
}

/// What happens by itself in a seed's year, by time.
fn plan(chance: &mut Chance) -> BTreeMap<u64, Happens> {
    let mut plan = BTreeMap::new();
    let mut at = |chance: &mut Chance, day: u64, happens| {
        plan.insert(day * DAY_MS + chance.below(14 * 3_600_000), happens);
    };
    for run in 0..YEAR / 14 {
        at(chance, run * 14 + 1, Happens::Backup);
    }
    for (service, ..) in SERVICES.iter().filter(|(service, ..)| *service != STAYS) {
        let service = (*service).to_owned();
        let ended = chance.between(8, 60);
        let settled = ended + chance.between(0, 25);
        at(chance, ended, Happens::Deed(Deed::End(service.clone())));
        at(chance, settled + 1, Happens::Deed(Deed::Settle(service.clone())));
        if chance.once_in(3) {
            let day = settled + chance.between(2, 40);
            at(chance, day, Happens::Deed(Deed::Resume(service.clone())));
            let later = settled + chance.between(45, 60);
            at(chance, later, Happens::Deed(Deed::End(service.clone())));
            at(chance, later + 1, Happens::Deed(Deed::Settle(service.clone())));
        }
        if chance.once_in(3) {
            // Before the day on which it would go.
            let day = settled + chance.between(20, 33);
            at(chance, day, Happens::Deed(Deed::Hold(service.clone())));
        }
        for _ in 0..chance.below(3) {
            let day = chance.between(ended, YEAR - 2);
            at(chance, day, Happens::Deed(Deed::Again(service.clone())));
        }
        let day = chance.between(YEAR - 60, YEAR - 2);
        at(chance, day, Happens::Deed(Deed::Again(service)));
    }
    let day = chance.between(60, 100);
    at(chance, day, Happens::Deed(Deed::Release));
    at(chance, day + 30, Happens::Deed(Deed::Release));
    if chance.once_in(3) {
        let day = chance.between(10, 120);
        at(chance, day, Happens::Deed(Deed::Stop));
        let later = day + chance.between(1, 20);
        at(chance, later, Happens::Deed(Deed::GoOn));
    }
    if chance.once_in(2) {
        let day = chance.between(20, 90);
        at(chance, day, Happens::Deed(Deed::KeepLonger));
    }
    plan
}

async fn year(seed: u64, days: u64, bug: Option<Bug>) -> anyhow::Result<Outcome> {
    let world = World::new(seed, bug);
    let site = Site::new(&world).await?;
    let mut chance = Chance::of(seed, "year");
    let mut actors = Actors::new(&site, seed);
    settle(&world).await;
    actors.begin().await;
    settle(&world).await;
    let mut plan = plan(&mut chance);
    let (end, mut backoff, mut calm) = (days.min(YEAR) * DAY_MS, 0_u64, true);
    let actors = Arc::new(tokio::sync::Mutex::new(actors));
    while world.ms() < end && world.violations().is_empty() {
        let now = world.ms();
        let event = plan.keys().next().copied().unwrap_or(end);
        let (timer, ready) = due(&site, now);
        let again = if ready { now + (3_600_000 << backoff.min(7)) } else { end };
        backoff = if ready { backoff + 1 } else { 0 };
        world.skip_to(event.min(timer).min(again).min(end));
        site.time_passed();
        let mut under_way = Vec::new();
        while plan.keys().next().is_some_and(|at| *at <= world.ms()) {
            match plan.pop_first() {
                Some((_, Happens::Backup)) => back_up(&world, &mut chance),
                Some((_, Happens::Deed(deed))) => {
                    let actors = Arc::clone(&actors);
                    under_way.push(tokio::task::spawn_local(async move { actors.lock().await.act(&deed).await }));
                }
                None => {}
            }
        }
        let jolted = chance.once_in(4);
        if jolted {
            under_way.push(jolt(&site, &actors, &mut chance));
        }
        for task in under_way {
            let _ = task.await;
        }
        settle(&world).await;
        look(&site, calm && !jolted);
        calm = !jolted;
    }
    mend(&site);
    for at in 0..site.homes.len() {
        site.start(at).await;
    }
    settle(&world).await;
    if world.violations().is_empty() {
        check::all_is_done(&world, &site.around.memory);
    }
    let done = world.contents().truth.contracts.values().filter(|told| told.done.is_some()).count();
    Ok(Outcome { seed, violations: world.violations(), story: world.story(), coverage: world.coverage(), done })
}

/// Something goes wrong, or somebody does something, some seconds after work began.
fn jolt(
    site: &Arc<Site>,
    actors: &Arc<tokio::sync::Mutex<Actors>>,
    chance: &mut Chance,
) -> tokio::task::JoinHandle<()> {
    let after = Duration::from_millis(chance.below(25_000));
    let service = SERVICES.get(usize::try_from(chance.below(SERVICES.len() as u64)).unwrap_or(0));
    let service = service.map_or("", |(service, ..)| service).to_owned();
    let deed = match chance.below(24) {
        0 => Some(Deed::Hold(service)),
        1 => Some(Deed::Stop),
        2 | 3 => Some(Deed::GoOn),
        4 => Some(Deed::Again(service)),
        _ => None,
    };
    let (mut chance, site, actors) = (Chance::of(chance.draw(), "jolt"), Arc::clone(site), Arc::clone(actors));
    tokio::task::spawn_local(async move {
        tokio::time::sleep(after).await;
        match deed {
            Some(deed) => actors.lock().await.act(&deed).await,
            None => strike(&site, Fault::draw(&mut chance), &mut chance).await,
        }
    })
}

/// When the next timer is due, and whether work is due now.
fn due(site: &Site, now: u64) -> (u64, bool) {
    let world = &site.around.world;
    let (mut next, mut ready) = (u64::MAX, false);
    site.around.memory.each(keys::timers().as_str(), |key, _| {
        let at =
            Key::parse(key).ok().and_then(|key| keys::parse_timer(&key)).map_or(u64::MAX, |(at, _)| world.ms_of(at));
        // One that is due and stays is looked at again later.
        if at <= now {
            ready = true;
        } else {
            next = next.min(at + 1);
        }
    });
    site.around.memory.each(keys::ready_all().as_str(), |_, _| ready = true);
    (next, ready)
}

/// Waits until nothing moves, within bounds.
async fn settle(world: &World) {
    let (mut still, mut before) = (0, world.moved.load(Ordering::Relaxed));
    for _ in 0..600 {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = world.moved.load(Ordering::Relaxed);
        still = if now == before { still + 1 } else { 0 };
        before = now;
        if still >= 5 || !world.violations().is_empty() {
            return;
        }
    }
}

fn look(site: &Site, calm: bool) {
    let (world, memory) = (&site.around.world, &site.around.memory);
    check::keys_are_there(world, memory);
    check::keys_are_gone(world, memory, &site.around.seats);
    if calm {
        check::lists_hold(world);
    }
}

/// The store's own routine makes a copy, forgets old ones, and reclaims what was forgotten some time ago.
fn back_up(world: &World, chance: &mut Chance) {
    let ms = world.ms();
    let mut contents = world.contents();
    let www = contents.places.get(&("web1".to_owned(), "www".to_owned())).cloned().unwrap_or_default();
    let repo = contents.repos.entry(("web1".to_owned(), "repo".to_owned())).or_default();
    // Forgotten last time: reclaimed now, or the time after.
    let mut gone = Vec::new();
    let lags = chance.once_in(4);
    repo.copies.retain(|copy| {
        let stays = copy.listed || lags;
        if !stays {
            gone.push(copy.clone());
        }
        stays
    });
    for copy in &gone {
        let owners: BTreeSet<&String> = copy.holds.iter().flat_map(|(_, place)| place.items.keys()).collect();
        for owner in owners {
            repo.last_gone.insert(owner.clone(), ms);
        }
    }
    for copy in &mut repo.copies {
        copy.listed &= copy.began + LIFE_DAYS * DAY_MS > ms;
    }
    repo.made += 1;
    let number = repo.made;
    repo.copies.push(Copy { number, began: ms, holds: vec![("www".to_owned(), www)], listed: true });
    world.count("backup made");
}
