//! One permitted act: runs the driver, seals what must be kept, and gives what came of it. Carries out what
//! `gallra_flow::agent::privileged::UnderWay` decides at each item: hears what is said, asks for another minute, stops.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_flow::agent::privileged::{self, Act, Heard, Note, Outcome, Privileged, UnderWay};
use gallra_flow::agent::record::Record;
use gallra_model::journal::JournalMark;
use gallra_model::message::{ToCoordinator, ToPrivileged, ToSession};
use gallra_model::outcome::Counts;
use gallra_model::receipt::{Code, Kept, Mark, Verdict};
use gallra_model::{Instant, JobId};
use gallra_proof::key::VerifyingKey;
use gallra_targets::pace::Paced;
use gallra_targets::{Boundary, Failure, Inspection, Preserved, Report, Still};

use super::{Half, HalfError, note};
use crate::channel::{Closed, PrivilegedEnd};
use crate::clock::{BootClock, Clocks};
use crate::journal::{Journal, JournalError};
use crate::vault::{Sealed, Vault};

/// How long an act that waits for another minute listens before it looks at the time again.
const LISTEN: Duration = Duration::from_millis(250);

/// The act at its item boundaries. Remembers what was there before the first item went.
struct Items<'a> {
    job: JobId,
    under_way: UnderWay<'a>,
    end: &'a mut PrivilegedEnd,
    clocks: &'a Clocks,
    permit_key: &'a VerifyingKey,
    journal: &'a mut Journal,
    said: &'a mut Option<JournalMark>,
    earlier: Option<Mark>,
    mark: Option<Mark>,
    /// The journal could not be written: the half must end.
    broken: Option<JournalError>,
}

impl Items<'_> {
    /// Hears what was said, and waits for a first word at most so long.
    fn hear(&mut self, wait: Duration) {
        let Self { end, under_way, permit_key, clocks, .. } = self;
        // A word that comes while no clock can be read must not be forgotten: it may have been a stop.
        let mut timeless = false;
        let mut hear_one = |heard| match clocks() {
            Ok(moment) => under_way.hear(heard, &moment),
            Err(_) => {
                timeless = true;
                false
            }
        };
        let deaf = end.overhear(wait, |message| heard(message, permit_key).is_some_and(&mut hear_one));
        if deaf || timeless {
            under_way.deafen();
        }
    }

    /// Where the journal stands goes before each asking, also on a stream that the half itself has not been told of yet.
    fn ask(&mut self, word: ToCoordinator, now: Instant) -> Result<(), Closed> {
        let mark = self.journal.mark();
        self.end.say(&ToSession::Say(ToCoordinator::Journal { mark, now }))?;
        *self.said = Some(mark);
        self.end.say(&ToSession::Say(word))
    }
}

/// A message as far as it concerns an act. Everything else waits until the act is over.
fn heard(message: &ToPrivileged, permit_key: &VerifyingKey) -> Option<Heard> {
    match message {
        ToPrivileged::Connected { generation, .. } => Some(Heard::Connected { generation: *generation }),
        ToPrivileged::Permitted { permit } => Some(match gallra_proof::permit::open(permit, permit_key) {
            Ok((permit, _)) => Heard::Permitted(Box::new(permit)),
            Err(_) => Heard::PermitBad(super::newer::claimed_job(permit)),
        }),
        ToPrivileged::Denied { job, nonce, reason } => Some(Heard::Denied(*job, *nonce, *reason)),
        ToPrivileged::Order { order } => {
            super::newer::order(order, permit_key).ok().map(|order| Heard::Ordered(Box::new(order)))
        }
        ToPrivileged::Withdraw { job } => Some(Heard::Withdrawn(*job)),
        ToPrivileged::ClockMoved { .. }
        | ToPrivileged::Offer { .. }
        | ToPrivileged::ReceiptStored { .. }
        | ToPrivileged::RestoreHeard { .. }
        | ToPrivileged::Suppression { .. } => None,
    }
}

impl Boundary for Items<'_> {
    fn may_go_on(&mut self) -> bool {
        gallra_crash::point("mid_act");
        let mut wait = Duration::ZERO;
        loop {
            self.hear(wait);
            let Ok(moment) = (self.clocks)() else { return false };
            match self.under_way.at_boundary(&moment) {
                privileged::Boundary::GoOn => return self.broken.is_none(),
                privileged::Boundary::Stop(why) => {
                    note::log(Note::Stopped(self.job, why));
                    return false;
                }
                privileged::Boundary::Wait => wait = LISTEN,
                privileged::Boundary::Ask(word) => {
                    if self.ask(word, moment.now).is_err() {
                        return false;
                    }
                    wait = LISTEN;
                }
            }
        }
    }

    fn still(&mut self) -> Still {
        self.hear(Duration::ZERO);
        let Ok(moment) = (self.clocks)() else { return Still::Stop };
        match self.under_way.at_boundary(&moment) {
            privileged::Boundary::GoOn if self.broken.is_none() => Still::GoOn,
            privileged::Boundary::Wait => Still::Wait,
            privileged::Boundary::Ask(word) => self.ask(word, moment.now).map_or(Still::Stop, |()| Still::Wait),
            privileged::Boundary::GoOn | privileged::Boundary::Stop(_) => Still::Stop,
        }
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
        let longest_ms = u64::try_from(self.longest_act.as_millis()).unwrap_or(u64::MAX);
        let under_way = self.state.as_ref().and_then(|state: &Privileged| state.under_way(longest_ms));
        let Some(under_way) = under_way else {
            return Ok(outcome_of(Report::refused(Failure::new(Code::Target, "nothing was permitted")), None));
        };
        let mut items = Items {
            job: act.spec.job,
            under_way,
            end: &mut self.end,
            clocks: &self.clocks,
            permit_key: &self.keys.permit,
            journal: &mut self.memory.journal,
            said: &mut self.said,
            earlier: act.earlier,
            mark: None,
            broken: None,
        };
        let mut paced = Paced::new(&mut items, BootClock, self.items_per_second);
        let mut report = gallra_targets::run(driver.as_ref(), &act.spec, act.at, &mut paced);
        if let Some(error) = items.broken {
            return Err(error.into());
        }
        let mark = items.mark;
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
