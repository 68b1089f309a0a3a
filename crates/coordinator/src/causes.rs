//! Causes at the coordinator: which keys are registered, whether a cause that somebody brings is good, and where it is kept
//! until an offer carries it (decision 2). Refuses to make one: it holds no cause key, and a host believes only its own list
//! of keys. What is checked here spares hosts what they would refuse; it protects nobody.

use gallra_flow::approval::needed;
use gallra_flow::request::{Input, step};
use gallra_flow::view::View;
use gallra_model::cause::{Backing, Cause, Ground, Salts};
use gallra_model::contract::{Contract, Customer};
use gallra_model::envelope::Envelope;
use gallra_model::plan::Anchors;
use gallra_model::request::{Approval, Approvals};
use gallra_model::time::CLOCK_BOUND_SECONDS;
use gallra_model::{Day, Digest, Instant, RequestId};
use gallra_proof::key::VerifyingKey;
use gallra_store::keys::{self, What};
use gallra_store::{Key, Txn};

use crate::core::{Core, merge, until_committed};
use crate::error::{CoreError, decode, encode};
use crate::policies::PolicyCause;
use crate::{guards, state};

/// A registered cause key.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CauseKey {
    /// Ed25519, 32 bytes, lowercase hex.
    pub key: String,
    /// Who registered it: the name in the caller's certificate.
    pub registered_by: String,
    /// When.
    pub registered: Instant,
}

/// A cause as a caller brings it.
pub struct Brought {
    /// Signed with a cause key.
    pub envelope: Envelope,
    /// What opens it.
    pub salts: Salts,
    /// The name in the caller's certificate.
    pub by: String,
}

/// A cause whose signature and commitments are good.
pub struct Checked {
    envelope: Envelope,
    salts: Salts,
    approval: Approval,
}

/// Whose end a request carries.
#[derive(Clone, Copy)]
pub struct Ends<'a> {
    /// The contract; its identifiers are there only while a request of its own is open.
    pub contract: &'a Contract,
    /// The customer.
    pub customer: &'a Customer,
}

fn place(key: &VerifyingKey) -> Result<Key, CoreError> {
    let id: Digest = key.keyid().parse().map_err(|_| CoreError::Crypto("a key id is no digest".into()))?;
    Ok(keys::cause_key(&id))
}

impl Core {
    /// Registers a cause key; a known one stays as it was registered.
    ///
    /// # Errors
    /// The store's.
    pub async fn register_cause_key(&self, key: &VerifyingKey, by: &str) -> Result<CauseKey, CoreError> {
        until_committed!(self.try_register(key, by))
    }

    async fn try_register(&self, key: &VerifyingKey, by: &str) -> Result<CauseKey, CoreError> {
        let at = place(key)?;
        if let Some(entry) = self.store.get(&at).await? {
            return decode("cause key", &entry.value);
        }
        let record = CauseKey { key: key.to_hex(), registered_by: by.to_owned(), registered: self.time.now() };
        self.store.commit(Txn::new().create(at, encode(&record)?)).await?;
        tracing::info!(keyid = key.keyid(), by, "a cause key was registered");
        Ok(record)
    }

    /// All registered cause keys, by key id.
    ///
    /// # Errors
    /// The store's.
    pub async fn cause_keys(&self) -> Result<Vec<CauseKey>, CoreError> {
        state::all(&*self.store, &keys::cause_keys(), "cause key").await
    }

    /// Opens a cause with the registered key that it names.
    async fn open_cause(&self, envelope: &Envelope) -> Result<(Cause, String), CoreError> {
        let unknown = || {
            CoreError::Precondition(
                "cause: signed by no registered key: an approver registers it with `gallra key register`".into(),
            )
        };
        let named = envelope.signatures.first().map(|signature| signature.keyid.clone()).unwrap_or_default();
        let id: Digest = named.parse().map_err(|_| unknown())?;
        let entry = self.store.get(&keys::cause_key(&id)).await?.ok_or_else(unknown)?;
        let record: CauseKey = decode("cause key", &entry.value)?;
        let key = VerifyingKey::from_hex(&record.key).map_err(|error| CoreError::Crypto(error.to_string()))?;
        let (cause, _) =
            gallra_proof::cause::open(envelope, &key).map_err(|error| CoreError::Invalid(format!("cause: {error}")))?;
        Ok((cause, named))
    }

    /// Whether a cause is of this ground, and was signed under this coordinator's clock and not after now.
    fn is_timely(&self, cause: &Cause, ground: Ground) -> Result<(), CoreError> {
        let wrong = |why: &str| CoreError::Invalid(format!("cause: {why}"));
        if cause.ground != ground || !cause.is_well_formed() {
            return Err(wrong(match ground {
                Ground::ContractEnd => "not of a contract's end",
                Ground::RollingPurge => "not of a policy's rolling purges",
            }));
        }
        if cause.clock != self.time.kind() {
            return Err(wrong("signed under another clock than this coordinator's"));
        }
        if cause.signed.as_second().saturating_sub(self.time.now().as_second()) > CLOCK_BOUND_SECONDS {
            return Err(wrong("signed in the future: compare the clocks"));
        }
        Ok(())
    }

    /// Checks the signature on a policy version that lets its rolling purges begin.
    ///
    /// # Errors
    /// [`CoreError::Invalid`], or [`CoreError::Precondition`] for a key that is not registered.
    pub async fn check_purge_cause(&self, brought: &Brought, policy: &Digest) -> Result<PolicyCause, CoreError> {
        let (cause, key) = self.open_cause(&brought.envelope).await?;
        self.is_timely(&cause, Ground::RollingPurge)?;
        if brought.salts != Salts::default() || cause.policy != Some(*policy) {
            return Err(CoreError::Invalid("cause: signed for another policy version than the one sent".into()));
        }
        let approval = Approval { by: brought.by.clone(), at: self.time.now(), key };
        Ok(PolicyCause { envelope: brought.envelope.clone(), approval })
    }

    /// Checks what somebody brings against what is known of the contract and the customer. `service` is false where the
    /// contract's identifiers may be gone already.
    ///
    /// # Errors
    /// [`CoreError::Invalid`], or [`CoreError::Precondition`] for a key that is not registered and for somebody else's cause.
    pub async fn check_cause(
        &self,
        brought: &Brought,
        ends: Ends<'_>,
        (service, ended): (bool, Option<Day>),
    ) -> Result<Checked, CoreError> {
        let (cause, key) = self.open_cause(&brought.envelope).await?;
        let now = self.time.now();
        let wrong = |why: &str| CoreError::Invalid(format!("cause: {why}"));
        self.is_timely(&cause, Ground::ContractEnd)?;
        if ended.is_some_and(|ended| cause.ended.is_some_and(|said| said != ended)) {
            return Err(wrong("signed for another last day"));
        }
        let salts = &brought.salts;
        if cause.service.is_some() != salts.service.is_some() || cause.customer.is_some() != salts.customer.is_some() {
            return Err(wrong("a salt for each id that it names, and no other"));
        }
        let about = |it: &str| CoreError::Precondition(format!("cause: about another {it} than what is known here"));
        if let Some(salt) = salts.service.filter(|_| service)
            && !self.is_about_contract(&cause, &salt, ends.contract).await?
        {
            return Err(about("service"));
        }
        if let Some(salt) = &salts.customer
            && !self.is_about_customer(&cause, salt, ends.customer).await?
        {
            return Err(about("customer"));
        }
        let approval = Approval { by: brought.by.clone(), at: now, key };
        Ok(Checked { envelope: brought.envelope.clone(), salts: brought.salts.clone(), approval })
    }

    /// Keeps what a cause says of one request, sealed under the keys of whom it is about and destroyed with them: a salt is
    /// as good as the id for whoever tests guesses. What the request does not erase is not kept, so that nobody can use it.
    ///
    /// # Errors
    /// When the identifiers were destroyed, or the store's.
    pub async fn back(
        &self,
        mut txn: Txn,
        (request, anchors): (&RequestId, &Anchors),
        ends: Ends<'_>,
        checked: &Checked,
    ) -> Result<(Txn, Approvals), CoreError> {
        let needed = needed(anchors);
        let backing = |salt| Backing { envelope: checked.envelope.clone(), salt: Some(salt) };
        let mut approvals = Approvals::default();
        if let Some(salt) = checked.salts.service.filter(|_| needed.service) {
            txn = self.seal_more(txn, &ends.contract.subject, What::Request(*request), &backing(salt)).await?;
            approvals.service = Some(checked.approval.clone());
        }
        if let Some(salt) = checked.salts.customer.filter(|_| needed.customer) {
            txn = self.seal_more(txn, &ends.customer.subject, What::Request(*request), &backing(salt)).await?;
            approvals.customer = Some(checked.approval.clone());
        }
        Ok((txn, approvals))
    }

    /// Takes the cause that a request waits for.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::Invalid`], [`CoreError::Precondition`].
    pub async fn approve_request(&self, id: &RequestId, brought: &Brought) -> Result<View, CoreError> {
        let view = until_committed!(self.try_approve(id, brought))?;
        tracing::info!(request = %id, by = brought.by, state = ?view.request.state, "a cause was taken");
        self.wake.notify_one();
        Ok(view)
    }

    async fn try_approve(&self, id: &RequestId, brought: &Brought) -> Result<View, CoreError> {
        let loaded = state::load(&*self.store, id).await?;
        let request = &loaded.view.request;
        if request.done.is_some() || request.facts.cancelled {
            return Err(CoreError::Precondition("the request is over: nothing of it is erased any more".into()));
        }
        let Some(parties) = request.about.parties() else {
            let text = "a purge is approved by signing its policy version: gallra policy apply FILE --cause-key KEY";
            return Err(CoreError::Precondition(text.into()));
        };
        let entry = self.store.get(&keys::contract(&parties.contract)).await?.ok_or(CoreError::NotFound("contract"))?;
        let contract: Contract = decode("contract", &entry.value)?;
        let (_, customer, _) = self.customer_and_siblings(&contract).await?;
        let ends = Ends { contract: &contract, customer: &customer };
        let checked = self.check_cause(brought, ends, (needed(&request.anchors).service, None)).await?;
        let (txn, approvals) = self.back(Txn::new(), (id, &request.anchors), ends, &checked).await?;
        if approvals == Approvals::default() {
            return Err(CoreError::Precondition("cause: it names nobody whose end this request carries".into()));
        }
        let (next, _) = step(&loaded.view, &Input::Approved(approvals), self.time.now())?;
        let txn = merge(txn, state::save(&*self.store, &loaded, &next).await?);
        let txn = guards::bump(&*self.store, txn, keys::guard_request(id)).await?;
        self.store.commit(txn).await?;
        Ok(next)
    }
}
