//! How a policy comes into force: at once, or on its first day by the leader's pass, in one transaction with the bump of the
//! global guard. A permit reads what is in force after its guards, so an erasure is never begun under rules that were
//! replaced, nor after midnight under rules whose time is over (I1).

use std::sync::Arc;

use gallra_model::hold::Level;
use gallra_model::time::day_of;
use gallra_model::{Day, Digest, Instant};
use gallra_policy::Policy;
use gallra_store::{Entry, Txn, keys};

use super::{InForce, MAX_WAITING, StoredPolicy, Turn, Waiting, remember};
use crate::causes::Brought;
use crate::core::{Core, until_committed};
use crate::error::{CoreError, decode, encode};
use crate::guards;

/// What came of applying a policy.
pub struct Applied {
    /// The policy.
    pub policy: Policy,
    /// Jobs that change data and had their permit before: they stop at their next item.
    pub begun: usize,
    /// Whether it is signed for rolling purges, now or before.
    pub purges: bool,
    /// The first day that it waits for; unset where it is in force.
    pub waits_for: Option<Day>,
}

/// One version, or one coming into force of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The version.
    pub digest: Digest,
    /// The pack's name.
    pub name: String,
    /// The first local day on which it is or was in force; unset for the first.
    pub since: Option<Day>,
    /// Whether it holds.
    pub standing: Standing,
    /// Who applied it.
    pub by: String,
    /// When.
    pub at: Instant,
    /// Whether its longer periods reach contracts that had ended.
    pub reaches_ended: bool,
    /// Whether it is signed for rolling purges.
    pub purges: bool,
}

/// Whether a version holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Others came after it.
    Past,
    /// It holds.
    InForce,
    /// Its first day has not come.
    Waiting,
}

impl Standing {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Past => "past",
            Self::InForce => "in-force",
            Self::Waiting => "waiting",
        }
    }
}

/// What one transaction did.
struct Done {
    purges: bool,
    waits_for: Option<Day>,
}

impl Core {
    /// Puts a policy into force, or lets it wait for its first day. Requests whose data has not begun to go are planned anew;
    /// the others go on if it would do the same, and wait for somebody otherwise.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] with every problem of the packs, or for a cause that does not fit;
    /// [`CoreError::Precondition`] where another version has its name and its first day.
    pub async fn apply_policy(&self, stored: StoredPolicy, cause: Option<&Brought>) -> Result<Applied, CoreError> {
        self.apply_policy_to(stored, cause, false).await
    }

    /// The same. `reaches_ended`: its longer periods reach contracts that have ended by then, as this approver says
    /// (combination rule 9).
    ///
    /// # Errors
    /// As [`Core::apply_policy`].
    pub async fn apply_policy_to(
        &self,
        stored: StoredPolicy,
        cause: Option<&Brought>,
        reaches_ended: bool,
    ) -> Result<Applied, CoreError> {
        let policy = stored.parse_bounded()?;
        let cause = match cause {
            Some(cause) => Some(self.check_purge_cause(cause, &policy.digest()).await?),
            None => None,
        };
        let stored = StoredPolicy { cause, ..stored };
        remember(&self.rules.read, policy.digest(), &Arc::new(policy.clone()));
        // What came before it in time comes before it in turn.
        self.put_in_force().await?;
        let done = until_committed!(self.try_apply_policy(&stored, &policy, reaches_ended))?;
        tracing::info!(digest = %policy.digest(), by = stored.by, waits = done.waits_for.is_some(), "a policy was applied");
        // A purge that waits for this signature goes on. The policy holds whatever becomes of that.
        if let Err(error) = self.approve_newest_purge().await {
            tracing::warn!(%error, "the purge of the day could not be looked at; it is at the next pass");
        }
        self.wake.notify_one();
        let begun = if done.waits_for.is_none() { self.begun_under(&Level::Global).await? } else { 0 };
        Ok(Applied { policy, begun, purges: done.purges, waits_for: done.waits_for })
    }

    async fn try_apply_policy(
        &self,
        stored: &StoredPolicy,
        policy: &Policy,
        reaches_ended: bool,
    ) -> Result<Done, CoreError> {
        let (digest, today) = (policy.digest(), day_of(self.time.now()));
        let (entry, in_force) = self.in_force_as_read().await?;
        self.refuse_a_double(&in_force, policy).await?;
        let (txn, purges) = self.keep_version(Txn::new(), stored, &digest).await?;
        let (next, txn) = match policy.valid_from().filter(|first| *first > today) {
            Some(day) => {
                let waiting = Waiting {
                    day,
                    digest,
                    name: policy.name().to_owned(),
                    by: stored.by.clone(),
                    at: self.time.now(),
                    reaches_ended,
                };
                (wait(in_force, waiting)?, txn)
            }
            None => {
                let before = self.turns(&in_force).await?;
                let reached = before.last().is_some_and(|last| last.reaches_ended);
                if in_force.digest == digest && (reached || !reaches_ended) {
                    (in_force, txn)
                } else {
                    let turn = Turn {
                        turn: in_force.turn + 1,
                        digest,
                        name: policy.name().to_owned(),
                        valid_from: policy.valid_from(),
                        since: Some(not_before(&before, today)),
                        by: stored.by.clone(),
                        at: self.time.now(),
                        reaches_ended,
                    };
                    let txn = self.with_turn(txn, &in_force, &turn).await?;
                    (InForce { digest, turn: turn.turn, waiting: in_force.waiting }, txn)
                }
            }
        };
        let waits_for = next.waiting.iter().find(|waiting| waiting.digest == digest).map(|waiting| waiting.day);
        self.commit_in_force(txn, entry.as_ref(), &next).await?;
        Ok(Done { purges, waits_for })
    }

    /// Commits what is in force from now on, with the bump of the global guard.
    async fn commit_in_force(&self, txn: Txn, before: Option<&Entry>, next: &InForce) -> Result<(), CoreError> {
        let at = keys::meta_policy();
        let txn = txn.expect_as_read(&at, before).put(at, encode(next)?);
        let txn = guards::bump(&*self.store, txn, keys::guard_global()).await?;
        self.store.commit(txn).await?;
        Ok(())
    }

    /// Adds a coming into force; with the first one also what was in force before it, since contracts that ended then go on
    /// under it.
    async fn with_turn(&self, txn: Txn, in_force: &InForce, turn: &Turn) -> Result<Txn, CoreError> {
        let txn = txn.create(keys::policy_turn(turn.turn), encode(turn)?);
        if in_force.turn > 0 {
            return Ok(txn);
        }
        let first = self.past_version(&in_force.digest).await?;
        let before = Turn {
            turn: 0,
            digest: in_force.digest,
            name: first.name().to_owned(),
            valid_from: first.valid_from(),
            since: None,
            by: "init".to_owned(),
            at: self.time.now(),
            reaches_ended: false,
        };
        let txn = txn.create(keys::policy_turn(0), encode(&before)?);
        // The packs in the coordinator's directory may be other ones some day.
        let at = keys::policy(&in_force.digest);
        let known = in_force.digest == turn.digest || self.store.get(&at).await?.is_some();
        Ok(if known { txn } else { txn.create(at, encode(&self.rules.first)?) })
    }

    /// Adds the version's texts; and whether it is signed for rolling purges, then.
    async fn keep_version(&self, txn: Txn, stored: &StoredPolicy, digest: &Digest) -> Result<(Txn, bool), CoreError> {
        let at = keys::policy(digest);
        Ok(match self.store.get(&at).await? {
            None => (txn.create(at, encode(stored)?), stored.cause.is_some()),
            // The same rules again: who applied them first, and the texts as they were then, stay on record.
            Some(entry) => {
                let first: StoredPolicy = decode("policy", &entry.value)?;
                let cause = stored.cause.clone().or(first.cause.clone());
                let purges = cause.is_some();
                (txn.replace(&entry, encode(&StoredPolicy { cause, ..first })?), purges)
            }
        })
    }

    /// Two versions of one name and first day: nobody could say which is in force.
    async fn refuse_a_double(&self, in_force: &InForce, policy: &Policy) -> Result<(), CoreError> {
        let Some(day) = policy.valid_from() else { return Ok(()) };
        let turns = self.turns(in_force).await?;
        let past = turns.iter().map(|turn| (turn.name.as_str(), turn.valid_from, turn.digest));
        let waiting = in_force.waiting.iter().map(|next| (next.name.as_str(), Some(next.day), next.digest));
        // Before the first was ever replaced there is no turn of it.
        let now = self.past_version(&in_force.digest).await?;
        let now = [(now.name(), now.valid_from(), in_force.digest)];
        let double = |(name, first, digest): (&str, Option<Day>, Digest)| {
            name == policy.name() && first == Some(day) && digest != policy.digest()
        };
        if past.chain(waiting).chain(now).any(double) {
            return Err(CoreError::Precondition(format!(
                "{}: another version of this name has the first day {day}, and nobody could say which is in force: give \
                 this one another valid_from, or withdraw the other while it waits",
                policy.name()
            )));
        }
        Ok(())
    }

    /// Puts into force what waited for today or an earlier day, one after another. Returns how many there were.
    ///
    /// # Errors
    /// The store's.
    pub async fn put_in_force(&self) -> Result<usize, CoreError> {
        let mut done = 0;
        while let Some(digest) = until_committed!(self.try_put_in_force())? {
            tracing::info!(%digest, "the first day of a policy has come: it is in force");
            done += 1;
        }
        Ok(done)
    }

    async fn try_put_in_force(&self) -> Result<Option<Digest>, CoreError> {
        let (entry, in_force) = self.in_force_as_read().await?;
        if !in_force.is_over(day_of(self.time.now())) {
            return Ok(None);
        }
        let Some((next, later)) = in_force.waiting.split_first() else { return Ok(None) };
        let before = self.turns(&in_force).await?;
        let turn = Turn {
            turn: in_force.turn + 1,
            digest: next.digest,
            name: next.name.clone(),
            valid_from: Some(next.day),
            since: Some(not_before(&before, next.day)),
            by: next.by.clone(),
            at: next.at,
            reaches_ended: next.reaches_ended,
        };
        let txn = self.with_turn(Txn::new(), &in_force, &turn).await?;
        let after = InForce { digest: next.digest, turn: turn.turn, waiting: later.to_vec() };
        self.commit_in_force(txn, entry.as_ref(), &after).await?;
        Ok(Some(next.digest))
    }

    /// Withdraws a version while it waits.
    ///
    /// # Errors
    /// [`CoreError::NotFound`] where none of that digest waits.
    pub async fn withdraw_policy(&self, digest: &Digest, by: &str) -> Result<Known, CoreError> {
        self.put_in_force().await?;
        let waiting = until_committed!(self.try_withdraw(digest))?;
        tracing::info!(%digest, by, "a waiting policy was withdrawn");
        let purges = self.purge_cause(digest).await?.is_some();
        Ok(waiting_known(&waiting, purges))
    }

    async fn try_withdraw(&self, digest: &Digest) -> Result<Waiting, CoreError> {
        let (entry, mut in_force) = self.in_force_as_read().await?;
        let at = in_force.waiting.iter().position(|waiting| waiting.digest == *digest);
        let at = at.ok_or(CoreError::NotFound("waiting policy version"))?;
        let waiting = in_force.waiting.remove(at);
        self.commit_in_force(Txn::new(), entry.as_ref(), &in_force).await?;
        Ok(waiting)
    }

    /// Every coming into force, oldest first, and then what waits.
    ///
    /// # Errors
    /// The store's.
    pub async fn list_policies(&self) -> Result<Vec<Known>, CoreError> {
        let in_force = self.in_force().await?;
        let turns = self.turns(&in_force).await?;
        let mut all = Vec::with_capacity(turns.len() + 1);
        if turns.is_empty() {
            let first = self.past_version(&in_force.digest).await?;
            all.push(self.first_known(in_force.digest, &first).await?);
        }
        for turn in turns.iter() {
            let now = turn.turn == in_force.turn;
            all.push(Known {
                digest: turn.digest,
                name: turn.name.clone(),
                since: turn.since,
                standing: if now { Standing::InForce } else { Standing::Past },
                by: turn.by.clone(),
                at: turn.at,
                reaches_ended: turn.reaches_ended,
                purges: self.purge_cause(&turn.digest).await?.is_some(),
            });
        }
        for waiting in &in_force.waiting {
            all.push(waiting_known(waiting, self.purge_cause(&waiting.digest).await?.is_some()));
        }
        Ok(all)
    }

    async fn first_known(&self, digest: Digest, first: &Arc<Policy>) -> Result<Known, CoreError> {
        Ok(Known {
            digest,
            name: first.name().to_owned(),
            since: None,
            standing: Standing::InForce,
            by: "init".to_owned(),
            at: self.rules.first.at,
            reaches_ended: false,
            purges: self.purge_cause(&digest).await?.is_some(),
        })
    }
}

fn waiting_known(waiting: &Waiting, purges: bool) -> Known {
    Known {
        digest: waiting.digest,
        name: waiting.name.clone(),
        since: Some(waiting.day),
        standing: Standing::Waiting,
        by: waiting.by.clone(),
        at: waiting.at,
        reaches_ended: waiting.reaches_ended,
        purges,
    }
}

/// A version's first day in force: never before that of the one that it comes after, wherever the clock stood then.
fn not_before(turns: &[Turn], day: Day) -> Day {
    turns.last().and_then(|last| last.since).map_or(day, |last| last.max(day))
}

/// Adds a version to those that wait; the same one again is who applied it last.
fn wait(mut in_force: InForce, waiting: Waiting) -> Result<InForce, CoreError> {
    in_force.waiting.retain(|other| other.digest != waiting.digest);
    if in_force.waiting.len() >= MAX_WAITING {
        let text = format!("at most {MAX_WAITING} versions wait for their day: withdraw one first");
        return Err(CoreError::Precondition(text));
    }
    in_force.waiting.push(waiting);
    // Those of one day, which have different names, in the order in which they were applied.
    in_force.waiting.sort_by_key(|waiting| waiting.day);
    Ok(in_force)
}
