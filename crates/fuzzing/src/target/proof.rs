//! Proofs: files as they come, and files whose every signature is right and whose words are anything.

mod sealed;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use gallra_model::plan::Plan;
use gallra_model::proof::{Piece, Proof, ProofFile, Stage};
use gallra_model::receipt::Receipt;
use gallra_model::request::{Obligation, Request};
use gallra_model::statement::{PAYLOAD_TYPE, Type};
use gallra_model::{Digest, Instant};
use gallra_proof::payload::Opened;
use gallra_proof::statement::{Evidence, Place, assemble, belongs, closed_set};
use gallra_proof::{dsse, file as written, plan, receipt};
use gallra_verify::{Outcome, Question, Trust, Verdict};
use serde_json::{Value, json};

use self::sealed::{AGENTS, ANCHOR, Begun, ISSUER, Placed, digest, key_of};
use super::text;
use crate::Seen;
use crate::quiet::says_nothing_of;

/// The anchor of the frozen vectors, whose issuer's keys are of seed 1.
static FROZEN: LazyLock<Trust> =
    LazyLock::new(|| trust(include_str!("../../../../docs/formats/vectors/proof-v1.anchor")));

/// The anchor of what is sealed here.
static TRUSTED: LazyLock<Trust> = LazyLock::new(|| trust(&ANCHOR));

/// The plan of the frozen vectors.
static FROZEN_PLAN: LazyLock<Plan> = LazyLock::new(|| {
    let vector = include_bytes!("../../../../docs/formats/vectors/proof-v1.json");
    let file: ProofFile = serde_json::from_slice(vector).expect("a frozen vector");
    plan::read(&file.plan.envelope).expect("a frozen plan").predicate
});

/// Receipts looked at in one proof: bounds the time of one execution.
const MOST_RECEIPTS: usize = 32;

fn trust(text: &str) -> Trust {
    Trust::parse(text).unwrap_or_else(|why| panic!("an anchor: {why}"))
}

fn verify(bytes: &[u8], trust: &Trust) -> Verdict {
    gallra_verify::verify(bytes, trust, &Question::default())
}

/// What holds for every answer of the verifier. Gives whether the proof is valid.
pub(super) fn is_sound(bytes: &[u8], verdict: &Verdict) -> bool {
    let valid = match &verdict.outcome {
        Outcome::Invalid { why, .. } => {
            assert!(verdict.exit_code(&[]) >= 20, "invalid, with exit code {}", verdict.exit_code(&[]));
            says_nothing_of(bytes, why);
            false
        }
        Outcome::Final { .. } | Outcome::Interim { .. } => true,
    };
    assert_eq!(verdict.to_json().get("valid"), Some(&json!(valid)));
    // Whoever reads a verdict on a terminal reads what we wrote, not what the file says.
    let lines = verdict.checks.iter().map(|check| check.to_string()).chain([verdict.conclusion()]);
    for line in lines {
        assert!(!line.chars().any(char::is_control), "a control character in {line:?}");
    }
    valid
}

/// A proof file. Nothing but what the issuer signed is valid, in the one form in which it was written.
pub fn file(bytes: &[u8]) -> Seen {
    let verdict = verify(bytes, &FROZEN);
    let valid = is_sound(bytes, &verdict);
    if valid {
        let read: ProofFile = serde_json::from_slice(bytes).unwrap_or_else(|why| panic!("only verify reads it: {why}"));
        assert_eq!(written::write(&read).ok().as_deref(), Some(bytes), "valid in a second form");
        let proof = dsse::open_among(&read.proof.envelope, PAYLOAD_TYPE, &ISSUER.ed25519().verifying());
        assert!(proof.is_ok(), "valid, and the issuer did not sign it");
        assert!(!is_sound(bytes, &verify(bytes, &Trust::none())), "valid without a trusted key");
    }
    Seen::of(valid)
}

/// Lines: a proof, a plan, then receipts, none of them signed. Links them by their digests, signs them all with the right
/// keys, and enters them. What the verifier then calls valid is what the issuer's side would have said of the same evidence
/// (I5), by code that it does not share.
pub fn evidence(bytes: &[u8]) -> Seen {
    let Some(text) = text(bytes) else { return Seen::Refused };
    let mut lines = text.lines();
    let (said, planned) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let Ok(mut said) = serde_json::from_str::<Proof>(said) else { return Seen::Refused };
    let mut begun = Begun::new(said.request, said.clock, planned);
    let mut statements: Vec<Placed> = lines.take(MOST_RECEIPTS).map(|line| begun.receipt(line)).collect();
    let opened: Vec<Opened<Receipt>> = statements.iter().filter_map(open).collect();
    let mut pieces: Vec<Piece> = statements.iter().map(piece).collect();
    let planned = begun.plan().cloned();
    let ours = planned.as_ref().map(|plan| Known::of(&said, plan, begun.plan_digest(), &opened));
    let set = ours.as_ref().and_then(|known| closed_set(&known.evidence()));
    if let Some(set) = set {
        let set = begun.issue(Type::CopySet, &json_of(&set));
        pieces.push(piece(&set));
        statements.push(set);
    }
    (said.plan, said.manifest, said.evidence) = (begun.plan_digest(), begun.manifest(), pieces);
    let proof = begun.issue(Type::Proof, &json_of(&said));
    let file = begun.file(proof, statements);
    let Ok(bytes) = written::write(&file) else { return Seen::Refused };
    let valid = is_sound(&bytes, &verify(&bytes, &TRUSTED));
    if valid {
        let known = ours.unwrap_or_else(|| panic!("valid, and its plan is none"));
        assert_eq!(opened.len(), known.receipts.len(), "valid, and a receipt is of no agent");
        known.agrees(&said);
    }
    Seen::of(valid)
}

/// Receipts, a line each, unsigned, under the plan of the frozen vectors. Whatever agents sign and the coordinator takes,
/// the proof that follows is one that the verifier calls valid: an agent that lies can be believed, and can not make
/// the issuer hand out what nobody can check. What a receipt follows and which tree it quotes is filled in here.
pub fn receipts(bytes: &[u8]) -> Seen {
    let Some(text) = text(bytes) else { return Seen::Refused };
    let plan = &*FROZEN_PLAN;
    let mut begun = Begun::new(plan.request, plan.clock, &json_of(plan));
    let (mut taken, mut opened, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for line in text.lines().take(MOST_RECEIPTS) {
        // As the coordinator does: what does not open, or is of no step, is kept apart; one that comes again is the same.
        if !begun.would_take(line) || !seen.insert(line) {
            continue;
        }
        let placed = begun.receipt(line);
        opened.push(open(&placed).unwrap_or_else(|| panic!("taken, and it does not open")));
        taken.push(placed);
    }
    let issued = Instant::from_second(1_800_000_000).unwrap_or_default();
    let request = request(&json!({ "request": plan.request }), false);
    let known = Known {
        request,
        plan,
        plan_digest: begun.plan_digest(),
        receipts: &opened,
        obligations: Vec::new(),
        now: issued,
        clock: plan.clock,
    };
    let set = closed_set(&known.evidence()).map(|set| begun.issue(Type::CopySet, &json_of(&set)));
    let place = Place {
        sequence: 1,
        previous: None,
        amends: false,
        manifest: begun.manifest(),
        further: set.iter().map(piece).collect(),
        recipients: Vec::new(),
    };
    let said = assemble(&known.evidence(), place);
    let proof = begun.issue(Type::Proof, &json_of(&said));
    taken.extend(set);
    let bytes = written::write(&begun.file(proof, taken)).unwrap_or_else(|why| panic!("a proof is not written: {why}"));
    let verdict = verify(&bytes, &TRUSTED);
    assert!(is_sound(&bytes, &verdict), "issued, and {}: {said:?}", verdict.conclusion());
    Seen::of(!opened.is_empty())
}

fn json_of<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|why| panic!("a value has no json: {why}"))
}

/// How a proof names it.
fn piece(placed: &Placed) -> Piece {
    Piece { statement: placed.kind, digest: digest(&placed.envelope) }
}

/// A statement that one of the agents signed and the coordinator would take.
fn open(placed: &Placed) -> Option<Opened<Receipt>> {
    let keys = AGENTS.iter().map(|(_, seed)| key_of(*seed).verifying());
    let mut known = keys.filter(|key| receipt::open(&placed.envelope, key).is_ok());
    known.next().and_then(|_| receipt::read(&placed.envelope).ok())
}

impl Begun {
    /// Whether the coordinator takes a receipt: it opens under its agent's key, and is of a step.
    fn would_take(&self, line: &str) -> bool {
        let Ok(read) = serde_json::from_str::<Receipt>(line) else { return false };
        let Some((_, seed)) = AGENTS.iter().find(|(name, _)| read.agent.as_str() == *name) else { return false };
        let key = key_of(*seed);
        let signed = receipt::sign(&read, false, &key);
        let opens = signed.is_ok_and(|envelope| receipt::open(&envelope, &key.verifying()).is_ok());
        opens && json_of(&read) == line && self.plan().is_some_and(|plan| belongs(plan, &read))
    }
}

/// What the issuer holds.
struct Known<'a> {
    request: Request,
    plan: &'a Plan,
    plan_digest: Digest,
    receipts: &'a [Opened<Receipt>],
    obligations: Vec<Obligation>,
    now: Instant,
    clock: gallra_model::Clock,
}

impl<'a> Known<'a> {
    /// Nothing speaks against the request, and what is kept is what the proof says.
    fn of(said: &Proof, plan: &'a Plan, plan_digest: Digest, receipts: &'a [Opened<Receipt>]) -> Self {
        let kept = said.kept.iter().map(|kept| Obligation {
            handle: kept.handle,
            request: plan.request,
            agent: kept.agent.clone(),
            target: kept.target.clone(),
            items: kept.items,
            keep: kept.keep.clone(),
        });
        Self {
            request: request(&json!({ "request": said.request }), plan.purge.is_some()),
            plan,
            plan_digest,
            receipts,
            obligations: kept.collect(),
            now: said.issued,
            clock: said.clock,
        }
    }

    fn evidence(&self) -> Evidence<'_> {
        Evidence {
            request: &self.request,
            plan: self.plan,
            plan_digest: self.plan_digest,
            jobs: &[],
            receipts: self.receipts,
            copies: &[],
            obligations: &self.obligations,
            restores: &[],
            now: self.now,
            clock: self.clock,
        }
    }

    /// Fails where the issuer's side would say something else.
    fn agrees(&self, said: &Proof) {
        let place = Place {
            sequence: said.sequence,
            previous: said.previous,
            amends: said.stage == Stage::Amendment,
            manifest: said.manifest,
            further: said.evidence.iter().filter(|piece| piece.statement == Type::CopySet).copied().collect(),
            recipients: Vec::new(),
        };
        let mut ours = assemble(&self.evidence(), place);
        // Why a target is unproven is the one thing that does not follow from signed evidence alone.
        for (ours, said) in ours.targets.iter_mut().zip(&said.targets) {
            ours.why.clone_from(&said.why);
        }
        assert_eq!(&ours, said, "the verifier calls valid what the issuer would not say");
    }
}

/// What the coordinator keeps of a request that nothing speaks against.
fn request(said: &Value, purge: bool) -> Request {
    let id = "a4".repeat(16);
    let about = if purge {
        json!({ "kind": "purge", "day": "2026-02-01", "seal": id })
    } else {
        json!({ "kind": "end", "subject": id, "customer": id, "contract": id })
    };
    let stored = json!({
        "id": said["request"], "about": about,
        "received": "2026-02-01T08:00:00Z", "state": "awaiting_copies", "facts": {}, "anchors": {}, "proofs": 1,
    });
    serde_json::from_value(stored).unwrap_or_else(|why| panic!("a stored request has other fields by now: {why}"))
}
