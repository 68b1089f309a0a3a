//! Which contracts a new policy can touch at all: those with a target of a category about which the two versions differ. Owns
//! that comparison, so that a change of one row is not planned for a million contracts that it says nothing about. Refuses to
//! say that a plan changes: of a contract that is touched, both plans must be made.

use std::collections::BTreeSet;

use gallra_model::plan::Anchors;
use gallra_model::target::{Category, Inventory, Scope};
use gallra_policy::Policy;

/// The category whose rules are about copies: whatever is covered is touched by them.
const COPIES: &str = "backup";

/// What differs between two versions of a policy, as far as what plans do is made of it. Rows without a date that are about no
/// category, or about recipients, are in every plan, and change nothing that one does.
#[derive(Debug, Clone)]
pub struct Touched {
    /// Something that is about every category: hours, financial years, readings, what an approver must let through.
    everything: bool,
    categories: BTreeSet<Category>,
}

impl Touched {
    /// Compares two versions. Where a row comes from another pack or is another instruction's is no difference, as long as it
    /// says the same; which instruction a category follows is one.
    pub fn between(old: &Policy, new: &Policy) -> Self {
        let everything = old.window_hours() != new.window_hours()
            || old.financial_years() != new.financial_years()
            || old.strict_backup() != new.strict_backup()
            || reviewed(old) != reviewed(new);
        let mut categories = BTreeSet::new();
        for category in named(old).into_iter().chain(named(new)) {
            let same = old.rules_for(category).eq(new.rules_for(category))
                && old.entries_for(category).eq(new.entries_for(category))
                && instructed(old, category).eq(instructed(new, category));
            if !same {
                categories.insert(category.clone());
            }
        }
        Self { everything, categories }
    }

    /// Whether a contract with these dates can be planned to go otherwise under the new version than under the old one.
    pub fn touches(&self, anchors: &Anchors, inventories: &[Inventory]) -> bool {
        let ended = |scope: Scope| match scope {
            Scope::Contract => anchors.contract_ended.is_some(),
            Scope::Customer => anchors.customer_ended.is_some(),
        };
        let copies = self.categories.iter().any(|category| category.as_str() == COPIES);
        self.everything
            || inventories.iter().flat_map(|inventory| &inventory.targets).any(|target| {
                if target.kind.is_backup() {
                    copies
                } else {
                    ended(target.scope) && self.categories.contains(&target.category)
                }
            })
    }
}

fn named(policy: &Policy) -> BTreeSet<&Category> {
    let of_rules = policy.rules().iter().map(|rule| &rule.category);
    let of_entries = policy.entries().iter().filter_map(|entry| entry.category.as_ref());
    let of_instructions = policy.instructions().iter().flat_map(|own| &own.replaced).map(|replaced| &replaced.category);
    of_rules.chain(of_entries).chain(of_instructions).collect()
}

/// The rules whose instruction an approver must let through: every plan lists them.
fn reviewed(policy: &Policy) -> Vec<&str> {
    let replaced = policy.instructions().iter().flat_map(|own| &own.replaced);
    replaced.filter(|replaced| replaced.legal_review).map(|replaced| replaced.rule.as_str()).collect()
}

/// What plans cite of the instructions about a category.
fn instructed<'p>(policy: &'p Policy, category: &'p Category) -> impl Iterator<Item = (&'p str, String)> {
    policy.instructions().iter().flat_map(move |own| {
        let of_category = own.replaced.iter().filter(move |replaced| replaced.category == *category);
        of_category.map(move |replaced| (own.id.as_str(), format!("{:?} {} {}", replaced, own.given_on, own.from)))
    })
}
