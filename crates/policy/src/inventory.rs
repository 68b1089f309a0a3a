//! What agents report against a policy: a category that no row is about is a target that nobody would ever empty. Owns
//! that comparison; reads the list that `gallra target list --output json` prints.

use serde::Deserialize;

use crate::pack::Policy;
use crate::word::{CATEGORIES, category};

/// One target, as far as a policy cares.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Reported {
    /// The agent.
    pub agent: String,
    /// The target's name there.
    pub id: String,
    /// Which driver serves it.
    pub kind: String,
    /// Its category.
    pub category: String,
}

/// Categories of copies: where a text names no period for them, the live data's last day binds them (combination rule 8).
const COPIES: &str = "backup";

/// Reads a list of targets.
///
/// # Errors
/// What is wrong with it, and where.
pub fn targets(text: &str) -> Result<Vec<Reported>, String> {
    serde_json::from_str(text)
        .map_err(|error| format!("not a list of targets: {error}: give what `gallra target list --output json` prints"))
}

/// Every target that no row of the policy is about, as one sentence each.
pub fn unruled(policy: &Policy, targets: &[Reported]) -> Vec<String> {
    let mut found = Vec::new();
    for target in targets {
        let place = format!("{}/{}", target.agent, target.id);
        match category(&target.category) {
            None => found.push(format!(
                "{place}: unknown category {}: correct agent.toml; one of: {}",
                target.category,
                CATEGORIES.join(", ")
            )),
            Some(word) => {
                let ruled = policy.rules_for(&word).next().is_some() || policy.entries_for(&word).next().is_some();
                if !ruled && target.category != COPIES {
                    found.push(format!(
                        "{place}: no row of {} is about {word}: add one, or correct the category in agent.toml",
                        policy.name()
                    ));
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::tests::webone;

    #[test]
    fn a_category_without_a_row_is_found_and_copies_have_the_live_datas() {
        let text = r#"[
            {"agent": "web1", "id": "files", "kind": "files", "category": "customer-data", "role": "processor"},
            {"agent": "web1", "id": "talk", "kind": "sql", "category": "chat"},
            {"agent": "web1", "id": "cases", "kind": "sql", "category": "tickets"},
            {"agent": "web1", "id": "odd", "kind": "sql", "category": "mails"},
            {"agent": "web1", "id": "repo", "kind": "restic", "category": "backup"}
        ]"#;
        let found = unruled(&webone(), &targets(text).expect("a list"));
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(
            found.first().map(String::as_str),
            Some("web1/cases: no row of webone is about tickets: add one, or correct the category in agent.toml")
        );
        assert!(found.last().is_some_and(|text| text.starts_with("web1/odd: unknown category mails: ")), "{found:?}");
    }

    #[test]
    fn a_row_without_a_date_is_a_row_too() {
        let text = include_str!("../../../policies/host001.toml");
        let policy = Policy::parse("host001", text, crate::pack::tests::includes).expect("in order");
        let target = |category: &str| Reported {
            agent: "a".into(),
            id: "b".into(),
            kind: "sql".into(),
            category: category.into(),
        };
        assert_eq!(unruled(&policy, &[target("register")]), Vec::<String>::new());
        assert_eq!(unruled(&policy, &[target("chat")]).len(), 1);
    }

    #[test]
    fn what_is_no_list_of_targets_is_refused() {
        for text in ["", "{}", "[{\"agent\": 1}]", "[{\"agent\": \"a\"}]"] {
            let error = targets(text).expect_err("refused");
            assert!(error.starts_with("not a list of targets: "), "{error}");
        }
    }
}
