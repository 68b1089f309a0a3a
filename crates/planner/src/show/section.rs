//! What a plan says below its picture, as sections of lines: the same for the terminal and the page. Owns their order and
//! sentences.

use std::collections::BTreeMap;

use gallra_model::Day;
use gallra_model::job::Action;
use gallra_model::plan::{After, Change, Plan, Step};
use gallra_model::time::day_of;

use super::picture::{hours, life, time_of_day};
use super::plain;
use super::word::{Language, Word};
use crate::note;

/// One section.
pub(super) struct Section {
    pub(super) title: String,
    pub(super) rows: Vec<Row>,
    /// Whether the page shows its title alone until somebody asks for more.
    pub(super) folded: bool,
}

/// One line of a section.
pub(super) struct Row {
    /// What it begins with: a time, a number.
    pub(super) lead: Option<[String; 2]>,
    /// Where, or about what.
    pub(super) place: String,
    /// What, in the reader's language.
    pub(super) text: String,
    /// What others wrote, or the plan itself in English.
    pub(super) quoted: Option<String>,
}

impl Row {
    fn new(place: String, text: String) -> Self {
        Self { lead: None, place, text, quoted: None }
    }
}

/// Every section that has something to say.
pub(super) fn sections(plan: &Plan, problems: &[String], language: Language) -> Vec<Section> {
    let title = |word: Word| word.get(language).to_owned();
    let section = |word: Word, rows: Vec<Row>| Section { title: title(word), rows, folded: false };
    let objections =
        problems.iter().map(|problem| Row { quoted: Some(plain(problem)), ..Row::new(String::new(), String::new()) });
    let mut all =
        vec![section(Word::Objections, objections.collect()), section(Word::Changed, changes(plan, language))];
    all.extend(days(plan, language));
    all.push(section(Word::LiveConfirmed, waiting(plan, After::LiveConfirmed, language)));
    all.push(section(Word::CopiesGone, waiting(plan, After::CopiesGone, language)));
    all.push(section(Word::Needed, needed(plan, language)));
    all.push(section(Word::Holds, holds(plan, language)));
    all.push(section(Word::Copies, copies(plan, language)));
    all.push(section(Word::Stays, stays(plan, language)));
    all.push(section(Word::Locked, locks(plan, language)));
    all.push(section(Word::Mind, notes(plan, language)));
    all.push(Section { folded: true, ..section(Word::AlsoSaid, terms(plan, language)) });
    all.retain(|section| !section.rows.is_empty());
    all
}

/// Steps whose time alone, or another step, brings them on; a section a day.
fn days(plan: &Plan, language: Language) -> Vec<Section> {
    let timed = |step: &&Step| step.after.iter().all(|after| matches!(after, After::Step(_)));
    let mut by_day: BTreeMap<Day, Vec<&Step>> = BTreeMap::new();
    for step in plan.steps.iter().filter(timed) {
        by_day.entry(day_of(step.due)).or_default().push(step);
    }
    let section = |(day, mut steps): (Day, Vec<&Step>)| {
        steps.sort_by_key(|step| step.due);
        let title = format!("{day} {}", Word::of_weekday(day).get(language));
        let rows = steps.into_iter().map(|step| row(step, time_of_day(step.due), language)).collect();
        Section { title, rows, folded: false }
    };
    by_day.into_iter().map(section).collect()
}

fn waiting(plan: &Plan, what: After, language: Language) -> Vec<Row> {
    let steps = plan.steps.iter().filter(|step| step.after.contains(&what));
    steps.map(|step| row(step, String::new(), language)).collect()
}

fn row(step: &Step, time: String, language: Language) -> Row {
    let action = Word::of_action(step.action).get(language);
    let mut text = format!("{:<13}  {}", step.category.as_str(), plain(&step.rule));
    if step.action == Action::Erase {
        text.push_str(&bounds(step, language));
    }
    let lead = Some([time, format!("{:<3} {action:<8}", step.number)]);
    Row { lead, ..Row::new(note::place(&step.agent, &step.target), text) }
}

fn bounds(step: &Step, language: Language) -> String {
    let [earliest, latest] = [step.earliest, step.latest].map(|day| day.map(|day| day.to_string()));
    let text = match [earliest.as_deref(), latest.as_deref()] {
        [Some(a), Some(b)] if a == b => Word::On.with(language, &[a]),
        [Some(a), Some(b)] => Word::FromBy.with(language, &[a, b]),
        [Some(a), None] => Word::From.with(language, &[a]),
        [None, Some(b)] => Word::By.with(language, &[b]),
        [None, None] => String::new(),
    };
    hours(step).map_or(text.clone(), |hours| format!("{text} ({hours})"))
}

fn needed(plan: &Plan, language: Language) -> Vec<Row> {
    let one = |own: &gallra_model::plan::Needed| {
        let word = Word::of_need(&own.what).map_or_else(|| plain(&own.what), |word| word.get(language).to_owned());
        Row { quoted: own.rule.as_deref().map(plain), ..Row::new(String::new(), word) }
    };
    plan.approvals.iter().map(one).collect()
}

fn holds(plan: &Plan, language: Language) -> Vec<Row> {
    let one = |held: &gallra_model::plan::Held| {
        let targets = if held.targets.is_empty() {
            Word::HoldWhole.get(language).to_owned()
        } else {
            plain(&held.targets.join(", "))
        };
        let end = match held.expires {
            Some(day) => Word::HoldUntil.with(language, &[&day.to_string()]),
            None => Word::HoldReleased.get(language).to_owned(),
        };
        let review = match held.review {
            Some(day) => Word::HoldReview.with(language, &[&day.to_string()]),
            None => Word::HoldNoReview.get(language).to_owned(),
        };
        let quoted = Some(held.hold.to_string());
        Row { quoted, ..Row::new(targets, format!("{end}; {review}")) }
    };
    plan.holds.iter().map(one).collect()
}

fn copies(plan: &Plan, language: Language) -> Vec<Row> {
    let one = |backup: &gallra_model::plan::BackupExpectation| {
        let promised =
            backup.latest.map(|day| Word::PromisedBy.with(language, &[&plain(&backup.rule), &day.to_string()]));
        let strategy = backup.strategy.map(|_| Word::Strategy.get(language)).unwrap_or_default();
        let text =
            format!("{}{}{strategy}", life(backup.life, backup.expected, language), promised.unwrap_or_default());
        Row::new(note::place(&backup.agent, &backup.target), text)
    };
    plan.backups.iter().map(one).collect()
}

fn stays(plan: &Plan, language: Language) -> Vec<Row> {
    let kept = plan.steps.iter().filter_map(|step| Some((step, step.keep.as_ref()?)));
    let one = |(step, keep): (&Step, &gallra_model::job::Keep)| {
        let earliest = keep.earliest.to_string();
        let until = match keep.latest {
            Some(latest) if latest == keep.earliest => Word::StaysUntilGone.with(language, &[&earliest]),
            Some(latest) => Word::StaysUntilBy.with(language, &[&earliest, &latest.to_string()]),
            None => Word::StaysFrom.with(language, &[&earliest]),
        };
        let quoted = Some(format!("{}: {}", plain(&keep.rule), plain(&keep.ground)));
        Row { quoted, ..Row::new(note::place(&step.agent, &step.target), until) }
    };
    kept.map(one).collect()
}

fn locks(plan: &Plan, language: Language) -> Vec<Row> {
    let one = |lock: &gallra_model::plan::Restriction| {
        let from = lock.from.to_string();
        let text = match lock.until {
            Some(until) => Word::LockedUntil.with(language, &[&from, &until.to_string()]),
            None => Word::LockedOn.with(language, &[&from]),
        };
        Row { quoted: Some(plain(&lock.rule)), ..Row::new(note::place(&lock.agent, &lock.target), text) }
    };
    plan.restrictions.iter().map(one).collect()
}

fn changes(plan: &Plan, language: Language) -> Vec<Row> {
    let one = |change: &Change| {
        let what =
            Word::of_change(&change.what).map_or_else(|| plain(&change.what), |word| word.get(language).to_owned());
        let [before, after] =
            [&change.before, &change.after].map(|side| side.as_deref().map(|side| fate(change, side, language)));
        let text = match (before, after) {
            (Some(before), Some(after)) => Word::ChangedFrom.with(language, &[&what, &before, &after]),
            (None, Some(after)) => Word::ChangedCame.with(language, &[&what, &after]),
            (Some(before), None) => Word::ChangedWent.with(language, &[&what, &before]),
            (None, None) => what,
        };
        let place =
            if change.target.is_empty() { Word::WholePlan.get(language).to_owned() } else { plain(&change.target) };
        Row::new(place, text)
    };
    plan.changes.iter().map(one).collect()
}

/// A side of a change in words, where it is of the plan's own words.
fn fate(change: &Change, side: &str, language: Language) -> String {
    let (word, day) = side.split_once(' ').unwrap_or((side, ""));
    match Word::of_fate(word).filter(|_| matches!(change.what.as_str(), "fate" | "copies")) {
        Some(word) => word.with(language, &[day]),
        None => plain(side),
    }
}

fn notes(plan: &Plan, language: Language) -> Vec<Row> {
    // What is kept, held and locked is told above already.
    let told = [note::KEEPS, note::HELD, note::RESTRICT];
    let left = plan.notes.iter().filter(|note| !told.contains(&note.code.as_str()));
    let one = |own: &gallra_model::plan::Note| {
        let place = if own.target.is_empty() { Word::WholePlan.get(language).to_owned() } else { plain(&own.target) };
        let what = Word::of_note(&own.code).map_or_else(|| plain(&own.code), |word| word.get(language).to_owned());
        Row { quoted: Some(plain(&own.text)), ..Row::new(place, what) }
    };
    left.map(one).collect()
}

/// The policy's rows without a date; their sentences are the policy's own, in English.
fn terms(plan: &Plan, language: Language) -> Vec<Row> {
    let one = |term: &gallra_model::plan::Term| {
        let kind = Word::of_kind(&term.kind).map_or_else(|| plain(&term.kind), |word| word.get(language).to_owned());
        let about = term.category.as_ref().filter(|category| category.as_str() != term.kind);
        let about = about.map_or_else(String::new, |category| format!(" ({category})"));
        Row { quoted: Some(plain(&term.text)), ..Row::new(plain(&term.rule), kind + &about) }
    };
    plan.terms.iter().map(AsRef::as_ref).map(one).collect()
}
