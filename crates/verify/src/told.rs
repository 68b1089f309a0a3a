//! What a valid proof of version 1 says, in plain values: for whoever renders it. Texts of the issuer (its name, notes,
//! terms, grounds) are as it wrote them and have no control characters only where that is said: escape them.

use crate::verdict::Clock;

/// Everything that was checked. Instants are UTC, `2026-02-28T21:00:00Z`; days are of Europe/Stockholm, inclusive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What was asked.
    pub request: Request,
    /// SHA-256 commitments to the subject's identifiers, in order; none where it is a purge.
    pub subjects: Vec<String>,
    /// Which proof of the request this is, from 1.
    pub sequence: u64,
    /// SHA-256 of the payload of the proof before it.
    pub previous: Option<String>,
    /// SHA-256 of this proof's payload: its name.
    pub digest: String,
    /// A final proof to which something was added.
    pub amendment: bool,
    /// Everything is erased, or kept with ground and date.
    pub is_final: bool,
    /// Interim: last day on which a copy that is left should go, where somebody can say.
    pub until: Option<String>,
    /// When it was issued, on the issuer's clock.
    pub issued: String,
    /// Whose time all instants are in.
    pub clock: Clock,
    /// `A0` to `A3`.
    pub level: &'static str,
    /// Who issued it, as the key manifest says.
    pub issuer: Issuer,
    /// From where the keys are trusted.
    pub keys: Keys,
    /// The plan that was carried out.
    pub plan: Plan,
    /// Live targets, in the plan's order.
    pub targets: Vec<Target>,
    /// When the set of copies was closed.
    pub copies_closed: Option<String>,
    /// Copies in backups.
    pub copies: Vec<Copy>,
    /// What is kept, with ground and date.
    pub kept: Vec<Kept>,
    /// What came back with a backup, and went again.
    pub restores: Vec<Restore>,
    /// Who was told.
    pub recipients: Vec<Recipient>,
    /// The log that it is in.
    pub log: Log,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// 32 hex characters, random.
    pub id: String,
    /// `contract-end`, `customer-end`, `right` or `purge`.
    pub kind: &'static str,
    /// When it was opened.
    pub received: String,
}

/// Who issues, in its root holders' words. Lines without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// Its name.
    pub name: String,
    /// Two capitals.
    pub country: String,
    /// A role address.
    pub contact: String,
    /// Who takes complaints.
    pub authority: String,
    /// Unset where it would be a person's.
    pub organisation_number: Option<String>,
}

/// Who vouches for the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vouching {
    /// The published key file, with later events.
    KeyFile,
    /// The digest of the first manifest; what became of keys after the proof is not known.
    Anchor,
    /// The issuer's own two keys; nobody else vouches for log and agents.
    IssuerAlone,
}

/// From where the keys are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// SHA-256 of the first manifest's payload, 64 hex characters.
    pub anchor: String,
    /// Version of the manifest that the proof names.
    pub version: u64,
    /// SHA-256 of that manifest's payload.
    pub manifest: String,
    /// Who vouches.
    pub vouching: Vouching,
}

/// The plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// SHA-256 of its payload.
    pub digest: String,
    /// Counts in the request.
    pub number: u64,
    /// When it was made.
    pub made: String,
    /// Which rules it follows, by digest.
    pub policy: String,
    /// A purge: whose day it is.
    pub purge: Option<String>,
    /// What people have to know.
    pub notes: Vec<Note>,
    /// What the policy asks beside dates.
    pub terms: Vec<Term>,
}

/// One note of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Its word.
    pub code: String,
    /// `agent/target`; empty: the whole plan.
    pub target: String,
    /// One sentence.
    pub text: String,
}

/// One row of the policy without a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The row.
    pub rule: String,
    /// Its kind.
    pub kind: String,
    /// What it is about; unset: the whole.
    pub category: Option<String>,
    /// One sentence.
    pub text: String,
}

/// Items by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Were there, and are confirmed gone.
    pub erased: u64,
    /// Confirmed that nothing was there.
    pub absent: u64,
    /// Made to name nobody.
    pub anonymised: u64,
    /// Unreadable, since their key is destroyed.
    pub key_destroyed: u64,
    /// Kept with ground and date.
    pub retained: u64,
    /// Still stored.
    pub restricted: u64,
    /// Not done.
    pub failed: u64,
    /// Nobody can say.
    pub unknown: u64,
}

/// One live target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// On which agent.
    pub agent: String,
    /// Which.
    pub target: String,
    /// `files`, `maildir`, `sql` or `access-log`.
    pub kind: &'static str,
    /// What was there.
    pub category: String,
    /// In which role the provider held it.
    pub role: &'static str,
    /// What became of it.
    pub counts: Counts,
    /// Everything that the plan asks was done and confirmed.
    pub proven: bool,
    /// The issuer's word for why it is not; empty where it is.
    pub why: String,
}

/// One copy in a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// 32 hex characters.
    pub copy: String,
    /// Where.
    pub agent: String,
    /// Where.
    pub target: String,
    /// When it was begun.
    pub began: String,
    /// Last day on which it should exist; unset: never or unknown.
    pub expected: Option<String>,
    /// When it was first seen to be gone; unset while it is not.
    pub gone: Option<String>,
}

/// One obligation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Where.
    pub agent: String,
    /// Where.
    pub target: String,
    /// How many items.
    pub items: u64,
    /// The rule that keeps them.
    pub rule: String,
    /// The law or contract term, in free text.
    pub ground: String,
    /// The last day on which they are kept.
    pub until: String,
}

/// One restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restore {
    /// Where.
    pub agent: String,
    /// Where.
    pub target: String,
    /// When the restored copy was taken.
    pub taken: String,
    /// When what came back was gone again.
    pub finished: String,
    /// What was erased again.
    pub counts: Counts,
    /// All that had to go is gone.
    pub released: bool,
}

/// One recipient that was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// A name of a policy pack's recipients.
    pub recipient: String,
    /// Of what.
    pub of: String,
    /// When.
    pub at: String,
    /// Whether it said that it has heard.
    pub acknowledged: bool,
}

/// Where the proof is logged, and who saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The log's name. A line without control characters.
    pub origin: String,
    /// The proof's position.
    pub index: u64,
    /// Entries of the last checkpoint.
    pub size: u64,
    /// Its root, 64 hex characters.
    pub root: String,
    /// Who cosigned it.
    pub witnesses: Vec<Witness>,
    /// Time stamps, by size of the checkpoint.
    pub stamps: Vec<Stamp>,
}

/// A witness that cosigned the last checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// As the manifest names it. A line without control characters.
    pub name: String,
    /// Another organisation holds it.
    pub outside: bool,
    /// When, in its own words, in seconds since 1970 UTC.
    pub time: u64,
}

/// A time stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// Entries of the checkpoint that it is on.
    pub size: u64,
    /// When.
    pub time: String,
}
