//! What is said of mail alone; the rest is tested with `tree`.

use std::fs;
use std::path::Path;

use gallra_model::job::Action;
use gallra_model::receipt::{Code, Verdict};

use super::{Config, Maildir, Received};
use crate::driver::{Driver, Inspection};
use crate::testing::{NoAct, inspect_then, service};
use crate::tree::tests::fixture::{Site, portrait};

/// Two users with a folder each: per user nine directories, three mails, three other files.
fn mailboxes(site: &Site, service: &str) {
    for user in ["info", "anna"] {
        let maildir = site.at(format!("{service}/{user}/Maildir"));
        for folder in ["cur", "new", "tmp", ".Sent/cur", ".Sent/new", ".Sent/tmp"] {
            fs::create_dir_all(maildir.join(folder)).expect("a directory");
        }
        let mail = |path: &str, number: u32| {
            let id = format!("{number}.{user}.long-enough@{service}");
            fs::write(maildir.join(path), format!("From: a\r\nMessage-ID: <{id}>\r\n\r\nhello\r\n")).expect("a mail");
        };
        mail("cur/1.M1P1.host:2,S", 1);
        mail("new/2.M2P2.host", 2);
        mail(".Sent/cur/3.M3P3.host:2,S", 3);
        for other in ["dovecot.index.cache", "subscriptions", "dovecot-uidlist"] {
            fs::write(maildir.join(other), format!("{user}@{service}")).expect("a file");
        }
    }
}

/// Entries that [`mailboxes`] makes, the top directory included.
const ENTRIES: u64 = 1 + 2 * (9 + 3 + 3);

mod ages;

pub(crate) fn config(site: &Site) -> Config {
    let crate::tree::Config { root, path, sentinel, trash, hard_links } = site.config.clone();
    Config { root, path, sentinel, trash, hard_links, youngest_purge_age: None, received: Received::Both }
}

fn driver(site: &Site) -> Maildir {
    Maildir::open(&config(site)).expect("a good config")
}

fn check(report: &crate::Report, name: &str) -> u64 {
    report.checks.iter().find(|check| check.name == name).expect("the check").count
}

#[test]
fn all_mailboxes_of_one_service_go_and_anothers_stay() {
    let site = Site::new();
    mailboxes(&site, "anna.example");
    mailboxes(&site, "anna.example.org");
    let other = site.at("anna.example.org");
    // Somebody else's answer quotes the id of a mail that goes: it is theirs.
    let quote = "From: b\r\nIn-Reply-To: <1.info.long-enough@anna.example>\r\n\r\n";
    fs::write(other.join("info/Maildir/cur/9.M9P9.host:2,S"), quote).expect("a mail");
    let before = portrait(&other);

    let seen = inspect_then(&driver(&site), Action::Inspect, &service("anna.example"));
    assert_eq!((seen.verdict, seen.before.items, seen.before.others), (Verdict::Done, ENTRIES, 1), "{}", seen.hint);
    assert_eq!((check(&seen, "mails"), check(&seen, "byte-search")), (6, 6));
    let done = inspect_then(&driver(&site), Action::Erase, &service("anna.example"));
    assert_eq!((done.verdict, done.counts.erased), (Verdict::Done, ENTRIES), "{}", done.hint);
    assert_eq!((check(&done, "mails"), check(&done, "byte-search")), (0, 0));
    assert!(!site.at("anna.example").exists() && site.in_trash().is_empty());
    assert_eq!(portrait(&other), before);
}

#[test]
fn an_erasure_that_does_nothing_is_found_out() {
    let site = Site::new();
    mailboxes(&site, "anna.example");
    let idle = NoAct::new(driver(&site));
    let report = inspect_then(&idle, Action::Erase, &service("anna.example"));
    assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::StillThere)));
    assert_eq!((report.counts.failed, idle.asked.get()), (ENTRIES, 1));
}

#[test]
fn a_missing_mailbox_is_absent_only_beside_the_sentinel() {
    let site = Site::new();
    let absent = inspect_then(&driver(&site), Action::Erase, &service("anna.example"));
    assert_eq!((absent.verdict, absent.counts.absent), (Verdict::Done, 1));
    fs::remove_file(site.at(".gallra-sentinel")).expect("removes");
    let missing = inspect_then(&driver(&site), Action::Erase, &service("anna.example"));
    assert_eq!((missing.verdict, missing.code), (Verdict::Failed, Some(Code::SentinelMissing)));
    let confirmed = driver(&site).confirm(&service("anna.example"), &Inspection::default());
    assert_eq!(confirmed.expect_err("no sentinel").code, Code::SentinelMissing);
}

#[test]
fn a_mailbox_is_another_instance_than_a_tree_of_files() {
    let site = Site::new();
    mailboxes(&site, "anna.example");
    let as_mail = driver(&site).inspect(&service("anna.example")).expect("inspects").instance;
    let as_files = site.files().inspect(&service("anna.example")).expect("inspects").instance;
    assert!(as_mail.is_some() && as_mail != as_files);
}

#[test]
fn residue_is_bounded_and_a_pipe_among_the_mails_blocks_nothing() {
    let site = Site::new();
    mailboxes(&site, "anna.example");
    let cur = site.at("anna.example/info/Maildir/cur");
    for number in 0..50 {
        let id = format!("Message-ID: <{number}.bulk.long-enough@anna.example>\n\n");
        fs::write(cur.join(format!("{number}.bulk")), id).expect("a mail");
    }
    pipe(&cur.join("pipe"));
    let seen = driver(&site).inspect(&service("anna.example")).expect("inspects");
    assert_eq!(seen.residue.len(), 8);
    assert_eq!(driver(&site).confirm(&service("anna.example"), &seen).expect("confirms").residue, 8);
    assert!(!format!("{seen:?}").contains("bulk"));
}

fn pipe(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode};
    rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).expect("a pipe");
}
