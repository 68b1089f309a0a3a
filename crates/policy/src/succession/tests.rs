//! Versions of small packs, and what reaches whom.

use jiff::civil::date;

use super::*;

const BOTH: Ended = Ended { contract: true, customer: true };

/// One row: id, category, action, bound, clauses.
type Row<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);

fn policy(rows: &[Row<'_>]) -> Policy {
    with_head("", rows)
}

fn with_head(head: &str, rows: &[Row<'_>]) -> Policy {
    let rows = rows.iter().map(|(id, category, action, bound, counts)| {
        let counts = counts.split("; ").filter_map(|count| count.split_once(" + "));
        let counts: Vec<_> =
            counts.map(|(from, period)| format!("{{ from = \"{from}\", period = \"{period}\" }}")).collect();
        let sweep = if counts.iter().any(|count| count.contains("hours")) { "sweep = \"hourly\"\n" } else { "" };
        format!(
            "[[rule]]\nid = \"p/{id}\"\ncategory = \"{category}\"\naction = \"{action}\"\nbound = \"{bound}\"\n\
             basis = \"b\"\n{sweep}count = [{}]\n",
            counts.join(", ")
        )
    });
    let text = format!("name = \"p\"\nprovider = \"P\"\n{head}{}", rows.collect::<String>());
    Policy::parse("p", &text, |_: &str| None).unwrap_or_else(|refused| panic!("{refused}\n{text}"))
}

fn counts(policy: &Policy, id: &str) -> Option<String> {
    let rule = policy.rule(&format!("p/{id}"))?;
    let clauses = rule.clauses.iter().map(|clause| format!("{} + {}", clause.from, clause.period));
    Some(format!("{} {}", rule.bound, clauses.collect::<Vec<_>>().join("; ")))
}

/// What becomes of one row that changed.
fn became(before: &str, after: &str) -> String {
    let row = |counts| policy(&[("mail", "mail", "erase", "by", counts)]);
    counts(&succeed(&row(before), &row(after), BOTH), "mail").expect("it is there")
}

#[test]
fn a_longer_period_does_not_reach_who_had_ended_and_a_shorter_one_does() {
    assert_eq!(became("contract_ended + 2 months", "contract_ended + 3 months"), "by contract_ended + 2 months");
    assert_eq!(became("contract_ended + 2 months", "contract_ended + 1 month"), "by contract_ended + 1 month");
    // Neither is plainly shorter: what was promised stays.
    assert_eq!(became("contract_ended + 1 month", "contract_ended + 30 days"), "by contract_ended + 1 month");
    assert_eq!(became("contract_ended + 30 days", "contract_ended + 1 month"), "by contract_ended + 30 days");
}

#[test]
fn a_row_that_turns_otherwise_gives_of_each_anchor_the_shorter_period() {
    assert_eq!(
        became("contract_ended + 2 months; record + 1 year", "contract_ended + 3 months; record + 6 months"),
        "by contract_ended + 2 months; record + 6 months"
    );
    assert_eq!(
        became("contract_ended + 2 months", "contract_ended + 3 months; record + 1 month"),
        "by contract_ended + 2 months; record + 1 month"
    );
    assert_eq!(
        became("contract_ended + 2 months; record + 1 month", "contract_ended + 1 month"),
        "by contract_ended + 1 month; record + 1 month"
    );
    // To wait for a settlement would make later what had a day.
    assert_eq!(
        became("contract_ended + 2 months", "contract_settled + 1 month; contract_ended + 1 month"),
        "by contract_ended + 1 month"
    );
    assert_eq!(became("contract_ended + 2 months", "contract_settled + 1 month"), "by contract_ended + 2 months");
    let [one, two] = ["contract_ended + 2 months; contract_settled + 1 month", "contract_ended + 3 months"];
    assert_eq!(became(one, two), format!("by {one}"));
}

#[test]
fn hours_and_days_are_not_mixed() {
    let hourly = "record + 24 hours";
    let (one, other) = (
        policy(&[("mail", "mail", "erase", "by", "record + 2 days")]),
        with_head("", &[("mail", "mail", "erase", "by", hourly)]),
    );
    assert_eq!(counts(&succeed(&other, &one, BOTH), "mail"), Some("by record + 24 hours".to_owned()));
    assert_eq!(counts(&succeed(&one, &other, BOTH), "mail"), Some("by record + 24 hours".to_owned()));
}

#[test]
fn what_cannot_be_taken_anchor_by_anchor_stays_whole() {
    // Hours go with nothing else.
    assert_eq!(became("record + 24 hours", "contract_ended + 1 month"), "by record + 24 hours");
    assert_eq!(became("contract_ended + 1 month", "record + 24 hours"), "by contract_ended + 1 month");
    let row = |counts: &str| {
        let text = format!(
            "name = \"p\"\nprovider = \"P\"\n[[rule]]\nid = \"p/mail\"\ncategory = \"mail\"\naction = \"erase\"\n\
             bound = \"by\"\nbasis = \"b\"\ncount = [{counts}]\n"
        );
        Policy::parse("p", &text, |_: &str| None).expect("in order")
    };
    // One anchor counted twice in different ways: which of the two a new period replaces, nobody can say.
    let twice = "{ from = \"contract_ended\", period = \"3 months\" }, \
                 { from = \"contract_ended\", period = \"1 month\", until = \"year-end\" }";
    let (once, less) = (twice.split_once(", {").expect("two").0, twice.replace("3 months", "2 months"));
    for (before, after) in [(twice, once.replace("3 months", "2 months").as_str()), (once, less.as_str())] {
        assert_eq!(succeed(&row(before), &row(after), BOTH).rules(), row(before).rules(), "{before} and {after}");
    }
}

#[test]
fn a_row_that_is_gone_stays_and_a_new_one_is_one_promise_more() {
    let mail = ("mail", "mail", "erase", "by", "contract_ended + 2 months");
    let chat = ("chat", "chat", "erase", "by", "contract_ended + 1 month");
    let after = succeed(&policy(&[mail]), &policy(&[chat]), BOTH);
    assert_eq!(counts(&after, "mail"), Some("by contract_ended + 2 months".to_owned()));
    assert_eq!(counts(&after, "chat"), Some("by contract_ended + 1 month".to_owned()));
    // One more of the same category makes nothing later, unless it waits.
    let sooner = ("sooner", "mail", "erase", "by", "customer_ended + 1 month");
    assert!(counts(&succeed(&policy(&[mail]), &policy(&[mail, sooner]), BOTH), "sooner").is_some());
    let waits = ("waits", "mail", "erase", "by", "customer_settled + 1 day");
    assert_eq!(counts(&succeed(&policy(&[mail]), &policy(&[mail, waits]), BOTH), "waits"), None);
    let half = ("waits", "mail", "erase", "by", "customer_settled + 1 day; record + 1 day");
    let after = succeed(&policy(&[mail]), &policy(&[mail, half]), BOTH);
    assert_eq!(counts(&after, "waits"), Some("by record + 1 day".to_owned()));
    // Where it waited before, or had no end at all, nothing becomes later by it.
    let waited = ("mail", "mail", "erase", "by", "customer_settled + 2 months");
    assert!(counts(&succeed(&policy(&[waited]), &policy(&[waits]), BOTH), "waits").is_some());
    assert!(counts(&succeed(&policy(&[chat]), &policy(&[waits]), BOTH), "waits").is_some());
    let duty = ("duty", "mail", "keep", "keep", "contract_ended + 1 month");
    assert!(counts(&succeed(&policy(&[duty]), &policy(&[duty, waits]), BOTH), "waits").is_some());
}

#[test]
fn a_duty_is_the_newer_versions_whichever_way_it_turned() {
    fn duty(counts: &str) -> Row<'_> {
        ("duty", "mail", "keep", "keep", counts)
    }
    for (before, after) in [("2 years", "3 years"), ("3 years", "2 years")] {
        let [old, new] = [before, after].map(|period| format!("contract_ended + {period}"));
        let held = succeed(&policy(&[duty(&old)]), &policy(&[duty(&new)]), BOTH);
        assert_eq!(counts(&held, "duty"), Some(format!("keep {new}")));
    }
    let mail = ("mail", "mail", "erase", "by", "contract_ended + 1 month");
    let both = policy(&[mail, duty("contract_ended + 1 year")]);
    assert_eq!(counts(&succeed(&both, &policy(&[mail]), BOTH), "duty"), None, "a duty that is no more");
    let kept = succeed(&policy(&[mail]), &both, BOTH);
    assert_eq!(counts(&kept, "duty"), Some("keep contract_ended + 1 year".to_owned()), "and one that is new");
    // A promise that became a duty of the same name: both hold.
    let made = policy(&[("mail", "mail", "keep", "keep", "contract_ended + 1 month")]);
    let both = succeed(&policy(&[mail]), &made, BOTH);
    assert_eq!(counts(&both, "mail"), Some("keep contract_ended + 1 month".to_owned()));
    assert_eq!(counts(&both, "mail.before"), Some("by contract_ended + 1 month".to_owned()));
    assert_eq!(counts(&succeed(&made, &policy(&[mail]), BOTH), "mail"), Some("by contract_ended + 1 month".to_owned()));
}

#[test]
fn a_row_of_another_kind_leaves_the_old_promise_as_it_was() {
    let by = ("mail", "mail", "erase", "by", "contract_ended + 2 months");
    for other in [
        ("mail", "mail", "erase", "at", "contract_ended + 1 month"),
        ("mail", "chat", "erase", "by", "contract_ended + 1 month"),
        ("mail", "mail", "restrict", "by", "contract_ended + 1 month"),
    ] {
        let held = succeed(&policy(&[by]), &policy(&[other]), BOTH);
        assert_eq!(counts(&held, "mail"), Some("by contract_ended + 2 months".to_owned()), "{other:?}");
        assert_eq!(held.rules(), policy(&[by]).rules());
    }
}

#[test]
fn each_end_is_looked_at_by_itself() {
    let rows = |months: u8| {
        let counts = [format!("contract_ended + {months} months"), format!("customer_ended + {months} months")];
        policy(&[("data", "customer-data", "erase", "by", &counts[0]), ("mail", "mail", "erase", "by", &counts[1])])
    };
    let (old, new) = (rows(2), rows(3));
    let held = |contract, customer| {
        let after = succeed(&old, &new, Ended { contract, customer });
        ["data", "mail"].map(|id| counts(&after, id).is_some_and(|counts| counts.contains("+ 2 months")))
    };
    assert_eq!(held(false, false), [false, false]);
    assert_eq!(held(true, false), [true, false]);
    assert_eq!(held(false, true), [false, true]);
    assert_eq!(held(true, true), [true, true]);
    assert_eq!(succeed(&old, &new, Ended::default()).digest(), new.digest());
    assert_eq!(succeed(&new, &new, BOTH).digest(), new.digest(), "what changes nothing is the very same policy");
    // Gone from the new version, and about an end that has not come.
    let none = policy(&[("data", "customer-data", "erase", "by", "contract_ended + 3 months")]);
    assert_eq!(counts(&succeed(&old, &none, Ended { contract: true, customer: false }), "mail"), None);
    assert!(counts(&succeed(&old, &none, BOTH), "mail").is_some());
}

#[test]
fn the_version_of_the_last_day_holds_and_later_ones_as_far_as_they_are_shorter() {
    let rows = |months: u8| {
        let counts = format!("contract_ended + {months} months");
        policy(&[("mail", "mail", "erase", "by", &counts)])
    };
    let (three, two, four) = (rows(3), rows(2), rows(4));
    let version = |policy, since: Option<Day>| Version { policy, since, reaches_ended: false };
    let (spring, summer) = (date(2026, 4, 1), date(2026, 7, 1));
    let versions = [version(&three, None), version(&two, Some(spring)), version(&four, Some(summer))];
    let held = |versions: &[Version<'_>], end: Day| {
        let policy = effective(versions, Some(end), None).expect("some");
        counts(&policy, "mail").expect("it is there")
    };
    for (end, months) in [
        (date(2026, 1, 31), 2),
        (date(2026, 3, 31), 2),
        // Its last day is the version's first: it had not ended.
        (spring, 2),
        (date(2026, 6, 30), 2),
        (summer, 4),
        (date(2026, 12, 31), 4),
    ] {
        assert_eq!(held(&versions, end), format!("by contract_ended + {months} months"), "{end}");
    }
    // An approver said so: also for who had ended long before.
    let mut reaching = versions;
    reaching[2].reaches_ended = true;
    assert_eq!(held(&reaching, date(2026, 1, 31)), "by contract_ended + 4 months");
    // The old rules again are longer than those between.
    let again = [version(&three, None), version(&two, Some(spring)), version(&three, Some(summer))];
    assert_eq!(held(&again, date(2026, 1, 31)), "by contract_ended + 2 months");
    assert_eq!(held(&again, summer), "by contract_ended + 3 months");
    assert!(effective(&[], Some(summer), None).is_none());
    // No end at all: the newest.
    assert_eq!(effective(&versions, None, None).expect("some").digest(), four.digest());
}

#[test]
fn a_stricter_reading_that_held_goes_on_to_hold() {
    let mail = ("mail", "mail", "erase", "by", "contract_ended + 1 month");
    let (strict, plain) = (with_head("strict_backup = true\n", &[mail]), policy(&[mail]));
    assert!(succeed(&strict, &plain, BOTH).strict_backup());
    assert!(succeed(&plain, &strict, BOTH).strict_backup());
    assert!(!succeed(&plain, &plain, BOTH).strict_backup());
    assert!(!succeed(&strict, &plain, Ended::default()).strict_backup());
}

#[test]
fn no_stricter_reading_of_a_duty_is_made_to_hold() {
    let read = |bound: &str, strict: bool| {
        let action = if bound == "keep" { "keep" } else { "erase" };
        let text = format!(
            "name = \"p\"\nprovider = \"P\"\nstrict_backup = {strict}\n[[rule]]\nid = \"p/backup\"\ncategory = \"backup\"\n\
             action = \"{action}\"\nbound = \"{bound}\"\nbasis = \"b\"\ncount = [{{ from = \"left_active\", period = \"6 months\", \
             stricter = {{ from = \"contract_settled\", period = \"1 month\" }} }}]\n"
        );
        Policy::parse("p", &text, |_: &str| None).expect("in order")
    };
    assert!(succeed(&read("by", true), &read("by", false), BOTH).strict_backup());
    assert!(!succeed(&read("by", true), &read("keep", false), BOTH).strict_backup());
    let duty = policy(&[("mail", "mail", "keep", "keep", "contract_ended + 1 month")]);
    assert!(succeed(&read("by", true), &duty, BOTH).strict_backup(), "one without another reading is no shorter by it");
}

#[test]
fn what_is_no_promise_is_the_newer_versions() {
    let mail = ("mail", "mail", "erase", "by", "contract_ended + 2 months");
    let row = |category: &str, action: &str, from: &str, more: &str| {
        let text = format!(
            "name = \"p\"\nprovider = \"P\"\n[[rule]]\nid = \"p/row\"\ncategory = \"{category}\"\naction = \"{action}\"\n\
             bound = \"by\"\nbasis = \"b\"\n{more}count = [{{ from = \"{from}\", period = \"1 month\" }}]\n"
        );
        Policy::parse("p", &text, |_: &str| None).expect("in order")
    };
    for old in [row("response", "answer", "received", ""), row("chat", "erase", "contract_ended", "apart = true\n")] {
        assert_eq!(counts(&succeed(&old, &policy(&[mail]), BOTH), "row"), None, "gone");
    }
    assert!(counts(&succeed(&row("chat", "erase", "contract_ended", ""), &policy(&[mail]), BOTH), "row").is_some());
    for action in ["restrict", "anonymise"] {
        assert!(counts(&succeed(&row("chat", action, "contract_ended", ""), &policy(&[mail]), BOTH), "row").is_some());
    }
    // A new duty that waits for a settlement holds all the same; so does a promise about an end that has not come.
    let duty = ("duty", "mail", "keep", "keep", "customer_settled + 1 month");
    assert!(counts(&succeed(&policy(&[mail]), &policy(&[mail, duty]), BOTH), "duty").is_some());
    let waits = ("waits", "mail", "erase", "by", "customer_settled + 1 month");
    let contract = Ended { contract: true, customer: false };
    assert!(counts(&succeed(&policy(&[mail]), &policy(&[mail, waits]), contract), "waits").is_some());
    assert!(counts(&succeed(&policy(&[mail]), &policy(&[mail, waits]), BOTH), "waits").is_none());
}

#[test]
fn rows_that_go_with_another_stay_with_it_only_where_both_count_alike() {
    let pack = |period: &str, own: &str| {
        let text = format!(
            "name = \"p\"\nprovider = \"P\"\n\
             [[rule]]\nid = \"p/chat\"\ncategory = \"chat\"\naction = \"erase\"\nbound = \"by\"\nbasis = \"b\"\n\
             count = [{{ from = \"customer_ended\", period = \"1 week\" }}]\n\
             [[rule]]\nid = \"p/register\"\ncategory = \"register\"\naction = \"erase\"\nbound = \"by\"\nbasis = \"b\"\n\
             count = [{{ from = \"customer_ended\", period = \"{period}\" }}]\n\
             [[rule]]\nid = \"p/notes\"\ncategory = \"notes\"\naction = \"erase\"\nbound = \"by\"\nbasis = \"b\"\n{own}\n"
        );
        Policy::parse("p", &text, |_: &str| None).expect("in order")
    };
    let with = "with = \"p/register\"";
    let own = "count = [{ from = \"customer_ended\", period = \"1 month\" }]";
    let held = succeed(&pack("1 year", with), &pack("2 years", with), BOTH);
    for id in ["register", "notes"] {
        assert_eq!(counts(&held, id), Some("by customer_ended + 1 year".to_owned()));
    }
    let held = succeed(&pack("1 year", own), &pack("6 months", with), BOTH);
    assert_eq!(counts(&held, "notes"), Some("by customer_ended + 1 month".to_owned()));
    assert_eq!(held.rule("p/notes").and_then(|rule| rule.with.clone()), None);
    let held = succeed(&pack("1 year", with), &pack("6 months", with), BOTH);
    assert_eq!(held.rule("p/notes").and_then(|rule| rule.with.clone()).as_deref(), Some("p/register"));
    assert_eq!(counts(&held, "notes"), Some("by customer_ended + 6 months".to_owned()));
}

#[test]
fn a_row_without_a_period_gives_way_to_the_promise_that_it_took_the_place_of() {
    let promised = "name = \"p\"\nprovider = \"P\"\n[[rule]]\nid = \"p/mail\"\ncategory = \"mail\"\naction = \"erase\"\n\
                    bound = \"by\"\nbasis = \"b\"\ncount = [{ from = \"contract_ended\", period = \"1 month\" }]\n";
    let open = "name = \"p\"\nprovider = \"P\"\n[[entry]]\nid = \"p/mail\"\ncategory = \"mail\"\nkind = \"no-period\"\n\
                cites = [\"c\"]\n";
    let parse = |text: &str| Policy::parse("p", text, |_: &str| None).expect("in order");
    let held = succeed(&parse(promised), &parse(open), BOTH);
    assert!(counts(&held, "mail").is_some() && held.entry("p/mail").is_none());
    let held = succeed(&parse(open), &parse(promised), BOTH);
    assert!(counts(&held, "mail").is_some() && held.entry("p/mail").is_none());
}

#[test]
fn a_promise_more_of_another_anchor_holds_beside_a_longer_one() {
    let old = policy(&[("mail", "mail", "erase", "by", "customer_ended + 12 months")]);
    let new = Policy::parse(
        "p",
        "name = \"p\"\nprovider = \"P\"\n[[rule]]\nid = \"p/mail\"\ncategory = \"mail\"\naction = \"erase\"\nbound = \"by\"\n\
         basis = \"b\"\ncount = [{ from = \"customer_ended\", period = \"24 months\" }, { from = \"change_known\", period = \"1 month\" }]\n",
        |_: &str| None,
    )
    .expect("in order");
    let held = succeed(&old, &new, BOTH);
    let clauses = held
        .rule("p/mail")
        .map(|rule| rule.clauses.iter().map(|clause| (clause.from, clause.period.to_string())).collect());
    let both = vec![(Anchor::CustomerEnded, "12 months".to_owned()), (Anchor::ChangeKnown, "1 month".to_owned())];
    assert_eq!(clauses, Some(both));
}

#[test]
fn ages_reach_whoever_has_ended_and_stay_ages() {
    let contract = Ended { contract: true, customer: false };
    let [short, long] = ["3 months", "12 months"].map(|period| {
        let count = format!("record + {period}");
        policy(&[("mail", "mail", "erase", "by", &count)])
    });
    assert_eq!(succeed(&short, &long, contract).rule("p/mail"), short.rule("p/mail"), "no longer for what had ended");
    assert_eq!(succeed(&long, &short, contract).rule("p/mail"), short.rule("p/mail"));
    // A clause beside the age would take its say in when the last record is gone.
    let more = Policy::parse(
        "p",
        "name = \"p\"\nprovider = \"P\"\n[[rule]]\nid = \"p/mail\"\ncategory = \"mail\"\naction = \"erase\"\nbound = \"by\"\n\
         basis = \"b\"\ncount = [{ from = \"record\", period = \"3 months\" }, { from = \"customer_ended\", period = \"2 years\" }]\n",
        |_: &str| None,
    )
    .expect("in order");
    assert!(succeed(&short, &more, BOTH).rule("p/mail").is_some_and(Rule::goes_by_age));
}
