//! Issues proofs: assembles the statement from plan and agents' statements, and signs it when it says something that the newest
//! proof did not. Whether it may be called final is `gallra-proof`'s reading of I5, made from the evidence alone. The file around
//! it is made when somebody fetches it (`handed`), since its paths through the log are known only then.

use std::collections::BTreeMap;

use gallra_flow::request::{Input, step};
use gallra_flow::view::View;
use gallra_model::envelope::Envelope;
use gallra_model::plan::Plan;
use gallra_model::proof::{CopySet, ManifestRef, Piece, Proof, Stage};
use gallra_model::receipt::Receipt;
use gallra_model::statement::Type;
use gallra_model::{Day, Digest, Instant, RequestId};
use gallra_proof::payload::Opened;
use gallra_proof::statement::{self, Evidence, Place};
use gallra_proof::subject::Identifier;
use gallra_store::{Expect, Txn, keys};

use crate::asked::{Asked, crypto, digest_of};
use crate::core::{Along, Core};
use crate::entered::{Turn, enter, entry_of};
use crate::error::{CoreError, decode, encode};
use crate::leaks::unsigned;
use crate::state::{self, Loaded, StoredReceipt};

/// The statements that speak about a plan, in the order in which they came. Those of an earlier plan's jobs prove nothing about
/// this one. One that settled nothing is among them only where a later one names it: a gap in the chain would be worse.
fn evidence_of(plan: &Plan, stored: Vec<StoredReceipt>) -> Result<Vec<Opened<Receipt>>, CoreError> {
    let mut found = Vec::with_capacity(stored.len());
    for stored in stored {
        let opened = gallra_proof::receipt::read(&stored.envelope).map_err(crypto)?;
        if statement::belongs(plan, &opened.predicate) {
            found.push((stored.taken, opened));
        }
    }
    // From the last to the first: what is named by one that stays, stays.
    let mut named: Vec<Digest> = Vec::new();
    for (taken, opened) in found.iter_mut().rev() {
        *taken |= named.contains(&opened.digest);
        if *taken {
            named.extend(opened.predicate.previous);
        }
    }
    Ok(found.into_iter().filter(|(stays, _)| *stays).map(|(_, opened)| opened).collect())
}

/// A proof as it is stored.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredProof {
    /// Counts from 1 in the request.
    pub sequence: u32,
    /// How far it goes.
    pub stage: Stage,
    /// Interim: the last expected day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Day>,
    /// When it was signed.
    pub issued: Instant,
    /// Targets that are not proven, as `agent/target: why`.
    pub unproven: Vec<String>,
    /// The plan's number.
    pub plan: u32,
    /// The newest key manifest.
    pub manifest: ManifestRef,
    /// What it stands on, in the file's order.
    pub evidence: Vec<Piece>,
    /// The signed statement.
    pub envelope: Envelope,
}

/// A copy set as it was signed last.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredSet {
    said: CopySet,
    digest: Digest,
    /// Its turn in the log; in a store of before there were restores, that it was the first of its kind.
    #[serde(default)]
    turn: Instant,
}

impl StoredSet {
    fn placed(&self) -> Placed {
        Placed { turn: self.turn, piece: Piece { statement: Type::CopySet, digest: self.digest } }
    }
}

/// A statement that stands in a file behind those about the request's own jobs, and its turn in the log.
#[derive(Debug, Clone, Copy)]
struct Placed {
    turn: Instant,
    piece: Piece,
}

/// A proof and the view in which it is issued.
pub struct Issued {
    /// The next view.
    pub view: View,
    /// The proof.
    pub stored: StoredProof,
    /// What is written and entered with it.
    pub along: Txn,
}

/// What signing needs to know of a request.
struct Known {
    asked: Asked,
    identifiers: Vec<Identifier>,
}

impl Core {
    /// Why no proof of an open request can be made, though its agents said enough: a reader would refuse a file in which one of an
    /// agent's statements is missing between two others.
    ///
    /// # Errors
    /// The store's, or an unreadable stored receipt.
    pub async fn gap(&self, view: &View) -> Result<Option<String>, CoreError> {
        let Some(plan) = view.plan.as_ref().filter(|_| view.request.done.is_none()) else { return Ok(None) };
        let id = view.request.id;
        let stored = state::receipts(&*self.store, &id).await?;
        let receipts = evidence_of(plan, self.without_compromised(&id, stored).await?)?;
        Ok(statement::breaks(receipts.iter()).into_iter().next())
    }

    /// Assembles a proof of `next`, and signs it if it says something new.
    ///
    /// # Errors
    /// The store's, or an unreadable stored receipt; [`CoreError::Leak`] for one that would show somebody.
    pub async fn consider_proof(
        &self,
        loaded: &Loaded,
        next: &View,
        along: &Along,
        now: Instant,
    ) -> Result<Option<Issued>, CoreError> {
        let id = next.request.id;
        let (Some(plan), Some(plan_ref), Some(asked)) = (&next.plan, next.request.plan, self.asked(&id).await?) else {
            return Ok(None);
        };
        // What its agents said is in a log that ended: a reader would refuse the file. The request stays open, and says so.
        if self.is_of_an_ended_log(&id).await? {
            tracing::error!(request = %id, "no proof is made: the request was begun in a log that ended");
            return Ok(None);
        }
        let known = Known { asked, identifiers: self.identifiers(&loaded.view).await? };
        let mut stored = state::receipts(&*self.store, &id).await?;
        // The same receipt may have come on another stream meanwhile; twice in a file would make it invalid.
        if let Some(new) = &along.receipt
            && stored.iter().all(|old| old.digest != new.digest)
        {
            stored.push(new.clone());
        }
        let receipts = evidence_of(plan, self.without_compromised(&id, stored).await?)?;
        // A reader would refuse a file in which a statement is missing between two: none is made, and the request stays open.
        if let Some(gap) = statement::breaks(receipts.iter()).first() {
            tracing::error!(request = %id, gap, "no proof is made");
            return Ok(None);
        }
        let (restored, restores): (Vec<_>, Vec<_>) = self
            .standing_restores(&id, along.restore.as_ref())
            .await?
            .into_iter()
            .map(|(turn, digest, said)| (Placed { turn, piece: Piece { statement: Type::Restore, digest } }, said))
            .unzip();
        let jobs: Vec<_> = next.current_jobs().cloned().collect();
        let evidence = Evidence {
            request: &next.request,
            plan,
            plan_digest: plan_ref.digest,
            jobs: &jobs,
            receipts: &receipts,
            copies: &next.copies,
            obligations: &next.obligations,
            restores: &restores,
            now,
            clock: self.time.kind(),
        };
        self.sign_proof(next, &evidence, &known, restored).await
    }

    /// Leaves out what a compromised key signed and the log entered too late: a verifier believes none of it, and a target that only
    /// such a statement speaks for is not proven.
    async fn without_compromised(
        &self,
        id: &RequestId,
        stored: Vec<StoredReceipt>,
    ) -> Result<Vec<StoredReceipt>, CoreError> {
        let since = self.compromised().await?;
        if since.is_empty() {
            return Ok(stored);
        }
        let mut kept = Vec::with_capacity(stored.len());
        for receipt in stored {
            let kind = gallra_proof::receipt::read(&receipt.envelope).map_err(crypto)?.kind;
            if self.is_believed(&since, (&receipt.envelope, kind), id).await? {
                kept.push(receipt);
            }
        }
        Ok(kept)
    }

    /// Whether a statement was entered before its key was compromised, if it ever was.
    pub(crate) async fn is_believed(
        &self,
        since: &BTreeMap<Digest, u64>,
        (envelope, kind): (&Envelope, Type),
        id: &RequestId,
    ) -> Result<bool, CoreError> {
        let keyids = envelope.signatures.iter().filter_map(|signature| signature.keyid.parse().ok());
        let Some(since) = keyids.filter_map(|keyid: Digest| since.get(&keyid)).min() else { return Ok(true) };
        let leaf = entry_of(envelope, kind, Some(*id), None)?.leaf();
        Ok(self.ledger.position(&leaf).await?.is_some_and(|index| index < *since))
    }

    async fn sign_proof(
        &self,
        next: &View,
        evidence: &Evidence<'_>,
        known: &Known,
        mut further: Vec<Placed>,
    ) -> Result<Option<Issued>, CoreError> {
        let (id, now) = (next.request.id, evidence.now);
        let (set, along) = self.copy_set(evidence, known, further.last().map(|last| last.turn)).await?;
        // A reader wants them in the log's order.
        further.extend(set);
        further.sort_by_key(|placed| placed.turn);
        let before = self.proofs(&id).await?;
        let previous = before.last().map(|proof| digest_of(&proof.envelope)).transpose()?;
        let manifest = self.signing.newest();
        // A newer one that is stored before this is committed may list other keys: then it is made again.
        let along = along.expect(keys::key_manifest(manifest.version + 1), Expect::Absent);
        let place = Place {
            sequence: next.request.proofs + 1,
            previous,
            amends: before.iter().any(|proof| proof.stage.is_final()),
            manifest,
            further: further.iter().map(|placed| placed.piece).collect(),
            recipients: Vec::new(),
        };
        let proof = statement::assemble(evidence, place);
        let content = statement::content_digest(&proof);
        if next.request.proof_content == Some(content) {
            return Ok(None);
        }
        gallra_crash::point("before_signing");
        let envelope = self.sign(Type::Proof, known, &proof)?;
        let along = along.delete(keys::leak_of_statement(&id, "proof"));
        let turn = Turn::after(now, 4).behind(further.last().map(|last| last.turn));
        let along = enter(along, &envelope, Type::Proof, Some(id), turn)?;
        let (view, _) = step(next, &Input::ProofIssued { stage: proof.stage, content }, now)?;
        let plan = next.request.plan.map_or(0, |plan| plan.number);
        Ok(Some(Issued { view, stored: stored_proof(proof, plan, envelope), along }))
    }

    fn sign<P: serde::Serialize>(&self, kind: Type, known: &Known, said: &P) -> Result<Envelope, CoreError> {
        let signed = self.issuer.sign(kind, known.asked.subject.clone(), said, &known.identifiers);
        signed.map_err(unsigned)
    }

    /// The copy set once it is closed: what was signed of it, or what is signed now since it differs.
    async fn copy_set(
        &self,
        evidence: &Evidence<'_>,
        known: &Known,
        behind: Option<Instant>,
    ) -> Result<(Option<Placed>, Txn), CoreError> {
        let Some(said) = statement::closed_set(evidence) else { return Ok((None, Txn::new())) };
        let id = evidence.request.id;
        let at = keys::copy_set(&id);
        let newest = self.store.get(&at).await?;
        if let Some(entry) = &newest {
            let stored: StoredSet = decode("copy set", &entry.value)?;
            if stored.said == said {
                return Ok((Some(stored.placed()), Txn::new()));
            }
        }
        let envelope = self.sign(Type::CopySet, known, &said)?;
        let digest = digest_of(&envelope)?;
        let turn = Turn::after(evidence.now, 3).behind(behind);
        let stored = StoredSet { said, digest, turn: turn.at() };
        let txn = Txn::new()
            .expect_as_read(&at, newest.as_ref())
            .put(at, encode(&stored)?)
            .put(keys::statement(&id, &digest), encode(&envelope)?);
        let txn = enter(txn, &envelope, Type::CopySet, Some(id), turn)?;
        Ok((Some(stored.placed()), txn))
    }

    /// The turn of a request's newest copy set; none while it has none.
    pub(crate) async fn copy_sets_turn(&self, id: &RequestId) -> Result<Option<Instant>, CoreError> {
        let Some(entry) = self.store.get(&keys::copy_set(id)).await? else { return Ok(None) };
        Ok(Some(decode::<StoredSet>("copy set", &entry.value)?.turn))
    }

    /// A request's proofs, oldest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn proofs(&self, request: &RequestId) -> Result<Vec<StoredProof>, CoreError> {
        state::all(&*self.store, &keys::proofs_of(request), "proof").await
    }
}

fn stored_proof(proof: Proof, plan: u32, envelope: Envelope) -> StoredProof {
    let unproven = proof.targets.iter().filter(|target| !target.proven);
    let unproven = unproven.map(|target| format!("{}/{}: {}", target.agent, target.target, target.why)).collect();
    StoredProof {
        sequence: proof.sequence,
        stage: proof.stage,
        until: proof.until,
        issued: proof.issued,
        unproven,
        plan,
        manifest: proof.manifest,
        evidence: proof.evidence,
        envelope,
    }
}
