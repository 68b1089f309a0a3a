//! The answer of `gallra policy explain`: one element for each row that bears on a category, and the result. Owns the
//! reading of what was asked and the answer's fields; a refusal gives no element at all. Pure: the command line only
//! reads files and prints.

use gallra_model::Day;
use gallra_model::plan::Anchors;
use gallra_model::target::Category;
use serde::Serialize;

use crate::calendar::{CalendarError, Moment, YearEnd, parse_day};
use crate::combine::{Combined, NEEDS_PERIOD};
use crate::entry::{Effect, Entry};
use crate::pack::Policy;
use crate::reading::{Dates, Extra, Known, Row, waiting};
use crate::word::{Anchor, CATEGORIES, Deed, category};

/// The category whose explanation also says when its copies go.
const WITH_COPIES: &str = "customer-data";
/// The category of the rule about copies.
const COPIES: &str = "backup";

/// What is asked, as it was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ask {
    /// `--category`: one of [`CATEGORIES`].
    pub category: String,
    /// `--ended`: the contract's and the customer's last day, YYYY-MM-DD.
    pub ended: Option<String>,
    /// `--settled`: the day of settlement, the contract's and the customer's, YYYY-MM-DD.
    pub settled: Option<String>,
    /// `--left-active`: YYYY-MM-DD.
    pub left_active: Option<String>,
    /// `--record`: YYYY-MM-DD or an instant.
    pub record: Option<String>,
    /// `--known`: the day a change came to be known, YYYY-MM-DD.
    pub known: Option<String>,
    /// `--received`: YYYY-MM-DD.
    pub received: Option<String>,
    /// `--fiscal-year-end`: MM-DD. Unset: as the pack says.
    pub fiscal_year_end: Option<String>,
}

/// Why a question is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a category.
    #[error("--category: unknown category; one of: {}", CATEGORIES.join(", "))]
    Category,
    /// An option that cannot be read.
    #[error("{option}: {source}")]
    Option {
        /// The option.
        option: &'static str,
        /// Why.
        source: CalendarError,
    },
    /// Settled before ended.
    #[error("--settled: the day lies before --ended, and a contract settles on its last day at the earliest")]
    SettledBeforeEnded,
    /// A category whose period is agreed with each customer, and no instruction gives one.
    #[error(
        "{rule}: the period for {category} is agreed with each customer, and there is no default: give it with \
         --instruction FILE"
    )]
    NeedsInstruction {
        /// The row that says so.
        rule: String,
        /// The category.
        category: Category,
    },
    /// A date that follows falls past the year 9999.
    #[error("a date that follows cannot be written: {0}")]
    Dates(#[from] CalendarError),
}

/// One element of the answer. Field order is the order in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Element {
    /// The rule's id, or `result`.
    pub rule: String,
    /// What it is about.
    pub category: String,
    /// What it asks for.
    pub action: Option<&'static str>,
    /// `by`, `at` or `keep`; none for the result.
    pub bound: Option<&'static str>,
    /// First day on which erasure is permitted.
    pub earliest: Option<Moment>,
    /// The day it is done.
    pub planned: Option<Moment>,
    /// Last day by which it must be done.
    pub latest: Option<Moment>,
    /// What it was counted from; none for the result.
    pub anchor: Option<&'static str>,
    /// That event's day.
    pub anchor_date: Option<Moment>,
    /// Why the data may or must be held; none for the result.
    pub basis: Option<String>,
    /// Where the rule stands; for the result, the rules that it came from.
    pub cites: Vec<String>,
    /// What a reader must know.
    pub note: Option<String>,
}

/// Answers.
///
/// # Errors
/// [`Refusal`] for an unknown category, an unreal date, dates that contradict each other, or a category whose period only
/// an instruction can give.
pub fn explain(policy: &Policy, ask: &Ask) -> Result<Vec<Element>, Refusal> {
    let category = category(&ask.category).ok_or(Refusal::Category)?;
    let (anchors, extra) = read(ask)?;
    if let Some(entry) = policy.by_instruction(&category) {
        return Err(Refusal::NeedsInstruction { rule: entry.id.clone(), category });
    }
    let combined = policy.window(&category, &anchors, &extra)?;
    let known = Known { policy, anchors: &anchors, extra: &extra };
    let rows = known.rows(&category)?;
    let entries = policy.entries_for(&category).filter(|entry| entry.is_of_the_answer());
    let mut elements: Vec<_> = entries.map(|entry| of_entry(&category, entry)).collect();
    elements.extend(rows.iter().map(|row| element(policy, row)));
    if category.as_str() == WITH_COPIES {
        elements.extend(copies(known, &combined)?);
    }
    let from = rows.iter().filter(|row| row.dates.is_some() && row.rule.decides()).map(|row| row.rule.id.clone());
    let mut cites: Vec<String> = Vec::new();
    for rule in from {
        if !cites.contains(&rule) {
            cites.push(rule);
        }
    }
    elements.push(result(policy, &category, &combined, cites));
    Ok(elements)
}

fn read(ask: &Ask) -> Result<(Anchors, Extra), Refusal> {
    let ended = day("--ended", &ask.ended)?;
    let settled = day("--settled", &ask.settled)?;
    if ended.zip(settled).is_some_and(|(ended, settled)| settled < ended) {
        return Err(Refusal::SettledBeforeEnded);
    }
    let anchors =
        Anchors { contract_ended: ended, contract_settled: settled, customer_ended: ended, customer_settled: settled };
    let extra = Extra {
        left_active: day("--left-active", &ask.left_active)?,
        record: option("--record", &ask.record, |text| text.parse::<Moment>())?,
        change_known: day("--known", &ask.known)?,
        received: day("--received", &ask.received)?,
        fiscal_year_end: option("--fiscal-year-end", &ask.fiscal_year_end, |text| text.parse::<YearEnd>())?,
        held: None,
        newest: None,
    };
    Ok((anchors, extra))
}

fn day(name: &'static str, text: &Option<String>) -> Result<Option<Day>, Refusal> {
    option(name, text, parse_day)
}

fn option<T>(
    option: &'static str,
    text: &Option<String>,
    read: impl Fn(&str) -> Result<T, CalendarError>,
) -> Result<Option<T>, Refusal> {
    text.as_deref().map(read).transpose().map_err(|source| Refusal::Option { option, source })
}

/// The rule about copies: counted from the day on which the data is planned to leave or, where an instruction says so, from the
/// contract's or the customer's end.
fn copies(known: Known<'_>, live: &Combined) -> Result<Vec<Element>, CalendarError> {
    let extra = Extra { left_active: live.planned, ..*known.extra };
    let known = Known { extra: &extra, ..known };
    let rules = known.policy.rules().iter().filter(|rule| rule.category.as_str() == COPIES);
    let mut elements = Vec::new();
    for (rule, clause) in rules.flat_map(|rule| rule.clauses.iter().map(move |clause| (rule, clause))) {
        let row = match clause.from {
            // The day itself waits for settlement here, so the row does too, though its anchor is of another kind.
            Anchor::LeftActive => Some(known.row(rule, clause)?.unwrap_or_else(|| waiting(rule, clause.from))),
            Anchor::ContractEnded | Anchor::ContractSettled | Anchor::CustomerEnded | Anchor::CustomerSettled => {
                known.row(rule, clause)?
            }
            // A record of the data is no copy's.
            Anchor::Record | Anchor::ChangeKnown | Anchor::FiscalYearEnd | Anchor::Received => None,
        };
        elements.extend(row.map(|row| element(known.policy, &row)));
    }
    Ok(elements)
}

fn element(policy: &Policy, row: &Row<'_>) -> Element {
    let dates = row.dates.unwrap_or_default();
    let instructed = policy.instruction_for(&row.rule.id).map(|(applied, replaced)| {
        let review = if replaced.legal_review { "; a large deviation: legal-review" } else { "" };
        format!("instruction {} from {} replaces: {}{review}", applied.id, applied.from, replaced.before)
    });
    let notes: Vec<_> = row.note.iter().cloned().chain(instructed).collect();
    Element {
        action: Some(row.rule.action.as_str()),
        bound: Some(row.rule.bound.as_str()),
        anchor: Some(row.anchor.as_str()),
        anchor_date: row.anchor_date,
        basis: Some(row.rule.basis.clone()),
        cites: row.rule.cites.clone(),
        note: (!notes.is_empty()).then(|| notes.join("; ")),
        ..dated(&row.rule.id, &row.rule.category, dates)
    }
}

/// A row that gives no date: what it asks is its note.
fn of_entry(category: &Category, entry: &Entry) -> Element {
    let (action, bound) = entry.deed();
    // Where a period is all that is missing, the note is what it is everywhere else.
    let missing = matches!(
        entry.effect,
        Effect::NoPeriod | Effect::AnonymisedFirst { .. } | Effect::ControllerDecides { .. } | Effect::ByInstruction
    );
    Element {
        action: action.map(Deed::as_str),
        bound: bound.map(|bound| bound.as_str()),
        basis: entry.basis.clone(),
        cites: entry.cites.clone(),
        note: Some(if missing { NEEDS_PERIOD.to_owned() } else { entry.sentence() }),
        ..dated(&entry.id, category, Dates::default())
    }
}

fn result(policy: &Policy, category: &Category, combined: &Combined, cites: Vec<String>) -> Element {
    let nothing_given = || combined.planned.is_none().then(|| "no day to count from is given".to_owned());
    let answers = policy.rules_for(category).any(|rule| rule.action == Deed::Answer);
    let action = if answers { Deed::Answer } else { Deed::Erase };
    Element {
        action: (!combined.needs_period).then_some(action.as_str()),
        cites,
        note: combined.note.clone().or_else(nothing_given),
        ..dated("result", category, combined.exact)
    }
}

fn dated(rule: &str, category: &Category, dates: Dates) -> Element {
    Element {
        rule: rule.to_owned(),
        category: category.to_string(),
        action: None,
        bound: None,
        earliest: dates.earliest,
        planned: dates.planned,
        latest: dates.latest,
        anchor: None,
        anchor_date: None,
        basis: None,
        cites: Vec::new(),
        note: None,
    }
}

#[cfg(test)]
mod tests;
