//! The short run: a fixed set of seeds, and some fresh ones whose numbers are printed.

#![expect(clippy::print_stdout, reason = "a fresh seed is of use only to whoever knows its number")]

mod common;

use common::{DAYS, run};

/// Seeds that are always played.
const FIXED: [u64; 3] = [0, 1, 2];

fn holds(seed: u64, days: u64) {
    let outcome = run(seed, days, None);
    assert!(outcome.violations.is_empty(), "{}", outcome.tale());
    let coverage: Vec<String> = outcome.coverage.iter().map(|(what, times)| format!("{what}: {times}")).collect();
    println!("seed {seed}, {days} days: {} done, {}", outcome.done, coverage.join(", "));
}

#[test]
fn fixed_seeds_break_nothing() {
    FIXED.into_iter().for_each(|seed| holds(seed, DAYS));
}

#[test]
fn fresh_seeds_break_nothing() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let mut bytes = [0; 4];
    gallra_random::fill(&mut bytes).expect("random");
    let first = number("GALLRA_SEED").unwrap_or_else(|| u32::from_le_bytes(bytes).into());
    let (seeds, days) = (number("GALLRA_SIM_SEEDS").unwrap_or(1), number("GALLRA_SIM_DAYS").unwrap_or(DAYS));
    for seed in first..first + seeds {
        println!("fresh seed: GALLRA_SEED={seed} GALLRA_SIM_DAYS={days}");
        holds(seed, days);
    }
}
