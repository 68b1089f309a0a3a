//! Step 7: what would happen was in the log, and seen, before it did (`docs/formats/proof-v1.md`, section 5).

use std::collections::BTreeSet;

use super::log::{self, Log};
use super::open::AllOpened;
use crate::format::receipt::{Commitment, Receipt, Verdict};
use crate::format::shared::Action;
use crate::format::v1::file::ProofFile;
use crate::verdict::{Failure, Kind, Report};

pub(crate) fn check(file: &ProofFile, log: &Log, all: &AllOpened, report: &mut Report) -> Result<(), Failure> {
    let mut quoted = BTreeSet::new();
    let mut acts = 0_usize;
    for (receipt, at) in all.receipts.iter().zip(&all.agents) {
        let said = &receipt.value;
        let erases = matches!(said.action, Action::Erase | Action::Purge);
        let Some(commitment) = &said.commitment else {
            if erases && could_touch(said) {
                let why = format!("agent {} acted, and quotes no checkpoint of before", said.agent);
                return Err(Failure::evidence(&why));
            }
            continue;
        };
        let size = commitment.size.get();
        quoted.insert(size);
        known(commitment, file, log)?;
        if at.index < size {
            return Err(Failure::evidence("a statement quotes a checkpoint that is younger than itself"));
        }
        if erases && all.plan.index >= size {
            return Err(Failure::evidence("the plan was not in the log before something was erased"));
        }
        acts += usize::from(erases);
    }
    let own = |from: u64| log.checkpoints.binary_search_by_key(&from, |checkpoint| checkpoint.size).is_ok();
    let needed = |from: u64| quoted.contains(&from) || own(from);
    if !file.consistency.iter().all(|line| needed(line.from.get())) {
        return Err(Failure::evidence("a consistency path is of a checkpoint that nothing quotes"));
    }
    report.ok(format!("7 before the act: the plan was in the log before each of {acts} acts"));
    Ok(())
}

/// Whether an agent that says so can have changed something.
fn could_touch(receipt: &Receipt) -> bool {
    let counts = &receipt.counts;
    let changed = [counts.erased, counts.anonymised, counts.key_destroyed];
    let tried = matches!(receipt.verdict, Verdict::Done | Verdict::Unknown);
    tried
        || receipt.permit.is_some() && receipt.verdict != Verdict::Refused
        || changed.iter().any(|count| count.get() > 0)
}

/// The quoted checkpoint is of the history of the file's.
fn known(commitment: &Commitment, file: &ProofFile, log: &Log) -> Result<(), Failure> {
    let (size, root) = (commitment.size.get(), log::hash(&commitment.root));
    let own = log.checkpoints.binary_search_by_key(&size, |checkpoint| checkpoint.size);
    let same = match own.ok().and_then(|own| log.checkpoints.get(own)) {
        Some(own) => own.root == root,
        // Step 3 saw that the line leads from this root to a checkpoint of the file.
        None => match file.consistency.binary_search_by_key(&size, |line| line.from.get()) {
            Ok(at) => file.consistency.get(at).is_some_and(|line| line.root == commitment.root),
            Err(_) => {
                return Err(Failure::evidence("nothing shows that a quoted checkpoint is of the log's history"));
            }
        },
    };
    if same {
        Ok(())
    } else {
        Err(Failure::new(Kind::Fork, "a quoted checkpoint has another root: the log has forked"))
    }
}
