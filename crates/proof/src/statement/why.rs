//! One stable word for why a target is unproven. The only part of a statement that is the issuer's word rather than a
//! consequence of signed evidence; it never makes a target look better than it is.

use gallra_model::Instant;
use gallra_model::job::Action;
use gallra_model::plan::{Note, Step};
use gallra_model::receipt::{Code, Verdict};
use gallra_model::request::Setback;

use super::book::{Book, is_recheck};
use super::{Evidence, open};

/// The word for a target's steps, in the plan's order.
pub(super) fn word<'a>(evidence: &Evidence<'_>, book: &Book<'a>, steps: &[&'a Step], now: Instant) -> String {
    let unsettled: Vec<&'a Step> =
        steps.iter().copied().filter(|step| !is_recheck(step) && book.settled(step).is_none()).collect();
    if let Some(word) = unsettled.iter().find_map(|step| stumbled(evidence, book, step)) {
        return word;
    }
    if let Some(note) = noted(evidence, steps) {
        return note.code.clone();
    }
    match unsettled.first() {
        Some(step) if step.due > now => "waiting".to_owned(),
        _ => "no-receipt".to_owned(),
    }
}

/// A step that was tried and did not work: the job's setback, else the newest receipt.
fn stumbled<'a>(evidence: &Evidence<'_>, book: &Book<'a>, step: &'a Step) -> Option<String> {
    let setback = evidence.jobs.iter().find(|job| job.id() == step.job).and_then(|job| job.setback.as_ref());
    if let Some(Setback { verdict, code, .. }) = setback {
        return Some(spoken(*verdict, *code));
    }
    let newest = book.of_step(step).max_by_key(|receipt| (receipt.attempt, receipt.finished))?;
    if step.action == Action::Purge && newest.verdict == Verdict::Done && newest.counts.retained > 0 {
        return Some("held".to_owned());
    }
    Some(spoken(newest.verdict, newest.code))
}

fn spoken(verdict: Verdict, code: Option<Code>) -> String {
    let code = code.and_then(|code| serde_json::to_value(code).ok()).and_then(|v| v.as_str().map(str::to_owned));
    code.unwrap_or_else(|| {
        let word = match verdict {
            // Done, and yet the counts do not settle the step.
            Verdict::Done => "not-settled",
            Verdict::Failed => "failed",
            Verdict::Refused => "refused",
            Verdict::Unknown => "unknown",
        };
        word.to_owned()
    })
}

fn noted<'a>(evidence: &Evidence<'a>, steps: &[&Step]) -> Option<&'a Note> {
    let first = steps.first()?;
    let name = format!("{}/{}", first.agent, first.target);
    open::blocked(evidence.plan).find(|note| note.target == name)
}
