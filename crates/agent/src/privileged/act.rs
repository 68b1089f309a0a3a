//! One permitted act: runs the driver, seals what must be kept, and gives what came of it. The act stops at the next item
//! when its time under one permit is over or the agent is to end.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_flow::agent::privileged::{Act, Outcome, Privileged};
use gallra_flow::agent::record::Record;
use gallra_model::JobId;
use gallra_model::message::ToPrivileged;
use gallra_model::order::Order;
use gallra_model::outcome::Counts;
use gallra_model::receipt::{Code, Kept, Mark, Verdict};
use gallra_proof::key::VerifyingKey;
use gallra_targets::pace::Paced;
use gallra_targets::{Boundary, Failure, Inspection, Preserved, Report};

use super::{Half, HalfError};
use crate::channel::PrivilegedEnd;
use crate::clock::{BootClock, Clocks};
use crate::journal::{Journal, JournalError};
use crate::vault::{Sealed, Vault};

/// Ends an act at an item boundary: when its time is over, the session ended, or a stop or hold was pushed. Remembers what
/// was there before the first item went.
struct Stop<'a> {
    job: JobId,
    end: &'a mut PrivilegedEnd,
    clocks: &'a Clocks,
    since_ms: u64,
    longest: Duration,
    permit_key: &'a VerifyingKey,
    order: Option<Order>,
    withdrawn: bool,
    journal: &'a mut Journal,
    earlier: Option<Mark>,
    mark: Option<Mark>,
    /// The journal could not be written: the half must end.
    broken: Option<JournalError>,
}

impl Stop<'_> {
    fn hear(&mut self) -> bool {
        let Self { end, order, withdrawn, permit_key, job, .. } = self;
        let closed = end.overhear(|message| match message {
            ToPrivileged::Withdraw { job: other } => *withdrawn |= other == job,
            ToPrivileged::Order { order: envelope } => {
                if let Ok((said, _)) = gallra_proof::order::open(envelope, permit_key)
                    && order.as_ref().is_none_or(|known| said.is_newer_than(known))
                {
                    *order = Some(said);
                }
            }
            ToPrivileged::Connected { .. }
            | ToPrivileged::ClockMoved { .. }
            | ToPrivileged::Offer { .. }
            | ToPrivileged::Permitted { .. }
            | ToPrivileged::Denied { .. }
            | ToPrivileged::ReceiptStored { .. }
            | ToPrivileged::Suppression { .. } => {}
        });
        !closed && !self.withdrawn && !self.order.as_ref().is_some_and(|order| order.halted)
    }
}

impl Boundary for Stop<'_> {
    fn may_go_on(&mut self) -> bool {
        gallra_crash::point("mid_act");
        let in_time = (self.clocks)()
            .is_ok_and(|moment| Duration::from_millis(moment.boot_ms.saturating_sub(self.since_ms)) <= self.longest);
        self.hear() && in_time && self.broken.is_none()
    }

    fn still(&mut self) -> bool {
        self.hear() && self.broken.is_none()
    }

    fn mark(&mut self, seen: &Inspection) -> bool {
        let known = self.earlier.map_or(0, |earlier| earlier.before.items);
        if self.earlier.is_some() && seen.found.items <= known {
            return true;
        }
        let mark = Mark { instance: seen.instance, before: seen.found };
        if let Err(error) = self.journal.append(&Record::Mark { job: self.job, mark }) {
            self.broken = Some(error);
            return false;
        }
        self.mark = Some(mark);
        true
    }

    fn earlier(&self) -> Option<Mark> {
        self.earlier
    }
}

impl Half {
    pub(super) fn act(&mut self, act: &Act) -> Result<Outcome, HalfError> {
        let Some(driver) = self.drivers.get(&act.spec.target) else {
            let missing = Failure::new(Code::NoSuchTarget, "the target has no driver");
            return Ok(outcome_of(Report::refused(missing), None));
        };
        let since_ms = (self.clocks)()?.boot_ms;
        let mut stop = Stop {
            job: act.spec.job,
            end: &mut self.end,
            clocks: &self.clocks,
            since_ms,
            longest: self.longest_act,
            permit_key: &self.keys.permit,
            order: self.state.as_ref().and_then(Privileged::order).cloned(),
            withdrawn: false,
            journal: &mut self.memory.journal,
            earlier: act.earlier,
            mark: None,
            broken: None,
        };
        let mut paced = Paced::new(&mut stop, BootClock, self.items_per_second);
        let mut report = gallra_targets::run(driver.as_ref(), &act.spec, act.at, &mut paced);
        if let Some(error) = stop.broken {
            return Err(error.into());
        }
        let mark = stop.mark;
        let preserved = report.preserved.take();
        let outcome = Outcome { mark, ..outcome_of(report, None) };
        Ok(match preserved {
            Some(preserved) => keep(outcome, act, preserved, &self.memory.vault),
            None => outcome,
        })
    }
}

/// Seals what is kept before anybody is told that it is kept.
fn keep(outcome: Outcome, act: &Act, preserved: Preserved, vault: &Vault) -> Outcome {
    let (Some(handle), Some(keep)) = (act.handle, &act.spec.keep) else {
        return not_kept(outcome, preserved.items, "a preserve job without handle, ground or date: nothing is kept");
    };
    let items = preserved.items;
    let keys = STANDARD.encode(&preserved.keys);
    let sealed = Sealed { target: act.spec.target.clone(), keep: keep.clone(), items, keys };
    match vault.seal(handle, &sealed) {
        Ok(()) => Outcome { kept: Some(Kept { handle, items, keep: keep.clone() }), ..outcome },
        Err(error) => {
            tracing::error!(job = %act.spec.job, %error, "an obligation could not be sealed");
            not_kept(outcome, items, "what must be kept could not be sealed: see the agent's log, and its disk")
        }
    }
}

fn not_kept(outcome: Outcome, items: u64, hint: &str) -> Outcome {
    let counts = Counts { failed: items.max(1), ..Counts::default() };
    Outcome { verdict: Verdict::Failed, code: Some(Code::Target), hint: hint.to_owned(), counts, ..outcome }
}

fn outcome_of(report: Report, kept: Option<Kept>) -> Outcome {
    let Report { verdict, code, hint, instance, counts, before, after, checks, listing, preserved: _ } = report;
    Outcome { verdict, code, hint, instance, counts, before, after, checks, listing, kept, mark: None }
}
