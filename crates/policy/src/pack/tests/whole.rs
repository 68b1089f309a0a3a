//! What a pack's rows may not say of each other, and what only a look at the whole finds.

use super::{includes, problems, with_rule};
use crate::pack::Policy;

const HEAD: &str = "name = \"host\"\nprovider = \"H\"\n";

/// A pack with the law and some rows more.
fn pack(rows: &str) -> String {
    format!("{HEAD}include = [\"law-se\"]\n{rows}")
}

fn texts(text: &str) -> Vec<String> {
    problems(text).into_iter().map(|(line, text)| format!("{}: {text}", line.unwrap_or(0))).collect()
}

fn row(name: &str, category: &str, bound: &str, count: &str) -> String {
    let action = if bound == "keep" { "keep" } else { "erase" };
    format!(
        "[[rule]]\nid = \"host/{name}\"\ncategory = \"{category}\"\naction = \"{action}\"\nbound = \"{bound}\"\nbasis = \"contract\"\n{count}\n"
    )
}

fn counted(name: &str, bound: &str, from: &str, period: &str) -> String {
    row(name, "mail", bound, &format!("count = [{{ from = \"{from}\", period = \"{period}\" }}]"))
}

#[test]
fn every_unknown_key_is_found_wherever_it_stands() {
    let text = "name = \"host\"\nprovider = \"H\"\ncolour = 1\nwindow = { opens = \"22:00\", closes = \"23:00\", shut = 1 }\n\
                [[rule]]\nid = \"host/mail\"\ncategory = \"mail\"\naction = \"erase\"\nbound = \"by\"\nbasis = \"b\"\nwhen = 2\n\
                count = [{ from = \"record\", period = \"1 day\", till = 3 }]\n[[entry]]\nid = \"host/a\"\nkind = \"identify\"\nhow = 4\n";
    let expected = [
        "3: unknown key colour",
        "4: unknown key shut",
        "11: unknown key when",
        "12: unknown key till",
        "16: unknown key how",
    ];
    assert_eq!(texts(text), expected);
}

#[test]
fn every_syntax_error_is_found() {
    let found = problems("name = \nprovider = \"H\"\ninclude = [\"law-se\"\n[[rule\n");
    let lines: Vec<_> = found.iter().filter_map(|(line, _)| *line).collect();
    assert!(lines.len() > 1 && lines.contains(&1), "{found:?}");
}

#[test]
fn what_is_of_the_wrong_kind_is_said_and_reading_goes_on() {
    let text = "name = 1\nprovider = [\"H\"]\nstrict_backup = \"yes\"\ninclude = \"law-se\"\nwindow = 3\nrule = 4\nvalid_from = \"2026-02-30\"\n";
    let expected = [
        "1: name is not a text in quotation marks",
        "2: provider is not a text in quotation marks",
        "3: strict_backup is not true or false",
        "4: include is not a list of texts in square brackets",
        "5: window is not a table: { key = value, … }",
        "6: rule is not a list of tables",
        "7: not a real calendar date",
    ];
    assert_eq!(texts(text), expected);
    assert_eq!(
        texts(&format!("{HEAD}include = [3]\nrule = [4]\n")),
        ["3: include is not a list of texts in square brackets", "4: rule is not a list of tables"]
    );
    assert_eq!(texts("include = []\n"), ["1: the key name is missing", "1: the key provider is missing"]);
}

#[test]
fn a_rule_that_can_never_decide_is_refused() {
    for (one, other, idle) in [
        (counted("a", "by", "record", "1 year"), counted("b", "by", "record", "13 months"), "host/b"),
        (counted("a", "by", "record", "32 days"), counted("b", "by", "record", "1 month"), "host/a"),
        (counted("a", "at", "contract_ended", "1 year"), counted("b", "at", "contract_ended", "12 months"), "host/b"),
        (counted("a", "keep", "record", "1 month"), counted("b", "keep", "record", "32 days"), "host/a"),
        (counted("a", "keep", "record", "1 month"), counted("b", "keep", "record", "1 month"), "host/b"),
    ] {
        let found = texts(&pack(&format!("{one}{other}")));
        let by = if idle == "host/a" { "host/b" } else { "host/a" };
        let [only] = found.as_slice() else { unreachable!("{found:?}") };
        assert!(only.contains(&format!("{idle} can never decide anything: {by} counts from")), "{only}");
        assert!(only.starts_with(if idle == "host/a" { "5:" } else { "12:" }), "{only}");
    }
}

#[test]
fn rows_that_each_decide_something_are_let_in() {
    for (one, other) in [
        (counted("a", "by", "record", "30 days"), counted("b", "by", "record", "1 month")),
        (counted("a", "by", "record", "1 year"), counted("b", "by", "received", "1 year")),
        (counted("a", "by", "record", "1 year"), counted("b", "keep", "record", "1 month")),
        (counted("a", "at", "record", "1 year"), counted("b", "by", "record", "1 month")),
        (
            counted("a", "by", "record", "1 month"),
            row("b", "mail", "by", "count = [{ from = \"record\", period = \"1 month\", until = \"month-end\" }]"),
        ),
        (counted("a", "by", "record", "1 month"), row("b", "mail", "by", "with = \"host/a\"")),
        (
            counted("a", "by", "record", "1 month"),
            row("b", "chat", "by", "count = [{ from = \"record\", period = \"1 year\" }]"),
        ),
    ] {
        let text = pack(&format!("{one}{other}"));
        assert!(Policy::parse("host", &text, includes).is_ok(), "{text}");
    }
}

#[test]
fn what_follows_a_rule_must_be_able_to_come_first() {
    let staged = |rule: &str, period: &str| {
        let lock = counted("lock", "at", "customer_ended", "6 months").replace("\"erase\"", "\"restrict\"");
        let count = format!(
            "count = [{{ from = \"customer_ended\", period = \"1 year\", or_after = {{ rule = \"{rule}\", period = \"{period}\" }} }}]"
        );
        pack(&format!("{lock}{}", row("gone", "mail", "at", &count)))
    };
    assert!(Policy::parse("host", &staged("host/lock", "6 months"), includes).is_ok());
    assert_eq!(
        texts(&staged("host/lock", "1 year")),
        ["12: host/gone: what follows host/lock never ends before 1 year"]
    );
    assert_eq!(
        texts(&staged("host/key", "1 month")),
        ["12: host/gone follows host/key, which does not count from customer_ended"]
    );
    let elsewhere = staged("host/lock", "1 month").replacen("customer_ended", "record", 1);
    assert_eq!(texts(&elsewhere), ["12: host/gone follows host/lock, which does not count from customer_ended"]);
}

#[test]
fn a_rule_that_goes_with_another_takes_all_that_it_counts_from() {
    let text = pack(&format!(
        "{}{}",
        counted("a", "by", "contract_ended", "1 month"),
        row("b", "mail", "by", "with = \"host/a\"")
    ));
    let policy = Policy::parse("host", &text, includes).expect("in order");
    let [a, b] = ["host/a", "host/b"].map(|id| policy.rule(id).expect("a rule"));
    assert_eq!((&a.clauses, a.scope), (&b.clauses, b.scope));
    assert_eq!(
        texts(&text.replace("with = \"host/a\"", "with = \"host/c\"")),
        ["12: host/b goes with host/c, which no rule is called"]
    );
    assert_eq!(
        texts(&text.replace("with = \"host/a\"", "with = \"host/b\"")),
        ["12: host/b goes with host/b, which no rule is called"]
    );
    let both =
        text.replace("with = \"host/a\"", "with = \"host/a\"\ncount = [{ from = \"record\", period = \"1 day\" }]");
    assert_eq!(texts(&both), ["12: the rule counts from nothing, or from two things"]);
}

#[test]
fn hours_scopes_and_answers_agree_with_themselves() {
    let hours = "count = [{ from = \"record\", period = \"24 hours\" }]\nsweep = \"hourly\"";
    assert!(Policy::parse("host", &pack(&row("ip", "ip", "by", hours)), includes).is_ok());
    for (row, problem) in [
        (
            row("ip", "ip", "by", "count = [{ from = \"record\", period = \"24 hours\" }]"),
            "periods in hours and the hourly sweep go together",
        ),
        (
            row("ip", "ip", "by", "count = [{ from = \"record\", period = \"1 day\" }]\nsweep = \"hourly\""),
            "periods in hours and the hourly sweep go together",
        ),
        (row("ip", "ip", "at", hours), "only a promise to forget counts in hours, and then in nothing else"),
        (row("ip", "ip", "by", &hours.replace("record", "left_active")), "only a record's own time is an instant"),
        (
            row(
                "ip",
                "ip",
                "by",
                "sweep = \"hourly\"\ncount = [{ from = \"record\", period = \"24 hours\" }, { from = \"left_active\", period = \"1 day\" }]",
            ),
            "only a promise to forget counts in hours, and then in nothing else",
        ),
        (
            row("a", "mail", "by", "scope = \"customer\"\ncount = [{ from = \"contract_ended\", period = \"1 day\" }]"),
            "the rule's scope and what it counts from contradict each other",
        ),
        (
            row(
                "a",
                "mail",
                "by",
                "scope = \"contract\"\ncount = [{ from = \"customer_settled\", period = \"1 day\" }]",
            ),
            "the rule's scope and what it counts from contradict each other",
        ),
        (
            row("a", "mail", "by", "scope = \"fleet\"\ncount = [{ from = \"record\", period = \"1 day\" }]"),
            "unknown word \"fleet\"",
        ),
        (
            row("a", "mail", "by", "count = [{ from = \"record\", period = \"1 day\", until = \"working-day\" }]"),
            "retention periods do not move off holidays (Regulation 1182/71)",
        ),
        (
            row("a", "response", "by", "count = [{ from = \"received\", period = \"1 day\" }]"),
            "an answer is about the category response, and nothing else is",
        ),
        (row("a", "mail", "by", "count = [{ from = \"record\", period = \"0 days\" }]"), "not a period"),
        (row("a", "mail", "by", "count = [{ from = \"record\", period = \"1201 years\" }]"), "not a period"),
        (
            row(
                "a",
                "mail",
                "by",
                "count = [{ from = \"record\", period = \"1 day\" }]\nneeds_purpose_or = \"host/b\"",
            ),
            "host/a names the rule host/b, and there is none",
        ),
        (
            row("a", "mail", "by", "count = [{ from = \"record\", period = \"1 day\" }]\nchannels = [\"pigeon\"]"),
            "unknown word \"pigeon\"",
        ),
        (
            row("a", "mail", "by", "count = [{ from = \"record\", period = \"1 day\" }]\nhandled_first_in = \"box\""),
            "unknown word \"box\"",
        ),
    ] {
        let found = texts(&pack(&row));
        assert_eq!(found.len(), 1, "{row}: {found:?}");
        assert!(found.iter().any(|text| text.contains(problem)), "{row}: {found:?}");
    }
}

#[test]
fn a_rule_that_does_not_say_so_follows_the_contract_if_it_counts_from_one() {
    use gallra_model::target::Scope;
    for (count, scope) in [
        (
            "count = [{ from = \"contract_ended\", period = \"1 day\" }, { from = \"record\", period = \"1 day\" }]",
            Scope::Contract,
        ),
        ("count = [{ from = \"record\", period = \"1 day\" }]", Scope::Customer),
        ("count = [{ from = \"record\", period = \"1 day\" }]\nscope = \"contract\"", Scope::Contract),
    ] {
        let policy = Policy::parse("host", &pack(&row("a", "mail", "by", count)), includes).expect("in order");
        assert_eq!(policy.rule("host/a").map(|rule| rule.scope), Some(scope), "{count}");
    }
}

#[test]
fn a_rules_ground_is_its_basis_and_where_it_stands() {
    let text = pack(&counted("a", "by", "record", "1 day"));
    let ground = |text: &str| {
        Policy::parse("host", text, includes).expect("in order").rule("host/a").expect("the rule").ground()
    };
    assert_eq!(ground(&text), "contract");
    assert_eq!(ground(&text.replace("basis", "cites = [\"a\", \"b\"]\nbasis")), "contract: a; b");
}

#[test]
fn rows_without_a_date_are_checked_too() {
    for (entry, problem) in [
        ("kind = \"no-period\"", "a row of this kind is about one category"),
        ("kind = \"no-term\"\ncategory = \"mail\"", "unknown kind \"no-term\""),
        ("category = \"mail\"", "the key kind is missing"),
        ("kind = \"no-period\"\ncategory = \"mails\"", "unknown word \"mails\""),
        (
            "kind = \"as-law\"\ncategory = \"bookkeeping\"\nlaw = \"law/none\"",
            "host/a names the rule law/none, and there is none",
        ),
        ("kind = \"agreed-otherwise\"\nrule = \"host/b\"", "host/a names the rule host/b, and there is none"),
        (
            "kind = \"request\"\nright = \"erase\"\narticle = \"17\"\nanswer = \"law/tz\"",
            "host/a names the rule law/tz, and there is none",
        ),
        (
            "kind = \"request\"\nright = \"forget\"\narticle = \"17\"\nanswer = \"law/response\"",
            "unknown word \"forget\"",
        ),
        ("kind = \"request\"\nright = \"erase\"\narticle = \"17\"", "the key answer is missing"),
        ("kind = \"instructions\"\nlarge_factor = 1", "large_factor is missing or below 2"),
        ("kind = \"instructions\"", "large_factor is missing or below 2"),
        ("kind = \"zone\"\nzone = \"Europe/Oslo\"", "days are reckoned in Europe/Stockholm only"),
        ("kind = \"unsettled\"\nafter = \"a month\"\nevery = \"1 week\"", "not a period"),
        ("kind = \"transport\"\ncategory = \"mail\"\nclients = \"in-the-clear\"", "unknown word \"in-the-clear\""),
        (
            "kind = \"recipients\"\ncategory = \"recipients\"\nto = [{ name = \"A\", ground = \"delivery\" }]",
            "the recipient gets no field",
        ),
        (
            "kind = \"recipients\"\ncategory = \"recipients\"\nto = [{ name = \"A\", ground = \"delivery\", fields = [\"name\"], country = \"US\" }]",
            "the country lies outside the EU and the EEA, and no safeguard is named",
        ),
        (
            "kind = \"recipients\"\ncategory = \"recipients\"\nto = [{ name = \"A\", ground = \"delivery\", fields = [\"name\"], country = \"Sweden\" }]",
            "not a country",
        ),
    ] {
        let found = texts(&pack(&format!("[[entry]]\nid = \"host/a\"\n{entry}\n")));
        assert_eq!(found.len(), 1, "{entry}: {found:?}");
        assert!(found.iter().any(|text| text.contains(problem)), "{entry}: {found:?}");
    }
    for country in ["Se", "SWE", "S", "se"] {
        let to =
            format!("to = [{{ name = \"A\", ground = \"delivery\", fields = [\"name\"], country = \"{country}\" }}]");
        let text =
            pack(&format!("[[entry]]\nid = \"host/a\"\nkind = \"recipients\"\ncategory = \"recipients\"\n{to}\n"));
        assert_eq!(texts(&text), ["8: not a country"], "{country}");
    }
    for country in ["country = \"SE\"", "country = \"US\", safeguard = \"standard clauses\"", "agreement = true"] {
        let to = format!("to = [{{ name = \"A\", ground = \"delivery\", fields = [\"name\"], {country} }}]");
        let text =
            pack(&format!("[[entry]]\nid = \"host/a\"\nkind = \"recipients\"\ncategory = \"recipients\"\n{to}\n"));
        assert!(Policy::parse("host", &text, includes).is_ok(), "{text}");
    }
}

#[test]
fn a_row_that_is_refused_casts_no_doubt_on_those_that_name_it() {
    let leader = counted("a", "by", "record", "1 day").replace("\"mail\"", "\"mails\"");
    let text = pack(&format!("{leader}{}", row("b", "mail", "by", "with = \"host/a\"\nneeds_purpose_or = \"host/a\"")));
    assert_eq!(texts(&text), ["6: unknown word \"mails\""]);
    let request = "[[entry]]\nid = \"host/c\"\nkind = \"request\"\nright = \"erase\"\narticle = \"17\"\nanswer = \"law/response\"\n";
    let text = format!("{HEAD}include = [\"law-xx\"]\n{request}");
    assert_eq!(texts(&text), ["3: the included pack cannot be found"]);
    let garbled = |_: &str| Some("name = ".to_owned());
    let refused = Policy::parse("host", &pack(request), garbled).expect_err("refused");
    assert!(refused.problems.iter().all(|problem| problem.file == "law-se"), "{refused}");
}

#[test]
fn a_problem_between_rows_stands_at_its_own_row() {
    let request = |name: &str, answer: &str| {
        format!(
            "[[entry]]\nid = \"host/{name}\"\nkind = \"request\"\nright = \"erase\"\narticle = \"17\"\nanswer = \"{answer}\"\n"
        )
    };
    let text = pack(&format!("{}{}", request("a", "law/none"), request("b", "law/response")));
    assert_eq!(texts(&text), ["5: host/a names the rule law/none, and there is none"]);
    let text = pack(&format!("{}{}", request("a", "law/response"), request("b", "law/none")));
    assert_eq!(texts(&text), ["11: host/b names the rule law/none, and there is none"]);
}

#[test]
fn a_files_own_problems_come_by_line_and_included_files_after_them() {
    let broken = |_: &str| Some("name = \"law-se\"\nprovider = \"S\"\nshape = 1\n".to_owned());
    let text = "include = [\"law-se\"]\nname = \"host\"\nprovider = \"H\"\ncolour = 1\nsize = 2\n";
    let refused = Policy::parse("host", text, broken).expect_err("refused");
    let places: Vec<_> = refused.problems.iter().map(|problem| (problem.file.as_str(), problem.line)).collect();
    assert_eq!(places, [("host", Some(4)), ("host", Some(5)), ("law-se", Some(3))]);
    for (packs, too_many) in [(16, false), (17, true)] {
        let whole = format!("{}include = [{}]\n", HEAD, "\"law-se\", ".repeat(packs));
        let refused = Policy::parse("host", &whole, broken).expect_err("refused");
        let first = refused.problems.first().map(|problem| problem.line);
        assert_eq!(first == Some(None), too_many, "what has no line comes first: {packs} packs");
    }
}

#[test]
fn only_what_may_be_switched_is_switched() {
    let with = |line: &str| pack(&format!("{line}\n"));
    for (line, problem) in [
        ("switch_on = [\"law/others\"]", "4: law/others is no row that is off"),
        ("switch_on = [\"law/none\"]", "4: law/none is no row that is off"),
        ("switch_off = [{ rule = \"law/none\", reason = \"x\" }]", "4: no included row is called law/none"),
        ("switch_off = [{ rule = \"law/tz\", reason = \"x\" }]", "4: law/tz cannot be switched off"),
        ("switch_off = [{ rule = \"law/periods\", reason = \"x\" }]", "4: law/periods cannot be switched off"),
        ("switch_off = [{ rule = \"law/response\", reason = \"x\" }]", "4: law/response cannot be switched off"),
        (
            "switch_off = [{ rule = \"law/response-extended\", reason = \"x\" }]",
            "4: law/response-extended cannot be switched off",
        ),
        ("switch_off = [{ rule = \"law/others\", reason = \" \" }]", "4: a row is switched off without a reason"),
        ("switch_off = [{ rule = \"law/others\" }]", "4: the key reason is missing"),
    ] {
        assert_eq!(texts(&with(line)), [problem], "{line}");
    }
    for rule in ["law/recipients", "law/exemptions", "law/processor", "law/data-act", "law/preservation", "law/others"]
    {
        let policy =
            Policy::parse("host", &with(&format!("switch_off = [{{ rule = \"{rule}\", reason = \"x\" }}]")), includes);
        let policy = policy.expect("may be switched off");
        assert!(policy.rule(rule).is_none() && policy.entry(rule).is_none());
        assert!(policy.switched_off().iter().any(|off| off.rule == rule && off.reason.as_deref() == Some("x")));
    }
    let own = pack("switch_off = [{ rule = \"host/a\", reason = \"x\" }]\n") + &counted("a", "by", "record", "1 day");
    assert_eq!(texts(&own), ["4: no included row is called host/a"], "a pack's own row is taken out, not switched off");
}

#[test]
fn the_laws_pack_says_how_periods_are_counted() {
    let text = "name = \"host\"\nprovider = \"S\"\nprefix = \"law\"\n";
    assert_eq!(
        texts(text),
        [
            "1: the law's pack does not say how periods are counted",
            "1: the law's pack does not say whose days they are"
        ]
    );
}

#[test]
fn changed_years_and_first_days_are_checked_with_their_line() {
    let years =
        |end: &str, years: &str| texts(&format!("{HEAD}fiscal_year_end = \"{end}\"\nchanged_year = [\n{years}\n]\n"));
    assert_eq!(years("06-30", "{ begins = \"2026-01-01\", ends = \"2026-02-30\" }"), ["5: not a real calendar date"]);
    assert_eq!(years("06-30", "{ begins = \"2026-01-01\" }"), ["5: the key ends is missing"]);
    let found = years(
        "06-30",
        "{ begins = \"2026-01-01\", ends = \"2026-06-30\" },\n{ begins = \"2028-01-01\", ends = \"2028-06-30\" }",
    );
    assert!(
        found.len() == 1 && found.iter().all(|text| text.starts_with("6: the year before a changed one")),
        "{found:?}"
    );
    let text = with_rule("").replace("provider = \"H\"", "provider = \"H\"\nvalid_from = \"2026-07-01\"");
    let policy = Policy::parse("host", &text, includes).expect("in order");
    assert_eq!(policy.valid_from(), Some(jiff::civil::date(2026, 7, 1)));
}
