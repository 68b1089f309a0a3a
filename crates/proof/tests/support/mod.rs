//! A synthetic request with fixed keys and times, from its plan to the last look: what the issuer would hold. Tests break
//! one thing of it at a time.

#![allow(dead_code, reason = "each test file uses its own part of the story")]
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a story with a missing part should fail at once")]

use std::collections::BTreeMap;

use gallra_model::copy::{CopyListing, Expected, ListedCopy, Reclaimed};
use gallra_model::envelope::Envelope;
use gallra_model::job::{Action, Keep};
use gallra_model::outcome::Counts;
use gallra_model::plan::{After, Anchors, BackupExpectation, EvidenceKey, Plan, Step};
use gallra_model::proof::{PROOF_FORMAT, ProofFile, Statement};
use gallra_model::receipt::{Check, Kept, Receipt, Tally, Verdict};
use gallra_model::request::{About, Approvals, Facts, Obligation, Parties, Request, RequestState};
use gallra_model::target::{CopyLife, Role, TargetKind};
use gallra_model::{
    AgentName, Clock, ContractId, CopyId, CustomerId, Day, Digest, Instant, JobId, ObligationId, Pseudonym, RequestId,
    SubjectId,
};
use gallra_proof::key::SigningKey;
use gallra_proof::statement::{self, Evidence};
use gallra_proof::{file, plan, receipt};

pub(crate) const ISSUED: &str = "2026-09-01T09:00:00Z";
pub(crate) const RETAINED: u64 = 3;

pub(crate) fn at(text: &str) -> Instant {
    text.parse().expect("a literal instant")
}

pub(crate) fn day(text: &str) -> Day {
    text.parse().expect("a literal day")
}

/// Everything that the issuer holds, and all keys.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) issuer: SigningKey,
    pub(crate) agents: BTreeMap<String, SigningKey>,
    pub(crate) request: Request,
    pub(crate) plan: Plan,
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) obligations: Vec<Obligation>,
    pub(crate) clock: Clock,
}

impl Story {
    /// The story up to the last look.
    pub(crate) fn complete() -> Self {
        let mut story = Self::planned();
        for (number, time) in (1..=4).zip(["08:00:00", "08:01:00", "08:02:00", "08:03:00"]) {
            story.acts(number, &format!("2026-02-25T{time}Z"));
        }
        story.last().listing = Some(listing("2026-02-25T08:03:00Z", &[1, 2, 3], None));
        for number in 5..=11 {
            story.acts(number, &format!("2026-02-28T21:{number:02}:00Z"));
        }
        story.observes("2026-03-01T04:00:00Z", &[1, 2, 3, 4], None);
        story.observes("2026-06-01T04:00:00Z", &[3, 4], Some(true));
        story.observes("2026-08-25T04:00:00Z", &[], Some(true));
        for number in 13..=15 {
            story.acts(number, &format!("2026-08-25T05:{number:02}:00Z"));
        }
        story
    }

    /// The story up to the day after the live erasure: the set of copies is closed, none is gone.
    pub(crate) fn halfway() -> Self {
        let mut story = Self::complete();
        story.receipts.retain(|receipt| receipt.started < at("2026-03-02T00:00:00Z"));
        story
    }

    /// One day's rolling purge of two logs, done.
    pub(crate) fn purged() -> Self {
        let mut story = Self::planned();
        story.request.about =
            About::Purge { day: day("2026-08-28"), since: None, seal: SubjectId::from_bytes([0xa5; 16]) };
        story.obligations.clear();
        story.plan.anchors = Anchors::default();
        story.plan.backups.clear();
        story.plan.purge = Some(day("2026-08-28"));
        story.plan.steps.retain(|step| step.number <= 2);
        for step in &mut story.plan.steps {
            step.action = Action::Purge;
            step.kind = TargetKind::AccessLog;
            step.category = "access-logs".parse().unwrap();
            step.rule = "webone/access-logs".to_owned();
            step.latest = Some(day("2026-08-28"));
            step.older_than = Some(at("2026-02-28T23:00:00Z"));
        }
        story.plan.agents.retain(|key| key.agent.as_str() == "web1");
        story.acts(1, "2026-08-28T01:00:00Z");
        story.acts(2, "2026-08-28T01:01:00Z");
        story
    }

    /// Nothing has been done yet.
    pub(crate) fn planned() -> Self {
        let agents: BTreeMap<String, SigningKey> = ["web1", "db1", "backup1"]
            .into_iter()
            .zip(2..)
            .map(|(name, seed)| (name.to_owned(), SigningKey::from_seed(&[seed; 32])))
            .collect();
        let keys = agents
            .iter()
            .map(|(name, key)| EvidenceKey { agent: name.parse().unwrap(), key: key.verifying().to_hex() });
        let plan = Plan {
            request: RequestId::from_bytes([0xa1; 16]),
            number: 1,
            parent: None,
            policy: Digest::of(b"the policy pack"),
            made: at("2026-02-24T08:00:00Z"),
            clock: Clock::Simulated,
            anchors: Anchors { contract_settled: Some(day("2026-01-31")), ..Anchors::default() },
            purge: None,
            agents: keys.collect(),
            steps: steps(),
            backups: vec![BackupExpectation {
                agent: "backup1".parse().unwrap(),
                target: "vault".parse().unwrap(),
                rule: "webone/backup".to_owned(),
                life: CopyLife::AtMost { days: 180 },
                strategy: None,
                expected: Some(day("2026-08-27")),
                latest: Some(day("2026-08-28")),
            }],
            approvals: Vec::new(),
            restrictions: Vec::new(),
            holds: Vec::new(),
            notes: Vec::new(),
            terms: Vec::new(),
            changes: Vec::new(),
        };
        let issuer = SigningKey::from_seed(&[1; 32]);
        let obligation = Obligation {
            handle: ObligationId::from_bytes([0xb0; 16]),
            request: plan.request,
            agent: "db1".parse().unwrap(),
            target: "register".parse().unwrap(),
            items: RETAINED,
            keep: keep(),
        };
        let request = request(plan.request);
        Self {
            issuer,
            agents,
            request,
            plan,
            receipts: Vec::new(),
            obligations: vec![obligation],
            clock: Clock::Simulated,
        }
    }

    /// A receipt that settles a step, begun at a time and finished a second later.
    pub(crate) fn acts(&mut self, number: u32, started: &str) {
        let receipt = done(self.step(number), at(started), self.clock);
        self.receipts.push(receipt);
    }

    /// An observation, with these copies left.
    pub(crate) fn observes(&mut self, listed: &str, copies: &[u8], reclaimed: Option<bool>) {
        self.acts(12, listed);
        let attempt = self.of(12).count().try_into().expect("few observations");
        self.last().attempt = attempt;
        self.last().listing = Some(listing(listed, copies, reclaimed));
    }

    pub(crate) fn step(&self, number: u32) -> &Step {
        self.plan.steps.iter().find(|step| step.number == number).expect("a step of the plan")
    }

    pub(crate) fn step_mut(&mut self, number: u32) -> &mut Step {
        self.plan.steps.iter_mut().find(|step| step.number == number).expect("a step of the plan")
    }

    pub(crate) fn of(&self, number: u32) -> impl Iterator<Item = &Receipt> {
        let job = self.step(number).job;
        self.receipts.iter().filter(move |receipt| receipt.job == job)
    }

    /// The first receipt of a step.
    pub(crate) fn receipt_mut(&mut self, number: u32) -> &mut Receipt {
        let job = self.step(number).job;
        self.receipts.iter_mut().find(|receipt| receipt.job == job).expect("a receipt of the step")
    }

    pub(crate) fn last(&mut self) -> &mut Receipt {
        self.receipts.last_mut().expect("a receipt")
    }

    pub(crate) fn without(mut self, number: u32) -> Self {
        let job = self.step(number).job;
        self.receipts.retain(|receipt| receipt.job != job);
        self
    }

    fn envelopes(&self) -> (Envelope, Vec<Envelope>) {
        let plan = plan::sign(&self.plan, &self.issuer).expect("signs");
        let sign = |r: &Receipt| receipt::sign(r, &self.agents[r.agent.as_str()]).expect("signs");
        (plan, self.receipts.iter().map(sign).collect())
    }

    fn with_evidence<T>(&self, use_it: impl FnOnce(&Evidence<'_>) -> T) -> T {
        let (plan, receipts) = self.envelopes();
        let receipts: Vec<(Receipt, Digest)> = receipts
            .iter()
            .zip(&self.receipts)
            .map(|(envelope, receipt)| (receipt.clone(), gallra_proof::dsse::payload_digest(envelope).unwrap()))
            .collect();
        use_it(&Evidence {
            request: &self.request,
            plan: &self.plan,
            plan_digest: gallra_proof::dsse::payload_digest(&plan).unwrap(),
            jobs: &[],
            receipts: &receipts,
            copies: &[],
            obligations: &self.obligations,
        })
    }

    /// What the issuer would say now.
    pub(crate) fn statement(&self) -> Statement {
        self.statement_at(ISSUED)
    }

    pub(crate) fn statement_at(&self, issued: &str) -> Statement {
        self.with_evidence(|evidence| statement::assemble(evidence, 2, at(issued), self.clock))
    }

    pub(crate) fn open_points(&self) -> Vec<String> {
        self.with_evidence(|evidence| statement::open_points(evidence, at(ISSUED), self.clock))
    }

    /// The parts of the file, with a statement of one's choice.
    pub(crate) fn file(&self, said: &Statement) -> ProofFile {
        let (plan, receipts) = self.envelopes();
        ProofFile { format: PROOF_FORMAT.to_owned(), statement: statement::sign(said, &self.issuer), plan, receipts }
    }

    /// The bytes that would be handed out.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        file::write(&self.file(&self.statement())).expect("writes")
    }

    /// The bytes of a file whose statement the issuer altered before signing it.
    pub(crate) fn lying(&self, alter: impl FnOnce(&mut Statement)) -> Vec<u8> {
        let mut said = self.statement();
        alter(&mut said);
        file::write(&self.file(&said)).expect("writes")
    }

    pub(crate) fn trusted(&self) -> gallra_verify::IssuerKey {
        gallra_verify::IssuerKey::parse(&self.issuer.verifying().to_pem()).expect("a key")
    }

    pub(crate) fn verdict(&self) -> gallra_verify::Verdict {
        gallra_verify::verify(&self.bytes(), &[self.trusted()])
    }
}

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

fn steps() -> Vec<Step> {
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
