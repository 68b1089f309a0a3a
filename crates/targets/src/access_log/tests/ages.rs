//! The rolling purge.

use gallra_model::job::{Action, JobSpec, Purge};
use gallra_model::receipt::{Code, Mark, Tally, Verdict};
use gallra_model::selector::Selector;
use gallra_model::{Digest, Instant};

use super::fixture::{Logs, addresses, visit};
use crate::driver::{Boundary, Driver, PurgeOrder, Purged};
use crate::testing::{Always, job, service};
use crate::{Failure, access_log::Writer};

fn at(text: &str) -> Instant {
    text.parse().expect("a literal")
}

fn purge(logs: &Logs, before: &str, preserve: Vec<Selector>, boundary: &mut dyn Boundary) -> Result<Purged, Failure> {
    let order = PurgeOrder { before: at(before), preserve };
    logs.driver().purge(&order, at("2026-04-15T00:00:00Z"), boundary)
}

/// Half past one in Stockholm in a night when the clock goes forward: the offset counts, not the digits.
const ODD: &str = "c.example:1 ::1 - - [01/Mar/2026:14:30:00 +0130] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\"\n";

#[test]
fn older_lines_go_whole_files_are_unlinked_and_held_ones_stay() {
    let logs = Logs::by_host();
    let (old, young) = (visit("b.example", "::1", 10), visit("b.example", "::1", 30));
    let held = visit("anna.example", "::1", 10);
    let unread = "anna.example:1 no line\n";
    logs.write("access.log.3.gz", &old.repeat(3));
    logs.write("access.log.2.gz", &format!("{old}{held}"));
    logs.write("access.log.1", &format!("{old}{ODD}{young}{unread}"));
    logs.write("access.log", &young);
    let live = logs.inode("access.log");
    let purged = purge(&logs, "2026-03-01T13:20:00Z", vec![service("anna.example")], &mut Always).expect("purges");
    assert_eq!((purged.counts.erased, purged.counts.retained), (6, 1));
    assert_eq!((purged.removed_files, purged.unread, purged.after.items), (1, 1, 0));
    assert_eq!(logs.names(), ["access.log", "access.log.1", "access.log.2.gz"]);
    assert_eq!(logs.read("access.log.2.gz"), held);
    assert_eq!(logs.read("access.log.1"), format!("{young}{unread}"));
    assert_eq!(logs.inode("access.log"), live, "a log without an old line is not rewritten");
    let again = purge(&logs, "2026-03-01T13:20:00Z", vec![service("anna.example")], &mut Always).expect("purges");
    assert_eq!((again.counts.erased, again.counts.retained), (0, 1), "twice is once");
    let lifted = purge(&logs, "2026-03-01T13:20:00Z", vec![], &mut Always).expect("purges");
    assert_eq!((lifted.counts.erased, lifted.counts.retained), (1, 0));
    assert_eq!(logs.names(), ["access.log", "access.log.1"]);
}

#[test]
fn a_held_address_is_held_in_its_time_only() {
    let logs = Logs::by_address();
    let held = visit("b.example", "192.0.2.1", 12);
    logs.write(
        "access.log",
        &[held.clone(), visit("b.example", "192.0.2.1", 9), visit("b.example", "::1", 12)].concat(),
    );
    let purged = purge(&logs, "2026-03-02T00:00:00Z", vec![addresses(&["192.0.2.1"])], &mut Always).expect("purges");
    assert_eq!((purged.counts.erased, purged.counts.retained), (2, 1));
    assert_eq!(logs.read("access.log"), held);
}

#[test]
fn the_hosts_floor_binds_and_an_unknown_hold_stops_it() {
    let mut logs = Logs::by_host();
    logs.write("access.log", &visit("b.example", "::1", 10));
    let before = logs.lines();
    let code = |logs: &Logs, before, held| purge(logs, before, held, &mut Always).expect_err("refused").code;
    assert_eq!(code(&logs, "2026-03-16T00:00:01Z", vec![]), Code::PurgeAge, "30 days before 15 April");
    assert_eq!(code(&logs, "2026-03-10T00:00:00Z", vec![addresses(&["::1"])]), Code::BadSelector);
    logs.config.youngest_purge_age_days = None;
    assert_eq!(code(&logs, "2020-01-01T00:00:00Z", vec![]), Code::PurgeAge);
    logs.config.youngest_purge_age = Some("23 hours".parse().expect("an age"));
    assert_eq!(code(&logs, "2026-04-14T01:00:01Z", vec![]), Code::PurgeAge);
    assert_eq!(logs.lines(), before);
    assert!(logs.driver().purges());
    let purged = purge(&logs, "2026-04-14T01:00:00Z", vec![], &mut Always).expect("23 hours before");
    assert_eq!(purged.counts.erased, 1);
}

#[test]
fn one_floor_is_written_and_not_two() {
    let mut logs = Logs::by_host();
    logs.config.youngest_purge_age = Some("23 hours".parse().expect("an age"));
    let refused = crate::access_log::AccessLog::open(&logs.config).err();
    assert_eq!(refused.as_deref(), Some("write youngest_purge_age or youngest_purge_age_days, not both"));
    logs.config.youngest_purge_age_days = None;
    assert!(crate::access_log::AccessLog::open(&logs.config).is_ok());
}

#[test]
fn an_old_live_log_is_moved_aside_where_somebody_may_write_it() {
    let mut logs = Logs::by_host();
    logs.config.writer = Some(Writer { pid_file: logs.path("pid"), reopen_seconds: 1 });
    let young = visit("b.example", "::1", 30);
    logs.write("access.log", &format!("{}{young}", visit("b.example", "::1", 10)));
    logs.write("access.log.1.gz", &young);
    let purged = purge(&logs, "2026-03-01T13:20:00Z", vec![], &mut Always).expect("purges");
    assert_eq!(purged.counts.erased, 1);
    assert_eq!(logs.read("access.log"), "");
    assert_eq!(logs.read("access.log.1.gz"), young.repeat(2), "its lines are with the newest rotated ones");
    assert_eq!(logs.names(), ["access.log", "access.log.1.gz"]);
}

/// What a permit lets begin, and what an earlier attempt remembered.
struct Files {
    left: u32,
    earlier: Option<Mark>,
}

impl Boundary for Files {
    fn may_go_on(&mut self) -> bool {
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }

    fn earlier(&self) -> Option<Mark> {
        self.earlier
    }
}

fn run(logs: &Logs, preserve: Vec<Selector>, files: &mut Files) -> crate::Report {
    let purge = Purge { older_than: at("2026-03-02T00:00:00Z"), policy: Digest::of(b"policy"), preserve };
    let spec = JobSpec { purge: Some(purge), ..job(Action::Purge, &Selector::default(), None) };
    crate::attempt::run(&logs.driver(), &spec, at("2026-04-15T00:00:00Z"), files)
}

#[test]
fn a_purge_counts_what_it_took_itself_and_nothing_that_left_by_other_hands() {
    let logs = Logs::by_host();
    let (other, bert) = (visit("b.example", "::1", 10), visit("bert.example", "::1", 10));
    logs.write("access.log", ODD);
    logs.write("access.log.1", &format!("{}{}", other.repeat(3), bert.repeat(4)));
    logs.write("access.log.2", &other.repeat(5));
    let first = run(&logs, vec![], &mut Files { left: 0, earlier: None });
    assert_eq!((first.verdict, first.code, first.counts.erased), (Verdict::Failed, Some(Code::Stopped), 0));
    // Meanwhile one is held, and rotation takes the oldest file.
    std::fs::remove_file(logs.path("access.log.2")).expect("there");
    let before = Tally { items: 12, ..Tally::default() };
    let mut rest = Files { left: 9, earlier: Some(Mark { instance: None, before }) };
    let last = run(&logs, vec![service("bert.example")], &mut rest);
    assert_eq!((last.verdict, last.counts.retained), (Verdict::Done, 4));
    assert_eq!(last.counts.erased, 4, "three lines, and the one in odd time");
}

#[test]
fn an_old_line_of_nobody_who_can_be_told_stays_for_the_sake_of_who_is_held() {
    let logs = Logs::by_address();
    let named = visit("b.example", "dsl-17.isp.example", 9);
    logs.write("access.log", &[visit("b.example", "::1", 12), named.clone()].concat());
    let report = run(&logs, vec![addresses(&["192.0.2.1"])], &mut Files { left: 9, earlier: None });
    assert_eq!((report.verdict, report.counts.erased, report.counts.retained), (Verdict::Done, 1, 1));
    assert_eq!(logs.read("access.log"), named);
    let nobody = run(&logs, vec![], &mut Files { left: 9, earlier: None });
    assert_eq!((nobody.counts.erased, nobody.counts.retained), (1, 0), "its age reads");
}
