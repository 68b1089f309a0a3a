//! The frozen proof verified, beside nothing but the signature checks that it needs, with the same libraries in the same run.
//! Files of other sizes are measured by `crates/proof/benches/proofs.rs`, which can make them. Owns the clock; upholds nothing: it
//! is where a loss of speed shows itself. `cargo bench -p gallra-verify`; `GALLRA_BENCH_FULL=1` measures longer.
#![expect(clippy::print_stdout, reason = "figures are what a benchmark is run for")]
#![expect(clippy::disallowed_methods, reason = "it measures real time, and decides nothing by it")]
#![allow(missing_docs, reason = "a program of its own")]

mod raw;

use std::hint::black_box;
use std::time::{Duration, Instant};

use gallra_verify::{Outcome, Question, Trust, verify};
use raw::Raw;

const FINAL: &[u8] = include_bytes!("../../../docs/formats/vectors/proof-v1.json");
const KEY: &str = include_str!("../../../docs/formats/vectors/proof-v1.anchor");

fn span() -> Duration {
    Duration::from_secs(if std::env::var_os("GALLRA_BENCH_FULL").is_some() { 10 } else { 1 })
}

/// Runs in a second.
fn rate(mut run: impl FnMut()) -> f64 {
    let (began, mut runs) = (Instant::now(), 0_u32);
    while began.elapsed() < span() {
        run();
        runs += 1;
    }
    f64::from(runs) / began.elapsed().as_secs_f64()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let trusted = Trust::parse(KEY)?;
    let ours = rate(|| {
        let verdict = verify(black_box(FINAL), &trusted, &Question::default());
        assert!(matches!(verdict.outcome, Outcome::Final { .. }), "{}", verdict.conclusion());
    });
    let raw = Raw::of(FINAL).ok_or("the frozen proof has signatures")?;
    let (classical, lattice) = raw.counts();
    let peer = rate(|| assert!(black_box(&raw).holds(), "a signature of the frozen proof"));
    println!(
        "bench verify/frozen-proof-of-{classical}-ed25519-and-{lattice}-ml-dsa {ours:.0} proofs/s peer {peer:.0} ratio {:.2}",
        peer / ours
    );
    Ok(())
}
