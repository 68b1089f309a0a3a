//! One permitted act: runs the driver, seals what must be kept, and gives what came of it. The act stops at the next item
//! when its time under one permit is over or the agent is to end.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_flow::agent::privileged::{Act, Outcome};
use gallra_model::outcome::Counts;
use gallra_model::receipt::{Code, Kept, Verdict};
use gallra_targets::{Boundary, Failure, Preserved, Report};

use super::{Half, HalfError};
use crate::channel::PrivilegedEnd;
use crate::clock::Clocks;
use crate::vault::{Sealed, Vault};

/// Ends an act at an item boundary.
struct Stop<'a> {
    end: &'a mut PrivilegedEnd,
    clocks: &'a Clocks,
    since_ms: u64,
    longest: Duration,
}

impl Boundary for Stop<'_> {
    fn may_go_on(&mut self) -> bool {
        let in_time = (self.clocks)()
            .is_ok_and(|moment| Duration::from_millis(moment.boot_ms.saturating_sub(self.since_ms)) <= self.longest);
        in_time && !self.end.is_closed()
    }
}

impl Half {
    pub(super) fn act(&mut self, act: &Act) -> Result<Outcome, HalfError> {
        let Some(driver) = self.drivers.get(&act.spec.target) else {
            let missing = Failure::new(Code::NoSuchTarget, "the target has no driver");
            return Ok(outcome_of(Report::refused(missing), None));
        };
        let since_ms = (self.clocks)()?.boot_ms;
        let mut stop = Stop { end: &mut self.end, clocks: &self.clocks, since_ms, longest: self.longest_act };
        let mut report = gallra_targets::run(driver.as_ref(), &act.spec, act.at, &mut stop);
        let preserved = report.preserved.take();
        let outcome = outcome_of(report, None);
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
    Outcome { verdict, code, hint, instance, counts, before, after, checks, listing, kept }
}
