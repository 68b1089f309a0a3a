//! Two versions of WebOne's pack, compared.

use super::*;
use crate::pack::tests::{webone, webone_with};

fn differences(from: &str, to: &str) -> Vec<Difference> {
    diff(&webone(), &webone_with(from, to))
}

fn short(differences: &[Difference]) -> Vec<(&str, &str, Option<Turn>)> {
    differences.iter().map(|difference| (difference.rule.as_str(), difference.change, difference.turn)).collect()
}

#[test]
fn a_pack_does_not_differ_from_itself() {
    assert_eq!(diff(&webone(), &webone()), []);
}

#[test]
fn a_changed_period_is_longer_or_shorter_and_shown_with_both() {
    let month = "count = [{ from = \"contract_settled\", period = \"1 month\" }]";
    for (period, expected) in [("2 months", Turn::Longer), ("1 week", Turn::Shorter), ("30 days", Turn::Otherwise)] {
        let found = differences(month, &month.replace("1 month", period));
        assert_eq!(short(&found), [("webone/customer-data", "changed", Some(expected))], "{period}");
        let [only] = found.as_slice() else { unreachable!("one difference") };
        assert!(only.before.as_ref().is_some_and(|text| text.contains("contract_settled + 1 month")), "{only:?}");
        assert!(
            only.after.as_ref().is_some_and(|text| text.contains(&format!("contract_settled + {period}"))),
            "{only:?}"
        );
    }
    let found = differences(month, &month.replace("settled", "ended"));
    assert_eq!(short(&found), [("webone/customer-data", "changed", Some(Turn::Otherwise))]);
}

#[test]
fn a_rule_that_another_goes_with_changes_both() {
    let six = "count = [{ from = \"customer_settled\", period = \"6 months\" }, { from = \"record\", period = \"6 months\" }]";
    let found = differences(six, &six.replace("\"record\", period = \"6", "\"record\", period = \"9"));
    let longer = Some(Turn::Longer);
    assert_eq!(short(&found), [("webone/access-logs", "changed", longer), ("webone/login-ip", "changed", longer)]);
}

#[test]
fn rows_that_came_and_went_are_told_apart() {
    let row = "id = \"webone/roles\"";
    assert_eq!(
        short(&differences(row, "id = \"webone/parts\"")),
        [("webone/parts", "added", None), ("webone/roles", "removed", None)]
    );
    assert_eq!(
        short(&differences("id = \"webone/chat\"", "id = \"webone/talk\"")),
        [("webone/chat", "removed", None), ("webone/talk", "added", None)]
    );
    let found = differences("large_factor = 2", "large_factor = 3");
    assert_eq!(short(&found), [("webone/instruction", "changed", None)]);
}

#[test]
fn settings_differ_by_name() {
    let found = differences("strict_backup = false", "strict_backup = true\nvalid_from = \"2027-01-01\"");
    assert_eq!(short(&found), [("valid_from", "changed", None), ("strict_backup", "changed", None)]);
    let [from, strict] = found.as_slice() else { unreachable!("two differences") };
    assert_eq!((from.before.as_deref(), from.after.as_deref()), (Some("any day"), Some("2027-01-01")));
    assert_eq!((strict.before.as_deref(), strict.after.as_deref()), (Some("false"), Some("true")));
    let found = differences(
        "fiscal_year_end = \"12-31\"",
        "fiscal_year_end = \"06-30\"\nchanged_year = [{ begins = \"2026-01-01\", ends = \"2026-06-30\" }]",
    );
    assert_eq!(short(&found), [("fiscal_year_end", "changed", None), ("changed_year", "changed", None)]);
    let found = differences("include = [\"law-se\"]", "include = [\"law-se\"]\nswitch_on = [\"law/data-act\"]");
    assert_eq!(short(&found), [("switched off", "changed", None), ("law/data-act", "added", None)]);
}
