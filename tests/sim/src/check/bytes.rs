//! I12: what names a person is nowhere in clear, and a month after a request's end no key opens it. And the other half of that: a
//! key is there for as long as anything still has to be done with it.

use memchr::memmem;
use serde_json::Value;

use super::{json, text};
use crate::node::Seats;
use crate::repo::DAY_MS;
use crate::store::{Entries, Memory};
use crate::world::{World, lock};

/// Looks for identifiers in what was written.
pub fn identifiers(world: &World, key: &str, value: &[u8]) {
    for id in world.identifiers() {
        if memmem::find(value, id.as_bytes()).is_some() || key.contains(&id) {
            let family = key.split('/').nth(1).unwrap_or_default().to_owned();
            world.violate("I12", format!("{id} stands in clear in a value of {family}"));
        }
    }
}

/// Which subject's key is needed for each contract that is not done.
pub fn keys_are_there(world: &World, memory: &Memory) {
    let (mut held, mut needed) = (Vec::new(), Vec::new());
    memory.each("v1/key/", |key, _| held.extend(key.rsplit('/').next().map(str::to_owned)));
    memory.each("v1/contract/", |_, value| needed.push(json(value)));
    for contract in needed {
        let request = text(&contract, "/request").to_owned();
        let done = memory.value(&format!("v1/request/{request}")).map(|value| json(&value));
        if done.is_some_and(|request| request.pointer("/done").is_some_and(|done| !done.is_null())) {
            continue;
        }
        let customer = memory.value(&format!("v1/customer/{}", text(&contract, "/customer")));
        let customer = customer.map(|value| json(&value)).unwrap_or(Value::Null);
        for subject in [text(&contract, "/subject"), text(&customer, "/subject")] {
            if !subject.is_empty() && !held.iter().any(|key| key == subject) {
                world.violate("I8", "a key is destroyed that a contract still needs");
            }
        }
    }
}

/// A month after a contract's final proof its keys are in no store and in no backup.
pub fn keys_are_gone(world: &World, memory: &Memory, seats: &Seats) {
    let ms = world.ms();
    let late: Vec<String> = {
        let contents = world.contents();
        let late =
            contents.truth.contracts.values().filter(|told| told.done.is_some_and(|done| ms > done + 32 * DAY_MS));
        late.flat_map(|told| told.requests.iter().cloned()).collect()
    };
    let now = memory.image();
    let mut subjects = Vec::new();
    memory.each("v1/contract/", |_, value| {
        let contract = json(value);
        if late.iter().any(|request| request == text(&contract, "/request")) {
            subjects.push(text(&contract, "/subject").to_owned());
        }
    });
    let holds = |entries: &Entries, subject: &String| {
        entries
            .range("v1/key/".to_owned()..)
            .take_while(|(key, _)| key.starts_with("v1/key/"))
            .any(|(key, _)| key.ends_with(subject))
    };
    for subject in subjects {
        if holds(&now, &subject) {
            world.violate("I12", "a month after a request's end its subject's key is in the store");
        }
        if lock(&seats.backups).iter().any(|(_, _, entries)| holds(entries, &subject)) {
            world.violate("I12", "a month after a request's end its subject's key is in a backup");
        }
    }
}
