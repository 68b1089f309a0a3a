//! One subject's lines go or are masked, and nobody else's.

use std::os::unix::fs::MetadataExt;

use gallra_model::job::Action;
use gallra_model::outcome::Counts;
use gallra_model::receipt::{Code, Verdict};

use super::fixture::{Logs, addresses, visit};
use crate::access_log::crew::Halt;
use crate::access_log::needle::Needle;
use crate::access_log::place::Place;
use crate::access_log::raw::{Rule, Wanted};
use crate::access_log::rewrite::rewrite;
use crate::access_log::subject::{Fate, Judge, Subject};
use crate::access_log::{Act, Fields, Format, Names};
use crate::testing::{NoAct, inspect_then, service};

const ME: &str = "203.0.113.9";

/// What looks like anna.example and is not.
fn others() -> String {
    let hosts = ["nanna.example", "anna.example.com", "anna.exampl", "xanna.example", "-", "ann%61.example", "anna"];
    let mut lines: String = hosts.iter().zip(0..).map(|(host, minute)| visit(host, ME, minute)).collect();
    lines.push_str(
        "anna.example:443 not a line of this format\nanna.example:443 x - - [01/Foo/2026:13:00:00 +0000] \"\"\n",
    );
    lines.push_str("\n\0\u{fffd}anna.example\n");
    lines
}

fn mine() -> String {
    let hosts = ["anna.example", "ANNA.Example", "www.anna.example", "anna.example."];
    hosts.iter().zip(20..).map(|(host, minute)| visit(host, ME, minute)).collect()
}

#[test]
fn lines_of_one_host_go_from_all_files_and_look_alikes_stay_bit_by_bit() {
    let logs = Logs::by_host();
    let (mine, others) = (mine(), others());
    let files = ["access.log", "access.log.1", "access.log.2.gz", "access.log-20260201.zst", "access.log-20260101"];
    for file in files {
        logs.write(file, &format!("{mine}{others}{mine}{}", others.trim_end()));
    }
    logs.write("access.log.3.gz", &others);
    logs.write("access.logs", &mine);
    let (untouched, before) = (logs.inode("access.log.3.gz"), logs.path("access.log.2.gz").metadata().expect("there"));
    let report = inspect_then(&logs.driver(), Action::Erase, &service("anna.example"));
    assert_eq!((report.verdict, report.code), (Verdict::Done, None), "{}", report.hint);
    assert_eq!(report.counts, Counts { erased: 40, ..Counts::default() });
    let after = logs.path("access.log.2.gz").metadata().expect("there");
    let dress = |is: &std::fs::Metadata| (is.mode(), is.uid(), is.gid(), is.mtime(), is.mtime_nsec());
    assert_eq!(dress(&before), dress(&after));
    for file in files {
        assert_eq!(logs.read(file), format!("{others}{}", others.trim_end()), "{file}");
    }
    assert_eq!(logs.inode("access.log.3.gz"), untouched, "a file without the subject is not rewritten");
    assert_eq!(logs.read("access.logs"), mine, "another log");
    assert_eq!(logs.names().len(), 7, "nothing lies about: {:?}", logs.names());
    let again = inspect_then(&logs.driver(), Action::Erase, &service("anna.example"));
    assert_eq!((again.verdict, again.counts.absent, again.counts.erased), (Verdict::Done, 1, 0), "twice is once");
}

#[test]
fn a_log_of_one_subject_only_may_become_empty_but_an_empty_log_says_nothing() {
    let logs = Logs::by_host();
    logs.write("access.log", &mine());
    let report = inspect_then(&logs.driver(), Action::Erase, &service("anna.example"));
    assert_eq!((report.verdict, report.counts.erased), (Verdict::Done, 4), "{}", report.hint);
    let report = inspect_then(&logs.driver(), Action::Erase, &service("anna.example"));
    assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::SentinelMissing)));
}

#[test]
fn an_address_is_a_value_and_a_time() {
    let logs = Logs::by_address();
    let mine = [
        visit("b.example", "192.0.2.1", 10),
        visit("b.example", "::ffff:192.0.2.1", 19),
        visit("b.example", "::FFFF:c000:0201", 12),
        visit("b.example", "2001:DB8:0:0::00aB", 12),
        visit("b.example", "2001:db8::ab", 13),
    ];
    let others = [
        visit("b.example", "192.0.2.1", 9),
        visit("b.example", "192.0.2.1", 20),
        visit("b.example", "192.0.2.10", 12),
        visit("b.example", "192.0.2.100", 12),
        visit("b.example", "1.192.0.2", 12),
        visit("b.example", "2001:db8::abc", 12),
        visit("b.example", "2001:db8::1:ab", 12),
        visit("b.example", "::192.0.2.1", 12),
        visit("b.example", "host.192.0.2.1", 12),
    ];
    logs.write("access.log", &format!("{}{}", mine.concat(), others.concat()));
    logs.write("access.log.1.gz", &format!("{}{}", others.concat(), mine.concat()));
    let report = inspect_then(&logs.driver(), Action::Erase, &addresses(&["192.0.2.1", "2001:db8::ab"]));
    assert_eq!((report.verdict, report.counts.erased), (Verdict::Done, 10), "{}", report.hint);
    assert_eq!(logs.read("access.log"), others.concat());
    assert_eq!(logs.read("access.log.1.gz"), others.concat());
    let without = inspect_then(&logs.driver(), Action::Erase, &service("anna.example"));
    assert_eq!(without.code, Some(Code::BadSelector), "a service is no address");
}

#[test]
fn a_driver_that_does_nothing_is_found_out() {
    let logs = Logs::by_host();
    logs.write("access.log", &format!("{}{}", mine(), others()));
    logs.write("access.log.1.gz", &mine());
    let driver = NoAct::new(logs.driver());
    let report = inspect_then(&driver, Action::Erase, &service("anna.example"));
    assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::StillThere)));
    assert_eq!((driver.asked.get(), report.counts.failed), (1, 8));
}

#[test]
fn json_lines_are_read_by_their_names() {
    let mut logs = Logs::by_host();
    logs.config.format = Format::Json(Names {
        host: Some("host".into()),
        address: "ip".into(),
        time: "time".into(),
        forwarded: Some("fwd".into()),
    });
    let line = |host: &str, time: &str, more: &str| {
        format!("{{\"x\": [1, {{\"host\":\"no\"}}], \"ip\":\"{ME}\" , \"time\":{time},\"host\":\"{host}\"{more}}}\n")
    };
    let (iso, seconds) = ("\"2026-03-01T14:00:00+01:00\"", "1772370000.123");
    let mine = [line("anna.example", iso, ""), line("Anna.Example:80", seconds, ",\"ua\":\"a\\\"}\"")].concat();
    let others = [
        line("nanna.example", iso, ",\"ua\":\"\\\"host\\\":\\\"anna.example\\\"\""),
        line("b.example", iso, ",\"ref\":\"anna.example\""),
        line("anna.example", "\"yesterday\"", ""),
        line("anna.example", iso, "").replace("}\n", "\n"),
    ]
    .concat();
    // The nested name comes first, so the second opinion would trip over it if it were the subject's.
    logs.write("access.log", &format!("{others}{mine}"));
    logs.write("access.log.1", "{\"ip\":\"::1\",\"time\":1,\"host\":\"b\"}\n");
    let mut plain = logs.read("access.log");
    plain = plain.replace("{\"host\":\"no\"}", "2");
    logs.write("access.log", &plain);
    let report = inspect_then(&logs.driver(), Action::Erase, &service("anna.example"));
    assert_eq!((report.verdict, report.counts.erased), (Verdict::Done, 2), "{}", report.hint);
    assert_eq!(logs.read("access.log"), others.replace("{\"host\":\"no\"}", "2"));
    let unread = report.checks.iter().find(|check| check.name == "unread-lines").expect("a check");
    assert_eq!(unread.count, 2, "lines that do not read are counted");
}

#[test]
fn addresses_are_masked_in_the_subjects_lines_only() {
    let mut logs = Logs::by_host();
    logs.config.act = Act::Anonymise;
    logs.config.format = Format::Fields(Fields { host: Some(0), address: 1, time: 4, forwarded: Some(6) });
    let line = |host: &str, address: &str, forwarded: &str| {
        format!("{host} {address} - - [01/Mar/2026:13:00:00 +0100] \"GET / HTTP/1.1\" \"{forwarded}\" \"{ME}\"\n")
    };
    let other = line("b.example", ME, ME);
    let lines = [
        line("anna.example", ME, "-"),
        line("anna.example", "2001:db8:1:2::3", "198.51.100.7,  2001:db8:1:2:3::,unknown"),
        line("anna.example", "host.example", "198.51.100.0"),
        line("anna.example", "192.0.2.0", "192.0.2.0,198.51.100.0"),
    ];
    logs.write("access.log", &format!("{other}{}{other}", lines.concat()));
    logs.write("access.log.1.gz", &format!("{}{other}", lines.concat()));
    let report = inspect_then(&logs.driver(), Action::Erase, &service("anna.example"));
    assert_eq!((report.verdict, report.code), (Verdict::Done, None), "{}", report.hint);
    assert_eq!(report.counts, Counts { anonymised: 6, ..Counts::default() }, "what was masked already is not counted");
    let masked = [
        line("anna.example", "203.0.113.0", "-"),
        line("anna.example", "2001:db8:1::", "198.51.100.0,  2001:db8:1::,-"),
        line("anna.example", "-", "198.51.100.0"),
        line("anna.example", "192.0.2.0", "192.0.2.0,198.51.100.0"),
    ];
    assert_eq!(logs.read("access.log"), format!("{other}{}{other}", masked.concat()));
    assert_eq!(logs.read("access.log.1.gz"), format!("{}{other}", masked.concat()));
    let again = inspect_then(&logs.driver(), Action::Erase, &service("anna.example"));
    assert_eq!((again.verdict, again.counts.absent), (Verdict::Done, 1), "twice is once");
}

/// Takes a line of somebody else along, as a mistake in the driver would.
struct Greedy(Subject);

impl Judge for Greedy {
    fn needle(&self) -> Option<&Needle> {
        None
    }

    fn judge(&self, line: &[u8], becomes: &mut Vec<u8>) -> Fate {
        if line.starts_with(b"nanna") { Fate::Drop } else { self.0.judge(line, becomes) }
    }

    fn format(&self) -> &Format {
        self.0.format()
    }
}

/// Writes a line that nobody wrote, beside each of the subject's.
struct Careless(Subject);

impl Judge for Careless {
    fn needle(&self) -> Option<&Needle> {
        None
    }

    fn judge(&self, line: &[u8], becomes: &mut Vec<u8>) -> Fate {
        let fate = self.0.judge(line, becomes);
        match fate {
            Fate::Keep | Fate::Held | Fate::Unread => return fate,
            Fate::Drop => becomes.clear(),
            Fate::Replace => {}
        }
        becomes.extend_from_slice(visit("z.example", ME, 1).as_bytes());
        Fate::Replace
    }

    fn format(&self) -> &Format {
        self.0.format()
    }
}

#[test]
fn i11_a_file_that_lost_or_changed_anothers_line_is_never_put_in_place() {
    for act in [Act::Erase, Act::Anonymise] {
        let mut logs = Logs::by_host();
        logs.config.act = act;
        logs.write("access.log.1.gz", &format!("{}{}{}", others(), mine(), others()));
        let (before, inode) = (logs.read("access.log.1.gz"), logs.inode("access.log.1.gz"));
        let place = Place::open(&logs.config).expect("opens");
        let files = place.list(&logs.config).expect("lists");
        let subject = || Subject::of(&logs.config, &service("anna.example")).expect("selects");
        let judges: [Box<dyn Judge>; 2] = [Box::new(Greedy(subject())), Box::new(Careless(subject()))];
        for judge in judges {
            let who = subject().who;
            let rule = Rule { format: &logs.config.format, wanted: Wanted::Of(&who, act) };
            let failed =
                rewrite(&place, &files[0], (judge.as_ref(), &rule), false, &Halt::default()).expect_err("is noticed");
            assert_eq!(failed.code, Code::OthersChanged);
            assert_eq!((logs.read("access.log.1.gz"), logs.inode("access.log.1.gz")), (before.clone(), inode));
            assert_eq!(logs.names(), ["access.log.1.gz"]);
        }
    }
}
