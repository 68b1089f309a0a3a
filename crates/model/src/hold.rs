//! Holds and guards: what stands in the way of an act, as the coordinator keeps it. Owns the records; who may place what
//! is `gallra-identity`'s, and whether an act may begin is decided in `gallra-flow` (I1).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::{AgentName, ContractId, CustomerId, HoldId, RequestId};
use crate::target::{Category, TargetId};
use crate::time::{Day, Instant};

/// Open holds that may lie at one level, since they are kept in one value (I10).
pub const MAX_HOLDS_AT_ONE_LEVEL: usize = 256;

/// Reviews of one hold that are kept; of more the oldest are left out, and counted.
pub const MAX_REVIEWS: usize = 64;

/// What a hold covers: one of the six levels that a permit compares (decision 3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "level", deny_unknown_fields)]
pub enum Level {
    /// Everything in the installation.
    Global,
    /// One category on every agent.
    Category {
        /// The category.
        category: Category,
    },
    /// One target on one agent.
    Target {
        /// The agent.
        agent: AgentName,
        /// The target.
        target: TargetId,
    },
    /// All that is held about one customer, contracts included.
    Customer {
        /// The customer, by reference.
        customer: CustomerId,
    },
    /// One contract.
    Contract {
        /// The contract, by reference.
        contract: ContractId,
    },
    /// One request.
    Request {
        /// The request.
        request: RequestId,
    },
}

/// One hold: erasure stops where it lies, until it is released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Reference.
    pub id: HoldId,
    /// What it covers.
    pub level: Level,
    /// Why, in the operator's words; names nobody.
    pub ground: String,
    /// The same as a word that the policy in force listed as a ground of holds; unset where none was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// Who placed it: the name in the caller's certificate.
    pub placed_by: String,
    /// When.
    pub placed: Instant,
    /// Local day on which somebody looks whether it is still needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Day>,
    /// Last local day on which it lies by itself; unset: until somebody releases it. It lies on until the end of that day has
    /// been seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Day>,
    /// Who looked whether it is still needed, oldest first: the newest [`MAX_REVIEWS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reviews: Vec<Review>,
    /// How many reviews before those are no longer kept.
    #[serde(default, skip_serializing_if = "is_none_yet")]
    pub earlier_reviews: u32,
    /// How it ended; unset while it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<Release>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference")]
fn is_none_yet(count: &u32) -> bool {
    *count == 0
}

impl Hold {
    /// Whether somebody is to look today whether it is still needed: its review day has come.
    pub fn is_due(&self, today: Day) -> bool {
        self.released.is_none() && self.review.is_some_and(|review| review <= today)
    }

    /// Whether its last day is over.
    pub fn is_over(&self, today: Day) -> bool {
        self.expires.is_some_and(|last| last < today)
    }

    /// Adds a review, and the day of the next. The history is bounded, and says how much of it is not kept.
    pub fn reviewed(&mut self, review: Review) {
        self.review = review.next;
        self.reviews.push(review);
        let beyond = self.reviews.len().saturating_sub(MAX_REVIEWS);
        self.reviews.drain(..beyond);
        self.earlier_reviews = self.earlier_reviews.saturating_add(u32::try_from(beyond).unwrap_or(u32::MAX));
    }
}

/// Somebody looked whether a hold is still needed, and found that it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// Who: the name in the caller's certificate.
    pub by: String,
    /// When.
    pub at: Instant,
    /// What was found; names nobody.
    pub note: String,
    /// Local day of the next review; unset where none is planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Day>,
}

/// Who ended a hold whose last day is over.
pub const EXPIRY: &str = "expiry";

/// The end of a hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Who released it, never who placed it (decision 14); or [`EXPIRY`], which was on record from the start.
    pub by: String,
    /// When.
    pub at: Instant,
    /// Why, in the approver's words; names nobody.
    pub reason: String,
}

/// One guard (decision 3): raised by whatever could stop an act at its level, in the same transaction. What lies on it is
/// in the same value, so a permit that expects the guard as it was read cannot miss a hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Guard {
    /// How often it was raised.
    pub count: u64,
    /// Open holds at this level.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub holds: BTreeSet<HoldId>,
    /// Global level only: the emergency stop, or the brake, is pulled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub halt: Option<Halt>,
    /// A customer's level only: which of its instructions hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructed: Option<Instructed>,
    /// A customer's level only: the other numbers of the same customer. What lies on one of their guards lies on this one, too.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub with: BTreeSet<CustomerId>,
}

/// A customer's instructions, as its permits have to know them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Instructed {
    /// Digest of those that hold; unset while none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// One strays so far that an approver has to accept it first: until then nothing of the customer's is erased.
    pub review: bool,
    /// The first local day on which others hold than these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Day>,
}

/// The emergency stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Halt {
    /// Who pulled it: the name in the caller's certificate, or `brake`.
    pub by: String,
    /// When.
    pub at: Instant,
    /// Why; names nobody.
    pub reason: String,
}

/// What the six guards of one job say together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Restraint {
    /// A hold lies on at least one of them.
    pub held: bool,
    /// The emergency stop is pulled.
    pub halted: bool,
    /// An instruction of the customer's waits for an approver.
    pub review: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold() -> Hold {
        Hold {
            id: HoldId::from_bytes([1; 16]),
            level: Level::Global,
            ground: "a dispute".to_owned(),
            on: None,
            placed_by: "anna".to_owned(),
            placed: Instant::UNIX_EPOCH,
            review: None,
            expires: Some(Day::constant(2026, 3, 29)),
            reviews: Vec::new(),
            earlier_reviews: 0,
            released: None,
        }
    }

    #[test]
    fn a_hold_lies_through_its_last_day_and_is_due_on_its_review_day() {
        let (last, after) = (Day::constant(2026, 3, 29), Day::constant(2026, 3, 30));
        assert!(!hold().is_over(last) && hold().is_over(after));
        let due = Hold { review: Some(last), ..hold() };
        assert!(!due.is_due(Day::constant(2026, 3, 28)) && due.is_due(last) && due.is_due(after));
        assert!(!hold().is_due(after), "nobody asked for a review");
    }

    #[test]
    fn a_long_history_keeps_its_newest_reviews_and_says_how_many_went() {
        let mut hold = hold();
        for number in 0..MAX_REVIEWS + 3 {
            let note = number.to_string();
            hold.reviewed(Review { by: "bertil".to_owned(), at: Instant::UNIX_EPOCH, note, next: None });
        }
        assert_eq!((hold.reviews.len(), hold.earlier_reviews), (MAX_REVIEWS, 3));
        assert_eq!(hold.reviews.first().map(|review| review.note.as_str()), Some("3"));
    }

    #[test]
    fn a_record_without_the_newer_fields_reads() {
        let old = r#"{"id":"01010101010101010101010101010101","level":{"level":"global"},"ground":"a dispute",
            "placed_by":"anna","placed":"1970-01-01T00:00:00Z","expires":"2026-03-29"}"#;
        assert_eq!(serde_json::from_str::<Hold>(old).expect("reads"), hold());
    }
}
