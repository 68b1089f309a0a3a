//! Rows with dates: from the file's words to rules. Owns what makes one acceptable by itself; how rows go together is
//! for `sense`.

use gallra_model::target::Scope;

use super::section::{Section, Text, known};
use crate::entry::{Channel, Field};
use crate::problem::Findings;
use crate::rule::{Clause, Detail, Rule, Stage, Stricter};
use crate::word::{Anchor, Bound, CATEGORIES, Deed, Sweep, Until, category};

/// A row as read: its rule, and what only matters while the pack is put together.
pub(super) struct RuleRow {
    pub(super) rule: Rule,
    pub(super) at: usize,
    pub(super) marks: Marks,
    /// Whether it stands in the pack itself, and not in one that it includes.
    pub(super) own: bool,
}

/// What a row says about being switched.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Marks {
    /// No provider can switch it off.
    pub(super) fixed: bool,
    /// Holds only where a provider switches it on.
    pub(super) off: bool,
}

impl Marks {
    pub(super) fn read(row: &mut Section<'_>, findings: &mut Findings<'_>) -> Self {
        Self { fixed: row.flag("fixed", findings), off: row.flag("off", findings) }
    }
}

pub(super) fn rule(prefix: &str, mut row: Section<'_>, findings: &mut Findings<'_>) -> Option<RuleRow> {
    let id = row.needed("id", findings);
    let at = id.map_or(row.at, |id| id.at);
    let id = id.and_then(|id| rule_id(prefix, id, findings));
    let category = row.needed("category", findings).and_then(|word| known(word, category, &CATEGORIES, findings));
    let action: Option<Deed> = row.word("action", findings);
    let bound = row.needed("bound", findings);
    let bound_at = bound.map_or(at, |text| text.at);
    let bound = bound.and_then(|word| known(word, Bound::from_word, Bound::WORDS, findings));
    let sweep = row.word_or("sweep", Sweep::Daily, findings);
    let basis = row.needed("basis", findings);
    if let Some(blank) = basis.filter(|basis| basis.text.trim().is_empty()) {
        findings.at(blank.at, "the rule has no basis", "say why the data may be held, as \"contract\"");
    }
    let cites = row.strings("cites", findings);
    let with = row.text("with", findings).map(|rule| rule.text.to_owned());
    let counts = row.sections("count", findings);
    if counts.is_empty() == with.is_none() {
        let hint = "give it either count = [{ from = …, period = … }] or with = \"the rule that it follows\"";
        findings.at(at, "the rule counts from nothing, or from two things", hint);
    }
    let clauses: Vec<_> = counts.into_iter().filter_map(|count| clause(count, findings)).collect();
    let apart = row.flag("apart", findings);
    let details = details(&mut row, findings);
    let marks = Marks::read(&mut row, findings);
    let scope =
        row.text("scope", findings).and_then(|word| known(word, scope_word, &["contract", "customer"], findings));
    row.finish(findings);
    let rule = Rule {
        id: id?,
        category: category?,
        action: action?,
        bound: bound?,
        scope: scope.unwrap_or_else(|| scope_of(&clauses)),
        clauses,
        with,
        sweep: sweep?,
        apart,
        basis: basis?.text.to_owned(),
        cites,
        details,
    };
    agrees_with_itself(&rule, bound_at, findings);
    Some(RuleRow { rule, at, marks, own: true })
}

/// Bytes of a rule's id: plans carry it, and proofs' readers take at most 128.
const MAX_ID: usize = 100;

/// A pack's prefix and a plain name.
pub(super) fn rule_id(prefix: &str, id: Text<'_>, findings: &mut Findings<'_>) -> Option<String> {
    let plain = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    if id.text.len() > MAX_ID {
        findings.at(id.at, "the id is too long", format!("write at most {MAX_ID} letters"));
        return None;
    }
    if id.text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/')).is_some_and(plain) {
        return Some(id.text.to_owned());
    }
    findings.at(id.at, "not a rule id of this pack", format!("write {prefix}/ and a name of a-z and '-'"));
    None
}

fn scope_word(word: &str) -> Option<Scope> {
    match word {
        "contract" => Some(Scope::Contract),
        "customer" => Some(Scope::Customer),
        _ => None,
    }
}

/// Where a row does not say whose end it follows: the contract's, if an anchor is.
fn scope_of(clauses: &[Clause]) -> Scope {
    let of_contract = |clause: &Clause| matches!(clause.from, Anchor::ContractEnded | Anchor::ContractSettled);
    if clauses.iter().any(of_contract) { Scope::Contract } else { Scope::Customer }
}

fn agrees_with_itself(rule: &Rule, at: usize, findings: &mut Findings<'_>) {
    let mut wrong = |text: &str, hint: &str| findings.at(at, text, hint);
    if (rule.action == Deed::Keep) != (rule.bound == Bound::Keep) {
        let hint = "a duty has action = \"keep\" and bound = \"keep\"; every other rule has neither";
        wrong("the rule's action and bound contradict each other", hint);
    }
    if (rule.action == Deed::Answer) != (rule.category.as_str() == "response") {
        wrong(
            "an answer is about the category response, and nothing else is",
            "write category = \"response\" or another action",
        );
    }
    let hours = rule.clauses.iter().filter(|clause| clause.period.is_in_hours()).count();
    if rule.with.is_none() && (hours > 0) != (rule.sweep == Sweep::Hourly) {
        wrong("periods in hours and the hourly sweep go together", "add sweep = \"hourly\", or count in days");
    }
    if hours > 0 && (rule.bound != Bound::By || hours < rule.clauses.len()) {
        wrong(
            "only a promise to forget counts in hours, and then in nothing else",
            "write bound = \"by\", or count in days",
        );
    }
    if rule.clauses.iter().any(|clause| clause.period.is_in_hours() && clause.from != Anchor::Record) {
        wrong(
            "only a record's own time is an instant: hours count from \"record\"",
            "write from = \"record\", or count in days",
        );
    }
    if rule.clauses.iter().any(|clause| (clause.until == Until::WorkingDay) && rule.action != Deed::Answer) {
        wrong("retention periods do not move off holidays (Regulation 1182/71)", "leave until = \"working-day\" out");
    }
    let against = match rule.scope {
        Scope::Contract => [Anchor::CustomerEnded, Anchor::CustomerSettled],
        Scope::Customer => [Anchor::ContractEnded, Anchor::ContractSettled],
    };
    if rule.clauses.iter().any(|clause| against.contains(&clause.from)) {
        wrong(
            "the rule's scope and what it counts from contradict each other",
            "count from the end that the scope names",
        );
    }
}

pub(crate) fn clause(mut count: Section<'_>, findings: &mut Findings<'_>) -> Option<Clause> {
    let from = count.word("from", findings);
    let period = count.parsed("period", findings);
    let until = count.word_or("until", Until::Exact, findings);
    let stricter = match count.section("stricter", findings) {
        Some(reading) => Some(stricter(reading, findings)?),
        None => None,
    };
    let stage = match count.section("or_after", findings) {
        Some(stage) => Some(staged(stage, findings)?),
        None => None,
    };
    count.finish(findings);
    Some(Clause { from: from?, period: period?, until: until?, stricter, stage })
}

fn stricter(mut reading: Section<'_>, findings: &mut Findings<'_>) -> Option<Stricter> {
    let from = reading.word("from", findings);
    let period = reading.parsed("period", findings);
    reading.finish(findings);
    Some(Stricter { from: from?, period: period? })
}

/// The first period is filled in once all rules are read.
fn staged(mut stage: Section<'_>, findings: &mut Findings<'_>) -> Option<Stage> {
    let rule = stage.needed("rule", findings).map(|rule| rule.text.to_owned());
    let period = stage.parsed("period", findings);
    stage.finish(findings);
    Some(Stage { rule: rule?, first: period?, period: period? })
}

fn details(row: &mut Section<'_>, findings: &mut Findings<'_>) -> Vec<Detail> {
    let mut details = Vec::new();
    if let Some(word) = row.text("handled_first_in", findings) {
        details.extend(known(word, category, &CATEGORIES, findings).map(|copy_to| Detail::HandledFirst { copy_to }));
    }
    for mut blank in row.sections("blanks", findings) {
        let of = blank.needed("category", findings).and_then(|word| known(word, category, &CATEGORIES, findings));
        let field: Option<Field> = blank.word("field", findings);
        blank.finish(findings);
        details.extend(of.zip(field).map(|(category, field)| Detail::Blanks { category, field }));
    }
    let channels: Vec<Channel> = row.words("channels", findings);
    if !channels.is_empty() {
        details.push(Detail::Channels(channels));
    }
    if row.flag("change_reaches_all", findings) {
        details.push(Detail::ChangeReachesAll);
    }
    if row.flag("consent_ends", findings) {
        details.push(Detail::ConsentEnds);
    }
    if let Some(rule) = row.text("needs_purpose_or", findings) {
        details.push(Detail::NeedsPurpose { otherwise: rule.text.to_owned() });
    }
    if let Some(rule) = row.text("reasons_within", findings) {
        details.push(Detail::ReasonsWithin(rule.text.to_owned()));
    }
    details
}
