//! What a customer's instructions are and where each stands, with how far it strays from the policy in force.

use gallra_model::selector::ExternalId;
use gallra_model::time::day_of;
use gallra_model::{CustomerId, Day, Digest, Instant};
use gallra_policy::Deviation;
use gallra_store::{KeyRange, keys};

use super::{Known, StoredInstruction};
use crate::core::Core;
use crate::error::CoreError;

/// Customers looked at for one page: each has at most sixteen.
const PAGE: usize = 50;

/// Where an instruction stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Its first day has not come.
    Waiting,
    /// It holds.
    InForce,
    /// An approver has to accept it: until then nothing of the customer's is erased.
    LegalReview,
    /// The policy in force does not let it in (any more): requests that it is about wait for somebody.
    Refused(String),
}

impl State {
    /// The word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::InForce => "in-force",
            Self::LegalReview => "legal-review",
            Self::Refused(_) => "refused",
        }
    }
}

/// One instruction, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Whose, by reference.
    pub customer: CustomerId,
    /// Its id.
    pub id: String,
    /// Digest of the exact text: what an approver accepts.
    pub digest: Digest,
    /// In which role it was given.
    pub given_by: String,
    /// When.
    pub given_on: Day,
    /// The first local day on which it holds.
    pub from: Day,
    /// Where it stands.
    pub state: State,
    /// Who set it.
    pub set_by: String,
    /// When.
    pub set_at: Instant,
    /// Who accepted it, and when.
    pub accepted: Option<(String, Instant)>,
    /// What it replaces in the policy in force; empty where that does not let it in.
    pub replaced: Vec<Deviation>,
}

impl Core {
    /// One customer's instructions, by first day.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], or the store's.
    pub async fn list_instructions(&self, number: &ExternalId) -> Result<Vec<Listed>, CoreError> {
        let customer = self.customer_numbered(number).await?;
        self.listed(&customer).await
    }

    /// The instructions of some customers in a range, and where to go on.
    ///
    /// # Errors
    /// The store's.
    pub async fn list_all_instructions(&self, range: &KeyRange) -> Result<(Vec<Listed>, Option<String>), CoreError> {
        let page = self.store.range(range, PAGE).await?;
        let mut all = Vec::new();
        for customer in page.entries.iter().filter_map(|entry| keys::parse_instructed(&entry.key)) {
            match self.listed(&customer).await {
                Ok(of_customer) => all.extend(of_customer),
                // Forgotten since the page was read.
                Err(CoreError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok((all, page.more.map(|key| key.to_string())))
    }

    /// One of a customer's.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], or the store's.
    pub async fn one_instruction(&self, customer: &CustomerId, id: &str) -> Result<Listed, CoreError> {
        let found = self.listed(customer).await?.into_iter().find(|listed| listed.id == id);
        found.ok_or(CoreError::NotFound("instruction"))
    }

    async fn listed(&self, customer: &CustomerId) -> Result<Vec<Listed>, CoreError> {
        let Known { all, .. } = self.known_instructions(customer).await?;
        let (standard, today) = (self.policy().await?, day_of(self.time.now()));
        let mut policy = (*standard).clone();
        let mut listed = Vec::with_capacity(all.len());
        for stored in &all {
            let read = stored.parse()?;
            let (refused, replaced) = match policy.with(&read) {
                Ok(next) => {
                    let replaced = next.instructions().last().map(|last| last.replaced.clone()).unwrap_or_default();
                    policy = next;
                    (None, replaced)
                }
                Err(refused) => (Some(refused.to_string()), Vec::new()),
            };
            let large = stored.large || replaced.iter().any(|deviation| deviation.legal_review);
            listed.push(Listed {
                customer: *customer,
                id: stored.id.clone(),
                digest: stored.digest(),
                given_by: read.given_by,
                given_on: read.given_on,
                from: stored.from,
                state: state(stored, refused, large, today),
                set_by: stored.set_by.clone(),
                set_at: stored.set_at,
                accepted: stored.accepted.as_ref().map(|accepted| (accepted.by.clone(), accepted.at)),
                replaced,
            });
        }
        Ok(listed)
    }
}

fn state(stored: &StoredInstruction, refused: Option<String>, large: bool, today: Day) -> State {
    match refused {
        Some(why) => State::Refused(why),
        None if large && stored.accepted.is_none() => State::LegalReview,
        None if stored.holds_on(today) => State::InForce,
        None => State::Waiting,
    }
}
