//! A host whose data came out of a copy: three targets that hold a leaver, a look-alike and a stranger, an agent's directory,
//! and a clock that is set.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use gallra_flow::agent::privileged::Moment;
use gallra_flow::agent::record::Record;
use gallra_model::cause::{Backing, Cause, Ground, commit_customer, commit_service};
use gallra_model::job::{Action, JobSpec};
use gallra_model::order::Order;
use gallra_model::suppression::{Entry, Item, Line, Month, MonthKey};
use gallra_model::{Clock, Digest, Instant, Nonce, ObligationId, Pseudonym, SuppressionId};
use gallra_proof::key::SigningKey;
use gallra_targets::{Boundary, Driver};

use super::super::{Ask, Done, restored_at};
use crate::dir::{Dir, Joined};
use crate::journal::Journal;
use crate::suppression::List;

pub(super) const TARGETS: [&str; 3] = ["www", "mail", "register"];
pub(super) const LEAVER: &str = "anna.example";
const PEOPLE: [&str; 3] = [LEAVER, "anna.example.org", "bo.example"];

/// When the copy was taken, and when the leaver was erased.
pub(super) const TAKEN: &str = "2026-02-01T02:00:00Z";
const ERASED: &str = "2026-03-01T03:00:00Z";

pub(super) fn at(text: &str) -> Instant {
    text.parse().expect("a literal")
}

/// The entry of the leaver in a target.
pub(super) fn id(target: &str) -> SuppressionId {
    SuppressionId::from_digest(&Digest::of(target.as_bytes()))
}

fn permit() -> SigningKey {
    SigningKey::from_seed(&[1; 32])
}

fn cause_key() -> SigningKey {
    SigningKey::from_seed(&[3; 32])
}

fn backing(key: &SigningKey, entry: &SuppressionId) -> Backing {
    let salt = Nonce::from_bytes([4; 16]);
    let cause = Cause {
        ground: Ground::ContractEnd,
        service: Some(commit_service(&salt, &LEAVER.parse().expect("an id"))),
        customer: Some(commit_customer(&salt, &LEAVER.parse().expect("an id"))),
        ended: None,
        policy: None,
        signed: at("2026-02-15T00:00:00Z"),
        clock: Clock::Real,
    };
    Backing {
        envelope: gallra_proof::cause::sign(&cause, key).expect("signs"),
        salt: Some(Host::key().veil(entry, salt)),
    }
}

const CONFIG: &str = r#"
[limits]
roots = ["@dir@/srv"]
[causes]
keys = ["@key@"]
[[target]]
id = "www"
category = "customer-data"
role = "processor"
scope = "contract"
mode = "act"
[target.files]
root = "@dir@/srv/www"
path = "{service}"
[[target]]
id = "looked-at"
category = "customer-data"
role = "processor"
scope = "contract"
[target.files]
root = "@dir@/srv/www"
path = "{service}"
[[target]]
id = "mail"
category = "customer-data"
role = "processor"
scope = "contract"
mode = "act"
[target.maildir]
root = "@dir@/srv/mail"
path = "{service}"
[[target]]
id = "register"
category = "contact"
role = "controller"
scope = "customer"
mode = "act"
[target.sql]
engine = "sqlite"
database = "@dir@/srv/register.db"
sentinel = { table = "customer", key = "number", value = "sentinel" }
anchor = { table = "customer", columns = ["created"] }
[[target.sql.table]]
table = "contact"
key = "customer"
by = "customer"
action = "delete"
[[target.sql.table]]
table = "customer"
key = "number"
by = "customer"
action = "blank"
columns = ["name"]
[[target.sql.table]]
table = "invoice"
key = "customer"
by = "customer"
action = "keep"
"#;

/// The host.
pub(super) struct Host {
    dir: tempfile::TempDir,
    now: Mutex<Instant>,
}

impl Host {
    pub(super) fn new() -> Self {
        let host = Self { dir: tempfile::tempdir().expect("a directory"), now: Mutex::new(at("2026-03-10T12:00:00Z")) };
        let dir = Dir::new(host.dir.path());
        dir.create().expect("makes");
        let joined = Joined {
            agent: "web1".parse().expect("a label"),
            session_address: "https://localhost".into(),
            other_session_addresses: Vec::new(),
            permit_key: permit().verifying().to_hex(),
        };
        fs::write(dir.joined(), serde_json::to_vec(&joined).expect("JSON")).expect("writes");
        fs::write(dir.evidence_key(), host.evidence().to_pem().expect("PEM")).expect("writes");
        let config = CONFIG.replace("@dir@", &host.dir.path().display().to_string());
        fs::write(host.file("agent.toml"), config.replace("@key@", &cause_key().verifying().to_hex())).expect("writes");
        host.fill();
        host
    }

    /// What the copy brought back.
    fn fill(&self) {
        for place in ["www", "mail"] {
            fs::create_dir_all(self.file("srv").join(place)).expect("makes");
            fs::write(self.file("srv").join(place).join(".gallra-sentinel"), "").expect("writes");
        }
        let db = rusqlite::Connection::open(self.file("srv/register.db")).expect("opens");
        db.execute_batch(
            "CREATE TABLE customer (number TEXT PRIMARY KEY, name TEXT, created TEXT NOT NULL);
             CREATE TABLE contact (id INTEGER PRIMARY KEY, customer TEXT, address TEXT);
             CREATE TABLE invoice (id INTEGER PRIMARY KEY, customer TEXT);
             INSERT INTO customer VALUES ('sentinel', NULL, '2020-01-01');",
        )
        .expect("makes");
        for person in PEOPLE {
            let web = self.file("srv/www").join(person);
            fs::create_dir_all(web.join("html")).expect("makes");
            fs::write(web.join("html/index.html"), format!("welcome to {person}")).expect("writes");
            for folder in ["cur", "new", "tmp"] {
                fs::create_dir_all(self.file("srv/mail").join(person).join("info/Maildir").join(folder))
                    .expect("makes");
            }
            let mail = format!("Message-ID: <1.long-enough@{person}>\r\nFrom: a\r\n\r\nhello\r\n");
            fs::write(self.file("srv/mail").join(person).join("info/Maildir/cur/1.M1P1.mx:2,S"), mail).expect("writes");
            db.execute("INSERT INTO customer VALUES (?1, 'the name of ' || ?1, '2024-01-01')", [person])
                .expect("a row");
            db.execute("INSERT INTO contact (customer, address) VALUES (?1, 'the address of ' || ?1)", [person])
                .expect("a row");
            db.execute("INSERT INTO invoice (customer) VALUES (?1)", [person]).expect("a row");
        }
    }

    pub(super) fn file(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub(super) fn evidence(&self) -> SigningKey {
        SigningKey::from_seed(&[2; 32])
    }

    pub(super) fn set_now(&self, now: &str) {
        *self.now.lock().expect("no panic while held") = at(now);
    }

    /// The host's admin trusts another key's causes from now on.
    pub(super) fn trust(&self, key: &SigningKey) {
        let config = fs::read_to_string(self.file("agent.toml")).expect("reads");
        let config = config.replace(&cause_key().verifying().to_hex(), &key.verifying().to_hex());
        fs::write(self.file("agent.toml"), config).expect("writes");
    }

    pub(super) fn records(&self) -> Vec<Record> {
        crate::journal::parse(&fs::read(self.file("privileged/journal")).unwrap_or_default()).expect("whole").0
    }

    pub(super) fn halt(&self) {
        let order = Order { halted: true, generation: 1, sequence: 1, at: at(ERASED), clock: Clock::Real };
        let (mut journal, _) = Journal::open(&self.file("privileged/journal")).expect("opens");
        journal.append(&Record::Order { order }).expect("appends");
    }

    fn key() -> MonthKey {
        MonthKey::from_bytes([7; 32])
    }

    pub(super) fn entry(&self, target: &str) -> Item {
        self.entry_by(&cause_key(), target)
    }

    fn entry_by(&self, cause: &SigningKey, target: &str) -> Item {
        let (agent, name) = ("web1".parse().expect("a label"), target.parse().expect("a label"));
        let person = LEAVER.parse().ok();
        let selector = if target == "register" {
            super::Selector { customer: person, ..super::Selector::default() }
        } else {
            super::Selector { service: person, ..super::Selector::default() }
        };
        Item::Entry(Entry {
            id: id(target),
            month: Month::of(at(ERASED)),
            key: Self::key().name(),
            tag: Self::key().tag(&agent, &name, &selector).expect("one id"),
            target: name,
            erased: at(ERASED),
            rule: "webone/customer-data".into(),
            cause: Some(backing(cause, &id(target))),
            generation: 1,
            clock: Clock::Real,
        })
    }

    pub(super) fn take(&self, sequence: u64, after: u64, item: Item) {
        let agent = "web1".parse().expect("a label");
        let mut list = List::open(&self.file("privileged"), &agent, &permit().verifying()).expect("opens");
        let line = Line { agent, sequence, after, item };
        let envelope = gallra_proof::suppression::sign(&line, &permit()).expect("signs");
        let heard = *self.now.lock().expect("no panic while held");
        assert_eq!(list.take(&envelope, Some(&Self::key()), heard).expect("keeps"), None);
    }

    /// The leaver's entries, these lines, and the word that this is all.
    pub(super) fn list(&self, more: &[Item]) {
        self.list_by(&cause_key(), more);
    }

    pub(super) fn list_by(&self, cause: &SigningKey, more: &[Item]) {
        let entries = TARGETS.iter().map(|target| self.entry_by(cause, target));
        let mut last = 0;
        for item in entries.chain(more.iter().cloned()) {
            self.take(last + 1, last, item);
            last += 1;
        }
        self.take(last, last, Item::Complete { at: at("2026-03-10T00:00:00Z"), clock: Clock::Real });
    }

    pub(super) fn restored(&self, target: &str, change: impl FnOnce(&mut Ask)) -> anyhow::Result<Done> {
        let mut ask = Ask {
            target: target.parse().expect("a label"),
            taken: at(TAKEN),
            dry_run: false,
            list_may_be_old: false,
            accept_simulated: false,
        };
        change(&mut ask);
        let now = *self.now.lock().expect("no panic while held");
        let clocks = move || {
            let (nonce, handle) = (Nonce::from_bytes(crate::clock::random()?), ObligationId::from_bytes([0; 16]));
            Ok(Moment { now, boot_ms: 1, nonce, handle })
        };
        restored_at(&Dir::new(self.dir.path()), &self.file("agent.toml"), &ask, Box::new(clocks))
    }

    /// Every file's bytes and every row, by whose it is.
    pub(super) fn everything(&self) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut open = vec![self.file("srv/www"), self.file("srv/mail")];
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(fs::read_dir(&path).expect("lists").map(|entry| entry.expect("lists").path()));
            } else {
                found.insert(path.display().to_string(), fs::read(&path).expect("reads"));
            }
        }
        let db = rusqlite::Connection::open(self.file("srv/register.db")).expect("opens");
        for (table, by) in [("customer", "number"), ("contact", "customer"), ("invoice", "customer")] {
            let mut rows = db.prepare(&format!("SELECT * FROM {table} ORDER BY rowid")).expect("a query");
            let (width, at) = (rows.column_count(), rows.column_index(by).expect("a column"));
            let mut rows = rows.query([]).expect("rows");
            while let Some(row) = rows.next().expect("rows") {
                let whose: String = row.get(at).expect("an id");
                let text: Vec<String> = (0..width).map(|i| format!("{:?}", row.get_ref(i).expect("a value"))).collect();
                found.insert(format!("register/{table}/{whose}/"), text.join("|").into_bytes());
            }
        }
        found
    }

    /// The same without the leaver's.
    pub(super) fn others(&self) -> BTreeMap<String, Vec<u8>> {
        let leavers = format!("/{LEAVER}/");
        self.everything().into_iter().filter(|(name, _)| !name.contains(&leavers)).collect()
    }

    /// Whether anything of a person is at its place in a target, but for what the law keeps.
    pub(super) fn holds(&self, target: &str, person: &str) -> bool {
        let everything = self.everything();
        let theirs = format!("/{person}/");
        if target == "register" {
            let name = everything.get(&format!("register/customer{theirs}")).expect("the row stays");
            return everything.contains_key(&format!("register/contact{theirs}"))
                || !String::from_utf8_lossy(name).contains("Null");
        }
        everything.keys().any(|name| name.contains(&format!("srv/{target}{theirs}")))
    }

    /// Begins to erase the leaver's tree, and stops in the middle.
    pub(super) fn break_off(&self) {
        struct Once(bool);
        impl Boundary for Once {
            fn may_go_on(&mut self) -> bool {
                std::mem::take(&mut self.0)
            }
        }
        let config = crate::config::read(&self.file("agent.toml")).expect("reads");
        let driver: Box<dyn Driver> = gallra_targets::open(&config.targets[0]).expect("opens");
        let selector = super::Selector { service: LEAVER.parse().ok(), ..super::Selector::default() };
        let seen = driver.inspect(&selector).expect("inspects");
        let spec = JobSpec {
            again: false,
            job: gallra_model::JobId::from_bytes([9; 16]),
            agent: "web1".parse().expect("a label"),
            action: Action::Erase,
            target: "www".parse().expect("a label"),
            pseudonym: Pseudonym::from_bytes([3; 16]),
            salt: Nonce::from_bytes([8; 16]),
            generation: 1,
            plan: Digest::of(b"plan"),
            rule: "webone/customer-data".into(),
            selector,
            instance: seen.instance,
            keep: None,
            question: None,
            purge: None,
            cause: None,
            clock: Clock::Real,
        };
        let report = gallra_targets::run(driver.as_ref(), &spec, at(ERASED), &mut Once(true));
        assert_ne!(report.verdict, gallra_model::receipt::Verdict::Done, "{}", report.hint);
    }
}
