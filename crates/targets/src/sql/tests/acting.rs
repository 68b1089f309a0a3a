//! What an erasure changes, what it leaves, and when it undoes everything.

use gallra_model::job::{Action, Keep};
use gallra_model::outcome::Counts;
use gallra_model::receipt::{Code, Verdict};

use super::{CANARIES, Db, ITEMS, MAPPING, anna};
use crate::attempt;
use crate::driver::Driver;
use crate::testing::{Always, NoAct, StopAfter, inspect_then, job, now};

#[test]
fn erases_the_subject_and_leaves_every_other_row() {
    for mode in ["PRAGMA journal_mode = DELETE", "PRAGMA journal_mode = WAL", "PRAGMA journal_mode = TRUNCATE"] {
        let db = Db::new(mode);
        let others = db.others();
        for canary in CANARIES {
            assert!(db.holds(canary.as_bytes()) > 0, "{canary} is there before");
        }
        let report = inspect_then(&db.driver(MAPPING), Action::Erase, &anna());
        assert_eq!(report.verdict, Verdict::Done, "{mode}: {}", report.hint);
        assert_eq!(report.counts, Counts { erased: ITEMS, ..Counts::default() });
        assert_eq!((report.before.items, report.after.items), (ITEMS, 0));
        assert_eq!(report.before.others, report.after.others);
        assert_eq!(db.others(), others);
        for canary in CANARIES {
            assert_eq!(db.holds(canary.as_bytes()), 0, "{mode}: {canary}");
        }
        let blanked = "login_address IS NULL AND phone = '' AND created LIKE '2024%'";
        assert_eq!(db.number(&format!("SELECT count(*) FROM customer WHERE customer_no = '1001' AND {blanked}")), 1);
        assert_eq!(db.number("PRAGMA freelist_count"), 0);
    }
}

#[test]
fn erasing_twice_equals_erasing_once() {
    let db = Db::new("");
    let driver = db.driver(MAPPING);
    assert_eq!(inspect_then(&driver, Action::Erase, &anna()).verdict, Verdict::Done);
    let bytes = std::fs::read(db.path()).expect("reads");
    let again = inspect_then(&driver, Action::Erase, &anna());
    assert_eq!((again.verdict, again.counts.absent, again.counts.erased), (Verdict::Done, 1, 0), "{}", again.hint);
    assert_eq!(std::fs::read(db.path()).expect("reads"), bytes);
    let confirmed = inspect_then(&driver, Action::Confirm, &anna());
    assert_eq!((confirmed.verdict, confirmed.counts.absent), (Verdict::Done, 1));
}

#[test]
fn an_act_that_does_nothing_is_found_out() {
    let db = Db::new("");
    let driver = NoAct::new(db.driver(MAPPING));
    let report = inspect_then(&driver, Action::Erase, &anna());
    assert_eq!(driver.asked.get(), 1);
    assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::StillThere)));
    assert_eq!((report.counts.erased, report.after.items), (0, ITEMS));
}

#[test]
fn a_customer_that_came_after_under_the_same_number_is_refused() {
    let db = Db::new("");
    let driver = db.driver(MAPPING);
    let seen = attempt::run(&driver, &job(Action::Inspect, &anna(), None), now(), &mut Always);
    db.run("UPDATE customer SET created = '2026-02-02', login_address = 'somebody new' WHERE customer_no = '1001'");
    let others = db.others();
    let report = attempt::run(&driver, &job(Action::Erase, &anna(), seen.instance), now(), &mut Always);
    assert_eq!((report.verdict, report.code), (Verdict::Refused, Some(Code::InstanceChanged)));
    assert_eq!((db.number("SELECT count(*) FROM mailbox"), db.others()), (7, others));
}

#[test]
fn a_customer_replaced_between_the_look_and_the_act_is_refused_too() {
    let db = Db::new("");
    let driver = db.driver(MAPPING);
    let seen = driver.inspect(&anna()).expect("inspects");
    db.run("UPDATE customer SET created = '2026-02-02' WHERE customer_no = '1001'");
    let failure = driver.erase(&anna(), &seen, &mut Always).expect_err("another customer");
    assert_eq!(failure.code, Code::InstanceChanged);
    assert_eq!(db.number("SELECT count(*) FROM mailbox"), 7);
}

#[test]
fn a_hold_before_the_end_undoes_all() {
    let db = Db::new("");
    let driver = db.driver(MAPPING);
    let seen = driver.inspect(&anna()).expect("inspects");
    for passed in 0..4 {
        let failure = driver.erase(&anna(), &seen, &mut StopAfter(passed)).expect_err("stopped");
        assert_eq!(failure.code, Code::Stopped);
        assert_eq!(driver.inspect(&anna()).expect("inspects").found, seen.found, "{passed}");
        assert_eq!(db.files(), ["register.db"]);
    }
}

#[test]
fn a_foreign_key_in_the_way_undoes_all_and_says_so() {
    for timing in ["", "DEFERRABLE INITIALLY DEFERRED"] {
        let db = Db::new("");
        db.run(&format!(
            "CREATE TABLE quota (id INTEGER PRIMARY KEY, mailbox INTEGER REFERENCES mailbox(id) {timing});
             INSERT INTO quota VALUES (1, 2)"
        ));
        let others = db.others();
        let report = inspect_then(&db.driver(MAPPING), Action::Erase, &anna());
        assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::Target)));
        assert!(report.hint.contains("foreign key"), "{}", report.hint);
        assert_eq!((report.counts.erased, report.after.items), (0, ITEMS), "{timing}");
        assert_eq!(db.others(), others);
        assert_eq!(db.number("SELECT count(*) FROM alias"), 3, "the first table's rows came back");
    }
}

#[test]
fn a_cascade_into_anothers_rows_undoes_all() {
    let allowed = format!("allow_triggers = true\n{MAPPING}");
    for (action, mapping) in [("CASCADE", MAPPING), ("SET NULL", MAPPING), ("CASCADE", &allowed)] {
        let db = Db::new("");
        db.run(&format!(
            "CREATE TABLE shared_calendar (id INTEGER PRIMARY KEY,
                owner INTEGER REFERENCES mailbox(id) ON DELETE {action}, title TEXT);
             INSERT INTO shared_calendar VALUES (1, 1, 'everybody')"
        ));
        let report = inspect_then(&db.driver(mapping), Action::Erase, &anna());
        assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::OthersChanged)), "{action}");
        assert_eq!(db.number("SELECT count(*) FROM shared_calendar WHERE owner = 1"), 1, "{action}");
        assert_eq!(db.number("SELECT count(*) FROM mailbox"), 7);
    }
}

#[test]
fn a_trigger_is_borne_only_where_the_host_says_so_and_only_if_it_keeps_nothing_of_the_subject() {
    let history = |column: &str| {
        let db = Db::new("");
        db.run(&format!(
            "CREATE TABLE history (id INTEGER PRIMARY KEY, what TEXT);
             CREATE TRIGGER gone AFTER DELETE ON mailbox BEGIN INSERT INTO history(what) VALUES ({column}); END"
        ));
        db
    };
    let allowed = format!("allow_triggers = true\n{MAPPING}");
    for (column, mapping, code) in [
        ("'one went'", MAPPING, Some(Code::OthersChanged)),
        ("'one went'", allowed.as_str(), None),
        ("OLD.address", allowed.as_str(), Some(Code::StillThere)),
    ] {
        let db = history(column);
        let report = inspect_then(&db.driver(mapping), Action::Erase, &anna());
        assert_eq!(report.code, code, "{column}: {}", report.hint);
        assert_eq!(db.number("SELECT count(*) FROM mailbox"), if code.is_some() { 7 } else { 5 });
    }
}

#[test]
fn a_trigger_that_refuses_silently_is_found_out() {
    let db = Db::new("");
    db.run("CREATE TRIGGER never BEFORE DELETE ON mailbox WHEN OLD.id = 2 BEGIN SELECT RAISE(IGNORE); END");
    let report = inspect_then(&db.driver(MAPPING), Action::Erase, &anna());
    assert_eq!(report.code, Some(Code::StillThere));
    assert!(report.hint.contains("prevent"), "{}", report.hint);
    assert_eq!(db.number("SELECT count(*) FROM mailbox"), 7);
}

#[test]
fn a_table_that_the_mapping_forgot_stops_the_erasure() {
    let db = Db::new("");
    db.run("CREATE TABLE audit (id INTEGER PRIMARY KEY, line TEXT); INSERT INTO audit VALUES (1, 'in: anna@hosted.example!')");
    let driver = db.driver(MAPPING);
    for _ in 0..2 {
        let report = inspect_then(&driver, Action::Erase, &anna());
        assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::StillThere)));
        assert!(report.hint.contains("declare"), "{}", report.hint);
        assert!(!report.hint.contains("anna"));
        assert_eq!((report.counts.erased, report.after.items), (0, ITEMS));
    }
    let words = format!("shared = [\"audit\"]\n{MAPPING}");
    assert_eq!(inspect_then(&db.driver(&words), Action::Erase, &anna()).verdict, Verdict::Done);
}

#[test]
fn a_not_null_number_that_cannot_be_emptied_undoes_all() {
    let db = Db::new("");
    db.run(
        "CREATE TABLE fee (id INTEGER PRIMARY KEY, customer_no TEXT, sum INTEGER NOT NULL) STRICT;
            INSERT INTO fee VALUES (1, '1001', 7)",
    );
    let fee =
        "[[table]]\ntable = \"fee\"\nkey = \"customer_no\"\nby = \"customer\"\naction = \"blank\"\ncolumns = [\"sum\"]";
    let report = inspect_then(&db.driver(&format!("{MAPPING}\n{fee}")), Action::Erase, &anna());
    assert_eq!(report.code, Some(Code::Target));
    assert!(report.hint.contains("blanking columns of fee"), "{}", report.hint);
    assert_eq!(db.number("SELECT count(*) FROM mailbox"), 7);
}

#[test]
fn restrict_marks_the_subject_only_and_only_where_declared() {
    let db = Db::new("");
    let driver = db.driver(MAPPING);
    for _ in 0..2 {
        let report = inspect_then(&driver, Action::Restrict, &anna());
        assert_eq!((report.verdict, report.counts.restricted), (Verdict::Done, 1), "{}", report.hint);
    }
    assert_eq!(db.number("SELECT count(*) FROM customer WHERE status = 'restricted' AND customer_no = '1001'"), 1);
    assert_eq!(db.number("SELECT count(*) FROM customer WHERE status IS NOT NULL"), 1);
    let line = MAPPING.lines().find(|line| line.starts_with("restrict")).expect("a line");
    let report = inspect_then(&db.driver(&MAPPING.replace(line, "")), Action::Restrict, &anna());
    assert_eq!(report.code, Some(Code::Unsupported));
}

const KEEP_ONLY: &str = r#"
sentinel = { table = "customer", key = "customer_no", value = "0" }
[[table]]
table = "invoice"
key = "customer_no"
by = "customer"
action = "keep"
id = "invoice_no"
"#;

fn keep_job(mapping: &str, db: &Db) -> attempt::Report {
    let driver = db.driver(mapping);
    let seen = attempt::run(&driver, &job(Action::Inspect, &anna(), None), now(), &mut Always);
    let mut spec = job(Action::Preserve, &anna(), seen.instance);
    spec.keep = Some(Keep {
        rule: "law/bookkeeping".to_owned(),
        ground: "SFS 1999:1078 ch. 7 s. 2".to_owned(),
        earliest: "2034-01-01".parse().expect("a day"),
        latest: None,
    });
    attempt::run(&driver, &spec, now(), &mut Always)
}

#[test]
fn preserve_names_the_rows_and_touches_nothing() {
    let db = Db::new("");
    let bytes = std::fs::read(db.path()).expect("reads");
    let report = keep_job(KEEP_ONLY, &db);
    assert_eq!((report.verdict, report.counts.retained), (Verdict::Done, 2), "{}", report.hint);
    let keys: serde_json::Value = serde_json::from_slice(&report.preserved.expect("keys").keys).expect("json");
    assert_eq!(keys["tables"][0]["table"], "invoice");
    assert_eq!(keys["tables"][0]["id"], serde_json::json!(["invoice_no"]));
    assert_eq!(keys["tables"][0]["rows"], serde_json::json!([[71], [73]]));
    assert_eq!(std::fs::read(db.path()).expect("reads"), bytes);
    assert_eq!(keep_job(MAPPING, &db).counts.retained, ITEMS + 2, "a mixed target is kept as a whole");
}

#[test]
fn rows_that_could_not_be_found_again_are_not_kept() {
    let db = Db::new("");
    db.run("CREATE TABLE slip (customer_no TEXT, made TEXT); INSERT INTO slip VALUES ('1001', 'x'), ('10010', 'x')");
    let slip = KEEP_ONLY.replace("\"invoice\"", "\"slip\"");
    let anchor = "anchor = { table = \"slip\", columns = [\"made\"] }\n";
    for (id, why) in [("", "set its `id`"), ("id = \"made\"", "also names other rows")] {
        let report = keep_job(&format!("{anchor}{}", slip.replace("id = \"invoice_no\"", id)), &db);
        assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::Unsupported)));
        assert!(report.hint.contains(why), "{}", report.hint);
    }
}

#[test]
fn a_target_of_kept_rows_only_is_never_erased() {
    let db = Db::new("");
    let others = db.others();
    let report = inspect_then(&db.driver(KEEP_ONLY), Action::Erase, &anna());
    assert_eq!((report.verdict, report.code, report.before.items), (Verdict::Failed, Some(Code::Unsupported), 2));
    assert_eq!(db.others(), others);
}
