//! What deleted rows leave in pages, logs and journals, and what other programs' locks do.

use gallra_model::job::Action;
use gallra_model::receipt::{Code, Verdict};

use super::{Db, ITEMS, MAPPING, anna};
use crate::attempt;
use crate::driver::Driver;
use crate::testing::{Always, inspect_then, job, now};

/// A text of so many bytes whose every part is like no other.
fn long_text(word: &str, bytes: usize) -> String {
    (0..)
        .map(|n| format!("{word}-{n:06} "))
        .scan(0, |sum, part| {
            *sum += part.len();
            (*sum <= bytes).then_some(part)
        })
        .collect()
}

#[test]
fn values_on_overflow_pages_go_too() {
    for encoding in ["UTF-8", "UTF-16le", "UTF-16be"] {
        let db = Db::new(&format!("PRAGMA encoding = '{encoding}'; PRAGMA page_size = 1024"));
        let (mine, theirs) = (long_text("mine", 300_000), long_text("theirs", 300_000));
        let connection = db.connect();
        for (service, text) in [("anna", &mine), ("anna2", &theirs)] {
            let sql = "INSERT INTO mailbox(service_id, address, note) VALUES (?1, 'long@hosted.example', ?2)";
            connection.execute(sql, [service, text.as_str()]).expect("inserts");
        }
        drop(connection);
        let stored = |text: &str| -> Vec<u8> {
            match encoding {
                "UTF-8" => text.as_bytes().to_vec(),
                "UTF-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
                _ => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            }
        };
        let parts = ["mine-000000", "mine-009999", "mine-017000"];
        for part in parts {
            assert_eq!(db.holds(&stored(part)), 1, "{encoding} {part}");
        }
        let report = inspect_then(&db.driver(MAPPING), Action::Erase, &anna());
        assert_eq!(report.verdict, Verdict::Done, "{encoding}: {}", report.hint);
        for part in parts {
            assert_eq!(db.holds(&stored(part)), 0, "{encoding} {part}");
        }
        assert_eq!(db.number("SELECT count(*) FROM mailbox WHERE length(note) > 290000"), 1);
        assert_eq!(db.holds(&stored("theirs-009999")), 1);
    }
}

#[test]
fn what_was_freed_before_by_others_goes_with_the_scrub() {
    let db = Db::new("PRAGMA secure_delete = OFF");
    db.run(
        "PRAGMA secure_delete = OFF; UPDATE mailbox SET note = 'older-note-of-anna' WHERE id = 1;
            UPDATE mailbox SET note = 'newer' WHERE id = 1",
    );
    assert_eq!(db.holds(b"older-note-of-anna"), 1, "SQLite leaves it in the page");
    assert_eq!(inspect_then(&db.driver(MAPPING), Action::Erase, &anna()).verdict, Verdict::Done);
    assert_eq!(db.holds(b"older-note-of-anna"), 0);
}

#[test]
fn samples_of_the_query_planner_go_too() {
    let db = Db::new("");
    db.run("CREATE INDEX invoice_name ON invoice(billing_name); ANALYZE");
    let samples = "SELECT count(*) FROM sqlite_stat4 WHERE instr(sample, CAST('anna@hosted' AS BLOB)) > 0";
    assert!(db.number(samples) > 0, "the test needs a SQLite that keeps samples");
    let report = inspect_then(&db.driver(MAPPING), Action::Erase, &anna());
    assert_eq!(report.verdict, Verdict::Done, "{}", report.hint);
    assert_eq!(db.holds(b"anna@hosted.example"), 0);
    assert!(db.number("SELECT count(*) FROM sqlite_stat4 WHERE tbl = 'invoice'") > 0, "others' samples stay");
}

#[test]
fn a_journal_that_a_program_keeps_is_searched_and_goes() {
    let db = Db::new("");
    db.run("UPDATE mailbox SET note = 'only-in-the-journal' WHERE id = 1");
    db.run(
        "PRAGMA secure_delete = ON; PRAGMA journal_mode = PERSIST; UPDATE mailbox SET note = 'changed' WHERE id = 1;
         VACUUM; UPDATE mailbox SET note = 'only-in-the-journal' WHERE id = 1;
         UPDATE mailbox SET note = 'changed' WHERE id = 1",
    );
    let pages = std::fs::read(db.path()).expect("reads");
    assert!(!pages.windows(19).any(|window| window == b"only-in-the-journal"));
    assert_eq!(db.holds(b"only-in-the-journal"), 1, "in the journal's old page");
    let mut seen = db.driver(MAPPING).inspect(&anna()).expect("inspects");
    seen.residue = vec![b"only-in-the-journal".to_vec()];
    assert!(db.driver(MAPPING).confirm(&anna(), &seen).expect("looks").residue > 0);
    let report = inspect_then(&db.driver(MAPPING), Action::Erase, &anna());
    assert_eq!(report.verdict, Verdict::Done, "{}", report.hint);
    assert_eq!(db.holds(b"anna@hosted.example") + db.holds(b"only-in-the-journal"), 0);
}

#[test]
fn rows_that_are_only_in_the_write_ahead_log_are_found_and_go() {
    let db = Db::new("PRAGMA journal_mode = WAL");
    let application = db.connect();
    application
        .execute_batch("PRAGMA wal_autocheckpoint = 0; UPDATE mailbox SET note = 'only-in-the-log' WHERE id = 1")
        .expect("writes");
    assert_eq!(db.holds(b"only-in-the-log"), 1);
    let seen = db.driver(MAPPING).inspect(&anna()).expect("inspects");
    assert!(seen.residue.contains(&b"only-in-the-log".to_vec()));
    let report = inspect_then(&db.driver(MAPPING), Action::Erase, &anna());
    assert_eq!(report.verdict, Verdict::Done, "{}", report.hint);
    assert_eq!(db.holds(b"only-in-the-log"), 0);
    let left: i64 = application.query_row("SELECT count(*) FROM mailbox", [], |row| row.get(0)).expect("still works");
    assert_eq!(left, 5);
}

#[test]
fn a_reader_in_the_way_of_the_commit_undoes_all() {
    let db = Db::new("PRAGMA journal_mode = DELETE");
    let driver = db.driver(MAPPING);
    let seen = driver.inspect(&anna()).expect("inspects");
    let reader = db.connect();
    reader.execute_batch("BEGIN; SELECT count(*) FROM mailbox").expect("reads");
    let failure = driver.erase(&anna(), &seen, &mut Always).expect_err("locked");
    assert_eq!(failure.code, Code::Target);
    assert!(failure.hint.contains("wait_seconds"), "{}", failure.hint);
    drop(reader);
    assert_eq!(driver.inspect(&anna()).expect("inspects").found, seen.found);
    let report = inspect_then(&driver, Action::Erase, &anna());
    assert_eq!((report.verdict, report.counts.erased), (Verdict::Done, ITEMS), "{}", report.hint);
    assert_eq!(db.files(), ["register.db"], "no note is left");
}

#[test]
fn a_scrub_that_a_reader_prevented_stays_owed_until_it_is_done() {
    let db = Db::new("PRAGMA journal_mode = WAL");
    let driver = db.driver(MAPPING);
    let seen = attempt::run(&driver, &job(Action::Inspect, &anna(), None), now(), &mut Always);
    let erase = || attempt::run(&driver, &job(Action::Erase, &anna(), seen.instance), now(), &mut Always);
    let reader = db.connect();
    reader.execute_batch("BEGIN; SELECT count(*) FROM mailbox").expect("reads");
    for rows_went in [ITEMS, 0] {
        let report = erase();
        assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::Target)), "{}", report.hint);
        assert_eq!((report.counts.erased, report.counts.absent), (rows_went, 0));
        assert!(db.holds(b"anna@hosted.example") > 0, "the rows went, the bytes did not");
        let confirmed = attempt::run(&driver, &job(Action::Confirm, &anna(), None), now(), &mut Always);
        assert_eq!((confirmed.verdict, confirmed.code), (Verdict::Failed, Some(Code::StillThere)));
    }
    let note = std::fs::read_to_string(db.path().with_file_name("register.db.gallra-owed")).expect("a note");
    assert!(!note.contains("anna") && !note.contains("1001"));
    let other = super::Selector {
        service: Some("nobody".parse().expect("an id")),
        customer: Some("9".parse().expect("an id")),
        addresses: Vec::new(),
    };
    assert_eq!(inspect_then(&driver, Action::Erase, &other).counts.absent, 1, "only its own subject is bound by it");
    drop(reader);
    let report = erase();
    assert_eq!((report.verdict, report.counts.absent), (Verdict::Done, 1), "{}", report.hint);
    assert_eq!(db.holds(b"anna@hosted.example"), 0);
    assert!(!db.files().contains(&"register.db.gallra-owed".to_owned()));
}

#[test]
fn bytes_that_a_search_cannot_see_make_the_check_blind() {
    let db = Db::new("");
    let mut seen = db.driver(MAPPING).inspect(&anna()).expect("inspects");
    seen.residue = vec![b"in no file at all".to_vec()];
    let looked = db.driver(MAPPING).confirm(&anna(), &seen).expect("looks");
    assert_eq!((looked.found, looked.residue), (ITEMS, 0));
    assert!(looked.checks.iter().any(|check| check.name == "byte-search" && !check.ok));
}
