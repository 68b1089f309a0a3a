//! How far an instruction strays from the standard. Owns the words for it (longer, shorter, otherwise) and the line past
//! which the provider's counsel has to look.

use gallra_model::target::Category;
use serde::Serialize;

use crate::entry::{Effect, Warning};
use crate::pack::Policy;
use crate::rule::Clause;
use crate::word::Bound;

/// What is a large deviation where the provider's pack does not say: a period twice as long, or half as long.
const DEFAULT_FACTOR: u16 = 2;

/// One rule that an instruction replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deviation {
    /// The rule.
    pub rule: String,
    /// Its category.
    pub category: Category,
    /// What the provider's text promises; "needs a period" where it names none.
    pub before: String,
    /// What the instruction gives.
    pub after: String,
    /// Which way it turns.
    pub turn: Turn,
    /// Whether it is so large that the provider's counsel looks at it first (state `legal-review`), or the text foresees it.
    pub legal_review: bool,
    /// What the customer is warned of where it is.
    pub warns: Vec<Warning>,
}

/// Which way a changed period turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Turn {
    /// There was none.
    New,
    /// The same.
    Same,
    /// Every period is as long or longer.
    Longer,
    /// Every period is as short or shorter.
    Shorter,
    /// Some longer and some shorter, or counted from something else, or bound otherwise.
    Otherwise,
}

impl Turn {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Same => "same",
            Self::Longer => "longer",
            Self::Shorter => "shorter",
            Self::Otherwise => "otherwise",
        }
    }
}

/// Compares what two rules count from: the same anchors bound in the same way, or otherwise.
pub fn turn(before: (Bound, &[Clause]), after: (Bound, &[Clause])) -> Turn {
    let Some(pairs) = pairs(before, after) else { return Turn::Otherwise };
    let plain = |clause: &Clause| Clause { period: "at once".parse().expect("a period"), ..clause.clone() };
    if pairs.iter().any(|(before, after)| plain(before) != plain(after)) {
        return Turn::Otherwise;
    }
    let longer = pairs.iter().all(|(before, after)| before.period.never_longer_than(after.period));
    let shorter = pairs.iter().all(|(before, after)| after.period.never_longer_than(before.period));
    match (longer, shorter) {
        (true, true) => Turn::Same,
        (true, false) => Turn::Longer,
        (false, true) => Turn::Shorter,
        (false, false) => Turn::Otherwise,
    }
}

fn pairs<'a>(before: (Bound, &'a [Clause]), after: (Bound, &'a [Clause])) -> Option<Vec<(&'a Clause, &'a Clause)>> {
    let ((bound, before), (new_bound, after)) = (before, after);
    if bound != new_bound || before.len() != after.len() {
        return None;
    }
    let partner =
        |clause: &'a Clause| after.iter().find(|other| other.from == clause.from).map(|other| (clause, other));
    before.iter().map(partner).collect()
}

/// Whether a change is so large that the provider's counsel looks first: another anchor or bound, or a period at least so
/// many times as long or as short. What the text itself leaves to an agreement is none.
pub(super) fn is_large(policy: &Policy, rule: &str, before: (Bound, &[Clause]), after: (Bound, &[Clause])) -> bool {
    let foreseen = |effect: &Effect| matches!(effect, Effect::AgreedOtherwise { rule: named } if named == rule);
    if policy.entries().iter().any(|entry| foreseen(&entry.effect)) {
        return false;
    }
    let (factor, _) = line(policy);
    let Some(pairs) = pairs(before, after) else { return true };
    pairs.iter().any(|(before, after)| {
        let [old, new] = [before, after].map(|clause| clause.period.nominal_hours());
        let times = u32::from(factor);
        before.until != after.until
            || new >= old.saturating_mul(times).max(1)
            || old >= new.saturating_mul(times).max(1)
    })
}

/// The provider's line, and what it warns of past it.
pub(super) fn line(policy: &Policy) -> (u16, Vec<Warning>) {
    let stated = policy.entries().iter().find_map(|entry| {
        let Effect::Instructions { large_factor, warns } = &entry.effect else { return None };
        Some((*large_factor, warns.clone()))
    });
    stated.unwrap_or((DEFAULT_FACTOR, Vec::new()))
}
