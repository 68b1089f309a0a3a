//! Customers and contracts as the coordinator keeps them: dates and references only. What names a person (customer
//! number, service id, addresses) is sealed apart (decision 12).

use serde::{Deserialize, Serialize};

use crate::id::{ContractId, CustomerId, Nonce, RequestId, SubjectId};
use crate::selector::{AddressUse, ExternalId, ToldIdentifier};
use crate::time::{Day, Instant};

/// Where a contract stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContractState {
    /// The service is delivered.
    Active,
    /// Terminated; the last invoice is open.
    Ended,
    /// Terminated, and paid or written off.
    Settled,
}

/// One contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// Reference.
    pub id: ContractId,
    /// Whose.
    pub customer: CustomerId,
    /// Under whose key its identifiers are sealed.
    pub subject: SubjectId,
    /// The highest version of any event that was taken in.
    pub version: u64,
    /// The newest word of each kind, by which late and doubled ones are known. Where it stands follows from them.
    #[serde(default)]
    pub words: Words,
    /// Where it stands.
    pub state: ContractState,
    /// First day.
    pub started: Day,
    /// Last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Day>,
    /// Day of settlement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<Day>,
    /// The request that its end opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// The requests that its newest resumption cancelled: its own, and the customer's end where that was under way. A doubled
    /// event is answered from them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cancelled: Vec<RequestId>,
    /// Where it came from, if it goes on under another customer than before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub came: Option<Came>,
    /// The customers that it was before, oldest first; at most [`MAX_MOVES`]. What the service stores is from their time, too: a
    /// hold on one of them covers it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<CustomerId>,
    /// Set: this is the time of that contract before it went on under another customer. It ended, and has no identifiers and no
    /// request of its own: what the service stores went along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub went: Option<ContractId>,
}

/// A contract's newest move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Came {
    /// The record of the time before, under the earlier customer.
    pub part: ContractId,
    /// The last local day of that.
    pub on: Day,
}

impl Contract {
    /// Its first day under the customer that it has now. `None`: there is no day after its move.
    pub fn first_day(&self) -> Option<Day> {
        self.came.map_or(Some(self.started), |came| came.on.tomorrow().ok())
    }

    /// Its words. A record from before they were kept says them by where it stands: nothing older than that counts.
    pub fn known_words(&self) -> Words {
        if self.words != Words::default() {
            return self.words;
        }
        let said = |day: Option<Day>, back: u64| {
            let version = self.version.saturating_sub(back);
            day.map(|day| Said { version, day })
        };
        let words = u64::from(self.ended.is_some()) + u64::from(self.settled.is_some());
        Words {
            since: self.version.saturating_sub(words),
            ended: said(self.ended, words.saturating_sub(1)),
            settled: said(self.settled, 0),
        }
    }
}

/// One word of billing's about a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// The event's version.
    pub version: u64,
    /// The day.
    pub day: Day,
}

/// What of billing's words is to be remembered so that the order in which they arrive does not matter. What they come to is
/// `gallra-flow`'s to say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Words {
    /// Version of the newest word after which the contract was active: its start, or its newest resumption or move. What is not
    /// newer counts no more.
    pub since: u64,
    /// The newest end after that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Said>,
    /// The newest settlement after that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled: Option<Said>,
}

/// One customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Customer {
    /// Reference.
    pub id: CustomerId,
    /// The natural person that it is (a sole trader), or its first contact.
    pub subject: SubjectId,
    /// All contracts, oldest first. Bounded by [`MAX_CONTRACTS`].
    pub contracts: Vec<ContractId>,
    /// The request that carries the customer's own end; unset while a contract is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<RequestId>,
    /// Set: this number and others turned out to be one customer, whose head that one is. The head itself was never merged
    /// into another: there are no chains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<CustomerId>,
    /// Of a head: the other numbers of the same customer, in the order in which they came. With the head at most
    /// [`MAX_NUMBERS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<CustomerId>,
    /// Who said last that this number is somebody known under another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_by: Option<MergedBy>,
}

/// Who told a merge, and when. It cannot be taken back, so it is kept as long as the number is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MergedBy {
    /// The name in the caller's certificate.
    pub by: String,
    /// When it was taken, on the coordinator's clock.
    pub at: Instant,
}

/// Contracts that one customer may have, since they are kept in one value.
pub const MAX_CONTRACTS: usize = 10_000;

/// Moves of one contract: each customer that it was is a guard more for every permit.
pub const MAX_MOVES: usize = 16;

/// Numbers that may turn out to be one customer: a permit for a contract that moved [`MAX_MOVES`] times reads the guards of as
/// many for each customer that it was, in one transaction.
pub const MAX_NUMBERS: usize = 7;

/// Contracts with addresses on record that may go on under other customers, while their first one is known.
pub const MAX_MOVED_AWAY: usize = 64;

/// What names the customer, sealed under the subject's key until the request ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomerIdentity {
    /// The customer number of the billing system.
    pub number: ExternalId,
    /// IP addresses of contracts whose identifiers are destroyed already, where a target of the customer's scope is searched
    /// by them; and of contracts that went on under another customer, until their last day here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<AddressUse>,
    /// Whether some of those did not fit. For good: no target is searched by the rest, as if they were all.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub former_incomplete: bool,
    /// Random: by them the blind index of addresses lists what contracts left here that went on under another customer. As
    /// [`ContractIdentity::holder`]; at most [`MAX_MOVED_AWAY`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<Nonce>,
    /// What else names the customer: personal and organisation numbers, mail addresses; IP addresses of contracts that went on
    /// under another one. Found by no index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<ToldIdentifier>,
    /// Random: what jobs are salted from. Gone with the rest, so that afterwards nobody can test a guess of the number
    /// against the digests in a receipt.
    pub salt: Nonce,
}

/// What names the contract, sealed under the subject's key until the request ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractIdentity {
    /// The service id of the billing system.
    pub service: ExternalId,
    /// Addresses hosted under the service, for look-up by blind index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<ExternalId>,
    /// IP addresses, and when each was theirs: by them the provider's own logs are searched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<AddressUse>,
    /// Random: by it the blind index of those addresses lists the contract; unset while it has had none. Destroyed with the rest,
    /// so that what the index may still hold leads to nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Nonce>,
    /// What else names what the contract is about: domains and IP addresses. Found by no index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<ToldIdentifier>,
    /// Random: as [`CustomerIdentity::salt`].
    pub salt: Nonce,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_without_words_says_them_by_where_it_stands() {
        let contract = |state: &str, days: &str| -> Contract {
            let id = "01010101010101010101010101010101";
            let text = format!(
                r#"{{"id":"{id}","customer":"{id}","subject":"{id}","version":7,"state":"{state}","started":"2026-01-02"{days}}}"#
            );
            serde_json::from_str(&text).expect("reads")
        };
        let said = |version, day| Some(Said { version, day: Day::constant(2026, 1, day) });
        let ended = r#","ended":"2026-01-20""#;
        for (state, days, words) in [
            ("active", String::new(), Words { since: 7, ended: None, settled: None }),
            ("ended", ended.to_owned(), Words { since: 6, ended: said(7, 20), settled: None }),
            (
                "settled",
                format!(r#"{ended},"settled":"2026-01-30""#),
                Words { since: 5, ended: said(6, 20), settled: said(7, 30) },
            ),
        ] {
            assert_eq!(contract(state, &days).known_words(), words, "{state}");
        }
    }
}
