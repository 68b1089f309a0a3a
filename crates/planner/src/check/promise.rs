//! What the policy's rows promise about a category, read from the rows themselves with the date library's arithmetic.
//! On purpose no use of the policy crate's own reading or combining.

use gallra_model::Day;
use gallra_model::plan::Anchors;
use gallra_model::time::{day_of, instant_of};
use gallra_policy::calendar::{Period, Unit};
use gallra_policy::{Anchor, Bound, Clause, Deed, Detail, Entry, Policy, Rule, Until};
use jiff::ToSpan;

/// The days that bind a category's erasure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Promise {
    /// First day on which no duty to keep binds.
    pub(super) free: Option<Day>,
    /// First day on which no hold with an end lies.
    pub(super) unheld: Option<Day>,
    /// The latest day that a customer may count on the data.
    pub(super) courtesy: Option<Day>,
    /// The earliest last day promised.
    pub(super) last: Option<Day>,
    /// A row counts from a settlement that is missing.
    pub(super) waits: bool,
    /// The text leaves the period open, and nothing else promises an end.
    pub(super) open: bool,
    /// Its days are those of the newest record that there can be: the first day after that record's.
    pub(super) by_age: Option<Day>,
    /// The day from which records' ages were counted.
    pub(super) record: Option<Day>,
    /// A duty counts from a day that nobody has given.
    pub(super) unknown_duty: bool,
}

impl Promise {
    /// First day on which erasure is permitted.
    pub(super) fn floor(&self) -> Option<Day> {
        self.kept().or_else(|| self.counted_on())
    }

    /// First day on which neither a duty nor a hold stands against it.
    pub(super) fn kept(&self) -> Option<Day> {
        self.free.max(self.unheld)
    }

    /// The day on whose evening the customer no longer counts on the data.
    pub(super) fn counted_on(&self) -> Option<Day> {
        self.courtesy.map(|day| self.last.map_or(day, |last| day.min(last)))
    }

    /// Whether a duty or a hold lasts longer than the promise: then nothing promises an end.
    pub(super) fn is_broken(&self) -> bool {
        self.kept().zip(self.last).is_some_and(|(kept, last)| kept > last)
    }

    /// Last day promised, where neither a duty nor a hold forbids it.
    pub(super) fn ceiling(&self) -> Option<Day> {
        if self.is_broken() { None } else { self.last }
    }

    /// The same without holds: what the rows alone say.
    pub(super) fn by_rows(&self) -> Self {
        Self { unheld: None, ..*self }
    }

    /// Whether any row gives a day.
    pub(super) fn is_known(&self) -> bool {
        !self.open && !self.unknown_duty && (self.free.is_some() || self.last.is_some())
    }
}

/// Reads a live category's rows. A duty about records' ages binds the newest that there can be; where every row is a promise about
/// ages, and nobody has to handle a record first, they bind what is left after the end.
pub(super) fn of(policy: &Policy, category: &str, anchors: &Anchors) -> Promise {
    let plain = of_events(policy, category, anchors, None);
    let rules = || policy.rules().iter().filter(|rule| rule.category.as_str() == category && decides(rule));
    let ages = |rule: &Rule| rule.clauses.iter().filter(|clause| clause.from == Anchor::Record).count();
    if rules().any(|rule| rule.bound == Bound::Keep && ages(rule) > 0) {
        let all = [anchors.contract_ended, anchors.contract_settled, anchors.customer_ended, anchors.customer_settled];
        let unsettled = anchors.contract_ended.is_some() > anchors.contract_settled.is_some()
            || anchors.customer_ended.is_some() > anchors.customer_settled.is_some();
        let events = Events { anchors, left: None, record: all.into_iter().flatten().max() };
        let aged = read(policy, category, &events);
        return Promise { waits: aged.waits || unsettled, ..aged };
    }
    let by_hand = |detail: &Detail| matches!(detail, Detail::HandledFirst { .. });
    let only_ages = rules().count() > 0
        && rules().all(|rule| rule.bound == Bound::By && ages(rule) == rule.clauses.len())
        && !rules().flat_map(|rule| &rule.details).any(by_hand);
    let newest = anchors.contract_ended.max(anchors.customer_ended);
    let over = newest.and_then(|day| day.checked_add(1.day()).ok());
    let aged = read(policy, category, &Events { anchors, left: None, record: newest });
    if only_ages && aged.last >= over { Promise { by_age: over, ..aged } } else { plain }
}

/// The same for rows about copies. `left` is the day on which data left the active systems.
pub(super) fn of_copies(policy: &Policy, category: &str, anchors: &Anchors, left: Option<Day>) -> Promise {
    of_events(policy, category, anchors, left)
}

fn of_events(policy: &Policy, category: &str, anchors: &Anchors, left: Option<Day>) -> Promise {
    read(policy, category, &Events { anchors, left, record: None })
}

fn decides(rule: &Rule) -> bool {
    !rule.apart && matches!(rule.action, Deed::Erase | Deed::Keep)
}

/// What happened, and when.
#[derive(Clone, Copy)]
struct Events<'a> {
    anchors: &'a Anchors,
    left: Option<Day>,
    record: Option<Day>,
}

fn read(policy: &Policy, category: &str, events: &Events<'_>) -> Promise {
    let mut promise = Promise { record: events.record, ..Promise::default() };
    let of_category = |entry: &&Entry| entry.category.as_ref().is_some_and(|own| own.as_str() == category);
    promise.open = policy.entries().iter().filter(of_category).any(Entry::takes_a_period);
    for rule in policy.rules() {
        if rule.category.as_str() != category || !decides(rule) {
            continue;
        }
        promise.open &= rule.bound == Bound::Keep;
        for clause in &rule.clauses {
            match day_of_clause(policy, clause, events) {
                Some(day) => promise.add(rule.bound, day),
                None => {
                    promise.waits |= needs_settlement(clause.from);
                    promise.unknown_duty |=
                        rule.bound == Bound::Keep && !needs_settlement(clause.from) && clause.from != Anchor::Record;
                }
            }
        }
    }
    promise
}

impl Promise {
    fn add(&mut self, bound: Bound, day: Day) {
        if bound == Bound::Keep {
            let free = day.checked_add(1.day()).ok();
            self.free = self.free.max(free);
            return;
        }
        self.last = Some(self.last.map_or(day, |last| last.min(day)));
        if bound == Bound::At {
            self.courtesy = self.courtesy.max(Some(day));
        }
    }
}

fn needs_settlement(anchor: Anchor) -> bool {
    match anchor {
        Anchor::ContractSettled | Anchor::CustomerSettled | Anchor::FiscalYearEnd => true,
        Anchor::ContractEnded
        | Anchor::CustomerEnded
        | Anchor::Record
        | Anchor::LeftActive
        | Anchor::ChangeKnown
        | Anchor::Received => false,
    }
}

/// A clause's last day, where a record is of a day or of none.
pub(super) fn last_day(policy: &Policy, clause: &Clause, anchors: &Anchors, record: Option<Day>) -> Option<Day> {
    day_of_clause(policy, clause, &Events { anchors, left: None, record })
}

fn day_of_clause(policy: &Policy, clause: &Clause, events: &Events<'_>) -> Option<Day> {
    let plain = event(policy, clause.from, events).and_then(|day| match clause.period.unit() {
        // A record from the last second of its day: the day of the second by which it is gone.
        Unit::Hours => day
            .checked_add(1.day())
            .ok()
            .and_then(|next| instant_of(next, 0, 0).ok())
            .and_then(|over| over.checked_add((i64::from(clause.period.count()) * 3600 - 1).seconds()).ok())
            .map(day_of),
        Unit::Days | Unit::Weeks | Unit::Months | Unit::Years => own_last_day(clause, day),
    });
    let strict = clause.stricter.filter(|_| policy.strict_backup());
    let strict = strict.and_then(|reading| plus(event(policy, reading.from, events)?, reading.period));
    match (plain, strict) {
        (Some(plain), Some(strict)) => Some(plain.min(strict)),
        (plain, strict) => plain.or(strict),
    }
}

/// The last day of a clause that counts from the record, for a record of one day.
pub(super) fn from_record(clause: &Clause, record: Day) -> Option<Day> {
    own_last_day(clause, record)
}

fn own_last_day(clause: &Clause, day: Day) -> Option<Day> {
    let plain = plus(day, clause.period);
    let plain = match clause.until {
        // Only an answer moves off a holiday, and no plan holds one.
        Until::Exact | Until::WorkingDay => plain,
        Until::YearEnd => plain.map(Day::last_of_year),
        Until::MonthEnd => plain.map(Day::last_of_month),
    };
    let staged = clause.stage.as_ref().and_then(|stage| plus(plus(day, stage.first)?, stage.period));
    plain.map(|plain| staged.map_or(plain, |staged| staged.min(plain)))
}

fn event(policy: &Policy, anchor: Anchor, &Events { anchors, left, record }: &Events<'_>) -> Option<Day> {
    match anchor {
        Anchor::ContractEnded => anchors.contract_ended,
        Anchor::ContractSettled => anchors.contract_settled,
        Anchor::CustomerEnded => anchors.customer_ended,
        Anchor::CustomerSettled => anchors.customer_settled,
        Anchor::LeftActive => left,
        Anchor::FiscalYearEnd => financial_year_end(policy, anchors.customer_settled?),
        Anchor::Record => record,
        // A contract's end has no change and no question.
        Anchor::ChangeKnown | Anchor::Received => None,
    }
}

/// The first day on or after `day` on which a financial year ends, found by walking: slow, and hard to get wrong. Until the
/// first changed year after it, years end on the date of the day before that one begins.
fn financial_year_end(policy: &Policy, day: Day) -> Option<Day> {
    let end = match policy.changed_years().iter().find(|year| day <= year.ends) {
        Some(year) if day >= year.begins => return Some(year.ends),
        Some(next) => next.begins.yesterday().ok()?.strftime("%m-%d").to_string(),
        None => policy.fiscal_year_end().to_string(),
    };
    let ends = |candidate: &Day| {
        let last_of_february = candidate.month() == 2 && candidate.day() == candidate.days_in_month();
        if end == "02-29" || end == "02-28" { last_of_february } else { candidate.strftime("%m-%d").to_string() == end }
    };
    day.series(1.day()).take(367).find(ends)
}

pub(super) fn plus(day: Day, period: Period) -> Option<Day> {
    let count = i64::from(period.count());
    let span = match period.unit() {
        // Hours count from a record, and a contract's end has none.
        Unit::Hours => return None,
        Unit::Days => count.days(),
        Unit::Weeks => count.weeks(),
        Unit::Months => count.months(),
        Unit::Years => count.years(),
    };
    day.checked_add(span).ok()
}
