//! Figures: the clock, who works at once, and how they are told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[expect(clippy::disallowed_methods, reason = "it measures real time, and decides nothing by it")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Computing of this process so far.
pub(crate) fn computed() -> Duration {
    let at = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(at.tv_sec.try_into().unwrap_or(0), at.tv_nsec.try_into().unwrap_or(0))
}

/// A line of `/proc/PID/status`, kB.
pub(crate) fn memory(pid: &str, what: &str) -> Outcome<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(what)).ok_or("no such line")?;
    Ok(line.trim_matches([':', ' ', '\t']).trim_end_matches(" kB").trim().parse()?)
}

/// Does a piece of work so many times, by so many callers that each wait for their own.
pub(crate) async fn at_once<T, F>(
    many: usize,
    callers: usize,
    work: impl Fn(usize) -> F + Clone + Send + 'static,
) -> Outcome<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Outcome<T>> + Send + 'static,
{
    let next = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let (next, work) = (Arc::clone(&next), work.clone());
            tokio::spawn(async move {
                let mut all = Vec::new();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= many {
                        return Outcome::Ok(all);
                    }
                    all.push(work(n).await?);
                }
            })
        })
        .collect();
    let mut all = Vec::with_capacity(many);
    for task in tasks {
        all.extend(task.await??);
    }
    Ok(all)
}

/// Milliseconds within which so many of a hundred were done.
pub(crate) fn within(times: &[Duration], share: usize) -> f64 {
    let mut times = times.to_vec();
    times.sort_unstable();
    let at = (times.len() * share / 100).min(times.len().saturating_sub(1));
    times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

pub(crate) fn spread(times: &[Duration]) -> String {
    format!("half within {:.2} ms, 99 of 100 within {:.2} ms", within(times, 50), within(times, 99))
}

/// A figure beside its peer: as many a second of both, and how many times as long ours takes.
pub(crate) fn bench(name: &str, unit: &str, many: usize, (ours, peer): (Duration, Duration)) {
    let rate = |took: Duration| many as f64 / took.as_secs_f64();
    let ratio = ours.as_secs_f64() / peer.as_secs_f64();
    say(&format!("bench flow/{name} {:.1} {unit}/s peer {:.1} ratio {ratio:.2}", rate(ours), rate(peer)));
}

#[expect(clippy::print_stdout, reason = "figures are what a benchmark is run for")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

pub(crate) fn load() -> String {
    std::fs::read_to_string("/proc/loadavg").unwrap_or_default().split_whitespace().take(1).collect()
}
