//! Plans made and doubted in a second, and answers of `policy explain`, each beside writing the result as JSON in the same
//! run: the least that handing it on costs. Then a policy change over many contracts: each planned under both versions, and
//! those counted that would be done otherwise; the peer is reading as many plans' dates as JSON. Owns the clock; upholds nothing. `cargo bench -p gallra-planner`;
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
/// One contract of a customer who leaves: ten live targets on two hosts, and two repositories.
const TWELVE: &str = "\
now 2026-01-31T10:00:00Z
contract 2026-01-31 2026-01-31
customer 2026-01-31 2026-01-31
agent web1
files files customer-data processor contract act
mail maildir customer-data processor contract act
data sql customer-data processor contract act
logs access-log access-logs controller customer act
repo restic backup controller contract act covers files,mail,data,logs life 180
agent office
contacts sql contact controller customer act
ledger sql bookkeeping controller customer act
chat files chat controller customer act
letters maildir mail controller customer act
cases sql tickets controller customer act
rest files other controller customer act
vault restic backup controller customer act covers contacts,ledger,chat,letters,cases,rest life 180
";
/// Contracts that a policy change is measured over; a tenth of it where the full measurement is not asked for.
const CONTRACTS: u32 = 1_000_000;

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

/// The figure: plans a second on one core for one contract with twelve targets. Once by the clock, and once by the
/// time that the core was ours: on a machine that others use the two differ.
fn twelve() {
    let world = script::World::read(TWELVE);
    let facts = world.facts();
    let made = plan(&facts).unwrap();
    let (began, used, mut plans) = (Instant::now(), cpu(), 0_u32);
    while began.elapsed() < span() {
        drop(plan(black_box(&facts)).unwrap());
        plans += 1;
    }
    let rate_of_core = f64::from(plans) / (cpu() - used).max(0.01);
    println!("planner/plan-of-12-targets: {rate_of_core:.0} plans/s of the core's own time");
    let written = rate(|| drop(black_box(serde_json::to_vec(black_box(&made)).unwrap())));
    line("planner/plan-of-12-targets", rate(|| drop(plan(black_box(&facts)).unwrap())), "plans/s", written);
    let doubted = rate(|| assert!(check(black_box(&made), black_box(&facts)).is_empty()));
    line("planner/check-of-12-targets", doubted, "plans/s", written);
}

/// The dates of one contract of many: ended on some day of four years, settled up to three months later, or not yet.
fn anchors(contract: u32) -> gallra_model::plan::Anchors {
    let first = jiff::civil::date(2023, 1, 1);
    let after = |day: jiff::civil::Date, days: u32| day.checked_add(jiff::Span::new().days(i64::from(days))).unwrap();
    let ended = after(first, contract % 1461);
    let settled = (!contract.is_multiple_of(10)).then(|| after(ended, contract / 1461 % 90));
    let whole = contract.is_multiple_of(3);
    gallra_model::plan::Anchors {
        contract_ended: Some(ended),
        contract_settled: settled,
        customer_ended: whole.then_some(ended),
        customer_settled: settled.filter(|_| whole),
    }
}

/// A policy change over many contracts: each that the new version can touch is planned under both, and those whose steps or
/// copies' dates differ are counted. Contracts come as a stream: none is kept.
fn policy_change(name: &str, policy: gallra_policy::Policy) {
    let world = script::World::read(TWELVE);
    let next = world.under(policy);
    let touched = gallra_planner::Touched::between(&world.policy, &next.policy);
    let full = std::env::var_os("GALLRA_BENCH_FULL").is_some();
    let count = if full { CONTRACTS } else { CONTRACTS / 10 };
    let (began, used, mut changed) = (Instant::now(), cpu(), 0_u32);
    for contract in 0..count {
        if !touched.touches(&anchors(contract), &world.inventories) {
            continue;
        }
        let of = |world: &script::World| {
            let facts = gallra_planner::Facts { anchors: anchors(contract), ..world.facts() };
            plan(&facts).unwrap()
        };
        let (old, new) = (of(&world), of(&next));
        changed += u32::from(old.steps != new.steps || old.backups != new.backups);
    }
    let (took, on_core) = (began.elapsed().as_secs_f64(), cpu() - used);
    let began = Instant::now();
    for contract in 0..count {
        let text = serde_json::to_vec(&anchors(contract)).unwrap();
        black_box(serde_json::from_slice::<gallra_model::plan::Anchors>(&text).unwrap());
    }
    let read = began.elapsed().as_secs_f64();
    let name = format!("planner/policy-change-of-{name}-over-{count}-contracts");
    println!("bench {name} {took:.1} s peer {read:.1} ratio {:.2}", took / read);
    println!("{name}: {on_core:.1} s on the core, {changed} contracts change, at most {} MB of memory", peak_memory());
}

/// Seconds that this process was on a core, as Linux tells it, in hundredths.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|word| word.parse::<u32>().ok());
    f64::from(ticks.sum::<u32>()) / 100.0
}

/// The most memory that this process ever had, in whole megabytes, as Linux tells it.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kilobytes.unwrap_or_default().div_ceil(1024)
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
    twelve();
    policy_change("chat", script::shorter_chat());
    let data = "from = \"contract_settled\", period = \"1 month\"";
    policy_change("hosted-data", script::webone(data, &data.replace("1 month", "5 weeks")));
    let policy = script::pack("webone");
    let day = |day: &str| Some(day.to_owned());
    let category = "customer-data".to_owned();
    let ask = Ask { category, ended: day("2026-01-31"), settled: day("2026-02-28"), ..Ask::default() };
    let answer = explain(&policy, &ask).unwrap();
    let written = rate(|| drop(black_box(serde_json::to_vec(black_box(&answer)).unwrap())));
    line("policy/explain", rate(|| drop(explain(&policy, black_box(&ask)).unwrap())), "answers/s", written);
}
