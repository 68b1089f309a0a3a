//! Proofs as told, made by hand: what a verifier would say of good ones.

use gallra_verify::Clock;
use gallra_verify::told::{
    Copy, Counts, Issuer, Kept, Keys, Log, Note, Plan, Recipient, Request, Restore, Stamp, Target, Term, Told,
    Vouching, Witness,
};

/// 64 hex characters.
pub(crate) fn digest(number: u8) -> String {
    format!("{number:02x}").repeat(32)
}

/// 32 hex characters.
fn id(number: u8) -> String {
    format!("{number:02x}").repeat(16)
}

pub(crate) fn counts(erased: u64, absent: u64, retained: u64) -> Counts {
    Counts { erased, absent, anonymised: 0, key_destroyed: 0, retained, restricted: 0, failed: 0, unknown: 0 }
}

pub(crate) fn target(name: &str, kind: &'static str, category: &str, role: &'static str, counts: Counts) -> Target {
    let (agent, target) = name.split_once('/').expect("agent and target");
    let (agent, target, category) = (agent.to_owned(), target.to_owned(), category.to_owned());
    Target { agent, target, kind, category, role, counts, proven: true, why: String::new() }
}

pub(crate) fn unproven(name: &str, kind: &'static str, category: &str, why: &str) -> Target {
    Target { proven: false, why: why.to_owned(), ..target(name, kind, category, "controller", counts(0, 0, 0)) }
}

fn copy(number: u8, began: &str, expected: Option<&str>, gone: Option<&str>) -> Copy {
    Copy {
        copy: id(number),
        agent: "backup1".to_owned(),
        target: "nightly".to_owned(),
        began: began.to_owned(),
        expected: expected.map(str::to_owned),
        gone: gone.map(str::to_owned),
    }
}

fn issuer() -> Issuer {
    Issuer {
        name: "Exempel Hosting AB".to_owned(),
        country: "SE".to_owned(),
        contact: "dataskydd@hosting.example".to_owned(),
        authority: "Integritetsskyddsmyndigheten (IMY)".to_owned(),
        organisation_number: Some("556000-0001".to_owned()),
    }
}

fn plan() -> Plan {
    Plan {
        digest: digest(0x21),
        number: 2,
        made: "2026-02-10T10:00:00Z".to_owned(),
        policy: digest(0x22),
        purge: None,
        notes: vec![Note {
            code: "copies-outlive-promise".to_owned(),
            target: "backup1/nightly".to_owned(),
            text: "copies live 200 days; webone/backup promises 6 months".to_owned(),
        }],
        terms: vec![
            Term {
                rule: "law/recipients".to_owned(),
                kind: "notify".to_owned(),
                category: None,
                text: "each recipient is told of an erasure".to_owned(),
            },
            Term {
                rule: "webone/unsettled".to_owned(),
                kind: "unsettled".to_owned(),
                category: Some("customer-data".to_owned()),
                text: "a contract that is never settled is listed for a decision".to_owned(),
            },
        ],
    }
}

fn log() -> Log {
    Log {
        origin: "log.hosting.example/gallra".to_owned(),
        index: 10_412,
        size: 10_413,
        root: digest(0x31),
        witnesses: vec![
            Witness { name: "witness.granskare.example".to_owned(), outside: true, time: 1_789_000_000 },
            Witness { name: "witness.hosting.example".to_owned(), outside: false, time: 1_789_000_060 },
        ],
        stamps: vec![
            Stamp { size: 9_001, time: "2026-02-10T10:05:00Z".to_owned() },
            Stamp { size: 10_413, time: "2026-09-09T22:30:00Z".to_owned() },
        ],
    }
}

/// A sole trader's end: hosted data, her own, what the law keeps, and backups that are all gone.
pub(crate) fn last() -> Told {
    Told {
        request: Request { id: id(0x11), kind: "customer-end", received: "2026-01-31T23:10:00Z".to_owned() },
        subjects: vec![digest(1), digest(2), digest(3)],
        sequence: 3,
        previous: Some(digest(0x13)),
        digest: digest(0x14),
        amendment: false,
        is_final: true,
        until: None,
        issued: "2026-09-09T22:10:00Z".to_owned(),
        clock: Clock::Real,
        level: "A1",
        issuer: issuer(),
        keys: Keys { anchor: digest(0x41), version: 2, manifest: digest(0x42), vouching: Vouching::KeyFile },
        plan: plan(),
        targets: vec![
            target("web1/files", "files", "customer-data", "processor", counts(12_345, 3, 0)),
            target("web1/mail", "maildir", "customer-data", "processor", counts(0, 3, 0)),
            target("office/contacts", "sql", "contact", "controller", counts(1, 2, 0)),
            target("office/ledger", "sql", "bookkeeping", "controller", counts(0, 0, 28)),
            target("web1/logs", "access-log", "access-logs", "controller", counts(873, 2, 0)),
        ],
        copies_closed: Some("2026-05-10T22:40:00Z".to_owned()),
        copies: vec![
            copy(0x51, "2026-01-30T01:00:00Z", Some("2026-08-18"), Some("2026-08-19T02:00:00Z")),
            copy(0x52, "2026-05-10T01:00:00Z", Some("2026-09-08"), Some("2026-09-09T02:00:00Z")),
        ],
        kept: vec![Kept {
            agent: "office".to_owned(),
            target: "ledger".to_owned(),
            items: 14,
            rule: "law/bookkeeping".to_owned(),
            ground: "Bokföringslagen (1999:1078) 7 kap. 2 §".to_owned(),
            until: "2033-12-31".to_owned(),
        }],
        restores: Vec::new(),
        recipients: vec![
            Recipient {
                recipient: "supplier of domain registration".to_owned(),
                of: "erasure".to_owned(),
                at: "2026-05-11T08:00:00Z".to_owned(),
                acknowledged: true,
            },
            Recipient {
                recipient: "Fortnox Finans".to_owned(),
                of: "erasure".to_owned(),
                at: "2026-05-11T08:01:00Z".to_owned(),
                acknowledged: false,
            },
        ],
        log: log(),
    }
}

/// Live data partly done, copies left, one of them late and one without a day; a demonstration.
pub(crate) fn interim() -> Told {
    let mut targets = last().targets;
    targets.push(unproven("office/chat", "sql", "chat", "waiting"));
    targets.push(unproven("office/cases", "sql", "tickets", "needs-a-period"));
    Told {
        sequence: 1,
        previous: None,
        is_final: false,
        clock: Clock::Simulated,
        level: "A0",
        issued: "2026-08-20T08:00:00Z".to_owned(),
        keys: Keys { vouching: Vouching::Anchor, ..last().keys },
        targets,
        copies_closed: None,
        copies: vec![
            copy(0x51, "2026-01-30T01:00:00Z", Some("2026-08-18"), None),
            copy(0x52, "2026-05-10T01:00:00Z", Some("2026-09-08"), None),
            copy(0x53, "2026-05-11T01:00:00Z", None, None),
            copy(0x54, "2026-01-10T01:00:00Z", Some("2026-08-01"), Some("2026-08-02T02:00:00Z")),
        ],
        recipients: Vec::new(),
        log: Log { witnesses: Vec::new(), stamps: Vec::new(), ..log() },
        ..last()
    }
}

/// Hosted data only: live data is gone, copies wait for their day. Nobody but the issuer vouches for the keys.
pub(crate) fn hosted() -> Told {
    let targets = last().targets.into_iter().filter(|target| target.role == "processor").collect();
    Told {
        request: Request { kind: "contract-end", ..last().request },
        subjects: vec![digest(1)],
        sequence: 2,
        is_final: false,
        until: Some("2026-09-08".to_owned()),
        issued: "2026-05-10T23:00:00Z".to_owned(),
        level: "A0",
        issuer: Issuer {
            country: "NO".to_owned(),
            authority: "Datatilsynet".to_owned(),
            organisation_number: None,
            ..issuer()
        },
        keys: Keys { vouching: Vouching::IssuerAlone, ..last().keys },
        targets,
        copies: vec![copy(0x52, "2026-05-10T01:00:00Z", Some("2026-09-08"), None)],
        kept: Vec::new(),
        recipients: Vec::new(),
        plan: Plan { notes: Vec::new(), terms: Vec::new(), ..plan() },
        ..last()
    }
}

/// What became too old in one day, whoever's it was.
pub(crate) fn purge() -> Told {
    Told {
        request: Request { kind: "purge", ..last().request },
        subjects: Vec::new(),
        sequence: 1,
        previous: None,
        issued: "2026-02-11T03:30:00Z".to_owned(),
        plan: Plan { purge: Some("2026-02-10".to_owned()), notes: Vec::new(), terms: Vec::new(), ..plan() },
        targets: vec![target("web1/logs", "access-log", "network-logs", "controller", counts(1_204, 0, 0))],
        copies_closed: Some("2026-02-11T03:20:00Z".to_owned()),
        copies: Vec::new(),
        kept: Vec::new(),
        recipients: Vec::new(),
        ..last()
    }
}

/// A restore after the end, and one of a store whose data had not come back. Confirmed by others, seen by witnesses.
pub(crate) fn amendment() -> Told {
    let restore = |target: &str, counts: Counts| Restore {
        agent: "web1".to_owned(),
        target: target.to_owned(),
        taken: "2026-04-02T01:00:00Z".to_owned(),
        finished: "2026-10-01T12:00:00Z".to_owned(),
        counts,
        released: true,
    };
    let outside = |name: &str| Witness { name: name.to_owned(), outside: true, time: 1_791_000_000 };
    Told {
        sequence: 4,
        amendment: true,
        issued: "2026-10-01T12:10:00Z".to_owned(),
        level: "A3",
        restores: vec![restore("files", counts(12_001, 1, 0)), restore("mail", counts(0, 1, 0))],
        log: Log {
            witnesses: vec![outside("witness.granskare.example"), outside("witness.universitet.example")],
            ..log()
        },
        ..last()
    }
}
