//! From a file's words to rules: every word looked up, every problem noted with its line. Owns what makes a pack
//! acceptable: names that agree, known words, real periods, ids used once, includes one level deep.

use std::fmt::Display;
use std::str::FromStr;

use toml::Spanned;

use super::Content;
use super::file::{CountFile, PackFile, RuleFile, StricterFile, WindowFile};
use crate::calendar::{CalendarError, RunWindow, YearEnd};
use crate::problem::{Findings, Problem};
use crate::rule::{Clause, Rule, Stricter};
use crate::word::{Anchor, Bound, CATEGORIES, Deed, Sweep, Until, category};

/// Packs that one pack may include.
const MAX_INCLUDES: usize = 16;

pub(super) fn resolve(
    name: &str,
    text: &str,
    include: &dyn Fn(&str) -> Option<String>,
) -> Result<Content, Vec<Problem>> {
    let mut findings = Findings::new(name, text);
    let Some(file) = read(text, &mut findings) else { return Err(findings.finish()) };
    let mut content = own(name, &file, &mut findings);
    if file.include.len() > MAX_INCLUDES {
        findings.whole(format!("more than {MAX_INCLUDES} packs included"), "merge some of them");
    }
    for wanted in file.include.iter().take(MAX_INCLUDES) {
        let offset = wanted.span().start;
        match include(wanted.as_ref()) {
            Some(text) => included(wanted.as_ref(), &text, &mut content, &mut findings),
            None => findings.at(
                offset,
                "the included pack cannot be found",
                "put a file of that name with the ending .toml beside this one",
            ),
        }
    }
    for (offset, id) in doubled(&file, &content.rules) {
        findings.at(offset, format!("the rule id {id} is used twice"), "a rule has one id: rename or remove one");
    }
    let problems = findings.finish();
    if problems.is_empty() { Ok(content) } else { Err(problems) }
}

fn read(text: &str, findings: &mut Findings<'_>) -> Option<PackFile> {
    match toml::from_str::<PackFile>(text) {
        Ok(file) => Some(file),
        Err(error) => {
            let hint = "see policies/webone.toml for every key that a pack may have";
            match error.span() {
                Some(span) => findings.at(span.start, error.message().replace('\n', " "), hint),
                None => findings.whole(error.message().replace('\n', " "), hint),
            }
            None
        }
    }
}

/// The file's own part, without what it includes.
fn own(name: &str, file: &PackFile, findings: &mut Findings<'_>) -> Content {
    if file.name.as_ref() != name {
        findings.at(
            file.name.span().start,
            "the pack's name is not its file's",
            format!("write name = \"{name}\", or rename the file"),
        );
    }
    let prefix = file.prefix.as_deref().unwrap_or(name);
    Content {
        name: file.name.as_ref().clone(),
        provider: file.provider.clone(),
        window: file.window.as_ref().map_or(RunWindow::EVENING, |hours| window(hours, findings)),
        fiscal_year_end: file
            .fiscal_year_end
            .as_ref()
            .map_or(YearEnd::CALENDAR_YEAR, |text| parsed(text, findings).unwrap_or(YearEnd::CALENDAR_YEAR)),
        strict_backup: file.strict_backup,
        rules: file.rules.iter().filter_map(|row| rule(prefix, row, findings)).collect(),
    }
}

/// Adds an included pack's rules. Its window and financial year are not taken: they are a provider's.
fn included(name: &str, text: &str, content: &mut Content, findings: &mut Findings<'_>) {
    let mut inner = Findings::new(name, text);
    if let Some(file) = read(text, &mut inner) {
        if let Some(nested) = file.include.first() {
            inner.at(nested.span().start, "an included pack includes another", "include both from the outer pack");
        }
        content.rules.extend(own(name, &file, &mut inner).rules);
    }
    findings.include(inner.finish());
}

fn doubled<'a>(file: &PackFile, rules: &'a [Rule]) -> Vec<(usize, &'a str)> {
    let mut seen = std::collections::BTreeSet::new();
    let twice = rules.iter().filter(|rule| !seen.insert(rule.id.as_str()));
    let place =
        |id: &str| file.rules.iter().rev().find(|row| row.id.as_ref() == id).map_or(0, |row| row.id.span().start);
    twice.map(|rule| (place(&rule.id), rule.id.as_str())).collect()
}

fn rule(prefix: &str, row: &RuleFile, findings: &mut Findings<'_>) -> Option<Rule> {
    let id = rule_id(prefix, &row.id, findings);
    let category = known(&row.category, category, &CATEGORIES, findings);
    let action = known(&row.action, Deed::from_word, Deed::WORDS, findings);
    let bound = known(&row.bound, Bound::from_word, Bound::WORDS, findings);
    let sweep = match &row.sweep {
        Some(word) => known(word, Sweep::from_word, Sweep::WORDS, findings),
        None => Some(Sweep::Daily),
    };
    let clauses: Vec<_> = row.count.iter().filter_map(|count| clause(count, findings)).collect();
    if row.count.is_empty() {
        findings.at(row.id.span().start, "the rule counts from nothing", "give it count = [{ from = …, period = … }]");
    }
    if row.basis.as_ref().trim().is_empty() {
        findings.at(row.basis.span().start, "the rule has no basis", "say why the data may be held, as \"contract\"");
    }
    if let (Some(action), Some(bound)) = (action, bound)
        && (action == Deed::Keep) != (bound == Bound::Keep)
    {
        let hint = "a duty has action = \"keep\" and bound = \"keep\"; every other rule has neither";
        findings.at(row.bound.span().start, "the rule's action and bound contradict each other", hint);
    }
    Some(Rule {
        id: id?,
        category: category?,
        action: action?,
        bound: bound?,
        clauses,
        sweep: sweep?,
        basis: row.basis.as_ref().clone(),
        cites: row.cites.clone(),
    })
}

fn rule_id(prefix: &str, id: &Spanned<String>, findings: &mut Findings<'_>) -> Option<String> {
    let text = id.as_ref();
    let plain = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    if text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/')).is_some_and(plain) {
        return Some(text.clone());
    }
    findings.at(id.span().start, "not a rule id of this pack", format!("write {prefix}/ and a name of a-z and '-'"));
    None
}

fn clause(count: &CountFile, findings: &mut Findings<'_>) -> Option<Clause> {
    let from = known(&count.from, Anchor::from_word, Anchor::WORDS, findings);
    let period = parsed(&count.period, findings);
    let until = match &count.until {
        Some(word) => known(word, Until::from_word, Until::WORDS, findings),
        None => Some(Until::Exact),
    };
    let stricter = match &count.stricter {
        Some(reading) => Some(stricter(reading, findings)?),
        None => None,
    };
    Some(Clause { from: from?, period: period?, until: until?, stricter })
}

fn stricter(reading: &StricterFile, findings: &mut Findings<'_>) -> Option<Stricter> {
    let from = known(&reading.from, Anchor::from_word, Anchor::WORDS, findings);
    let period = parsed(&reading.period, findings);
    Some(Stricter { from: from?, period: period? })
}

fn window(hours: &Spanned<WindowFile>, findings: &mut Findings<'_>) -> RunWindow {
    let file = hours.as_ref();
    let read = || RunWindow::new(file.opens.parse()?, file.closes.parse()?);
    read().unwrap_or_else(|error: CalendarError| {
        findings.at(hours.span().start, error.to_string(), "leave it out for 22:00 to 24:00");
        RunWindow::EVENING
    })
}

/// Looks a word up in a closed list.
fn known<T>(
    word: &Spanned<String>,
    look_up: impl Fn(&str) -> Option<T>,
    words: &[&str],
    findings: &mut Findings<'_>,
) -> Option<T> {
    let found = look_up(word.as_ref());
    if found.is_none() {
        findings.at(
            word.span().start,
            format!("unknown word \"{}\"", word.as_ref()),
            format!("one of: {}", words.join(", ")),
        );
    }
    found
}

/// Reads a text that has a form of its own.
fn parsed<T>(text: &Spanned<String>, findings: &mut Findings<'_>) -> Option<T>
where
    T: FromStr,
    T::Err: Display,
{
    match text.as_ref().parse() {
        Ok(value) => Some(value),
        Err(error) => {
            let message = T::Err::to_string(&error);
            let (what, hint) = message.split_once(": ").unwrap_or((&message, ""));
            findings.at(text.span().start, what, hint);
            None
        }
    }
}
