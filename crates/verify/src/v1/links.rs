//! Steps 6 and part of 8: that all statements are of one request, one subject and one plan, and that none was left out
//! between two of them (`docs/formats/proof-v1.md`, sections 3 and 4).

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::open::{AllOpened, At};
use crate::book::Book;
use crate::copies::CopySet;
use crate::format::plan::Step;
use crate::format::receipt::{Receipt, Verdict};
use crate::format::shared::{Action, ClockWord};
use crate::format::v1::statement::{
    CopySet as SaidCopies, EvidenceType, Proof, ProofStage, Recipient, RequestKind, RestoreResult, Statement, Subject,
};
use crate::judge::Point;
use crate::verdict::{Failure, Report};
use crate::word::{Hex64, Id};

/// Most commitments of one subject.
const MAX_SUBJECTS: usize = 32;

/// A purge's proof is about a request, and not about somebody.
pub(crate) fn is_about_an_age(proof: &Statement<Proof>) -> bool {
    proof.subject.first().is_some_and(|first| first.name.as_str() == "request")
}

pub(crate) fn check(all: &AllOpened, report: &mut Report) -> Result<(), Failure> {
    let proof = &all.proof.value.predicate;
    subject(&all.proof.value)?;
    if proof.plan != all.plan.digest {
        return Err(Failure::evidence("the proof is about another plan than the one in the file"));
    }
    numbered(proof)?;
    let (request, plan) = (&all.request.value.predicate, &all.plan.value.predicate);
    let of = Of { proof: &all.proof };
    of.same(&all.request, &request.request, request.clock, "request")?;
    of.same(&all.plan, &plan.request, plan.clock, "plan")?;
    for at in &all.notifications {
        of.same(at, &at.value.predicate.request, at.value.predicate.clock, "notification")?;
    }
    for at in &all.copy_sets {
        of.same(at, &at.value.predicate.request, at.value.predicate.clock, "copy-set")?;
        if at.value.predicate.plan != all.plan.digest {
            return Err(Failure::evidence("a copy-set is about another plan than the proof"));
        }
    }
    let purge = request.kind == RequestKind::Purge;
    if purge != plan.is_purge() || purge && request.pickup.is_some() {
        return Err(Failure::evidence("request and plan do not agree on whether this is a purge"));
    }
    ordered(all)?;
    attributed(all)?;
    chained(all)?;
    report.ok("6 links: one request, one subject, one plan, and no agent's statement left out between two".to_owned());
    Ok(())
}

struct Of<'a> {
    proof: &'a At<Proof>,
}

impl Of<'_> {
    /// Of the proof's request, subject and clock.
    fn same<P: Serialize>(&self, at: &At<P>, request: &Id, clock: ClockWord, noun: &str) -> Result<(), Failure> {
        let proof = &self.proof.value;
        let wrong = |what: &str| Err(Failure::evidence(&format!("the {noun} is of another {what} than the proof")));
        if *request != proof.predicate.request {
            return wrong("request");
        }
        if at.value.subject != proof.subject {
            return wrong("subject");
        }
        if clock == proof.predicate.clock { Ok(()) } else { wrong("clock") }
    }
}

/// Commitments in their order, or the request of a purge.
fn subject(proof: &Statement<Proof>) -> Result<(), Failure> {
    let good = if is_about_an_age(proof) {
        let digest = Sha256::new().chain_update("gallra-request/v1\0").chain_update(proof.predicate.request.as_str());
        is_one(&proof.subject, "request", &hex::encode(digest.finalize()))
    } else {
        let numbered = |(subject, number): (&Subject, usize)| subject.name.as_str() == format!("subject-{number}");
        (1..=MAX_SUBJECTS).contains(&proof.subject.len()) && proof.subject.iter().zip(1..).all(numbered)
    };
    if good { Ok(()) } else { Err(Failure::evidence("the proof's subject is neither commitments nor its request")) }
}

fn is_one(subject: &[Subject], name: &str, digest: &str) -> bool {
    matches!(subject, [one] if one.name.as_str() == name && one.digest.sha256.as_str() == digest)
}

fn numbered(proof: &Proof) -> Result<(), Failure> {
    let number = proof.sequence.get();
    if number == 0 || (number == 1) != proof.previous.is_none() {
        return Err(Failure::evidence("the proof's number and the proof before it do not fit each other"));
    }
    if proof.stage == ProofStage::Amendment && number == 1 {
        return Err(Failure::evidence("an amendment has no proof before it"));
    }
    Ok(())
}

/// The request comes first in the log, the proof last, and what is not about the request's own jobs in between, in order.
fn ordered(all: &AllOpened) -> Result<(), Failure> {
    let (first, last) = (all.request.index, all.proof.index);
    let between = |index: u64| first < index && index < last;
    let mut others = all.agents.iter().map(|at| at.index).chain(all.tail.iter().copied()).chain([all.plan.index]);
    if !others.all(between) {
        return Err(Failure::evidence("a statement is not in the log between the request and the proof"));
    }
    if all.mixed || all.tail.windows(2).any(|pair| matches!(pair, [one, next] if one >= next)) {
        return Err(Failure::evidence("restores, notifications and copy sets are not last, in the log's order"));
    }
    Ok(())
}

/// Each agent speaks for itself, about the offer that it names.
fn attributed(all: &AllOpened) -> Result<(), Failure> {
    for (receipt, at) in all.receipts.iter().zip(&all.agents) {
        let said = &receipt.value;
        if at.actor != said.agent {
            return Err(Failure::evidence(&format!("a statement of agent {} is signed by another agent", said.agent)));
        }
        if !is_one(&at.subject, "job", said.spec.as_str()) {
            return Err(Failure::evidence("the subject of an agent's statement is not its job"));
        }
    }
    for (at, actor) in &all.restores {
        let said = &at.value.predicate;
        if *actor != said.agent {
            return Err(Failure::evidence(&format!("a restore at agent {} is signed by another agent", said.agent)));
        }
        if !is_one(&at.value.subject, "entry", said.entry.as_str()) {
            return Err(Failure::evidence("the subject of a restore is not its entry"));
        }
    }
    Ok(())
}

/// For each job and key one chain, in the file's order: each statement names the one before it, unless that one says done and is no look at a backup store.
fn chained(all: &AllOpened) -> Result<(), Failure> {
    let mut last: BTreeMap<(&Id, &str), (bool, &Hex64)> = BTreeMap::new();
    for receipt in &all.receipts {
        let said = &receipt.value;
        let before = last.insert(
            (&said.job, &receipt.keyid),
            (said.verdict == Verdict::Done && said.action != Action::Observe, &receipt.digest),
        );
        let named = before.filter(|(over, _)| !over).map(|(_, digest)| digest);
        if said.previous.as_ref() != named {
            let agent = &receipt.value.agent;
            return Err(Failure::evidence(&format!("a statement of agent {agent} is missing before another one")));
        }
    }
    Ok(())
}

/// Each agent's statement is of the type that its step asks for.
pub(crate) fn types_fit(all: &AllOpened, book: &Book<'_>) -> Result<(), Failure> {
    let steps: BTreeMap<&Id, &Step> = book.plan.steps.iter().map(|step| (&step.job, step)).collect();
    for (receipt, at) in all.receipts.iter().zip(&all.agents) {
        let asked = steps.get(&receipt.value.job).map(|step| match step.action {
            Action::Confirm if step.is_recheck() => EvidenceType::Recheck,
            Action::Confirm => EvidenceType::Absence,
            Action::Observe => EvidenceType::CopyExpiry,
            Action::Inspect | Action::Restrict | Action::Preserve | Action::Erase | Action::Purge => {
                EvidenceType::Receipt
            }
        });
        if asked != Some(at.word) {
            return Err(Failure::evidence(&format!("a {} is of a step of another kind", at.word.word())));
        }
    }
    Ok(())
}

/// The proof's lines about restores and recipients are those of the statements.
pub(crate) fn restores_and_recipients(all: &AllOpened, report: &mut Report) -> Result<(), Failure> {
    let proof = &all.proof.value.predicate;
    let restores = all.restores.iter().map(|(at, _)| &at.value.predicate).map(|said| RestoreResult {
        entry: said.entry.clone(),
        agent: said.agent.clone(),
        target: said.target.clone(),
        taken: said.taken.clone(),
        finished: said.finished.clone(),
        counts: said.counts,
        released: said.released,
    });
    if !restores.collect::<Vec<_>>().iter().eq(&proof.restores) {
        return Err(Failure::evidence("restores: the proof differs from the agents' statements"));
    }
    let recipients = all.notifications.iter().map(|at| &at.value.predicate).map(|said| Recipient {
        recipient: said.recipient.clone(),
        of: said.of.clone(),
        at: said.at.clone(),
        acknowledged: said.acknowledged,
    });
    if !recipients.collect::<Vec<_>>().iter().eq(&proof.recipients) {
        return Err(Failure::evidence("recipients: the proof differs from the notifications"));
    }
    for line in &proof.restores {
        let (agent, target) = (&line.agent, &line.target);
        report
            .ok(format!("restore into {agent}/{target}: of a copy of {}, erased again {}", line.taken, line.finished));
    }
    let told = proof.recipients.iter().filter(|line| line.acknowledged).count();
    if !proof.recipients.is_empty() {
        report.ok(format!("recipients: {} told, {told} of them acknowledged it", proof.recipients.len()));
    }
    Ok(())
}

/// What this version asks beside what the receipts settle.
pub(crate) fn open_points(all: &AllOpened, book: &Book<'_>, copies: &CopySet<'_>) -> Vec<Point> {
    let live: BTreeSet<_> =
        book.plan.steps.iter().filter(|step| !step.kind.is_backup()).map(|step| (&step.agent, &step.target)).collect();
    let clock = all.proof.value.predicate.clock;
    let mut open: Vec<Point> = all
        .restores
        .iter()
        .map(|(at, _)| &at.value.predicate)
        .filter(|said| {
            let known = !said.kind.is_backup() && live.contains(&(&said.agent, &said.target));
            !(known && said.released && said.counts.settles() && said.clock == clock)
        })
        .map(|said| Point {
            what: format!("what a restore brought back into {}/{} is not gone again", said.agent, said.target),
            undated: true,
        })
        .collect();
    if let Some(closers) = &copies.closers
        && let Some(what) = unclosed(all, copies, closers)
    {
        open.push(Point { what, undated: false });
    }
    open
}

/// Why the issuer's last copy set is not the one that the listings close; nothing where it is.
fn unclosed(all: &AllOpened, copies: &CopySet<'_>, closers: &[&Receipt]) -> Option<String> {
    let Some(said) = all.copy_sets.last() else {
        return (!closers.is_empty()).then(|| "no copy set was closed in the log".to_owned());
    };
    // The receipts are where they were read: a listing is found again by where it lies.
    let placed: BTreeMap<*const _, (&Hex64, u64)> = all
        .receipts
        .iter()
        .zip(&all.agents)
        .map(|(receipt, at)| (std::ptr::from_ref(&receipt.value), (&receipt.digest, at.index)))
        .collect();
    let listings: Vec<(&Hex64, u64)> =
        closers.iter().filter_map(|closer| placed.get(&std::ptr::from_ref(*closer)).copied()).collect();
    let SaidCopies { closed, listings: named, copies: listed, .. } = &said.value.predicate;
    let same_copies = listed.len() == copies.copies.len()
        && listed.iter().zip(&copies.copies).all(|(said, found)| {
            (&said.copy, &said.agent, &said.target, &said.began)
                == (&found.copy, &found.agent, &found.target, &found.began)
        });
    let same = Some(closed) == copies.closed.as_ref() && named.iter().eq(listings.iter().map(|(digest, _)| *digest));
    let after = listings.iter().all(|(_, index)| *index < said.index);
    (!(same && same_copies && after))
        .then(|| "the copy set in the log is not the one that the listings close".to_owned())
}
