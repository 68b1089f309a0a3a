//! Stopped at a file, killed anywhere, killed between two steps: the next attempt ends it, and each line is there once.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use gallra_model::job::Action;
use gallra_model::receipt::{Code, Mark, Verdict};

use super::fixture::{Logs, visit};
use crate::access_log::Writer;
use crate::attempt;
use crate::driver::{Boundary, Inspection, Still};
use crate::testing::{Always, StopAfter, inspect_then, job, now, service};

fn visits(files: u32) -> Logs {
    let mut logs = Logs::by_host();
    logs.config.writer = Some(Writer { pid_file: logs.path("pid"), reopen_seconds: 1 });
    for file in 0..files {
        let name = match file {
            0 => "access.log".to_owned(),
            1 => "access.log.1".to_owned(),
            _ => format!("access.log.{file}.gz"),
        };
        let lines: String = (0..400)
            .flat_map(|line| {
                let host = format!("h{line}-{file}.example");
                [visit(&host, "::1", 1), visit("anna.example", "::1", line % 60)]
            })
            .collect();
        logs.write(&name, &lines);
    }
    logs
}

fn others(logs: &Logs) -> BTreeMap<String, u32> {
    logs.lines().into_iter().filter(|(line, _)| !line.starts_with("anna.example:")).collect()
}

/// Ends it, and looks whether it is as if it had never been stopped.
fn ends_well(logs: &Logs, before: &BTreeMap<String, u32>) {
    let report = inspect_then(&logs.driver(), Action::Erase, &service("anna.example"));
    assert_eq!((report.verdict, report.code), (Verdict::Done, None), "{}: {:?}", report.hint, logs.names());
    assert_eq!(logs.lines(), *before, "everybody else's line is there once, and none of the subject's");
    assert!(!logs.names().iter().any(|name| name.contains("gallra")), "nothing lies about: {:?}", logs.names());
}

#[test]
fn i6_stopped_between_two_files_it_goes_on_where_it_was() {
    let logs = visits(6);
    let before = others(&logs);
    let instance =
        attempt::run(&logs.driver(), &job(Action::Inspect, &service("anna.example"), None), now(), &mut Always);
    let mut erased = 0;
    for _ in 0..3 {
        let erase = job(Action::Erase, &service("anna.example"), instance.instance);
        let report = attempt::run(&logs.driver(), &erase, now(), &mut StopAfter(3));
        assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::Stopped)), "{}", report.hint);
        erased += report.counts.erased;
        if erased >= 400 {
            break;
        }
    }
    assert!(erased >= 400, "an attempt that is stopped gets on");
    assert_eq!(others(&logs), before);
    ends_well(&logs, &before);
}

/// The child of the next test; without its directory it does nothing.
#[test]
fn i6_child_that_is_killed() {
    let Some(directory) = std::env::var_os("GALLRA_TEST_ACCESS_LOGS") else { return };
    let mut config = Logs::by_host().config;
    config.root = directory.into();
    config.writer = Some(Writer { pid_file: config.root.join("pid"), reopen_seconds: 1 });
    let driver = crate::access_log::AccessLog::open(&config).expect("good keys");
    inspect_then(&driver, Action::Erase, &service("anna.example"));
}

#[test]
fn i6_killed_anywhere_each_line_is_there_once() {
    for round in 0..12_u32 {
        let logs = visits(6);
        let before = others(&logs);
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "access_log::tests::crash::i6_child_that_is_killed"])
            .env("GALLRA_TEST_ACCESS_LOGS", logs.dir.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("runs");
        // Killed when the directory has changed so often, which it has when files were replaced, or when it ends.
        let (mut changes, mut last) = (0, logs.names());
        while changes < round && child.try_wait().expect("waits").is_none() {
            let names = logs.names();
            changes += u32::from(names != last);
            last = names;
        }
        child.kill().expect("kills");
        child.wait().expect("ends");
        ends_well(&logs, &before);
    }
}

/// What a crash right between two steps leaves, made by hand.
#[test]
fn i6_whatever_lies_about_is_known_by_its_name() {
    let fresh = |lie: &dyn Fn(&Logs)| {
        let logs = visits(3);
        let before = others(&logs);
        lie(&logs);
        ends_well(&logs, &before);
    };
    // A new file that was not finished.
    fresh(&|logs| logs.write(".access.log.gallra-part-7.gz", "half"));
    // A new file that was finished and not exchanged.
    fresh(&|logs| {
        logs.write("new", &visit("b.example", "::1", 1));
        let name = format!(".access.log.gallra-done-{}-{}", logs.inode("access.log.1"), logs.inode("new"));
        std::fs::rename(logs.path("new"), logs.path(&name)).expect("renames");
    });
    // An old file that was exchanged and not removed.
    fresh(&|logs| {
        let lines = logs.read("access.log.1");
        let name = format!(".access.log.gallra-done-{}-", logs.inode("access.log.1"));
        std::fs::rename(logs.path("access.log.1"), logs.path("old")).expect("renames");
        let kept: String = lines.split_inclusive('\n').filter(|line| !line.starts_with("anna")).collect();
        logs.write("access.log.1", &kept);
        let name = format!("{name}{}", logs.inode("access.log.1"));
        std::fs::rename(logs.path("old"), logs.path(&name)).expect("renames");
    });
    // A log that was moved aside.
    fresh(&|logs| {
        std::fs::rename(logs.path("access.log"), logs.path("access.log.gallra-1")).expect("renames");
        logs.write("access.log", "");
    });
    // One that was being joined to the newest rotated file: before the exchange, and after it.
    for exchanged in [false, true] {
        fresh(&|logs| {
            let (waiting, rotated) = (logs.read("access.log"), logs.read("access.log.1"));
            logs.write("new", &format!("{rotated}{waiting}"));
            let (old, new) = (logs.inode("access.log.1"), logs.inode("new"));
            let done = format!(".access.log.gallra-done-{old}-{new}");
            std::fs::rename(logs.path("access.log"), logs.path(&format!("access.log.gallra-1-into-{new}")))
                .expect("renames");
            if exchanged {
                std::fs::rename(logs.path("access.log.1"), logs.path(&done)).expect("renames");
                std::fs::rename(logs.path("new"), logs.path("access.log.1")).expect("renames");
            } else {
                std::fs::rename(logs.path("new"), logs.path(&done)).expect("renames");
            }
            logs.write("access.log", "");
        });
    }
    // Rotation came between the exchange and the look, and then a crash: under a done name lie lines of the log.
    fresh(&|logs| {
        std::fs::rename(logs.path("access.log.1"), logs.path(".access.log.gallra-done-1-2")).expect("renames");
    });
}

/// Lets every file begin, and says stop once it has been asked so often while they are worked on.
struct StopWithin(u32);

impl Boundary for StopWithin {
    fn may_go_on(&mut self) -> bool {
        true
    }

    fn still(&mut self) -> Still {
        self.0 = self.0.saturating_sub(1);
        if self.0 > 0 { Still::GoOn } else { Still::Stop }
    }
}

#[test]
fn a_stop_in_the_middle_of_one_large_log_leaves_it_as_it_was() {
    let logs = Logs::by_host();
    let both = visit("b.example", "::1", 1) + &visit("anna.example", "::1", 2);
    logs.write("access.log", &both);
    logs.write("access.log.1", &both.repeat(200_000));
    let seen = attempt::run(&logs.driver(), &job(Action::Inspect, &service("anna.example"), None), now(), &mut Always);
    let before = (logs.inode("access.log.1"), logs.read("access.log.1").len());
    let erase = job(Action::Erase, &service("anna.example"), seen.instance);
    let report = attempt::run(&logs.driver(), &erase, now(), &mut StopWithin(2));
    assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::Stopped)), "{}", report.hint);
    assert_eq!((logs.inode("access.log.1"), logs.read("access.log.1").len()), before, "not a line of it is gone");
    assert!(!logs.names().iter().any(|name| name.contains("gallra")), "nothing lies about: {:?}", logs.names());
    let last = attempt::run(&logs.driver(), &erase, now(), &mut Always);
    assert_eq!((last.verdict, last.code), (Verdict::Done, None), "{}", last.hint);
}

/// A rotated log that was replaced, and the old one, with the subject's line, that was not removed.
fn exchanged_and_not_removed(mine: &str, other: &str) -> Logs {
    let logs = Logs::by_host();
    logs.write("access.log", other);
    logs.write("old", &format!("{mine}{other}"));
    logs.write("access.log.1", other);
    let name = format!(".access.log.gallra-done-{}-{}", logs.inode("old"), logs.inode("access.log.1"));
    std::fs::rename(logs.path("old"), logs.path(&name)).expect("renames");
    logs
}

#[test]
fn what_lies_about_is_removed_under_a_permit_and_counted() {
    let (mine, other) = (visit("anna.example", "::1", 3), visit("b.example", "::1", 4));
    let logs = exchanged_and_not_removed(&mine, &other);
    let seen = attempt::run(&logs.driver(), &job(Action::Inspect, &service("anna.example"), None), now(), &mut Always);
    let erase = job(Action::Erase, &service("anna.example"), seen.instance);
    let stopped = attempt::run(&logs.driver(), &erase, now(), &mut StopAfter(0));
    assert_eq!((stopped.verdict, stopped.code), (Verdict::Failed, Some(Code::Stopped)), "{}", stopped.hint);
    assert!(logs.lines().contains_key(mine.trim_end()), "a hold may cover it by now");
    let done = attempt::run(&logs.driver(), &erase, now(), &mut Always);
    assert_eq!((done.verdict, done.counts.erased), (Verdict::Done, 1), "{}", done.hint);
    assert!(!logs.lines().contains_key(mine.trim_end()));
}

/// Remembers what was there, as the agent's journal does.
#[derive(Default)]
struct Remembers {
    stops: bool,
    mark: Option<Mark>,
}

impl Boundary for Remembers {
    fn may_go_on(&mut self) -> bool {
        !self.stops
    }

    fn mark(&mut self, seen: &Inspection) -> bool {
        self.mark = Some(Mark { instance: seen.instance, before: seen.found });
        true
    }

    fn earlier(&self) -> Option<Mark> {
        self.mark
    }
}

#[test]
fn what_was_rotated_away_between_two_attempts_is_not_counted_as_erased() {
    let logs = Logs::by_host();
    let both = visit("anna.example", "::1", 3) + &visit("b.example", "::1", 4);
    logs.write("access.log", "");
    logs.write("access.log.1", &both.repeat(4));
    logs.write("access.log.2", &both.repeat(6));
    let seen = attempt::run(&logs.driver(), &job(Action::Inspect, &service("anna.example"), None), now(), &mut Always);
    let erase = job(Action::Erase, &service("anna.example"), seen.instance);
    let mut boundary = Remembers { stops: true, ..Remembers::default() };
    let first = attempt::run(&logs.driver(), &erase, now(), &mut boundary);
    assert_eq!((first.verdict, first.counts.erased), (Verdict::Failed, 0), "{}", first.hint);
    std::fs::remove_file(logs.path("access.log.2")).expect("rotation");
    boundary.stops = false;
    let second = attempt::run(&logs.driver(), &erase, now(), &mut boundary);
    assert_eq!((second.verdict, second.counts.erased), (Verdict::Done, 4), "{}", second.hint);
}
