//! How long a whole erasure of a tree of files takes (inspect, confirm, erase, confirm) beside `rm -rf` of an equal tree
//! in the same run. Owns the making of the trees and the two clocks; asserts only that both trees are gone, since how
//! long anything takes is the machine's. Beside real time it shows processor time, which another load on the machine
//! changes less. Upholds nothing: it is where a loss of speed shows itself.
//!
//! `cargo bench -p gallra-targets --bench files -- [FILES] [--rounds N] [--cold] [--in DIRECTORY]`, or
//! `GALLRA_BENCH_FILES=1000000`. Without a number 20,000 files, three rounds. `--cold` forgets the system's caches before
//! each of the two (root only).
#![expect(clippy::print_stdout, reason = "figures are what a benchmark is run for")]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use gallra_model::digest::Digest;
use gallra_model::id::{JobId, Pseudonym};
use gallra_model::job::{Action, JobSpec};
use gallra_model::receipt::Verdict;
use gallra_model::selector::Selector;
use gallra_model::target::Instance;
use gallra_model::time::Clock;
use gallra_targets::files::{Config, Files, HardLinks};
use gallra_targets::{Boundary, Report};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Files in one directory.
const IN_ONE: u64 = 100;
/// Directories in one directory.
const BESIDE: u64 = 100;
/// Bytes in each file.
const BYTES: usize = 512;

/// Seconds.
struct Took {
    real: f64,
    processor: f64,
}

/// What was asked for on the command line.
struct Asked {
    files: u64,
    rounds: u32,
    cold: bool,
    directory: PathBuf,
}

fn asked() -> Outcome<Asked> {
    let usual = if std::env::var_os("GALLRA_BENCH_FULL").is_some() { 1_000_000 } else { 20_000 };
    let files = std::env::var("GALLRA_BENCH_FILES").ok().map_or(Ok(usual), |files| files.parse())?;
    let mut asked = Asked { files, rounds: 3, cold: false, directory: std::env::temp_dir() };
    let mut words = std::env::args().skip(1);
    let missing = "a number or directory is missing after the last word";
    while let Some(word) = words.next() {
        match word.as_str() {
            "--bench" => {}
            "--cold" => asked.cold = true,
            "--rounds" => asked.rounds = words.next().ok_or(missing)?.parse()?,
            "--in" => asked.directory = words.next().ok_or(missing)?.into(),
            number => asked.files = number.parse()?,
        }
    }
    Ok(asked)
}

fn main() -> Outcome<()> {
    let asked = asked()?;
    let kind = if asked.cold { "cold" } else { "as built" };
    println!("{} files of {BYTES} bytes, {IN_ONE} a directory, caches {kind}", asked.files);
    println!("{:>5}  {:>18}  {:>18}  {:>9}  {:>9}", "round", "rm -rf (cpu)", "attempt (cpu)", "ratio", "cpu ratio");
    for round in 1..=asked.rounds {
        let dir = tempfile::tempdir_in(&asked.directory)?;
        // Each goes first in every other round, so that neither always has the emptier disk.
        let (rm, ours) = if round % 2 == 1 {
            let rm = remove(dir.path(), &asked)?;
            (rm, attempt(dir.path(), &asked)?)
        } else {
            let ours = attempt(dir.path(), &asked)?;
            (remove(dir.path(), &asked)?, ours)
        };
        let ratio = |of: fn(&Took) -> f64| of(&ours) / of(&rm);
        let (real, processor) = (ratio(|took| took.real), ratio(|took| took.processor));
        println!("bench files/{}-round-{round} {:.3} s peer {:.3} ratio {real:.2}", asked.files, ours.real, rm.real);
        let [rm, ours] = [rm, ours].map(|took| format!("{:.3} ({:.2}) s", took.real, took.processor));
        println!("{round:>5}  {rm:>18}  {ours:>18}  {real:>9.2}  {processor:>9.2}");
    }
    Ok(())
}

/// Makes a tree of so many files, and has it and all else on the disk.
fn tree(top: &Path, asked: &Asked) -> Outcome<()> {
    let mut made = 0;
    while made < asked.files {
        let number = made / IN_ONE;
        let directory = top.join(format!("part-{}/section-{}", number / BESIDE, number % BESIDE));
        fs::create_dir_all(&directory)?;
        for _ in 0..IN_ONE.min(asked.files - made) {
            fs::write(directory.join(format!("page-{made}.html")), [b'x'; BYTES])?;
            made += 1;
        }
    }
    Command::new("sync").status()?;
    if asked.cold {
        fs::write("/proc/sys/vm/drop_caches", "3")?;
    }
    Ok(())
}

/// How long `rm -rf` takes.
fn remove(dir: &Path, asked: &Asked) -> Outcome<Took> {
    let top = dir.join("removed");
    tree(&top, asked)?;
    let (began, before) = (now(), processor()?);
    let status = Command::new("rm").arg("-rf").arg(&top).status()?;
    let took = Took { real: began.elapsed().as_secs_f64(), processor: processor()? - before };
    if !status.success() || top.exists() {
        return Err("rm -rf left something".into());
    }
    // What is still to be written is not to be the other's burden.
    Command::new("sync").arg("-f").arg(dir).status()?;
    Ok(took)
}

/// How long a whole attempt takes, which ends on the disk.
fn attempt(dir: &Path, asked: &Asked) -> Outcome<Took> {
    let root = dir.join("root");
    let top = root.join("anna.example");
    tree(&top, asked)?;
    fs::write(root.join(".gallra-sentinel"), "")?;
    fs::File::open(&root)?.sync_all()?;
    let driver = Files::open(&Config {
        root,
        path: "{service}".into(),
        sentinel: ".gallra-sentinel".into(),
        trash: ".gallra-trash".into(),
        hard_links: HardLinks::Keep,
    })?;
    let instance = small_look(&driver, &top)?;
    let (began, before) = (now(), processor()?);
    let report = gallra_targets::run(&driver, &job(Action::Erase, instance)?, moment()?, &mut Always);
    let took = Took { real: began.elapsed().as_secs_f64(), processor: processor()? - before };
    check(&report, asked)?;
    if top.exists() {
        return Err("the attempt left something".into());
    }
    Ok(took)
}

/// Seconds of processor time that this process and the children it waited for took so far, in steps of 10 ms.
fn processor() -> Outcome<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, after_name) = stat.rsplit_once(')').ok_or("unexpected /proc/self/stat")?;
    let ticks = after_name.split_whitespace().skip(11).take(4).map(str::parse::<u32>).sum::<Result<u32, _>>()?;
    Ok(f64::from(ticks) / 100.0)
}

/// The instance, as an earlier job would have found it, without warming any cache: the tree stands aside meanwhile.
fn small_look(driver: &Files, top: &Path) -> Outcome<Option<Instance>> {
    let aside = top.with_file_name("aside");
    let parts: Vec<_> = fs::read_dir(top)?.collect::<Result<_, _>>()?;
    fs::create_dir(&aside)?;
    for part in &parts {
        fs::rename(part.path(), aside.join(part.file_name()))?;
    }
    let before = fs::metadata(top)?.ino();
    let instance = gallra_targets::run(driver, &job(Action::Inspect, None)?, moment()?, &mut Always).instance;
    for part in &parts {
        fs::rename(aside.join(part.file_name()), part.path())?;
    }
    fs::remove_dir(&aside)?;
    if fs::metadata(top)?.ino() != before || instance.is_none() {
        return Err("the tree is not what it was".into());
    }
    Ok(instance)
}

fn check(report: &Report, asked: &Asked) -> Outcome<()> {
    if report.verdict != Verdict::Done || report.counts.erased < asked.files {
        return Err(format!("the attempt ended {:?}: {}", report.verdict, report.hint).into());
    }
    Ok(())
}

struct Always;

impl Boundary for Always {
    fn may_go_on(&mut self) -> bool {
        true
    }
}

fn job(action: Action, instance: Option<Instance>) -> Outcome<JobSpec> {
    Ok(JobSpec {
        again: false,
        job: JobId::from_bytes([1; 16]),
        agent: "web1".parse()?,
        action,
        target: "web".parse()?,
        pseudonym: Pseudonym::from_bytes([2; 16]),
        salt: gallra_model::Nonce::from_bytes([8; 16]),
        generation: 1,
        plan: Digest::of(b"plan"),
        rule: "webone/customer-data".to_owned(),
        selector: Selector { service: Some("anna.example".parse()?), customer: None, addresses: Vec::new() },
        instance,
        keep: None,
        question: None,
        purge: None,
        cause: None,
        clock: Clock::Real,
    })
}

/// What the job calls now; no part of the figures.
fn moment() -> Outcome<gallra_model::Instant> {
    Ok("2026-03-01T03:00:00Z".parse()?)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time, and no decision hangs on it")]
fn now() -> Instant {
    Instant::now()
}
