//! Each planted bug is found, by a checker that does not know of it, within seeds that pass without it (`short.rs` plays them). A
//! simulator that finds none of them proves nothing.
//!
//! `GALLRA_SIM_BUG=HoldGuardSkipped` looks for one bug alone, in the first `GALLRA_SIM_SEEDS` seeds.

#![expect(clippy::print_stdout, reason = "says what was found, to whoever looks for it")]

mod common;

use common::{DAYS, run};
use gallra_planted::Bug;

/// In which of the short run's seeds a bug is found first, and what it breaks.
const TABLE: [(Bug, u64, &str); 6] = [
    (Bug::ReceiptDroppedAtFailOver, 0, "I4"),
    (Bug::LeaderConditionDropped, 0, "decision 4"),
    (Bug::KeyDestroyedTooEarly, 1, "I8"),
    (Bug::SuppressionLost, 1, "decision 8"),
    (Bug::JournalNotSynced, 1, "I4"),
    (Bug::HoldGuardSkipped, 2, "I1"),
];

#[test]
fn planted_bugs_are_found() {
    const { assert!(gallra_planted::CAN_PLANT, "the tests are built with the switch") };
    for (bug, seed, breaks) in TABLE {
        let outcome = run(seed, DAYS, Some(bug));
        let broken: Vec<&str> = outcome.violations.iter().map(|one| one.invariant).collect();
        assert!(broken.contains(&breaks), "{bug:?} in seed {seed}: {broken:?}");
    }
}

#[test]
fn a_bug_is_found_by_its_name() {
    let wanted = std::env::var("GALLRA_SIM_BUG").unwrap_or_else(|_| "ReceiptDroppedAtFailOver".to_owned());
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (seeds, days) = (number("GALLRA_SIM_SEEDS").unwrap_or(3), number("GALLRA_SIM_DAYS").unwrap_or(DAYS));
    let bug = Bug::ALL.into_iter().find(|bug| format!("{bug:?}") == wanted).expect("a bug of this name");
    let found = (0..seeds).map(|seed| run(seed, days, Some(bug))).find(|outcome| !outcome.violations.is_empty());
    let found = found.unwrap_or_else(|| panic!("{bug:?} is not found in {seeds} seeds of {days} days"));
    println!("{bug:?}: seed {}: {:?}", found.seed, found.violations);
}
