//! Leaves appended, inclusion proofs made and checked, in a second, beside nothing but as many SHA-256 over as many bytes,
//! in the same run. Owns the clock; upholds nothing: it is where a loss of speed shows itself. `cargo bench -p gallra-log`;
//! `GALLRA_BENCH_FULL=1` measures longer, and on a tree of a million leaves.
#![expect(clippy::print_stdout, reason = "figures are what a benchmark is run for")]
#![expect(clippy::disallowed_methods, reason = "it measures real time, and decides nothing by it")]
#![allow(missing_docs, reason = "a program of its own")]

use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use gallra_log::tree::{Hash, Node, Range, check_inclusion, inclusion};
use sha2::{Digest as _, Sha256};

/// What a leaf is about as long as: an entry with one signature.
const ENTRY: [u8; 300] = [b'x'; 300];

fn is_full() -> bool {
    std::env::var_os("GALLRA_BENCH_FULL").is_some()
}

/// Runs in a second.
fn rate(mut run: impl FnMut()) -> f64 {
    let span = Duration::from_secs(if is_full() { 10 } else { 1 });
    let (began, mut runs) = (Instant::now(), 0_u32);
    while began.elapsed() < span {
        // Looking at the clock costs as much as a hash.
        for _ in 0..64 {
            run();
        }
        runs += 64;
    }
    f64::from(runs) / began.elapsed().as_secs_f64()
}

/// SHA-256 over so many nodes, and over an entry where there is one: what the work cannot be done without.
fn hashes(nodes: usize, entry: bool) -> impl FnMut() {
    move || {
        for _ in 0..nodes {
            black_box(Sha256::digest(black_box([1; 65])));
        }
        if entry {
            black_box(Sha256::digest(black_box(ENTRY)));
        }
    }
}

fn said(name: &str, unit: &str, ours: f64, peer: f64) {
    println!("bench log/{name} {ours:.0} {unit}/s peer {peer:.0} ratio {:.2}", peer / ours);
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut range = Range::default();
    let ours = rate(|| {
        range
            .append(Hash::leaf(black_box(&ENTRY)), |node, hash| {
                black_box((node, hash));
            })
            .expect("room")
    });
    // A leaf is one node in the mean: every other one completes a pair, every fourth one of those.
    said("append", "leaves", ours, rate(hashes(1, true)));

    let size: u64 = if is_full() { 1_000_000 } else { 100_000 };
    let (mut range, mut stored) = (Range::default(), HashMap::new());
    for number in 0..size {
        range.append(Hash::leaf(&number.to_be_bytes()), |node, hash| {
            stored.insert(node, hash);
        })?;
    }
    let (root, all) = (range.root(), |node: Node| stored.get(&node).copied());
    // Leaves all over the tree: steps that no power of two divides.
    let mut at = 0;
    let mut next = move || {
        at = (at + 7_919) % size;
        at
    };
    let made = rate(|| drop(black_box(inclusion(next(), size, &all).expect("in the tree"))));
    let index = size / 3;
    let path = inclusion(index, size, &all)?;
    // Nothing is hashed but at the right edge; beside it stands what checking cannot do without.
    said("inclusion-made", "proofs", made, rate(hashes(path.len(), false)));
    let leaf = Hash::leaf(&index.to_be_bytes());
    let checked = rate(|| check_inclusion(black_box(&path), index, size, &leaf, &root).expect("our own proof"));
    said(&format!("inclusion-checked-of-{}-hashes", path.len()), "proofs", checked, rate(hashes(path.len(), false)));
    Ok(())
}
