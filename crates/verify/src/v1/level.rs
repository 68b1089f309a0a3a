//! How much has to be believed (`docs/formats/proof-v1.md`, section 6). Owns the levels; upholds that none is given whose
//! conditions do not all hold.

use super::log::{Cosigned, Log};
use super::open::AllOpened;
use crate::format::shared::Action;
use crate::format::v1::keys::Manifest;

/// Witnesses of other organisations that A3 asks for.
const WITNESSES: usize = 2;

/// What the levels ask for, beside what makes a proof valid.
pub(crate) struct Facts {
    /// Somebody else than the issuer stands for log, agents, witnesses and authorities.
    pub(crate) vouched: bool,
    /// A time stamp is on a checkpoint that holds everything.
    pub(crate) stamped: bool,
    /// No agent confirmed its own erasure.
    pub(crate) apart: bool,
    /// Witnesses of other organisations saw the plan before the first act, and the end.
    pub(crate) witnessed: bool,
}

impl Facts {
    /// The highest level all of whose conditions, and those of all below it, hold.
    pub(crate) fn level(&self) -> &'static str {
        match (self.vouched && self.stamped, self.apart, self.witnessed) {
            (false, ..) => "A0",
            (true, false, _) => "A1",
            (true, true, false) => "A2",
            (true, true, true) => "A3",
        }
    }

    /// What the next level lacks, to be said behind this one.
    pub(crate) fn missing(&self) -> &'static str {
        match self.level() {
            "A0" if !self.vouched => ": nobody but the issuer vouches for log and agents",
            "A0" => ": no time stamp is on the whole of it",
            "A1" => ": an agent confirmed its own erasure",
            "A2" => ": fewer than two witnesses of other organisations saw plan and end",
            _ => "",
        }
    }
}

/// Whether at least two witnesses of other organisations cosigned a checkpoint that holds the plan and no act, and the last.
pub(crate) fn witnessed(log: &Log, all: &AllOpened, cosigned: &Cosigned, manifest: &Manifest) -> bool {
    let acts = all.receipts.iter().zip(&all.agents);
    let acts = acts.filter(|(receipt, _)| matches!(receipt.value.action, Action::Erase | Action::Purge));
    let Some(first) = acts.map(|(_, at)| at.index).min() else { return false };
    let outside = |number: usize| manifest.witnesses.get(number).is_some_and(|witness| witness.outside);
    let enough = |seen: &Vec<(usize, u64)>| seen.iter().filter(|(number, _)| outside(*number)).count() >= WITNESSES;
    let before = log
        .checkpoints
        .iter()
        .zip(&cosigned.0)
        .any(|(checkpoint, seen)| all.plan.index < checkpoint.size && checkpoint.size <= first && enough(seen));
    before && cosigned.0.last().is_some_and(enough)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_needs_all_below_it() {
        let level = |vouched, stamped, apart, witnessed| Facts { vouched, stamped, apart, witnessed }.level();
        assert_eq!(level(true, true, true, true), "A3");
        assert_eq!(level(true, true, true, false), "A2");
        assert_eq!(level(true, true, false, true), "A1");
        assert_eq!(level(true, false, true, true), "A0");
        assert_eq!(level(false, true, true, true), "A0");
    }
}
