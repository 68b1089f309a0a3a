//! Plans made and doubted in a second, and answers of `policy explain`, each beside writing the result as JSON in the same
//! run: the least that handing it on costs. Owns the clock; upholds nothing. `cargo bench -p gallra-planner`;
//! `GALLRA_BENCH_FULL=1` measures longer.
#![expect(clippy::print_stdout, reason = "figures are what a benchmark is run for")]
#![expect(clippy::disallowed_methods, reason = "it measures real time, and decides nothing by it")]
#![allow(missing_docs, clippy::indexing_slicing, clippy::unwrap_used, reason = "a program of its own")]

#[path = "../tests/planner/script.rs"]
mod script;

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use gallra_planner::{check, plan};
use gallra_policy::explain::{Ask, explain};

/// One contract on one host, as in the demonstration.
const SMALL: &str = include_str!("../tests/scenario/01-sole-trader-ended-and-settled.txt");
/// Hosts of the large plan; its steps come near to what one plan may have.
const HOSTS: usize = 100;

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

fn line(name: &str, ours: f64, unit: &str, peer: f64) {
    println!("bench {name} {ours:.0} {unit} peer {peer:.0} ratio {:.2}", peer / ours);
}

/// The small script, on many hosts.
fn large() -> String {
    let (head, targets) = SMALL.split_once("agent web1\n").unwrap();
    let targets = targets.split("---").next().unwrap();
    (0..HOSTS).fold(head.to_owned(), |mut text, host| {
        write!(text, "agent web{host}\n{targets}").unwrap();
        text
    })
}

fn main() {
    for text in [SMALL.to_owned(), large()] {
        let world = script::World::read(&text);
        let facts = world.facts();
        let made = plan(&facts).unwrap();
        let name = format!("plan-of-{}-steps", made.steps.len());
        let written = rate(|| drop(black_box(serde_json::to_vec(black_box(&made)).unwrap())));
        line(&format!("planner/{name}"), rate(|| drop(plan(black_box(&facts)).unwrap())), "plans/s", written);
        let doubted = rate(|| assert!(check(black_box(&made), black_box(&facts)).is_empty()));
        line(&format!("planner/check-of-{name}"), doubted, "plans/s", written);
    }
    let policy = script::pack("webone");
    let day = |day: &str| Some(day.to_owned());
    let category = "customer-data".to_owned();
    let ask = Ask { category, ended: day("2026-01-31"), settled: day("2026-02-28"), ..Ask::default() };
    let answer = explain(&policy, &ask).unwrap();
    let written = rate(|| drop(black_box(serde_json::to_vec(black_box(&answer)).unwrap())));
    line("policy/explain", rate(|| drop(explain(&policy, black_box(&ask)).unwrap())), "answers/s", written);
}
