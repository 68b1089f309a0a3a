//! The policy in force: the newest that an approver applied, else the one that `init` was given. Applying one is one
//! transaction with the bump of the global guard, and a permit reads the digest from the store after its guards, so an
//! erasure is never begun under rules that were replaced (I1). Knows nothing of what a rule means.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use gallra_model::envelope::Envelope;
use gallra_model::hold::Level;
use gallra_model::request::Approval;
use gallra_model::{Digest, Instant};
use gallra_policy::Policy;
use gallra_store::{Store, Txn, keys};

use crate::causes::Brought;
use crate::core::{Core, until_committed};
use crate::error::{CoreError, decode, encode};
use crate::guards;

/// Most bytes of all packs of a policy together: ten times the largest known, and well below one transaction's bound.
pub const MAX_POLICY_BYTES: usize = 512 * 1024;
/// Most packs of one policy.
pub const MAX_PACKS: usize = 32;

/// A policy as it was given: the packs' exact texts.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredPolicy {
    /// The pack that includes the others.
    pub name: String,
    /// Texts by the packs' names, that one among them.
    pub packs: BTreeMap<String, String>,
    /// Who applied it: the name in the caller's certificate.
    pub by: String,
    /// When, on the coordinator's clock.
    pub at: Instant,
    /// The approver's signature on this version; none means that nothing is purged by age under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<PolicyCause>,
}

/// The signature that lets the rolling purges of one policy version begin (decision 2).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyCause {
    /// Signed with a registered cause key. What counts is whether the hosts trust it, too.
    pub envelope: Envelope,
    /// Who brought it, and when.
    pub approval: Approval,
}

impl StoredPolicy {
    /// Checks it whole.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] with every problem.
    pub fn parse(&self) -> Result<Policy, CoreError> {
        let text =
            self.packs.get(&self.name).ok_or_else(|| CoreError::Invalid("packs: the named one is missing".into()))?;
        Policy::parse(&self.name, text, |include: &str| self.packs.get(include).cloned())
            .map_err(|problems| CoreError::Invalid(problems.to_string()))
    }
}

/// What came of applying a policy.
pub struct Applied {
    /// The policy.
    pub policy: Policy,
    /// Jobs that change data and had their permit before: they stop at their next item.
    pub begun: usize,
    /// Whether it is signed for rolling purges, now or before.
    pub purges: bool,
}

/// The policy that this process has read last; the store says which one holds.
pub struct Rules {
    /// What `init` was given: holds until one is applied.
    first: Arc<Policy>,
    read: RwLock<Arc<Policy>>,
}

impl Rules {
    /// Rules that begin with the layout's.
    pub fn new(first: Policy) -> Self {
        let first = Arc::new(first);
        Self { read: RwLock::new(Arc::clone(&first)), first }
    }

    fn known(&self, digest: &Digest) -> Option<Arc<Policy>> {
        let read = Arc::clone(&self.read.read().unwrap_or_else(PoisonError::into_inner));
        [read, Arc::clone(&self.first)].into_iter().find(|policy| policy.digest() == *digest)
    }
}

impl Core {
    /// Digest of the policy in force, as the store says now.
    ///
    /// # Errors
    /// The store's.
    pub async fn policy_digest(&self) -> Result<Digest, CoreError> {
        let entry = self.store.get(&keys::meta_policy()).await?;
        entry.map_or_else(|| Ok(self.rules.first.digest()), |entry| decode("policy in force", &entry.value))
    }

    /// The policy in force.
    ///
    /// # Errors
    /// The store's, or when a stored policy cannot be read any more.
    pub async fn policy(&self) -> Result<Arc<Policy>, CoreError> {
        let digest = self.policy_digest().await?;
        if let Some(policy) = self.rules.known(&digest) {
            return Ok(policy);
        }
        let policy = Arc::new(read(&*self.store, &digest).await?);
        *self.rules.read.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&policy);
        Ok(policy)
    }

    /// Puts a policy into force. Requests whose data has not begun to go are planned anew; the others go on if it would do
    /// the same, and wait for somebody otherwise.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] with every problem of the packs, or for a cause that does not fit.
    pub async fn apply_policy(&self, stored: StoredPolicy, cause: Option<&Brought>) -> Result<Applied, CoreError> {
        let bytes: usize = stored.packs.values().map(String::len).sum();
        if bytes > MAX_POLICY_BYTES || stored.packs.len() > MAX_PACKS {
            return Err(CoreError::Invalid(format!("packs: at most {MAX_PACKS} and {MAX_POLICY_BYTES} bytes")));
        }
        let policy = stored.parse()?;
        let cause = match cause {
            Some(cause) => Some(self.check_purge_cause(cause, &policy.digest()).await?),
            None => None,
        };
        let stored = StoredPolicy { cause, ..stored };
        let purges = until_committed!(self.try_apply_policy(&stored, &policy.digest()))?;
        tracing::info!(digest = %policy.digest(), by = stored.by, "a policy was applied");
        // A purge that waits for this signature goes on. The policy holds whatever becomes of that.
        if let Err(error) = self.approve_newest_purge().await {
            tracing::warn!(%error, "the purge of the day could not be looked at; it is at the next pass");
        }
        self.wake.notify_one();
        Ok(Applied { policy, begun: self.begun_under(&Level::Global).await?, purges })
    }

    /// Whether the version is signed for rolling purges, then.
    async fn try_apply_policy(&self, stored: &StoredPolicy, digest: &Digest) -> Result<bool, CoreError> {
        let at = keys::policy(digest);
        let txn = Txn::new().put(keys::meta_policy(), encode(digest)?);
        let (txn, purges) = match self.store.get(&at).await? {
            None => (txn.create(at, encode(stored)?), stored.cause.is_some()),
            // The same rules again: who applied them first, and the texts as they were then, stay on record.
            Some(entry) => {
                let first: StoredPolicy = decode("policy", &entry.value)?;
                let cause = stored.cause.clone().or(first.cause.clone());
                let purges = cause.is_some();
                (txn.replace(&entry, encode(&StoredPolicy { cause, ..first })?), purges)
            }
        };
        let txn = guards::bump(&*self.store, txn, keys::guard_global()).await?;
        self.store.commit(txn).await?;
        Ok(purges)
    }

    /// The signature under which a policy version's purges begin; none where nobody signed it.
    ///
    /// # Errors
    /// The store's.
    pub async fn purge_cause(&self, policy: &Digest) -> Result<Option<PolicyCause>, CoreError> {
        let Some(entry) = self.store.get(&keys::policy(policy)).await? else { return Ok(None) };
        Ok(decode::<StoredPolicy>("policy", &entry.value)?.cause)
    }

    /// Looks at every open request that was planned under another policy than the one in force. Returns how many there were.
    ///
    /// # Errors
    /// The store's; one request's trouble is logged, and its plan permits nothing until it is looked at again.
    pub async fn follow_policy(&self) -> Result<usize, CoreError> {
        let digest = self.policy_digest().await?;
        let followed = || self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if *followed() == Some(digest) {
            return Ok(0);
        }
        let behind = self
            .open_requests(|request| {
                let behind = request.planned_under != Some(digest) || request.facts.legal_review;
                request.plan.is_some() && !request.facts.cancelled && behind
            })
            .await?;
        for request in &behind {
            if let Err(error) = self.replan(request).await {
                tracing::warn!(%request, %error, "no plan could be made under the policy in force");
            }
        }
        *followed() = Some(digest);
        Ok(behind.len())
    }
}

async fn read(store: &dyn Store, digest: &Digest) -> Result<Policy, CoreError> {
    let entry = store.get(&keys::policy(digest)).await?.ok_or(CoreError::NotFound("policy in force"))?;
    let stored: StoredPolicy = decode("policy", &entry.value)?;
    let policy = stored.parse()?;
    // A newer program may read the same text as other rules: then the old digest names nothing that it could follow.
    if policy.digest() == *digest {
        Ok(policy)
    } else {
        let why = "it reads as other rules than it was applied as: apply it again".to_owned();
        Err(CoreError::Unreadable { what: "policy", why })
    }
}
