//! What a look finds, what it refuses to call absent, and that it touches nothing.

use gallra_model::job::Action;
use gallra_model::receipt::{Code, Verdict};
use gallra_model::selector::Selector;
use gallra_model::target::Instance;

use super::{CANARIES, Db, ITEMS, MAPPING, anna, config};
use crate::attempt;
use crate::driver::{Driver, Failure};
use crate::sql::Sql;
use crate::sql::engine::{Engine, Session, Turn};
use crate::testing::{Always, inspect_then, job, now, service};

#[test]
fn finds_exactly_the_subjects_rows_among_look_alikes() {
    let db = Db::new("");
    let seen = db.driver(MAPPING).inspect(&anna()).expect("inspects");
    assert_eq!((seen.found.items, seen.found.others), (ITEMS, 2 + 5 + 2 + 1));
    assert!(seen.instance.is_some() && seen.found.bytes > 0);
    let residue: Vec<_> = seen.residue.iter().map(|piece| String::from_utf8_lossy(piece)).collect();
    for canary in CANARIES {
        assert!(residue.iter().any(|piece| piece == canary), "{canary} in {residue:?}");
    }
    assert!(!residue.iter().any(|piece| piece == "Stockholm"), "another's row holds it too");
    assert!(!format!("{seen:?}").contains("anna"));
}

#[test]
fn numbers_are_compared_as_they_are_written() {
    let db = Db::new("");
    db.run("CREATE TABLE seat (id INTEGER PRIMARY KEY, customer INTEGER); INSERT INTO seat VALUES (1, 1000), (2, 10);");
    let mapping = r#"
        sentinel = { table = "customer", key = "customer_no", value = "0" }
        [[table]]
        table = "seat"
        key = "customer"
        by = "customer"
        action = "delete""#;
    let driver = db.driver(mapping);
    for (number, items) in [("1000", 1), ("1e3", 0), ("1000.0", 0), ("01000", 0), ("10", 1), ("1", 0)] {
        let seen = driver.inspect(&crate::testing::customer(number)).expect("inspects");
        assert_eq!(seen.found.items, items, "{number}");
    }
}

#[test]
fn an_inspect_job_is_done_and_leaves_every_byte_as_it_was() {
    for mode in ["PRAGMA journal_mode = DELETE", "PRAGMA journal_mode = WAL"] {
        let db = Db::new(mode);
        let bytes = std::fs::read(db.path()).expect("reads");
        let report = attempt::run(&db.driver(MAPPING), &job(Action::Inspect, &anna(), None), now(), &mut Always);
        assert_eq!(report.verdict, Verdict::Done, "{}", report.hint);
        assert!(report.checks.iter().all(|check| check.ok), "{:?}", report.checks);
        assert_eq!(std::fs::read(db.path()).expect("reads"), bytes, "{mode}");
    }
}

#[test]
fn a_missing_database_is_never_absent_and_never_made() {
    let db = Db::new("");
    let folder = db.path().parent().expect("a folder").to_owned();
    for path in [folder.join("not-mounted.db"), folder.join("not-mounted/register.db"), folder.clone()] {
        let driver = Sql::open(&config(&path, MAPPING)).expect("opens");
        let report = attempt::run(&driver, &job(Action::Erase, &anna(), None), now(), &mut Always);
        assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::SentinelMissing)));
        assert_eq!(report.counts.absent, 0);
    }
    assert_eq!(db.files(), ["register.db"]);
}

#[test]
fn a_database_without_the_sentinel_is_never_absent() {
    for broken in ["DELETE FROM customer WHERE customer_no = '0'", "ALTER TABLE customer RENAME TO other"] {
        let db = Db::new("");
        db.run(broken);
        let failure = db.driver(MAPPING).inspect(&anna()).expect_err("no sentinel");
        assert_eq!(failure.code, Code::SentinelMissing, "{broken}");
    }
    let db = Db::new("");
    std::fs::write(db.path(), b"").expect("writes");
    assert_eq!(db.driver(MAPPING).inspect(&anna()).expect_err("empty").code, Code::SentinelMissing);
}

#[test]
fn links_and_files_that_are_no_database_are_refused() {
    let db = Db::new("");
    let link = db.path().with_file_name("link.db");
    std::os::unix::fs::symlink(db.path(), &link).expect("links");
    let other = db.path().with_file_name("other.db");
    std::fs::write(&other, "no database ".repeat(1000)).expect("writes");
    let folder = db.path().with_file_name("folder");
    std::os::unix::fs::symlink(db.path().parent().expect("a folder"), &folder).expect("links");
    for path in [link, folder.join("register.db"), other] {
        let failure = Sql::open(&config(&path, MAPPING)).expect("opens").inspect(&anna()).expect_err("refused");
        assert_eq!(failure.code, Code::Target, "{}", failure.hint);
    }
}

#[test]
fn a_mapping_that_the_schema_does_not_bear_out_is_a_failure() {
    let db = Db::new("");
    db.run("CREATE VIEW boxes AS SELECT * FROM mailbox");
    for (from, to) in [("\"service_id\"", "\"service\""), ("\"phone\"", "\"fax\""), ("\"created\"", "\"made\"")] {
        let failure = db.driver(&MAPPING.replace(from, to)).inspect(&anna()).expect_err("no such column");
        assert_eq!(failure.code, Code::Target, "{to}");
        assert!(failure.hint.contains("no column"), "{}", failure.hint);
    }
    let failure = db.driver(&MAPPING.replace("\"mailbox\"", "\"boxes\"")).inspect(&anna()).expect_err("a view");
    assert!(failure.hint.contains("no table"), "{}", failure.hint);
}

#[test]
fn a_job_without_the_id_or_for_the_sentinel_is_refused() {
    let db = Db::new("");
    let driver = db.driver(MAPPING);
    assert_eq!(driver.inspect(&service("anna")).expect_err("no customer").code, Code::BadSelector);
    let sentinel = Selector { customer: Some("0".parse().expect("an id")), ..anna() };
    assert_eq!(driver.inspect(&sentinel).expect_err("the sentinel").code, Code::BadSelector);
}

#[test]
fn somebody_unknown_is_absent_beside_the_sentinel() {
    let db = Db::new("");
    let nobody =
        Selector { service: anna().service, customer: Some("2002".parse().expect("an id")), addresses: Vec::new() };
    db.run("DELETE FROM alias WHERE id = 1; DELETE FROM mailbox WHERE id < 3");
    let report = inspect_then(&db.driver(MAPPING), Action::Erase, &nobody);
    assert_eq!((report.verdict, report.counts.absent, report.counts.erased), (Verdict::Done, 1, 0), "{}", report.hint);
}

#[test]
fn the_instance_outlives_new_rows_and_vacuum_but_not_a_replaced_anchor() {
    let db = Db::new("");
    let driver = db.driver(MAPPING);
    let instance = || driver.inspect(&anna()).expect("inspects").instance;
    let before = instance();
    db.run("INSERT INTO mailbox VALUES (99, 'anna', 'new@hosted.example', 'n'); DELETE FROM mailbox WHERE id = 2");
    db.run("UPDATE customer SET phone = '070-9999999', status = 'x' WHERE customer_no = '1001'; VACUUM");
    assert_eq!(instance(), before);
    db.run("UPDATE customer SET created = '2026-01-01T00:00:00' WHERE customer_no = '1001'");
    assert_ne!(instance(), before);
}

#[test]
fn an_anchor_that_only_the_id_names_is_refused() {
    let db = Db::new("");
    let mapping = MAPPING.replace(", columns = [\"created\"] }", " }");
    let failure = db.driver(&mapping).inspect(&anna()).expect_err("nothing tells the row apart");
    assert!(failure.hint.contains("anchor"), "{}", failure.hint);
}

#[test]
fn without_an_anchor_the_last_row_with_an_identity_of_its_own_stands_in() {
    let db = Db::new("");
    let mapping = MAPPING.replace("anchor = { table = \"customer\", columns = [\"created\"] }\n", "");
    let driver = db.driver(&mapping);
    let before = driver.inspect(&anna()).expect("inspects").instance;
    db.run("UPDATE customer SET created = 'x'; INSERT INTO invoice VALUES (90, '1001', 'Anna')");
    assert_eq!(driver.inspect(&anna()).expect("inspects").instance, before);
    db.run("UPDATE invoice SET invoice_no = invoice_no + 100");
    assert_ne!(driver.inspect(&anna()).expect("inspects").instance, before);
}

/// A database whose files hold nothing that can be read: what encryption below SQLite looks like.
struct Sealed(Box<dyn Engine>);

impl Engine for Sealed {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn turn(&self) -> Turn {
        self.0.turn()
    }

    fn look(&self) -> Result<Box<dyn Session>, Failure> {
        self.0.look()
    }

    fn begin(&self) -> Result<Box<dyn Session>, Failure> {
        self.0.begin()
    }

    fn search(&self, needles: &[Vec<u8>]) -> Result<Vec<u64>, Failure> {
        Ok(vec![0; needles.len()])
    }

    fn scrub(&self) -> Result<(), Failure> {
        self.0.scrub()
    }

    fn remember(&self, marks: &[&str], instance: Instance) -> Result<(), Failure> {
        self.0.remember(marks, instance)
    }

    fn owed(&self, marks: &[&str]) -> Result<Option<Instance>, Failure> {
        self.0.owed(marks)
    }
}

#[test]
fn files_that_cannot_be_searched_make_the_check_blind() {
    let db = Db::new("");
    let Sql { engine, mapping, youngest } = db.driver(MAPPING);
    let driver = Sql { engine: Box::new(Sealed(engine)), mapping, youngest };
    let report = inspect_then(&driver, Action::Erase, &anna());
    assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::CheckBlind)));
    assert_eq!(db.number("SELECT count(*) FROM mailbox"), 7);
}
