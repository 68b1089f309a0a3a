//! Version 1 (`docs/formats/proof-v1.md`, section 7): its steps, one after the other. What follows from plan and agents'
//! statements (sections 10 to 13 of the page) is worked out beside it.
//!
//! Read it in this order: `entry` (envelopes and the log's lines), `chain` and `register` (keys), `note` and `tree` (the
//! log), `open` (who signed what), `links`, `before`, `level`, `question`, `told`.

mod before;
mod chain;
mod entry;
mod leak;
mod level;
mod links;
mod log;
mod note;
mod open;
mod opening;
mod question;
mod register;
mod stamp;
mod telling;
mod tree;
mod vouched;

pub use opening::Opening;
pub use question::{ClaimCode, Identifier, IdentifierKind, Question, QuestionError};

use crate::book::Book;
use crate::form;
use crate::format::v1::file::ProofFile;
use crate::format::v1::statement::{Proof, ProofStage, Statement};
use crate::judge::{self, Said};
use crate::told::Told;
use crate::trust::Trust;
use crate::verdict::{Failure, Outcome, Report};

/// More statements, manifests and events together than any request has.
const MAX_ENTRIES: usize = 20_000;
/// Checkpoints, and time stamps, of one file.
const MAX_CHECKPOINTS: usize = 1_000;
const MAX_TIMESTAMPS: usize = 100;

/// What a valid proof comes to.
pub(crate) struct Valid {
    pub(crate) outcome: Outcome,
    pub(crate) level: &'static str,
    pub(crate) told: Box<Told>,
}

/// The numbered steps of the page. The first that fails ends it.
pub(crate) fn steps(bytes: &[u8], trust: &Trust, question: &Question, report: &mut Report) -> Result<Valid, Failure> {
    let file = read(bytes, report)?;
    let (vouched, register) = vouched::trusted(&file, trust, report)?;
    let log = log::read(&file, vouched.manifest(), &register, report)?;
    let opened = open::open(&file, &log, &register, report)?;
    vouched.named(&opened.proof.value)?;
    report.clock(opened.proof.value.predicate.clock);
    let stamps = stamp::check(&file, &log, vouched.manifest(), report)?;
    links::check(&opened, report)?;
    before::check(&file, &log, &opened, report)?;
    let proof = &opened.proof.value.predicate;
    let book = Book::new(&opened.plan.value.predicate, &opened.receipts, proof.clock)?;
    links::types_fit(&opened, &book)?;
    links::restores_and_recipients(&opened, report)?;
    let judged =
        judge::judge(&said(&opened.proof.value), &book, |copies| links::open_points(&opened, &book, copies), report)?;
    report.ok("8 evidence: targets, copies, what is kept, and the stage are what the statements show".to_owned());
    let witnesses = log.witnesses(vouched.manifest(), question.witnesses, report)?;
    question.ask(&opened, report)?;
    let facts = level::Facts {
        vouched: !vouched.by_issuer_alone(),
        stamped: stamps.iter().any(|stamp| stamp.size > opened.last_index()),
        apart: judged.apart,
        witnessed: level::witnessed(&log, &opened, &witnesses, vouched.manifest()),
    };
    let level = facts.level();
    report.note(format!("level: {level}{}", facts.missing()));
    let told = telling::tell(&opened, &vouched, &log, &witnesses, stamps, level);
    Ok(Valid { outcome: judged.outcome, level, told: Box::new(told) })
}

/// The leak scan of step 10 alone.
pub(crate) fn shows(payload: &[u8], identifiers: &[Identifier]) -> bool {
    leak::Scan::new(identifiers).finds(payload).is_some()
}

/// Step 1.
fn read(bytes: &[u8], report: &mut Report) -> Result<ProofFile, Failure> {
    let file: ProofFile = form::line(bytes)?;
    let entries = file.statements.len() + file.manifests.len() + file.events.len();
    if entries > MAX_ENTRIES {
        return Err(Failure::malformed("the file has more than 20000 entries"));
    }
    if file.checkpoints.len() > MAX_CHECKPOINTS || file.timestamps.len() > MAX_TIMESTAMPS {
        return Err(Failure::malformed("the file has more than 1000 checkpoints or 100 time stamps"));
    }
    report.ok(format!("1 form: canonical, {} bytes, {} statements", bytes.len(), file.statements.len()));
    Ok(file)
}

fn said(statement: &Statement<Proof>) -> Said<'_> {
    let proof = &statement.predicate;
    Said {
        is_final: proof.stage != ProofStage::Interim,
        until: proof.until.as_ref(),
        has_subject: !links::is_about_an_age(statement),
        targets: &proof.targets,
        copies_closed: proof.copies_closed.as_ref(),
        copies: &proof.copies,
        kept: &proof.kept,
    }
}
