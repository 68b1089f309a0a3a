//! An instruction's TOML: every problem with its line. Owns what an instruction may say by itself.

use std::collections::BTreeSet;

use super::{Instruction, Of, Replacement};
use crate::pack::clause;
use crate::pack::section::{Section, document, known};
use crate::problem::{Findings, Problem};
use crate::word::{Bound, CATEGORIES, Sweep, category};

/// Longest id, in characters.
const MAX_ID: usize = 63;

pub(super) fn parse(name: &str, text: &str) -> Result<Instruction, Vec<Problem>> {
    let mut findings = Findings::new(name, text);
    let table = document(text, &mut findings);
    if !findings.is_empty() {
        return Err(findings.finish());
    }
    let read = instruction(name, Section::new(table.get_ref(), 0), &mut findings);
    let problems = findings.finish();
    match read {
        Some(instruction) if problems.is_empty() => Ok(instruction),
        Some(_) | None => Err(problems),
    }
}

fn instruction(name: &str, mut file: Section<'_>, findings: &mut Findings<'_>) -> Option<Instruction> {
    let id = file.needed("id", findings);
    if let Some(id) = id.filter(|id| !is_label(id.text)) {
        findings.at(id.at, "not an id", "write 1 to 63 of a-z, 0-9 and '-', and no customer's name or number");
    }
    let given_by = file.needed("given_by", findings);
    if let Some(blank) = given_by.filter(|by| by.text.trim().is_empty()) {
        findings.at(blank.at, "nobody gave it", "say in which role it was given, as \"customer's board\"");
    }
    let given_on = file.needed_day("given_on", findings);
    let from = file.needed_day("from", findings);
    if given_on.zip(from).is_some_and(|(given, from)| from < given) {
        findings.at(0, "it holds before it was given", "set from to the day on which it was given, or later");
    }
    let rows = file.sections("replace", findings);
    if rows.is_empty() {
        findings.at(
            0,
            "the instruction replaces nothing",
            "add [[replace]] with a rule or a category, and count = [ … ]",
        );
    }
    let replaces: Vec<_> = rows.into_iter().filter_map(|row| replacement(row, findings)).collect();
    file.finish(findings);
    let mut seen = BTreeSet::new();
    for (at, replacement) in &replaces {
        let what = name_of(&replacement.of);
        if !seen.insert(what.clone()) {
            findings.at(*at, format!("contradictory: {what} is replaced twice"), "give each rule one replacement");
        }
    }
    let replaces = replaces.into_iter().map(|(_, replacement)| replacement).collect();
    let (id, given_by) = (id?.text.to_owned(), given_by?.text.to_owned());
    Some(Instruction { id, given_by, given_on: given_on?, from: from?, replaces, name: name.to_owned() })
}

fn is_label(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= MAX_ID && text.bytes().all(plain)
}

fn name_of(of: &Of) -> String {
    match of {
        Of::Rule(rule) => rule.clone(),
        Of::Category(category) => category.to_string(),
    }
}

fn replacement(mut row: Section<'_>, findings: &mut Findings<'_>) -> Option<(usize, Replacement)> {
    let at = row.at;
    let rule = row.text("rule", findings).map(|rule| Of::Rule(rule.text.to_owned()));
    let word = row.text("category", findings);
    let of = word.and_then(|word| known(word, category, &CATEGORIES, findings)).map(Of::Category);
    if rule.is_some() == word.is_some() {
        let hint = "name the rule that it replaces, or the category that has none";
        findings.at(at, "a replacement is of one rule or of one category", hint);
    }
    let bound = row.text("bound", findings).and_then(|word| known(word, Bound::from_word, Bound::WORDS, findings));
    let sweep = row.text("sweep", findings).and_then(|word| known(word, Sweep::from_word, Sweep::WORDS, findings));
    let counts = row.sections("count", findings);
    if counts.is_empty() {
        findings.at(at, "the replacement gives no period", "add count = [{ from = …, period = … }]");
    }
    let clauses: Vec<_> = counts.into_iter().filter_map(|count| clause(count, findings)).collect();
    row.finish(findings);
    Some((at, Replacement { of: rule.or(of)?, clauses, bound, sweep, line: findings.line(at) }))
}
