//! Scenario scripts: a pack, perhaps changed or instructed, and questions about it, one a line, so that a stranger can read
//! and change them.
//!
//! `row ID` and `rule N` say what a script is for. `pack NAME` · `put LINE` (a top-level line of the pack) · `swap A => B` (in
//! the pack's text) · `instruction`, lines of TOML, `end` · then questions:
//! `explain CATEGORY [OPTION VALUE]…` · `lifted CATEGORY [OPTION VALUE]…` · `effect KIND` · `details CATEGORY` · `review` ·
//! `requests RIGHT` · `recipients` · `holds` · `transport CATEGORY` · `none CATEGORY` · `channels` · `blanked CATEGORY` ·
//! `in-force DAY FIRST-DAY…` · `minimised` · `unsettled DAY` · `answer DAY [extended] [paused N]` · `window`.

use std::fmt::Write as _;

use gallra_model::Day;
use gallra_model::plan::Anchors;
use gallra_policy::entry::Right;
use gallra_policy::explain::{Ask, Element, explain};
use gallra_policy::{Extra, Instruction, Moment, Policy, doubled, in_force};

/// The text of a shipped pack.
pub(crate) fn shipped(name: &str) -> Option<String> {
    let text = match name {
        "netip" => include_str!("../../../../policies/netip.toml"),
        "host001" => include_str!("../../../../policies/host001.toml"),
        "connect2ip" => include_str!("../../../../policies/connect2ip.toml"),
        "reseller003" => include_str!("../../../../policies/reseller003.toml"),
        "webone" => include_str!("../../../../policies/webone.toml"),
        "law-se" => include_str!("../../../../policies/law-se.toml"),
        _ => return None,
    };
    Some(text.to_owned())
}

/// Every shipped pack.
pub(crate) const PACKS: [&str; 6] = ["netip", "host001", "connect2ip", "reseller003", "webone", "law-se"];

/// A shipped pack, read.
pub(crate) fn pack(name: &str) -> Policy {
    Policy::parse(name, &shipped(name).unwrap(), shipped).unwrap()
}

/// What a script says it is for.
pub(crate) fn named<'a>(script: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    // An instruction's own `rule = …` is no such line.
    let lines = script.lines().filter_map(move |line| line.strip_prefix(word)?.strip_prefix(' '));
    let lines = lines.filter(|rest| !rest.starts_with('='));
    lines.flat_map(str::split_whitespace)
}

/// The answers to a script, with packs' texts from `texts`. A refusal is an answer.
pub(crate) fn outcome(script: &str, texts: &dyn Fn(&str) -> Option<String>) -> String {
    let mut lines = script.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let (mut name, mut text) = ("webone".to_owned(), texts("webone").unwrap());
    let mut instructions = Vec::new();
    let mut out = String::new();
    while let Some(line) = lines.next() {
        if let Some(pack) = line.strip_prefix("pack ") {
            (name, text) = (pack.to_owned(), texts(pack).unwrap());
        } else if let Some(put) = line.strip_prefix("put ") {
            text = format!("{put}\n{text}");
        } else if let Some((from, to)) = line.strip_prefix("swap ").and_then(|swap| swap.split_once(" => ")) {
            assert!(text.contains(from), "the pack says {from}");
            text = text.replace(from, to);
        } else if line == "instruction" {
            let toml: Vec<_> = lines.by_ref().take_while(|line| *line != "end").collect();
            instructions.push(toml.join("\n"));
        } else if !line.starts_with("row ") && !line.starts_with("rule ") {
            let _ = writeln!(out, "> {line}");
            out.push_str(&answer(&name, &text, texts, &instructions, line));
        }
    }
    out
}

fn answer(
    name: &str,
    text: &str,
    texts: &dyn Fn(&str) -> Option<String>,
    instructions: &[String],
    question: &str,
) -> String {
    let mut policy = match Policy::parse(name, text, texts) {
        Ok(policy) => policy,
        Err(refused) => return format!("refused: {refused}\n"),
    };
    for toml in instructions {
        let read = Instruction::parse("instruction", toml).and_then(|instruction| policy.with(&instruction));
        policy = match read {
            Ok(policy) => policy,
            Err(refused) => return format!("refused: {refused}\n"),
        };
    }
    let words: Vec<_> = question.split_whitespace().collect();
    let lines = match words.as_slice() {
        ["explain", category, options @ ..] => match explain(&policy, &ask(category, options)) {
            Ok(elements) => elements.iter().map(line).collect(),
            Err(refusal) => vec![format!("refused: {refusal}")],
        },
        ["lifted", category, options @ ..] => vec![lifted(&policy, category, options)],
        ["in-force", day, first_days @ ..] => vec![in_force_on(name, text, texts, day, first_days)],
        other => facts(&policy, other),
    };
    if lines.is_empty() { "nothing\n".to_owned() } else { lines.join("\n") + "\n" }
}

fn ask(category: &str, options: &[&str]) -> Ask {
    let mut ask = Ask { category: category.to_owned(), ..Ask::default() };
    for pair in options.chunks(2) {
        let [option, value] = pair else { panic!("an option without a value: {options:?}") };
        let slot = match *option {
            "ended" => &mut ask.ended,
            "settled" => &mut ask.settled,
            "left-active" => &mut ask.left_active,
            "record" => &mut ask.record,
            "known" => &mut ask.known,
            "received" => &mut ask.received,
            "fiscal-year-end" => &mut ask.fiscal_year_end,
            other => panic!("no option {other}"),
        };
        *slot = Some((*value).to_owned());
    }
    ask
}

fn date(moment: Option<Moment>) -> String {
    moment.map_or("-".to_owned(), |moment| moment.to_string())
}

/// Rule, action, bound, earliest, planned, latest, anchor, its date, note, and what a result comes from; '-' for null.
fn line(e: &Element) -> String {
    let dates = [e.earliest, e.planned, e.latest].map(date).join(" ");
    let word = |word: Option<&'static str>| word.unwrap_or("-");
    let anchor = format!("{} {}", word(e.anchor), date(e.anchor_date));
    let head = format!("{} {} {}", e.rule, word(e.action), word(e.bound));
    // A row's sources are its pack's; the result's are the rows that it came from.
    let from = if e.rule == "result" && !e.cites.is_empty() {
        format!(" | from {}", e.cites.join(" "))
    } else {
        String::new()
    };
    format!("{head} | {dates} | {anchor} | {}{from}", e.note.as_deref().unwrap_or("-"))
}

/// The window of a category once the courtesy of an *at* is lifted.
fn lifted(policy: &Policy, category: &str, options: &[&str]) -> String {
    let day = |name: &str| options.chunks(2).find(|pair| pair[0] == name).map(|pair| pair[1].parse::<Day>().unwrap());
    let (ended, settled) = (day("ended"), day("settled"));
    let anchors =
        Anchors { contract_ended: ended, contract_settled: settled, customer_ended: ended, customer_settled: settled };
    let window = policy.window(&category.parse().unwrap(), &anchors, &Extra::default()).unwrap().without_courtesy();
    let exact = window.exact;
    let in_window = if window.in_window { "in the window" } else { "at any hour" };
    format!("{} {} {}, {in_window}", date(exact.earliest), date(exact.planned), date(exact.latest))
}

/// Which of several versions, each with its first day, is in force on a day.
fn in_force_on(
    name: &str,
    text: &str,
    texts: &dyn Fn(&str) -> Option<String>,
    day: &str,
    first_days: &[&str],
) -> String {
    let version = |day: &&str| Policy::parse(name, &format!("valid_from = \"{day}\"\n{text}"), texts).unwrap();
    let versions: Vec<_> = first_days.iter().map(version).collect();
    let twice = doubled(&versions);
    match in_force(&versions, day.parse().unwrap()).and_then(Policy::valid_from) {
        Some(from) => format!("the version from {from}; twice: {twice:?}"),
        None => format!("none; twice: {twice:?}"),
    }
}

/// Questions about rows without a date, asked by kind and never by id.
fn facts(policy: &Policy, words: &[&str]) -> Vec<String> {
    let category = |word: &str| word.parse().unwrap();
    match words {
        ["effect", kind] => of_kind(policy, kind),
        ["details", word] => policy
            .rules_for(&category(word))
            .flat_map(|rule| rule.details.iter().map(|detail| detail.sentence()))
            .collect(),
        ["requests", right] => {
            policy.requests(Right::from_word(right).unwrap()).map(|(entry, _)| entry.sentence()).collect()
        }
        ["recipients"] => policy
            .recipients()
            .map(|(_, to)| {
                let fields: Vec<_> = to.fields.iter().map(|field| field.as_str()).collect();
                let agreement = if to.agreement { ", under an agreement" } else { "" };
                format!("{}: {} for {}{agreement}", to.name, fields.join(" "), to.ground)
            })
            .collect(),
        ["holds"] => policy.hold_grounds().map(|(_, ground)| ground.to_string()).collect(),
        ["transport", word] => {
            let transport = policy.transport(&category(word));
            transport.map(|(clients, at_rest)| format!("{clients}, encrypted at rest: {at_rest}")).into_iter().collect()
        }
        ["none", word] => vec![format!("expects none: {}", policy.expects_none(&category(word)))],
        ["channels"] => policy.marketing_channels().map(|channel| channel.to_string()).collect(),
        ["blanked", word] => policy
            .blanked(&category(word))
            .map(|(rule, field)| format!("{field} by the rule about {}", rule.category))
            .collect(),
        ["minimised"] => {
            policy.minimised().map(|(send, not)| format!("{send:?} and not {not:?}")).into_iter().collect()
        }
        ["unsettled", ended] => {
            let from = policy.unsettled_from(ended.parse().unwrap()).unwrap();
            from.map(|day| format!("listed from {day}")).into_iter().collect()
        }
        ["answer", received, rest @ ..] => {
            let paused = rest.iter().position(|word| *word == "paused").map_or(0, |at| rest[at + 1].parse().unwrap());
            let answer = policy.answer(received.parse().unwrap(), rest.contains(&"extended"), paused).unwrap();
            let line = |answer: gallra_policy::facts::Answer| {
                let days = answer.days;
                format!("planned {}, latest {}, with the pause {}", days.planned, days.latest, answer.latest_paused)
            };
            answer.map(line).into_iter().collect()
        }
        ["window"] => vec![policy.window_hours().to_string()],
        ["review"] => review(policy),
        other => panic!("no question: {other:?}"),
    }
}

fn of_kind(policy: &Policy, kind: &str) -> Vec<String> {
    let is = |entry: &&gallra_policy::Entry| serde_json::to_value(&entry.effect).unwrap()["kind"] == kind;
    policy.entries().iter().filter(is).map(gallra_policy::Entry::sentence).collect()
}

fn review(policy: &Policy) -> Vec<String> {
    let deviations = policy.instructions().iter().flat_map(|applied| &applied.replaced);
    let mut lines: Vec<_> = deviations
        .map(|d| {
            let warns: Vec<_> = d.warns.iter().map(|warning| format!(", {warning}")).collect();
            let review = if d.legal_review { format!("legal review{}", warns.concat()) } else { "no review".into() };
            format!("{} {}: {} -> {}: {review}", d.category, d.turn.as_str(), d.before, d.after)
        })
        .collect();
    lines.push(format!("legal review: {}", policy.needs_legal_review()));
    lines
}
