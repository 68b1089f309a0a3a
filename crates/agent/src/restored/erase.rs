//! One erasure after a restore: the same driver, the same order of looks and the same journal as under a permit (I4). The
//! entry stands in the permit's place, and the cause that it carries must be one that the host trusts (decision 2).

use anyhow::Context as _;
use gallra_flow::agent::privileged::cause_objection;
use gallra_flow::agent::record::{Begun, Held, Record};
use gallra_model::cause::Backing;
use gallra_model::job::{Action, JobSpec};
use gallra_model::outcome::Counts;
use gallra_model::receipt::{Code, Mark, Receipt, Verdict};
use gallra_model::suppression::Entry;
use gallra_model::{Digest, Instant, JobId, Nonce, Pseudonym};
use gallra_targets::{Boundary, Failure, Inspection, Report};

use super::{Due, Restore};
use crate::journal::{Disk as _, File, Journal, JournalError};
use crate::serve::SOFTWARE;

/// What one erasure came to.
pub(super) struct Erased {
    /// Items by outcome.
    pub(super) counts: Counts,
    /// SHA-256 of the receipt's payload; none where nothing was begun.
    pub(super) receipt: Option<Digest>,
    /// Why it is not confirmed gone.
    pub(super) failure: Option<String>,
    /// When it began, on the agent's clock.
    pub(super) started: Instant,
}

/// Goes on to the end: nobody can call it back but by a signal, after which the next run takes it up.
struct Steady<'a> {
    job: JobId,
    journal: &'a mut Journal,
    earlier: Option<Mark>,
    broken: Option<JournalError>,
}

impl Boundary for Steady<'_> {
    fn may_go_on(&mut self) -> bool {
        gallra_crash::point("mid_act");
        self.broken.is_none()
    }

    fn mark(&mut self, seen: &Inspection) -> bool {
        let mark = Mark { instance: seen.instance, before: seen.found };
        let appended = self.journal.append(&Record::Mark { job: self.job, mark });
        self.broken = appended.err();
        self.broken.is_none()
    }

    fn earlier(&self) -> Option<Mark> {
        self.earlier
    }
}

impl Restore {
    /// Erases one subject again, under its entry. The receipt is in `file`, durably, when this returns.
    pub(super) fn erase(&mut self, due: &Due, file: &mut File) -> anyhow::Result<Erased> {
        let entry = self.list.known().entries().find(|entry| entry.id == due.entry);
        let entry = entry.context("an entry left the list while it was carried out")?.clone();
        let moment = (self.clocks)()?;
        let mut spec = self.spec(&entry, due, moment.nonce);
        let started = self.now()?;
        let trusted = spec.cause.as_ref().and_then(|backing| self.keys.causes.open(&backing.envelope));
        if let Some(hint) =
            cause_objection(&JobSpec { action: Action::Erase, ..spec.clone() }, trusted.as_ref(), started)
        {
            return Ok(not_begun(Failure::new(Code::BadCause, hint), started));
        }
        // The copy's trees are new ones: what is there now is pinned, and is what goes.
        let mut still = Steady { job: spec.job, journal: &mut self.journal, earlier: None, broken: None };
        let seen = gallra_targets::run(self.driver.as_ref(), &spec, started, &mut still);
        if seen.verdict != Verdict::Done {
            return Ok(not_begun(Failure::new(seen.code.unwrap_or(Code::Target), seen.hint), started));
        }
        (spec.action, spec.instance) = (Action::Erase, seen.instance);
        let begun = Begun {
            again: false,
            commitment: None,
            checkpoint: None,
            job: spec.job,
            attempt: 1,
            permit: entry.digest()?,
            spec: Digest::of(&spec.to_bytes()?),
            target: spec.target.clone(),
            kind: self.info.kind,
            action: spec.action,
            pseudonym: spec.pseudonym,
            instance: spec.instance,
            older_than: None,
            handle: None,
            started,
            clock: spec.clock,
        };
        gallra_crash::point("before_journal");
        self.journal.append(&Record::Begin(Box::new(begun.clone())))?;
        gallra_crash::point("after_journal");
        let earlier = self.replayed.marks.get(&spec.job).copied();
        let mut steady = Steady { job: spec.job, journal: &mut self.journal, earlier, broken: None };
        let report = gallra_targets::run(self.driver.as_ref(), &spec, started, &mut steady);
        if let Some(error) = steady.broken {
            return Err(error.into());
        }
        gallra_crash::point("before_receipt");
        self.attest(begun, report, file)
    }

    /// Signs what came of it. The coordinator knows no such job, so nothing waits for its word: the file keeps the receipt.
    fn attest(&mut self, begun: Begun, report: Report, file: &mut File) -> anyhow::Result<Erased> {
        let done = report.verdict == Verdict::Done;
        let failure = (!done).then(|| report.hint.clone());
        let receipt = Receipt {
            commitment: None,
            previous: None,
            job: begun.job,
            attempt: begun.attempt,
            agent: self.agent.clone(),
            target: begun.target,
            kind: begun.kind,
            action: begun.action,
            pseudonym: begun.pseudonym,
            spec: begun.spec,
            permit: Some(begun.permit),
            instance: report.instance,
            verdict: report.verdict,
            code: report.code,
            hint: report.hint,
            counts: report.counts,
            before: report.before,
            after: report.after,
            checks: report.checks,
            older_than: None,
            listing: None,
            kept: None,
            started: begun.started,
            finished: self.now()?.max(begun.started),
            clock: begun.clock,
            software: SOFTWARE.to_owned(),
        };
        let envelope = gallra_proof::receipt::sign(&receipt, false, &self.keys.evidence)?;
        let digest = gallra_proof::dsse::payload_digest(&envelope)?;
        file.append(format!("{}\n", serde_json::to_string(&envelope)?).as_bytes())?;
        file.sync()?;
        let held = Held { job: receipt.job, attempt: receipt.attempt, receipt: digest, envelope, done };
        self.journal.append(&Record::End(held))?;
        self.journal.append(&Record::Stored { receipt: digest })?;
        tracing::info!(job = %receipt.job, target = %receipt.target, verdict = ?receipt.verdict, "erased again");
        Ok(Erased { counts: receipt.counts, receipt: Some(digest), failure, started: receipt.started })
    }

    /// The entry's cause, with the salt as it was.
    fn cause_of(&self, entry: &Entry) -> Option<Backing> {
        let key = self.list.key(entry)?;
        let Backing { envelope, salt } = entry.cause.clone()?;
        Some(Backing { envelope, salt: salt.map(|salt| key.veil(&entry.id, salt)) })
    }

    /// The job that the entry stands for. Its id follows from entry and copy, so that what an interrupted run counted is
    /// found again.
    fn spec(&self, entry: &Entry, due: &Due, salt: Nonce) -> JobSpec {
        let taken = self.taken.to_string();
        let job = Digest::of_parts(&[b"gallra restore job", entry.id.as_bytes(), taken.as_bytes()]);
        let pseudonym = Digest::of_parts(&[b"gallra restore pseudonym", entry.id.as_bytes()]);
        JobSpec {
            again: false,
            job: JobId::from_digest(&job),
            agent: self.agent.clone(),
            action: Action::Inspect,
            target: entry.target.clone(),
            pseudonym: Pseudonym::from_digest(&pseudonym),
            salt,
            generation: entry.generation,
            plan: Digest::of_parts(&[salt.as_bytes(), entry.tag.as_bytes()]),
            rule: entry.rule.clone(),
            selector: due.selector.clone(),
            instance: None,
            keep: None,
            question: None,
            purge: None,
            cause: self.cause_of(entry),
            clock: entry.clock,
        }
    }
}

fn not_begun(failure: Failure, started: Instant) -> Erased {
    let counts = Counts { failed: 1, ..Counts::default() };
    Erased { counts, receipt: None, failure: Some(failure.hint), started }
}
