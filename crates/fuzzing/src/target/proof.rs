//! Proofs: files as they come, and files whose every signature is right and whose words are anything.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use gallra_model::envelope::Envelope;
use gallra_model::plan::{PLAN_TYPE, Plan};
use gallra_model::proof::{PROOF_FORMAT, PROOF_TYPE, ProofFile, Statement};
use gallra_model::receipt::{RECEIPT_TYPE, Receipt};
use gallra_model::request::{Obligation, Request};
use gallra_model::{Digest, Instant};
use gallra_proof::key::SigningKey;
use gallra_proof::statement::{Evidence, assemble, belongs, sign};
use gallra_proof::{dsse, file as written, plan, receipt};
use gallra_verify::{IssuerKey, Outcome, Verdict, verify};
use serde_json::{Value, json};

use super::text;
use crate::Seen;
use crate::quiet::says_nothing_of;

/// The seeds of the frozen vectors' keys: 1 is the issuer's, the others are agents'.
const AGENTS: [(&str, u8); 3] = [("web1", 2), ("db1", 3), ("backup1", 4)];
/// An agent's that no plan names.
const STRANGER: u8 = 9;

static ISSUER: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_seed(&[1; 32]));

static TRUSTED: LazyLock<IssuerKey> =
    LazyLock::new(|| IssuerKey::parse(&ISSUER.verifying().to_hex()).expect("a key that the issuer's side made"));

/// The plan of the frozen vectors, which the issuer's key of seed 1 signed.
static FROZEN_PLAN: LazyLock<Envelope> = LazyLock::new(|| {
    let vector = include_bytes!("../../../../docs/formats/vectors/proof-v0-draft-final.json");
    serde_json::from_slice::<ProofFile>(vector).expect("a frozen vector").plan
});

/// Receipts looked at in one proof: bounds the time of one execution.
const MOST_RECEIPTS: usize = 32;

/// What holds for every answer of the verifier. Gives whether the proof is valid.
fn is_sound(bytes: &[u8], verdict: &Verdict) -> bool {
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
    let verdict = verify(bytes, std::slice::from_ref(&*TRUSTED));
    let valid = is_sound(bytes, &verdict);
    if valid {
        let read: ProofFile = serde_json::from_slice(bytes).unwrap_or_else(|why| panic!("only verify reads it: {why}"));
        assert_eq!(written::write(&read).ok().as_deref(), Some(bytes), "valid in a second form");
        let statement = dsse::open(&read.statement, PROOF_TYPE, &ISSUER.verifying());
        assert!(statement.is_ok(), "valid, and the issuer did not sign it");
        assert!(!is_sound(bytes, &verify(bytes, &[])), "valid without a trusted key");
    }
    Seen::of(valid)
}

/// Lines: a statement, a plan, then receipts, none of them signed. Links them by their digests and signs them all with
/// the right keys. What the verifier then calls valid is what the issuer's side would have said of the same evidence
/// (I5), by code that it does not share.
pub fn evidence(bytes: &[u8]) -> Seen {
    let Some(text) = text(bytes) else { return Seen::Refused };
    let mut lines = text.lines();
    let (said, planned) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let plan = dsse::sign(PLAN_TYPE, planned.as_bytes(), &ISSUER);
    let receipts: Vec<Envelope> = lines.take(MOST_RECEIPTS).map(by_its_agent).collect();
    let Ok(mut said) = serde_json::from_str::<Statement>(said) else { return Seen::Refused };
    said.plan = digest(&plan);
    said.evidence = receipts.iter().map(digest).collect();
    let statement = sign(&said, &ISSUER);
    let file = ProofFile { format: PROOF_FORMAT.to_owned(), statement, plan, receipts };
    let Ok(bytes) = written::write(&file) else { return Seen::Refused };
    let valid = is_sound(&bytes, &verify(&bytes, std::slice::from_ref(&*TRUSTED)));
    if valid {
        agrees(&said, &file);
    }
    Seen::of(valid)
}

/// Receipts, a line each, unsigned, under the plan of the frozen vectors. Whatever agents sign and the coordinator takes,
/// the proof that follows is one that the verifier calls valid: an agent that lies can be believed, and can not make
/// the issuer hand out what nobody can check.
pub fn receipts(bytes: &[u8]) -> Seen {
    let Some(text) = text(bytes) else { return Seen::Refused };
    let plan = &*FROZEN_PLAN;
    let planned = plan::open(plan, &ISSUER.verifying()).unwrap_or_else(|why| panic!("the frozen plan: {why}")).0;
    let (mut taken, mut opened, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for envelope in text.lines().take(MOST_RECEIPTS).map(by_its_agent) {
        let Some((receipt, digest)) = open(&envelope) else { continue };
        // As the coordinator does: one that is of no step is kept apart, one that comes again is the same.
        if belongs(&planned, &receipt) && seen.insert(digest) {
            opened.push((receipt, digest));
            taken.push(envelope);
        }
    }
    let of_nobody = json!({ "request": planned.request, "subject": "a2".repeat(16) });
    let evidence = Evidence {
        request: &request(&of_nobody),
        plan: &planned,
        plan_digest: digest(plan),
        jobs: &[],
        receipts: &opened,
        copies: &[],
        obligations: &[],
    };
    let issued = Instant::from_second(1_800_000_000).unwrap_or_default();
    let said = assemble(&evidence, 1, issued, planned.clock);
    let statement = sign(&said, &ISSUER);
    let file = ProofFile { format: PROOF_FORMAT.to_owned(), statement, plan: plan.clone(), receipts: taken };
    let bytes = written::write(&file).unwrap_or_else(|why| panic!("a proof is not written: {why}"));
    let verdict = verify(&bytes, std::slice::from_ref(&*TRUSTED));
    assert!(is_sound(&bytes, &verdict), "issued, and {}: {said:?}", verdict.conclusion());
    Seen::of(!opened.is_empty())
}

fn digest(envelope: &Envelope) -> Digest {
    dsse::payload_digest(envelope).unwrap_or_else(|why| panic!("what was just signed: {why}"))
}

/// A receipt under the key of the agent that it names.
fn by_its_agent(line: &str) -> Envelope {
    let agent = serde_json::from_str::<Receipt>(line).ok().map(|receipt| receipt.agent);
    let known = AGENTS.iter().find(|(name, _)| agent.as_ref().is_some_and(|agent| agent.as_str() == *name));
    let seed = known.map_or(STRANGER, |(_, seed)| *seed);
    dsse::sign(RECEIPT_TYPE, line.as_bytes(), &key_of(seed))
}

/// Fails where the issuer's side would say something else.
fn agrees(said: &Statement, file: &ProofFile) {
    let (plan, plan_digest): (Plan, _) = plan::open(&file.plan, &ISSUER.verifying())
        .unwrap_or_else(|why| panic!("valid, and its plan opens not: {why}"));
    let open = |envelope| open(envelope).unwrap_or_else(|| panic!("valid, and a receipt opens under no agent's key"));
    let receipts: Vec<_> = file.receipts.iter().map(open).collect();
    let obligations: Vec<Obligation> = said
        .kept
        .iter()
        .map(|kept| Obligation {
            handle: kept.handle,
            request: plan.request,
            agent: kept.agent.clone(),
            target: kept.target.clone(),
            items: kept.items,
            keep: kept.keep.clone(),
        })
        .collect();
    let evidence = Evidence {
        request: &request(&json!({ "request": said.request, "subject": said.subject })),
        plan: &plan,
        plan_digest,
        jobs: &[],
        receipts: &receipts,
        copies: &[],
        obligations: &obligations,
    };
    let mut ours = assemble(&evidence, said.sequence, said.issued, said.clock);
    // Why a target is unproven is the one thing that does not follow from signed evidence alone.
    for (ours, said) in ours.targets.iter_mut().zip(&said.targets) {
        ours.why.clone_from(&said.why);
    }
    assert_eq!(&ours, said, "the verifier calls valid what the issuer would not say");
}

fn open(envelope: &Envelope) -> Option<(Receipt, Digest)> {
    AGENTS.iter().find_map(|(_, seed)| receipt::open(envelope, &key_of(*seed).verifying()).ok())
}

fn key_of(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

/// What the coordinator keeps of a request that nothing speaks against.
fn request(said: &Value) -> Request {
    let id = "a4".repeat(16);
    let subject = &said["subject"];
    let about = if subject.is_null() {
        json!({ "kind": "purge", "day": "2026-02-01", "seal": id })
    } else {
        json!({ "kind": "end", "subject": subject, "customer": id, "contract": id })
    };
    let stored = json!({
        "id": said["request"], "about": about,
        "received": "2026-02-01T08:00:00Z", "state": "awaiting_copies", "facts": {}, "anchors": {}, "proofs": 1,
    });
    serde_json::from_value(stored).unwrap_or_else(|why| panic!("a stored request has other fields by now: {why}"))
}
