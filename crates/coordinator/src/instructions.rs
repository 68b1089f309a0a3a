//! Customers' instructions (GDPR Art. 28(3)(a)): what each customer, as controller, gives instead of the provider's periods.
//! Their texts should name nobody, and are sealed under the customer's key all the same: who is forgotten leaves none. Which
//! of them hold lies in the customer's guard, in the same transaction, so that no permit is given under others (I1). Whether a
//! policy lets one in is `gallra-policy`'s to say.

mod change;
mod follow;
mod list;

use std::sync::Arc;

use gallra_model::contract::Customer;
use gallra_model::hold::Instructed;
use gallra_model::{CustomerId, Day, Digest, Instant};
use gallra_policy::{Instruction, Policy};
use gallra_store::keys::{self, What};
use gallra_store::{Entry, Txn};

use crate::core::Core;
use crate::error::{CoreError, decode, encode};
use crate::guards;

pub use change::{Remover, Set};
pub use list::{Listed, State};

/// Longest instruction, in bytes: a hundred times the largest known.
pub const MAX_INSTRUCTION_BYTES: usize = 16 * 1024;
/// Most instructions of one customer, since they are kept in one value.
pub const MAX_INSTRUCTIONS: usize = 16;

/// What an instruction's problems call its text.
const FILE: &str = "instruction";

/// One instruction as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredInstruction {
    /// Its own id.
    pub id: String,
    /// The exact text.
    pub text: String,
    /// The first local day on which it holds.
    pub from: Day,
    /// Who set it: the name in the caller's certificate.
    pub set_by: String,
    /// When, on the coordinator's clock.
    pub set_at: Instant,
    /// Whether it strayed so far from the policy that was in force when it was set that an approver has to accept it.
    pub large: bool,
    /// Who accepted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Accepted>,
    /// Whether an approver accepted a text that this one replaced: then it is an approver's to let it go, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replaces_accepted: bool,
}

/// An approver's word that an instruction may be carried out as it is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// The name in the caller's certificate; never who set it.
    pub by: String,
    /// When, on the coordinator's clock.
    pub at: Instant,
}

impl StoredInstruction {
    fn parse(&self) -> Result<Instruction, CoreError> {
        // The words of the parser may quote the text, which may name somebody in spite of all.
        Instruction::parse(FILE, &self.text).map_err(|_| CoreError::Unreadable {
            what: "instruction",
            why: "it was in order once: set it again".into(),
        })
    }

    /// Digest of the exact text: what an approver accepts.
    fn digest(&self) -> Digest {
        Digest::of(self.text.as_bytes())
    }

    /// Whether an approver's word stands behind it, or behind what it replaced.
    fn is_an_approvers(&self) -> bool {
        self.accepted.is_some() || self.replaces_accepted
    }

    fn holds_on(&self, today: Day) -> bool {
        self.from <= today
    }

    fn waits_for_review(&self) -> bool {
        self.large && self.accepted.is_none()
    }
}

/// A policy with instructions carried out.
pub struct Carried {
    /// The rules.
    pub policy: Arc<Policy>,
    /// Whether an approver has to accept one of them first.
    pub review: bool,
}

/// A customer's instructions, and what a change of them expects and replaces.
struct Known {
    customer: Customer,
    /// The customer's record: one that is forgotten meanwhile gets none.
    record: Entry,
    /// Which hold, as it stands beside the texts.
    head: Option<Entry>,
    all: Vec<StoredInstruction>,
}

/// Digest of the instructions that hold on a day: of their texts, whoever accepted them.
fn digest_of(all: &[StoredInstruction], today: Day) -> Option<Digest> {
    let holding: Vec<_> = all.iter().filter(|one| one.holds_on(today)).collect();
    if holding.is_empty() {
        return None;
    }
    let texts = holding.iter().map(|one| one.text.as_bytes());
    let parts: Vec<&[u8]> = std::iter::once(b"gallra-instructions".as_slice()).chain(texts).collect();
    Some(Digest::of_parts(&parts))
}

/// What permits have to know of a customer's instructions on a day.
fn instructed(all: &[StoredInstruction], today: Day) -> Instructed {
    Instructed {
        digest: digest_of(all, today),
        review: all.iter().any(StoredInstruction::waits_for_review),
        changes: all.iter().map(|one| one.from).filter(|from| *from > today).min(),
    }
}

/// A policy with instructions carried out, in their order. Every problem is told.
fn with_all<'a>(
    policy: &Arc<Policy>,
    instructions: impl Iterator<Item = &'a StoredInstruction>,
) -> Result<Carried, CoreError> {
    let mut carried = Carried { policy: Arc::clone(policy), review: false };
    for stored in instructions {
        // Without its id, since this is logged: ids name nobody, if people keep to that. The list has it.
        let next = carried.policy.with(&stored.parse()?).map_err(|refused| {
            CoreError::Precondition(format!("an instruction of the customer's cannot be carried out: {refused}"))
        })?;
        let large = next.instructions().last().is_some_and(|last| last.replaced.iter().any(|one| one.legal_review));
        carried.review |= stored.accepted.is_none() && (stored.large || large);
        carried.policy = Arc::new(next);
    }
    Ok(carried)
}

impl Core {
    /// Carries out the instructions that hold today.
    ///
    /// # Errors
    /// [`CoreError::Precondition`] where one cannot be, [`CoreError::Outdated`] where they are other ones by now, the store's.
    pub(crate) async fn carry_out(
        &self,
        policy: &Arc<Policy>,
        customer: &CustomerId,
        holds: Option<Instructed>,
    ) -> Result<Carried, CoreError> {
        let Some(holds) = holds.filter(|holds| holds.digest.is_some() || holds.review) else {
            return Ok(Carried { policy: Arc::clone(policy), review: false });
        };
        let known = self.known_instructions(customer).await?;
        let today = gallra_model::time::day_of(self.time.now());
        if digest_of(&known.all, today) != holds.digest {
            return Err(CoreError::Outdated);
        }
        let carried = with_all(policy, known.all.iter().filter(|one| one.holds_on(today)))?;
        Ok(Carried { review: carried.review || holds.review, ..carried })
    }

    /// A customer's instructions, by first day and id.
    async fn known_instructions(&self, id: &CustomerId) -> Result<Known, CoreError> {
        let record = self.store.get(&keys::customer(id)).await?.ok_or(CoreError::NotFound("customer"))?;
        let customer: Customer = decode("customer", &record.value)?;
        let head = self.store.get(&keys::instructed(id)).await?;
        let mut all: Vec<StoredInstruction> = match head {
            None => Vec::new(),
            Some(_) => self.open(&customer.subject, What::Instructions(*id)).await?,
        };
        all.sort_by(|one, other| (one.from, &one.id).cmp(&(other.from, &other.id)));
        Ok(Known { customer, record, head, all })
    }

    /// Adds a customer's instructions as they are from now on, and what of them holds, with the bump of its guard. Whoever
    /// leaves somebody's lines out of a purge looks anew.
    async fn keep_instructions(&self, known: &Known, all: &[StoredInstruction]) -> Result<Txn, CoreError> {
        let (id, subject) = (known.customer.id, known.customer.subject);
        let today = gallra_model::time::day_of(self.time.now());
        let at = keys::instructed(&id);
        let txn = Txn::new().expect_as_read(&at, known.head.as_ref());
        let txn = txn.expect_as_read(&keys::customer(&id), Some(&known.record));
        let next = (!all.is_empty()).then(|| instructed(all, today));
        let txn = match &next {
            None => txn.delete(at).delete(keys::sealed(&subject, What::Instructions(id))),
            Some(holds) => {
                let txn = txn.put(at, encode(holds)?);
                self.seal_again(txn, &subject, What::Instructions(id), &all).await?
            }
        };
        let txn = txn.put(keys::guard_any_hold(), encode(&id)?);
        guards::change(&*self.store, txn, keys::guard_customer(&id), |guard| {
            guard.instructed = next;
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(id: &str, from: Day, large: bool) -> StoredInstruction {
        StoredInstruction {
            id: id.to_owned(),
            text: format!("id = \"{id}\""),
            from,
            set_by: "anna".to_owned(),
            set_at: Instant::UNIX_EPOCH,
            large,
            accepted: None,
            replaces_accepted: false,
        }
    }

    #[test]
    fn what_holds_changes_on_each_first_day_and_not_with_who_accepted_it() {
        let (may, june) = (Day::constant(2026, 5, 1), Day::constant(2026, 6, 1));
        let all = [one("a", may, false), one("b", june, true)];
        let at = |day| instructed(&all, day);
        let before = at(Day::constant(2026, 4, 30));
        assert_eq!((before.digest, before.review, before.changes), (None, true, Some(may)));
        let first = at(may);
        assert_eq!(first.changes, Some(june));
        assert_eq!(first.digest, at(Day::constant(2026, 5, 31)).digest);
        let both = at(june);
        assert!(first.digest.is_some() && both.digest.is_some() && both.digest != first.digest);
        assert_eq!(both.changes, None);
        let mut accepted = all.clone();
        accepted[1].accepted = Some(Accepted { by: "bertil".to_owned(), at: Instant::UNIX_EPOCH });
        assert_eq!(instructed(&accepted, june), Instructed { review: false, ..both });
    }
}
