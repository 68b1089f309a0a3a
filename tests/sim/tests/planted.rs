//! Each planted bug is found, by a checker that does not know of it, within seeds that pass without it. A simulator that finds none
//! of them proves nothing. `GALLRA_SIM_BUG` names the only one that is looked for, `GALLRA_SIM_SEEDS` how many seeds are tried.

mod common;

use common::run;
use gallra_planted::Bug;

/// Seeds that are tried where a bug is looked for by name.
const TRIED: u64 = 8;
/// Days of each.
const DAYS: u64 = 75;

#[test]
fn a_bug_is_found() {
    let wanted = std::env::var("GALLRA_SIM_BUG").unwrap_or_default();
    let within = std::env::var("GALLRA_SIM_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(TRIED);
    let days = std::env::var("GALLRA_SIM_DAYS").ok().and_then(|text| text.parse().ok()).unwrap_or(DAYS);
    for bug in Bug::ALL.into_iter().filter(|bug| format!("{bug:?}") == wanted) {
        let found = (0..within).find_map(|seed| {
            let outcome = run(seed, days, Some(bug));
            (!outcome.violations.is_empty()).then_some(outcome)
        });
        match found {
            Some(outcome) => {
                println!("{bug:?}: seed {}: {:?} {}", outcome.seed, outcome.violations, outcome.story.len())
            }
            None => println!("{bug:?}: not found in {within} seeds of {days} days"),
        }
    }
}
