//! `docs/formats/plan-v1.md`.

use serde::{Deserialize, Serialize};

use super::shared::{Action, ClockWord, Keep, Role, TargetKind};
use crate::time::{Day, Instant};
use crate::word::{Count, Hex64, Id, Name, Word};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    pub(crate) request: Id,
    pub(crate) number: Count,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parent: Option<Hex64>,
    pub(crate) policy: Hex64,
    pub(crate) made: Instant,
    pub(crate) clock: ClockWord,
    pub(crate) anchors: Anchors,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) purge: Option<Day>,
    pub(crate) steps: Vec<Step>,
    pub(crate) backups: Vec<BackupExpectation>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    approvals: Vec<Needed>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    restrictions: Vec<Restriction>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    holds: Vec<Held>,
    pub(crate) notes: Vec<Note>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) terms: Vec<Term>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    changes: Vec<Change>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Anchors {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contract_ended: Option<Day>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contract_settled: Option<Day>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    customer_ended: Option<Day>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    customer_settled: Option<Day>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) number: Count,
    pub(crate) job: Id,
    pub(crate) agent: Name,
    pub(crate) target: Name,
    pub(crate) kind: TargetKind,
    pub(crate) category: Name,
    pub(crate) role: Role,
    pub(crate) action: Action,
    pub(crate) rule: Name,
    pub(crate) due: Instant,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Instant>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) earliest: Option<Day>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) latest: Option<Day>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) after: Vec<After>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) keep: Option<Keep>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) older_than: Option<Instant>,
}

impl Plan {
    /// What is too old on one day, whoever's it is: nobody's proof.
    pub(crate) fn is_purge(&self) -> bool {
        self.purge.is_some()
    }
}

impl Step {
    /// The confirmation that comes after the last copy went.
    pub(crate) fn is_recheck(&self) -> bool {
        self.action == Action::Confirm && self.after.contains(&After::CopiesGone)
    }

    pub(crate) fn changes_for_good(&self) -> bool {
        matches!(self.action, Action::Erase | Action::Preserve | Action::Purge)
    }
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "step")]
pub(crate) enum After {
    Step(Count),
    LiveConfirmed,
    CopiesGone,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackupExpectation {
    pub(crate) agent: Name,
    pub(crate) target: Name,
    pub(crate) rule: Name,
    pub(crate) life: CopyLife,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    strategy: Option<Strategy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expected: Option<Day>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) latest: Option<Day>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub(crate) enum CopyLife {
    AtMost { days: Count },
    Never,
    Unknown,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Strategy {
    Observe,
}

/// Which approvals the plan asked for. Whether they came is the coordinator's word, and no part of a proof.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Needed {
    what: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rule: Option<Name>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Restriction {
    agent: Name,
    target: Name,
    rule: Name,
    from: Day,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Day>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Held {
    hold: Id,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    targets: Vec<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    review: Option<Day>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<Day>,
}

/// What the policy asks beside dates. Nothing is concluded from it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Term {
    pub(crate) rule: Name,
    pub(crate) kind: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) category: Option<Name>,
    pub(crate) text: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    what: Name,
    #[serde(default, skip_serializing_if = "is_empty")]
    target: Word,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
    pub(crate) code: Name,
    #[serde(default, skip_serializing_if = "is_empty")]
    pub(crate) target: Word,
    pub(crate) text: String,
}

fn is_empty(word: &Word) -> bool {
    word.as_str().is_empty()
}
