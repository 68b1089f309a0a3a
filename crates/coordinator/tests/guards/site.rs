//! A coordinator's real core on a real store, one agent that is played by the test, and contracts that end.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gallra_coordinator::causes::Brought;
use gallra_coordinator::contracts::{End, Start};
use gallra_coordinator::core::Core;
use gallra_coordinator::error::encode;
use gallra_coordinator::init::{self, Init};
use gallra_coordinator::issue::StoredProof;
use gallra_coordinator::joining::Joining;
use gallra_coordinator::layout::Layout;
use gallra_coordinator::policies::StoredPolicy;
use gallra_coordinator::{leader, opening, state};
use gallra_flow::permit::Asking;
use gallra_flow::view::View;
use gallra_model::cause::{Cause, Ground, Salts, commit_customer, commit_service};
use gallra_model::contract::Contract;
use gallra_model::envelope::Envelope;
use gallra_model::job::Action;
use gallra_model::outcome::Counts;
use gallra_model::permit::Denial;
use gallra_model::plan::After;
use gallra_model::receipt::{Code, Receipt, Tally, Verdict};
use gallra_model::request::JobRecord;
use gallra_model::restore::Restore;
use gallra_model::selector::ExternalId;
use gallra_model::statement::Commitment;
use gallra_model::target::{Inventory, Mode, Role, Scope, TargetInfo, TargetKind};
use gallra_model::{AgentName, Clock, Day, Digest, Instant, JobId, Nonce, Pseudonym, RequestId};
use gallra_proof::key::SigningKey;
use gallra_store::{Txn, keys};

/// Weeks after everything was due.
const NOW: &str = "2026-04-01T10:00:00Z";
/// The first day of every contract.
pub(crate) const STARTED: Day = Day::constant(2026, 1, 2);
/// The last day of every contract, and the day of its settlement.
pub(crate) const ENDED: Day = Day::constant(2026, 1, 31);

/// A coordinator and its only agent.
pub(crate) struct Site {
    pub(crate) core: Arc<Core>,
    pub(crate) folder: tempfile::TempDir,
    evidence: SigningKey,
    cause: SigningKey,
    /// The last statement about each job that is not done.
    said: Mutex<BTreeMap<JobId, Digest>>,
    /// What the last permit of each job was for, and which tree it quoted.
    quoted: Mutex<BTreeMap<JobId, (Digest, Option<Commitment>)>>,
}

/// A contract that ended, and the job that erases its data.
pub(crate) struct Leaving {
    pub(crate) contract: Contract,
    pub(crate) request: RequestId,
    pub(crate) erase: JobRecord,
}

pub(crate) fn id(text: &str) -> ExternalId {
    text.parse().expect("a literal id")
}

pub(crate) fn agent() -> AgentName {
    "web1".parse().expect("a literal name")
}

/// A target of this name: `logs`, `ip` and `net` are ones whose lines leave by their own age, `chat` is rows that should, every
/// other one holds a customer's files.
pub(crate) fn info(target: &str) -> TargetInfo {
    let (kind, category) = match target {
        "logs" => (TargetKind::AccessLog, "access-logs"),
        "ip" => (TargetKind::AccessLog, "ip"),
        "net" => (TargetKind::AccessLog, "network-logs"),
        "chat" => (TargetKind::Sql, "chat"),
        _ => (TargetKind::Files, "customer-data"),
    };
    TargetInfo {
        id: target.parse().expect("a literal name"),
        kind,
        category: category.parse().expect("a literal word"),
        role: Role::Processor,
        scope: Scope::Contract,
        mode: Mode::Act,
        purges: kind == TargetKind::AccessLog,
        strategy: None,
        copy_life: None,
        covers: Vec::new(),
        by_address: false,
    }
}

impl Site {
    /// A new one, whose agent reports these targets.
    pub(crate) async fn new(targets: &[&str]) -> Self {
        Self::braked(targets, u32::MAX).await
    }

    /// One whose brake is pulled by more ends a day than this.
    pub(crate) async fn braked(targets: &[&str], ends_per_day: u32) -> Self {
        Self::under("webone", targets, ends_per_day).await
    }

    /// The same under a shipped policy.
    pub(crate) async fn under(policy: &str, targets: &[&str], ends_per_day: u32) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().join("coordinator");
        let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../policies/{policy}.toml"));
        let init = Init {
            dir: dir.clone(),
            installation: "test".to_owned(),
            listen: "127.0.0.1:1".to_owned(),
            enrol_listen: "127.0.0.1:2".to_owned(),
            names: Vec::new(),
            policy,
            operator: "operator".to_owned(),
            provider: None,
            country: "SE".to_owned(),
            contact: "privacy@provider.example".to_owned(),
            authority: "IMY".to_owned(),
            root_holder: "management".to_owned(),
            time_authorities: Vec::new(),
            log_origin: None,
            approver: None,
        };
        init::run(&init).await.expect("a new coordinator");
        let now: Instant = NOW.parse().expect("a literal instant");
        let mut core = opening::open(&Layout::new(&dir), Some(now)).await.expect("it opens");
        core.brake_ends_per_day = ends_per_day;
        let site = Self {
            core: Arc::new(core),
            folder,
            evidence: SigningKey::from_seed(&[1; 32]),
            cause: SigningKey::from_seed(&[2; 32]),
            said: Mutex::default(),
            quoted: Mutex::default(),
        };
        site.join(targets).await;
        site
    }

    /// The same directory, opened again.
    pub(crate) async fn restarted(self) -> Self {
        self.looked_into(|_| ()).await.0
    }

    /// The same, with a look at the folder while nothing is open.
    pub(crate) async fn looked_into<T>(self, look: impl FnOnce(&Path) -> T) -> (Self, T) {
        let Self { core, folder, evidence, cause, said, quoted } = self;
        let now = core.time.now();
        let note = core.ledger.checkpoint().map(|signed| signed.note);
        drop(Arc::into_inner(core).expect("nobody else holds it"));
        let seen = look(&folder.path().join("coordinator"));
        let core = opening::open(&Layout::new(folder.path().join("coordinator")), Some(now)).await.expect("it opens");
        core.ledger.heard(&agent(), note.as_deref()).await.expect("heard");
        (Self { core: Arc::new(core), folder, evidence, cause, said, quoted }, seen)
    }

    /// The same directory, opened again after something was done to it while nothing was open.
    pub(crate) async fn while_stopped<T>(self, work: impl AsyncFnOnce(Layout, Instant) -> T) -> (Self, T) {
        let Self { core, folder, evidence, cause, said, quoted } = self;
        let now = core.time.now();
        let note = core.ledger.checkpoint().map(|signed| signed.note);
        drop(Arc::into_inner(core).expect("nobody else holds it"));
        let layout = Layout::new(folder.path().join("coordinator"));
        let done = work(layout.clone(), now).await;
        let core = opening::open(&layout, Some(now)).await.expect("it opens");
        core.ledger.heard(&agent(), note.as_deref()).await.expect("heard");
        (Self { core: Arc::new(core), folder, evidence, cause, said, quoted }, done)
    }

    /// Moves the clock, and what time moves.
    pub(crate) async fn advance(&self, to: &str) {
        self.core.time.advance(to.parse().expect("a literal instant")).expect("forward");
        leader::run_due(&self.core).await.expect("moved");
    }

    async fn join(&self, targets: &[&str]) {
        self.joins().await;
        self.core.ledger.heard(&agent(), None).await.expect("heard");
        self.reports(targets.iter().map(|target| info(target)).collect()).await;
        self.core.register_cause_key(&self.cause.verifying(), "approver").await.expect("registered");
    }

    /// The agent joins with the key that it has now.
    pub(crate) async fn joins(&self) {
        let name = agent();
        let (token, _) = self.core.invite_agent(&name, Duration::from_secs(60)).await.expect("invited");
        let (_, csr) = gallra_identity::new_csr(name.as_str()).expect("a request for a certificate");
        let joining = Joining { name: &name, evidence: &self.evidence.verifying(), csr_pem: &csr };
        self.core.join_agent(&token.secret, &joining).await.expect("joined");
    }

    /// The host joins again under the same name, with another key, and reports these targets.
    pub(crate) async fn joins_again(&mut self, seed: u8, targets: &[&str]) {
        self.evidence = SigningKey::from_seed(&[seed; 32]);
        self.joins().await;
        self.reports(targets.iter().map(|target| info(target)).collect()).await;
    }

    /// The agent's key.
    pub(crate) fn evidence(&self) -> Digest {
        Digest::of(&self.evidence.verifying().to_spki())
    }

    /// What the agent signs of a restore.
    pub(crate) fn says(&self, said: &Restore) -> Envelope {
        gallra_proof::restore::sign(said, &[], &self.evidence).expect("signs")
    }

    /// From now on the agent reports these targets.
    pub(crate) async fn reports(&self, targets: Vec<TargetInfo>) {
        let inventory = Inventory { agent: agent(), evidence_key: self.evidence.verifying().to_hex(), targets };
        let txn = Txn::new().put(keys::inventory(&agent()), encode(&inventory).expect("encodes"));
        self.core.store.commit(txn).await.expect("commits");
    }

    /// A contract that is sold, ends, is settled and is planned, and whose targets are inspected.
    pub(crate) async fn leaves(&self, service: &str, customer: &str) -> Leaving {
        self.sells(service, customer).await;
        self.ends(service, customer).await
    }

    /// A sale.
    pub(crate) async fn sells(&self, service: &str, customer: &str) {
        let start =
            Start { service: id(service), customer: id(customer), addresses: vec![], started: STARTED, version: 0 };
        self.core.start_contract(&start).await.expect("sold");
    }

    /// The same of a contract that was sold, or resumed.
    pub(crate) async fn ends(&self, service: &str, customer: &str) -> Leaving {
        let (contract, request) = self.ends_only(service, customer).await;
        self.inspects(&request).await;
        let erase = self.jobs(&request, Action::Erase).await.remove(0);
        Leaving { contract, request, erase }
    }

    /// The same, before anything is inspected.
    pub(crate) async fn ends_only(&self, service: &str, customer: &str) -> (Contract, RequestId) {
        let end = End { service: id(service), ended: ENDED, version: 0, cause: Some(self.signed(service, customer)) };
        let request = self.core.end_contract(&end).await.expect("ended").request.expect("a request");
        let contract = self.core.settle_contract(&id(service), ENDED, 0).await.expect("settled");
        leader::run_due(&self.core).await.expect("planned");
        (contract, request)
    }

    /// The agent inspects what the current plan asks for.
    pub(crate) async fn inspects(&self, request: &RequestId) {
        let inspects = self.jobs(request, Action::Inspect).await;
        assert!(!inspects.is_empty(), "a plan with dates inspects");
        for job in inspects {
            self.ask(&job.id()).await.expect("an inspection is permitted");
            self.report(request, &job.id(), Verdict::Done, None).await;
        }
    }

    /// Has a request planned and its targets inspected. Gives the job that erases.
    pub(crate) async fn planned(&self, request: &RequestId) -> JobRecord {
        leader::run_due(&self.core).await.expect("planned");
        self.inspects(request).await;
        self.jobs(request, Action::Erase).await.remove(0)
    }

    /// Billing's signature on the end of this service and this customer.
    pub(crate) fn cause(&self, service: &str, customer: &str) -> Brought {
        self.signed(service, customer)
    }

    /// The approver's signature on a policy version.
    pub(crate) fn signed_purges(&self, policy: Digest) -> Brought {
        let cause = Cause {
            ground: Ground::RollingPurge,
            service: None,
            customer: None,
            ended: None,
            policy: Some(policy),
            signed: NOW.parse().expect("a literal instant"),
            clock: Clock::Simulated,
        };
        let envelope = gallra_proof::cause::sign(&cause, &self.cause).expect("signs");
        Brought { envelope, salts: Salts::default(), by: "approver".to_owned() }
    }

    fn signed(&self, service: &str, customer: &str) -> Brought {
        let salt = Nonce::from_bytes([3; 16]);
        let cause = Cause {
            ground: Ground::ContractEnd,
            service: Some(commit_service(&salt, &id(service))),
            customer: Some(commit_customer(&salt, &id(customer))),
            ended: Some(ENDED),
            policy: None,
            signed: NOW.parse().expect("a literal instant"),
            clock: Clock::Simulated,
        };
        let envelope = gallra_proof::cause::sign(&cause, &self.cause).expect("signs");
        Brought { envelope, salts: Salts { service: Some(salt), customer: Some(salt) }, by: "billing".to_owned() }
    }

    /// The shipped policy with a change in its text.
    pub(crate) fn policy(&self, change: impl Fn(&str) -> String) -> StoredPolicy {
        let read = |name: &str| {
            let path = self.folder.path().join("coordinator/policy").join(format!("{name}.toml"));
            std::fs::read_to_string(path).expect("a pack")
        };
        let packs = [("webone", change(&read("webone"))), ("law-se", read("law-se"))];
        StoredPolicy {
            name: "webone".to_owned(),
            packs: packs.into_iter().map(|(name, text)| (name.to_owned(), text)).collect(),
            by: "bertil".to_owned(),
            at: self.core.time.now(),
            cause: None,
        }
    }

    pub(crate) async fn view(&self, request: &RequestId) -> View {
        state::load(&*self.core.store, request).await.expect("loads").view
    }

    /// The current plan's jobs of an action, in the plan's order.
    pub(crate) async fn jobs(&self, request: &RequestId, action: Action) -> Vec<JobRecord> {
        let view = self.view(request).await;
        let mut jobs: Vec<_> = view.current_jobs().filter(|job| job.step.action == action).cloned().collect();
        jobs.sort_by_key(|job| job.step.number);
        jobs
    }

    /// The erasing job as it is stored.
    pub(crate) async fn job(&self, leaving: &Leaving) -> JobRecord {
        self.stored(&leaving.request, &leaving.erase.id()).await
    }

    pub(crate) async fn stored(&self, request: &RequestId, job: &JobId) -> JobRecord {
        let entry = self.core.store.get(&keys::job(request, job)).await.expect("reads").expect("the job");
        serde_json::from_slice(&entry.value).expect("a job's record")
    }

    /// What the agent would ask for a job now.
    pub(crate) async fn asking(&self, job: &JobId) -> Asking {
        // What the sequencer's task does within milliseconds.
        self.core.ledger.pass(self.core.time.now()).await.expect("a pass over the log");
        let offer = self.core.offer(job).await.expect("reads").expect("an offer");
        Asking {
            agent: agent(),
            job: *job,
            spec: Digest::of(offer.as_bytes()),
            nonce: Nonce::from_bytes([7; 16]),
            permitted_on_this_stream: false,
            going_on: None,
        }
    }

    /// What the agent would ask for in the middle of an attempt.
    pub(crate) async fn asking_on(&self, job: &JobId, attempt: u32) -> Asking {
        Asking { going_on: Some(attempt), ..self.asking(job).await }
    }

    pub(crate) async fn ask(&self, job: &JobId) -> Result<Envelope, Denial> {
        let asking = self.asking(job).await;
        let answer = self.core.ask(&asking).await.expect("an answer");
        if let Ok(envelope) = &answer {
            let (permit, _) = gallra_proof::permit::open(envelope, &self.core.permits.verifying()).expect("signed");
            self.quoted.lock().expect("nobody panicked").insert(*job, (asking.spec, permit.commitment));
        }
        answer
    }

    /// The agent's receipt for the newest attempt.
    pub(crate) async fn report(&self, request: &RequestId, job: &JobId, verdict: Verdict, code: Option<Code>) {
        self.report_hint(request, job, (verdict, code), "").await;
    }

    /// The same with a driver's hint. Gives the digest of what was signed.
    pub(crate) async fn report_hint(
        &self,
        request: &RequestId,
        job: &JobId,
        ending: (Verdict, Option<Code>),
        hint: &str,
    ) -> Digest {
        let envelope = self.receipt_hint(request, job, ending, hint).await;
        self.core.take_receipt(&agent(), &envelope).await.expect("taken");
        gallra_proof::dsse::payload_digest(&envelope).expect("a payload")
    }

    /// What the agent would sign of the newest attempt.
    pub(crate) async fn receipt(
        &self,
        request: &RequestId,
        job: &JobId,
        verdict: Verdict,
        code: Option<Code>,
    ) -> Envelope {
        self.receipt_hint(request, job, (verdict, code), "").await
    }

    async fn receipt_hint(
        &self,
        request: &RequestId,
        job: &JobId,
        (verdict, code): (Verdict, Option<Code>),
        hint: &str,
    ) -> Envelope {
        let record = self.stored(request, job).await;
        let now = self.core.time.now();
        let count = |action| u64::from(verdict == Verdict::Done && record.step.action == action);
        let erased = count(Action::Erase) + count(Action::Purge);
        let counts = Counts { erased, absent: count(Action::Confirm), ..Counts::default() };
        let previous = self.said.lock().expect("nobody panicked").get(job).copied();
        let quoted = self.quoted.lock().expect("nobody panicked").get(job).copied();
        let (spec, commitment) = quoted.unwrap_or((Digest::of(b"offer"), None));
        let receipt = Receipt {
            commitment,
            previous,
            job: *job,
            attempt: record.attempt,
            agent: agent(),
            target: record.step.target.clone(),
            kind: record.step.kind,
            action: record.step.action,
            pseudonym: Pseudonym::from_bytes([5; 16]),
            spec,
            permit: None,
            instance: Some(Digest::of(b"inode")),
            verdict,
            code,
            hint: hint.to_owned(),
            counts,
            before: Tally::default(),
            after: Tally::default(),
            checks: Vec::new(),
            older_than: record.step.older_than,
            listing: None,
            kept: None,
            started: now,
            finished: now,
            clock: Clock::Simulated,
            software: String::new(),
        };
        let again = record.step.after.contains(&After::CopiesGone);
        let envelope = gallra_proof::receipt::sign(&receipt, again, &self.evidence).expect("signs");
        let digest = gallra_proof::dsse::payload_digest(&envelope).expect("a payload");
        let mut said = self.said.lock().expect("nobody panicked");
        if receipt.ends_its_job() {
            said.remove(job);
        } else {
            said.insert(*job, digest);
        }
        drop(said);
        envelope
    }

    /// What is handed out of a proof, once the log has all of it.
    pub(crate) async fn file(&self, request: &RequestId, proof: &StoredProof) -> Vec<u8> {
        self.core.ledger.pass(self.core.time.now()).await.expect("a pass over the log");
        self.core.proof_file(request, proof).await.expect("a file")
    }

    /// An act that was stopped at an item's boundary: the job is ready again.
    pub(crate) async fn stopped(&self, leaving: &Leaving) {
        self.report(&leaving.request, &leaving.erase.id(), Verdict::Failed, Some(Code::Stopped)).await;
    }
}
