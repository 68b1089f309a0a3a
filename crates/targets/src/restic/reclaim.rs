//! Whether the bytes of removed snapshots were reclaimed: what the index names, what remaining snapshots refer to, and
//! which packs are stored. Upholds decision 7: a snapshot that is no longer listed is not gone before that.
//!
//! `stats --mode raw-data` counts every blob that a snapshot refers to once and fails when the index lacks one, so
//! equal numbers mean equal sets.

use std::collections::BTreeSet;

use serde::Deserialize;

use gallra_model::copy::Reclaimed;
use gallra_model::receipt::Code;

use super::place::Place;
use super::program::{Program, json};
use crate::driver::Failure;

/// Attempts at numbers that belong together.
const ATTEMPTS: usize = 3;

#[derive(Deserialize)]
pub(super) struct IndexFile {
    #[serde(default)]
    packs: Vec<IndexedPack>,
}

#[derive(Deserialize)]
struct IndexedPack {
    id: String,
    #[serde(default)]
    blobs: Vec<IndexedBlob>,
}

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct IndexedBlob {
    r#type: String,
    id: String,
}

#[derive(Deserialize)]
pub(super) struct Stats {
    total_blob_count: u64,
}

#[derive(Default)]
struct Index {
    packs: BTreeSet<String>,
    blobs: BTreeSet<IndexedBlob>,
}

/// Counts, in `1 + number of index files` calls.
///
/// # Errors
/// [`Code::Target`] when the repository changes all the while; otherwise as [`Program::read`].
pub(crate) fn count(restic: &Program, place: &Place) -> Result<Reclaimed, Failure> {
    for _ in 0..ATTEMPTS {
        let indexes = place.ids(restic, "index")?;
        let (index, stats) = std::thread::scope(|scope| {
            let stats = scope.spawn(|| restic.read(&["stats", "--mode", "raw-data", "--json"], json::<Stats>));
            let index = read_index(restic, &indexes);
            let stats = stats.join().unwrap_or_else(|_| Err(changed()));
            Ok::<_, Failure>((index?, stats?))
        })?;
        let packs = place.packs(restic)?;
        // Every run that adds or removes a blob writes a new index file: the same ones mean that no run came between.
        if place.ids(restic, "index")? == indexes {
            return Ok(Reclaimed {
                blobs_indexed: index.blobs.len() as u64,
                blobs_referenced: stats.total_blob_count,
                packs_stored: packs.len() as u64,
                packs_indexed: packs.intersection(&index.packs).count() as u64,
            });
        }
    }
    Err(changed())
}

fn read_index(restic: &Program, indexes: &BTreeSet<String>) -> Result<Index, Failure> {
    let mut index = Index::default();
    for id in indexes {
        let file = restic.read(&["cat", "index", id], json::<IndexFile>)?;
        for pack in file.packs {
            index.packs.insert(pack.id);
            index.blobs.extend(pack.blobs);
        }
    }
    Ok(index)
}

fn changed() -> Failure {
    Failure::new(
        Code::Target,
        "this target's repository changes while it is read: observe again when its routine is done",
    )
}
