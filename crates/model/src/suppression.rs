//! Suppression: what keeps a restore from bringing an erased subject back (decision 8). Owns the content of the list that
//! an agent keeps (`docs/formats/suppression-v0-draft.md`), and the keyed hash by which an entry knows its subject without
//! naming it. Refuses to know where keys lie and who restores what.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::cause::Backing;
use crate::digest::Digest;
use crate::id::{AgentName, Nonce, SuppressionId};
use crate::outcome::Counts;
use crate::selector::Selector;
use crate::target::{TargetId, TargetKind};
use crate::time::{Clock, Instant, day_of};

/// DSSE payload type of one line of the list.
pub const SUPPRESSION_TYPE: &str = "application/vnd.gallra.suppression.v0-draft+json";

/// DSSE payload type of what an agent signs about one restore.
pub const RESTORE_TYPE: &str = "application/vnd.gallra.restore.v0-draft+json";

/// First in every tagged text, so that no tag is also another keyed hash.
const TAG_LABEL: &[u8] = b"gallra suppression v0";

/// First in the text whose keyed hash covers an entry's salt.
const VEIL_LABEL: &[u8] = b"gallra suppression salt v0";

/// The lowest sequence of a coordinator's generation: a coordinator that was restored, and so has forgotten how far it had
/// counted, still counts above everything that an agent has seen. Leaves 2^32 lines a generation and stays below 2^53.
pub fn first_sequence(generation: u64) -> u64 {
    (generation.min((1 << 21) - 1) << 32) + 1
}

/// A calendar month in Europe/Stockholm, as the number `YYYYMM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Month(u32);

/// The number or text is no month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a month: expected YYYYMM, from 200001 to 999912")]
pub struct MonthError;

impl Month {
    /// The month that an instant falls in.
    pub fn of(instant: Instant) -> Self {
        let day = day_of(instant);
        Self(u32::from(day.year().unsigned_abs()) * 100 + u32::from(day.month().unsigned_abs()))
    }
}

impl TryFrom<u32> for Month {
    type Error = MonthError;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        let good = (200_001..=999_912).contains(&number) && (1..=12).contains(&(number % 100));
        if good { Ok(Self(number)) } else { Err(MonthError) }
    }
}

impl From<Month> for u32 {
    fn from(month: Month) -> Self {
        month.0
    }
}

impl FromStr for Month {
    type Err = MonthError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u32>().ok().filter(|_| plain).ok_or(MonthError)?.try_into()
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The key of one month: whoever has it and a list can test guesses of who is on the list. No `Debug` of its bytes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MonthKey([u8; 32]);

/// The text is no month key. Does not quote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a suppression key: expected 64 lowercase hex characters")]
pub struct MonthKeyError;

impl MonthKey {
    /// The key of these bytes, which are random.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Which key it is, in an entry: SHA-256 of its bytes. Tells nothing of a random key.
    pub fn name(&self) -> Digest {
        Digest::of(&self.0)
    }

    /// How an entry knows a subject in one target: HMAC-SHA256 over agent, target, which kind of id, and the id. Over agent
    /// and target too, so that two lists, or two targets of one list, cannot be compared line by line (decision 13).
    ///
    /// None for a selector with neither a service id nor a customer number, or with both: no job carries both.
    pub fn tag(&self, agent: &AgentName, target: &TargetId, selector: &Selector) -> Option<Digest> {
        let (word, id) = match (&selector.service, &selector.customer) {
            (Some(service), None) => ("service", service),
            (None, Some(customer)) => ("customer", customer),
            (Some(_), Some(_)) | (None, None) => return None,
        };
        let parts = [agent.as_str(), target.as_str(), word, id.expose()].map(str::as_bytes);
        Some(self.hmac(std::iter::once(TAG_LABEL).chain(parts)))
    }

    /// A cause's salt under a pad of this entry's own, and back again: without the month's key the salt opens nothing.
    #[must_use]
    pub fn veil(&self, entry: &SuppressionId, salt: Nonce) -> Nonce {
        let pad = self.hmac([VEIL_LABEL, entry.as_bytes().as_slice()].into_iter());
        let mut bytes = *salt.as_bytes();
        bytes.iter_mut().zip(pad.as_bytes()).for_each(|(byte, pad)| *byte ^= pad);
        Nonce::from_bytes(bytes)
    }

    /// HMAC-SHA256 (RFC 2104) over several parts, each preceded by its length (u64, little endian).
    fn hmac<'a>(&self, parts: impl Iterator<Item = &'a [u8]>) -> Digest {
        let framed = parts.flat_map(|part| [(part.len() as u64).to_le_bytes().to_vec(), part.to_vec()]);
        Digest::keyed(&self.0, &framed.collect::<Vec<_>>().concat())
    }
}

impl fmt::Debug for MonthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MonthKey(secret)")
    }
}

impl FromStr for MonthKey {
    type Err = MonthKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<Digest>().map(|bytes| Self(*bytes.as_bytes())).map_err(|_| MonthKeyError)
    }
}

impl TryFrom<String> for MonthKey {
    type Error = MonthKeyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<MonthKey> for String {
    fn from(key: MonthKey) -> Self {
        hex::encode(key.0)
    }
}

/// One erasure that a restore must not undo: a standing permit to erase *this subject in this target* again, and nothing
/// else (I1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Reference.
    pub id: SuppressionId,
    /// Whose key the tag was made with.
    pub month: Month,
    /// Which key that is ([`MonthKey::name`]).
    pub key: Digest,
    /// The subject in this target ([`MonthKey::tag`]).
    pub tag: Digest,
    /// The target.
    pub target: TargetId,
    /// When the residue was confirmed gone, on the agent's clock.
    pub erased: Instant,
    /// The rule that was carried out.
    pub rule: String,
    /// The signature that let it be erased (decision 2): without one that the host trusts nothing goes again either. Its
    /// salt stands here under [`MonthKey::veil`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Backing>,
    /// The coordinator's generation then.
    pub generation: u64,
    /// Which clock `erased` is on.
    pub clock: Clock,
}

/// An approver says that an entry no longer counts: the customer came back, or it was an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lift {
    /// The entry.
    pub entry: SuppressionId,
    /// Who lifted it: the name in the caller's certificate.
    pub by: String,
    /// When, on the coordinator's clock.
    pub at: Instant,
}

/// What one line of the list says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "what", deny_unknown_fields)]
pub enum Item {
    /// An erasure.
    Entry(Entry),
    /// An entry no longer counts.
    Lift(Lift),
    /// A hold covers an entry, or does no longer.
    Hold {
        /// The entry.
        entry: SuppressionId,
        /// Whether it is covered.
        held: bool,
    },
    /// No copy older than the erasure is left: the agent forgets the entry.
    Drop {
        /// The entry.
        entry: SuppressionId,
    },
    /// There was nothing more to say at this time: whoever has everything up to here has an up-to-date list.
    Complete {
        /// When, on the coordinator's clock.
        at: Instant,
        /// Which clock that is.
        clock: Clock,
    },
}

/// One line of an agent's list as it is signed. `after` is the line that the agent was told before it: one that is left
/// out on the way is noticed, since the next does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Whose list.
    pub agent: AgentName,
    /// Rises with every line of this agent's; that of the last line before it for [`Item::Complete`].
    pub sequence: u64,
    /// The sequence of the line before; 0 where there is none.
    pub after: u64,
    /// What it says.
    pub item: Item,
}

/// Subjects of one restored target, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sorted {
    /// Everybody that the target held after the restore.
    pub candidates: u64,
    /// Those that the list knows.
    pub matched: u64,
    /// Erased again, and confirmed gone.
    pub erased: u64,
    /// Left: the entry is lifted.
    pub lifted: u64,
    /// Left: a hold covers the entry.
    pub held: u64,
    /// Left: erased before the copy was taken, so what is there came later.
    pub newer: u64,
    /// Should have gone and did not.
    pub failed: u64,
    /// Remains of begun erasures in the target's trash that belong to nobody who could be told.
    pub unknown: u64,
    /// Everybody else, before.
    pub others_before: u64,
    /// Everybody else, after.
    pub others_after: u64,
}

/// What an agent signs about one restored target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restored {
    /// The signing agent.
    pub agent: AgentName,
    /// The target.
    pub target: TargetId,
    /// Its kind.
    pub kind: TargetKind,
    /// When the copy was taken, as the host's admin said.
    pub taken: Instant,
    /// Up to which line the list went.
    pub through: u64,
    /// When the coordinator last said that the list was complete.
    pub heard: Instant,
    /// Whether the host's admin accepted a list older than the configured age.
    pub list_may_be_old: bool,
    /// Subjects by what became of them.
    pub subjects: Sorted,
    /// Items of the erased, by outcome.
    pub counts: Counts,
    /// SHA-256 of the receipt of each erasure, in order; they stand before this one in the same file.
    pub receipts: Vec<Digest>,
    /// Whether everything that had to go is confirmed gone: only then the restored data may be used.
    pub released: bool,
    /// When it began, on the agent's clock.
    pub started: Instant,
    /// When it ended.
    pub finished: Instant,
    /// Which clock these are on.
    pub clock: Clock,
    /// Program and version that acted.
    pub software: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(id: &str) -> Selector {
        Selector { service: Some(id.parse().expect("a literal")), ..Selector::default() }
    }

    fn customer(id: &str) -> Selector {
        Selector { customer: Some(id.parse().expect("a literal")), ..Selector::default() }
    }

    #[test]
    fn a_tag_is_of_one_subject_in_one_target_of_one_agent_in_one_month() {
        let (key, other) = (MonthKey::from_bytes([1; 32]), MonthKey::from_bytes([2; 32]));
        let (agent, target) = ("web1".parse().expect("a label"), "www".parse().expect("a label"));
        let tag = key.tag(&agent, &target, &service("anna.example"));
        assert!(tag.is_some());
        for (what, different) in [
            ("look-alike", key.tag(&agent, &target, &service("anna.example.org"))),
            ("case", key.tag(&agent, &target, &service("Anna.example"))),
            ("kind of id", key.tag(&agent, &target, &customer("anna.example"))),
            ("agent", key.tag(&"web2".parse().expect("a label"), &target, &service("anna.example"))),
            ("target", key.tag(&agent, &"mail".parse().expect("a label"), &service("anna.example"))),
            ("month", other.tag(&agent, &target, &service("anna.example"))),
        ] {
            assert!(different.is_some() && different != tag, "{what}");
        }
        assert_eq!(key.tag(&agent, &target, &Selector::default()), None);
        let both = Selector { customer: customer("1001").customer, ..service("anna.example") };
        assert_eq!(key.tag(&agent, &target, &both), None);
    }

    #[test]
    fn months_are_stockholm_months() {
        let at = |text: &str| Month::of(text.parse().expect("a literal"));
        assert_eq!(at("2026-02-28T23:30:00Z").to_string(), "202603");
        assert_eq!(at("2026-12-31T22:30:00Z").to_string(), "202612");
        for bad in ["202600", "202613", "20261", "2026011", "+20261", ""] {
            assert!(bad.parse::<Month>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_salt_is_veiled_for_one_entry_and_one_key() {
        let (key, salt) = (MonthKey::from_bytes([1; 32]), Nonce::from_bytes([5; 16]));
        let (one, other) = (SuppressionId::from_bytes([1; 16]), SuppressionId::from_bytes([2; 16]));
        let veiled = key.veil(&one, salt);
        assert_eq!(key.veil(&one, veiled), salt);
        assert!(veiled != salt && key.veil(&other, salt) != veiled);
        assert_ne!(MonthKey::from_bytes([2; 32]).veil(&one, salt), veiled);
    }

    #[test]
    fn a_key_is_never_shown() {
        let key = MonthKey::from_bytes([0xab; 32]);
        assert!(!format!("{key:?}").contains("ab"));
        assert_eq!(String::from(key.clone()).parse(), Ok(key));
    }

    #[test]
    fn a_later_generation_counts_above_every_earlier_line() {
        assert!(first_sequence(2) > first_sequence(1) + u64::from(u32::MAX) - 1);
        assert!(first_sequence(u64::MAX) < 1 << 53);
    }
}
