//! The rolling purge of rows: what goes, what stays and why, and what is left in the file's bytes.

use gallra_model::Instant;
use gallra_model::job::{Action, Purge};
use gallra_model::receipt::{Code, Verdict};
use gallra_model::selector::Selector;
use gallra_model::{Digest, job::JobSpec};
use proptest::prelude::*;
use rusqlite::types::Value;

use super::{Db, config};
use crate::Report;
use crate::attempt;
use crate::driver::{Boundary, Driver, PurgeOrder};
use crate::sql::Sql;
use crate::sql::purge::first_look;
use crate::sql::survey::Ages;
use crate::testing::{Always, StopAfter, customer, job, now, service};

const SCHEMA: &str = "
CREATE TABLE member (customer_no TEXT PRIMARY KEY, name TEXT);
CREATE TABLE message (id INTEGER PRIMARY KEY, customer_no TEXT COLLATE NOCASE, created_at, body TEXT);
CREATE TABLE picture (id INTEGER PRIMARY KEY, message_id INTEGER REFERENCES message(id), caption TEXT);
CREATE INDEX message_time ON message(created_at);
CREATE INDEX message_body ON message(body);
INSERT INTO member VALUES ('0', 'gallra'), ('1001', 'Anna');
";

/// Chat messages with pictures, by customer.
const CHAT: &str = r#"
sentinel = { table = "member", key = "customer_no", value = "0" }
wait_seconds = 0
youngest_purge_age = "30 days"
[[table]]
table = "picture"
via = { table = "message", key = "id", foreign = "message_id" }
action = "delete"
[[table]]
table = "message"
key = "customer_no"
by = "customer"
action = "delete"
time_column = "created_at"
time_written = "utc-text"
[[table]]
table = "member"
key = "customer_no"
by = "customer"
action = "delete"
ageless = true
"#;

/// A year before [`now`].
const CUT: &str = "2025-03-01T03:00:00Z";

struct Chat(Db);

impl Chat {
    fn new(first: &str) -> Self {
        let db = Db { folder: tempfile::tempdir().expect("a folder") };
        db.run(&format!("{first};{SCHEMA}"));
        Self(db)
    }

    fn says(&self, id: i64, owner: impl Into<Value>, time: impl Into<Value>) {
        let connection = self.0.connect();
        let values = (id, owner.into(), time.into(), format!("words-of-message-{id:05}-end"));
        connection.execute("INSERT INTO message VALUES (?1, ?2, ?3, ?4)", values).expect("inserts");
    }

    fn driver(&self, mapping: &str) -> Sql {
        Sql::open(&config(&self.0.path(), mapping)).expect("a mapping of the test")
    }

    fn run(&self, mapping: &str, held: Vec<Selector>, boundary: &mut dyn Boundary) -> Report {
        purge_on(&self.driver(mapping), CUT, held, boundary)
    }

    fn ids(&self) -> Vec<i64> {
        let connection = self.0.connect();
        let mut query = connection.prepare("SELECT id FROM message ORDER BY id").expect("a query");
        query.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("ids")
    }

    /// In how many files a message's words stand.
    fn words(&self, id: i64) -> usize {
        self.0.holds(format!("words-of-message-{id:05}-end").as_bytes())
    }
}

fn purge_on(driver: &dyn Driver, before: &str, preserve: Vec<Selector>, boundary: &mut dyn Boundary) -> Report {
    let older_than: Instant = before.parse().expect("a literal");
    let purge = Purge { older_than, policy: Digest::of(b"policy"), preserve };
    let spec = JobSpec { purge: Some(purge), ..job(Action::Purge, &Selector::default(), None) };
    attempt::run(driver, &spec, now(), boundary)
}

#[test]
fn older_rows_go_with_what_hangs_on_them_and_their_bytes_and_all_others_stay() {
    for mode in ["PRAGMA journal_mode = DELETE", "PRAGMA journal_mode = WAL", "PRAGMA encoding = 'UTF-8'"] {
        let chat = Chat::new(mode);
        chat.says(1, "1001".to_owned(), "2025-03-01T02:59:59Z".to_owned());
        chat.says(2, "1001".to_owned(), "2025-03-01 02:59:59.999".to_owned());
        chat.says(3, "1001".to_owned(), CUT.to_owned());
        chat.says(4, "2002".to_owned(), "2024-01-01T00:00:00Z".to_owned());
        chat.says(5, "2002".to_owned(), "2026-03-01T02:00:00Z".to_owned());
        chat.0.run("INSERT INTO picture VALUES (1, 1, 'caption-of-the-first'), (2, 3, 'caption-of-the-third')");
        assert!(chat.words(1) > 0);
        let report = chat.run(CHAT, vec![], &mut Always);
        assert_eq!((report.verdict, report.counts.erased), (Verdict::Done, 4), "{mode}: {}", report.hint);
        assert_eq!((report.before.items, report.before.others), (4, 3));
        assert_eq!((report.after.items, report.after.others), (0, 3));
        assert_eq!(chat.ids(), [3, 5], "what was written exactly on the line is not older");
        assert_eq!(chat.0.number("SELECT count(*) FROM picture"), 1);
        assert_eq!(chat.words(1) + chat.words(2) + chat.words(4) + chat.0.holds(b"caption-of-the-first"), 0, "{mode}");
        assert!(chat.words(3) > 0 && chat.0.holds(b"caption-of-the-third") > 0);
        let bytes = std::fs::read(chat.0.path()).expect("reads");
        let again = chat.run(CHAT, vec![], &mut Always);
        assert_eq!((again.verdict, again.counts.absent), (Verdict::Done, 1), "twice is once");
        assert_eq!(std::fs::read(chat.0.path()).expect("reads"), bytes);
    }
}

#[test]
fn a_row_that_nobody_can_date_stays_and_keeps_the_run_open() {
    let chat = Chat::new("");
    chat.says(1, "1001".to_owned(), "2024-01-01T00:00:00Z".to_owned());
    let odd: [Value; 7] = [
        Value::Null,
        "2199-01-01T00:00:00Z".to_owned().into(),
        "2024-02-30T00:00:00Z".to_owned().into(),
        "2024-01-01T00:00:00+02:00".to_owned().into(),
        "01/02/2024".to_owned().into(),
        1_700_000_000_i64.into(),
        "1970-01-01T00:00:00Z".to_owned().into(),
    ];
    for (id, time) in (2..).zip(odd) {
        chat.says(id, "1001".to_owned(), time);
    }
    chat.0.run("INSERT INTO picture VALUES (1, NULL, 'of nothing')");
    let report = chat.run(CHAT, vec![], &mut Always);
    assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::Undated)), "{}", report.hint);
    assert_eq!((report.counts.erased, report.counts.failed), (1, 8));
    assert!(!report.counts.settles());
    assert_eq!(chat.ids(), [2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(chat.words(1), 0, "what can be dated went, its bytes too");
}

#[test]
fn seconds_and_local_days_are_read_as_they_are_declared() {
    let chat = Chat::new("");
    let cut: Instant = CUT.parse().expect("a literal");
    for (id, seconds) in [(1, -1), (2, 0), (3, 1)] {
        chat.says(id, "1001".to_owned(), cut.as_second() + seconds);
    }
    let report = chat.run(&CHAT.replace("utc-text", "unix-seconds"), vec![], &mut Always);
    assert_eq!((report.verdict, report.counts.erased, chat.ids()), (Verdict::Done, 1, vec![2, 3]), "{}", report.hint);

    let chat = Chat::new("");
    for (id, day) in [(1, "2025-02-27"), (2, "2025-02-28"), (3, "2025-03-01"), (4, "2025-03-02")] {
        chat.says(id, "1001".to_owned(), day.to_owned());
    }
    // Half past eleven in the evening of 28 February, in Stockholm: that day is not over.
    let driver = chat.driver(&CHAT.replace("utc-text", "local-date"));
    let report = purge_on(&driver, "2025-02-28T22:30:00Z", vec![], &mut Always);
    assert_eq!(
        (report.verdict, report.counts.erased, chat.ids()),
        (Verdict::Done, 1, vec![2, 3, 4]),
        "{}",
        report.hint
    );
    let report = purge_on(&driver, "2025-02-28T23:00:00Z", vec![], &mut Always);
    assert_eq!((report.counts.erased, chat.ids()), (1, vec![3, 4]), "midnight in Stockholm");
}

#[test]
fn a_hold_keeps_its_own_rows_exactly_and_those_of_nobody_who_can_be_told() {
    let chat = Chat::new("");
    let old = "2024-01-01T00:00:00Z";
    for (id, owner) in [(1, "ann"), (2, "anna"), (3, "ANN"), (4, "ann "), (5, "%"), (6, "1001")] {
        chat.says(id, owner.to_owned(), old.to_owned());
    }
    chat.says(7, Value::Null, old.to_owned());
    chat.says(8, 77_i64, old.to_owned());
    chat.0.run("INSERT INTO picture VALUES (1, 1, 'held, too'), (2, 2, 'not held')");
    let held = vec![customer("ann"), customer("77")];
    let report = chat.run(CHAT, held.clone(), &mut Always);
    assert_eq!(
        (report.verdict, report.counts.erased, report.counts.retained),
        (Verdict::Done, 6, 4),
        "{}",
        report.hint
    );
    assert_eq!(chat.ids(), [1, 7, 8]);
    assert_eq!(chat.0.number("SELECT id FROM picture"), 1);
    let again = chat.run(CHAT, held, &mut Always);
    assert_eq!((again.counts.erased, again.counts.retained), (0, 4), "twice is once");
    let lifted = chat.run(CHAT, vec![], &mut Always);
    assert_eq!((lifted.counts.erased, lifted.counts.retained, chat.ids()), (4, 0, vec![]));
}

#[test]
fn a_hold_that_cannot_be_told_and_the_hosts_floor_refuse_it_untouched() {
    let chat = Chat::new("");
    chat.says(1, "1001".to_owned(), "2024-01-01T00:00:00Z".to_owned());
    let bytes = std::fs::read(chat.0.path()).expect("reads");
    let code = |mapping: &str, before, held| {
        let report = purge_on(&chat.driver(mapping), before, held, &mut Always);
        assert_eq!(report.verdict, Verdict::Refused, "{}", report.hint);
        report.code
    };
    assert_eq!(code(CHAT, CUT, vec![service("anna")]), Some(Code::BadSelector));
    assert_eq!(code(CHAT, CUT, vec![customer("0")]), Some(Code::BadSelector), "the sentinel");
    assert_eq!(code(CHAT, "2025-03-01T03:00:00.5Z", vec![]), Some(Code::BadSelector));
    assert_eq!(code(CHAT, "2026-01-30T03:00:01Z", vec![]), Some(Code::PurgeAge));
    let without = CHAT.replace("youngest_purge_age = \"30 days\"", "");
    assert!(!chat.driver(&without).purges() && chat.driver(CHAT).purges());
    assert_eq!(code(&without, CUT, vec![]), Some(Code::PurgeAge));
    assert_eq!(std::fs::read(chat.0.path()).expect("reads"), bytes);
}

#[test]
fn a_missing_column_table_or_sentinel_is_said_before_anything_goes() {
    let chat = Chat::new("");
    chat.says(1, "1001".to_owned(), "2024-01-01T00:00:00Z".to_owned());
    let other = CHAT.replace("created_at", "made_at");
    let report = chat.run(&other, vec![], &mut Always);
    assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::Target)));
    assert!(report.hint.contains("table message has no column made_at"), "{}", report.hint);
    let inspected = chat.driver(&other).inspect(&customer("1001")).expect_err("no such column");
    assert!(inspected.hint.contains("no column made_at"), "{}", inspected.hint);
    chat.0.run("CREATE TABLE m2 (customer_no TEXT PRIMARY KEY, created_at TEXT) WITHOUT ROWID");
    let rowless = CHAT.replace("table = \"message\"\nkey", "table = \"m2\"\nkey");
    let rowless =
        rowless.replace("via = { table = \"message\", key = \"id\"", "via = { table = \"m2\", key = \"customer_no\"");
    let report = chat.run(&rowless, vec![], &mut Always);
    assert_eq!((report.verdict, report.code), (Verdict::Refused, Some(Code::Unsupported)), "{}", report.hint);
    chat.0.run("DELETE FROM member WHERE customer_no = '0'");
    assert_eq!(chat.run(CHAT, vec![], &mut Always).code, Some(Code::SentinelMissing));
    assert_eq!(chat.ids(), [1]);
}

#[test]
fn a_purging_target_says_the_age_of_every_table() {
    let wrong =
        |mapping: &str| Sql::open(&config(std::path::Path::new("/srv/chat.db"), mapping)).err().unwrap_or_default();
    assert_eq!(wrong(CHAT), "");
    for (from, to, why) in [
        ("ageless = true", "", "needs to know the age of every row"),
        ("time_written = \"utc-text\"", "", "together"),
        ("time_column = \"created_at\"\ntime_written = \"utc-text\"", "ageless = true", "needs to know the age"),
        ("action = \"delete\"\ntime_column", "action = \"keep\"\ntime_column", "only rows that `delete` takes"),
        (
            "foreign = \"message_id\" }\naction = \"delete\"",
            "foreign = \"message_id\" }\naction = \"delete\"\nageless = true",
            "no `ageless`",
        ),
        (
            "foreign = \"message_id\" }\naction = \"delete\"",
            "foreign = \"message_id\" }\naction = \"delete\"\ntime_column = \"made\"\ntime_written = \"local-date\"",
            "which of them counts",
        ),
        (
            "table = \"member\", key = \"customer_no\", value",
            "table = \"picture\", key = \"id\", value",
            "without the sentinel",
        ),
    ] {
        assert!(CHAT.contains(from), "{from}");
        assert!(wrong(&CHAT.replace(from, to)).contains(why), "{to}: {}", wrong(&CHAT.replace(from, to)));
    }
}

#[test]
fn two_readings_that_differ_are_believed_by_nobody() {
    let chat = Chat::new("");
    chat.says(1, "1001".to_owned(), "2024-01-01T00:00:00Z".to_owned());
    let driver = chat.driver(CHAT);
    let order = PurgeOrder { before: CUT.parse().expect("a literal"), preserve: vec![] };
    // An agent whose clock is years behind takes the row for one from the future; the database asks no clock.
    let then = "2020-01-01T00:00:00Z".parse().expect("a literal");
    let ages = Ages::new(&driver.mapping, &order, then).expect("nobody is held");
    let session = driver.engine.look().expect("looks");
    assert_eq!(first_look(&*session, &ages).err().map(|failure| failure.code), Some(Code::CheckBlind));
}

#[test]
fn a_sentinel_among_the_messages_stays_however_old_it_is() {
    let chat = Chat::new("");
    let mapping = CHAT.replace("table = \"member\", key", "table = \"message\", key");
    chat.says(1, "0".to_owned(), "2001-01-01T00:00:00Z".to_owned());
    chat.says(2, "1001".to_owned(), "2001-01-01T00:00:00Z".to_owned());
    chat.0.run("INSERT INTO picture VALUES (1, 1, 'of the sentinel')");
    let report = chat.run(&mapping, vec![], &mut Always);
    assert_eq!((report.verdict, report.counts.erased, chat.ids()), (Verdict::Done, 1, vec![1]), "{}", report.hint);
    assert_eq!(chat.0.number("SELECT count(*) FROM picture"), 1);
}

#[test]
fn a_copy_in_a_table_that_the_mapping_forgot_or_a_trigger_stops_it() {
    let chat = Chat::new("");
    chat.says(1, "1001".to_owned(), "2024-01-01T00:00:00Z".to_owned());
    chat.0.run("CREATE TABLE search (words TEXT); INSERT INTO search VALUES ('in: words-of-message-00001-end')");
    let report = chat.run(CHAT, vec![], &mut Always);
    assert_eq!((report.code, chat.ids()), (Some(Code::StillThere), vec![1]), "{}", report.hint);
    chat.0.run(
        "DROP TABLE search; CREATE TABLE gone (n INTEGER);
                CREATE TRIGGER log AFTER DELETE ON message BEGIN INSERT INTO gone VALUES (1); END",
    );
    let report = chat.run(CHAT, vec![], &mut Always);
    assert_eq!((report.code, chat.ids()), (Some(Code::OthersChanged), vec![1]), "{}", report.hint);
    chat.0.run("DROP TRIGGER log; CREATE TRIGGER log BEFORE DELETE ON message BEGIN SELECT RAISE(IGNORE); END");
    let report = chat.run(CHAT, vec![], &mut Always);
    assert_eq!((report.code, chat.ids()), (Some(Code::StillThere), vec![1]), "{}", report.hint);
}

#[test]
fn a_stop_between_batches_keeps_what_went_and_the_next_attempt_goes_on() {
    let chat = Chat::new("PRAGMA journal_mode = WAL");
    let connection = chat.0.connect();
    connection.execute_batch("BEGIN").expect("begins");
    for id in 1..=1200_i64 {
        let values = (id, "1001", "2024-01-01T00:00:00Z", format!("words-of-message-{id:05}-end"));
        connection.execute("INSERT INTO message VALUES (?1, ?2, ?3, ?4)", values).expect("inserts");
    }
    connection.execute_batch("COMMIT").expect("commits");
    drop(connection);
    let report = chat.run(CHAT, vec![], &mut StopAfter(0));
    assert_eq!((report.code, chat.ids().len()), (Some(Code::Stopped), 1200));
    let report = chat.run(CHAT, vec![], &mut StopAfter(2));
    assert_eq!((report.verdict, report.code, report.counts.unknown), (Verdict::Failed, Some(Code::Stopped), 1));
    assert_eq!(chat.ids().len(), 200, "two batches of 500");
    assert!(chat.0.files().contains(&"register.db.gallra-owed".to_owned()), "a scrub is owed");
    let report = chat.run(CHAT, vec![], &mut Always);
    assert_eq!((report.verdict, report.counts.erased), (Verdict::Done, 200), "{}", report.hint);
    assert_eq!(chat.0.holds(b"words-of-message-"), 0);
    assert!(!chat.0.files().contains(&"register.db.gallra-owed".to_owned()));
}

#[test]
fn a_scrub_that_a_reader_prevented_is_made_up_for_though_no_row_is_left() {
    let chat = Chat::new("PRAGMA journal_mode = WAL");
    chat.says(1, "1001".to_owned(), "2024-01-01T00:00:00Z".to_owned());
    let reader = chat.0.connect();
    reader.execute_batch("BEGIN; SELECT count(*) FROM message").expect("reads");
    let report = chat.run(CHAT, vec![], &mut Always);
    assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::Target)), "{}", report.hint);
    assert!(chat.ids().is_empty() && chat.words(1) > 0, "the row went, the bytes did not");
    drop(reader);
    let report = chat.run(CHAT, vec![], &mut Always);
    assert_eq!((report.verdict, report.counts.absent), (Verdict::Done, 1), "{}", report.hint);
    assert_eq!(chat.words(1), 0);
}

/// A time as an application might write it, and how old it is beside the line: minus, nought, plus; or nobody can say.
fn time() -> impl Strategy<Value = (Value, Option<i64>)> {
    let cut = CUT.parse::<Instant>().expect("a literal").as_second();
    prop_oneof![
        6 => (-100_000_i64..100_000, 0_u8..4).prop_map(move |(far, form)| {
            let at = Instant::from_second(cut + far).expect("in range").to_string();
            let text = match form {
                0 => at,
                1 => at.replace('T', " ").replace('Z', ""),
                2 => at.replace('Z', ".5Z"),
                _ => at.replace('Z', "+00:00"),
            };
            (Value::Text(text), Some(far))
        }),
        1 => "[0-9TZ: .+-]{0,24}".prop_map(|text| (Value::Text(format!("{text}?")), None)),
        1 => Just((Value::Null, None)),
        1 => any::<i64>().prop_map(|number| (Value::Integer(number), None)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_older_and_not_held_is_gone_and_everything_else_is_as_it_was(
        rows in prop::collection::vec((time(), 0_usize..4), 0..12),
        hold in any::<bool>(),
    ) {
        let owners = ["ann", "anna", "Ann", "1001"];
        let chat = Chat::new("");
        for (id, ((time, _), owner)) in (1..).zip(&rows) {
            chat.says(id, owners[*owner].to_owned(), time.clone());
        }
        let portrait = |of: &dyn Fn(usize) -> bool| -> Vec<String> {
            let connection = chat.0.connect();
            let mut query = connection.prepare("SELECT id, quote(customer_no), typeof(created_at), quote(created_at), body FROM message ORDER BY id").expect("a query");
            let all = query.query_map([], |row| {
                let id: i64 = row.get(0)?;
                let cells: Vec<String> = (1..5).map(|at| row.get(at)).collect::<Result<_, _>>()?;
                Ok((id, format!("{id} {}", cells.join("|"))))
            }).expect("rows").collect::<Result<Vec<_>, _>>().expect("rows");
            all.into_iter().filter(|(id, _)| of(usize::try_from(*id - 1).expect("small"))).map(|(_, row)| row).collect()
        };
        let goes = |at: usize| rows.get(at).is_some_and(|((_, far), owner)| {
            far.is_some_and(|far| far < 0) && !(hold && owners[*owner] == "ann")
        });
        let stays = portrait(&|at| !goes(at));
        let report = chat.run(CHAT, if hold { vec![customer("ann")] } else { vec![] }, &mut Always);
        prop_assert_eq!(portrait(&|_| true), stays);
        let went = (0..rows.len()).filter(|at| goes(*at)).count() as u64;
        let undated = rows.iter().filter(|((_, far), _)| far.is_none()).count() as u64;
        prop_assert_eq!((report.counts.erased, report.counts.failed), (went, undated), "{}", report.hint);
        prop_assert_eq!(report.verdict == Verdict::Done, undated == 0);
        for id in (0..rows.len()).filter(|at| goes(*at)) {
            prop_assert_eq!(chat.words(i64::try_from(id).expect("small") + 1), 0);
        }
    }
}
