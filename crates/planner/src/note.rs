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
pub(crate) const OBSERVE_MODE: &str = "observe-mode";
pub(crate) const KEEPS: &str = "keeps";
pub(crate) const NOT_MET: &str = "promise-not-met";
pub(crate) const NEVER: &str = "copies-never-expire";
pub(crate) const OUTLIVE: &str = "copies-outlive-promise";
pub(crate) const UNKNOWN: &str = "copies-unknown";
pub(crate) const NOT_PURGED: &str = "not-purged";
pub(crate) const OF_KEPT: &str = "copies-of-kept-data";
