//! A row without a date as plans carry it. Owns the spelling of its kind, the same as in packs.

use std::sync::Arc;

use gallra_model::plan::Term;

use super::{Effect, Entry};

impl Effect {
    /// The kind's word in a pack.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoPeriod => "no-period",
            Self::AnonymisedFirst { .. } => "anonymised-first",
            Self::ByInstruction => "by-instruction",
            Self::AsLaw { .. } => "as-law",
            Self::ControllerDecides { .. } => "controller-decides",
            Self::ExpectNone => "expect-none",
            Self::Recipients(_) => "recipients",
            Self::Transport { .. } => "transport",
            Self::Request(_) => "request",
            Self::Identify => "identify",
            Self::Assess { .. } => "assess",
            Self::Disclosure { .. } => "disclosure",
            Self::Minimise { .. } => "minimise",
            Self::Complaint { .. } => "complaint",
            Self::Sale { .. } => "sale",
            Self::Instructions { .. } => "instructions",
            Self::AgreedOtherwise { .. } => "agreed-otherwise",
            Self::Unsettled { .. } => "unsettled",
            Self::Roles { .. } => "roles",
            Self::Counting => "counting",
            Self::Zone { .. } => "zone",
            Self::Notify { .. } => "notify",
            Self::Exemptions { .. } => "exemptions",
            Self::ReturnOrDelete => "return-or-delete",
            Self::ProviderAdds { .. } => "provider-adds",
        }
    }
}

/// Rows as terms, by id: the order of a pack's file leaves no trace.
pub(crate) fn terms(entries: &[Entry]) -> Arc<[Arc<Term>]> {
    let mut terms: Vec<_> = entries.iter().map(|entry| Arc::new(term(entry))).collect();
    terms.sort_by(|a, b| a.rule.cmp(&b.rule));
    terms.into()
}

fn term(entry: &Entry) -> Term {
    Term {
        rule: entry.id.clone(),
        kind: entry.effect.kind().to_owned(),
        category: entry.category.clone(),
        text: entry.sentence(),
    }
}

#[cfg(test)]
mod tests {
    use crate::pack::tests::webone;

    #[test]
    fn every_row_without_a_date_is_a_term_by_its_id() {
        let policy = webone();
        let mut entries: Vec<_> = policy.entries().iter().map(|entry| (&entry.id, entry.sentence())).collect();
        entries.sort();
        assert!(entries.len() > 4);
        let terms = policy.terms().iter().map(|term| (&term.rule, term.text.clone()));
        assert!(terms.eq(entries), "{:?}", policy.terms());
        for entry in policy.entries() {
            let written = serde_json::to_value(&entry.effect).expect("in order");
            assert_eq!(written.get("kind").and_then(|kind| kind.as_str()), Some(entry.effect.kind()));
        }
    }
}
