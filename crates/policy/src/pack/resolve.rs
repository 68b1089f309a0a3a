//! From a file's words to a policy: the file's own part, what it includes, what of that is switched. Owns what makes a
//! pack acceptable as a whole: names that agree, ids used once, includes one level deep, no fixed row switched off.

use super::entries::{EntryRow, entry};
use super::rules::{RuleRow, rule};
use super::section::{Section, Text, document, read};
use super::{Content, SwitchedOff, sense};
use crate::calendar::{CalendarError, ChangedYear, FinancialYears, RunWindow, YearEnd};
use crate::problem::{Findings, Problem};

/// What the law's rule ids begin with.
const LAW: &str = "law";

/// Bytes of a pack's name and prefix.
const MAX_WORD: usize = 48;

/// Packs that one pack may include.
const MAX_INCLUDES: usize = 16;

/// One file, read: its own rows and what it says about others'.
pub(super) struct Pack<'t> {
    pub(super) content: Content,
    pub(super) rules: Vec<RuleRow>,
    pub(super) entries: Vec<EntryRow>,
    /// Ids of rules that are there and were refused.
    pub(super) refused: Vec<String>,
    /// Whether an included pack could not be read at all.
    pub(super) incomplete: bool,
    include: Vec<Text<'t>>,
    switch_on: Vec<Text<'t>>,
    switch_off: Vec<(Text<'t>, String)>,
}

pub(super) fn resolve(
    name: &str,
    text: &str,
    include: &dyn Fn(&str) -> Option<String>,
) -> Result<Content, Vec<Problem>> {
    let mut findings = Findings::new(name, text);
    let table = document(text, &mut findings);
    if !findings.is_empty() {
        return Err(findings.finish());
    }
    let mut pack = pack(name, Section::new(table.get_ref(), 0), &mut findings);
    if pack.include.len() > MAX_INCLUDES {
        findings.whole(format!("more than {MAX_INCLUDES} packs included"), "merge some of them");
    }
    for wanted in pack.include.clone().into_iter().take(MAX_INCLUDES) {
        match include(wanted.text) {
            Some(text) => included(wanted.text, &text, &mut pack, &mut findings),
            None => {
                pack.incomplete = true;
                let hint = "put a file of that name with the ending .toml beside this one";
                findings.at(wanted.at, "the included pack cannot be found", hint);
            }
        }
    }
    switch(&mut pack, &mut findings);
    sense::check(&mut pack, &mut findings);
    let problems = findings.finish();
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut content = pack.content;
    content.rules = pack.rules.into_iter().map(|row| row.rule).collect();
    content.entries = pack.entries.into_iter().map(|row| row.entry).collect();
    Ok(content)
}

/// The file's own part, without what it includes.
fn pack<'t>(name: &str, mut file: Section<'t>, findings: &mut Findings<'_>) -> Pack<'t> {
    if let Some(stated) = file.needed("name", findings).filter(|stated| stated.text != name) {
        let hint = format!("write name = \"{name}\", or rename the file");
        findings.at(stated.at, "the pack's name is not its file's", hint);
    }
    let provider = file.needed("provider", findings).map_or_else(String::new, |provider| provider.text.to_owned());
    let prefix = file.text("prefix", findings).map_or(name, |prefix| prefix.text).to_owned();
    // Plans and proofs carry rules by their ids, and a reader of proofs takes no other letters.
    for (word, what) in [(name, "name"), (&prefix, "prefix")] {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if word.is_empty() || word.len() > MAX_WORD || !word.bytes().all(plain) {
            findings.whole(
                format!("the pack's {what} is no plain word"),
                format!("write 1 to {MAX_WORD} of a-z, 0-9 and '-'"),
            );
        }
    }
    let content = Content {
        name: name.to_owned(),
        provider,
        valid_from: file.day("valid_from", findings),
        window: window(&mut file, findings),
        financial_years: financial_years(&mut file, findings),
        strict_backup: file.flag("strict_backup", findings),
        rules: Vec::new(),
        entries: Vec::new(),
        switched_off: Vec::new(),
        instructions: Vec::new(),
    };
    let include = file.texts("include", findings);
    let switch_on = file.texts("switch_on", findings);
    let switch_off =
        file.sections("switch_off", findings).into_iter().filter_map(|row| reason(row, findings)).collect();
    let (rows, undated) = (file.sections("rule", findings), file.sections("entry", findings));
    let ids: Vec<_> = rows.iter().filter_map(Section::id).collect();
    let rules: Vec<_> = rows.into_iter().filter_map(|row| rule(&prefix, row, findings)).collect();
    let entries: Vec<_> = undated.into_iter().filter_map(|row| entry(&prefix, row, findings)).collect();
    file.finish(findings);
    if prefix == LAW {
        sense::law_is_whole(&entries, findings);
    }
    let kept = |id: &str| rules.iter().any(|row| row.rule.id == id);
    let refused = ids.into_iter().filter(|id| !kept(id)).collect();
    Pack { content, rules, entries, refused, incomplete: false, include, switch_on, switch_off }
}

fn reason<'t>(mut row: Section<'t>, findings: &mut Findings<'_>) -> Option<(Text<'t>, String)> {
    let rule = row.needed("rule", findings);
    let reason = row.needed("reason", findings);
    row.finish(findings);
    if let Some(blank) = reason.filter(|reason| reason.text.trim().is_empty()) {
        findings.at(blank.at, "a row is switched off without a reason", "say why it does not bind this provider");
    }
    Some((rule?, reason?.text.to_owned()))
}

fn window(file: &mut Section<'_>, findings: &mut Findings<'_>) -> RunWindow {
    let Some(mut hours) = file.section("window", findings) else { return RunWindow::EVENING };
    let at = hours.at;
    let (opens, closes) = (hours.parsed("opens", findings), hours.parsed("closes", findings));
    hours.finish(findings);
    let Some((opens, closes)) = opens.zip(closes) else { return RunWindow::EVENING };
    RunWindow::new(opens, closes).unwrap_or_else(|error: CalendarError| {
        findings.at(at, error.to_string(), "leave it out for 22:00 to 24:00");
        RunWindow::EVENING
    })
}

/// Where there is a problem nobody gets to see the years: a pack with one is no policy.
fn financial_years(file: &mut Section<'_>, findings: &mut Findings<'_>) -> FinancialYears {
    let end: YearEnd = file.text("fiscal_year_end", findings).and_then(|text| read(text, findings)).unwrap_or_default();
    let (mut changed, mut places) = (Vec::new(), Vec::new());
    for mut year in file.sections("changed_year", findings) {
        places.push(year.at);
        let (begins, ends) = (year.needed_day("begins", findings), year.needed_day("ends", findings));
        year.finish(findings);
        changed.extend(begins.zip(ends).map(|(begins, ends)| ChangedYear { begins, ends }));
    }
    if changed.len() != places.len() {
        return FinancialYears::default();
    }
    FinancialYears::new(end, changed).unwrap_or_else(|(at, problem)| {
        let hint = "list changed years in order, each with its first and its last day, and set fiscal_year_end to the last one's end";
        findings.at(places.get(at).copied().unwrap_or_default(), problem.to_string(), hint);
        FinancialYears::default()
    })
}

/// Adds an included pack's rows. Its window, financial year and first day are not taken: they are a provider's.
fn included(name: &str, text: &str, outer: &mut Pack<'_>, findings: &mut Findings<'_>) {
    let mut inner = Findings::new(name, text);
    let table = document(text, &mut inner);
    if inner.is_empty() {
        let pack = pack(name, Section::new(table.get_ref(), 0), &mut inner);
        if let Some(nested) = pack.include.first() {
            inner.at(nested.at, "an included pack includes another", "include both from the outer pack");
        }
        outer.rules.extend(pack.rules.into_iter().map(|row| RuleRow { own: false, ..row }));
        outer.entries.extend(pack.entries.into_iter().map(|row| EntryRow { own: false, ..row }));
        outer.refused.extend(pack.refused);
    } else {
        outer.incomplete = true;
    }
    findings.include(inner.finish());
}

/// Takes out what is off: rows that the provider switches off with a reason, and those that it does not switch on.
fn switch(pack: &mut Pack<'_>, findings: &mut Findings<'_>) {
    let rules = pack.rules.iter().map(|row| (row.rule.id.clone(), row.marks, row.own));
    let rows: Vec<_> = rules.chain(pack.entries.iter().map(|row| (row.entry.id.clone(), row.marks, row.own))).collect();
    let included = |id: &str| rows.iter().find(|(row, _, own)| !own && row == id).map(|(_, marks, _)| *marks);
    for (rule, _) in &pack.switch_off {
        match included(rule.text) {
            None => {
                let hint = "name a row of an included pack, as \"law/others\"";
                findings.at(rule.at, format!("no included row is called {}", rule.text), hint);
            }
            Some(marks) if marks.fixed => {
                let hint = "the law leaves no provider a choice here: take the line out";
                findings.at(rule.at, format!("{} cannot be switched off", rule.text), hint);
            }
            Some(_) => {}
        }
    }
    for rule in &pack.switch_on {
        if !included(rule.text).is_some_and(|marks| marks.off) {
            let hint = "only rows that are off by themselves are switched on, as \"law/data-act\"";
            findings.at(rule.at, format!("{} is no row that is off", rule.text), hint);
        }
    }
    let reason = |id: &str| pack.switch_off.iter().find(|(rule, _)| rule.text == id).map(|(_, reason)| reason.clone());
    let on = |id: &str| pack.switch_on.iter().any(|rule| rule.text == id);
    let off: Vec<_> = rows
        .iter()
        .filter(|(id, marks, _)| (!marks.fixed && reason(id).is_some()) || (marks.off && !on(id)))
        .map(|(id, ..)| SwitchedOff { rule: id.clone(), reason: reason(id) })
        .collect();
    pack.rules.retain(|row| !off.iter().any(|off| off.rule == row.rule.id));
    pack.entries.retain(|row| !off.iter().any(|off| off.rule == row.entry.id));
    pack.content.switched_off = off;
}
