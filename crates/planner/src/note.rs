//! The words and sentences of a plan's notes. Owns their codes; the checker spells them on its own.

use gallra_model::AgentName;
use gallra_model::plan::Note;
use gallra_model::target::TargetId;

/// A target as notes name it.
pub(crate) fn place(agent: &AgentName, target: &TargetId) -> String {
    format!("{agent}/{target}")
}

pub(crate) fn note(code: &str, target: &str, text: impl Into<String>) -> Note {
    Note { code: code.to_owned(), target: target.to_owned(), text: text.into() }
}

pub(crate) const WAITS: &str = "waits-for-settlement";
pub(crate) const NEEDS_PERIOD: &str = "needs-a-period";
pub(crate) const BY_AGE: &str = "by-age";
pub(crate) const OBSERVE_MODE: &str = "observe-mode";
pub(crate) const KEEPS: &str = "keeps";
pub(crate) const NOT_MET: &str = "promise-not-met";
pub(crate) const NEVER: &str = "copies-never-expire";
pub(crate) const OUTLIVE: &str = "copies-outlive-promise";
pub(crate) const UNKNOWN: &str = "copies-unknown";
pub(crate) const NOT_PURGED: &str = "not-purged";
pub(crate) const OF_KEPT: &str = "copies-of-kept-data";
pub(crate) const OUTLIVE_RULE: &str = "copies-outlive-rule";
pub(crate) const HELD: &str = "held";
pub(crate) const INSTRUCTION: &str = "instruction";
pub(crate) const RESTRICT: &str = "restrict-by-hand";
pub(crate) const UNEXPECTED: &str = "unexpected";

/// What would meet a promise about copies. None of it is built: somebody does it, or the note stays.
pub(crate) const MEASURES: &str = "shorten the store's keep rules, forget (only a copy that holds nobody else), rewrite, or \
                                   shred a key of the customer's own";
