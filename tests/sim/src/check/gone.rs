//! I1, I3, I4 and I11 at the moment that they are about: one item goes.

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::Value;

use crate::truth::{date, days};
use crate::world::World;

/// Erases the first item of these owners, if there is one, and looks whether it may go. Returns whose it was.
pub fn erase_one(world: &Arc<World>, at: &(String, String), owners: &[String]) -> Option<String> {
    let ms = world.ms();
    let mut contents = world.contents();
    let place = contents.places.get_mut(at)?;
    let owner = owners.iter().find(|owner| place.items.get(*owner).is_some_and(|items| !items.is_empty()))?.clone();
    let left = place.items.get_mut(&owner).map(|items| {
        items.pop();
        items.len()
    });
    if left == Some(0) {
        place.items.remove(&owner);
    }
    contents.truth.erased.entry((at.0.clone(), at.1.clone(), owner.clone())).or_insert(ms);
    let journal = contents.truth.journals.get(&at.0).map(crate::disk::Sheet::durable).unwrap_or_default();
    let (seen, permitted) = contents.truth.generations.get(&at.0).copied().unwrap_or_default();
    let mut broken: Vec<(&'static str, String)> = Vec::new();
    let truth = &contents.truth;
    match truth.contracts.get(&owner) {
        None => broken.push(("I11", format!("an item of {owner} went, who is no contract that ended"))),
        Some(told) => {
            if told.ended.is_none() {
                broken.push(("I11", format!("an item of {owner} went, whose contract is active")));
            }
            if told.resumed.is_some_and(|resumed| ms > resumed + crate::truth::GRACE_MS) {
                broken.push(("I1", format!("an item of {owner} went after the contract was resumed")));
            }
        }
    }
    let today = local_day(world, ms);
    match truth.earliest(&owner, ms) {
        Some(earliest) if today < earliest => {
            broken.push((
                "I1",
                format!("an item of {owner} went on {:?}, and is kept until {:?}", date(today), date(earliest)),
            ));
        }
        None if broken.is_empty() => broken.push(("I1", format!("an item of {owner} went before its settlement"))),
        Some(_) | None => {}
    }
    if truth.holds.iter().any(|(service, hold)| *service == owner && hold.binds(ms)) {
        broken.push(("I1", format!("an item of {owner} went under a hold")));
    }
    if truth.stops.iter().any(|stop| stop.binds(ms)) {
        broken.push(("I1", format!("an item of {owner} went under the emergency stop")));
    }
    if permitted < seen {
        broken.push(("I3", format!("{} acted under generation {permitted} and has seen {seen}", at.0)));
    }
    if !begun(&journal, &at.1) {
        broken.push((
            "I4",
            format!("an item of {} went and the journal on the disk does not say that it was begun", at.1),
        ));
    }
    drop(contents);
    world.tell(&at.0, format!("an item of {owner} goes from {}", at.1));
    broken.into_iter().for_each(|(invariant, what)| world.violate(invariant, what));
    Some(owner)
}

/// Whether the journal, as a loss of power would leave it, says of an erasure of this target that it began and not that it ended.
fn begun(journal: &[u8], target: &str) -> bool {
    let lines = journal.split(|byte| *byte == b'\n').filter_map(|line| line.get(17..));
    let mut open = false;
    for value in lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok()) {
        let text = value.to_string();
        if text.contains("\"begin\"")
            && text.contains(&format!("\"target\":\"{target}\""))
            && text.contains("\"erase\"")
        {
            open = true;
        }
    }
    open
}

/// The local day of a time, as days since 1970.
pub(super) fn local_day(world: &World, ms: u64) -> i64 {
    let zone = TimeZone::get("Europe/Stockholm").unwrap_or(TimeZone::UTC);
    let day = world.at(ms).to_zoned(zone).date();
    days(i64::from(day.year()), u32::try_from(day.month()).unwrap_or(1), u32::try_from(day.day()).unwrap_or(1))
}
