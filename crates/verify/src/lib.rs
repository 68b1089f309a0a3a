//! Offline verification of a proof, format `v0-draft` (`docs/formats/proof-v0-draft.md`). Sees bytes and trusted keys,
//! nothing else: no file system, no network, no clock, and no code shared with those who issue proofs.
//!
//! Upholds I13 (a proof file and a trusted key suffice) and I5 on the reader's side: what the statement says is worked
//! out again from the signed plan and receipts, and a statement that says anything else is invalid. No key found in
//! the file is trusted, except agents' evidence keys in a plan that a trusted key signed.
//!
//! Read it in this order: `lib` (the steps), `form` and `format` (what the bytes are), `envelope` (signatures), `book`
//! (which receipt speaks for a step), `live`, `copies`, `judge` (what follows), `verdict` (how it is told).

mod book;
mod copies;
mod envelope;
mod form;
mod format;
mod judge;
mod key;
mod live;
mod time;
mod verdict;
mod word;

pub use key::{IssuerKey, KeyError};
pub use verdict::{Check, Clock, Kept, Kind, Mark, Outcome, Require, Verdict};

use book::Book;
use envelope::{Opened, open_by_agent, open_by_issuer};
use format::plan::{PLAN_TYPE, Plan};
use format::receipt::{RECEIPT_TYPE, Receipt};
use format::statement::{PROOF_TYPE, ProofFile, Statement};
use verdict::{Failure, Report};

/// Verifies a proof file against the issuer keys that the caller trusts. Never panics, whatever the bytes are.
pub fn verify(bytes: &[u8], keys: &[IssuerKey]) -> Verdict {
    let mut report = Report::default();
    match steps(bytes, keys, &mut report) {
        Ok(outcome) => report.valid(outcome),
        Err(failure) => report.invalid(failure),
    }
}

/// Whether a receipt's signed bytes follow the format: for `gallra-fuzzing`, which asks whether the issuer's side takes
/// receipts that would make a proof invalid later.
#[doc(hidden)]
pub fn reads_receipt(payload: &[u8]) -> bool {
    form::canonical::<Receipt>(payload, "receipt").is_ok()
}

/// The numbered steps of `docs/formats/proof-v0-draft.md`, section 9.
fn steps(bytes: &[u8], keys: &[IssuerKey], report: &mut Report) -> Result<Outcome, Failure> {
    let file = form::read(bytes)?;
    report.ok(format!("form: canonical, {} bytes, {} receipts", bytes.len(), file.receipts.len()));
    let (statement, plan) = issued(&file, keys, report)?;
    let receipts = attested(&file, &plan.value, keys, report)?;
    named(&statement.value, &plan, &receipts, report)?;
    report.clock(statement.value.clock);
    let book = Book::new(&plan.value, &receipts, statement.value.clock)?;
    judge::judge(&statement.value, &book, report)
}

/// Steps 3 and 4: what the issuer signed.
fn issued(
    file: &ProofFile,
    keys: &[IssuerKey],
    report: &mut Report,
) -> Result<(Opened<Statement>, Opened<Plan>), Failure> {
    let statement: Opened<Statement> = open_by_issuer(&file.statement, PROOF_TYPE, "statement", keys)?;
    report.ok(format!("statement: signed by trusted key {}", short(&statement.keyid)));
    let plan: Opened<Plan> = open_by_issuer(&file.plan, PLAN_TYPE, "plan", keys)?;
    report.ok(format!("plan: number {}, signed by trusted key {}", plan.value.number.get(), short(&plan.keyid)));
    if statement.value.format != file.format {
        return Err(Failure::evidence("the statement is of another format than the file"));
    }
    Ok((statement, plan))
}

/// Step 5: each receipt under the evidence key that the plan names for its agent.
fn attested(
    file: &ProofFile,
    plan: &Plan,
    keys: &[IssuerKey],
    report: &mut Report,
) -> Result<Vec<Opened<Receipt>>, Failure> {
    let agents = envelope::evidence_keys(plan, keys)?;
    let receipts: Vec<Opened<Receipt>> =
        file.receipts.iter().map(|receipt| open_by_agent(receipt, RECEIPT_TYPE, &agents)).collect::<Result<_, _>>()?;
    report.ok(format!(
        "receipts: {} signed by their agents' evidence keys ({} agents), which the plan names",
        receipts.len(),
        agents.len()
    ));
    Ok(receipts)
}

/// Step 6: the statement is about this plan and exactly these receipts.
fn named(
    statement: &Statement,
    plan: &Opened<Plan>,
    receipts: &[Opened<Receipt>],
    report: &mut Report,
) -> Result<(), Failure> {
    if statement.plan != plan.digest {
        return Err(Failure::evidence("the statement is about another plan than the one in the file"));
    }
    if statement.request != plan.value.request {
        return Err(Failure::evidence("the plan is of another request than the statement"));
    }
    if statement.clock != plan.value.clock {
        return Err(Failure::evidence("plan and statement were made under different clocks"));
    }
    if !statement.evidence.iter().eq(receipts.iter().map(|receipt| &receipt.digest)) {
        return Err(Failure::evidence("the receipts in the file are not those that the statement names"));
    }
    let mut seen: Vec<_> = statement.evidence.iter().collect();
    seen.sort();
    if seen.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(Failure::evidence("a receipt is in the file twice"));
    }
    report.ok("links: the statement names this plan and exactly these receipts".to_owned());
    Ok(())
}

/// The first 16 characters of a key id or copy id: enough to compare by eye.
fn short(id: &str) -> &str {
    id.get(..16).unwrap_or(id)
}
