//! A host for the tests: a state directory, a clock that is set, a driver that notes its calls, and the session's end of
//! the channel in the test's hand.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use gallra_flow::agent::privileged::{Host, Moment};
use gallra_flow::agent::record::Record;
use gallra_model::cause::{Backing, Cause, Ground, commit_service};
use gallra_model::job::{Action, JobSpec, Keep};
use gallra_model::message::{ToCoordinator, ToPrivileged, ToSession};
use gallra_model::outcome::Counts;
use gallra_model::permit::Permit;
use gallra_model::receipt::{Code, Receipt, Tally};
use gallra_model::selector::Selector;
use gallra_model::target::{Mode, Role, Scope, TargetInfo, TargetKind};
use gallra_model::{Clock, Digest, JobId, Nonce, Pseudonym};
use gallra_proof::key::{SigningKey, VerifyingKey};
use gallra_targets::{Boundary, Confirmation, Driver, Failure, Inspection, Preserved};

use super::super::{Half, HalfError, Keys, Memory, Setup, Target};
use crate::channel::{self, SessionEnd};
use crate::clock::random;
use crate::config::Causes;
use crate::journal::Journal;
use crate::vault::Vault;

/// Longest wait for an answer; reached only by a failing test.
const PATIENCE: Duration = Duration::from_secs(20);

fn permit_key() -> SigningKey {
    SigningKey::from_seed(&[1; 32])
}

pub(super) fn sign(permit: &Permit) -> gallra_model::envelope::Envelope {
    gallra_proof::permit::sign(permit, &permit_key()).expect("signs")
}

pub(super) fn spec(action: Action) -> JobSpec {
    JobSpec {
        again: false,
        job: JobId::from_bytes([action as u8 + 1; 16]),
        agent: "web1".parse().expect("a label"),
        action,
        target: "web".parse().expect("a label"),
        pseudonym: Pseudonym::from_bytes([3; 16]),
        salt: Nonce::from_bytes([8; 16]),
        generation: 1,
        plan: Digest::of(b"plan"),
        rule: "webone/customer-data".into(),
        selector: Selector {
            service: Some("anna.example".parse().expect("an id")),
            customer: None,
            addresses: Vec::new(),
        },
        instance: Some(Digest::of(b"tree")),
        keep: None,
        question: None,
        purge: None,
        cause: Some(backing(&cause_key())),
        clock: Clock::Real,
    }
}

fn cause_key() -> SigningKey {
    SigningKey::from_seed(&[3; 32])
}

/// The end of the service that [`spec`] selects, as whoever holds the key signs it.
pub(super) fn backing(key: &SigningKey) -> Backing {
    let salt = Nonce::from_bytes([4; 16]);
    let cause = Cause {
        ground: Ground::ContractEnd,
        service: Some(commit_service(&salt, &"anna.example".parse().expect("an id"))),
        customer: None,
        ended: None,
        policy: None,
        signed: "2026-02-01T00:00:00Z".parse().expect("a literal"),
        clock: Clock::Real,
    };
    Backing { envelope: gallra_proof::cause::sign(&cause, key).expect("signs"), salt: Some(salt) }
}

pub(super) fn keep() -> Keep {
    let earliest = "2034-01-01".parse().expect("a literal");
    Keep { rule: "law/bookkeeping".into(), ground: "SFS 1999:1078".into(), earliest, latest: None }
}

fn bytes_of(spec: &JobSpec) -> String {
    String::from_utf8(spec.to_bytes().expect("serialises")).expect("JSON")
}

pub(super) fn permit(spec: &JobSpec, nonce: Nonce) -> Permit {
    Permit {
        commitment: None,
        checkpoint: None,
        job: spec.job,
        agent: spec.agent.clone(),
        attempt: 1,
        spec: Digest::of(bytes_of(spec).as_bytes()),
        nonce,
        pseudonym: spec.pseudonym,
        target: spec.target.clone(),
        instance: spec.instance,
        action: spec.action,
        generation: spec.generation,
        not_before: "2026-03-01T02:00:00Z".parse().expect("a literal"),
        begin_within_seconds: 30,
        clock: Clock::Real,
    }
}

#[derive(Default)]
struct World {
    items: u64,
    /// Set: so many more items may go before the driver only asks, again and again.
    gate: Option<u64>,
    /// How long a look takes, on the boot-time clock.
    look_ms: u64,
    calls: Vec<&'static str>,
}

/// Notes every call, and erases three items.
struct Noting {
    world: Arc<Mutex<World>>,
    boot_ms: Arc<AtomicU64>,
    acting: mpsc::SyncSender<()>,
}

impl Noting {
    fn note(&self, call: &'static str) -> std::sync::MutexGuard<'_, World> {
        let mut world = self.world.lock().expect("no panic while held");
        world.calls.push(call);
        world
    }
}

impl Noting {
    fn one_may_go(&self) {
        let mut world = self.world.lock().expect("no panic while held");
        if world.gate > Some(0) {
            (world.gate, world.items) = (world.gate.map(|gate| gate - 1), world.items - 1);
            self.acting.send(()).expect("the disk outlives the driver");
        }
        drop(world);
        std::thread::yield_now();
    }
}

impl Driver for Noting {
    fn kind(&self) -> TargetKind {
        TargetKind::Files
    }

    fn inspect(&self, _: &Selector) -> Result<Inspection, Failure> {
        let World { items, look_ms, .. } = *self.note("inspect");
        self.boot_ms.fetch_add(look_ms, Ordering::SeqCst);
        let instance = (items > 0).then(|| Digest::of(b"tree"));
        Ok(Inspection { instance, found: Tally { items, ..Tally::default() }, residue: vec![] })
    }

    fn restrict(&self, _: &Selector, seen: &Inspection) -> Result<u64, Failure> {
        drop(self.note("restrict"));
        Ok(seen.found.items)
    }

    fn erase(&self, _: &Selector, seen: &Inspection, boundary: &mut dyn Boundary) -> Result<Counts, Failure> {
        let gated = self.note("erase").gate.is_some();
        self.acting.send(()).expect("the disk outlives the driver");
        while gated && self.world.lock().expect("no panic while held").items > 0 {
            if !boundary.may_go_on() {
                return Err(Failure::new(Code::Stopped, "stopped at an item"));
            }
            self.one_may_go();
        }
        self.note("erased").items = 0;
        Ok(Counts { erased: seen.found.items, ..Counts::default() })
    }

    fn confirm(&self, _: &Selector, _: &Inspection) -> Result<Confirmation, Failure> {
        Ok(Confirmation { found: self.note("confirm").items, ..Confirmation::default() })
    }

    fn preserve(&self, _: &Selector, _: &Inspection, _: &Keep) -> Result<Preserved, Failure> {
        drop(self.note("preserve"));
        Ok(Preserved { items: 2, keys: b"rows of anna.example".to_vec() })
    }
}

/// What outlives a restart.
pub(super) struct Disk {
    dir: tempfile::TempDir,
    world: Arc<Mutex<World>>,
    boot_ms: Arc<AtomicU64>,
    /// So many readings of the clock fail.
    timeless: Arc<AtomicU64>,
    mode: Mutex<Mode>,
    acting: (mpsc::SyncSender<()>, Mutex<mpsc::Receiver<()>>),
}

impl Disk {
    pub(super) fn new() -> Self {
        Self::of(3)
    }

    /// A host with so many items.
    pub(super) fn of(items: u64) -> Self {
        let (sender, receiver) = mpsc::sync_channel(8);
        Self {
            dir: tempfile::tempdir().expect("a directory"),
            world: Arc::new(Mutex::new(World { items, ..World::default() })),
            boot_ms: Arc::new(AtomicU64::new(1_000_000)),
            timeless: Arc::new(AtomicU64::new(0)),
            mode: Mutex::new(Mode::Act),
            acting: (sender, Mutex::new(receiver)),
        }
    }

    pub(super) fn privileged(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    pub(super) fn suppression(&self) -> crate::suppression::List {
        let agent = "web1".parse().expect("a label");
        crate::suppression::List::open(self.dir.path(), &agent, &permit_key().verifying()).expect("opens")
    }

    pub(super) fn outbox(&self) -> crate::outbox::Outbox {
        crate::outbox::Outbox::open(self.dir.path()).expect("opens")
    }

    pub(super) fn journal(&self) -> (Journal, Vec<Record>) {
        Journal::open(&self.dir.path().join("journal")).expect("opens")
    }

    pub(super) fn records(&self) -> Vec<Record> {
        let bytes = fs::read(self.dir.path().join("journal")).expect("reads");
        crate::journal::parse(&bytes).expect("whole").0
    }

    pub(super) fn evidence(&self) -> VerifyingKey {
        SigningKey::from_seed(&[2; 32]).verifying()
    }

    pub(super) fn set_mode(&self, mode: Mode) {
        *self.mode.lock().expect("no panic while held") = mode;
    }

    /// From now on an act only asks, until items are let go.
    pub(super) fn make_endless(&self) {
        self.world.lock().expect("no panic while held").gate = Some(0);
    }

    /// Lets one item go as soon as its act may, without waiting for it.
    pub(super) fn open_gate(&self) {
        let mut world = self.world.lock().expect("no panic while held");
        world.gate = world.gate.map(|gate| gate + 1);
    }

    /// Lets one item go, and waits until it is gone.
    pub(super) fn let_one_go(&self) {
        self.open_gate();
        self.wait_for_act();
    }

    pub(super) fn items(&self) -> u64 {
        self.world.lock().expect("no panic while held").items
    }

    pub(super) fn make_looks_last(&self, ms: u64) {
        self.world.lock().expect("no panic while held").look_ms = ms;
    }

    /// The next reading of the clock fails.
    pub(super) fn fail_one_reading(&self) {
        self.timeless.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn advance_ms(&self, ms: u64) {
        self.boot_ms.fetch_add(ms, Ordering::SeqCst);
    }

    pub(super) fn calls(&self) -> Vec<&'static str> {
        self.world.lock().expect("no panic while held").calls.clone()
    }

    pub(super) fn acts(&self) -> usize {
        self.calls().iter().filter(|call| **call == "erase").count()
    }

    pub(super) fn wait_for_act(&self) {
        self.acting.1.lock().expect("no panic while held").recv_timeout(PATIENCE).expect("the act begins");
    }

    /// Whether any file of the state holds these bytes.
    pub(super) fn holds(&self, text: &str) -> bool {
        let mut pending = vec![self.privileged()];
        while let Some(path) = pending.pop() {
            if path.is_dir() {
                pending.extend(fs::read_dir(path).expect("lists").map(|entry| entry.expect("lists").path()));
            } else if String::from_utf8_lossy(&fs::read(path).expect("reads")).contains(text) {
                return true;
            }
        }
        false
    }

    fn setup(&self) -> Setup {
        let (journal, records) = self.journal();
        let info = TargetInfo {
            id: "web".parse().expect("a label"),
            kind: TargetKind::Files,
            category: "customer-data".parse().expect("a label"),
            role: Role::Processor,
            scope: Scope::Contract,
            mode: *self.mode.lock().expect("no panic while held"),
            purges: false,
            strategy: None,
            copy_life: None,
            covers: vec![],
            by_address: false,
        };
        let (world, boot_ms) = (Arc::clone(&self.world), Arc::clone(&self.boot_ms));
        let driver = Noting { world, boot_ms, acting: self.acting.0.clone() };
        let host = Host {
            agent: "web1".parse().expect("a label"),
            software: "test 0".into(),
            targets: std::collections::BTreeMap::new(),
            jobs_per_hour: None,
            quiet_hours: vec![],
            accept_simulated: false,
        };
        let (boot, timeless) = (Arc::clone(&self.boot_ms), Arc::clone(&self.timeless));
        let clocks = move || {
            if timeless.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
                return Err(crate::clock::ClockError);
            }
            Ok(Moment {
                now: "2026-03-01T03:00:00Z".parse().expect("a literal"),
                boot_ms: boot.load(Ordering::SeqCst),
                nonce: Nonce::from_bytes(random()?),
                handle: gallra_model::ObligationId::from_bytes(random()?),
            })
        };
        Setup {
            host,
            targets: vec![Target { info, driver: Box::new(driver) }],
            longest_act: Duration::from_secs(60),
            items_per_second: None,
            keys: Keys {
                evidence: SigningKey::from_seed(&[2; 32]),
                permit: permit_key().verifying(),
                causes: Causes { keys: vec![cause_key().verifying().into()] },
            },
            memory: Memory {
                journal,
                records,
                vault: Vault::new(&self.privileged()),
                suppression: self.suppression(),
                outbox: self.outbox(),
            },
            clocks: Box::new(clocks),
        }
    }
}

/// A running half.
pub(super) struct Rig<'a> {
    disk: &'a Disk,
    end: SessionEnd,
    runtime: tokio::runtime::Runtime,
    half: std::thread::JoinHandle<Result<(), HalfError>>,
    last: Option<Digest>,
    /// What it said at start.
    pub(super) generation: u64,
    /// Where the journal stood, each time that it was said.
    pub(super) marks: Vec<gallra_model::journal::JournalMark>,
}

impl<'a> Rig<'a> {
    /// Starts, and connects.
    pub(super) fn start(disk: &'a Disk) -> Self {
        let (privileged, end) = channel::pair().expect("a timer");
        let setup = disk.setup();
        let half = std::thread::spawn(move || Half::new(setup, privileged).run());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let mut rig = Self { disk, end, runtime, half, last: None, generation: 0, marks: Vec::new() };
        rig.generation = loop {
            if let ToSession::Ready { generation, .. } = rig.hear() {
                break generation;
            }
        };
        let now = "2026-03-01T03:00:00Z".parse().expect("a literal");
        rig.tell(ToPrivileged::Connected { generation: 1, clock: Clock::Real, now });
        rig
    }

    pub(super) fn tell(&mut self, message: ToPrivileged) {
        self.runtime.block_on(self.end.split().1.tell(&message)).expect("the half lives");
    }

    pub(super) fn offer(&mut self, spec: &JobSpec) {
        self.tell(ToPrivileged::Offer { spec: bytes_of(spec) });
    }

    /// An offer with a word more than this version reads; `within` a part of it, or in the offer itself.
    pub(super) fn offer_with_more(&mut self, spec: &JobSpec, within: Option<&str>) {
        let mut json = serde_json::to_value(spec).expect("serialises");
        let part = within.map_or_else(String::new, |part| format!("/{part}"));
        json.pointer_mut(&part).expect("a part of it")["later"] = serde_json::json!(true);
        self.tell(ToPrivileged::Offer { spec: json.to_string() });
    }

    /// Signed by the permit key, whatever it says.
    pub(super) fn signed(&self, payload_type: &str, text: &str) -> gallra_model::envelope::Envelope {
        gallra_proof::dsse::sign(payload_type, text.as_bytes(), &permit_key())
    }

    pub(super) fn permit(&mut self, permit: &Permit) {
        self.tell(ToPrivileged::Permitted { permit: sign(permit) });
    }

    pub(super) fn hear(&mut self) -> ToSession {
        let hearing = async { tokio::time::timeout(PATIENCE, self.end.split().0.next()).await };
        match self.runtime.block_on(hearing).expect("an answer in time").expect("the half lives") {
            // Goes before whatever follows from the journal; remembered for the tests that are about it.
            ToSession::Say(ToCoordinator::Journal { mark, now }) => {
                assert_eq!(now.to_string(), "2026-03-01T03:00:00Z", "this host's clock");
                self.marks.push(mark);
                self.hear()
            }
            ToSession::Say(ToCoordinator::Suppression { .. } | ToCoordinator::Checkpoint { .. }) => self.hear(),
            said @ (ToSession::Ready { .. } | ToSession::Say(_)) => said,
        }
    }

    /// An order with a good signature.
    pub(super) fn order(&mut self, halted: bool, sequence: u64) {
        let at = "2026-03-01T03:00:00Z".parse().expect("a literal");
        let order = gallra_model::order::Order { halted, generation: 1, sequence, at, clock: Clock::Real };
        self.tell(ToPrivileged::Order { order: gallra_proof::order::sign(&order, &permit_key()).expect("signs") });
    }

    /// The nonce of the next thing that it says, which must be an asking.
    pub(super) fn asking(&mut self) -> Nonce {
        match self.hear() {
            ToSession::Say(ToCoordinator::AskBegin { nonce, .. }) => nonce,
            other => panic!("expected an asking, heard {other:?}"),
        }
    }

    /// The attempt and the nonce of the next thing that it says, which must be an asking for another minute.
    pub(super) fn asking_on(&mut self) -> (u32, Nonce) {
        match self.hear() {
            ToSession::Say(ToCoordinator::AskOn { attempt, nonce, .. }) => (attempt, nonce),
            other => panic!("expected an asking to go on, heard {other:?}"),
        }
    }

    /// The next thing that it says, which must be a receipt with a good signature.
    pub(super) fn receipt(&mut self) -> Receipt {
        match self.hear() {
            ToSession::Say(ToCoordinator::Receipt { envelope }) => {
                let opened = gallra_proof::receipt::open(&envelope, &self.disk.evidence());
                let (receipt, digest) = opened.expect("a good signature");
                self.last = Some(digest);
                receipt
            }
            other => panic!("expected a receipt, heard {other:?}"),
        }
    }

    /// Acknowledges the last receipt heard.
    pub(super) fn acknowledge(&mut self) {
        let receipt = self.last.expect("a receipt was heard");
        self.tell(ToPrivileged::ReceiptStored { receipt });
    }

    pub(super) fn calls(&self) -> Vec<&'static str> {
        self.disk.calls()
    }

    pub(super) fn records(&self) -> Vec<Record> {
        self.disk.records()
    }

    /// Ends the session and waits for the half.
    pub(super) fn stop(self) -> Result<(), HalfError> {
        drop(self.end);
        self.half.join().expect("no panic")
    }
}
