//! Policy packs: a provider's rules and the law's, read from TOML. Owns [`Policy`], the only way to get rules; one that
//! exists was checked whole. Refuses to open files: the caller hands over texts.

mod entries;
mod resolve;
mod rules;
pub(crate) mod section;
mod sense;

use std::sync::Arc;

use gallra_model::plan::Term;
use gallra_model::target::Category;
use gallra_model::{Day, Digest};
use serde::Serialize;

use crate::calendar::{ChangedYear, FinancialYears, Period, RunWindow, YearEnd};
use crate::entry::{Effect, Entry, terms};
use crate::instruction::Applied;
use crate::problem::{Problem, Refused};
use crate::rule::{Clause, Rule};
use crate::word::{Anchor, Bound, Deed, Until};

pub(crate) use rules::clause;
pub(crate) use sense::relink;

/// A pack with everything that it includes, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    content: Content,
    digest: Digest,
    /// Written once: a policy has as many plans as there are requests.
    terms: Arc<[Arc<Term>]>,
}

/// What the digest covers. Field order is part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Content {
    pub(crate) name: String,
    pub(crate) provider: String,
    pub(crate) valid_from: Option<Day>,
    pub(crate) window: RunWindow,
    pub(crate) financial_years: FinancialYears,
    pub(crate) strict_backup: bool,
    pub(crate) rules: Vec<Rule>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) switched_off: Vec<SwitchedOff>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) instructions: Vec<Applied>,
}

/// A row of an included pack that does not hold for this provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SwitchedOff {
    /// The row.
    pub rule: String,
    /// The provider's reason; unset where the law's pack has the row off unless it is switched on.
    pub reason: Option<String>,
}

/// Whether a policy asks no less than one of the law's rows.
type Holds = fn(&Policy) -> bool;

/// The law's rows that no provider can switch off, and what each asks at least.
const FIXED: [(&str, Holds); 4] = [
    // Bokföringslagen (1999:1078) ch. 7 s. 2.
    ("law/bookkeeping", |policy| {
        let seven_years = |clause: &Clause| {
            let years = "7 years".parse::<Period>().is_ok_and(|least| least.never_longer_than(clause.period));
            clause.from == Anchor::FiscalYearEnd && clause.until == Until::YearEnd && years
        };
        policy.rule("law/bookkeeping").is_some_and(|rule| {
            rule.bound == Bound::Keep && rule.category.as_str() == "bookkeeping" && rule.clauses.iter().any(seven_years)
        })
    }),
    // GDPR Art. 12(3).
    ("law/response", |policy| {
        let a_month = |clause: &Clause| {
            let month = "1 month".parse::<Period>().is_ok_and(|most| clause.period.never_longer_than(most));
            clause.from == Anchor::Received && month
        };
        policy
            .rule("law/response")
            .is_some_and(|rule| rule.action == Deed::Answer && !rule.apart && rule.clauses.iter().all(a_month))
    }),
    ("law/periods", |policy| policy.entry("law/periods").is_some_and(|entry| entry.effect == Effect::Counting)),
    ("law/tz", |policy| policy.entry("law/tz").is_some_and(|entry| matches!(entry.effect, Effect::Zone { .. }))),
];

impl Policy {
    /// Reads and checks a pack. `name` is the file's stem: the pack must carry the same name. `include` gives the text
    /// of a pack that this one includes, by stem.
    ///
    /// # Errors
    /// [`Refused`] with every problem found, included packs' too.
    pub fn parse<F>(name: &str, text: &str, include: F) -> Result<Self, Refused>
    where
        F: Fn(&str) -> Option<String>,
    {
        resolve::resolve(name, text, &include).map(Self::of).map_err(|problems| Refused { problems })
    }

    /// Refuses a pack that stands under no law. What the law demands of everybody is in rows that no provider can switch off, and a
    /// pack that includes none of them, or others by their names, would shed them without a word. A law's pack may ask for more: a
    /// longer duty, a sooner answer.
    ///
    /// # Errors
    /// [`Refused`], naming the rows that are missing or ask for less.
    pub fn under_law(self) -> Result<Self, Refused> {
        let missing: Vec<_> = FIXED.into_iter().filter(|(_, holds)| !holds(&self)).map(|(id, _)| id).collect();
        if missing.is_empty() {
            return Ok(self);
        }
        let text = format!("not under the law: {} bind every provider", missing.join(", "));
        let hint = "add include = [\"law-se\"] below the pack's name, and leave those rows as they are".to_owned();
        Err(Refused { problems: vec![Problem { file: self.name().to_owned(), line: Some(1), text, hint }] })
    }

    pub(crate) fn of(content: Content) -> Self {
        // Struct fields serialise in their declared order and there is no map inside, so the bytes are canonical.
        let bytes = serde_json::to_vec(&content).expect("strings, numbers and flags always serialise");
        let terms = terms(&content.entries);
        Self { content, digest: Digest::of(&bytes), terms }
    }

    pub(crate) fn content(&self) -> &Content {
        &self.content
    }

    /// The pack's name.
    pub fn name(&self) -> &str {
        &self.content.name
    }

    /// Whose promises these are; the law's own pack says the country.
    pub fn provider(&self) -> &str {
        &self.content.provider
    }

    /// The first day on which it may be in force; unset: any.
    pub fn valid_from(&self) -> Option<Day> {
        self.content.valid_from
    }

    /// SHA-256 over the resolved content: comments and layout of the files play no part, included rules do, and so do
    /// instructions.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// All rules that give dates: the provider's in the order of its file, then those of included packs.
    pub fn rules(&self) -> &[Rule] {
        &self.content.rules
    }

    /// The rules with dates about one category.
    pub fn rules_for<'a>(&'a self, category: &'a Category) -> impl Iterator<Item = &'a Rule> {
        self.rules().iter().filter(move |rule| rule.category == *category)
    }

    /// All rows that give no date, in the same order.
    pub fn entries(&self) -> &[Entry] {
        &self.content.entries
    }

    /// The rows without a date about one category.
    pub fn entries_for<'a>(&'a self, category: &'a Category) -> impl Iterator<Item = &'a Entry> {
        self.entries().iter().filter(move |entry| entry.category.as_ref() == Some(category))
    }

    /// The same rows as plans carry them, by id.
    pub fn terms(&self) -> &[Arc<Term>] {
        &self.terms
    }

    /// Rows of included packs that do not hold here.
    pub fn switched_off(&self) -> &[SwitchedOff] {
        &self.content.switched_off
    }

    /// Local hours in which an `at` rule's run may begin.
    pub fn window_hours(&self) -> RunWindow {
        self.content.window
    }

    /// The provider's financial years.
    pub fn financial_years(&self) -> &FinancialYears {
        &self.content.financial_years
    }

    /// When the provider's financial year regularly ends.
    pub fn fiscal_year_end(&self) -> YearEnd {
        self.content.financial_years.end()
    }

    /// Financial years that were shortened or prolonged, in order.
    pub fn changed_years(&self) -> &[ChangedYear] {
        self.content.financial_years.changed()
    }

    /// Whether stricter readings bind rather than being noted.
    pub fn strict_backup(&self) -> bool {
        self.content.strict_backup
    }

    /// Instructions that replaced rules, in the order in which they were applied.
    pub fn instructions(&self) -> &[Applied] {
        &self.content.instructions
    }
}

/// The policy that is in force on a day: of one name's versions, the newest whose first day has come.
pub fn in_force(versions: &[Policy], day: Day) -> Option<&Policy> {
    let begun = versions.iter().filter(|policy| policy.valid_from().is_none_or(|from| from <= day));
    begun.max_by_key(|policy| policy.valid_from())
}

/// Names of policies that two versions share together with the first day: nobody could say which is in force.
pub fn doubled(versions: &[Policy]) -> Vec<&str> {
    let mut seen = std::collections::BTreeSet::new();
    versions.iter().filter(|policy| !seen.insert((policy.name(), policy.valid_from()))).map(Policy::name).collect()
}

#[cfg(test)]
pub(crate) mod tests;
