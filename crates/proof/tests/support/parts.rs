//! What a story consists of: a plan's steps, what agents say of them, listings of a backup store, what the issuer keeps.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a story with a missing part should fail at once")]

use gallra_model::copy::{CopyListing, Expected, ListedCopy, Reclaimed};
use gallra_model::job::{Action, Keep};
use gallra_model::outcome::Counts;
use gallra_model::plan::{After, Anchors, Step};
use gallra_model::receipt::{Check, Kept, Receipt, Tally, Verdict};
use gallra_model::request::{About, Approvals, Facts, Parties, Request, RequestState};
use gallra_model::target::{Role, TargetKind};
use gallra_model::{
    AgentName, Clock, ContractId, CopyId, CustomerId, Digest, Instant, JobId, ObligationId, Pseudonym, RequestId,
    SubjectId,
};

use super::{RETAINED, at, day};

pub(crate) fn request(id: RequestId) -> Request {
    Request {
        id,
        about: About::End(Parties {
            subject: SubjectId::from_bytes([0xa2; 16]),
            customer: CustomerId::from_bytes([0xa3; 16]),
            contract: ContractId::from_bytes([0xa4; 16]),
        }),
        earlier: vec![],
        received: at("2026-02-01T08:00:00Z"),
        state: RequestState::AwaitingCopies,
        facts: Facts::default(),
        anchors: Anchors::default(),
        approvals: Approvals::default(),
        plan: None,
        planned_under: None,
        live_confirmed: None,
        copies_closed: None,
        copies_gone: None,
        proofs: 1,
        proof_content: None,
        wake: None,
        done: None,
    }
}

pub(crate) fn keep() -> Keep {
    Keep {
        rule: "law/bookkeeping".to_owned(),
        ground: "SFS 1999:1078 ch. 7 s. 2".to_owned(),
        earliest: day("2034-01-01"),
        latest: None,
    }
}

pub(super) fn steps() -> Vec<Step> {
    let sites = ("web1", "sites", TargetKind::Files, "customer-data", Role::Processor);
    let mail = ("web1", "mail", TargetKind::Maildir, "customer-data", Role::Processor);
    let register = ("db1", "register", TargetKind::Sql, "contact", Role::Controller);
    let vault = ("backup1", "vault", TargetKind::Restic, "backup", Role::Processor);
    let list = [
        (sites, Action::Inspect, vec![]),
        (mail, Action::Inspect, vec![]),
        (register, Action::Inspect, vec![]),
        (vault, Action::Inspect, vec![]),
        (register, Action::Preserve, vec![After::Step(3)]),
        (sites, Action::Erase, vec![After::Step(1)]),
        (mail, Action::Erase, vec![After::Step(2)]),
        (register, Action::Erase, vec![After::Step(5)]),
        (sites, Action::Confirm, vec![After::Step(6)]),
        (mail, Action::Confirm, vec![After::Step(7)]),
        (register, Action::Confirm, vec![After::Step(8)]),
        (vault, Action::Observe, vec![After::LiveConfirmed]),
        (sites, Action::Confirm, vec![After::CopiesGone]),
        (mail, Action::Confirm, vec![After::CopiesGone]),
        (register, Action::Confirm, vec![After::CopiesGone]),
    ];
    let step = |(number, ((agent, target, kind, category, role), action, after))| Step {
        number,
        job: JobId::from_digest(&Digest::of(&[b'j', number.to_le_bytes()[0]])),
        agent: AgentName::try_from(String::from(agent)).unwrap(),
        target: String::from(target).try_into().unwrap(),
        kind,
        category: String::from(category).try_into().unwrap(),
        role,
        action,
        rule: if action == Action::Preserve { "law/bookkeeping" } else { "webone/customer-data" }.to_owned(),
        due: at(if number < 5 { "2026-02-24T08:00:00Z" } else { "2026-02-28T21:00:00Z" }),
        until: None,
        earliest: None,
        latest: None,
        after,
        keep: (action == Action::Preserve).then(keep),
        older_than: None,
    };
    (1..).zip(list).map(step).collect()
}

pub(crate) fn done(step: &Step, started: Instant, clock: Clock) -> Receipt {
    let counts = match step.action {
        Action::Preserve => Counts { retained: RETAINED, ..Counts::default() },
        Action::Erase | Action::Purge => Counts { erased: 40, ..Counts::default() },
        Action::Confirm => Counts { absent: 1, ..Counts::default() },
        Action::Inspect | Action::Restrict | Action::Observe => Counts::default(),
    };
    let kept = Kept { handle: ObligationId::from_bytes([0xb0; 16]), items: RETAINED, keep: keep() };
    Receipt {
        job: step.job,
        attempt: 1,
        agent: step.agent.clone(),
        target: step.target.clone(),
        kind: step.kind,
        action: step.action,
        pseudonym: Pseudonym::from_digest(&Digest::of(step.agent.as_str().as_bytes())),
        spec: Digest::of(&step.number.to_le_bytes()),
        permit: step.action.changes().then(|| Digest::of(b"a permit")),
        instance: Some(Digest::of(step.target.as_str().as_bytes())),
        verdict: Verdict::Done,
        code: None,
        hint: String::new(),
        counts,
        before: Tally { items: 40, bytes: 4096, others: 17 },
        after: Tally { items: 0, bytes: 0, others: 17 },
        checks: vec![Check { name: "raw-walk".to_owned(), count: 0, ok: true }],
        older_than: step.older_than,
        listing: None,
        commitment: None,
        previous: None,
        kept: (step.action == Action::Preserve).then_some(kept),
        started,
        finished: started + jiff::SignedDuration::from_millis(1_500),
        clock,
        software: "gallra-agent 0.1.0".to_owned(),
    }
}

pub(crate) fn copy_id(number: u8) -> CopyId {
    CopyId::from_bytes([0xc0 + number; 16])
}

/// A listing of copies that were begun a week apart; number 4 began within the clock bound after the last residue went.
pub(crate) fn listing(listed: &str, copies: &[u8], reclaimed: Option<bool>) -> CopyListing {
    let began = ["2026-02-08T03:00:00Z", "2026-02-15T03:00:00Z", "2026-02-22T03:00:00Z", "2026-02-28T21:20:00Z"];
    let expected = ["2026-05-09", "2026-05-16", "2026-08-21", "2026-08-24"];
    CopyListing {
        repository: Digest::of(b"the repository"),
        listed: at(listed),
        run_under_way: false,
        copies: copies
            .iter()
            .map(|&number| ListedCopy {
                copy: copy_id(number),
                began: at(began[usize::from(number) - 1]),
                expected: Expected::By(day(expected[usize::from(number) - 1])),
            })
            .collect(),
        reclaimed: reclaimed.map(|complete| Reclaimed {
            blobs_indexed: 90,
            blobs_referenced: if complete { 90 } else { 80 },
            packs_stored: 9,
            packs_indexed: 9,
        }),
    }
}
