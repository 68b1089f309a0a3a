//! The coordinator's heart: holds store, clock, keys and fleet together, and moves one request by one input. Load, decide
//! with the pure machine, commit by compare-and-swap, and again when somebody else was faster (bounded, I10).

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use gallra_flow::request::{Effect, Input, Refused, step};
use gallra_flow::view::View;
use gallra_identity::Authority;
use gallra_model::{Day, Instant, RequestId};
use gallra_proof::key::SigningKey;
use gallra_store::epochs::Effects;
use gallra_store::{Entry, Keyring, Known, Store, StoreError, Txn, keys};
use tokio::sync::{Notify, watch};

use crate::archive::Archive;
use crate::brake::Brake;
use crate::clock::Time;
use crate::doctor::Premises;
use crate::error::CoreError;
use crate::fleet::Fleet;
use crate::guards;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::policies::{Following, Rules};
use crate::restores::StoredRestore;
use crate::signing::{Issuers, Signing};
use crate::state::{self, Loaded, StoredReceipt};

/// Tries at one change before the caller is told that too much happens at once.
pub const MAX_TRIES: u32 = 32;

/// Repeats an optimistic change until it is the one that wins, within [`MAX_TRIES`].
macro_rules! until_committed {
    ($body:expr) => {{
        let mut outcome = Err($crate::error::CoreError::Busy);
        for _ in 0..$crate::core::MAX_TRIES {
            match $body.await {
                Err($crate::error::CoreError::Store(gallra_store::StoreError::Conflict { .. })) => {}
                done => {
                    outcome = done;
                    break;
                }
            }
        }
        outcome
    }};
}
pub(crate) use until_committed;

/// Everything that the coordinator's calls and loops share. A clone shares all of it: the leader's differs in that its store
/// refuses what a deposed leader writes (decision 4).
#[derive(Clone)]
pub struct Core {
    /// All state.
    pub store: Arc<dyn Store>,
    /// Finished requests that left the store: [`Core::store`] reads them as if they had not.
    pub archive: Arc<Archive>,
    /// Which schema it is in, as far as this process knows.
    pub schema: Arc<Known>,
    /// Seals, blind indexes and pseudonyms.
    pub keyring: Arc<Keyring>,
    /// What turning a key epoch does beside transactions.
    pub effects: Arc<dyn Effects>,
    /// The policies that this process has read.
    pub rules: Arc<Rules>,
    /// How far all open requests were looked at under the policy in force.
    pub followed: Arc<Mutex<Following>>,
    /// The local day on which it was last looked whether instructions' first days have come.
    pub instructed: Arc<Mutex<Option<Day>>>,
    /// When no target was concerned by a rolling purge, and on which day: not looked at again for a while.
    pub unconcerned: Arc<Mutex<Option<(Day, Instant)>>>,
    /// Contracts that may end on one local day before the brake pulls the emergency stop.
    pub brake_ends_per_day: u32,
    /// Ends that this process has counted ahead.
    pub brake: Arc<Brake>,
    /// Held while an address is recorded.
    pub recording: Arc<tokio::sync::Mutex<()>>,
    /// Signs what the coordinator says.
    pub issuer: Arc<Issuers>,
    /// Which keys may sign what.
    pub signing: Arc<Signing>,
    /// Signs permits.
    pub permits: Arc<SigningKey>,
    /// The transparency log that is in force.
    pub ledger: Ledger,
    /// Logs that ended before it, oldest first: they are read, and nothing more of them is signed.
    pub ended: Arc<[Ledger]>,
    /// Signs certificates.
    pub authority: Arc<Authority>,
    /// The time.
    pub time: Arc<Time>,
    /// What is beside the store that `gallra doctor` looks at.
    pub premises: Arc<Premises>,
    /// The stored generation (decision 4).
    pub generation: u64,
    /// This process's id among several coordinators on the store; unset where it is the only one.
    pub replica: Option<Arc<str>>,
    /// Whether this process leads, as far as it knows.
    pub leads: Arc<AtomicBool>,
    /// Becomes true when this process is told to stop: open streams end at once, so that agents find another coordinator.
    pub stopping: Arc<watch::Sender<bool>>,
    /// Who is connected here.
    pub fleet: Arc<Fleet>,
    /// What is counted here.
    pub metrics: Arc<Metrics>,
    /// Wakes the leader's loop.
    pub wake: Arc<Notify>,
    /// Held by whoever passes over due requests, so that two passes never plan the same one.
    pub leading: Arc<tokio::sync::Mutex<()>>,
    /// Where agents open sessions: https URL.
    pub session_address: String,
    /// Where the other coordinators on the store open them: https URLs.
    pub other_session_addresses: Arc<[String]>,
    /// Where hosts enrol: https URL.
    pub enrolment_address: String,
}

/// What goes along with a request's change in the same transaction.
#[derive(Default)]
pub struct Along {
    /// Writes and expectations of the caller's own.
    pub txn: Txn,
    /// A receipt that arrives with the change: evidence for a proof issued in it.
    pub receipt: Option<StoredReceipt>,
    /// The same of a restore.
    pub restore: Option<StoredRestore>,
}

/// A request as it was read to be moved.
pub(crate) struct ToMove {
    pub(crate) loaded: Loaded,
    /// The newest hold at that time.
    holds: Option<Entry>,
}

impl Core {
    /// Moves a request by one input, and issues a proof in the same transaction when one is due.
    ///
    /// # Errors
    /// The machine's refusal, a conflict in `along`'s expectations, or the store's.
    pub async fn apply<F>(&self, id: &RequestId, input: &Input, along: F) -> Result<View, CoreError>
    where
        F: Fn(&View) -> Result<Along, CoreError> + Send + Sync,
    {
        for _ in 0..MAX_TRIES {
            match self.move_once(self.to_move(id).await?, input, &along).await {
                // While keys are changed nothing that they signed is taken: each try would be in vain.
                Err(CoreError::Store(StoreError::Conflict { .. })) => {
                    self.signing.settled().await;
                }
                done => return done,
            }
        }
        Err(CoreError::Busy)
    }

    /// Reads a request to move it. What is read after this is at least as new: who moved the request since makes
    /// [`Core::move_once`] fail.
    pub(crate) async fn to_move(&self, id: &RequestId) -> Result<ToMove, CoreError> {
        let mut loaded = state::load(&*self.store, id).await?;
        // Read before the guards: a hold that is placed from here on makes a final proof's transaction fail.
        let holds = self.store.get(&keys::guard_any_hold()).await?;
        loaded.view.request.facts.held = guards::is_held(&*self.store, &loaded.view).await?;
        Ok(ToMove { loaded, holds })
    }

    /// One try of [`Core::apply`].
    ///
    /// # Errors
    /// A conflict, where somebody was faster: to be read again.
    pub(crate) async fn move_once<F>(
        &self,
        ToMove { loaded, holds }: ToMove,
        input: &Input,
        along: F,
    ) -> Result<View, CoreError>
    where
        F: Fn(&View) -> Result<Along, CoreError> + Send + Sync,
    {
        let (id, now) = (loaded.view.request.id, self.time.now());
        let (next, effects) = step(&loaded.view, input, now)?;
        let along = along(&loaded.view)?;
        let considered = if effects.contains(&Effect::ConsiderProof) {
            self.consider_proof(&loaded, &next, &along, now).await
        } else {
            Ok(None)
        };
        // What would show somebody is not signed, and the request stays open: whoever runs this has to look.
        let (issued, unsigned) = match considered {
            Err(CoreError::Leak(leak)) => (None, self.note_unsigned(Txn::new(), &id, ("proof", &leak)).await?),
            considered => (considered?, Txn::new()),
        };
        let proved = issued.as_ref().map(|issued| issued.stored.stage);
        let (next, mut txn) = match issued {
            Some(issued) => (issued.view.clone(), self.with_proof(&loaded, issued, holds.as_ref(), along.txn).await?),
            None => {
                let txn = state::save(&*self.store, &loaded, &next).await?;
                (next, merge(merge(txn, along.txn), unsigned))
            }
        };
        if next.request.done.is_some() && loaded.view.request.done.is_none() {
            txn = self.forget(&next, txn).await?;
        }
        if next.request.facts.cancelled {
            txn = self.withdraw_code(&id, txn).await?;
        }
        self.store.commit(txn).await?;
        if let Some(stage) = proved {
            self.metrics.proved(stage.as_str());
            self.proved(&next, next.request.proofs, stage);
        }
        self.wake.notify_one();
        Ok(next)
    }

    /// Moves a request by one input with nothing along.
    ///
    /// # Errors
    /// As [`Core::apply`].
    pub async fn move_request(&self, id: &RequestId, input: &Input) -> Result<View, CoreError> {
        self.apply(id, input, |_| Ok(Along::default())).await
    }

    async fn with_proof(
        &self,
        loaded: &Loaded,
        issued: crate::issue::Issued,
        holds: Option<&Entry>,
        along: Txn,
    ) -> Result<Txn, CoreError> {
        let mut txn = state::save(&*self.store, loaded, &issued.view).await?;
        if issued.stored.stage.is_final() {
            txn = txn.expect_as_read(&keys::guard_any_hold(), holds);
        }
        let key = keys::proof(&issued.view.request.id, issued.view.request.proofs);
        let txn = merge(txn.create(key, crate::error::encode(&issued.stored)?), issued.along);
        Ok(merge(txn, along))
    }
}

/// Two transactions as one.
pub fn merge(into: Txn, from: Txn) -> Txn {
    let txn = from.expects().iter().fold(into, |txn, (key, expect)| txn.expect(key.clone(), *expect));
    from.writes().iter().fold(txn, |txn, write| match write {
        gallra_store::txn::Write::Put { key, value } => txn.put(key.clone(), value.clone()),
        gallra_store::txn::Write::Delete { key } => txn.delete(key.clone()),
    })
}

/// Random bytes for ids.
///
/// # Errors
/// When the operating system gives none.
pub fn random<const N: usize>() -> Result<[u8; N], CoreError> {
    let mut bytes = [0; N];
    gallra_random::fill(&mut bytes).map_err(|_| CoreError::Crypto("no randomness to be had".into()))?;
    Ok(bytes)
}

impl From<Refused> for CoreError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NoSuchJob => Self::NotFound("job"),
            Refused::OtherAnchors => Self::Outdated,
            Refused::NotASuccessor | Refused::Done | Refused::Cancelled | Refused::Job(_) => {
                Self::Precondition(refused.to_string())
            }
        }
    }
}
