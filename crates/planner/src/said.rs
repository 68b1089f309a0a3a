//! What a plan says beside its steps about the whole: which instructions it follows, what the policy asks beside dates, and
//! what must be signed or let through before it is carried out. Owns these three lists; who has said so already is the
//! coordinator's to know.

use std::collections::BTreeSet;
use std::sync::Arc;

use gallra_model::plan::{Needed, Note, Step, Term};

use crate::facts::Facts;
use crate::live::Live;
use crate::note::{self, note};

/// The category whose rules are about copies.
const COPIES: &str = "backup";
/// The category of those who get data: every erasure is told to them.
const RECIPIENTS: &str = "recipients";

/// The instructions in force about a category that the plan touches, each rule with what it said before.
pub(crate) fn instructions(facts: &Facts<'_>, lives: &[Live<'_>], copies: bool) -> Vec<Note> {
    if facts.policy.instructions().is_empty() {
        return Vec::new();
    }
    let mut categories: BTreeSet<_> = lives.iter().map(|live| live.target.category.as_str()).collect();
    categories.extend(copies.then_some(COPIES));
    let all =
        facts.policy.instructions().iter().flat_map(|own| own.replaced.iter().map(move |replaced| (own, replaced)));
    all.filter(|(_, replaced)| categories.contains(replaced.category.as_str()))
        .map(|(own, replaced)| {
            let text = format!(
                "instruction {} of {}, in force from {}: {} is {}, and was {}",
                own.id, own.given_on, own.from, replaced.rule, replaced.after, replaced.before
            );
            note(note::INSTRUCTION, "", text)
        })
        .collect()
}

/// The rows without a date that bear on the plan: those about no category or about recipients always, any other where the
/// plan has some of its category.
pub(crate) fn terms(facts: &Facts<'_>, lives: &[Live<'_>], copies: bool) -> Vec<Arc<Term>> {
    let bears = |term: &&Arc<Term>| match &term.category {
        None => true,
        Some(category) if category.as_str() == RECIPIENTS => true,
        Some(category) if category.as_str() == COPIES => copies,
        Some(category) => lives.iter().any(|live| live.target.category == *category),
    };
    facts.policy.terms().iter().filter(bears).map(Arc::clone).collect()
}

/// What must be said first: a signed cause for every end of which something is erased, and an approver's word for each
/// deviation that is large.
pub(crate) fn approvals(facts: &Facts<'_>, steps: &[Step]) -> Vec<Needed> {
    let erases = steps.iter().any(|step| step.action.is_irreversible());
    let cause = |what: &str| Needed { what: what.to_owned(), rule: None };
    let service = (erases && facts.anchors.contract_ended.is_some()).then(|| cause("service-cause"));
    let customer = (erases && facts.anchors.customer_ended.is_some()).then(|| cause("customer-cause"));
    let replaced = facts.policy.instructions().iter().flat_map(|own| &own.replaced);
    let reviewed = replaced.filter(|replaced| replaced.legal_review);
    let reviews = reviewed.map(|own| Needed { what: "legal-review".to_owned(), rule: Some(own.rule.clone()) });
    service.into_iter().chain(customer).chain(reviews).collect()
}
