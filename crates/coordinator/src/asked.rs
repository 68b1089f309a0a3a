//! What was asked, and who it is about, said once before a request's first plan (`docs/formats/subject-v1.md`): commitments that
//! only the subject can open, the sealed claim code, and the signed statement of the request. Handles identifiers in clear for
//! the moment, as `people` does, and logs nothing. Upholds I12: no statement is signed that shows one of them.

use core::net::IpAddr;

use gallra_flow::view::View;
use gallra_model::contract::{Contract, ContractIdentity, Customer, CustomerIdentity};
use gallra_model::envelope::Envelope;
use gallra_model::proof::{RequestKind, Requested};
use gallra_model::request::About;
use gallra_model::selector::{AddressUse, ExternalId};
use gallra_model::statement::{Subject, Type};
use gallra_model::{CustomerId, Digest, RequestId, SubjectId};
use gallra_proof::payload::{self, Opened};
use gallra_proof::subject::{Identifier, Kind, MAX_IDENTIFIERS, commitments};
use gallra_store::keys::{self, What};
use gallra_store::{Expect, Txn};
use serde::{Deserialize, Serialize};

use crate::claims::Claim;
use crate::core::Core;
use crate::entered::{Turn, enter};
use crate::error::{CoreError, decode, encode};
use crate::leaks::unsigned;
use crate::told;

/// Who a request is about, and what was asked, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// What statements about the request are about.
    pub(crate) subject: Vec<Subject>,
    /// The claim code, as far as it may be known; a purge has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) claim: Option<Claim>,
    /// The signed statement.
    pub(crate) envelope: Envelope,
    /// The log that it was said in again, after the one before had ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tree: Option<Digest>,
    /// The same statement as it was signed for logs that ended: proofs of theirs stand on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) before: Vec<Envelope>,
}

impl Core {
    /// What was asked; none before the first plan.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn asked(&self, id: &RequestId) -> Result<Option<Asked>, CoreError> {
        let entry = self.store.get(&keys::asked(id)).await?;
        entry.map(|entry| decode("request's statement", &entry.value)).transpose()
    }

    /// What was asked; where it was not said yet, with the transaction that says it.
    ///
    /// # Errors
    /// The store's; [`CoreError::Leak`] and [`CoreError::Crypto`] where it cannot be signed.
    pub(crate) async fn say_asked(&self, view: &View) -> Result<(Asked, Txn), CoreError> {
        let id = view.request.id;
        if let Some(asked) = self.asked(&id).await? {
            return match self.is_of_an_ended_log(&id).await? {
                true => self.say_asked_again(view, asked).await,
                false => Ok((asked, Txn::new())),
            };
        }
        let identifiers = self.identifiers(view).await?;
        let (subject, claim, txn) = match &view.request.about {
            About::Purge { .. } => (vec![Subject::of_request(&id)], None, Txn::new()),
            About::End(_) => {
                let (code, claim, txn) = self.new_claim(Txn::new(), &id)?;
                let some = identifiers.get(..identifiers.len().min(MAX_IDENTIFIERS)).unwrap_or_default();
                let commitments = commitments(&code, some)
                    .ok_or_else(|| CoreError::Precondition("nothing is known of whom the request is about".into()))?;
                (Subject::of_commitments(&commitments), Some(claim), txn)
            }
        };
        let said = Requested {
            request: id,
            kind: self.kind_of(view).await?,
            received: view.request.received,
            pickup: claim.as_ref().map(|claim| claim.pickup.clone()),
            clock: self.time.kind(),
        };
        let signed = self.issuer.sign(Type::Request, subject.clone(), &said, &identifiers);
        let envelope = signed.map_err(unsigned)?;
        let txn = enter(txn, &envelope, Type::Request, Some(id), Turn::first(self.time.now()))?;
        let asked = Asked { subject, claim, envelope, tree: None, before: Vec::new() };
        let txn = txn.expect(keys::asked(&id), Expect::Absent).put(keys::asked(&id), encode(&asked)?);
        Ok((asked, txn))
    }

    /// The same words in the log that goes on where theirs ended, signed by whoever signs now.
    async fn say_asked_again(&self, view: &View, asked: Asked) -> Result<(Asked, Txn), CoreError> {
        let id = view.request.id;
        let said: Opened<Requested> = payload::read("request", &asked.envelope).map_err(crypto)?;
        let identifiers = self.identifiers(view).await?;
        let signed = self.issuer.sign(Type::Request, said.subject, &said.predicate, &identifiers);
        let envelope = signed.map_err(unsigned)?;
        let txn = enter(Txn::new(), &envelope, Type::Request, Some(id), Turn::first(self.time.now()))?;
        let at = keys::asked(&id);
        let read = self.store.get(&at).await?;
        let mut before = asked.before;
        before.push(asked.envelope);
        let asked = Asked { envelope, tree: self.ledger.tree(), before, ..asked };
        let txn = txn.expect_as_read(&at, read.as_ref()).put(at, encode(&asked)?);
        Ok((asked, txn))
    }

    async fn kind_of(&self, view: &View) -> Result<RequestKind, CoreError> {
        let Some(parties) = view.request.about.parties() else { return Ok(RequestKind::Purge) };
        let entry = self.store.get(&keys::contract(&parties.contract)).await?.ok_or(CoreError::NotFound("contract"))?;
        let contract: Contract = decode("contract", &entry.value)?;
        let own = contract.request == Some(view.request.id);
        Ok(if own { RequestKind::ContractEnd } else { RequestKind::CustomerEnd })
    }

    async fn customers_subject(&self, customer: &CustomerId) -> Result<SubjectId, CoreError> {
        let entry = self.store.get(&keys::customer(customer)).await?.ok_or(CoreError::NotFound("customer"))?;
        Ok(decode::<Customer>("customer", &entry.value)?.subject)
    }

    /// All that names whom a request is about, each once: customer number and service id, then what billing told as identifiers,
    /// then addresses. What was destroyed already is left out.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn identifiers(&self, view: &View) -> Result<Vec<Identifier>, CoreError> {
        let Some(parties) = view.request.about.parties() else { return Ok(Vec::new()) };
        let (mut found, mut told, mut others) = (Vec::new(), Vec::new(), Vec::new());
        let subject = self.customers_subject(&parties.customer).await?;
        let opened = self.open::<CustomerIdentity>(&subject, What::Customer(parties.customer)).await;
        if let Some(customer) = there(opened)? {
            found.extend(Identifier::new(Kind::CustomerNumber, customer.number.expose()));
            told.extend(told::read(&customer.identifiers));
            others.extend(used(&customer.former));
        }
        let entry = self.store.get(&keys::contract(&parties.contract)).await?.ok_or(CoreError::NotFound("contract"))?;
        let contract: Contract = decode("contract", &entry.value)?;
        let opened = self.open::<ContractIdentity>(&contract.subject, What::Contract(contract.id)).await;
        if let Some(contract) = there(opened)? {
            found.extend(Identifier::new(Kind::Service, contract.service.expose()));
            told.extend(told::read(&contract.identifiers));
            others.extend(contract.addresses.iter().filter_map(hosted));
            others.extend(used(&contract.uses));
        }
        for one in told.into_iter().chain(others) {
            if !found.contains(&one) {
                found.push(one);
            }
        }
        Ok(found)
    }
}

/// Nothing where it was destroyed already.
fn there<T>(opened: Result<T, CoreError>) -> Result<Option<T>, CoreError> {
    match opened {
        Err(CoreError::NotFound(_)) => Ok(None),
        other => other.map(Some),
    }
}

/// An address that was hosted under a service, as what it looks like.
fn hosted(address: &ExternalId) -> Option<Identifier> {
    let text = address.expose();
    let kind = match (text.contains('@'), text.parse::<IpAddr>()) {
        (true, _) => Kind::Email,
        (false, Ok(_)) => Kind::Ip,
        (false, Err(_)) => Kind::Domain,
    };
    Identifier::new(kind, text).ok()
}

fn used(uses: &[AddressUse]) -> impl Iterator<Item = Identifier> + '_ {
    uses.iter().filter_map(|one| Identifier::new(Kind::Ip, &one.address.to_string()).ok())
}

/// What a signature that was refused says.
pub(crate) fn crypto(error: impl std::fmt::Display) -> CoreError {
    CoreError::Crypto(error.to_string())
}

/// Digest of a statement's payload.
///
/// # Errors
/// [`CoreError::Crypto`] where the envelope is damaged.
pub(crate) fn digest_of(envelope: &Envelope) -> Result<Digest, CoreError> {
    gallra_proof::dsse::payload_digest(envelope).map_err(crypto)
}
