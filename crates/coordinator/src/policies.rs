//! Policies as they are kept: the versions' texts, which one is in force, which wait for their first day, and what came into
//! force after what. Which of them holds for a request is in `effective`, how one comes into force in `apply`, what it does
//! to open requests in `follow` and `changes`. Knows nothing of what a rule means.

mod apply;
pub mod changes;
mod effective;
mod follow;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use gallra_model::envelope::Envelope;
use gallra_model::request::Approval;
use gallra_model::{Day, Digest, Instant};
use gallra_policy::Policy;
use gallra_store::{Entry, keys};

use crate::core::Core;
use crate::error::{CoreError, decode};
use crate::state;

pub use apply::{Applied, Known, Standing};
pub(crate) use effective::is_over;
pub use effective::{Ruled, Supposed};
pub use follow::Following;

/// Most bytes of all packs of a policy together: ten times the largest known, and well below one transaction's bound.
pub const MAX_POLICY_BYTES: usize = 512 * 1024;
/// Most packs of one policy.
pub const MAX_PACKS: usize = 32;
/// Most versions that wait for their first day, since they are kept in one value.
pub const MAX_WAITING: usize = 32;

/// Policies that are kept read, and what they come to for contracts that had ended: reading one takes a while.
const MAX_READ: usize = 64;

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

    /// The same of one that is brought: within what is stored, and under the law.
    fn parse_bounded(&self) -> Result<Policy, CoreError> {
        let bytes: usize = self.packs.values().map(String::len).sum();
        if bytes > MAX_POLICY_BYTES || self.packs.len() > MAX_PACKS {
            return Err(CoreError::Invalid(format!("packs: at most {MAX_PACKS} and {MAX_POLICY_BYTES} bytes")));
        }
        self.parse()?.under_law().map_err(|problems| CoreError::Invalid(problems.to_string()))
    }
}

/// The policy in force, and what comes after it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(from = "StoredInForce")]
pub struct InForce {
    /// Digest of the policy in force.
    pub digest: Digest,
    /// How many came into force before it.
    pub turn: u64,
    /// Versions whose first day has not come, by that day.
    pub waiting: Vec<Waiting>,
}

/// A version that waits for its first day.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiting {
    /// Its first local day.
    pub day: Day,
    /// The version.
    pub digest: Digest,
    /// The pack's name.
    pub name: String,
    /// Who applied it: the name in the caller's certificate.
    pub by: String,
    /// When.
    pub at: Instant,
    /// Whether that approver said that its longer periods reach contracts that have ended by then.
    pub reaches_ended: bool,
}

/// As it is stored: before there were turns, the digest alone.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum StoredInForce {
    First(Digest),
    Whole(WholeInForce),
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct WholeInForce {
    digest: Digest,
    turn: u64,
    waiting: Vec<Waiting>,
}

impl From<StoredInForce> for InForce {
    fn from(stored: StoredInForce) -> Self {
        match stored {
            StoredInForce::First(digest) => Self { digest, turn: 0, waiting: Vec::new() },
            StoredInForce::Whole(WholeInForce { digest, turn, waiting }) => Self { digest, turn, waiting },
        }
    }
}

impl InForce {
    /// Whether the first day of another has come: then this one holds no more, and nobody has put that one into force yet.
    pub fn is_over(&self, today: Day) -> bool {
        self.waiting.first().is_some_and(|next| next.day <= today)
    }
}

/// One coming into force; the first, number 0, is what `init` was given, or what was in force before this was recorded.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// How many came before.
    pub turn: u64,
    /// The version.
    pub digest: Digest,
    /// The pack's name.
    pub name: String,
    /// The first day on which the pack may be in force, as it says itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Day>,
    /// The first local day on which it was in force; unset for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Day>,
    /// Who applied it: the name in the caller's certificate; `init` for the first.
    pub by: String,
    /// When that was, on the coordinator's clock.
    pub at: Instant,
    /// Whether that approver said that its longer periods reach contracts that had ended.
    pub reaches_ended: bool,
}

/// What this process has read of policies; the store says which one holds.
pub struct Rules {
    /// What `init` was given: holds until one is applied.
    first: StoredPolicy,
    first_digest: Digest,
    read: Mutex<BTreeMap<Digest, Arc<Policy>>>,
    turns: Mutex<Arc<Vec<Turn>>>,
    effective: Mutex<BTreeMap<effective::Standpoint, Arc<Policy>>>,
}

impl Rules {
    /// Rules that begin with the layout's.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] with every problem of the packs.
    pub fn new(first: StoredPolicy) -> Result<Self, CoreError> {
        let policy = Arc::new(first.parse()?);
        let first_digest = policy.digest();
        let read = Mutex::new(BTreeMap::from([(first_digest, policy)]));
        Ok(Self { first, first_digest, read, turns: Mutex::default(), effective: Mutex::default() })
    }
}

/// Keeps a value that takes long to make, within a bound.
fn remember<K: Ord, V>(known: &Mutex<BTreeMap<K, Arc<V>>>, key: K, value: &Arc<V>) {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= MAX_READ {
        known.clear();
    }
    known.insert(key, Arc::clone(value));
}

fn recall<K: Ord, V>(known: &Mutex<BTreeMap<K, Arc<V>>>, key: &K) -> Option<Arc<V>> {
    known.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
}

impl Core {
    /// The policy in force and those that wait, as the store says now; with the entry, for a write that expects it.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn in_force_as_read(&self) -> Result<(Option<Entry>, InForce), CoreError> {
        let entry = self.store.get(&keys::meta_policy()).await?;
        let first = InForce { digest: self.rules.first_digest, turn: 0, waiting: Vec::new() };
        let in_force = entry.as_ref().map_or(Ok(first), |entry| decode("policy in force", &entry.value))?;
        Ok((entry, in_force))
    }

    /// The policy in force and those that wait.
    ///
    /// # Errors
    /// The store's.
    pub async fn in_force(&self) -> Result<InForce, CoreError> {
        Ok(self.in_force_as_read().await?.1)
    }

    /// Digest of the policy in force, as the store says now.
    ///
    /// # Errors
    /// The store's.
    pub async fn policy_digest(&self) -> Result<Digest, CoreError> {
        Ok(self.in_force().await?.digest)
    }

    /// The policy in force.
    ///
    /// # Errors
    /// The store's, or when a stored policy cannot be read any more.
    pub async fn policy(&self) -> Result<Arc<Policy>, CoreError> {
        self.policy_version(&self.policy_digest().await?).await
    }

    /// One version.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], the store's, or when it cannot be read any more.
    pub async fn policy_version(&self, digest: &Digest) -> Result<Arc<Policy>, CoreError> {
        let policy = self.past_version(digest).await?;
        // A newer program may read the same text as other rules: then the old digest names nothing that it could follow.
        if policy.digest() != *digest {
            let why = "it reads as other rules than it was applied as: apply it again".to_owned();
            return Err(CoreError::Unreadable { what: "policy", why });
        }
        Ok(policy)
    }

    /// One version as this program reads its texts. What is not in force any more is followed as its texts say, whatever digest
    /// an older program gave it: nobody can apply it again.
    ///
    /// # Errors
    /// As [`Core::policy_version`].
    pub(crate) async fn past_version(&self, digest: &Digest) -> Result<Arc<Policy>, CoreError> {
        if let Some(policy) = recall(&self.rules.read, digest) {
            return Ok(policy);
        }
        let entry = self.store.get(&keys::policy(digest)).await?;
        let stored: StoredPolicy = match entry {
            Some(entry) => decode("policy", &entry.value)?,
            None if *digest == self.rules.first_digest => self.rules.first.clone(),
            None => return Err(CoreError::NotFound("policy version")),
        };
        let policy = Arc::new(stored.parse()?);
        remember(&self.rules.read, *digest, &policy);
        Ok(policy)
    }

    /// What came into force after what, up to the policy in force. Empty where only the first ever was.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn turns(&self, in_force: &InForce) -> Result<Arc<Vec<Turn>>, CoreError> {
        let known = || self.rules.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let read = Arc::clone(&*known());
        if in_force.turn == 0 || read.last().is_some_and(|last| last.turn >= in_force.turn) {
            return Ok(read);
        }
        let mut turns = (*read).clone();
        let mut range = Some(keys::policy_turns().range().starting_at(&keys::policy_turn(turns.len() as u64)));
        while let Some(next) = range {
            let page = self.store.range(&next, state::page_size()).await?;
            for entry in &page.entries {
                turns.push(decode("policy turn", &entry.value)?);
            }
            range = page.more.map(|more| next.starting_at(&more));
        }
        let turns = Arc::new(turns);
        *known() = Arc::clone(&turns);
        Ok(turns)
    }

    /// The signature under which a policy version's purges begin; none where nobody signed it.
    ///
    /// # Errors
    /// The store's.
    pub async fn purge_cause(&self, policy: &Digest) -> Result<Option<PolicyCause>, CoreError> {
        let Some(entry) = self.store.get(&keys::policy(policy)).await? else { return Ok(None) };
        Ok(decode::<StoredPolicy>("policy", &entry.value)?.cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stored_before_there_were_turns_is_read() {
        let digest = Digest::of(b"policy");
        let old = serde_json::to_vec(&digest).expect("JSON");
        let first = InForce { digest, turn: 0, waiting: Vec::new() };
        assert_eq!(decode::<InForce>("policy in force", &old).expect("reads"), first);
        let whole = serde_json::to_vec(&InForce { turn: 2, ..first.clone() }).expect("JSON");
        assert_eq!(decode::<InForce>("policy in force", &whole).expect("reads").turn, 2);
        assert!(decode::<InForce>("policy in force", b"{\"turn\":2}").is_err());
    }

    #[test]
    fn a_policy_in_force_is_over_on_the_first_day_of_the_next() {
        let digest = Digest::of(b"policy");
        let at = Instant::UNIX_EPOCH;
        let next = Waiting {
            day: Day::constant(2026, 7, 1),
            digest,
            name: "webone".into(),
            by: "bertil".into(),
            at,
            reaches_ended: false,
        };
        let in_force = InForce { digest, turn: 0, waiting: vec![next] };
        assert!(!in_force.is_over(Day::constant(2026, 6, 30)));
        assert!(in_force.is_over(Day::constant(2026, 7, 1)));
        assert!(!InForce { waiting: Vec::new(), ..in_force }.is_over(Day::MAX));
    }
}
