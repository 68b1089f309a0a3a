//! The statement of a proof, made from plan and agents' statements (`docs/formats/proof-v1.md`). Owns what the issuer may
//! say; refuses to know how evidence was gathered. Upholds I5: *final* only when nothing is open.
//!
//! Everything but a target's `why` follows from the signed evidence alone, so that a verifier comes to the same words.
//! The coordinator's own records can only make a statement more cautious, never bolder.

mod book;
mod chain;
mod copies;
mod live;
mod open;
mod why;

use gallra_model::copy::{CopyRecord, Expected};
use gallra_model::plan::Plan;
use gallra_model::proof::{
    CopyResult, CopySet as ClosedSet, KeptResult, ManifestRef, Piece, Proof, RecipientResult, SetCopy, Stage,
    TargetResult,
};
use gallra_model::receipt::Receipt;
use gallra_model::request::{JobRecord, Obligation, Request};
use gallra_model::restore::Restore;
use gallra_model::statement::Type;
use gallra_model::{Clock, Day, Digest, Instant};

use crate::payload::Opened;
use book::Book;
use copies::CopySet;

pub use chain::{breaks, previous};
pub use open::blocked;

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
    /// Opened statements of agents, in the order in which the file will carry them. One that does not
    /// [`belong`](belongs) to the plan is passed over: leave it out of the file too.
    pub receipts: &'a [Opened<Receipt>],
    /// The copies as the coordinator follows them: one that should count and no receipt lists keeps the proof interim.
    pub copies: &'a [CopyRecord],
    /// The obligations that the coordinator holds: they must be exactly those that the receipts leave.
    pub obligations: &'a [Obligation],
    /// Restores that agents reported and that [stand](gallra_model::restore::standing), in the order in which the file will carry
    /// them.
    pub restores: &'a [Restore],
    /// When the statement is made.
    pub now: Instant,
    /// Under which clock. Receipts under another one count for nothing.
    pub clock: Clock,
}

/// What a statement says beside what the evidence shows.
#[derive(Debug, Clone)]
pub struct Place {
    /// Counts from 1 in the request.
    pub sequence: u32,
    /// The proof before it.
    pub previous: Option<Digest>,
    /// Whether a final proof was issued before.
    pub amends: bool,
    /// The newest key manifest.
    pub manifest: ManifestRef,
    /// What stands in the file after the agents' statements about the request's own jobs: the copy set, restores, notifications.
    pub further: Vec<Piece>,
    /// Who else was told.
    pub recipients: Vec<RecipientResult>,
}

/// Says what the evidence shows.
pub fn assemble(evidence: &Evidence<'_>, place: Place) -> Proof {
    let found = Found::of(evidence);
    let said = place.further.iter().any(|piece| piece.statement == Type::CopySet);
    let complete = found.open.is_empty() && (said || found.copies.closings.is_empty());
    Proof {
        request: evidence.request.id,
        sequence: place.sequence,
        previous: place.previous,
        stage: match (complete, place.amends) {
            (true, false) => Stage::Final,
            (true, true) => Stage::Amendment,
            (false, _) => Stage::Interim,
        },
        until: found.until(evidence),
        issued: evidence.now,
        clock: evidence.clock,
        plan: evidence.plan_digest,
        manifest: place.manifest,
        evidence: found.pieces.into_iter().chain(place.further).collect(),
        targets: found.targets,
        copies_closed: found.copies.closed,
        copies: found.copies.copies,
        kept: found.kept,
        restores: evidence.restores.iter().map(Restore::result).collect(),
        recipients: place.recipients,
    }
}

/// The set of copies, once it is closed: what the issuer signs of it before a proof stands on it. None without a backup target.
pub fn closed_set(evidence: &Evidence<'_>) -> Option<ClosedSet> {
    let copies = Found::of(evidence).copies;
    if copies.closings.is_empty() {
        return None;
    }
    let of_copy =
        |copy: CopyResult| SetCopy { copy: copy.copy, agent: copy.agent, target: copy.target, began: copy.began };
    Some(ClosedSet {
        request: evidence.request.id,
        plan: evidence.plan_digest,
        closed: copies.closed?,
        listings: copies.closings,
        copies: copies.copies.into_iter().map(of_copy).collect(),
        clock: evidence.clock,
    })
}

/// What still stands between the evidence and a final statement, one sentence each; empty when [`assemble`] says final.
pub fn open_points(evidence: &Evidence<'_>) -> Vec<String> {
    Found::of(evidence).open
}

/// Whether a receipt is of a step of this plan: job, agent, target, kind and action all match.
pub fn belongs(plan: &Plan, receipt: &Receipt) -> bool {
    plan.steps.iter().any(|step| book::is_of(step, receipt))
}

/// Digest of what a statement says apart from its number, its date and what it stands on: a new proof is worth issuing when
/// it changes.
pub fn content_digest(proof: &Proof) -> Digest {
    let none = ManifestRef { version: 0, digest: Digest::from_bytes([0; 32]) };
    let stage = if proof.stage.is_final() { Stage::Final } else { proof.stage };
    let issued = Instant::UNIX_EPOCH;
    let timeless =
        Proof { sequence: 0, previous: None, stage, issued, manifest: none, evidence: Vec::new(), ..proof.clone() };
    let bytes = serde_json::to_vec(&timeless).expect("no map and no fallible field: every statement has a JSON form");
    Digest::of(&bytes)
}

/// Everything that is worked out from the evidence.
struct Found {
    pieces: Vec<Piece>,
    targets: Vec<TargetResult>,
    copies: CopySet,
    kept: Vec<KeptResult>,
    open: Vec<String>,
}

impl Found {
    fn of(evidence: &Evidence<'_>) -> Self {
        let book = Book::new(evidence.plan, evidence.receipts, evidence.clock);
        let confirmed = live::confirmed(&book);
        let copies = copies::of(&book, confirmed);
        let targets = live::targets(&book, &copies, |steps| why::word(evidence, &book, steps, evidence.now));
        let kept = live::kept(&book);
        let mut open = open::points(evidence, &targets, &copies, &kept, confirmed);
        open.extend(breaks(book.receipts()));
        Self { pieces: book.pieces(), targets, copies, kept, open }
    }

    /// The last day on which a copy that is still there should go; unset where one never goes, nobody can say, or
    /// something beside the copies is open that has no date.
    fn until(&self, evidence: &Evidence<'_>) -> Option<Day> {
        let unreleased = evidence.restores.iter().any(|restore| !open::is_gone_again(evidence, restore));
        let undated =
            unreleased || self.targets.iter().any(|target| !target.proven) || blocked(evidence.plan).next().is_some();
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
