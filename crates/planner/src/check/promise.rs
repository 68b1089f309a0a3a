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
    /// A rule about nothing but records' ages has a say: the day of the end, which is that of the newest record it counts.
    pub(super) by_age: Option<Day>,
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

/// Reads a live category's rows. A duty about records' ages binds the newest that there can be, which the settlement may bring; a
/// rule that promises nothing but an age binds what is left after the end, unless somebody has to handle each record first.
pub(super) fn of(policy: &Policy, category: &str, anchors: &Anchors) -> Promise {
    let all = [anchors.contract_ended, anchors.contract_settled, anchors.customer_ended, anchors.customer_settled];
    let open = |ended: Option<Day>, settled: Option<Day>| ended.is_some() && settled.is_none();
    let unsettled = open(anchors.contract_ended, anchors.contract_settled)
        || open(anchors.customer_ended, anchors.customer_settled);
    let newest = all.into_iter().flatten().max().filter(|_| !unsettled);
    let end = anchors.contract_ended.max(anchors.customer_ended);
    read(policy, category, &Events { anchors, left: None, end, newest })
}

/// The same for rows about copies. `left` is the day on which data left the active systems.
pub(super) fn of_copies(policy: &Policy, category: &str, anchors: &Anchors, left: Option<Day>) -> Promise {
    read(policy, category, &Events { anchors, left, end: None, newest: None })
}

fn decides(rule: &Rule) -> bool {
    !rule.apart && matches!(rule.action, Deed::Erase | Deed::Keep)
}

/// Whether a rule is nothing but a promise about records' ages.
pub(super) fn only_ages(rule: &Rule) -> bool {
    decides(rule) && rule.bound == Bound::By && !rule.clauses.iter().any(|clause| clause.from != Anchor::Record)
}

/// Whether any rule of the same category has a person handle each record first: then none goes by its age alone.
fn by_hand(policy: &Policy, rule: &Rule) -> bool {
    let handled = |detail: &Detail| matches!(detail, Detail::HandledFirst { .. });
    let same = |other: &&Rule| other.category == rule.category && decides(other);
    policy.rules().iter().filter(same).any(|other| other.details.iter().any(handled))
}

/// What happened, and when.
#[derive(Clone, Copy)]
struct Events<'a> {
    anchors: &'a Anchors,
    left: Option<Day>,
    /// The last day of what ended.
    end: Option<Day>,
    /// The last day on which something about it can have been recorded.
    newest: Option<Day>,
}

fn read(policy: &Policy, category: &str, events: &Events<'_>) -> Promise {
    let mut promise = Promise::default();
    let of_category = |entry: &&Entry| entry.category.as_ref().is_some_and(|own| own.as_str() == category);
    promise.open = policy.entries().iter().filter(of_category).any(Entry::takes_a_period);
    for rule in policy.rules() {
        if rule.category.as_str() != category || !decides(rule) {
            continue;
        }
        promise.open &= rule.bound == Bound::Keep;
        for clause in &rule.clauses {
            match day_of_clause(policy, rule, clause, events) {
                Some(day) => {
                    promise.add(rule.bound, day);
                    promise.by_age = promise.by_age.or(events.end.filter(|_| only_ages(rule)));
                }
                None => {
                    let of_settlement = clause.from == Anchor::Record && rule.bound == Bound::Keep;
                    promise.waits |= needs_settlement(clause.from) || of_settlement;
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

/// A clause's last day for live data.
pub(super) fn last_day(policy: &Policy, rule: &Rule, clause: &Clause, anchors: &Anchors) -> Option<Day> {
    let end = anchors.contract_ended.max(anchors.customer_ended);
    day_of_clause(policy, rule, clause, &Events { anchors, left: None, end, newest: None })
}

fn day_of_clause(policy: &Policy, rule: &Rule, clause: &Clause, events: &Events<'_>) -> Option<Day> {
    if clause.from == Anchor::Record {
        return match rule.bound {
            Bound::Keep => own_last_day(clause, events.newest?),
            // What must go within its own day is a sweep's.
            Bound::By if only_ages(rule) && !by_hand(policy, rule) => {
                age(clause, events.end?).filter(|day| Some(*day) > events.end)
            }
            Bound::By | Bound::At => None,
        };
    }
    let plain = event(policy, clause.from, events).and_then(|day| own_last_day(clause, day));
    let strict = clause.stricter.filter(|_| policy.strict_backup());
    let strict = strict.and_then(|reading| plus(event(policy, reading.from, events)?, reading.period));
    match (plain, strict) {
        (Some(plain), Some(strict)) => Some(plain.min(strict)),
        (plain, strict) => plain.or(strict),
    }
}

/// The last day of a record from the last second of a day.
fn age(clause: &Clause, day: Day) -> Option<Day> {
    if clause.period.unit() != Unit::Hours {
        return own_last_day(clause, day);
    }
    let over = instant_of(day.checked_add(1.day()).ok()?, 0, 0).ok()?;
    let gone = over.checked_add((i64::from(clause.period.count()) * 3600 - 1).seconds()).ok()?;
    Some(day_of(gone))
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

fn event(policy: &Policy, anchor: Anchor, &Events { anchors, left, .. }: &Events<'_>) -> Option<Day> {
    match anchor {
        Anchor::ContractEnded => anchors.contract_ended,
        Anchor::ContractSettled => anchors.contract_settled,
        Anchor::CustomerEnded => anchors.customer_ended,
        Anchor::CustomerSettled => anchors.customer_settled,
        Anchor::LeftActive => left,
        Anchor::FiscalYearEnd => financial_year_end(policy, anchors.customer_settled?),
        // A contract's end has no change and no question, and records are read on their own.
        Anchor::Record | Anchor::ChangeKnown | Anchor::Received => None,
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
