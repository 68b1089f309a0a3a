//! The short run: a fixed set of seeds, and some fresh ones whose numbers are printed.

mod common;

use common::run;

/// Seeds that are always played.
const FIXED: std::ops::Range<u64> = 0..4;

#[test]
fn years_of_fixed_seeds_break_nothing() {
    for seed in FIXED {
        let began = std::time::Instant::now();
        let outcome = run(seed, None);
        println!("seed {seed}: {} done, {} lines, {:?}", outcome.done, outcome.story.len(), began.elapsed());
        assert!(outcome.violations.is_empty(), "{}", outcome.tale());
    }
}
