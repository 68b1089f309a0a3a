//! Named points at which a process kills itself by SIGKILL, so that a test can crash real programs at an exact place. In a
//! release build every point is nothing. Knows no point's meaning; the list of names is in `CONTRIBUTING.md`.
//!
//! `GALLRA_CRASH_AT=name` kills at the first pass of that point, `name#3` at the third.

/// Passes a point.
#[inline]
pub fn point(name: &str) {
    #[cfg(debug_assertions)]
    debug::point(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

#[cfg(debug_assertions)]
mod debug {
    use std::io::Write as _;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    struct Plan {
        name: String,
        pass: u64,
    }

    static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);

    fn plan() -> Option<Plan> {
        let text = std::env::var("GALLRA_CRASH_AT").ok()?;
        let (name, pass) = text.split_once('#').unwrap_or((&text, "1"));
        Some(Plan { name: name.to_owned(), pass: pass.parse().ok()? })
    }

    pub(super) fn point(name: &str) {
        let Some(plan) = PLAN.get_or_init(plan) else { return };
        if plan.name != name || PASSED.fetch_add(1, Ordering::SeqCst) + 1 != plan.pass {
            return;
        }
        // One write, so that the line is whole in a log that several processes share.
        let _ = std::io::stderr().write_all(format!("crash point: {name}\n").as_bytes());
        let _ = kill_process(getpid(), Signal::KILL);
        loop {
            std::thread::park();
        }
    }
}
