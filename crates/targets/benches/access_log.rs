//! How long a whole erasure of one subject's lines takes (inspect, confirm, erase, confirm) beside what a shell would do
//! in the same run: `grep -v` for plain logs, `zcat | grep -v | gzip` for packed ones. Owns the making of the logs and the
//! clocks; asserts only that both come to the same lines, since how long anything takes is the machine's. Upholds
//! nothing: it is where a loss of speed shows itself.
//!
//! `cargo bench -p gallra-targets --bench access_log -- [MEGABYTES] [--in DIRECTORY]`, or `GALLRA_BENCH_MEGABYTES=10000`.
//! Without a number 64 MB. Half of the bytes (unpacked) are in `.gz` files. The shell is timed twice: one file after the
//! other, and two at a time; the driver works on two at a time.
#![expect(clippy::print_stdout, reason = "figures are what a benchmark is run for")]
#![expect(clippy::disallowed_methods, reason = "it measures time, and decides nothing by it")]

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use gallra_model::selector::Selector;
use gallra_targets::access_log::{AccessLog, Act, Config, Format, SubjectBy};
use gallra_targets::{Boundary, Driver};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Unpacked bytes of one file at most.
const ONE_FILE: u64 = 256 << 20;
/// One line in so many is the subject's.
const SUBJECTS: u64 = 500;
/// The subject.
const HOST: &str = "anna.example";

struct Always;

impl Boundary for Always {
    fn may_go_on(&mut self) -> bool {
        true
    }
}

/// What was asked for on the command line.
fn asked() -> Outcome<(u64, PathBuf)> {
    let usual = if std::env::var_os("GALLRA_BENCH_FULL").is_some() { 10_000 } else { 64 };
    let mut megabytes = std::env::var("GALLRA_BENCH_MEGABYTES").ok().map_or(Ok(usual), |number| number.parse())?;
    let mut directory = std::env::temp_dir();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--bench" => {}
            "--in" => directory = words.next().ok_or("a directory is missing after --in")?.into(),
            number => megabytes = number.parse()?,
        }
    }
    Ok((megabytes, directory))
}

/// Numbers that look like nothing, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn line(dice: &mut Dice, number: u64) -> String {
    let agents = [
        "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/604.1",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    ];
    let host = match dice.below(SUBJECTS) {
        0 => HOST.to_owned(),
        other => format!("customer{other}.example"),
    };
    let agent = agents.get(usize::try_from(dice.below(3)).unwrap_or(0)).copied().unwrap_or_default();
    format!(
        "{host}:443 {}.{}.{}.{} - - [{:02}/Mar/2026:{:02}:{:02}:{:02} +0100] \"GET /shop/{}/item-{}.html?s={:016x} \
         HTTP/1.1\" 200 {} \"https://{host}/shop/{}\" \"{agent}\"\n",
        11 + dice.below(200),
        dice.below(256),
        dice.below(256),
        1 + dice.below(254),
        1 + number / 4_000_000 % 28,
        number / 166_667 % 24,
        number / 2_778 % 60,
        number / 46 % 60,
        dice.below(90),
        dice.below(100_000),
        dice.below(u64::MAX),
        dice.below(90_000),
        dice.below(90),
    )
}

/// Writes the logs: `access.log.N` and `access.log.N.gz`. Returns the unpacked bytes.
fn generate(directory: &Path, bytes: u64) -> Outcome<u64> {
    fs::create_dir(directory)?;
    let (mut dice, mut number, mut written) = (Dice(0x9e37_79b9_7f4a_7c15), 0, 0);
    let half = bytes / 2;
    let files = half.div_ceil(ONE_FILE).max(2);
    for file in 0..2 * files {
        let path = directory.join(if file == 0 { "access.log".into() } else { format!("access.log.{file}") });
        let mut out = BufWriter::with_capacity(1 << 20, File::create(&path)?);
        let mut left = half / files;
        while left > 0 {
            let line = line(&mut dice, number);
            out.write_all(line.as_bytes())?;
            (number, written) = (number + 1, written + line.len() as u64);
            left = left.saturating_sub(line.len() as u64);
        }
        out.flush()?;
        if file >= files {
            run(Command::new("gzip").arg(&path))?;
        }
    }
    run(&mut Command::new("sync"))?;
    Ok(written)
}

fn run(command: &mut Command) -> Outcome<()> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}

/// How long something took.
#[derive(Clone, Copy)]
struct Took {
    /// By the clock, in seconds.
    clock: f64,
    /// Of processors, this process's and its children's, in seconds: what counts on a machine that others use too.
    cpu: f64,
}

/// Processor time of this process and of its children that ended, in seconds.
fn cpu() -> Outcome<f64> {
    /// Ticks in a second; Linux gives no other number to programs.
    const TICKS: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit_once(')').ok_or("no name in /proc/self/stat")?.1;
    let ticks: Result<Vec<f64>, _> = fields.split_whitespace().skip(11).take(4).map(str::parse).collect();
    Ok(ticks?.iter().sum::<f64>() / TICKS)
}

fn timed<T>(act: impl FnOnce() -> Outcome<T>) -> Outcome<(Took, T)> {
    let (began, before) = (Instant::now(), cpu()?);
    let came = act()?;
    Ok((Took { clock: began.elapsed().as_secs_f64(), cpu: cpu()? - before }, came))
}

/// Copies the logs, so that each way has its own, and lets the copy settle.
fn copy(from: &Path, to: &Path) -> Outcome<()> {
    run(Command::new("cp").arg("-a").arg(from).arg(to))?;
    run(&mut Command::new("sync"))
}

/// What a shell would do, `at_once` files at a time; written to disk in the end as the driver does.
fn shell(directory: &Path, at_once: &str) -> Outcome<()> {
    let filter = "grep -v '^anna\\.example:443 '";
    let script = format!(
        "set -e; case \"$1\" in *.gz) zcat \"$1\" | LC_ALL=C {filter} | gzip >\"$1.new\";; \
         *) LC_ALL=C {filter} \"$1\" >\"$1.new\";; esac; sync \"$1.new\"; mv \"$1.new\" \"$1\""
    );
    let find = format!("find . -type f -print0 | xargs -0 -n 1 -P {at_once} sh -c \"$1\" sh");
    run(Command::new("sh").args(["-c", &find, "sh", &script]).current_dir(directory))
}

/// The whole attempt, as the agent makes it.
fn ours(directory: &Path) -> Outcome<(u64, [Took; 4])> {
    let config = Config {
        root: directory.to_owned(),
        logs: vec!["access.log".into()],
        format: Format::VhostCombined,
        subject_by: SubjectBy::Host,
        hosts: vec!["{service}".into()],
        act: Act::Erase,
        writer: None,
        ignore: vec![],
        youngest_purge_age: None,
        youngest_purge_age_days: None,
    };
    let driver = AccessLog::open(&config)?;
    let selector = Selector { service: Some(HOST.parse()?), ..Selector::default() };
    let (inspect, seen) = timed(|| Ok(driver.inspect(&selector)?))?;
    let (first, before) = timed(|| Ok(driver.confirm(&selector, &seen)?))?;
    let (erase, counts) = timed(|| Ok(driver.erase(&selector, &seen, &mut Always)?))?;
    let (last, after) = timed(|| Ok(driver.confirm(&selector, &seen)?))?;
    let good = before.found == seen.found.items && counts.erased == before.found && after.found == 0;
    if !good || after.others != before.others || counts.erased == 0 {
        return Err(format!("{seen:?}, {before:?}, {counts:?}, {after:?}").into());
    }
    Ok((counts.erased, [inspect, first, erase, last]))
}

/// Both ways have the same lines left.
fn same(one: &Path, other: &Path) -> Outcome<()> {
    let unpacked = |path: &Path| -> Outcome<Box<dyn Read>> {
        let file = File::open(path)?;
        let gz = path.extension().is_some_and(|extension| extension == "gz");
        Ok(if gz { Box::new(flate2::read::MultiGzDecoder::new(file)) } else { Box::new(file) })
    };
    for entry in fs::read_dir(one)? {
        let name = entry?.file_name();
        let (mut sums, mut lengths) = (Vec::new(), Vec::new());
        for directory in [one, other] {
            let (mut reader, mut sum) = (unpacked(&directory.join(&name))?, crc32fast::Hasher::new());
            let (mut buffer, mut length) = (vec![0; 1 << 20], 0_u64);
            loop {
                let read = reader.read(&mut buffer)?;
                if read == 0 {
                    break;
                }
                sum.update(buffer.get(..read).unwrap_or_default());
                length += read as u64;
            }
            sums.push(sum.finalize());
            lengths.push(length);
        }
        sums.dedup();
        lengths.dedup();
        if sums.len() + lengths.len() != 2 {
            return Err(format!("{} differs from what the shell left", name.display()).into());
        }
    }
    Ok(())
}

/// A directory with the packed, the plain, or all of the logs.
fn only(from: &Path, to: &Path, keep: impl Fn(&str) -> bool) -> Outcome<u64> {
    copy(from, to)?;
    let mut bytes = 0;
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if keep(&entry.file_name().to_string_lossy()) {
            bytes += entry.metadata()?.len();
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    // The driver wants the live log to be there; this one is next to nothing.
    let live = to.join("access.log");
    if !live.exists() {
        fs::write(&live, line(&mut Dice(1), 1))?;
    }
    Ok(bytes)
}

fn main() -> Outcome<()> {
    let (megabytes, base) = asked()?;
    let directory = tempfile::tempdir_in(base)?;
    let at = |name: &str| directory.path().join(name);
    let bytes = generate(&at("logs"), megabytes * 1_000_000)?;
    println!(
        "{} MB of lines, half of them in gzip files; {} cores",
        bytes / 1_000_000,
        std::thread::available_parallelism()?
    );
    println!(
        "| logs | on disk, MB | shell, s (CPU s) | shell, two at once | ours | ratio | ratio to two at once | ratio of CPU | \
         ours: inspect, confirm, erase, confirm |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |");
    let is_packed = |name: &str| name.ends_with(".gz");
    for (kind, plain, packed) in [("plain", true, false), ("gzip", false, true), ("both", true, true)] {
        let keep = |name: &str| if is_packed(name) { packed } else { plain };
        let (one, two, own) = (at("one"), at("two"), at("own"));
        let on_disk = only(&at("logs"), &one, keep)?;
        let (alone, ()) = timed(|| shell(&one, "1"))?;
        only(&at("logs"), &two, keep)?;
        let (pair, ()) = timed(|| shell(&two, "2"))?;
        only(&at("logs"), &own, keep)?;
        let (mine, (erased, parts)) = timed(|| ours(&own))?;
        same(&one, &own)?;
        let both = |took: Took| format!("{:.1} ({:.1})", took.clock, took.cpu);
        println!(
            "| {kind} | {} | {} | {} | {} | {:.2} | {:.2} | {:.2} | {} ({erased} lines erased) |",
            on_disk / 1_000_000,
            both(alone),
            both(pair),
            both(mine),
            mine.clock / alone.clock,
            mine.clock / pair.clock,
            mine.cpu / alone.cpu,
            parts.map(both).join(", "),
        );
        println!(
            "bench access-log/{kind}-{megabytes}-MB {:.2} s peer {:.2} ratio {:.2}",
            mine.clock,
            alone.clock,
            mine.clock / alone.clock
        );
        for done in [one, two, own] {
            for entry in fs::read_dir(&done)? {
                fs::remove_file(entry?.path())?;
            }
            fs::remove_dir(&done)?;
        }
    }
    Ok(())
}
