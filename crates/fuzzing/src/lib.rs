//! What every parser of outside bytes must hold to, as functions of bytes: [`TARGETS`]. A body asserts a property and not
//! only that nothing panics: what is read is written the same, two readings of one format agree, a refusal does not
//! repeat what was refused.
//!
//! Owns the bodies and the making of mutants; refuses to know how often or from what a body is run. On stable,
//! `tests/replay.rs` runs each over its corpus and over mutants of it; `main.rs` gives it to a coverage-guided fuzzer.
//! A parser that is added gets a row here and seeds in `corpus/`.
#![expect(clippy::panic, reason = "a body's finding is its panic")]

pub mod mutate;
mod quiet;
mod spelling;
pub mod target;

/// What a body saw. A body none of whose seeds is read would check nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The parser took the bytes.
    Read,
    /// It refused them.
    Refused,
}

impl Seen {
    /// What an answer of the parser says.
    pub(crate) fn of(read: bool) -> Self {
        if read { Self::Read } else { Self::Refused }
    }
}

/// One parser, or a family of parsers of one form.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Names the folder in `corpus/`.
    pub name: &'static str,
    /// Mutants in the short run, on stable without optimisation: fewer where a body signs or checks signatures.
    pub mutants: u32,
    /// Executions in the long run.
    pub executions: u32,
    /// Panics where the property does not hold.
    pub body: fn(&[u8]) -> Seen,
}

/// A body that only parses: microseconds.
const fn quick(name: &'static str, body: fn(&[u8]) -> Seen) -> Target {
    Target { name, mutants: 4_000, executions: 500_000, body }
}

/// A body that plans, or signs once or twice.
const fn slow(name: &'static str, body: fn(&[u8]) -> Seen) -> Target {
    Target { name, mutants: 400, executions: 100_000, body }
}

/// A body that makes and checks some dozens of signatures: milliseconds.
const fn slowest(name: &'static str, body: fn(&[u8]) -> Seen) -> Target {
    Target { name, mutants: 100, executions: 25_000, body }
}

/// Every target. `tests/replay.rs` has a test for each, and says so where one is missing.
pub const TARGETS: &[Target] = &[
    quick("ids", target::words::ids),
    quick("calendar", target::words::calendar),
    quick("template", target::words::template),
    quick("messages", target::values::messages),
    quick("store-value", target::values::store_value),
    quick("store-key", target::stored::key),
    quick("key-file", target::stored::key_file),
    quick("journal", target::agent::journal),
    slow("journal-records", target::agent::records),
    quick("vault-value", target::agent::vault_value),
    quick("agent-toml", target::agent::config),
    quick("agent-json", target::files::agent_json),
    quick("coordinator-toml", target::files::coordinator_toml),
    quick("client-toml", target::files::client_toml),
    quick("pipe-lines", target::pipe::lines),
    quick("pipe-begin", target::pipe::first),
    quick("suppression-list", target::suppression::file),
    slow("suppression-lines", target::suppression::lines),
    quick("sql-mapping", target::places::sql_mapping),
    quick("files-path", target::places::files_path),
    quick("mail-head", target::places::mail_head),
    quick("log-line", target::logs::line),
    quick("restic-keep", target::restic::keep),
    quick("restic-answer", target::restic::answer),
    quick("restic-pack", target::restic::pack),
    quick("wire-session", target::wire::session),
    quick("wire-call", target::wire::call),
    slow("policy-pack", target::policy::pack),
    slow("policy-explain", target::policy::explain),
    slow("policy-instruction", target::policy::instruction),
    slow("plan-facts", target::policy::plan_facts),
    slowest("signed-payload", target::signed::payload),
    slow("envelope", target::signed::envelope),
    quick("key-text", target::signed::key_text),
    slowest("proof-file", target::proof::file),
    slowest("proof-evidence", target::proof::evidence),
    slowest("proof-receipts", target::proof::receipts),
    slowest("proof-v1", target::proof_v1::file),
    slow("trusted-keys", target::proof_v1::trust),
    slow("log-note", target::merkle::note),
    slow("log-checkpoint", target::merkle::checkpoint),
    slow("witness-answer", target::merkle::witness_answer),
    slow("subject-question", target::question::asked),
    slow("leak-scan", target::question::scanned),
    quick("log-address", target::files::addresses),
    quick("log-entry", target::merkle::entry),
    quick("tile-path", target::merkle::tile_path),
    slow("witness-request", target::merkle::witness_request),
    slow("time-stamp", target::timestamp::token),
    quick("time-stamp-answer", target::timestamp::answer),
    slow("join-token", target::identity::join_token),
    slow("signing-request", target::identity::signing_request),
    slow("certificate", target::identity::certificate),
];

/// The target of a name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
