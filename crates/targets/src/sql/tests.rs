//! Tests of the sql driver on real SQLite files: a small register with two customers and look-alikes beside them.
#![allow(clippy::indexing_slicing, reason = "a test that indexes wrongly fails, which is what it is for")]

mod acting;
mod ages;
mod candidates;
mod looking;
mod mapping;
mod scrubbing;

use std::path::PathBuf;

use gallra_model::selector::Selector;
use rusqlite::Connection;
use tempfile::TempDir;

use super::{Config, Sql};

/// The subject's texts that an erasure must remove everywhere.
const CANARIES: [&str; 4] = ["anna@hosted.example", "forward-to-anna@else.example", "login-of-anna", "070-1234567"];

const SCHEMA: &str = "
CREATE TABLE customer (customer_no TEXT PRIMARY KEY, login_address TEXT, phone TEXT NOT NULL, created TEXT NOT NULL,
                       status TEXT);
CREATE TABLE mailbox (id INTEGER PRIMARY KEY AUTOINCREMENT, service_id TEXT COLLATE NOCASE, address TEXT, note TEXT);
CREATE TABLE alias (id INTEGER PRIMARY KEY, mailbox_id INTEGER REFERENCES mailbox(id), goes_to TEXT);
CREATE TABLE invoice (invoice_no INTEGER PRIMARY KEY, customer_no TEXT REFERENCES customer(customer_no),
                      billing_name TEXT);
CREATE INDEX mailbox_service ON mailbox(service_id);
CREATE INDEX mailbox_address ON mailbox(address);
INSERT INTO customer VALUES ('0', 'sentinel', '', '2020-01-01', NULL);
INSERT INTO customer VALUES ('1001', 'login-of-anna', '070-1234567', '2024-05-06T07:08:09', NULL);
INSERT INTO customer VALUES ('10010', 'login-of-bo', '070-7654321', '2024-05-06T07:08:10', NULL);
INSERT INTO mailbox VALUES (1, 'anna', 'anna@hosted.example', 'Stockholm'), (2, 'anna', 'office@hosted.example', NULL),
  (3, 'anna2', 'bo@hosted.example', 'Stockholm'), (4, 'ANNA', 'capital@hosted.example', NULL),
  (5, 'anna.x', 'wild@hosted.example', NULL), (6, 'ann_', 'under@hosted.example', NULL), (7, NULL, 'nobody@hosted.example', NULL);
INSERT INTO alias VALUES (1, 1, 'forward-to-anna@else.example'), (2, 3, 'forward-to-bo@else.example'), (3, NULL, 'orphan');
INSERT INTO invoice VALUES (71, '1001', 'Anna Andersson'), (72, '10010', 'Bo Boman'), (73, '1001', 'Anna Andersson');
";

/// Deletes mailboxes and what hangs on them, blanks the login, keeps invoices.
const MAPPING: &str = r#"
sentinel = { table = "customer", key = "customer_no", value = "0" }
anchor = { table = "customer", columns = ["created"] }
restrict = { table = "customer", column = "status", value = "restricted" }
wait_seconds = 0
[[table]]
table = "alias"
via = { table = "mailbox", key = "id", foreign = "mailbox_id" }
action = "delete"
[[table]]
table = "mailbox"
key = "service_id"
by = "service"
action = "delete"
[[table]]
table = "invoice"
key = "customer_no"
by = "customer"
action = "keep"
id = "invoice_no"
[[table]]
table = "customer"
key = "customer_no"
by = "customer"
action = "blank"
columns = ["login_address", "phone"]
"#;

/// Items that [`MAPPING`] finds of the subject: an alias, two mailboxes, a customer to blank.
const ITEMS: u64 = 4;

/// A database in a folder of its own.
struct Db {
    folder: TempDir,
}

impl Db {
    fn new(first: &str) -> Self {
        let db = Self { folder: tempfile::tempdir().expect("a folder") };
        db.run(&format!("{first};{SCHEMA}"));
        db
    }

    fn path(&self) -> PathBuf {
        // The real path: the driver refuses symbolic links, and a temporary folder may be one.
        self.folder.path().canonicalize().expect("a real folder").join("register.db")
    }

    fn connect(&self) -> Connection {
        Connection::open(self.path()).expect("opens")
    }

    fn run(&self, sql: &str) {
        self.connect().execute_batch(sql).expect("a statement of the test");
    }

    fn number(&self, sql: &str) -> i64 {
        self.connect().query_row(sql, [], |row| row.get(0)).expect("a number")
    }

    fn driver(&self, mapping: &str) -> Sql {
        Sql::open(&config(&self.path(), mapping)).expect("a mapping of the test")
    }

    /// Names of all files in the folder.
    fn files(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(self.folder.path())
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// How many files of the folder contain the bytes.
    fn holds(&self, needle: &[u8]) -> usize {
        let hit = |name: &String| {
            let bytes = std::fs::read(self.folder.path().join(name)).expect("reads");
            bytes.windows(needle.len()).any(|window| window == needle)
        };
        self.files().iter().filter(|name| hit(name)).count()
    }

    /// Every row that is not the subject's, and every kept row, as text.
    fn others(&self) -> Vec<String> {
        let mut rows = Vec::new();
        for (table, filter) in [
            ("customer", "customer_no <> '1001'"),
            ("mailbox", "service_id COLLATE BINARY IS NOT 'anna'"),
            ("alias", "mailbox_id IS NULL OR mailbox_id NOT IN (1, 2)"),
            ("invoice", "1"),
        ] {
            let connection = self.connect();
            let mut query =
                connection.prepare(&format!("SELECT * FROM {table} WHERE {filter} ORDER BY 1")).expect("a query");
            let width = query.column_count();
            let mut found = query.query([]).expect("rows");
            while let Some(row) = found.next().expect("a row") {
                let cells = (0..width).map(|at| format!("{:?}", row.get_ref(at).expect("a cell")));
                rows.push(format!("{table} {}", cells.collect::<Vec<_>>().join("|")));
            }
        }
        rows
    }
}

fn config(path: &std::path::Path, mapping: &str) -> Config {
    let text = format!("engine = \"sqlite\"\ndatabase = {:?}\n{mapping}", path.to_str().expect("plain"));
    toml::from_str(&text).expect("the section's shape")
}

fn anna() -> Selector {
    Selector {
        service: Some("anna".parse().expect("an id")),
        customer: Some("1001".parse().expect("an id")),
        addresses: Vec::new(),
    }
}
