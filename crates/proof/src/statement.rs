//! The statement of a proof, made from plan and receipts (`docs/formats/proof-v0-draft.md`, sections 4 to 7). Owns what
//! the issuer may say; refuses to know how evidence was gathered. Upholds I5: *final* only when nothing is open.
//!
//! Everything but a target's `why` follows from the signed evidence alone, so that a verifier comes to the same words.
//! The coordinator's own records can only make a statement more cautious, never bolder.

mod book;
mod copies;
mod live;
mod open;
mod why;

use gallra_model::copy::{CopyRecord, Expected};
use gallra_model::envelope::Envelope;
use gallra_model::plan::Plan;
use gallra_model::proof::{CopyResult, KeptResult, PROOF_FORMAT, PROOF_TYPE, Stage, Statement, TargetResult};
use gallra_model::receipt::Receipt;
use gallra_model::request::{JobRecord, Obligation, Request};
use gallra_model::{Clock, Day, Digest, Instant};

use crate::dsse;
use crate::key::SigningKey;
use book::Book;
use copies::CopySet;

/// What is known of one request, all under its current plan.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The request.
    pub request: &'a Request,
    /// Its current plan.
    pub plan: &'a Plan,
    /// SHA-256 of the plan envelope's payload.
    pub plan_digest: Digest,
    /// Its jobs: only their setbacks are used, to say why a target is unproven.
    pub jobs: &'a [JobRecord],
    /// Opened receipts and their digests, in the order in which the file will carry them. One that does not
    /// [`belong`](belongs) to the plan is passed over: leave it out of the file too.
    pub receipts: &'a [(Receipt, Digest)],
    /// The copies as the coordinator follows them: one that should count and no receipt lists keeps the proof interim.
    pub copies: &'a [CopyRecord],
    /// The obligations that the coordinator holds: they must be exactly those that the receipts leave.
    pub obligations: &'a [Obligation],
}

/// Says what the evidence shows, on the given clock. Receipts under another clock count for nothing.
pub fn assemble(evidence: &Evidence<'_>, sequence: u32, issued: Instant, clock: Clock) -> Statement {
    let found = Found::of(evidence, issued, clock);
    Statement {
        format: PROOF_FORMAT.to_owned(),
        request: evidence.request.id,
        subject: evidence.request.about.parties().map(|parties| parties.subject),
        sequence,
        stage: if found.open.is_empty() { Stage::Final } else { Stage::Interim },
        until: found.until(evidence.plan),
        issued,
        clock,
        level: "none".to_owned(),
        plan: evidence.plan_digest,
        evidence: found.digests,
        targets: found.targets,
        copies_closed: found.copies.closed,
        copies: found.copies.copies,
        kept: found.kept,
    }
}

/// What still stands between the evidence and a final statement, one sentence each; empty when [`assemble`] says final.
pub fn open_points(evidence: &Evidence<'_>, now: Instant, clock: Clock) -> Vec<String> {
    Found::of(evidence, now, clock).open
}

/// Whether a receipt is of a step of this plan: job, agent, target, kind and action all match.
pub fn belongs(plan: &Plan, receipt: &Receipt) -> bool {
    plan.steps.iter().any(|step| book::is_of(step, receipt))
}

/// Digest of what a statement says apart from its number and date: a new proof is worth issuing when it changes.
pub fn content_digest(statement: &Statement) -> Digest {
    let timeless = Statement { sequence: 0, issued: Instant::UNIX_EPOCH, ..statement.clone() };
    Digest::of(&bytes(&timeless))
}

/// Signs a statement with the issuer key.
pub fn sign(statement: &Statement, key: &SigningKey) -> Envelope {
    dsse::sign(PROOF_TYPE, &bytes(statement), key)
}

fn bytes(statement: &Statement) -> Vec<u8> {
    serde_json::to_vec(statement).expect("no map and no fallible field: every statement has a JSON form")
}

/// Everything that is worked out from the evidence.
struct Found {
    digests: Vec<Digest>,
    targets: Vec<TargetResult>,
    copies: CopySet,
    kept: Vec<KeptResult>,
    open: Vec<String>,
}

impl Found {
    fn of(evidence: &Evidence<'_>, now: Instant, clock: Clock) -> Self {
        let book = Book::new(evidence.plan, evidence.receipts, clock);
        let confirmed = live::confirmed(&book);
        let copies = copies::of(&book, confirmed);
        let targets = live::targets(&book, &copies, |steps| why::word(evidence, &book, steps, now));
        let kept = live::kept(&book);
        let open = open::points(evidence, &targets, &copies, &kept, confirmed);
        let digests = book.digests();
        Self { digests, targets, copies, kept, open }
    }

    /// The last day on which a copy that is still there should go; unset where one never goes, nobody can say, or
    /// something beside the copies is open that has no date.
    fn until(&self, plan: &Plan) -> Option<Day> {
        let undated = self.targets.iter().any(|target| !target.proven) || open::blocked(plan).next().is_some();
        if undated || self.copies.unseen {
            return None;
        }
        let left: Option<Vec<Day>> =
            self.copies.copies.iter().filter(|copy| copy.gone.is_none()).map(expected_day).collect();
        left?.into_iter().max()
    }
}

fn expected_day(copy: &CopyResult) -> Option<Day> {
    match copy.expected {
        Expected::By(day) => Some(day),
        Expected::Never | Expected::Unknown => None,
    }
}
