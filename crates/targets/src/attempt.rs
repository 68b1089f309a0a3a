//! The order of one attempt: inspect, look independently, act, look independently again, compare. One order for every
//! kind of target, so that no driver can leave a step out (decision 9). Knows no permit and signs nothing.

use gallra_model::Instant;
use gallra_model::copy::{CopyListing, Reclaimed};
use gallra_model::job::{Action, JobSpec};
use gallra_model::outcome::Counts;
use gallra_model::receipt::{Check, Code, Mark, Tally, Verdict};
use gallra_model::target::Instance;
use gallra_planted::Bug;

use crate::driver::{Boundary, Confirmation, Driver, Failure, Inspection, Preserved, PurgeOrder, Purged};

/// What an attempt came to, ready to become a receipt.
pub struct Report {
    /// How it ended.
    pub verdict: Verdict,
    /// Why not done.
    pub code: Option<Code>,
    /// For the host's admin.
    pub hint: String,
    /// What the target's name stands for.
    pub instance: Option<Instance>,
    /// Items by outcome.
    pub counts: Counts,
    /// Before the act.
    pub before: Tally,
    /// After the act.
    pub after: Tally,
    /// The checks made.
    pub checks: Vec<Check>,
    /// Backup targets: the listing.
    pub listing: Option<CopyListing>,
    /// Preserve: what the agent must seal.
    pub preserved: Option<Preserved>,
}

impl Report {
    fn new() -> Self {
        Self {
            verdict: Verdict::Failed,
            code: None,
            hint: String::new(),
            instance: None,
            counts: Counts::default(),
            before: Tally::default(),
            after: Tally::default(),
            checks: Vec::new(),
            listing: None,
            preserved: None,
        }
    }

    /// A report of an attempt that touched nothing.
    pub fn refused(failure: Failure) -> Self {
        Self { verdict: Verdict::Refused, code: Some(failure.code), hint: failure.hint, ..Self::new() }
    }

    fn fail(mut self, failure: Failure) -> Self {
        self.verdict = Verdict::Failed;
        self.code = Some(failure.code);
        self.hint = failure.hint;
        self
    }

    fn done(mut self) -> Self {
        self.verdict = Verdict::Done;
        self
    }
}

/// Carries out one job on one target. Never panics, never returns "done" for what was not confirmed.
pub fn run(driver: &dyn Driver, spec: &JobSpec, now: Instant, boundary: &mut dyn Boundary) -> Report {
    if spec.action == Action::Purge {
        return purge(driver, spec, now, boundary);
    }
    if spec.selector.is_empty() {
        return Report::refused(Failure::new(Code::BadSelector, "the job selects nobody: nothing was touched"));
    }
    match spec.action {
        Action::Observe => observe(driver, spec, now),
        Action::Inspect if driver.kind().is_backup() => observe(driver, spec, now),
        Action::Inspect | Action::Restrict | Action::Preserve | Action::Erase | Action::Purge | Action::Confirm => {
            live(driver, spec, boundary)
        }
    }
}

fn observe(driver: &dyn Driver, spec: &JobSpec, now: Instant) -> Report {
    let question = spec.question.clone().unwrap_or_default();
    let report = Report::new();
    match driver.observe(&spec.selector, &question, now) {
        Ok(listing) => {
            let items = listing.copies.len() as u64;
            Report { listing: Some(listing), before: Tally { items, ..Tally::default() }, ..report }.done()
        }
        Err(_) if gallra_planted::is(Bug::ListingErrorIsEmpty) => empty(report, now),
        Err(failure) => report.fail(failure),
    }
}

/// What a planted bug takes an error for: a store without copies, all of it reclaimed.
fn empty(report: Report, now: Instant) -> Report {
    let none = Reclaimed { blobs_indexed: 0, blobs_referenced: 0, packs_stored: 0, packs_indexed: 0 };
    let listing = CopyListing {
        repository: Instance::of(b"repository"),
        listed: now,
        run_under_way: false,
        copies: Vec::new(),
        reclaimed: Some(none),
    };
    Report { listing: Some(listing), ..report }.done()
}

fn live(driver: &dyn Driver, spec: &JobSpec, boundary: &mut dyn Boundary) -> Report {
    let mut report = Report::new();
    let looked = look(driver, spec, &mut report);
    let (seen, first) = match looked.and_then(|looked| agree(driver, spec, looked, &mut report, boundary)) {
        Ok(looked) => looked,
        Err(failure) if failure.code == Code::InstanceChanged => return Report::refused(failure),
        Err(failure) => return report.fail(failure),
    };
    // Looking may have taken long. An erasure asks before each of its own items.
    if matches!(spec.action, Action::Restrict | Action::Preserve)
        && let Err(failure) = go_on(boundary)
    {
        return report.fail(failure);
    }
    match spec.action {
        Action::Inspect => report.done(),
        Action::Confirm => settle(report, &seen, first, Counts::default()),
        Action::Restrict => match driver.restrict(&spec.selector, &seen) {
            Ok(restricted) => Report { counts: Counts { restricted, ..Counts::default() }, ..report }.done(),
            Err(failure) => report.fail(failure),
        },
        Action::Preserve => preserve(report, driver, spec, &seen),
        Action::Erase => erase(report, driver, spec, &seen, boundary),
        Action::Observe | Action::Purge => {
            report.fail(Failure::new(Code::Unsupported, "a live target holds no copies, and a purge selects nobody"))
        }
    }
}

/// A purge looks before and after by itself, since what it takes is nobody's in particular; held items are `retained`.
fn purge(driver: &dyn Driver, spec: &JobSpec, now: Instant, boundary: &mut dyn Boundary) -> Report {
    let (Some(purge), true) = (&spec.purge, spec.selector.is_empty()) else {
        let hint = "a purge says how old, and selects nobody: nothing was touched";
        return Report::refused(Failure::new(Code::BadSelector, hint));
    };
    let order = PurgeOrder { before: purge.older_than, preserve: purge.preserve.clone() };
    match driver.purge(&order, now, boundary) {
        // What an attempt before this one took is in that one's receipt: old lines leave by other hands too (rotation), and
        // whose lines stay may have changed, so nothing is added up here.
        Ok(purged) => purged_report(purged),
        // The host's own floor, or a hold that this target cannot tell: nothing was touched.
        Err(failure) if matches!(failure.code, Code::PurgeAge | Code::BadSelector | Code::Unsupported) => {
            Report::refused(failure)
        }
        Err(failure) => Report { counts: Counts { unknown: 1, ..Counts::default() }, ..Report::new() }.fail(failure),
    }
}

fn purged_report(purged: Purged) -> Report {
    let Purged { mut counts, before, after, unread, undone, removed_files, mut checks } = purged;
    if counts == Counts::default() {
        counts.absent = 1;
    }
    checks.push(Check { name: "unread-items".to_owned(), count: unread, ok: true });
    checks.push(Check { name: "removed-files".to_owned(), count: removed_files, ok: true });
    let report = Report { counts, before, after, checks, ..Report::new() };
    match undone {
        None => report.done(),
        Some(failure) => report.fail(failure),
    }
}

fn go_on(boundary: &mut dyn Boundary) -> Result<(), Failure> {
    if boundary.may_go_on() {
        return Ok(());
    }
    Err(Failure::new(Code::Stopped, "stopped by a hold or the end of the permit before anything was changed"))
}

/// Inspects, and looks independently. What was seen stands in the report even if the looks differ.
fn look(driver: &dyn Driver, spec: &JobSpec, report: &mut Report) -> Result<(Inspection, Confirmation), Failure> {
    let seen = driver.inspect(&spec.selector)?;
    report.instance = seen.instance;
    report.before = seen.found;
    report.after = seen.found;
    if spec.action.changes() && seen.instance.is_some() && seen.instance != spec.instance {
        return Err(Failure::new(
            Code::InstanceChanged,
            "the target's name stands for another thing than when it was inspected: if that is right, run `gallra job retry` on the target's inspect job",
        ));
    }
    let first = driver.confirm(&spec.selector, &seen)?;
    report.checks.clone_from(&first.checks);
    Ok((seen, first))
}

/// Has both looks see as much. A target in use changes between them, which is no fault of the check: it is looked at
/// once more, and before an erasure it is made still first.
fn agree(
    driver: &dyn Driver,
    spec: &JobSpec,
    looked: (Inspection, Confirmation),
    report: &mut Report,
    boundary: &mut dyn Boundary,
) -> Result<(Inspection, Confirmation), Failure> {
    let (seen, first) = &looked;
    if sees_as_much(seen, first).is_ok() {
        return Ok(looked);
    }
    if spec.action == Action::Erase && seen.instance.is_some() {
        go_on(boundary)?;
        driver.still(&spec.selector, seen)?;
    }
    let (seen, first) = look(driver, spec, report)?;
    sees_as_much(&seen, &first)?;
    Ok((seen, first))
}

/// The positive control: a check that does not find what is there now could not be believed when it finds nothing later.
fn sees_as_much(seen: &Inspection, first: &Confirmation) -> Result<(), Failure> {
    let blind =
        first.found != seen.found.items || (seen.found.items > 0 && !seen.residue.is_empty() && first.residue == 0);
    if blind {
        return Err(Failure::new(
            Code::CheckBlind,
            format!(
                "the independent check found {} of {} items and {} hits of their content before the act: it cannot \
                 be trusted after it; nothing was erased",
                first.found, seen.found.items, first.residue
            ),
        ));
    }
    Ok(())
}

fn preserve(report: Report, driver: &dyn Driver, spec: &JobSpec, seen: &Inspection) -> Report {
    let Some(keep) = &spec.keep else {
        return report.fail(Failure::new(Code::Unsupported, "a preserve job without ground and date: nothing is kept"));
    };
    if seen.instance.is_none() {
        return Report { counts: Counts { absent: 1, ..Counts::default() }, ..report }.done();
    }
    match driver.preserve(&spec.selector, seen, keep) {
        Ok(preserved) => {
            let counts = Counts { retained: preserved.items, ..Counts::default() };
            Report { counts, preserved: Some(preserved), ..report }.done()
        }
        Err(failure) => report.fail(failure),
    }
}

fn erase(
    report: Report,
    driver: &dyn Driver,
    spec: &JobSpec,
    seen: &Inspection,
    boundary: &mut dyn Boundary,
) -> Report {
    let earlier = boundary.earlier();
    let acted =
        if seen.instance.is_some() { driver.erase(&spec.selector, seen, boundary) } else { Ok(Counts::default()) };
    let last = driver.confirm(&spec.selector, seen);
    match (acted, last) {
        (Ok(claimed), Ok(last)) => whole(settle(report, seen, last, claimed), earlier),
        (Ok(_), Err(failure)) => {
            Report { counts: Counts { unknown: seen.found.items.max(1), ..Counts::default() }, ..report }.fail(failure)
        }
        (Err(failure), Ok(last)) => {
            let left = last.found;
            let counts =
                Counts { erased: seen.found.items.saturating_sub(left), failed: left.max(1), ..Counts::default() };
            let after = Tally { items: left, ..report.after };
            Report { counts, after, ..report }.fail(failure)
        }
        // It stopped, and nobody could look: how much is gone is not known, and is not guessed.
        (Err(failure), Err(_)) => {
            Report { counts: Counts { unknown: seen.found.items.max(1), ..Counts::default() }, ..report }.fail(failure)
        }
    }
}

/// Adds what earlier attempts at this job erased: it was there when they began, was out of everybody's reach, and is
/// confirmed gone now. What came in between is not guessed, so the count is never too high.
fn whole(mut report: Report, earlier: Option<Mark>) -> Report {
    let Some(mark) = earlier else { return report };
    let before = mark.before.items.saturating_sub(report.before.items);
    if report.verdict != Verdict::Done || before == 0 {
        return report;
    }
    if report.counts == (Counts { absent: 1, ..Counts::default() }) {
        report.counts.absent = 0;
    }
    report.counts.erased += before;
    report.before = Tally { others: report.before.others, ..mark.before };
    report.instance = report.instance.or(mark.instance);
    report
}

/// Compares the last look with what was seen, and only then calls it done.
fn settle(mut report: Report, seen: &Inspection, last: Confirmation, claimed: Counts) -> Report {
    report.after = Tally { items: last.found, bytes: 0, others: last.others };
    report.checks = last.checks;
    let checks_ok = report.checks.iter().all(|check| check.ok);
    if last.found > 0 || last.residue > 0 || !checks_ok {
        report.counts = Counts { failed: last.found.max(1), ..Counts::default() };
        let hint = format!(
            "confirm still finds {} items and {} hits of their content: see the target's page in docs/targets",
            last.found, last.residue
        );
        return report.fail(Failure::new(Code::StillThere, hint));
    }
    if last.others < seen.found.others {
        report.counts = Counts { unknown: 1, ..claimed };
        let hint = format!(
            "what is not the subject's went from {} to {} items during the act: stop and look",
            seen.found.others, last.others
        );
        return report.fail(Failure::new(Code::OthersChanged, hint));
    }
    if claimed == Counts::default() && seen.found.items > 0 {
        report.counts = Counts { unknown: seen.found.items, ..Counts::default() };
        let hint =
            "items that were there are gone, and the act says that it erased none: somebody else did; stop and look";
        return report.fail(Failure::new(Code::Target, hint));
    }
    report.counts = if claimed == Counts::default() { Counts { absent: 1, ..claimed } } else { claimed };
    report.done()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use gallra_model::selector::Selector;
    use gallra_model::target::TargetKind;

    use super::*;
    use crate::testing::{Always, StopAfter, job, now, service};

    /// A target of two items whose act and later looks end as the test says.
    struct Scripted {
        acted: Result<Counts, Failure>,
        later: Result<u64, Failure>,
        looks: RefCell<u32>,
    }

    impl Driver for Scripted {
        fn kind(&self) -> TargetKind {
            TargetKind::Files
        }

        fn inspect(&self, _: &Selector) -> Result<Inspection, Failure> {
            let found = Tally { items: 2, ..Tally::default() };
            Ok(Inspection { instance: Some(Instance::of(b"it")), found, residue: vec![] })
        }

        fn restrict(&self, _: &Selector, _: &Inspection) -> Result<u64, Failure> {
            Ok(2)
        }

        fn erase(&self, _: &Selector, _: &Inspection, _: &mut dyn Boundary) -> Result<Counts, Failure> {
            self.acted.clone()
        }

        fn confirm(&self, _: &Selector, _: &Inspection) -> Result<Confirmation, Failure> {
            let first = self.looks.replace_with(|looks| *looks + 1) == 0;
            let found = if first { 2 } else { self.later.clone()? };
            Ok(Confirmation { found, ..Confirmation::default() })
        }
    }

    fn outcome(acted: Result<Counts, Failure>, later: Result<u64, Failure>) -> (Verdict, Counts) {
        let driver = Scripted { acted, later, looks: RefCell::new(0) };
        let spec = job(Action::Erase, &service("anna.example"), Some(Instance::of(b"it")));
        let report = run(&driver, &spec, now(), &mut Always);
        (report.verdict, report.counts)
    }

    fn broken() -> Failure {
        Failure::new(Code::Target, "broken")
    }

    #[test]
    fn what_nobody_could_look_at_is_unknown_and_never_guessed() {
        let unknown = (Verdict::Failed, Counts { unknown: 2, ..Counts::default() });
        assert_eq!(outcome(Err(broken()), Err(broken())), unknown);
        assert_eq!(outcome(Ok(Counts { erased: 2, ..Counts::default() }), Err(broken())), unknown);
    }

    #[test]
    fn a_stopped_act_counts_what_is_left_by_looking() {
        let half = Counts { erased: 1, failed: 1, ..Counts::default() };
        assert_eq!(outcome(Err(broken()), Ok(1)), (Verdict::Failed, half));
    }

    /// A target that changes between its first two looks, and notes what is done to it.
    #[derive(Default)]
    struct Restless {
        looks: RefCell<u32>,
        changed: RefCell<Vec<&'static str>>,
    }

    impl Driver for Restless {
        fn kind(&self) -> TargetKind {
            TargetKind::Files
        }

        fn inspect(&self, _: &Selector) -> Result<Inspection, Failure> {
            let found = Tally { items: 2, ..Tally::default() };
            Ok(Inspection { instance: Some(Instance::of(b"it")), found, residue: vec![] })
        }

        fn restrict(&self, _: &Selector, _: &Inspection) -> Result<u64, Failure> {
            self.changed.borrow_mut().push("restrict");
            Ok(2)
        }

        fn still(&self, _: &Selector, _: &Inspection) -> Result<(), Failure> {
            self.changed.borrow_mut().push("still");
            Ok(())
        }

        fn erase(&self, _: &Selector, _: &Inspection, boundary: &mut dyn Boundary) -> Result<Counts, Failure> {
            go_on(boundary)?;
            self.changed.borrow_mut().push("erase");
            Ok(Counts { erased: 2, ..Counts::default() })
        }

        fn confirm(&self, _: &Selector, _: &Inspection) -> Result<Confirmation, Failure> {
            let found = if self.looks.replace_with(|looks| *looks + 1) == 0 { 1 } else { 2 };
            Ok(Confirmation { found, ..Confirmation::default() })
        }

        fn preserve(&self, _: &Selector, _: &Inspection, _: &gallra_model::job::Keep) -> Result<Preserved, Failure> {
            self.changed.borrow_mut().push("preserve");
            Ok(Preserved { items: 2, keys: vec![] })
        }
    }

    #[test]
    fn after_the_looks_nothing_is_changed_without_asking() {
        let keep = gallra_model::job::Keep {
            rule: "law/bookkeeping".into(),
            ground: "SFS 1999:1078".into(),
            earliest: "2034-01-01".parse().expect("a literal"),
            latest: None,
        };
        let cases: [(Action, u64, &[&str]); 6] = [
            (Action::Erase, 0, &[]),
            (Action::Erase, 1, &["still"]),
            (Action::Restrict, 0, &[]),
            (Action::Restrict, 1, &["restrict"]),
            (Action::Preserve, 0, &[]),
            (Action::Preserve, 1, &["preserve"]),
        ];
        for (action, items, changed) in cases {
            let driver = Restless::default();
            let spec = job(action, &service("anna.example"), Some(Instance::of(b"it")));
            let spec = JobSpec { keep: Some(keep.clone()), ..spec };
            let report = run(&driver, &spec, now(), &mut StopAfter(items));
            assert_eq!(*driver.changed.borrow(), changed, "{action:?} after {items}");
            assert_eq!(report.code == Some(Code::Stopped), items == 0 || action == Action::Erase, "{action:?}");
        }
    }

    #[test]
    fn items_that_went_without_the_act_are_not_called_absent() {
        let unknown = Counts { unknown: 2, ..Counts::default() };
        assert_eq!(outcome(Ok(Counts::default()), Ok(0)), (Verdict::Failed, unknown));
    }
}
