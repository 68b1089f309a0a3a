//! Whether a cause is missing (decision 2): what cannot be undone needs, beside the permit, a signature that the host
//! trusts. Owns the decision what has to be signed for; refuses to know keys, and what a signature looks like. The agent
//! decides again for itself, on the signature: this here keeps a request from asking for what would be refused.

use gallra_model::plan::{Anchors, Plan};
use gallra_model::receipt::Code;
use gallra_model::request::{About, Approvals, JobState, Request, RequestState};

use crate::request::Refused;
use crate::view::View;

/// What of a request has to be signed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needed {
    /// A cause that names the service.
    pub service: bool,
    /// A cause that names the customer.
    pub customer: bool,
}

/// What has to be signed for before a request with these dates may erase: the service where a contract's end is in it, the
/// customer where the customer's own end is. (A rolling purge has neither; it is signed for by its policy version.)
pub fn needed(anchors: &Anchors) -> Needed {
    Needed { service: anchors.contract_ended.is_some(), customer: anchors.customer_ended.is_some() }
}

/// Whether a plan may not be carried out because something in it that cannot be undone was not signed for.
pub fn is_missing(plan: &Plan, request: &Request) -> bool {
    let erases = plan.steps.iter().any(|step| step.action.is_irreversible());
    let covered = match request.about {
        About::End(_) => is_end_covered(&request.anchors, &request.approvals),
        // Somebody signed this very version: another one's rules are another promise.
        About::Purge { .. } => request.approvals.policy.as_ref().is_some_and(|signed| signed.policy == plan.policy),
    };
    erases && !covered
}

/// Whether every end that a request with these dates carries was signed for. One with no date at all is nobody's, and
/// never approved.
fn is_end_covered(anchors: &Anchors, approvals: &Approvals) -> bool {
    let needed = needed(anchors);
    (!needed.service || approvals.service.is_some())
        && (!needed.customer || approvals.customer.is_some())
        && (needed.service || needed.customer)
}

/// What was signed for is added to what was before. What a host refused for want of a cause may be tried again at once.
pub(crate) fn take(view: &mut View, approvals: &Approvals) -> Result<(), Refused> {
    if view.request.state == RequestState::Done {
        return Err(Refused::Done);
    }
    let known = &mut view.request.approvals;
    known.service = approvals.service.clone().or(known.service.take());
    known.customer = approvals.customer.clone().or(known.customer.take());
    known.policy = approvals.policy.clone().or(known.policy.take());
    for job in view.jobs.iter_mut().filter(|job| job.state == JobState::Waiting) {
        if job.setback.as_ref().is_some_and(|setback| setback.code == Some(Code::BadCause)) {
            job.due = job.step.due;
        }
    }
    Ok(())
}

/// Follows from plan, dates and approvals alone. Until data has begun to go, what was approved can need approval again: a
/// new plan may erase more than was signed for.
pub(crate) fn settle(view: &mut View) {
    let request = &mut view.request;
    let Some(plan) = &view.plan else { return };
    let missing = is_missing(plan, request);
    request.facts.needs_approval = missing && request.state < RequestState::Running;
    if matches!(request.state, RequestState::Planned | RequestState::Approved) {
        request.state = if missing { RequestState::Planned } else { RequestState::Approved };
    }
}

#[cfg(test)]
mod tests {
    use gallra_model::job::Action;
    use gallra_model::request::{Approval, PolicyApproval};

    use super::*;
    use crate::request::tests::{plan, request};

    fn approvals(service: bool, customer: bool) -> Approvals {
        let approval = Approval { by: "billing".to_owned(), at: gallra_model::Instant::UNIX_EPOCH, key: String::new() };
        Approvals { service: service.then(|| approval.clone()), customer: customer.then_some(approval), policy: None }
    }

    fn anchors(contract: bool, customer: bool) -> Anchors {
        let day = gallra_model::Day::constant(2026, 1, 31);
        Anchors {
            contract_ended: contract.then_some(day),
            customer_ended: customer.then_some(day),
            ..Anchors::default()
        }
    }

    #[test]
    fn each_end_needs_its_own_signature() {
        let erasing = plan(1, None, &[]);
        // (contract's end, customer's end), (service signed for, customer signed for), missing
        for (ends, signed, missing) in [
            ((true, false), (false, false), true),
            ((true, false), (true, false), false),
            ((true, false), (false, true), true),
            ((false, true), (true, false), true),
            ((false, true), (false, true), false),
            ((true, true), (true, false), true),
            ((true, true), (false, true), true),
            ((true, true), (true, true), false),
            ((false, false), (true, true), true),
        ] {
            let request =
                Request { anchors: anchors(ends.0, ends.1), approvals: approvals(signed.0, signed.1), ..request() };
            let found = is_missing(&erasing, &request);
            assert_eq!(found, missing, "{ends:?} {signed:?}");
        }
    }

    #[test]
    fn a_plan_that_erases_nothing_needs_no_signature() {
        let mut keeping = plan(1, None, &[]);
        keeping.steps.retain(|step| step.action != Action::Erase);
        assert!(!is_missing(&keeping, &Request { anchors: anchors(true, true), ..request() }));
    }

    #[test]
    fn a_purge_needs_a_signature_of_its_own_policy_version_and_no_other() {
        let mut purging = plan(1, None, &[]);
        purging.steps.retain(|step| step.action == Action::Erase);
        purging.steps.iter_mut().for_each(|step| step.action = Action::Purge);
        let about = About::Purge {
            day: gallra_model::Day::constant(2026, 8, 31),
            since: None,
            seal: gallra_model::SubjectId::from_bytes([5; 16]),
        };
        let signed = |policy| PolicyApproval { policy, approval: approvals(true, true).service.expect("there") };
        let other = gallra_model::Digest::of(b"another version");
        for (approvals, missing) in [
            (Approvals { policy: Some(signed(purging.policy)), ..Approvals::default() }, false),
            (Approvals { policy: Some(signed(other)), ..Approvals::default() }, true),
            (approvals(true, true), true),
            (Approvals::default(), true),
        ] {
            let request = Request { about, approvals, ..request() };
            assert_eq!(is_missing(&purging, &request), missing, "{:?}", request.approvals);
        }
    }
}
