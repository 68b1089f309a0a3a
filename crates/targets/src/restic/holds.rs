//! Which snapshots hold a customer's paths, when their own list of paths does not tell. One `find` over all of them,
//! then one `ls` for each where it found nothing.
//!
//! The second look is needed: until 0.17 `find` leaves out a directory whose content equals that of one which it has
//! passed over, so an empty mailbox beside another empty one is not found. What a tree holds never changes, so an
//! answer is remembered under a digest.

use std::collections::{BTreeSet, HashMap};
use std::io::Read;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;

use gallra_model::digest::Digest;
use gallra_model::receipt::Code;

use super::program::{Answer, Program};
use super::snapshot::{Snapshot, Wanted, is_within};
use crate::driver::Failure;

/// Snapshots named in one `find`: bounds the length of a command line.
const FIND_AT_ONCE: usize = 1000;

/// Answers remembered before all are forgotten.
const REMEMBERED: usize = 100_000;

/// What is known of trees already. Holds digests only.
#[derive(Default)]
pub(crate) struct Memory(Mutex<HashMap<Digest, bool>>);

impl Memory {
    fn known(&self) -> MutexGuard<'_, HashMap<Digest, bool>> {
        // Every entry is whole in itself, whatever else a panicking thread left undone.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, key: Digest, holds: bool) {
        let mut known = self.known();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(key, holds);
    }
}

/// Trees (by id) among `asked` that hold one of the customer's own paths. Every asked snapshot was made of a directory
/// above one of them.
///
/// # Errors
/// [`Code::SentinelMissing`] when a snapshot's tree does not begin where the paths begin: then nothing found says
/// nothing. Otherwise as [`Program::read`].
pub(crate) fn trees_with(
    restic: &Program,
    memory: &Memory,
    wanted: &Wanted,
    asked: &[&Snapshot],
) -> Result<BTreeSet<String>, Failure> {
    let mut with = BTreeSet::new();
    let mut open: Vec<&Snapshot> = Vec::new();
    for snapshot in asked {
        match memory.known().get(&key(snapshot, wanted)) {
            Some(true) => drop(with.insert(snapshot.tree.clone())),
            Some(false) => {}
            None => open.push(snapshot),
        }
    }
    for some in open.chunks(FIND_AT_ONCE) {
        let hits = find(restic, wanted, some)?;
        let found = some.iter().filter(|snapshot| hits.contains(&snapshot.id));
        with.extend(found.map(|snapshot| snapshot.tree.clone()));
    }
    let mut missed: Vec<&Snapshot> = open.iter().copied().filter(|snapshot| !with.contains(&snapshot.tree)).collect();
    missed.sort_by(|a, b| a.tree.cmp(&b.tree));
    missed.dedup_by(|a, b| a.tree == b.tree);
    with.extend(look_again(restic, wanted, &missed)?);
    for snapshot in open {
        memory.learn(key(snapshot, wanted), with.contains(&snapshot.tree));
    }
    Ok(with)
}

fn key(snapshot: &Snapshot, wanted: &Wanted) -> Digest {
    let mut parts = vec![snapshot.tree.as_bytes()];
    parts.extend(wanted.own.iter().map(String::as_bytes));
    Digest::of_parts(&parts)
}

/// `ls` for each, two at a time: a call is almost only key derivation, and that keeps one core busy.
fn look_again(restic: &Program, wanted: &Wanted, missed: &[&Snapshot]) -> Result<Vec<String>, Failure> {
    let half = missed.len().div_ceil(2).max(1);
    let lists = std::thread::scope(|scope| {
        let look = |some: &[&Snapshot]| -> Result<Vec<String>, Failure> {
            let mut with = Vec::new();
            for snapshot in some {
                if ls(restic, wanted, snapshot)? {
                    with.push(snapshot.tree.clone());
                }
            }
            Ok(with)
        };
        let workers: Vec<_> = missed.chunks(half).map(|some| scope.spawn(move || look(some))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| Err(died()))).collect::<Result<Vec<_>, _>>()
    })?;
    Ok(lists.into_iter().flatten().collect())
}

fn died() -> Failure {
    Failure::new(Code::Target, "a look at this target's repository ended unexpectedly: try again")
}

#[derive(Deserialize)]
struct Found {
    snapshot: String,
    hits: u64,
    // `matches` is left out on purpose: it can be huge, and is read past without being kept.
}

/// Ids of snapshots in which `find` sees one of the paths.
fn find(restic: &Program, wanted: &Wanted, among: &[&Snapshot]) -> Result<BTreeSet<String>, Failure> {
    let mut args: Vec<String> = vec!["find".into(), "--json".into()];
    for snapshot in among {
        args.extend(["--snapshot".into(), snapshot.id.clone()]);
    }
    args.extend(wanted.own.iter().map(|path| escape(path)));
    restic.read(&args, |answer: &mut Answer| hits(answer))
}

/// Reads what `find` answers.
pub(super) fn hits(answer: impl Read) -> Option<BTreeSet<String>> {
    let mut hits = BTreeSet::new();
    for list in serde_json::Deserializer::from_reader(answer).into_iter::<Vec<Found>>() {
        hits.extend(list.ok()?.into_iter().filter(|found| found.hits > 0).map(|found| found.snapshot));
    }
    Some(hits)
}

/// A path as a pattern that matches only itself (and what lies beneath).
fn escape(path: &str) -> String {
    let mut pattern = String::with_capacity(path.len());
    for c in path.chars() {
        if ['*', '?', '[', '\\'].contains(&c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

#[derive(Deserialize)]
struct Node {
    struct_type: String,
    #[serde(default)]
    path: String,
}

/// Whether the snapshot holds one of the paths, by a listing of the directories on the way to them.
fn ls(restic: &Program, wanted: &Wanted, snapshot: &Snapshot) -> Result<bool, Failure> {
    let mut args: Vec<String> = vec!["ls".into(), "--json".into(), snapshot.id.clone(), "/".into()];
    args.extend(wanted.own.iter().cloned());
    let own = wanted.own.clone();
    let (holds, begins) = restic.read(&args, move |answer: &mut Answer| nodes(answer, &own))?;
    if !holds && !begins {
        return Err(Failure::new(
            Code::SentinelMissing,
            "snapshots of this target do not begin at the root of the file system, so `paths` finds nothing in them: \
             let the routine back up absolute paths",
        ));
    }
    Ok(holds)
}

/// Reads what `ls` answers: whether one of the paths is in it, and whether the way to one is.
pub(super) fn nodes(answer: impl Read, own: &[String]) -> Option<(bool, bool)> {
    let (mut holds, mut begins, mut whole) = (false, false, false);
    for node in serde_json::Deserializer::from_reader(answer).into_iter::<Node>() {
        let Node { struct_type, path } = node.ok()?;
        if struct_type == "node" {
            holds |= own.iter().any(|own| is_within(&path, own));
            begins |= own.iter().any(|own| is_within(own, &path));
        }
        whole |= struct_type == "snapshot";
    }
    whole.then_some((holds, begins))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_pattern_would_read_as_a_wildcard_is_escaped() {
        assert_eq!(escape(r"/srv/a*b?c[d]\e"), r"/srv/a\*b\?c\[d]\\e");
        assert_eq!(escape("/srv/anna.example"), "/srv/anna.example");
    }
}
