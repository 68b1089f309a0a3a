//! From checked statements to plain values. Owns no rule.

use super::links;
use super::log::{Cosigned, Log};
use super::open::AllOpened;
use super::stamp::Stamped;
use super::vouched::{By, Vouched};
use crate::format::shared::{Counts, Role, TargetKind};
use crate::format::statement::Expected;
use crate::format::v1::statement::{ProofStage, RequestKind};
use crate::told;

pub(crate) fn tell(
    all: &AllOpened,
    vouched: &Vouched,
    log: &Log,
    cosigned: &Cosigned,
    stamps: Vec<Stamped>,
    level: &'static str,
) -> told::Told {
    let proof = &all.proof.value.predicate;
    let subject = if links::is_about_an_age(&all.proof.value) { &[][..] } else { &all.proof.value.subject };
    told::Told {
        request: request(all),
        subjects: subject.iter().map(|one| one.digest.sha256.to_string()).collect(),
        sequence: proof.sequence.get(),
        previous: proof.previous.as_ref().map(ToString::to_string),
        digest: all.proof.digest.to_string(),
        amendment: proof.stage == ProofStage::Amendment,
        is_final: proof.stage != ProofStage::Interim,
        until: proof.until.as_ref().map(ToString::to_string),
        issued: proof.issued.to_string(),
        clock: proof.clock,
        level,
        issuer: issuer(vouched),
        keys: keys(vouched),
        plan: plan(all),
        targets: targets(all),
        copies_closed: proof.copies_closed.as_ref().map(ToString::to_string),
        copies: copies(all),
        kept: kept(all),
        restores: restores(all),
        recipients: recipients(all),
        log: logged(all, vouched, log, cosigned, stamps),
    }
}

fn request(all: &AllOpened) -> told::Request {
    let said = &all.request.value.predicate;
    let kind = match said.kind {
        RequestKind::ContractEnd => "contract-end",
        RequestKind::CustomerEnd => "customer-end",
        RequestKind::Right => "right",
        RequestKind::Purge => "purge",
    };
    told::Request { id: said.request.to_string(), kind, received: said.received.to_string() }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Controller => "controller",
        Role::Processor => "processor",
    }
}

fn kind(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Files => "files",
        TargetKind::Maildir => "maildir",
        TargetKind::Sql => "sql",
        TargetKind::AccessLog => "access-log",
        TargetKind::Restic => "restic",
    }
}

fn counts(counts: &Counts) -> told::Counts {
    told::Counts {
        erased: counts.erased.get(),
        absent: counts.absent.get(),
        anonymised: counts.anonymised.get(),
        key_destroyed: counts.key_destroyed.get(),
        retained: counts.retained.get(),
        restricted: counts.restricted.get(),
        failed: counts.failed.get(),
        unknown: counts.unknown.get(),
    }
}

fn issuer(vouched: &Vouched) -> told::Issuer {
    let said = &vouched.manifest().issuer;
    told::Issuer {
        name: said.name.to_string(),
        country: said.country.to_string(),
        contact: said.contact.to_string(),
        authority: said.authority.to_string(),
        organisation_number: said.organisation_number.as_ref().map(ToString::to_string),
    }
}

fn keys(vouched: &Vouched) -> told::Keys {
    told::Keys {
        anchor: vouched.anchor.to_string(),
        version: vouched.manifest().version.get(),
        manifest: vouched.newest.digest.to_string(),
        vouching: match vouched.by {
            By::KeyFile => told::Vouching::KeyFile,
            By::Anchor => told::Vouching::Anchor,
            By::IssuerAlone => told::Vouching::IssuerAlone,
        },
    }
}

fn plan(all: &AllOpened) -> told::Plan {
    let said = &all.plan.value.predicate;
    let note = |note: &crate::format::plan::Note| told::Note {
        code: note.code.to_string(),
        target: note.target.to_string(),
        text: note.text.clone(),
    };
    let term = |term: &crate::format::plan::Term| told::Term {
        rule: term.rule.to_string(),
        kind: term.kind.to_string(),
        category: term.category.as_ref().map(ToString::to_string),
        text: term.text.clone(),
    };
    told::Plan {
        digest: all.plan.digest.to_string(),
        number: said.number.get(),
        made: said.made.to_string(),
        policy: said.policy.to_string(),
        purge: said.purge.as_ref().map(ToString::to_string),
        notes: said.notes.iter().map(note).collect(),
        terms: said.terms.iter().map(term).collect(),
    }
}

fn targets(all: &AllOpened) -> Vec<told::Target> {
    let one = |said: &crate::format::statement::TargetResult| told::Target {
        agent: said.agent.to_string(),
        target: said.target.to_string(),
        kind: kind(said.kind),
        category: said.category.to_string(),
        role: role(said.role),
        counts: counts(&said.counts),
        proven: said.proven,
        why: said.why.to_string(),
    };
    all.proof.value.predicate.targets.iter().map(one).collect()
}

fn copies(all: &AllOpened) -> Vec<told::Copy> {
    let one = |said: &crate::format::statement::CopyResult| told::Copy {
        copy: said.copy.to_string(),
        agent: said.agent.to_string(),
        target: said.target.to_string(),
        began: said.began.to_string(),
        expected: match &said.expected {
            Expected::By(day) => Some(day.to_string()),
            Expected::Never | Expected::Unknown => None,
        },
        gone: said.gone.as_ref().map(ToString::to_string),
    };
    all.proof.value.predicate.copies.iter().map(one).collect()
}

fn kept(all: &AllOpened) -> Vec<told::Kept> {
    let one = |said: &crate::format::statement::KeptResult| told::Kept {
        agent: said.agent.to_string(),
        target: said.target.to_string(),
        items: said.items.get(),
        rule: said.keep.rule.to_string(),
        ground: said.keep.ground.clone(),
        until: said.keep.earliest.before().to_string(),
    };
    all.proof.value.predicate.kept.iter().map(one).collect()
}

fn restores(all: &AllOpened) -> Vec<told::Restore> {
    let one = |said: &crate::format::v1::statement::RestoreResult| told::Restore {
        agent: said.agent.to_string(),
        target: said.target.to_string(),
        taken: said.taken.to_string(),
        finished: said.finished.to_string(),
        counts: counts(&said.counts),
        released: said.released,
    };
    all.proof.value.predicate.restores.iter().map(one).collect()
}

fn recipients(all: &AllOpened) -> Vec<told::Recipient> {
    let one = |said: &crate::format::v1::statement::Recipient| told::Recipient {
        recipient: said.recipient.to_string(),
        of: said.of.to_string(),
        at: said.at.to_string(),
        acknowledged: said.acknowledged,
    };
    all.proof.value.predicate.recipients.iter().map(one).collect()
}

fn logged(all: &AllOpened, vouched: &Vouched, log: &Log, cosigned: &Cosigned, stamps: Vec<Stamped>) -> told::Log {
    let manifest = vouched.manifest();
    let witness = |(number, time): &(usize, u64)| {
        let named = manifest.witnesses.get(*number)?;
        Some(told::Witness { name: named.name.to_string(), outside: named.outside, time: *time })
    };
    told::Log {
        origin: manifest.log.origin.to_string(),
        index: all.proof.index,
        size: log.size,
        root: log.checkpoints.last().map(|last| hex::encode(last.root)).unwrap_or_default(),
        witnesses: cosigned.0.last().into_iter().flatten().filter_map(witness).collect(),
        stamps: stamps.into_iter().map(|stamp| told::Stamp { size: stamp.size, time: stamp.time }).collect(),
    }
}
