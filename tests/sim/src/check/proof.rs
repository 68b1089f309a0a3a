//! I5: a proof says *final* only of what is so in the world. And decision 8: what was erased is in its agent's list.

use serde_json::Value;

use super::{Changed, json, text};
use crate::store::Memory;
use crate::world::World;

/// A proof was issued.
pub(super) fn issued(world: &World, memory: &Memory, request: &str, changed: &Changed) {
    let Some(proof) = changed.after.as_deref().map(json) else { return };
    let stage = text(&proof, "/stage").to_owned();
    world.count(format!("proof {stage}"));
    world.tell("coordinator", format!("proof of {}: {stage}", world.name("request", request)));
    if stage == "interim" {
        return;
    }
    let ms = world.ms();
    let mut contents = world.contents();
    let owner = contents.truth.contracts.iter().find(|(_, told)| told.requests.contains(request));
    let Some(owner) = owner.map(|(service, _)| service.clone()) else { return };
    let mut broken = Vec::new();
    for (at, place) in &contents.places {
        let kept = at.1 == "books";
        if !kept && place.items.get(&owner).is_some_and(|items| !items.is_empty()) {
            broken.push(format!("{}/{} holds items of {owner}", at.0, at.1));
        }
        let erased = contents.truth.erased.contains_key(&(at.0.clone(), at.1.clone(), owner.clone()));
        let last =
            contents.repos.iter().filter(|(repo, _)| repo.0 == at.0).filter_map(|(_, repo)| repo.last_gone.get(&owner));
        let last = last.max().copied().unwrap_or(0);
        if erased && place.found_empty.get(&owner).is_none_or(|empty| *empty < last) {
            broken.push(format!("nobody looked at {}/{} since the last copy of {owner} went", at.0, at.1));
        }
    }
    for (at, repo) in &contents.repos {
        let holds = |copy: &&crate::repo::Copy| copy.holds.iter().any(|(_, place)| place.items.contains_key(&owner));
        if let Some(copy) = repo.copies.iter().find(holds) {
            broken.push(format!("copy {} in {}/{} holds items of {owner}", copy.number, at.0, at.1));
        }
    }
    if contents.truth.holds.iter().any(|(service, hold)| *service == owner && hold.lies(ms)) {
        broken.push(format!("a hold lies on {owner}"));
    }
    if let Some(told) = contents.truth.contracts.get_mut(&owner) {
        told.done.get_or_insert(ms);
    }
    drop(contents);
    let _ = memory;
    broken.into_iter().for_each(|what| world.violate("I5", format!("a proof says {stage}, and {what}")));
}

/// What an agent erased, and no copy has outlived, stands in its suppression list on its disk.
pub fn lists_hold(world: &World) {
    let contents = world.contents();
    let mut broken = Vec::new();
    for (agent, list) in &contents.truth.lists {
        let lines = list.durable();
        let entries = lines
            .split(|byte| *byte == b'\n')
            .filter_map(|line| line.get(17..))
            .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
            .filter(|kept| {
                let envelope = kept.pointer("/line").map(ToString::to_string).unwrap_or_default();
                super::payload(envelope.as_bytes()).is_some_and(|line| line.to_string().contains("\"tag\""))
            })
            .count();
        let repos = contents.repos.iter().filter(|(at, _)| at.0 == *agent);
        let kept: Vec<&crate::repo::Copy> = repos.flat_map(|(_, repo)| &repo.copies).collect();
        let needed = contents.truth.erased.iter().filter(|((of, target, owner), _)| {
            let left = contents.places.get(&(of.clone(), target.clone()));
            of == agent
                && left.is_none_or(|place| !place.items.contains_key(owner))
                && kept
                    .iter()
                    .any(|copy| copy.holds.iter().any(|(at, place)| at == target && place.items.contains_key(owner)))
        });
        let needed = needed.count();
        if entries < needed {
            broken.push(format!(
                "{agent} erased {needed} subjects that copies still hold, and its list has {entries} entries"
            ));
        }
    }
    drop(contents);
    broken.into_iter().for_each(|what| world.violate("decision 8", what));
}
