//! Proofs verified in a second, beside nothing but the Ed25519 checks that they need, over as many bytes, in the same
//! run. Owns the clock; upholds nothing: it is where a loss of speed shows itself. `cargo bench -p gallra-verify`;
//! `GALLRA_BENCH_FULL=1` measures longer.
#![expect(clippy::print_stdout, reason = "figures are what a benchmark is run for")]
#![expect(clippy::disallowed_methods, reason = "it measures real time, and decides nothing by it")]
#![allow(missing_docs, reason = "a program of its own")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use ed25519_dalek::{Signer as _, SigningKey};
use gallra_verify::{Outcome, Question, Trust, verify};

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
    // Statement, plan and receipts carry one signature each. Payloads are three quarters of the file.
    let signatures = FINAL.windows(6).filter(|window| window == b"\"sig\":").count();
    let key = SigningKey::from_bytes(&[1; 32]);
    let message = vec![b'x'; FINAL.len() * 3 / 4 / signatures];
    let (public, signature) = (key.verifying_key(), key.sign(&message));
    let peer = rate(|| {
        for _ in 0..signatures {
            black_box(public.verify_strict(black_box(&message), &signature)).expect("our own signature");
        }
    });
    println!(
        "bench verify/proof-of-{signatures}-signatures {ours:.0} proofs/s peer {peer:.0} ratio {:.2}",
        peer / ours
    );
    Ok(())
}
