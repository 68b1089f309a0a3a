//! The provider's own data: web trees, mailboxes and a register in SQLite, written the way a provider's systems would.
//! Knows nothing of gallra but the sentinels that its agent looks for.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rusqlite::{Connection, params};

use super::people::Person;

/// Where the provider keeps what.
#[derive(Debug, Clone)]
pub struct Provider {
    /// `srv` of the site.
    pub root: PathBuf,
}

const SCHEMA: &str = "
PRAGMA foreign_keys = ON;
CREATE TABLE customer (customer_no TEXT PRIMARY KEY, name TEXT NOT NULL, contact_email TEXT NOT NULL, since TEXT NOT NULL);
CREATE TABLE service  (service_id TEXT PRIMARY KEY, customer_no TEXT NOT NULL REFERENCES customer, note TEXT, opened TEXT NOT NULL);
CREATE TABLE mailbox  (id INTEGER PRIMARY KEY, service_id TEXT NOT NULL REFERENCES service, address TEXT NOT NULL, remark TEXT);
CREATE TABLE invoice  (invoice_no INTEGER PRIMARY KEY, customer_no TEXT NOT NULL REFERENCES customer, billed_to TEXT NOT NULL,
                       contact_email TEXT NOT NULL, amount_ore INTEGER NOT NULL, issued TEXT NOT NULL);
INSERT INTO customer VALUES ('gallra-sentinel', 'sentinel', 'sentinel', '2020-01-01');
INSERT INTO service  VALUES ('gallra-sentinel', 'gallra-sentinel', 'sentinel', '2020-01-01');
";

impl Provider {
    /// Makes an empty provider.
    ///
    /// # Errors
    /// The file system's or SQLite's.
    pub fn create(root: &Path) -> anyhow::Result<Self> {
        for place in ["www", "mail"] {
            fs::create_dir_all(root.join(place))?;
            fs::write(root.join(place).join(".gallra-sentinel"), "this disk is the right one\n")?;
        }
        Connection::open(root.join("register.db"))?.execute_batch(SCHEMA).context("the register cannot be made")?;
        Ok(Self { root: root.to_owned() })
    }

    /// The register's file.
    pub fn register(&self) -> PathBuf {
        self.root.join("register.db")
    }

    /// A customer's web tree.
    pub fn web(&self, person: &Person) -> PathBuf {
        self.root.join("www").join(&person.service)
    }

    /// A customer's mail.
    pub fn mail(&self, person: &Person) -> PathBuf {
        self.root.join("mail").join(&person.service)
    }

    /// Sells a service: tree, mailbox, register rows and a first invoice.
    ///
    /// # Errors
    /// The file system's or SQLite's.
    pub fn sell(&self, person: &Person, day: &str) -> anyhow::Result<()> {
        let web = self.web(person);
        fs::create_dir_all(web.join("public_html/bilder"))?;
        fs::create_dir_all(web.join("logs"))?;
        for folder in ["cur", "new", "tmp"] {
            fs::create_dir_all(self.mail(person).join("info/Maildir").join(folder))?;
        }
        let register = Connection::open(self.register())?;
        register.execute_batch("PRAGMA foreign_keys = ON")?;
        register.execute(
            "INSERT INTO customer VALUES (?1, ?2, ?3, ?4)",
            params![person.number, person.name, person.billing, day],
        )?;
        let note = format!("migrated by hand, {}", person.canary);
        register.execute(
            "INSERT INTO service VALUES (?1, ?2, ?3, ?4)",
            params![person.service, person.number, note, day],
        )?;
        let remark = format!("quota 2 GB, {}", person.canary);
        register.execute(
            "INSERT INTO mailbox (service_id, address, remark) VALUES (?1, ?2, ?3)",
            params![person.service, person.hosted, remark],
        )?;
        self.invoice(person, day)
    }

    /// Sends an invoice: what bookkeeping law keeps.
    ///
    /// # Errors
    /// SQLite's.
    pub fn invoice(&self, person: &Person, day: &str) -> anyhow::Result<()> {
        Connection::open(self.register())?.execute(
            "INSERT INTO invoice (customer_no, billed_to, contact_email, amount_ore, issued) VALUES (?1, ?2, ?3, 118800, ?4)",
            params![person.number, person.name, person.billing, day],
        )?;
        Ok(())
    }

    /// A week of a customer's life: a page, a picture and two mails.
    ///
    /// # Errors
    /// The file system's.
    pub fn week(&self, person: &Person, number: u32) -> anyhow::Result<()> {
        let html = format!("<p>Vecka {number}. Skriv till {} ({})</p>\n", person.hosted, person.canary);
        fs::write(self.web(person).join(format!("public_html/vecka-{number}.html")), html)?;
        // Bytes that no other file has, so that each week's are blobs of their own in the repository.
        let picture: Vec<u8> =
            (0..4_096_u32).flat_map(|at| (at.wrapping_mul(2_654_435_761) ^ number).to_le_bytes()).collect();
        let picture = [picture, person.canary.clone().into_bytes()].concat();
        fs::write(self.web(person).join(format!("public_html/bilder/{number}.raw")), picture)?;
        for mail in 0..2 {
            let name = format!("{}.M{mail}P{number}.mx1:2,S", 1_767_000_000 + u64::from(number) * 604_800);
            let text = format!(
                "Message-ID: <{number}.{mail}.{canary}@mx1.example>\r\nFrom: kund@annan.example\r\nTo: {to}\r\nSubject: Fråga {number}\r\n\r\n\
                 Hej {to}, en fråga om {canary}.\r\n",
                canary = person.canary,
                to = person.hosted,
            );
            fs::write(self.mail(person).join("info/Maildir/cur").join(name), text)?;
        }
        Ok(())
    }

    /// Every byte, row and mail of one customer, by name: what must be the same before and after.
    ///
    /// # Errors
    /// The file system's or SQLite's.
    pub fn everything_of(&self, person: &Person) -> anyhow::Result<BTreeMap<String, String>> {
        let mut found = BTreeMap::new();
        for (place, tree) in [("www", self.web(person)), ("mail", self.mail(person))] {
            for path in files(&tree)? {
                let name = format!("{place}/{}", path.strip_prefix(&tree).unwrap_or(&path).display());
                found.insert(name, digest(&fs::read(&path)?));
            }
        }
        let register = Connection::open(self.register())?;
        for table in ["customer", "service", "mailbox", "invoice"] {
            let by = if table == "customer" || table == "invoice" { &person.number } else { &person.service };
            let column = if table == "customer" || table == "invoice" { "customer_no" } else { "service_id" };
            let mut rows = register.prepare(&format!("SELECT * FROM {table} WHERE {column} = ?1 ORDER BY rowid"))?;
            let width = rows.column_count();
            let mut rows = rows.query(params![by])?;
            let mut text = String::new();
            while let Some(row) = rows.next()? {
                for column in 0..width {
                    text.push_str(&format!("{:?}|", row.get_ref(column)?));
                }
                text.push('\n');
            }
            found.insert(format!("register/{table}"), digest(text.as_bytes()));
        }
        Ok(found)
    }
}

/// All plain files below a directory, in order.
///
/// # Errors
/// The file system's.
pub fn files(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn digest(bytes: &[u8]) -> String {
    gallra_model::Digest::of(bytes).to_string()
}
