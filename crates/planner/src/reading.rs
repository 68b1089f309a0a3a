//! What the policy says about one category under one plan's dates: read once, however many targets are of it.

use std::rc::Rc;

use gallra_model::plan::Anchors;
use gallra_model::target::Category;
use gallra_model::time::start_of;
use gallra_model::{Day, Instant};
use gallra_policy::calendar::{Period, daily_sweep, day_after};
use gallra_policy::{Anchor, Bound, CalendarError, Combined, Extra, Newest, Policy, Rule};

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
        let newest = anchors.contract_ended.max(anchors.customer_ended);
        let newest = newest.map(|promised| Newest { promised, kept: settled(anchors) });
        let mut window = policy.window(category, anchors, &Extra { held, newest, ..Extra::default() })?;
        // Another row's sweep may come round on the day of the newest record: it is not over then.
        if let Some(newest) = newest.filter(|_| window.by_age.is_some() && window.by_age == window.rule) {
            window.planned = window.planned.max(Some(day_after(newest.promised)?));
        }
        let reading = Rc::new(Reading {
            unknown_duty: unknown_duty(policy, category, anchors),
            hours: window.planned.map(|planned| self.hours(&window, planned)).transpose()?,
            window,
            lock: policy.locks(category, anchors)?.map(|(rule, day)| (rule.id.clone(), day)),
            expects_none: policy.expects_none(category),
        });
        self.known.push((category.clone(), held, Rc::clone(&reading)));
        Ok(reading)
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

fn is_duty(rule: &Rule) -> bool {
    rule.decides() && rule.bound == Bound::Keep
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

fn a_year_on(anchors: &Anchors) -> Result<Day, CalendarError> {
    let all = [anchors.contract_ended, anchors.contract_settled, anchors.customer_ended, anchors.customer_settled];
    let year: Period = "1 year".parse()?;
    let newest = all.into_iter().flatten().max().ok_or(CalendarError::OutOfRange)?;
    year.last_day(newest)
}
