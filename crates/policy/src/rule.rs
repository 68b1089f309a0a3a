//! Rules as a resolved pack holds them: what is promised, about which category, counted from what. Data only;
//! `reading` finds their dates. Their serialised form is what a policy's digest covers: a change here changes digests.

use gallra_model::target::{Category, Scope};
use serde::Serialize;

use crate::calendar::Period;
use crate::entry::{Channel, Field};
use crate::word::{Anchor, Bound, Deed, Sweep, Until};

/// One row of a pack that gives dates.
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
    /// Whose end it follows: one contract's, or the customer's.
    pub scope: Scope,
    /// What it is counted from: one clause for each anchor.
    pub clauses: Vec<Clause>,
    /// The rule whose clauses these are: this one goes with that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
    /// When its own run comes round.
    pub sweep: Sweep,
    /// Whether it is never combined with other rules: it holds only once somebody has decided so.
    #[serde(skip_serializing_if = "is_false")]
    pub apart: bool,
    /// Why the provider may hold the data at all, or must.
    pub basis: String,
    /// Where it stands: the provider's text, the law.
    pub cites: Vec<String>,
    /// What else it asks of whoever carries it out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stricter: Option<Stricter>,
    /// An earlier rule of the same anchor: the last day is the earlier of this clause's own and that rule's day plus a period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
}

/// A stricter reading of the same sentence: shown as a note, or binding where the pack says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Stricter {
    /// The event.
    pub from: Anchor,
    /// How long.
    pub period: Period,
}

/// What follows an earlier rule, as an erasure follows a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stage {
    /// The earlier rule.
    pub rule: String,
    /// That rule's period from the clause's own anchor.
    pub first: Period,
    /// How long after its day.
    pub period: Period,
}

/// What a rule asks beside its dates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Detail {
    /// Mail that is still needed is copied to the category first and confirmed there; what nobody handled is listed for a
    /// person and never purged blindly; what needs no answer is erased at once.
    HandledFirst {
        /// Where relevant mail goes.
        copy_to: Category,
    },
    /// A field of another category's records holds the same data, and is blanked by this rule.
    Blanks {
        /// Whose records.
        category: Category,
        /// Which field.
        field: Field,
    },
    /// A withdrawn consent acts on each of these channels, at once.
    Channels(Vec<Channel>),
    /// A person who left has the account removed; any other change reaches every target.
    ChangeReachesAll,
    /// What rests on consent alone ends with it.
    ConsentEnds,
    /// Holds only while a purpose is stated; what has none leaves by the named rule.
    NeedsPurpose {
        /// The rule for what has no purpose.
        otherwise: String,
    },
    /// Reasons are given within the period of the named rule.
    ReasonsWithin(String),
}

impl Rule {
    /// The rule's ground in words: its basis, and where it stands.
    pub fn ground(&self) -> String {
        if self.cites.is_empty() { self.basis.clone() } else { format!("{}: {}", self.basis, self.cites.join("; ")) }
    }

    /// Whether it promises nothing but how old each record may become, and nobody has to handle one first.
    pub fn goes_by_age(&self) -> bool {
        let ages = self.clauses.iter().all(|clause| clause.from == Anchor::Record);
        self.decides() && self.action == Deed::Erase && self.bound == Bound::By && ages && !self.is_handled_first()
    }

    /// Whether somebody has to handle each record before it goes.
    pub fn is_handled_first(&self) -> bool {
        self.details.iter().any(|detail| matches!(detail, Detail::HandledFirst { .. }))
    }

    /// Whether it has a say in when a category is erased or answered: a lock has none, nor what stands apart.
    pub fn decides(&self) -> bool {
        !self.apart && matches!(self.action, Deed::Erase | Deed::Keep | Deed::Answer)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}
