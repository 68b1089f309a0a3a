//! Rules as a resolved pack holds them: what is promised, about which category, counted from what. Data only;
//! `reading` finds their dates. Their serialised form is what a policy's digest covers: a change here changes digests.

use gallra_model::target::Category;
use serde::Serialize;

use crate::calendar::Period;
use crate::word::{Anchor, Bound, Deed, Sweep, Until};

/// One row of a pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Pack and name, as `webone/contact`.
    pub id: String,
    /// What it is about.
    pub category: Category,
    /// What it asks for.
    pub action: Deed,
    /// What its periods bind.
    pub bound: Bound,
    /// What it is counted from: one clause for each anchor.
    pub clauses: Vec<Clause>,
    /// When its own run comes round.
    pub sweep: Sweep,
    /// Why the provider may hold the data at all, or must.
    pub basis: String,
    /// Where it stands: the provider's text, the law.
    pub cites: Vec<String>,
}

/// One anchor of a rule and the period counted from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Clause {
    /// The event.
    pub from: Anchor,
    /// How long.
    pub period: Period,
    /// Where the last day is moved to.
    pub until: Until,
    /// Another way to read the provider's text that gives an earlier day.
    pub stricter: Option<Stricter>,
}

/// A stricter reading of the same sentence: shown as a note, or binding where the pack says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Stricter {
    /// The event.
    pub from: Anchor,
    /// How long.
    pub period: Period,
}

impl Rule {
    /// The rule's ground in words: its basis, and where it stands.
    pub fn ground(&self) -> String {
        if self.cites.is_empty() { self.basis.clone() } else { format!("{}: {}", self.basis, self.cites.join("; ")) }
    }
}
