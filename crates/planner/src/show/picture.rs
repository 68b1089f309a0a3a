//! The picture of a plan: a time axis, and a row for each end and each target with what is where for how long. Owns which days
//! are marked; knows nothing of characters and pixels.

use gallra_model::job::Action;
use gallra_model::plan::{Plan, Step};
use gallra_model::target::CopyLife;
use gallra_model::time::{day_of, start_of, stockholm};
use gallra_model::{Day, Instant};

use super::word::{Language, Word};
use crate::note;

/// The axis and its rows.
pub(super) struct Picture {
    /// Its first day.
    pub(super) from: Day,
    /// Its last day; never the first.
    pub(super) to: Day,
    pub(super) rows: Vec<Row>,
}

/// One line of the picture.
#[derive(Default)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) category: String,
    pub(super) spans: Vec<Span>,
    pub(super) marks: Vec<(Mark, Day)>,
    /// What happens, in words.
    pub(super) does: String,
}

/// What is where for how long, both days included.
pub(super) struct Span {
    pub(super) what: Stay,
    pub(super) from: Day,
    /// Unset: nobody knows.
    pub(super) to: Option<Day>,
}

/// Why data is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stay {
    There,
    Kept,
    Locked,
    Copies,
}

/// A day that is marked. In order of weight: where two fall on one place, the later one is seen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    Ended,
    Settled,
    Earliest,
    Latest,
    Kept,
    LastCopy,
    Chosen,
}

impl Stay {
    pub(super) const ALL: [Self; 4] = [Self::There, Self::Kept, Self::Locked, Self::Copies];

    pub(super) fn word(self) -> Word {
        match self {
            Self::There => Word::SpanThere,
            Self::Kept => Word::SpanKept,
            Self::Locked => Word::SpanLocked,
            Self::Copies => Word::SpanCopies,
        }
    }
}

impl Mark {
    pub(super) const ALL: [Self; 7] =
        [Self::Ended, Self::Settled, Self::Earliest, Self::Chosen, Self::Latest, Self::LastCopy, Self::Kept];

    pub(super) fn word(self) -> Word {
        match self {
            Self::Ended => Word::MarkEnded,
            Self::Settled => Word::MarkSettled,
            Self::Earliest => Word::MarkEarliest,
            Self::Latest => Word::MarkLatest,
            Self::Kept => Word::MarkKept,
            Self::LastCopy => Word::MarkLastCopy,
            Self::Chosen => Word::MarkChosen,
        }
    }

    /// One letter or sign for it, the same on the terminal and the page.
    pub(super) fn sign(self) -> char {
        match self {
            Self::Ended => 'E',
            Self::Settled => 'S',
            Self::Earliest => '[',
            Self::Latest => ']',
            Self::Kept => 'K',
            Self::LastCopy => 'C',
            Self::Chosen => 'X',
        }
    }
}

impl Picture {
    /// Where a day lies, from 0 at the beginning of the first day to 1 at the end of the last; beyond them, their place.
    pub(super) fn place(&self, day: Day) -> f64 {
        let days = |from: Day, to: Day| f64::from(from.until(to).map_or(0, |span| span.get_days()));
        (days(self.from, day) / days(self.from, self.to).max(1.0)).clamp(0.0, 1.0)
    }

    /// Months to write under the axis, `count` at most, each with its first day.
    pub(super) fn months(&self, count: usize) -> Vec<Day> {
        let firsts = self.from.first_of_month().series(jiff::Span::new().months(1));
        let firsts: Vec<_> = firsts.take_while(|day| *day <= self.to).filter(|day| *day >= self.from).collect();
        let every = firsts.len().div_ceil(count.max(1)).max(1);
        firsts.into_iter().step_by(every).collect()
    }
}

/// Draws a plan up.
pub(super) fn picture(plan: &Plan, language: Language) -> Picture {
    let a = &plan.anchors;
    let ends = [
        (Word::Contract, a.contract_ended, a.contract_settled),
        (Word::Customer, a.customer_ended, a.customer_settled),
    ];
    let mut rows: Vec<Row> = ends
        .into_iter()
        .filter_map(|(who, ended, settled)| end(who.get(language), ended?, settled, language))
        .collect();
    let looks = plan.steps.iter().filter(|step| matches!(step.action, Action::Inspect | Action::Purge));
    let begins = a.contract_ended.into_iter().chain(a.customer_ended).min().unwrap_or_else(|| day_of(plan.made));
    rows.extend(looks.map(|look| {
        if look.kind.is_backup() { copies(plan, look, language) } else { live(plan, look, begins, language) }
    }));
    let from = begins.min(day_of(plan.made));
    // What is kept for years would press all else into a corner: it is drawn to the edge, and its day is in words.
    let near = rows.iter().flat_map(|row| {
        let marks = row.marks.iter().filter(|(mark, _)| *mark != Mark::Kept).map(|(_, day)| *day);
        marks.chain(
            row.spans
                .iter()
                .filter(|span| span.what == Stay::There || span.what == Stay::Copies)
                .filter_map(|span| span.to),
        )
    });
    let last = near.max().unwrap_or(from).max(from);
    let later = |day: Day, months: i32| day.checked_add(jiff::Span::new().months(months)).unwrap_or(day);
    Picture { from, to: later(last, 1).max(later(from, 3)).last_of_month(), rows }
}

fn end(who: &str, ended: Day, settled: Option<Day>, language: Language) -> Option<Row> {
    let mut marks = vec![(Mark::Ended, ended)];
    marks.extend(settled.map(|day| (Mark::Settled, day)));
    let settled = settled.map_or_else(
        || Word::NotSettled.get(language).to_owned(),
        |day| Word::Settled.with(language, &[&day.to_string()]),
    );
    let does = Word::EndedOn.with(language, &[&ended.to_string(), &settled]);
    Some(Row { name: who.to_owned(), marks, does, ..Row::default() })
}

fn of<'a>(plan: &'a Plan, look: &'a Step, action: Action) -> Option<&'a Step> {
    plan.steps.iter().find(|step| step.action == action && step.agent == look.agent && step.target == look.target)
}

fn live(plan: &Plan, look: &Step, begins: Day, language: Language) -> Row {
    let place = note::place(&look.agent, &look.target);
    let mut row = Row { name: place.clone(), category: look.category.to_string(), ..Row::default() };
    let there = |to| Span { what: Stay::There, from: begins, to };
    if let Some(step) = of(plan, look, Action::Erase).or_else(|| of(plan, look, Action::Purge)) {
        let day = day_of(step.due);
        row.spans.push(there(Some(day)));
        row.marks.extend(step.earliest.map(|day| (Mark::Earliest, day)));
        row.marks.extend(step.latest.map(|day| (Mark::Latest, day)));
        row.marks.push((Mark::Chosen, day));
        row.does = match hours(step) {
            Some(hours) => Word::DoesErased.with(language, &[&day.to_string(), &hours]),
            None => Word::DoesErasedLate.with(language, &[&day.to_string()]),
        };
    } else if let Some(keep) = of(plan, look, Action::Preserve).and_then(|step| step.keep.as_ref()) {
        row.spans.push(Span { what: Stay::Kept, from: begins, to: Some(keep.earliest) });
        row.marks.push((Mark::Kept, keep.earliest));
        row.does = Word::DoesKept.with(language, &[&keep.earliest.to_string()]);
    } else {
        let noted = |code: &str| plan.notes.iter().any(|own| own.code == code && own.target == place);
        let why = match (noted(note::WAITS), noted(note::NEEDS_PERIOD)) {
            (true, _) => Word::DoesWaitSettlement,
            (false, true) => Word::DoesWaitPeriod,
            (false, false) => Word::DoesWait,
        };
        row.spans.push(there(None));
        row.does = why.get(language).to_owned();
    }
    let locks = plan.restrictions.iter().filter(|lock| lock.agent == look.agent && lock.target == look.target);
    row.spans.extend(locks.map(|lock| Span { what: Stay::Locked, from: lock.from, to: lock.until }));
    if plan.holds.iter().any(|held| held.targets.is_empty() || held.targets.contains(&place)) {
        row.does = format!("{}; {}", row.does, Word::Held.get(language));
    }
    row
}

fn copies(plan: &Plan, look: &Step, language: Language) -> Row {
    let name = note::place(&look.agent, &look.target);
    let mut row = Row { name, category: look.category.to_string(), ..Row::default() };
    let own = plan.backups.iter().find(|backup| backup.agent == look.agent && backup.target == look.target);
    let Some(backup) = own else { return row };
    let from = plan.steps.iter().filter(|step| step.action == Action::Erase).map(|step| day_of(step.due)).min();
    row.spans.extend(from.map(|from| Span { what: Stay::Copies, from, to: backup.expected }));
    row.marks.extend(backup.latest.map(|day| (Mark::Latest, day)));
    row.marks.extend(backup.expected.map(|day| (Mark::LastCopy, day)));
    row.does = life(backup.life, backup.expected, language);
    row
}

/// When copies go, in words.
pub(super) fn life(life: CopyLife, expected: Option<Day>, language: Language) -> String {
    match (life, expected) {
        (CopyLife::AtMost { .. }, Some(day)) => Word::DoesCopies.with(language, &[&day.to_string()]),
        (CopyLife::AtMost { days }, None) => Word::DoesCopiesLife.with(language, &[&days.to_string()]),
        (CopyLife::Never, _) => Word::DoesCopiesNever.get(language).to_owned(),
        (CopyLife::Unknown, _) => Word::DoesCopiesUnknown.get(language).to_owned(),
    }
}

/// The local hours of a step, as 22:00-24:00; none where they are over.
pub(super) fn hours(step: &Step) -> Option<String> {
    let until = step.until?;
    let midnight = start_of(day_of(until)).is_ok_and(|start| start == until);
    let end = if midnight { "24:00".to_owned() } else { time_of_day(until) };
    Some(format!("{}-{end}", time_of_day(step.due)))
}

pub(super) fn time_of_day(instant: Instant) -> String {
    let local = instant.to_zoned(stockholm());
    format!("{:02}:{:02}", local.hour(), local.minute())
}
