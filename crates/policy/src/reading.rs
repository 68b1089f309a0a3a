//! Reading one rule against the known dates: each clause gives its own earliest, planned and latest day, or says that
//! it waits. Owns the table of bounds; refuses to weigh rows against each other (that is `combine`).

use gallra_model::Day;
use gallra_model::plan::Anchors;
use gallra_model::target::Category;

use crate::calendar::{self, CalendarError, Moment, YearEnd};
use crate::pack::Policy;
use crate::rule::{Clause, Rule};
use crate::word::{Anchor, Bound, Until};

/// What is known beside the contract's and the customer's dates. Unset: has not happened, or is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extra {
    /// The day the data left the active systems.
    pub left_active: Option<Day>,
    /// The record's own time.
    pub record: Option<Moment>,
    /// The day a change came to be known.
    pub change_known: Option<Day>,
    /// The day a request was received.
    pub received: Option<Day>,
    /// When every financial year ends. Unset: as the pack says, changed years included.
    pub fiscal_year_end: Option<YearEnd>,
    /// The first day on which no hold with an end lies any more. Unset: no such hold.
    pub held: Option<Day>,
    /// For a plan, which is about no record in particular: the newest that there can be. Unset: rows about records' ages are left
    /// out, as where no record is given.
    pub newest: Option<Newest>,
}

/// The newest record of somebody who has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newest {
    /// Its day for a promise to forget: the end's. What is recorded later goes by its own age.
    pub promised: Day,
    /// Its day for a duty to keep: what is recorded between the end and its settlement, an invoice or a payment, is newer. Unset
    /// while a settlement is missing.
    pub kept: Option<Day>,
}

/// The three days that a bound gives, or instants where the period is in hours. See docs/policies.md for the table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dates {
    /// First day on which erasure is permitted.
    pub earliest: Option<Moment>,
    /// The day it is done.
    pub planned: Option<Moment>,
    /// Last day by which it must be done.
    pub latest: Option<Moment>,
}

impl Dates {
    fn days(earliest: Option<Day>, planned: Day, latest: Option<Day>) -> Self {
        let day = |day: Option<Day>| day.map(Moment::Day);
        Self { earliest: day(earliest), planned: day(Some(planned)), latest: day(latest) }
    }
}

/// One clause of one rule, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<'p> {
    /// The rule.
    pub rule: &'p Rule,
    /// What it was counted from.
    pub anchor: Anchor,
    /// The anchor's day, or the instant that hours count from; unset while it waits for settlement.
    pub anchor_date: Option<Moment>,
    /// Its days; unset while it waits for settlement.
    pub dates: Option<Dates>,
    /// What a reader must know.
    pub note: Option<String>,
}

/// What a row that has no day yet says.
pub const WAITS: &str = "waits for settlement";

/// The anchors' days, looked up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) anchors: &'a Anchors,
    pub(crate) extra: &'a Extra,
}

impl<'a> Known<'a> {
    /// The rows about a category: one for each clause whose anchor is known or waits for settlement.
    pub(crate) fn rows(&self, category: &'a Category) -> Result<Vec<Row<'a>>, CalendarError> {
        let clauses = self.policy.rules_for(category).flat_map(|rule| rule.clauses.iter().map(move |c| (rule, c)));
        clauses.filter_map(|(rule, clause)| self.row(rule, clause).transpose()).collect()
    }

    /// Reads one clause; none where its anchor is not given.
    pub(crate) fn row(&self, rule: &'a Rule, clause: &Clause) -> Result<Option<Row<'a>>, CalendarError> {
        if let Some(newest) = self.extra.newest.filter(|_| clause.from == Anchor::Record && self.extra.record.is_none())
        {
            let by_hand = rule.bound != Bound::Keep && self.policy.handled_first(&rule.category).is_some();
            return if by_hand { Ok(None) } else { newest_record(rule, clause, newest) };
        }
        if clause.period.is_in_hours() {
            return self.in_hours(rule, clause);
        }
        let plain = match self.date(clause.from)? {
            Some(date) => Some(counted(clause, date)?),
            None => None,
        };
        let (counted, note) = self.choose(clause, plain)?;
        let Some(Counted { from, date, last }) = counted else {
            let waits = clause.from.waits_for_settlement();
            return Ok(waits.then(|| waiting(rule, clause.from)));
        };
        let (dates, own_note) = dates(rule, clause, date, last)?;
        let (anchor_date, dates) = (Some(Moment::Day(date)), Some(dates));
        Ok(Some(Row { rule, anchor: from, anchor_date, dates, note: note.or(own_note) }))
    }

    /// Elapsed time from the record's instant, or from 00:00 local of its day; the pack's check lets no other anchor in.
    fn in_hours(&self, rule: &'a Rule, clause: &Clause) -> Result<Option<Row<'a>>, CalendarError> {
        let Some(record) = self.extra.record.filter(|_| clause.from == Anchor::Record) else { return Ok(None) };
        let begins = record.begins()?;
        let latest = clause.period.elapsed_after(begins)?;
        let planned = calendar::last_hour(begins, latest);
        let [planned, latest] = [planned, latest].map(|instant| Some(Moment::Instant(instant)));
        let dates = Some(Dates { earliest: None, planned, latest });
        Ok(Some(Row { rule, anchor: clause.from, anchor_date: Some(Moment::Instant(begins)), dates, note: None }))
    }

    /// Weighs a clause's stricter reading: it holds where the pack says so, and is a note where it does not.
    fn choose(
        &self,
        clause: &Clause,
        plain: Option<Counted>,
    ) -> Result<(Option<Counted>, Option<String>), CalendarError> {
        let Some(reading) = clause.stricter else { return Ok((plain, None)) };
        let Some(date) = self.date(reading.from)? else { return Ok((plain, None)) };
        let strict = Counted { from: reading.from, date, last: reading.period.last_day(date)? };
        let binds = self.policy.strict_backup();
        Ok(match plain {
            None => (binds.then_some(strict), None),
            Some(plain) if strict.last >= plain.last => (Some(plain), None),
            Some(plain) if binds => {
                let note = format!("strict_backup holds; {} + {} would be {}", plain.from, clause.period, plain.last);
                (Some(strict), Some(note))
            }
            Some(plain) => {
                let note = format!("stricter reading: {} + {} = {}", strict.from, reading.period, strict.last);
                (Some(plain), Some(note))
            }
        })
    }

    fn date(&self, anchor: Anchor) -> Result<Option<Day>, CalendarError> {
        Ok(match anchor {
            Anchor::ContractEnded => self.anchors.contract_ended,
            Anchor::ContractSettled => self.anchors.contract_settled,
            Anchor::CustomerEnded => self.anchors.customer_ended,
            Anchor::CustomerSettled => self.anchors.customer_settled,
            Anchor::Record => self.extra.record.map(Moment::day),
            Anchor::LeftActive => self.extra.left_active,
            Anchor::ChangeKnown => self.extra.change_known,
            Anchor::Received => self.extra.received,
            Anchor::FiscalYearEnd => {
                let within = self.extra.record.map(Moment::day).or(self.anchors.customer_settled);
                let end = |day| match self.extra.fiscal_year_end {
                    Some(end) => end.of_year_holding(day),
                    None => self.policy.financial_years().end_of_year_holding(day),
                };
                within.map(end).transpose()?
            }
        })
    }
}

/// An anchor's day and the last day counted from it.
#[derive(Debug, Clone, Copy)]
struct Counted {
    from: Anchor,
    date: Day,
    last: Day,
}

/// The last day that a clause gives: its own or, where it follows an earlier rule, the sooner one.
fn counted(clause: &Clause, date: Day) -> Result<Counted, CalendarError> {
    let own = calendar::last_day(date, clause.period, clause.until)?;
    let last = match &clause.stage {
        Some(stage) => own.min(stage.period.last_day(stage.first.last_day(date)?)?),
        None => own,
    };
    Ok(Counted { from: clause.from, date, last })
}

/// The last day that a clause gives, counted from its anchor's day.
pub(crate) fn last_day(clause: &Clause, date: Day) -> Result<Day, CalendarError> {
    counted(clause, date).map(|counted| counted.last)
}

/// What a bound makes of a period's last day.
fn dates(rule: &Rule, clause: &Clause, date: Day, last: Day) -> Result<(Dates, Option<String>), CalendarError> {
    if clause.until == Until::WorkingDay {
        return answer(clause, date);
    }
    Ok(match rule.bound {
        Bound::By => (Dates::days(None, calendar::last_run(rule.sweep, date, last), Some(last)), None),
        Bound::At => (Dates::days(Some(last), last, Some(last)), None),
        Bound::Keep => {
            let free = calendar::day_after(last)?;
            (Dates::days(Some(free), free, None), Some(format!("kept through {last}")))
        }
    })
}

/// An answer's last day moves off holidays, and its planned day lies before them.
fn answer(clause: &Clause, received: Day) -> Result<(Dates, Option<String>), CalendarError> {
    let days = calendar::answer_days(clause.period.last_day(received)?)?;
    let note = days.if_eves_moved.map(|day| format!("if the three eves (lag 1930:173 s. 2) moved it: {day}"));
    Ok((Dates::days(None, days.planned, Some(days.latest)), note))
}

/// A clause about records' ages, read from the newest record.
///
/// A duty always binds it. A promise does where its rule promises nothing else, for then it says alone when the last of
/// them is gone; beside another anchor it is what purges are for. Nothing of it is planned before the newest's own day is over,
/// and what must go within that day, or only once somebody has handled it, is no plan's.
fn newest_record<'p>(rule: &'p Rule, clause: &Clause, newest: Newest) -> Result<Option<Row<'p>>, CalendarError> {
    if rule.bound == Bound::Keep {
        let Some(day) = newest.kept else { return Ok(Some(waiting(rule, clause.from))) };
        let (dates, note) = dates(rule, clause, day, last_day(clause, day)?)?;
        let anchor_date = Some(Moment::Day(day));
        return Ok(Some(Row { rule, anchor: clause.from, anchor_date, dates: Some(dates), note }));
    }
    if !rule.goes_by_age() {
        return Ok(None);
    }
    let over = calendar::day_after(newest.promised)?;
    let (planned, latest) = if clause.period.is_in_hours() {
        calendar::in_time(newest.promised, clause.period)?
    } else {
        let last = last_day(clause, newest.promised)?;
        (calendar::last_run(rule.sweep, over, last), last)
    };
    if latest < over {
        return Ok(None);
    }
    let dates = Dates::days(None, planned.max(over), Some(latest));
    Ok(Some(Row { rule, anchor: clause.from, anchor_date: Some(Moment::Day(over)), dates: Some(dates), note: None }))
}

/// A row without days, until somebody settles.
pub(crate) fn waiting(rule: &Rule, anchor: Anchor) -> Row<'_> {
    Row { rule, anchor, anchor_date: None, dates: None, note: Some(WAITS.to_owned()) }
}
