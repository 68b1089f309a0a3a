//! What the policy says about one category under one plan's dates: read once, however many targets are of it.

use std::rc::Rc;

use gallra_model::Day;
use gallra_model::target::Category;
use gallra_policy::{CalendarError, Combined, Extra};

use crate::facts::Facts;

/// One category, read.
pub(crate) struct Reading {
    pub(crate) window: Combined,
    /// The rule that locks it, and the first day.
    pub(crate) lock: Option<(String, Day)>,
    /// Whether none of it is expected.
    pub(crate) expects_none: bool,
}

/// What was read so far, by category and by the end of what holds it.
pub(crate) struct Readings<'f> {
    facts: &'f Facts<'f>,
    known: Vec<(Category, Option<Day>, Rc<Reading>)>,
}

impl<'f> Readings<'f> {
    pub(crate) fn new(facts: &'f Facts<'f>) -> Self {
        Self { facts, known: Vec::new() }
    }

    /// Reads a category; `held` is the first day on which no hold with an end lies.
    pub(crate) fn of(&mut self, category: &Category, held: Option<Day>) -> Result<Rc<Reading>, CalendarError> {
        let known = self.known.iter().find(|(own, day, _)| own == category && *day == held);
        if let Some((_, _, reading)) = known {
            return Ok(Rc::clone(reading));
        }
        let Facts { policy, anchors, .. } = self.facts;
        let reading = Rc::new(Reading {
            window: policy.window(category, anchors, &Extra { held, ..Extra::default() })?,
            lock: policy.locks(category, anchors)?.map(|(rule, day)| (rule.id.clone(), day)),
            expects_none: policy.expects_none(category),
        });
        self.known.push((category.clone(), held, Rc::clone(&reading)));
        Ok(reading)
    }
}
