//! Issues proofs: assembles the statement from plan and receipts, and signs it when it says something that the newest
//! proof did not. Whether it may be called final is `gallra-proof`'s reading of I5, made from the evidence alone.

use gallra_flow::request::{Input, step};
use gallra_flow::view::View;
use gallra_model::envelope::Envelope;
use gallra_model::plan::Plan;
use gallra_model::proof::{PROOF_FORMAT, ProofFile, Stage, Statement};
use gallra_model::receipt::{Code, Receipt, Verdict};
use gallra_model::{Day, Digest, Instant, JobId, RequestId};
use gallra_proof::statement::{self, Evidence};
use gallra_store::keys;

use crate::core::Core;
use crate::error::{CoreError, decode};
use crate::state::{self, Loaded, StoredReceipt};

/// A receipt with the digest of its payload, and the envelope that it came in.
type Piece = ((Receipt, Digest), Envelope);

/// The receipts that speak about a plan, with their envelopes, in the order in which they came. Those of an earlier plan's
/// jobs prove nothing about this one; of daily refusals, and of stops, of one job only the newest says anything new.
fn evidence_of(plan: &Plan, stored: Vec<StoredReceipt>) -> Result<Vec<Piece>, CoreError> {
    let mut found: Vec<Piece> = Vec::with_capacity(stored.len());
    for stored in stored.into_iter().filter(|stored| stored.taken) {
        let payload = gallra_proof::dsse::payload(&stored.envelope).map_err(crypto)?;
        let receipt: Receipt = decode("receipt", &payload)?;
        if !statement::belongs(plan, &receipt) {
            continue;
        }
        // A job that is cut short again and again says nothing new each time, and a proof is one value in the store.
        if receipt.verdict == Verdict::Refused {
            found.retain(|((old, _), _)| old.job != receipt.job || old.verdict != Verdict::Refused);
        } else if is_cut_short(&receipt) {
            found.retain(|((old, _), _)| old.job != receipt.job || !is_cut_short(old));
        }
        found.push(((receipt, stored.digest), stored.envelope));
    }
    let done: Vec<_> = found
        .iter()
        .filter(|((receipt, _), _)| receipt.verdict == Verdict::Done)
        .map(|((receipt, _), _)| (receipt.job, receipt.attempt))
        .collect();
    found.retain(|((receipt, _), _)| !is_taken_up(receipt, &done));
    Ok(found)
}

/// Whether a receipt only says that an attempt was cut short, and a later attempt took the job up and ended it: its counts
/// go back to before the first attempt (`targets::attempt`), so a proof says the same as if nothing had been cut short. It
/// stays stored for an auditor; a failure of any other kind stays in the proof.
fn is_taken_up(receipt: &Receipt, done: &[(JobId, u32)]) -> bool {
    (receipt.verdict == Verdict::Refused || is_cut_short(receipt))
        && done.iter().any(|(job, attempt)| *job == receipt.job && *attempt > receipt.attempt)
}

/// Whether an attempt was begun and ended before its job was, by a stop, a hold or a crash.
fn is_cut_short(receipt: &Receipt) -> bool {
    !matches!(receipt.verdict, Verdict::Done | Verdict::Refused)
        && matches!(receipt.code, Some(Code::Interrupted | Code::Stopped))
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
    /// The exact bytes of the file, which are text.
    pub file: String,
}

/// A proof and the view in which it is issued.
pub struct Issued {
    /// The next view.
    pub view: View,
    /// The proof.
    pub stored: StoredProof,
}

fn crypto(error: impl std::fmt::Display) -> CoreError {
    CoreError::Crypto(error.to_string())
}

impl Core {
    /// Assembles a proof of `next`, and signs it if it says something new.
    ///
    /// # Errors
    /// The store's, or an unreadable stored receipt.
    pub async fn consider_proof(
        &self,
        loaded: &Loaded,
        next: &View,
        arriving: Option<&StoredReceipt>,
        now: Instant,
    ) -> Result<Option<Issued>, CoreError> {
        let (Some(plan), Some(plan_ref), Some(plan_envelope)) = (&next.plan, next.request.plan, &loaded.plan) else {
            return Ok(None);
        };
        let mut stored = state::receipts(&*self.store, &next.request.id).await?;
        // The same receipt may have come on another stream meanwhile; twice in a file would make it invalid.
        if let Some(new) = arriving
            && stored.iter().all(|old| old.digest != new.digest)
        {
            stored.push(new.clone());
        }
        let (receipts, envelopes): (Vec<_>, Vec<_>) = evidence_of(plan, stored)?.into_iter().unzip();
        let jobs: Vec<_> = next.current_jobs().cloned().collect();
        let evidence = Evidence {
            request: &next.request,
            plan,
            plan_digest: plan_ref.digest,
            jobs: &jobs,
            receipts: &receipts,
            copies: &next.copies,
            obligations: &next.obligations,
        };
        let statement = statement::assemble(&evidence, next.request.proofs + 1, now, self.time.kind());
        // More of the same evidence is no news: a monthly look that finds the same copies issues nothing.
        let said = Statement { evidence: Vec::new(), ..statement.clone() };
        let content = statement::content_digest(&said);
        if next.request.proof_content == Some(content) {
            return Ok(None);
        }
        let stage = statement.stage;
        let unproven = statement
            .targets
            .iter()
            .filter(|target| !target.proven)
            .map(|target| format!("{}/{}: {}", target.agent, target.target, target.why))
            .collect();
        gallra_crash::point("before_signing");
        let file = ProofFile {
            format: PROOF_FORMAT.to_owned(),
            statement: statement::sign(&statement, &self.issuer),
            plan: plan_envelope.clone(),
            receipts: envelopes,
        };
        let bytes = gallra_proof::file::write(&file).map_err(crypto)?;
        let (view, _) = step(next, &Input::ProofIssued { stage, content }, now)?;
        let stored = StoredProof {
            sequence: statement.sequence,
            stage,
            until: statement.until,
            issued: now,
            unproven,
            file: String::from_utf8(bytes).map_err(crypto)?,
        };
        Ok(Some(Issued { view, stored }))
    }

    /// A request's proofs, oldest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn proofs(&self, request: &RequestId) -> Result<Vec<StoredProof>, CoreError> {
        state::all(&*self.store, &keys::proofs_of(request), "proof").await
    }
}
