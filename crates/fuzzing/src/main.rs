//! One body under a coverage-guided fuzzer (libFuzzer): `GALLRA_FUZZ=ids gallra-fuzz -runs=1000000 FOLDER...`; without
//! the variable it prints every target and how often the long run executes it. Built and run by `./dev fuzz`, which
//! has the flags that make a stable compiler count coverage.
#![no_main]

use std::io::Write as _;
use std::sync::OnceLock;

use gallra_fuzzing::{Seen, TARGETS, target};

static BODY: OnceLock<fn(&[u8]) -> Seen> = OnceLock::new();

/// Finds the body that the environment names.
fn choose() {
    let Ok(name) = std::env::var("GALLRA_FUZZ") else {
        let mut out = std::io::stdout().lock();
        let listed = TARGETS.iter().try_for_each(|target| writeln!(out, "{} {}", target.name, target.executions));
        std::process::exit(i32::from(listed.is_err()));
    };
    BODY.get_or_init(|| target(&name).expect("GALLRA_FUZZ names a target of gallra_fuzzing::TARGETS").body);
}

libfuzzer_sys::fuzz_target!(init: choose(), |bytes: &[u8]| {
    if let Some(body) = BODY.get() {
        body(bytes);
    }
});
