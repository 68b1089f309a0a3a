//! What a provider promises by a record's own age, where it is rows or mails: chat messages leave a database twelve months after they
//! were written, with real processes, a signed policy and the clock of a demonstration; a message without a time keeps the
//! day open.

#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gallra_cli::demo::site::{programs, wait_for};
use gallra_testkit::provider::{statement_of, verify};
use gallra_testkit::{Story, day};
use rusqlite::Connection;

const CHAT: &str = r#"
[[target]]
id = "chat"
category = "chat"
role = "controller"
scope = "customer"
mode = "act"

[target.sql]
engine = "sqlite"
database = "@dir@/srv/chat.db"
sentinel = { table = "room", key = "name", value = "gallra" }
youngest_purge_age = "360 days"

[[target.sql.table]]
table = "message"
key = "customer_no"
by = "customer"
action = "delete"
time_column = "created_at"
time_written = "utc-text"
"#;

fn gallra(profile: &Path, words: &[&str]) -> Output {
    Command::new(programs().expect("the programs").join("gallra"))
        .args(words)
        .args(["--output", "json"])
        .env("GALLRA_PROFILE", profile)
        .output()
        .expect("gallra runs")
}

fn json(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON on stdout")
}

/// A site with a chat.
struct Chat {
    story: Story,
}

impl Chat {
    async fn begin(crash: Option<&str>) -> Self {
        let story = Story::begin(|options| {
            options.backups = false;
            options.more = CHAT.to_owned();
            options.crash = crash.map(|point| ("gallra-agent", point.to_owned()));
            std::fs::create_dir_all(options.dir.join("srv")).expect("a folder");
            Connection::open(options.dir.join("srv/chat.db"))
                .expect("a database")
                .execute_batch(
                    "PRAGMA journal_mode = WAL; CREATE TABLE room (name TEXT); INSERT INTO room VALUES ('gallra');
                     CREATE TABLE message (id INTEGER PRIMARY KEY, customer_no TEXT, created_at TEXT, body TEXT)",
                )
                .expect("a chat");
        })
        .await
        .expect("a site");
        Self { story }
    }

    fn database(&self) -> PathBuf {
        self.story.site.path("srv/chat.db")
    }

    fn write(&self, customer: &str, time: Option<&str>, body: &str) {
        let connection = Connection::open(self.database()).expect("opens");
        let sql = "INSERT INTO message(customer_no, created_at, body) VALUES (?1, ?2, ?3)";
        connection.execute(sql, (customer, time, body)).expect("writes");
    }

    fn bodies(&self) -> Vec<String> {
        let connection = Connection::open(self.database()).expect("opens");
        let mut query = connection.prepare("SELECT body FROM message ORDER BY id").expect("a query");
        query.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("texts")
    }

    /// Whether a text lies in any file of the database.
    fn lies_about(&self, text: &str) -> bool {
        ["", "-wal", "-journal"].iter().any(|ending| {
            let path = self.story.site.path(&format!("srv/chat.db{ending}"));
            let bytes = std::fs::read(path).unwrap_or_default();
            bytes.windows(text.len()).any(|window| window == text.as_bytes())
        })
    }

    fn sign(&self) {
        let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/webone.toml");
        let key = self.story.site.path("cause.key");
        let words = ["policy", "apply", pack.to_str().expect("text"), "--cause-key", key.to_str().expect("text")];
        json(&gallra(&self.story.site.approver(), &words));
    }

    fn of_day(&self, day: &str) -> serde_json::Value {
        let all = json(&gallra(&self.story.site.profile(), &["request", "list"]));
        let all = all.as_array().expect("a list").clone();
        all.into_iter().find(|request| request["day"] == day).unwrap_or_else(|| panic!("no purge of {day}"))
    }

    fn receipts(&self, purge: &serde_json::Value) -> Vec<serde_json::Value> {
        let id = purge["id"].as_str().expect("a reference");
        json(&gallra(&self.story.site.profile(), &["receipt", "list", id])).as_array().expect("a list").clone()
    }

    async fn statement(&self, purge: &serde_json::Value) -> (serde_json::Value, String) {
        let id = purge["id"].as_str().expect("a reference");
        let (proof, key, _) = self.story.newest_proof(id).await.expect("a statement");
        (statement_of(&proof).expect("a statement"), verify(&proof, &key))
    }
}

#[tokio::test]
async fn chat_is_gone_twelve_months_after_it_was_written_and_what_nobody_can_date_keeps_the_day_open() {
    let mut chat = Chat::begin(None).await;
    let (held, other) = (chat.story.leaver.number.clone(), chat.story.stayer.number.clone());
    for (customer, time, body) in [
        (other.as_str(), Some("2025-01-03T22:59:59Z"), "the-last-moment-that-goes"),
        (&other, Some("2025-01-03T23:00:00Z"), "the-first-moment-that-stays"),
        (&held, Some("2024-05-06 07:08:09"), "words-under-a-hold"),
        (&format!("{held}0"), Some("2024-05-06 07:08:09"), "words-of-a-look-alike"),
        (&other, None, "words-of-no-time"),
    ] {
        chat.write(customer, time, body);
    }
    let placed =
        json(&gallra(&chat.story.site.profile(), &["hold", "place", "--customer", &held, "--ground", "a dispute"]));
    chat.story.advance(day(2026, 1, 3), 12, 0).await.expect("the clock moves");
    assert_eq!(chat.bodies().len(), 5, "nobody has signed");
    chat.sign();
    chat.story.advance(day(2026, 1, 3), 12, 5).await.expect("the clock moves");
    assert_eq!(chat.bodies(), ["the-first-moment-that-stays", "words-under-a-hold", "words-of-no-time"]);
    for gone in ["the-last-moment-that-goes", "words-of-a-look-alike"] {
        assert!(!chat.lies_about(gone), "{gone}");
    }
    let open = chat.of_day("2026-01-03");
    assert_ne!(open["state"], "done");
    let receipt = &chat.receipts(&open)[0];
    let counted = (&receipt["erased"], &receipt["retained"], &receipt["failed"]);
    assert_eq!(counted, (&2.into(), &1.into(), &1.into()), "{receipt:#}");

    let hold = placed["hold"]["id"].as_str().expect("a reference");
    json(&gallra(&chat.story.site.approver(), &["hold", "release", hold, "--reason", "settled"]));
    Connection::open(chat.database())
        .expect("opens")
        .execute_batch("UPDATE message SET created_at = '2025-01-03T10:00:00Z' WHERE created_at IS NULL")
        .expect("somebody knew when");
    chat.story.advance(day(2026, 1, 4), 12, 0).await.expect("the clock moves");
    let (said, verdict) = chat.statement(&chat.of_day("2026-01-03")).await;
    assert_eq!((verdict.as_str(), &said["targets"][0]["why"]), ("VALID interim until unknown", &"undated".into()));
    let done = chat.of_day("2026-01-04");
    assert_eq!(done["state"], "done", "{done:#}");
    let (said, verdict) = chat.statement(&done).await;
    assert_eq!((verdict.as_str(), &said["targets"][0]["counts"]["erased"]), ("VALID final", &3.into()));
    assert_eq!(chat.bodies(), Vec::<String>::new());
}

#[tokio::test]
async fn a_purge_that_dies_between_two_batches_is_ended_by_the_next_attempt() {
    let mut chat = Chat::begin(Some("mid_act#2")).await;
    let mut connection = Connection::open(chat.database()).expect("opens");
    let all = connection.transaction().expect("begins");
    for number in 0..1200 {
        let sql = "INSERT INTO message(customer_no, created_at, body) VALUES ('x', '2024-05-06T07:08:09Z', ?1)";
        all.execute(sql, [format!("words-number-{number:05}")]).expect("writes");
    }
    all.commit().expect("commits");
    chat.sign();
    // Whether the call noticed is no matter: the agent died, after the first batch.
    drop(chat.story.advance(day(2026, 1, 3), 12, 5).await);
    let site = &mut chat.story.site;
    let death = wait_for("a death", async || site.ended().ok().filter(|ended| !ended.is_empty())).await;
    assert_eq!(death.expect("it dies")[0].0, "gallra-agent");
    assert_eq!(chat.bodies().len(), 700, "the first batch went, the second did not");
    let site = &mut chat.story.site;
    site.options.crash = None;
    site.start_agent().await.expect("the agent starts again");
    let profile = site.profile();
    let done = wait_for("the day's end", async || {
        let all = json(&gallra(&profile, &["request", "list"]));
        let mut all = all.as_array().expect("a list").clone().into_iter();
        all.find(|request| request["day"] == "2026-01-03" && request["state"] == "done")
    });
    let done = done.await.expect("the next attempt ends it");
    assert_eq!(chat.bodies().len(), 0);
    assert!(!chat.lies_about("words-number-"), "what the first attempt took is scrubbed, too");
    let (said, verdict) = chat.statement(&done).await;
    assert_eq!((verdict.as_str(), &said["targets"][0]["counts"]["erased"]), ("VALID final", &700.into()));
}

const MAIL: &str = r#"
[[target]]
id = "own-mail"
category = "mail"
role = "controller"
scope = "contract"
mode = "act"

[target.maildir]
root = "@dir@/srv/own-mail"
path = "{service}"
youngest_purge_age = "700 days"
received = "file-time"
"#;

#[tokio::test]
async fn mail_is_gone_two_years_after_it_was_received() {
    let dir = |options: &gallra_cli::demo::site::Options| options.dir.join("srv/own-mail");
    let mut mailbox = PathBuf::new();
    let story = Story::begin(|options| {
        options.backups = false;
        options.more = MAIL.to_owned();
        mailbox = dir(options).join("anna.example/Maildir/cur");
        std::fs::create_dir_all(&mailbox).expect("a mailbox");
        std::fs::write(dir(options).join(".gallra-sentinel"), "").expect("a sentinel");
    })
    .await
    .expect("a site");
    let mut mail = Chat { story };
    // The line is the beginning of 4 January 2024 in Stockholm.
    let line: std::time::SystemTime = gallra_model::time::start_of(day(2024, 1, 4)).expect("in range").into();
    let second = std::time::Duration::from_secs(1);
    for (name, time) in [("1704000000.M1P1.host:2,S", line - second), ("1704000000.M2P1.host:2,S", line)] {
        let path = mailbox.join(name);
        std::fs::write(&path, "From: b@other.example\r\n\r\nhello\r\n").expect("a mail");
        std::fs::File::options().write(true).open(&path).and_then(|file| file.set_modified(time)).expect("a time");
    }
    mail.sign();
    mail.story.advance(day(2026, 1, 3), 12, 5).await.expect("the clock moves");
    let done = mail.of_day("2026-01-03");
    assert_eq!(done["state"], "done", "{done:#}");
    let (said, verdict) = mail.statement(&done).await;
    assert_eq!((verdict.as_str(), &said["targets"][0]["counts"]["erased"]), ("VALID final", &1.into()));
    let left = std::fs::read_dir(&mailbox).expect("lists").map(|entry| entry.expect("an entry").file_name());
    assert_eq!(left.collect::<Vec<_>>(), ["1704000000.M2P1.host:2,S"]);
}
