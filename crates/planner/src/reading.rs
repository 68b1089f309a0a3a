//! What the policy says about one category under one plan's dates: read once, however many targets are of it.

use std::rc::Rc;

use gallra_model::plan::Anchors;
use gallra_model::target::Category;
use gallra_model::time::{day_of, start_of};
use gallra_model::{Day, Instant};
use gallra_policy::calendar::{Period, daily_sweep, day_after};
use gallra_policy::{Anchor, Bound, CalendarError, Combined, Deed, Extra, Moment, Policy, Rule};

use crate::facts::Facts;

/// One category, read.
pub(crate) struct Reading {
    pub(crate) window: Combined,
    /// The hours of its planned day: when they open, and the first instant after them.
    pub(crate) hours: Option<(Instant, Instant)>,
    /// The rule that locks it, and the first day.
    pub(crate) lock: Option<(String, Day)>,
    /// Whether none of it is expected.
    pub(crate) expects_none: bool,
    /// The day of the newest record, where every row counts from the record and its window is read from that day.
    pub(crate) newest: Option<Day>,
    /// A duty that counts from a day which nobody has given.
    pub(crate) unknown_duty: Option<String>,
}

/// What was read so far, by category and by the end of what holds it.
pub(crate) struct Readings<'f> {
    facts: &'f Facts<'f>,
    /// The last day that belongs to this request's own run of steps; what is due later becomes an obligation.
    pub(crate) horizon: Day,
    known: Vec<(Category, Option<Day>, Rc<Reading>)>,
}

impl<'f> Readings<'f> {
    pub(crate) fn new(facts: &'f Facts<'f>) -> Result<Self, CalendarError> {
        Ok(Self { facts, horizon: a_year_on(&facts.anchors)?, known: Vec::new() })
    }

    /// Reads a category; `held` is the first day on which no hold with an end lies.
    pub(crate) fn of(&mut self, category: &Category, held: Option<Day>) -> Result<Rc<Reading>, CalendarError> {
        let known = self.known.iter().find(|(own, day, _)| own == category && *day == held);
        if let Some((_, _, reading)) = known {
            return Ok(Rc::clone(reading));
        }
        let Facts { policy, anchors, .. } = self.facts;
        let (window, newest) = self.window(category, held)?;
        let reading = Rc::new(Reading {
            newest,
            unknown_duty: unknown_duty(policy, category, anchors),
            hours: window.planned.map(|planned| self.hours(&window, planned)).transpose()?,
            window,
            lock: policy.locks(category, anchors)?.map(|(rule, day)| (rule.id.clone(), day)),
            expects_none: policy.expects_none(category),
        });
        self.known.push((category.clone(), held, Rc::clone(&reading)));
        Ok(reading)
    }

    /// A category's window, and the day of the newest record where that is read from it.
    ///
    /// A duty that counts from each record binds the newest, and what is recorded between an end and its settlement, an
    /// invoice or a payment, is newer than the end.
    fn window(&self, category: &Category, held: Option<Day>) -> Result<(Combined, Option<Day>), CalendarError> {
        let Facts { policy, anchors, .. } = self.facts;
        let extra = Extra { held, ..Extra::default() };
        let plain = policy.window(category, anchors, &extra)?;
        if policy.rules_for(category).any(|rule| is_duty(rule) && counts_from(rule, Anchor::Record)) {
            return Ok(match settled(anchors) {
                Some(newest) => (policy.window(category, anchors, &of_record(newest, extra))?, None),
                None => (Combined { waits_for_settlement: true, ..plain }, None),
            });
        }
        match anchors.contract_ended.max(anchors.customer_ended).filter(|_| only_by_age(policy, category)) {
            Some(newest) => self.by_age(category, newest, extra, plain),
            None => Ok((plain, None)),
        }
    }

    /// Each record leaves by its own age; what is left goes once the newest is due, and not before the day of the newest is over.
    fn by_age(
        &self,
        category: &Category,
        newest: Day,
        extra: Extra,
        plain: Combined,
    ) -> Result<(Combined, Option<Day>), CalendarError> {
        let Facts { policy, anchors, .. } = self.facts;
        let window = policy.window(category, anchors, &of_record(newest, extra))?;
        let over = day_after(newest)?;
        let (planned, latest) = match (window.planned, window.exact.latest) {
            (Some(planned), Some(Moment::Day(latest))) => (planned, latest),
            (Some(_), Some(Moment::Instant(of_first))) => in_time(newest, of_first)?,
            // A hold outlasts it, or nothing gives a day.
            (planned, _) => return Ok((window, planned.map(|_| newest))),
        };
        // What has to leave on the day of its record is a sweep's, not a plan's.
        if latest < over {
            return Ok((plain, None));
        }
        Ok((Combined { planned: Some(planned.max(over)), latest: Some(latest), ..window }, Some(newest)))
    }

    fn hours(&self, window: &Combined, planned: Day) -> Result<(Instant, Instant), CalendarError> {
        let hours = self.facts.policy.window_hours();
        if window.in_window {
            return Ok((hours.opens_on(planned)?, hours.closes_on(planned)?));
        }
        let midnight = start_of(day_after(planned)?).map_err(|_| CalendarError::OutOfRange)?;
        // What goes on the last day itself goes in its evening: until then it is a customer's.
        let Anchors { contract_ended, customer_ended, .. } = self.facts.anchors;
        let on_the_last_day = [contract_ended, customer_ended].contains(&Some(planned));
        Ok((if on_the_last_day { hours.opens_on(planned)? } else { daily_sweep(planned)? }, midnight))
    }
}

fn of_record(newest: Day, extra: Extra) -> Extra {
    Extra { record: Some(Moment::Day(newest)), ..extra }
}

fn is_duty(rule: &Rule) -> bool {
    rule.decides() && rule.bound == Bound::Keep
}

fn counts_from(rule: &Rule, anchor: Anchor) -> bool {
    rule.clauses.iter().any(|clause| clause.from == anchor)
}

/// Whether a category knows nothing but how old each record may become, and nobody has to handle one first.
fn only_by_age(policy: &Policy, category: &Category) -> bool {
    let mut rules = policy.rules_for(category).filter(|rule| rule.decides()).peekable();
    rules.peek().is_some()
        && rules.all(|rule| {
            let promise = rule.action == Deed::Erase && rule.bound == Bound::By;
            promise && rule.clauses.iter().all(|clause| clause.from == Anchor::Record)
        })
        && policy.handled_first(category).is_none()
}

/// The duty of a category that counts from a day which nobody has given and no settlement brings.
fn unknown_duty(policy: &Policy, category: &Category, anchors: &Anchors) -> Option<String> {
    let missing = |from: Anchor| match from {
        Anchor::ContractEnded => anchors.contract_ended.is_none(),
        Anchor::CustomerEnded => anchors.customer_ended.is_none(),
        Anchor::ChangeKnown | Anchor::Received | Anchor::LeftActive => true,
        Anchor::Record | Anchor::ContractSettled | Anchor::CustomerSettled | Anchor::FiscalYearEnd => false,
    };
    let mut duties = policy.rules_for(category).filter(|rule| is_duty(rule));
    duties.find(|rule| rule.clauses.iter().any(|clause| missing(clause.from))).map(|rule| rule.id.clone())
}

/// The newest of all days, where everything that has ended is settled.
fn settled(anchors: &Anchors) -> Option<Day> {
    let pairs =
        [(anchors.contract_ended, anchors.contract_settled), (anchors.customer_ended, anchors.customer_settled)];
    let open = pairs.iter().any(|(ended, settled)| ended.is_some() && settled.is_none());
    pairs.into_iter().flat_map(|(ended, settled)| [ended, settled]).max().flatten().filter(|_| !open)
}

/// The day of the last daily sweep that is in time for a record from the end of a day, and the last day of that record, from the
/// instant by which one from the day's beginning must be gone.
fn in_time(newest: Day, of_first: Instant) -> Result<(Day, Day), CalendarError> {
    let begins = |day: Day| start_of(day).map_err(|_| CalendarError::OutOfRange);
    let period = of_first.duration_since(begins(newest)?);
    let of_last = begins(day_after(newest)?)?.checked_add(period).map_err(|_| CalendarError::OutOfRange)?;
    let day = day_of(of_last);
    let before = day.yesterday().map_err(|_| CalendarError::OutOfRange)?;
    let latest = if begins(day)? < of_last { day } else { before };
    Ok((if daily_sweep(day)? <= of_last { day } else { before }, latest))
}

fn a_year_on(anchors: &Anchors) -> Result<Day, CalendarError> {
    let all = [anchors.contract_ended, anchors.contract_settled, anchors.customer_ended, anchors.customer_settled];
    let year: Period = "1 year".parse()?;
    let newest = all.into_iter().flatten().max().ok_or(CalendarError::OutOfRange)?;
    year.last_day(newest)
}
