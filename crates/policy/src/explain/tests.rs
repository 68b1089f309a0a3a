//! The answer, field by field, for each category that WebOne's pack has rows for.

#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

use super::*;
use crate::pack::tests::{webone, webone_with};

type Options<'a> = &'a [(&'a str, &'a str)];

fn ask(category: &str, options: Options<'_>) -> Ask {
    let mut ask = Ask { category: category.to_owned(), ..Ask::default() };
    for (option, value) in options {
        let slot = match *option {
            "ended" => &mut ask.ended,
            "settled" => &mut ask.settled,
            "left-active" => &mut ask.left_active,
            "record" => &mut ask.record,
            "known" => &mut ask.known,
            "received" => &mut ask.received,
            "fiscal-year-end" => &mut ask.fiscal_year_end,
            other => unreachable!("no option {other}"),
        };
        *slot = Some((*value).to_owned());
    }
    ask
}

/// One line an element: rule, category, action, bound, earliest, planned, latest, anchor, its date, note; '-' for null.
fn lines(policy: &Policy, category: &str, options: Options<'_>) -> Vec<String> {
    let date = |moment: Option<Moment>| moment.map_or("-".to_owned(), |moment| moment.to_string());
    let word = |word: Option<&'static str>| word.unwrap_or("-").to_owned();
    let elements = explain(policy, &ask(category, options)).expect("answered");
    let line = |e: Element| {
        let dates = [e.earliest, e.planned, e.latest].map(date).join(" ");
        let head = format!("{} {} {} {}", e.rule, e.category, word(e.action), word(e.bound));
        format!("{head} | {dates} | {} {} | {}", word(e.anchor), date(e.anchor_date), e.note.unwrap_or("-".into()))
    };
    elements.into_iter().map(line).collect()
}

fn check(category: &str, options: Options<'_>, expected: &[&str]) {
    assert_eq!(lines(&webone(), category, options), expected, "{category} {options:?}");
}

const ENDED_AND_SETTLED: Options<'_> = &[("ended", "2026-01-31"), ("settled", "2026-01-31")];

#[test]
fn customer_data_goes_a_month_after_settlement_and_its_copies_six_later() {
    check(
        "customer-data",
        ENDED_AND_SETTLED,
        &[
            "webone/customer-data customer-data erase at | 2026-02-28 2026-02-28 2026-02-28 | contract_settled 2026-01-31 | -",
            "webone/backup backup erase by | - 2026-08-28 2026-08-28 | left_active 2026-02-28 | \
             stricter reading: contract_settled + 6 months = 2026-07-31",
            "result customer-data erase - | 2026-02-28 2026-02-28 2026-02-28 | - - | -",
        ],
    );
}

#[test]
fn customer_data_counts_from_the_later_of_end_and_settlement() {
    check(
        "customer-data",
        &[("ended", "2026-01-31"), ("settled", "2026-03-15")],
        &[
            "webone/customer-data customer-data erase at | 2026-04-15 2026-04-15 2026-04-15 | contract_settled 2026-03-15 | -",
            "webone/backup backup erase by | - 2026-10-15 2026-10-15 | left_active 2026-04-15 | \
             stricter reading: contract_settled + 6 months = 2026-09-15",
            "result customer-data erase - | 2026-04-15 2026-04-15 2026-04-15 | - - | -",
        ],
    );
}

#[test]
fn without_settlement_customer_data_waits_and_its_copies_with_it() {
    check(
        "customer-data",
        &[("ended", "2026-01-31")],
        &[
            "webone/customer-data customer-data erase at | - - - | contract_settled - | waits for settlement",
            "webone/backup backup erase by | - - - | left_active - | waits for settlement",
            "result customer-data erase - | - - - | - - | waits for settlement",
        ],
    );
}

#[test]
fn a_backup_goes_six_months_after_the_data_left_or_after_its_own_age() {
    check(
        "backup",
        &[("left-active", "2026-08-31")],
        &[
            "webone/backup backup erase by | - 2027-02-28 2027-02-28 | left_active 2026-08-31 | -",
            "result backup erase - | - 2027-02-28 2027-02-28 | - - | -",
        ],
    );
    check(
        "backup",
        &[("left-active", "2026-02-28"), ("record", "2026-01-05T23:30:00Z"), ("settled", "2026-01-31")],
        &[
            "webone/backup backup erase by | - 2026-08-28 2026-08-28 | left_active 2026-02-28 | \
             stricter reading: contract_settled + 6 months = 2026-07-31",
            "webone/backup backup erase by | - 2026-07-06 2026-07-06 | record 2026-01-06 | -",
            "result backup erase - | - 2026-07-06 2026-07-06 | - - | -",
        ],
    );
    check("backup", &[], &["result backup erase - | - - - | - - | no day to count from is given"]);
}

#[test]
fn a_reading_that_is_not_stricter_is_not_noted() {
    check(
        "backup",
        &[("left-active", "2026-02-28"), ("settled", "2026-02-28")],
        &[
            "webone/backup backup erase by | - 2026-08-28 2026-08-28 | left_active 2026-02-28 | -",
            "result backup erase - | - 2026-08-28 2026-08-28 | - - | -",
        ],
    );
}

#[test]
fn strict_backup_makes_the_stricter_reading_hold() {
    let strict = webone_with("strict_backup = false", "strict_backup = true");
    let row = "webone/backup backup erase by | - 2026-07-31 2026-07-31 | contract_settled 2026-01-31 | \
               strict_backup holds; left_active + 6 months would be 2026-08-28";
    let answer = lines(&strict, "customer-data", ENDED_AND_SETTLED);
    assert_eq!(answer.get(1).map(String::as_str), Some(row));
    let result = "result backup erase - | - 2026-07-31 2026-07-31 | - - | -";
    let answer = lines(&strict, "backup", &[("settled", "2026-01-31"), ("left-active", "2026-02-28")]);
    assert_eq!(answer, [row, result]);
    let alone = lines(&strict, "backup", &[("settled", "2026-01-31")]);
    assert_eq!(alone.last().map(String::as_str), Some(result), "the reading needs no other anchor");
}

#[test]
fn a_contact_goes_after_seven_years_or_as_soon_as_it_is_known_to_have_left() {
    check(
        "contact",
        &[("ended", "2024-02-29"), ("settled", "2024-02-29")],
        &[
            "webone/contact contact erase by | - 2031-02-28 2031-02-28 | customer_settled 2024-02-29 | -",
            "result contact erase - | - 2031-02-28 2031-02-28 | - - | -",
        ],
    );
    check(
        "contact",
        &[("settled", "2026-01-31"), ("known", "2026-05-04")],
        &[
            "webone/contact contact erase by | - 2033-01-31 2033-01-31 | customer_settled 2026-01-31 | -",
            "webone/contact contact erase by | - 2026-05-04 2026-05-04 | change_known 2026-05-04 | -",
            "result contact erase - | - 2026-05-04 2026-05-04 | - - | -",
        ],
    );
    check(
        "contact",
        &[("known", "2026-05-04")],
        &[
            "webone/contact contact erase by | - - - | customer_settled - | waits for settlement",
            "webone/contact contact erase by | - 2026-05-04 2026-05-04 | change_known 2026-05-04 | -",
            "result contact erase - | - 2026-05-04 2026-05-04 | - - | webone/contact waits for settlement",
        ],
    );
}

const UNMET_2033: &str = "promise not met: webone/bookkeeping by 2033-03-15; law/bookkeeping forbids erasure before \
                          2034-01-01, restricted until then";

#[test]
fn bookkeeping_is_kept_as_the_law_demands_and_the_promise_is_named() {
    check(
        "bookkeeping",
        &[("settled", "2026-03-15")],
        &[
            "webone/bookkeeping bookkeeping erase by | - 2033-03-15 2033-03-15 | customer_settled 2026-03-15 | -",
            "law/bookkeeping bookkeeping keep keep | 2034-01-01 2034-01-01 - | fiscal_year_end 2026-12-31 | \
             kept through 2033-12-31",
            &format!("result bookkeeping erase - | 2034-01-01 2034-01-01 - | - - | {UNMET_2033}"),
        ],
    );
}

#[test]
fn the_financial_year_is_the_records_or_else_the_settlements() {
    let law =
        |options: &[(&str, &str)]| lines(&webone(), "bookkeeping", options).into_iter().nth(1).expect("the law's row");
    for (year_end, settled, record, expected) in [
        ("06-30", "2026-06-30", None, "2034-01-01 2034-01-01 - | fiscal_year_end 2026-06-30"),
        ("06-30", "2026-07-01", None, "2035-01-01 2035-01-01 - | fiscal_year_end 2027-06-30"),
        ("06-30", "2026-07-01", Some("2025-03-01"), "2033-01-01 2033-01-01 - | fiscal_year_end 2025-06-30"),
        ("02-28", "2027-03-01", None, "2036-01-01 2036-01-01 - | fiscal_year_end 2028-02-29"),
        ("02-29", "2027-03-01", None, "2036-01-01 2036-01-01 - | fiscal_year_end 2028-02-29"),
        ("12-31", "2025-12-31", None, "2033-01-01 2033-01-01 - | fiscal_year_end 2025-12-31"),
    ] {
        let mut options = vec![("settled", settled), ("fiscal-year-end", year_end)];
        options.extend(record.map(|day| ("record", day)));
        let row = law(&options);
        assert!(row.contains(expected), "{options:?}: {row}");
    }
}

#[test]
fn a_record_alone_says_how_long_the_law_keeps_it() {
    check(
        "bookkeeping",
        &[("ended", "2025-12-31"), ("record", "2025-06-30")],
        &[
            "webone/bookkeeping bookkeeping erase by | - - - | customer_settled - | waits for settlement",
            "law/bookkeeping bookkeeping keep keep | 2033-01-01 2033-01-01 - | fiscal_year_end 2025-12-31 | \
             kept through 2032-12-31",
            "result bookkeeping erase - | 2033-01-01 2033-01-01 - | - - | webone/bookkeeping waits for settlement",
        ],
    );
    check(
        "bookkeeping",
        &[],
        &[
            "webone/bookkeeping bookkeeping erase by | - - - | customer_settled - | waits for settlement",
            "law/bookkeeping bookkeeping keep keep | - - - | fiscal_year_end - | waits for settlement",
            "result bookkeeping erase - | - - - | - - | waits for settlement",
        ],
    );
}

#[test]
fn a_promise_that_outlasts_the_law_opens_an_interval() {
    // A record of 2019, settled in 2026: the law lets go before the promise falls due.
    let answer = lines(&webone(), "bookkeeping", &[("settled", "2026-03-15"), ("record", "2019-05-05")]);
    let result = "result bookkeeping erase - | 2027-01-01 2033-03-15 2033-03-15 | - - | -";
    assert_eq!(answer.last().map(String::as_str), Some(result));
}

#[test]
fn a_known_word_without_a_row_needs_a_period() {
    for word in [
        "history",
        "hosted-logs",
        "ip",
        "leftover",
        "marketing",
        "network-logs",
        "notes",
        "own-site-logs",
        "register",
        "tickets",
        "traffic",
        "user-logs",
    ] {
        check(word, ENDED_AND_SETTLED, &[&format!("result {word} - - | - - - | - - | needs a period")]);
    }
}

#[test]
fn basis_and_sources_come_from_the_pack_and_the_result_names_its_rules() {
    let elements = explain(&webone(), &ask("bookkeeping", &[("settled", "2026-03-15")])).expect("answered");
    let sources: Vec<_> = elements.iter().map(|e| (e.basis.as_deref(), e.cites.join("; "))).collect();
    assert_eq!(
        sources,
        [
            (
                Some("contract + legal duty"),
                "WebOne AB, table, row 'Bokföringsrelaterat material': 7 år; GDPR Art. 6(1)(b), 6(1)(c)".to_owned()
            ),
            (
                Some("legal duty"),
                "Swedish Accounting Act (Bokföringslagen, SFS 1999:1078) ch. 7 s. 2; GDPR Art. 17(3)(b)".to_owned()
            ),
            (None, "webone/bookkeeping; law/bookkeeping".to_owned()),
        ]
    );
    let basis = |category| explain(&webone(), &ask(category, ENDED_AND_SETTLED)).expect("answered")[0].basis.clone();
    assert_eq!(basis("customer-data").as_deref(), Some("contract"));
    assert_eq!(basis("contact").as_deref(), Some("contract + consent"));
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (category, options, word) in [
        ("mails", ENDED_AND_SETTLED, "unknown category"),
        ("", &[], "unknown category"),
        ("contact", &[("ended", "2026-02-30")], "--ended: not a real calendar date"),
        ("contact", &[("settled", "31/1/2026")], "--settled: not a real"),
        ("contact", &[("ended", "2026-01-31"), ("settled", "2026-01-30")], "--settled: the day lies before --ended"),
        ("backup", &[("left-active", "2026-1-1")], "--left-active"),
        ("backup", &[("record", "2026-01-31T10:00:00")], "--record"),
        ("contact", &[("known", "soon")], "--known"),
        ("response", &[("received", "2026-13-01")], "--received"),
        ("bookkeeping", &[("fiscal-year-end", "02-30")], "--fiscal-year-end"),
        ("contact", &[("settled", "9999-01-01")], "9999"),
    ] as [(&str, Options<'_>, &str); 11]
    {
        let refusal = explain(&webone(), &ask(category, options)).expect_err("refused").to_string();
        assert!(refusal.contains(word), "{category} {options:?}: {refusal}");
    }
}

#[test]
fn any_real_date_is_accepted() {
    for day in ["0001-01-01", "1999-12-31", "2400-02-29", "9000-06-15"] {
        assert!(explain(&webone(), &ask("customer-data", &[("ended", day), ("settled", day)])).is_ok(), "{day}");
    }
}

#[test]
fn access_logs_leave_by_the_customers_end_and_by_their_own_age() {
    check(
        "access-logs",
        ENDED_AND_SETTLED,
        &[
            "webone/access-logs access-logs erase by | - 2026-07-31 2026-07-31 | customer_settled 2026-01-31 | -",
            "webone/login-ip access-logs erase by | - 2026-07-31 2026-07-31 | customer_settled 2026-01-31 | -",
            "result access-logs erase - | - 2026-07-31 2026-07-31 | - - | -",
        ],
    );
    check(
        "access-logs",
        &[("record", "2026-08-31")],
        &[
            "webone/access-logs access-logs erase by | - - - | customer_settled - | waits for settlement",
            "webone/access-logs access-logs erase by | - 2027-02-28 2027-02-28 | record 2026-08-31 | -",
            "webone/login-ip access-logs erase by | - - - | customer_settled - | waits for settlement",
            "webone/login-ip access-logs erase by | - 2027-02-28 2027-02-28 | record 2026-08-31 | -",
            "result access-logs erase - | - 2027-02-28 2027-02-28 | - - | webone/access-logs waits for settlement",
        ],
    );
}
