//! Directories that a tenant may write in, and logs that are not what they should be: nothing is touched, and nothing
//! is called absent.

use std::os::unix::fs::symlink;

use gallra_model::job::Action;
use gallra_model::receipt::{Code, Verdict};

use super::fixture::{Logs, visit};
use crate::access_log::{Config, Format, SubjectBy, Writer};
use crate::testing::{inspect_then, service};

fn filled() -> Logs {
    let logs = Logs::by_host();
    logs.write("access.log", &[visit("anna.example", "::1", 1), visit("b.example", "::1", 1)].concat());
    logs
}

fn refused(logs: &Logs, code: Code) {
    let before = logs.read("access.log");
    for action in [Action::Erase, Action::Confirm] {
        let report = inspect_then(&logs.driver(), action, &service("anna.example"));
        assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(code)), "{}", report.hint);
        assert_eq!(report.counts.absent + report.counts.erased, 0);
        assert!(!report.hint.contains("anna"), "{}", report.hint);
    }
    assert_eq!(logs.read("access.log"), before);
}

#[test]
fn links_pipes_directories_and_second_names_are_refused() {
    let outside = tempfile::tempdir().expect("a directory");
    let secret = outside.path().join("secret");
    std::fs::write(&secret, visit("anna.example", "::1", 1)).expect("writes");
    let plant: [&dyn Fn(&std::path::Path); 4] = [
        &|at| symlink(&secret, at).expect("links"),
        &|at| std::fs::hard_link(&secret, at).expect("links"),
        &|at| std::fs::create_dir(at).expect("makes"),
        &|at| {
            let mode = rustix::fs::Mode::from_raw_mode(0o600);
            rustix::fs::mknodat(rustix::fs::CWD, at, rustix::fs::FileType::Fifo, mode, 0).expect("a pipe");
        },
    ];
    for plant in plant {
        let logs = filled();
        plant(&logs.path("access.log.1"));
        refused(&logs, Code::Target);
        assert_eq!(std::fs::read_to_string(&secret).expect("there"), visit("anna.example", "::1", 1));
    }
}

#[test]
fn names_that_could_hold_lines_and_cannot_be_read_are_refused_unless_ignored() {
    for name in ["access.log.1.bz2", "access.log.old", "access.log-", "access.log.1.gz.tmp"] {
        let mut logs = filled();
        logs.write(name, "x");
        refused(&logs, Code::Unsupported);
        logs.config.ignore = vec![name.to_owned()];
        let report = inspect_then(&logs.driver(), Action::Erase, &service("anna.example"));
        assert_eq!(report.verdict, Verdict::Done, "{name}: {}", report.hint);
    }
}

#[test]
fn what_cannot_be_read_to_its_end_is_never_absent_and_stays() {
    for name in ["access.log.1.gz", "access.log.1.zst"] {
        let logs = filled();
        let whole = super::fixture::packed(name, &visit("anna.example", "::1", 1).repeat(50));
        for cut in [&whole[..whole.len() - 4], &[whole.as_slice(), b"rubbish"].concat(), b"not packed"] {
            std::fs::write(logs.path(name), cut).expect("writes");
            refused(&logs, Code::Target);
            assert_eq!(std::fs::read(logs.path(name)).expect("there"), cut);
        }
    }
    let logs = filled();
    logs.write("access.log.1", &format!("{}\n", "x".repeat(9 << 20)));
    refused(&logs, Code::Target);
}

#[test]
fn without_a_line_that_reads_nothing_is_absent() {
    let mut logs = filled();
    logs.config.format = Format::Combined;
    logs.config = Config { subject_by: SubjectBy::Address, hosts: vec![], ..logs.config };
    let nobody = super::fixture::addresses(&["192.0.2.77"]);
    let report = inspect_then(&logs.driver(), Action::Erase, &nobody);
    assert_eq!(report.verdict, Verdict::Done, "a combined line with a host before it reads too: {}", report.hint);
    logs.config.format = Format::Json(crate::access_log::Names {
        host: None,
        address: "ip".into(),
        time: "time".into(),
        forwarded: None,
    });
    let report = inspect_then(&logs.driver(), Action::Erase, &nobody);
    assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::SentinelMissing)));

    let logs = filled();
    logs.write("access.log.1", "one old file\nof another format\n");
    refused(&logs, Code::SentinelMissing);
    let logs = filled();
    std::fs::rename(logs.path("access.log"), logs.path("elsewhere")).expect("moves");
    let report = inspect_then(&logs.driver(), Action::Confirm, &service("nobody"));
    assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::SentinelMissing)));
    let mut logs = filled();
    logs.config.root = logs.path("not-mounted");
    let report = inspect_then(&logs.driver(), Action::Confirm, &service("nobody"));
    assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::SentinelMissing)));
}

#[test]
fn a_log_that_an_undeclared_process_writes_is_left_alone() {
    let mut logs = filled();
    // The agent itself is no writer, so another process has to be one.
    let log = std::fs::OpenOptions::new().append(true).open(logs.path("access.log")).expect("opens");
    let mut writer =
        std::process::Command::new("cat").stdin(std::process::Stdio::piped()).stdout(log).spawn().expect("cat runs");
    let report = inspect_then(&logs.driver(), Action::Erase, &service("anna.example"));
    assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::Target)), "{}", report.hint);
    assert_eq!(logs.lines().len(), 2, "nothing was touched");
    // A pid file that names somebody else signals nobody: this process would die of USR1.
    let pid_file = logs.path("pid");
    std::fs::write(&pid_file, std::process::id().to_string()).expect("writes");
    logs.config.writer = Some(Writer { pid_file, reopen_seconds: 1 });
    let before = logs.lines();
    let report = inspect_then(&logs.driver(), Action::Erase, &service("anna.example"));
    assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::Target)), "{}", report.hint);
    assert_eq!(logs.lines(), before, "no line is lost");
    drop(writer.stdin.take());
    writer.wait().expect("ends");
    let report = inspect_then(&logs.driver(), Action::Erase, &service("anna.example"));
    assert_eq!((report.verdict, report.counts.erased), (Verdict::Done, 1), "{}", report.hint);
    assert_eq!(logs.lines().len(), 1);
    assert_eq!(logs.names(), ["access.log", "access.log.1", "pid"]);
}

#[test]
fn keys_that_could_never_be_used_safely_are_refused() {
    let good = Logs::by_host().config;
    let bad = [
        Config { root: "var/log".into(), ..good.clone() },
        Config { logs: vec![], ..good.clone() },
        Config { logs: vec!["../access.log".into()], ..good.clone() },
        Config { logs: vec!["access.log".into(), "access.log.1".into()], ..good.clone() },
        Config { logs: vec!["access.log".into(), "access.log".into()], ..good.clone() },
        Config { hosts: vec![], ..good.clone() },
        Config { hosts: vec!["all".into()], ..good.clone() },
        Config { format: Format::Combined, ..good.clone() },
        Config { subject_by: SubjectBy::Address, ..good.clone() },
        Config { youngest_purge_age_days: Some(0), ..good.clone() },
    ];
    for config in bad {
        assert!(crate::access_log::AccessLog::open(&config).is_err(), "{config:?}");
    }
}
