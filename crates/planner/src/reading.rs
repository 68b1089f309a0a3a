//! What the policy says about one category under one plan's dates: read once, however many targets are of it.

use std::rc::Rc;

use gallra_model::plan::Anchors;
use gallra_model::target::Category;
use gallra_model::time::start_of;
use gallra_model::{Day, Instant};
use gallra_policy::calendar::{Period, daily_sweep, day_after};
use gallra_policy::{CalendarError, Combined, Extra, Moment};

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
            hours: window.planned.map(|planned| self.hours(&window, planned)).transpose()?,
            window,
            lock: policy.locks(category, anchors)?.map(|(rule, day)| (rule.id.clone(), day)),
            expects_none: policy.expects_none(category),
        });
        self.known.push((category.clone(), held, Rc::clone(&reading)));
        Ok(reading)
    }

    /// Where every row of a category counts from the record, each record leaves by its own age, and what is left goes once the
    /// newest is due: nothing of this customer's, or contract's, is newer than its end. What somebody must handle first is
    /// never erased blindly.
    fn window(&self, category: &Category, held: Option<Day>) -> Result<(Combined, Option<Day>), CalendarError> {
        let Facts { policy, anchors, .. } = self.facts;
        let extra = Extra { held, ..Extra::default() };
        let window = policy.window(category, anchors, &extra)?;
        let dated = window.planned.is_some() || window.waits_for_settlement || window.needs_period;
        let Some(newest) = anchors.contract_ended.max(anchors.customer_ended).filter(|_| !dated) else {
            return Ok((window, None));
        };
        if policy.handled_first(category).is_some() {
            return Ok((window, None));
        }
        let aged = policy.window(category, anchors, &Extra { record: Some(Moment::Day(newest)), ..extra })?;
        let newest = aged.planned.map(|_| newest);
        Ok((aged, newest))
    }

    fn hours(&self, window: &Combined, planned: Day) -> Result<(Instant, Instant), CalendarError> {
        let hours = self.facts.policy.window_hours();
        if window.in_window {
            return Ok((hours.opens_on(planned)?, hours.closes_on(planned)?));
        }
        let midnight = start_of(day_after(planned)?).map_err(|_| CalendarError::OutOfRange)?;
        Ok((daily_sweep(planned)?, midnight))
    }
}

fn a_year_on(anchors: &Anchors) -> Result<Day, CalendarError> {
    let all = [anchors.contract_ended, anchors.contract_settled, anchors.customer_ended, anchors.customer_settled];
    let year: Period = "1 year".parse()?;
    let newest = all.into_iter().flatten().max().ok_or(CalendarError::OutOfRange)?;
    year.last_day(newest)
}
