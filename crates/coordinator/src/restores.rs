//! What agents say of restores: taken as receipts are, entered for the request whose erasure the restored copy undid, and said in
//! that request's proof from then on. Owns whose restore it is, and that one that nobody can place is refused with a reason. Refuses
//! to know what was erased again. Upholds I5: while something that came back is not said to be gone again, no proof is final.

use gallra_flow::request::Input;
use gallra_flow::view::View;
use gallra_model::envelope::Envelope;
use gallra_model::restore::{Restore, came_back, standing};
use gallra_model::statement::Type;
use gallra_model::target::TargetId;
use gallra_model::{AgentName, Digest, Instant, RequestId};
use gallra_proof::key::VerifyingKey;
use gallra_store::{StoreError, Txn, keys};
use serde::{Deserialize, Serialize};

use crate::asked::{crypto, digest_of};
use crate::core::{Along, Core, MAX_TRIES};
use crate::entered::{Turn, enter};
use crate::error::{CoreError, decode, encode};
use crate::state;

/// Most statements about restores in one request. Each is a command that somebody typed on a host: far more than there are copies
/// to restore, and far below what a proof carries.
pub const MOST_RESTORES: usize = 1_000;

/// Whose erasure an entry of a suppression list was. Names nobody, and stays when the entry goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Erasure {
    pub(crate) request: RequestId,
    pub(crate) agent: AgentName,
    pub(crate) target: TargetId,
}

/// A restore as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredRestore {
    /// When it was stored, on the coordinator's clock.
    pub stored: Instant,
    /// SHA-256 of its payload.
    pub digest: Digest,
    /// Its turn in the log: of one request's restores and copy sets each comes after those that were stored before it.
    pub turn: Instant,
    /// The signed bytes.
    pub envelope: Envelope,
}

/// Why a restore is not taken, now or later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another key's, or in no form that a verifier reads.
    #[error("it is no restore that this agent's evidence key signed: {0}")]
    Form(String),
    /// Of another agent.
    #[error("it names another agent")]
    OtherAgent,
    /// Made up, or issued by a coordinator that was restored since from a backup of before.
    #[error("it names no entry of a suppression list that this coordinator issued")]
    NoEntry,
    /// Of another agent's list, or another target's.
    #[error("its entry is of another agent's list, or of another target")]
    OtherPlace,
    /// No proof of this coordinator's could carry it.
    #[error("it stands under another clock than this coordinator")]
    OtherClock,
    /// The plan that stands does not have this.
    #[error("the request's plan has no such target of this kind")]
    NoTarget,
    /// It was kept, sealed, and the request says so.
    #[error("it shows who its request is about")]
    Shows,
    /// Beyond [`MOST_RESTORES`].
    #[error("its request has as many restores as one can have")]
    TooMany,
}

/// Opened restores that stand, with their turns, in the log's order.
pub(crate) type Standing = Vec<(Instant, Digest, Restore)>;

impl Core {
    /// Takes a restore. Gives its digest once it is durable, also where it was stored before, or why it never will be.
    ///
    /// # Errors
    /// The store's, and what is wrong on this side: it may be taken later.
    pub async fn take_restore(
        &self,
        agent: &AgentName,
        envelope: &Envelope,
    ) -> Result<(Digest, Result<(), Refusal>), CoreError> {
        let digest = digest_of(envelope)?;
        let taken = self.placed_restore(agent, envelope).await?;
        let (restore, erasure) = match taken {
            Ok(placed) => placed,
            Err(refusal) => {
                tracing::error!(%agent, statement = %digest, %refusal, "a restore is refused: no proof says it");
                return Ok((digest, Err(refusal)));
            }
        };
        for _ in 0..MAX_TRIES {
            match self.try_restored(&erasure.request, &restore, (envelope, digest)).await {
                Err(CoreError::Store(StoreError::Conflict { .. })) => {
                    self.signing.settled().await;
                }
                Ok(Err(refusal)) => {
                    let request = erasure.request;
                    tracing::error!(%request, %agent, statement = %digest, %refusal, "a restore is refused: no proof says it");
                    return Ok((digest, Err(refusal)));
                }
                done => return done.map(|taken| (digest, taken)),
            }
        }
        Err(CoreError::Busy)
    }

    /// What an agent said, and whose erasure it is about.
    async fn placed_restore(
        &self,
        agent: &AgentName,
        envelope: &Envelope,
    ) -> Result<Result<(Restore, Erasure), Refusal>, CoreError> {
        self.check_key_of(agent).await?;
        let key = VerifyingKey::from_hex(&self.agent(agent).await?.evidence_key).map_err(crypto)?;
        let restore = match gallra_proof::restore::open(envelope, &key) {
            Ok((restore, _)) => restore,
            Err(error) => return Ok(Err(Refusal::Form(error.to_string()))),
        };
        if restore.agent != *agent {
            return Ok(Err(Refusal::OtherAgent));
        }
        let Some(entry) = self.store.get(&keys::suppression_entry(&restore.entry)).await? else {
            return Ok(Err(Refusal::NoEntry));
        };
        let erasure: Erasure = decode("suppression entry's erasure", &entry.value)?;
        if (&erasure.agent, &erasure.target) != (&restore.agent, &restore.target) {
            return Ok(Err(Refusal::OtherPlace));
        }
        if restore.clock != self.time.kind() {
            return Ok(Err(Refusal::OtherClock));
        }
        Ok(Ok((restore, erasure)))
    }

    async fn try_restored(
        &self,
        id: &RequestId,
        restore: &Restore,
        (envelope, digest): (&Envelope, Digest),
    ) -> Result<Result<(), Refusal>, CoreError> {
        // Read first: whoever adds to the tail of this request's proof meanwhile moves the request, and this fails.
        let request = self.to_move(id).await?;
        let at = keys::restore(id, &digest);
        if self.store.get(&at).await?.is_some() {
            return Ok(Ok(()));
        }
        if !has_target(&request.loaded.view, restore) {
            return Ok(Err(Refusal::NoTarget));
        }
        if self.shows_somebody(id, (envelope, digest), Type::Restore).await? {
            // No proof carries it, and none is final while what it says is so.
            let open = request.loaded.view.request.facts.came_back || !restore.is_gone_again();
            self.move_request(id, &Input::Restored { came_back: open }).await?;
            return Ok(Err(Refusal::Shows));
        }
        let before = self.restores(id).await?;
        if before.len() >= MOST_RESTORES {
            return Ok(Err(Refusal::TooMany));
        }
        let now = self.time.now();
        let set = self.copy_sets_turn(id).await?;
        let turn = Turn::after(now, 2).behind(before.last().map(|last| last.turn).max(set));
        let stored = StoredRestore { stored: now, digest, turn: turn.at(), envelope: envelope.clone() };
        let txn = enter(Txn::new(), envelope, Type::Restore, Some(*id), turn)?.put(at, encode(&stored)?);
        let mut said = opened(&before)?;
        said.push(restore.clone());
        let input = Input::Restored { came_back: came_back(&said) };
        let along = |_: &View| Ok(Along { txn: txn.clone(), restore: Some(stored.clone()), ..Along::default() });
        self.move_once(request, &input, along).await?;
        if restore.is_gone_again() {
            tracing::info!(request = %id, %digest, target = %restore.target, "a restore is told of: what came back is gone again");
        } else {
            tracing::error!(request = %id, %digest, target = %restore.target, "a restore brought back what was erased, and not all \
                of it is gone again: run `gallra-agent restored` there once more");
        }
        Ok(Ok(()))
    }

    /// A request's restores, in the log's order.
    ///
    /// # Errors
    /// The store's.
    pub async fn restores(&self, request: &RequestId) -> Result<Vec<StoredRestore>, CoreError> {
        let mut all: Vec<StoredRestore> = state::all(&*self.store, &keys::restores_of(request), "restore").await?;
        all.sort_by_key(|stored| (stored.turn, stored.digest));
        Ok(all)
    }

    /// Those that a proof carries: that stand, and that a verifier believes.
    pub(crate) async fn standing_restores(
        &self,
        id: &RequestId,
        arriving: Option<&StoredRestore>,
    ) -> Result<Standing, CoreError> {
        let mut stored = self.restores(id).await?;
        if let Some(new) = arriving
            && stored.iter().all(|old| old.digest != new.digest)
        {
            stored.push(new.clone());
        }
        let said = opened(&stored)?;
        let stand = standing(&said);
        let since = self.compromised().await?;
        let mut carried = Vec::with_capacity(stored.len());
        for ((stored, restore), stands) in stored.into_iter().zip(said).zip(stand) {
            if stands && self.is_believed(&since, (&stored.envelope, Type::Restore), id).await? {
                carried.push((stored.turn, stored.digest, restore));
            }
        }
        Ok(carried)
    }
}

/// Whether the plan that stands has the target: a verifier asks for it.
fn has_target(view: &View, restore: &Restore) -> bool {
    let mut steps = view.plan.iter().flat_map(|plan| &plan.steps).filter(|step| !step.kind.is_backup());
    steps.any(|step| (&step.agent, &step.target, step.kind) == (&restore.agent, &restore.target, restore.kind))
}

/// What stored restores say.
///
/// # Errors
/// [`CoreError::Crypto`] where one is damaged.
pub(crate) fn opened(stored: &[StoredRestore]) -> Result<Vec<Restore>, CoreError> {
    stored.iter().map(|stored| Ok(gallra_proof::restore::read(&stored.envelope).map_err(crypto)?.predicate)).collect()
}
