//! The short run: a fixed set of seeds; and, where some are asked for (`./dev sim N`), fresh ones whose numbers are printed.

#![expect(clippy::print_stdout, reason = "a fresh seed is of use only to whoever knows its number")]

mod common;

use common::{DAYS, run};

/// Seeds that are always played.
const FIXED: [u64; 3] = [0, 1, 2];

/// What is played where no fresh ones are asked for.
const UNASKED: u64 = 3;

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
    let asked = number("GALLRA_SIM_SEEDS");
    let mut bytes = [0; 4];
    gallra_random::fill(&mut bytes).expect("random");
    // Nobody's change is refused for what is somebody else's: where none are asked for, it is the same one each time.
    let drawn = if asked.is_some() { u32::from_le_bytes(bytes).into() } else { UNASKED };
    let first = number("GALLRA_SEED").unwrap_or(drawn);
    let (seeds, days) = (asked.unwrap_or(1), number("GALLRA_SIM_DAYS").unwrap_or(DAYS));
    for seed in first..first + seeds {
        println!("fresh seed: GALLRA_SEED={seed} GALLRA_SIM_DAYS={days}");
        holds(seed, days);
    }
}
