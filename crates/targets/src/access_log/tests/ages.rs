//! The rolling purge.

use gallra_model::Instant;
use gallra_model::receipt::Code;
use gallra_model::selector::Selector;

use super::fixture::{Logs, addresses, visit};
use crate::driver::{Boundary, Driver, PurgeOrder, Purged};
use crate::testing::{Always, service};
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
    assert_eq!(code(&logs, "2026-03-16T00:00:01Z", vec![]), Code::Limit, "30 days before 15 April");
    assert_eq!(code(&logs, "2026-03-10T00:00:00Z", vec![addresses(&["::1"])]), Code::BadSelector);
    logs.config.youngest_purge_age_days = None;
    assert_eq!(code(&logs, "2020-01-01T00:00:00Z", vec![]), Code::Limit);
    assert_eq!(logs.lines(), before);
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
