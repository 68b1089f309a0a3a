//! What is printed, whole.

#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

use super::*;
use crate::explain::{Ask, explain};
use crate::pack::tests::{webone, webone_with};

fn answer() -> Vec<Element> {
    let day = Some("2026-01-31".to_owned());
    let ask = Ask { category: "customer-data".into(), ended: day.clone(), settled: day, ..Ask::default() };
    explain(&webone(), &ask).expect("answered")
}

#[test]
fn json_has_the_documented_fields_in_their_order() {
    let text = explain_json(&answer()[2..]);
    let expected = r#"[
  {
    "rule": "result",
    "category": "customer-data",
    "action": "erase",
    "bound": null,
    "earliest": "2026-02-28",
    "planned": "2026-02-28",
    "latest": "2026-02-28",
    "anchor": null,
    "anchor_date": null,
    "basis": null,
    "cites": [
      "webone/customer-data"
    ],
    "note": null
  }
]
"#;
    assert_eq!(text, expected);
}

#[test]
fn the_table_shows_dates_first_and_sources_below() {
    let expected = "\
RULE                  ACTION  BOUND  EARLIEST    PLANNED     LATEST      COUNTED FROM
webone/customer-data  erase   at     2026-02-28  2026-02-28  2026-02-28  contract_settled 2026-01-31
webone/backup         erase   by     -           2026-08-28  2026-08-28  left_active 2026-02-28
result                erase   -      2026-02-28  2026-02-28  2026-02-28  -

webone/customer-data
  basis: contract
  from:  WebOne AB, table, row 'Data lagrad av våra kunder': 1 månad
  from:  GDPR Art. 28(3)(g)
webone/backup
  basis: contract
  from:  WebOne AB, Gallringstid: backup efter upp till sex månader
  note:  stricter reading: contract_settled + 6 months = 2026-07-31
result
  from:  webone/customer-data
";
    assert_eq!(explain_table(&answer()), expected);
}

#[test]
fn the_rules_are_listed_with_what_they_count_from() {
    let text = rules_table(&webone());
    for line in [
        "webone/contact         contact        erase   by     change_known, at once",
        "law/bookkeeping        bookkeeping    keep    keep   fiscal_year_end + 7 years, to the end of that year",
        "law/response           response       answer  by     received + 1 month, or the next working day",
        "  asks:  what rests on consent alone ends with it",
        "  asks:  days are days in Europe/Stockholm",
        "  off:   unless a provider switches it on",
        "  from:  Swedish Accounting Act (Bokföringslagen, SFS 1999:1078) ch. 7 s. 2",
    ] {
        assert!(text.lines().any(|own| own == line), "{line}\n{text}");
    }
}

#[test]
fn rules_as_json_carry_the_digest() {
    let shown: serde_json::Value = serde_json::from_str(&rules_json(&webone())).expect("JSON");
    assert_eq!(shown["digest"], webone().digest().to_string());
    assert_eq!(shown["rules"][9]["clauses"][0]["until"], "year-end");
    assert_eq!(shown["rules"][3]["clauses"][1]["period"], "at once");
}

#[test]
fn what_is_in_order_is_said_with_the_number_of_its_rows() {
    let policy = webone();
    let digest = policy.digest();
    let line = format!("webone: 23 rules, no problem found, digest {digest}\n");
    assert_eq!(checked(&[policy.clone(), policy.clone()]), format!("{line}{line}"));
    let one: serde_json::Value = serde_json::from_str(&checked_json(std::slice::from_ref(&policy))).expect("JSON");
    assert_eq!(one, serde_json::json!({ "name": "webone", "rules": 23, "digest": digest.to_string() }));
    let two: serde_json::Value = serde_json::from_str(&checked_json(&[policy.clone(), policy])).expect("JSON");
    assert_eq!(two, serde_json::json!([one, one]));
}

#[test]
fn differences_are_told_with_both_texts() {
    use crate::instruction::Turn;
    let difference = |change, turn| Difference {
        rule: "webone/chat".into(),
        change,
        before: Some("a year".into()),
        after: (change == "changed").then(|| "two".into()),
        turn,
    };
    let text = diff_table(&[difference("changed", Some(Turn::Longer)), difference("removed", None)]);
    assert_eq!(text, "webone/chat: changed, longer\n  was  a year\n  is   two\nwebone/chat: removed\n  was  a year\n");
    assert_eq!(diff_table(&[]), "no difference\n");
    let list: serde_json::Value = serde_json::from_str(&diff_json(&[difference("removed", None)])).expect("JSON");
    assert_eq!(list[0]["after"], serde_json::Value::Null);
    assert_eq!(list[0]["change"], "removed");
}

#[test]
fn first_days_ends_of_months_stages_and_switches_are_shown() {
    let policy = webone_with("name = \"webone\"", "valid_from = \"2026-07-01\"\nname = \"webone\"");
    assert!(rules_table(&policy).starts_with("webone (WebOne AB), valid from 2026-07-01\ndigest "));
    assert!(rules_table(&webone()).starts_with("webone (WebOne AB)\ndigest "));
    let clause = |until, stage| Clause {
        from: crate::word::Anchor::CustomerEnded,
        period: "1 year".parse().expect("a period"),
        until,
        stricter: None,
        stage,
    };
    assert_eq!(promise(&clause(Until::MonthEnd, None)), "customer_ended + 1 year, to the end of that month");
    let [first, period] = ["6 months", "5 months"].map(|text| text.parse().expect("a period"));
    let stage = crate::rule::Stage { rule: "host/lock".into(), first, period };
    assert_eq!(
        promise(&clause(Until::Exact, Some(stage))),
        "customer_ended + 1 year (or host/lock + 5 months, if sooner)"
    );
    let policy = webone_with(
        "include = [\"law-se\"]",
        "include = [\"law-se\"]\nswitch_off = [{ rule = \"law/others\", reason = \"no such service\" }]",
    );
    assert!(rules_table(&policy).contains("law/others\n  off:   no such service\n"));
}
