//! A synthetic request with fixed keys and times, from its plan to the last look: what the issuer would hold, and the log that
//! it is in. Tests break one thing of it at a time.

#![allow(dead_code, reason = "each test file uses its own part of the story")]
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a story with a missing part should fail at once")]

pub(crate) mod keys;
pub(crate) mod log;
pub(crate) mod made;
pub(crate) mod parts;
pub(crate) mod scaled;

use std::collections::BTreeMap;

use gallra_model::job::Action;
use gallra_model::manifest::KeyEvent;
use gallra_model::plan::{After, Anchors, BackupExpectation, Plan, Step};
use gallra_model::proof::{Proof, RecipientResult};
use gallra_model::receipt::Receipt;
use gallra_model::request::{About, Obligation, Request};
use gallra_model::restore::Restore;
use gallra_model::statement::{Subject, Type};
use gallra_model::target::{CopyLife, TargetKind};
use gallra_model::{Clock, Day, Digest, Instant, JobId, ObligationId, RequestId, SubjectId};
use gallra_proof::key::SigningKey;
use gallra_proof::subject::{ClaimCode, Identifier, Kind, commitments};
use made::{Draft, Later, Made};
use parts::steps;
use parts::{done, keep, listing, request};

pub(crate) const ISSUED: &str = "2026-09-01T09:00:00Z";
pub(crate) const RETAINED: u64 = 3;

pub(crate) fn at(text: &str) -> Instant {
    text.parse().expect("a literal instant")
}

pub(crate) fn day(text: &str) -> Day {
    text.parse().expect("a literal day")
}

/// What the subject holds.
pub(crate) fn code() -> ClaimCode {
    ClaimCode::from_bytes(*b"abcdefghijklmnopqrst")
}

/// Who the request is about.
pub(crate) fn identifiers() -> Vec<Identifier> {
    let all = [
        (Kind::CustomerNumber, "K-100144"),
        (Kind::Service, "web-88213"),
        (Kind::PersonalNumber, "19811218-9876"),
        (Kind::Email, "Anna.S@example.org"),
    ];
    all.into_iter().map(|(kind, text)| Identifier::new(kind, text).expect("a literal identifier")).collect()
}

/// Everything that the issuer holds, and all keys.
pub(crate) struct Story {
    /// Of both issuer keys.
    pub(crate) issuer_seed: u8,
    /// Who signs for an agent.
    pub(crate) agents: BTreeMap<String, SigningKey>,
    /// What is said of keys before the request.
    pub(crate) enrolled: Vec<KeyEvent>,
    /// What is said of keys between the plan and the first attempt.
    pub(crate) between: Vec<KeyEvent>,
    /// What is said of keys after the proof: in the key file only.
    pub(crate) later: Vec<Later>,
    pub(crate) request: Request,
    pub(crate) plan: Plan,
    pub(crate) receipts: Vec<Receipt>,
    /// Which of them the issuer keeps out of the file.
    pub(crate) left_out: Vec<usize>,
    pub(crate) restores: Vec<Restore>,
    pub(crate) notifications: Vec<RecipientResult>,
    pub(crate) obligations: Vec<Obligation>,
    pub(crate) clock: Clock,
    pub(crate) issued: Instant,
    pub(crate) sequence: u32,
    /// A final proof was issued before.
    pub(crate) amends: bool,
    /// A closed set of copies is said.
    pub(crate) says_set: bool,
    /// The tree that the permits quote is a checkpoint of the file, which the witness cosigned.
    pub(crate) witnessed: bool,
    /// Permits quote a tree that does not have the plan yet.
    pub(crate) quotes_before_plan: bool,
    /// Entries about others before each of this request.
    pub(crate) crowd: u64,
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
        let enrolled = agents.iter().map(|(name, key)| keys::enrolled(name, &key.verifying())).collect();
        let plan = Plan {
            request: RequestId::from_bytes([0xa1; 16]),
            number: 1,
            parent: None,
            policy: Digest::of(b"the policy pack"),
            made: at("2026-02-24T08:00:00Z"),
            clock: Clock::Simulated,
            anchors: Anchors { contract_settled: Some(day("2026-01-31")), ..Anchors::default() },
            purge: None,
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
            issuer_seed: keys::ISSUER,
            agents,
            enrolled,
            between: Vec::new(),
            later: Vec::new(),
            request,
            plan,
            receipts: Vec::new(),
            left_out: Vec::new(),
            restores: Vec::new(),
            notifications: Vec::new(),
            obligations: vec![obligation],
            clock: Clock::Simulated,
            issued: at(ISSUED),
            sequence: 2,
            amends: false,
            says_set: true,
            witnessed: false,
            quotes_before_plan: false,
            crowd: 0,
        }
    }

    /// One target, erased and confirmed, without a backup: a file that is short.
    pub(crate) fn small() -> Self {
        let mut story = Self::planned();
        story.plan.backups.clear();
        story.obligations.clear();
        story.plan.steps.retain(|step| [6, 9].contains(&step.number));
        story.step_mut(6).after.clear();
        let mut again = story.step(9).clone();
        (again.number, again.after, again.job) = (13, vec![After::CopiesGone], JobId::from_bytes([0x13; 16]));
        story.plan.steps.push(again);
        for (number, time) in [(6, "21:06:00"), (9, "21:09:00"), (13, "21:13:00")] {
            story.acts(number, &format!("2026-02-28T{time}Z"));
        }
        story
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

    /// What all statements about the request are about.
    pub(crate) fn subject(&self) -> Vec<Subject> {
        if self.plan.purge.is_some() {
            return vec![Subject::of_request(&self.request.id)];
        }
        Subject::of_commitments(&commitments(&code(), &identifiers()).expect("identifiers"))
    }

    /// Whether a receipt is of the look after the last copy went.
    pub(crate) fn is_again(&self, receipt: &Receipt) -> bool {
        let again = |step: &&Step| step.job == receipt.job && step.after.contains(&After::CopiesGone);
        receipt.action == Action::Confirm && self.plan.steps.iter().any(|step| again(&step))
    }

    fn notification(&self, said: &RecipientResult) -> made::Notification {
        made::Notification { request: self.request.id, said: said.clone(), clock: self.clock }
    }

    /// What the issuer would say now.
    pub(crate) fn statement(&self) -> Proof {
        self.made().proof
    }

    pub(crate) fn open_points(&self) -> Vec<String> {
        self.made().open
    }

    /// The bytes that would be handed out.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.made().bytes()
    }

    /// The bytes of a file whose proof the issuer altered before signing it.
    pub(crate) fn lying(&self, alter: impl FnOnce(&mut Proof)) -> Vec<u8> {
        let mut alter = Some(alter);
        self.forged(|draft| {
            if let Some(alter) = alter.take_if(|_| draft.kind == Type::Proof) {
                draft.text = made::altered(&draft.text, alter);
            }
        })
    }

    /// The bytes of a file of which something was altered before it was signed and entered.
    pub(crate) fn forged(&self, mut alter: impl FnMut(&mut Draft)) -> Vec<u8> {
        self.made_with(&mut alter).bytes()
    }

    /// What the operator publishes.
    pub(crate) fn key_file(&self) -> String {
        self.made().key_text()
    }

    /// The digest of the first manifest's payload.
    pub(crate) fn anchor(&self) -> String {
        let made = self.made();
        let first = gallra_proof::dsse::payload_digest(&made.keys.manifests[0].envelope).unwrap();
        format!("sha256:{first}\n")
    }

    /// The issuer's two public keys.
    pub(crate) fn issuer_pem(&self) -> String {
        keys::Pair::of(self.issuer_seed).issuer().public_pem()
    }

    pub(crate) fn trusted(&self) -> gallra_verify::Trust {
        gallra_verify::Trust::parse(&self.key_file()).expect("a key file")
    }

    /// What a holder of the key file is told.
    pub(crate) fn verdict(&self) -> gallra_verify::Verdict {
        verdict(&self.made())
    }
}

pub(crate) fn verdict(made: &Made) -> gallra_verify::Verdict {
    let trust = gallra_verify::Trust::parse(&made.key_text()).expect("a key file");
    gallra_verify::verify(&made.bytes(), &trust, &gallra_verify::Question::default())
}
