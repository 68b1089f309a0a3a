//! The checkers: what must hold, looked at after every step, in the world and in the bytes that the product left there. They read
//! JSON as anybody would and share no code with what they check; none of them knows that a bug can be planted.

mod bytes;
mod due;
mod gone;
mod proof;

use std::sync::Arc;

use gallra_model::message::ToAgent;
use serde_json::Value;

use crate::store::Memory;
use crate::world::World;

pub use bytes::{identifiers, keys_are_gone, keys_are_there};
pub use due::all_is_done;
pub use gone::erase_one;
pub use proof::lists_hold;

/// A key that a transaction changed.
pub struct Changed {
    /// Which.
    pub key: String,
    /// What it held.
    pub before: Option<Vec<u8>>,
    /// What it holds.
    pub after: Option<Vec<u8>>,
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or(Value::Null)
}

fn text<'a>(value: &'a Value, at: &str) -> &'a str {
    value.pointer(at).and_then(Value::as_str).unwrap_or_default()
}

/// After every commit, before anybody else acts.
pub fn committed(world: &Arc<World>, memory: &Memory, node: &str, changed: &[Changed]) {
    for one in changed {
        let mut parts = one.key.split('/').skip(1);
        match (parts.next().unwrap_or_default(), parts.next().unwrap_or_default()) {
            ("plan", request) => plan(world, request, one),
            ("log", "head") => log(world, node, one),
            ("proof", request) => proof::issued(world, memory, request, one),
            ("request", id) => request(world, id, one),
            ("job", _) => job(world, one),
            ("leak", _) => leak(world, one),
            _ => {}
        }
        if let Some(after) = &one.after {
            identifiers(world, &one.key, after);
        }
    }
}

/// I2: a plan never changes, and a successor names its parent.
fn plan(world: &World, request: &str, changed: &Changed) {
    if let Some(before) = &changed.before
        && changed.after.as_ref() != Some(before)
    {
        world.violate("I2", format!("a plan of {} changed", world.name("request", request)));
    }
    let Some(plan) = changed.after.as_deref().and_then(payload) else { return };
    let number = plan.pointer("/number").and_then(Value::as_u64).unwrap_or(1);
    world.tell("plan", format!("plan {number} of {}", world.name("request", request)));
    if number > 1 && text(&plan, "/parent").is_empty() {
        world.violate("I2", format!("plan {number} of {} names no parent", world.name("request", request)));
    }
}

/// I7: the log only grows. And decision 4: nobody but who leads makes it grow.
fn log(world: &World, node: &str, changed: &Changed) {
    let size = changed.after.as_deref().map(json).and_then(|head| head.pointer("/size").and_then(Value::as_u64));
    let size = size.unwrap_or(0);
    let mut contents = world.contents();
    let (before, leader) = (contents.truth.log_size, contents.truth.leader.clone());
    contents.truth.log_size = size.max(before);
    drop(contents);
    if size < before {
        world.violate("I7", format!("the log shrank from {before} to {size} entries"));
    }
    if leader.as_deref() != Some(node) {
        world.violate("decision 4", format!("{node} wrote the log though it does not lead"));
    }
}

fn state_of(value: Option<&Vec<u8>>) -> String {
    let value = value.map(|value| json(value)).unwrap_or(Value::Null);
    value.pointer("/state").map_or_else(
        || "-".to_owned(),
        |state| match state.as_str() {
            Some(text) => text.to_owned(),
            None => state.to_string(),
        },
    )
}

fn request(world: &World, id: &str, changed: &Changed) {
    let (before, after) = (state_of(changed.before.as_ref()), state_of(changed.after.as_ref()));
    if before != after {
        world.count(format!("request {before} -> {after}"));
        world.tell("coordinator", format!("{}: {before} -> {after}", world.name("request", id)));
    }
    if changed.before.is_none() {
        world.contents().truth.requests += 1;
    }
    // I8: what was acknowledged is never lost.
    if changed.after.is_none() {
        world.violate("I8", format!("{} is gone from the store", world.name("request", id)));
    }
}

/// Nothing here has a field that shows somebody: a statement that does is a fault of the product's.
fn leak(world: &World, changed: &Changed) {
    let Some(noted) = changed.after.as_deref().map(json) else { return };
    world.violate("I12", format!("a statement shows somebody: {}", text(&noted, "/field")));
}

fn job(world: &World, changed: &Changed) {
    let (before, after) = (state_of(changed.before.as_ref()), state_of(changed.after.as_ref()));
    if before == after {
        return;
    }
    world.count(format!("job {before} -> {after}"));
    let record = json(changed.after.as_ref().or(changed.before.as_ref()).map_or(&[], |value| value));
    let job = changed.key.rsplit('/').next().unwrap_or_default();
    let (action, target) = (text(&record, "/step/action"), text(&record, "/step/target"));
    world.tell("coordinator", format!("{} ({action} {target}): {before} -> {after}", world.name("job", job)));
}

/// The signed payload inside of a stored envelope.
fn payload(value: &[u8]) -> Option<Value> {
    use base64::Engine as _;
    let value = json(value);
    let inner = value.pointer("/envelope").unwrap_or(&value);
    let payload = inner.pointer("/payload").and_then(Value::as_str)?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(payload).ok()?;
    let statement = json(&bytes);
    Some(statement.pointer("/predicate").cloned().unwrap_or(statement))
}

/// What an agent is told, as it is sent.
pub fn told(world: &World, memory: &Memory, agent: &str, word: &ToAgent) {
    match word {
        // I4: what an agent is told to forget is durable.
        ToAgent::ReceiptStored { receipt } => {
            let digest = receipt.to_string();
            let mut there = false;
            // One that would show somebody is kept sealed, elsewhere.
            for family in ["v1/receipt/", "v1/leak/"] {
                memory.each(family, |key, _| there |= key.ends_with(&digest));
            }
            if !there {
                world.violate("I4", format!("{agent} was told that a receipt is stored, and it is not"));
            }
        }
        ToAgent::Welcome { generation, .. } => {
            let mut contents = world.contents();
            let seen = contents.truth.generations.entry(agent.to_owned()).or_default();
            seen.0 = seen.0.max(*generation);
        }
        ToAgent::Permitted { permit } => {
            let value = serde_json::to_vec(permit).unwrap_or_default();
            let said = payload(&value).unwrap_or(Value::Null);
            let generation = said.pointer("/generation").and_then(Value::as_u64).unwrap_or(0);
            let (job, action) = (world.name("job", text(&said, "/job")), text(&said, "/action").to_owned());
            world.tell("coordinator", format!("permits {agent} {job} ({action})"));
            world.contents().truth.generations.entry(agent.to_owned()).or_default().1 = generation;
        }
        ToAgent::Denied { job, reason, .. } => {
            world.count(format!("denied {}", reason.as_str()));
            world.tell(
                "coordinator",
                format!("denies {agent} {}: {}", world.name("job", &job.to_string()), reason.as_str()),
            );
        }
        ToAgent::Order { .. } => world.count("told of a stop or its end"),
        ToAgent::Withdraw { job } => {
            world.count("withdrawn");
            world.tell("coordinator", format!("withdraws {} from {agent}", world.name("job", &job.to_string())));
        }
        ToAgent::ClockMoved { .. }
        | ToAgent::Offer { .. }
        | ToAgent::RestoreHeard { .. }
        | ToAgent::Suppression { .. } => {}
    }
}
