//! Each planted bug is found within a stated number of seeds, by a checker that does not know of it; and the same seeds without it
//! pass. A simulator that finds none of them proves nothing.

mod common;

use common::run;
use gallra_planted::Bug;

/// Within how many seeds a bug is found, and what it breaks.
const TABLE: [(Bug, u64, &[&str]); 13] = [
    (Bug::HoldGuardSkipped, 20, &["I1", "I5"]),
    (Bug::LeaderConditionDropped, 40, &["decision 4"]),
    (Bug::JournalNotSynced, 2, &["I4"]),
    (Bug::ListingErrorIsEmpty, 5, &["I5"]),
    (Bug::FinalBeforeLastConfirm, 5, &["I5"]),
    (Bug::SuppressionLost, 5, &["decision 8"]),
    (Bug::OlderGenerationAccepted, 40, &["I3"]),
    (Bug::PermitWithoutExpiry, 80, &["I1"]),
    (Bug::ReceiptDroppedAtFailOver, 5, &["I4"]),
    (Bug::PolicyChangeIgnored, 20, &["I1"]),
    (Bug::DoubledEventReopens, 10, &["I6"]),
    (Bug::KeyDestroyedTooEarly, 10, &["I8"]),
    (Bug::MatchedByPrefix, 5, &["I11"]),
];

#[test]
fn each_planted_bug_is_found_and_the_same_seeds_pass_without_it() {
    assert!(gallra_planted::CAN_PLANT, "the tests are built with the switch");
    for (bug, within, breaks) in TABLE {
        let found = (0..within).find_map(|seed| {
            let broken = run(seed, Some(bug)).violations;
            (!broken.is_empty()).then_some((seed, broken))
        });
        let Some((seed, broken)) = found else { panic!("{bug:?} is not found within {within} seeds") };
        println!("{bug:?}: seed {seed}, {}: {}", broken[0].invariant, broken[0].what);
        assert!(broken.iter().all(|one| breaks.contains(&one.invariant)), "{bug:?}: {broken:?}");
        let clean = run(seed, None);
        assert!(clean.violations.is_empty(), "{}", clean.tale());
    }
}
