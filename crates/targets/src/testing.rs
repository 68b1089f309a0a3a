//! Helpers for the drivers' tests: jobs, boundaries and a driver whose acts do nothing. Never built into a product.
//! Upholds decision 9: a driver that claims and does not act must be found out by its own `confirm`.

use std::cell::Cell;

use gallra_model::Instant;
use gallra_model::copy::CopyListing;
use gallra_model::digest::Digest;
use gallra_model::id::{JobId, Pseudonym};
use gallra_model::job::{Action, JobSpec, Keep, Question};
use gallra_model::outcome::Counts;
use gallra_model::selector::Selector;
use gallra_model::target::{CopyLife, Instance, TargetKind};
use gallra_model::time::Clock;

use crate::attempt::{self, Report};
use crate::driver::{Boundary, Confirmation, Driver, Failure, Inspection, Preserved};

/// A selector by service id.
pub(crate) fn service(id: &str) -> Selector {
    Selector { service: Some(id.parse().expect("a literal")), customer: None, addresses: Vec::new() }
}

/// A selector by customer number.
pub(crate) fn customer(number: &str) -> Selector {
    Selector { service: None, customer: Some(number.parse().expect("a literal")), addresses: Vec::new() }
}

/// The instant that tests call now.
pub(crate) fn now() -> Instant {
    "2026-03-01T03:00:00Z".parse().expect("a literal")
}

/// A job as a coordinator would issue it.
pub(crate) fn job(action: Action, selector: &Selector, instance: Option<Instance>) -> JobSpec {
    JobSpec {
        again: false,
        job: JobId::from_bytes([1; 16]),
        agent: "web1".parse().expect("a literal"),
        action,
        target: "target".parse().expect("a literal"),
        pseudonym: Pseudonym::from_bytes([2; 16]),
        salt: gallra_model::Nonce::from_bytes([8; 16]),
        generation: 1,
        plan: Digest::of(b"plan"),
        rule: "webone/customer-data".to_owned(),
        selector: selector.clone(),
        instance,
        keep: None,
        question: None,
        purge: None,
        cause: None,
        clock: Clock::Real,
    }
}

/// Lets every item pass.
pub(crate) struct Always;

impl Boundary for Always {
    fn may_go_on(&mut self) -> bool {
        true
    }
}

/// Lets so many items pass, then stops.
pub(crate) struct StopAfter(pub(crate) u64);

impl Boundary for StopAfter {
    fn may_go_on(&mut self) -> bool {
        let may = self.0 > 0;
        self.0 = self.0.saturating_sub(1);
        may
    }
}

/// Inspects, as a coordinator does before it plans, and then runs `action` on the instance that was seen.
pub(crate) fn inspect_then(driver: &dyn Driver, action: Action, selector: &Selector) -> Report {
    let seen = attempt::run(driver, &job(Action::Inspect, selector, None), now(), &mut Always);
    attempt::run(driver, &job(action, selector, seen.instance), now(), &mut Always)
}

/// Looks through the driver that it wraps, and claims to have done what it did not do.
pub(crate) struct NoAct<D> {
    inner: D,
    /// How often it was asked to erase: a test that never got so far proves nothing.
    pub(crate) asked: Cell<u32>,
}

impl<D: Driver> NoAct<D> {
    pub(crate) fn new(inner: D) -> Self {
        Self { inner, asked: Cell::new(0) }
    }
}

impl<D: Driver> Driver for NoAct<D> {
    fn kind(&self) -> TargetKind {
        self.inner.kind()
    }

    fn copy_life(&self) -> Option<CopyLife> {
        self.inner.copy_life()
    }

    fn inspect(&self, selector: &Selector) -> Result<Inspection, Failure> {
        self.inner.inspect(selector)
    }

    fn restrict(&self, _: &Selector, seen: &Inspection) -> Result<u64, Failure> {
        Ok(seen.found.items)
    }

    fn still(&self, selector: &Selector, seen: &Inspection) -> Result<(), Failure> {
        self.inner.still(selector, seen)
    }

    fn erase(&self, _: &Selector, seen: &Inspection, _: &mut dyn Boundary) -> Result<Counts, Failure> {
        self.asked.set(self.asked.get() + 1);
        Ok(Counts { erased: seen.found.items, ..Counts::default() })
    }

    fn confirm(&self, selector: &Selector, seen: &Inspection) -> Result<Confirmation, Failure> {
        self.inner.confirm(selector, seen)
    }

    fn preserve(&self, selector: &Selector, seen: &Inspection, keep: &Keep) -> Result<Preserved, Failure> {
        self.inner.preserve(selector, seen, keep)
    }

    fn observe(&self, selector: &Selector, question: &Question, now: Instant) -> Result<CopyListing, Failure> {
        self.inner.observe(selector, question, now)
    }
}
