//! What an instruction's file may say, and what it makes of a policy.

use super::*;
use crate::pack::Policy;
use crate::pack::tests::webone;

const HEAD: &str = "id = \"x\"\ngiven_by = \"controller\"\ngiven_on = \"2026-01-01\"\nfrom = \"2026-02-01\"\n";
const CHAT: &str = "[[replace]]\nrule = \"webone/chat\"\ncount = [{ from = \"record\", period = \"1 month\" }]\n";

fn problems(text: &str) -> Vec<String> {
    let refused = Instruction::parse("x", text).expect_err("refused");
    refused.problems.iter().map(|problem| format!("{}: {}", problem.line.unwrap_or(0), problem.text)).collect()
}

fn read(rows: &str) -> Instruction {
    Instruction::parse("x", &format!("{HEAD}{rows}")).expect("in order")
}

#[test]
fn an_instruction_is_read_whole() {
    let instruction = read(CHAT);
    assert_eq!((instruction.id.as_str(), instruction.given_by.as_str()), ("x", "controller"));
    assert_eq!(instruction.given_on.to_string(), "2026-01-01");
    assert_eq!(instruction.from.to_string(), "2026-02-01");
    let [only] = instruction.replaces.as_slice() else { unreachable!("one") };
    assert_eq!((&only.of, only.bound, only.sweep, only.line), (&Of::Rule("webone/chat".into()), None, None, 5));
}

#[test]
fn every_problem_of_an_instruction_is_found() {
    for (from, to, problem) in [
        ("id = \"x\"", "id = \"Anna 4711\"", "1: not an id"),
        ("id = \"x\"", "id = \"\"", "1: not an id"),
        ("\"controller\"", "\" \"", "2: nobody gave it"),
        ("2026-01-01", "2026-02-02", "1: it holds before it was given"),
        ("2026-02-01", "2026-02-30", "4: not a real calendar date"),
        ("given_on = \"2026-01-01\"\n", "", "1: the key given_on is missing"),
        ("from = \"2026-02-01\"\n", "from = \"2026-02-01\"\ncustomer = \"4711\"\n", "5: unknown key customer"),
        ("rule = \"webone/chat\"\n", "", "5: a replacement is of one rule or of one category"),
        (
            "rule = \"webone/chat\"\n",
            "rule = \"webone/chat\"\ncategory = \"mail\"\n",
            "5: a replacement is of one rule or of one category",
        ),
        ("rule = \"webone/chat\"\n", "category = \"mails\"\n", "6: unknown word \"mails\""),
        ("count = [{ from = \"record\", period = \"1 month\" }]\n", "", "5: the replacement gives no period"),
        ("1 month", "some months", "7: not a period"),
        ("count", "bound = \"soon\"\ncount", "7: unknown word \"soon\""),
        ("count", "sweep = \"seldom\"\ncount", "7: unknown word \"seldom\""),
        ("count", "why = \"x\"\ncount", "7: unknown key why"),
    ] {
        let text = format!("{HEAD}{CHAT}");
        assert!(text.contains(from), "{from}");
        assert_eq!(problems(&text.replacen(from, to, 1)), [problem], "{to}");
    }
    assert_eq!(problems(HEAD), ["1: the instruction replaces nothing"]);
    let longest = "a".repeat(63);
    assert!(Instruction::parse("x", &format!("{HEAD}{CHAT}").replace("\"x\"", &format!("\"{longest}\""))).is_ok());
    assert_eq!(problems(&format!("{HEAD}{CHAT}").replace("\"x\"", &format!("\"{longest}a\""))), ["1: not an id"]);
}

#[test]
fn a_policy_with_an_instruction_is_another_policy_and_the_old_one_stays() {
    let before = webone();
    let after = before.with(&read(CHAT)).expect("let in");
    assert_ne!(after.digest(), before.digest());
    assert_eq!(before, webone());
    assert_eq!(after.rules().len(), before.rules().len());
    let rule = after.rule("webone/chat").expect("the rule");
    assert_eq!(rule.clauses.len(), 1, "the whole of what it counted from is replaced");
    let (applied, deviation) = after.instruction_for("webone/chat").expect("replaced");
    assert_eq!((applied.id.as_str(), deviation.turn, deviation.legal_review), ("x", Turn::Otherwise, true));
    assert!(after.instruction_for("webone/mail").is_none());
    assert!(after.needs_legal_review() && !before.needs_legal_review());
}

fn refusal(rows: &str) -> String {
    webone().with(&read(rows)).expect_err("refused").to_string()
}

#[test]
fn what_only_a_pack_may_say_no_instruction_says() {
    for (count, word) in [
        ("count = [{ from = \"contract_ended\", period = \"24 hours\" }]", "hours count from the record"),
        ("count = [{ from = \"record\", period = \"24 hours\" }]\nbound = \"at\"", "hours count from the record"),
        ("count = [{ from = \"record\", period = \"24 hours\" }]\nsweep = \"daily\"", "hours count from the record"),
        (
            "count = [{ from = \"record\", period = \"24 hours\" }, { from = \"record\", period = \"1 day\" }]",
            "hours count from the record",
        ),
        ("count = [{ from = \"record\", period = \"1 day\" }]\nsweep = \"hourly\"", "hours count from the record"),
        (
            "count = [{ from = \"record\", period = \"24 hours\" }, { from = \"left_active\", period = \"24 hours\" }]",
            "hours count from the record",
        ),
        ("count = [{ from = \"fiscal_year_end\", period = \"1 year\" }]", "counts plainly"),
        ("count = [{ from = \"received\", period = \"1 year\" }]", "counts plainly"),
        (
            "count = [{ from = \"record\", period = \"1 year\" }, { from = \"received\", period = \"1 year\" }]",
            "counts plainly",
        ),
        ("count = [{ from = \"record\", period = \"1 year\", until = \"working-day\" }]", "counts plainly"),
        (
            "count = [{ from = \"record\", period = \"1 year\", stricter = { from = \"record\", period = \"1 day\" } }]",
            "counts plainly",
        ),
        (
            "count = [{ from = \"record\", period = \"1 year\", or_after = { rule = \"webone/mail\", period = \"1 day\" } }]",
            "counts plainly",
        ),
        ("count = [{ from = \"record\", period = \"1 year\" }]\nbound = \"keep\"", "makes no duty to keep"),
    ] {
        let text = refusal(&format!("[[replace]]\nrule = \"webone/chat\"\n{count}\n"));
        assert!(text.contains(word), "{count}: {text}");
    }
}

#[test]
fn a_providers_own_duties_and_answers_are_no_customers_to_change() {
    let row = |name: &str, category: &str, action: &str, bound: &str, from: &str| {
        format!(
            "[[rule]]\nid = \"host/{name}\"\ncategory = \"{category}\"\naction = \"{action}\"\nbound = \"{bound}\"\nbasis = \"b\"\n\
             count = [{{ from = \"{from}\", period = \"1 year\" }}]\n"
        )
    };
    let duty = row("duty", "mail", "keep", "keep", "record");
    let text =
        format!("name = \"host\"\nprovider = \"H\"\n{duty}{}", row("answer", "response", "answer", "by", "received"));
    let policy = Policy::parse("host", &text, |_| None).expect("in order");
    for name in ["duty", "answer"] {
        let rows = format!(
            "[[replace]]\nrule = \"host/{name}\"\nbound = \"by\"\ncount = [{{ from = \"record\", period = \"1 day\" }}]\n"
        );
        let refused = policy.with(&read(&rows)).expect_err("refused").to_string();
        assert!(refused.contains("is a duty, and no instruction lifts it"), "{refused}");
    }
}

#[test]
fn a_rule_follows_the_contract_once_an_instruction_counts_from_one() {
    use gallra_model::target::Scope;
    let scope = |count: &str| {
        let rows = format!("[[replace]]\nrule = \"webone/chat\"\ncount = [{count}]\n");
        webone().with(&read(&rows)).expect("let in").rule("webone/chat").map(|rule| rule.scope)
    };
    let record = "{ from = \"record\", period = \"1 day\" }";
    assert_eq!(scope(record), Some(Scope::Customer));
    assert_eq!(scope(&format!("{record}, {{ from = \"contract_ended\", period = \"1 day\" }}")), Some(Scope::Contract));
}

#[test]
fn hours_bring_the_hourly_sweep_and_days_end_it() {
    let hours = "[[replace]]\nrule = \"webone/chat\"\ncount = [{ from = \"record\", period = \"12 hours\" }]\n";
    let hourly = webone().with(&read(hours)).expect("let in");
    assert_eq!(hourly.rule("webone/chat").map(|rule| rule.sweep), Some(Sweep::Hourly));
    let yearly =
        "[[replace]]\nrule = \"webone/sweep\"\ncount = [{ from = \"customer_settled\", period = \"2 years\" }]\n";
    let kept = webone().with(&read(yearly)).expect("let in");
    assert_eq!(kept.rule("webone/sweep").map(|rule| rule.sweep), Some(Sweep::Yearly), "a sweep that fits stays");
    let monthly = yearly.replace("count", "sweep = \"monthly\"\ncount");
    let changed = webone().with(&read(&monthly)).expect("let in");
    assert_eq!(changed.rule("webone/sweep").map(|rule| rule.sweep), Some(Sweep::Monthly));
}

#[test]
fn twice_as_long_or_half_as_long_is_large_and_less_is_not() {
    for (period, large) in [
        ("12 months", false),
        ("23 months", false),
        ("24 months", true),
        ("7 months", false),
        ("6 months", true),
        ("at once", true),
    ] {
        let rows = format!(
            "[[replace]]\nrule = \"webone/chat\"\ncount = [{{ from = \"customer_settled\", period = \"{period}\" }}, \
             {{ from = \"record\", period = \"12 months\" }}]\n"
        );
        assert_eq!(webone().with(&read(&rows)).expect("let in").needs_legal_review(), large, "{period}");
    }
}

#[test]
fn periods_turn_longer_shorter_or_otherwise() {
    let clause = |from: &str, period: &str| Clause {
        from: crate::word::Anchor::from_word(from).expect("an anchor"),
        period: period.parse().expect("a period"),
        until: crate::word::Until::Exact,
        stricter: None,
        stage: None,
    };
    let both = |a: &str, b: &str| vec![clause("record", a), clause("customer_settled", b)];
    let turned = |before: &[Clause], after: &[Clause]| turn((Bound::By, before), (Bound::By, after));
    assert_eq!(turned(&both("1 year", "1 year"), &both("12 months", "1 year")), Turn::Same);
    assert_eq!(turned(&both("1 year", "1 year"), &both("2 years", "1 year")), Turn::Longer);
    assert_eq!(turned(&both("1 year", "1 year"), &both("1 month", "1 year")), Turn::Shorter);
    assert_eq!(turned(&both("1 year", "1 year"), &both("1 month", "2 years")), Turn::Otherwise);
    let turned_round: Vec<_> = both("2 years", "1 year").into_iter().rev().collect();
    assert_eq!(turned(&both("1 year", "1 year"), &turned_round), Turn::Longer, "order plays no part");
    assert_eq!(turned(&both("1 year", "1 year"), &[clause("record", "1 year")]), Turn::Otherwise);
    assert_eq!(turn((Bound::By, &both("1 year", "1 year")), (Bound::At, &both("1 year", "1 year"))), Turn::Otherwise);
    let mut moved = both("2 years", "2 years");
    if let Some(first) = moved.first_mut() {
        first.until = crate::word::Until::MonthEnd;
    }
    assert_eq!(turned(&both("1 year", "1 year"), &moved), Turn::Otherwise, "one that ends elsewhere is enough");
    let words = [Turn::New, Turn::Same, Turn::Longer, Turn::Shorter, Turn::Otherwise].map(Turn::as_str);
    assert_eq!(words, ["new", "same", "longer", "shorter", "otherwise"]);
}

#[test]
fn an_instruction_turns_the_age_at_which_records_leave() {
    let standard = webone();
    let turned = |rule: &str, count: &str| {
        let rows = format!("[[replace]]\nrule = \"{rule}\"\n{count}\n");
        record_turn(&standard, &standard.with(&read(&rows)).expect("let in"), rule)
    };
    let settled = "{ from = \"customer_settled\", period = \"6 months\" }";
    for (record, expected) in [
        (", { from = \"record\", period = \"12 months\" }", Turn::Same),
        (", { from = \"record\", period = \"1 year\" }", Turn::Same),
        (", { from = \"record\", period = \"13 months\" }", Turn::Longer),
        (", { from = \"record\", period = \"11 months\" }", Turn::Shorter),
        (", { from = \"record\", period = \"365 days\" }", Turn::Otherwise),
        ("", Turn::Longer),
    ] {
        assert_eq!(turned("webone/chat", &format!("count = [{settled}{record}]")), expected, "{record}");
    }
    let at = "count = [{ from = \"record\", period = \"12 months\" }]\nbound = \"at\"";
    assert_eq!(turned("webone/chat", at), Turn::Otherwise);
    assert_eq!(turned("webone/customer-data", &format!("count = [{settled}]")), Turn::Same);
    let record = "count = [{ from = \"record\", period = \"1 month\" }]";
    assert_eq!(turned("webone/customer-data", record), Turn::New);
    assert_eq!(record_turn(&standard, &standard, "webone/none"), Turn::Same);
}

fn shipped(name: &str, text: &str) -> Policy {
    let law = include_str!("../../../../policies/law-se.toml");
    Policy::parse(name, text, |_: &str| Some(law.to_owned())).expect("in order")
}

#[test]
fn a_rule_that_went_with_another_goes_its_own_way() {
    let reseller = shipped("reseller003", include_str!("../../../../policies/reseller003.toml"));
    assert_eq!(reseller.rule("reseller003/notes").map(|rule| rule.with.as_deref()), Some(Some("reseller003/register")));
    let own = read(
        "[[replace]]\nrule = \"reseller003/notes\"\ncount = [{ from = \"customer_ended\", period = \"1 month\" }]\n",
    );
    let with = reseller.with(&own).expect("carried out");
    assert_eq!(with.rule("reseller003/notes").map(|rule| rule.with.as_deref()), Some(None));
}

#[test]
fn a_row_that_is_given_a_period_keeps_its_ground_and_its_source() {
    let netip = shipped("netip", include_str!("../../../../policies/netip.toml"));
    let own =
        read("[[replace]]\nrule = \"netip/hosted-logs\"\ncount = [{ from = \"record\", period = \"3 months\" }]\n");
    let rule = netip.with(&own).expect("carried out").rule("netip/hosted-logs").cloned().expect("a rule now");
    let entry = netip.entry("netip/hosted-logs").expect("a row without a period");
    assert_eq!((Some(&rule.basis), &rule.cites), (entry.basis.as_ref(), &entry.cites));
}
