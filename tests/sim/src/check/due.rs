//! I8 at the end of a year: what was acknowledged is done, or it is visible that it is not.

use serde_json::Value;

use super::{json, text};
use crate::repo::LIFE_DAYS;
use crate::store::Memory;
use crate::world::World;

/// Days after the last copy should have gone by which everything is done.
const SLACK_DAYS: i64 = 45;

/// Looks whether every contract that should be done is.
pub fn all_is_done(world: &World, memory: &Memory) {
    let ms = world.ms();
    let today = super::gone::local_day(world, ms);
    let contracts = world.contents().truth.contracts.clone();
    for (service, told) in contracts {
        let held = world.contents().truth.holds.iter().any(|(of, _)| *of == service);
        let earliest = world.contents().truth.earliest(&service, ms);
        let Some(earliest) = earliest.filter(|_| told.resumed.is_none() && told.done.is_none()) else { continue };
        let by = earliest + i64::try_from(LIFE_DAYS).unwrap_or(0) + SLACK_DAYS + if held { 60 } else { 0 };
        if today < by {
            continue;
        }
        let mut visible = false;
        for request in &told.requests {
            let record =
                memory.value(&format!("v1/request/{request}")).map(|value| json(&value)).unwrap_or(Value::Null);
            let is = |fact: &str| record.pointer(fact).and_then(Value::as_bool) == Some(true);
            visible |= is("/facts/overdue") || is("/facts/legal_review") || is("/facts/needs_approval");
            world
                .tell("CHECK", format!("{service}: {} is {}", world.name("request", request), text(&record, "/state")));
        }
        if !visible {
            world.violate("I8", format!("{service} should be done, and nothing says that it is late"));
        }
    }
}
