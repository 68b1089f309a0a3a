//! Table tests: each names the behaviour it protects. `Bench` plays the edge without touching anything.
#![allow(clippy::indexing_slicing, clippy::wildcard_enum_match_arm, reason = "a panic is a failed test")]

use std::collections::BTreeMap;

use gallra_model::job::Action;
use gallra_model::receipt::Verdict;
use gallra_model::selector::Selector;
use gallra_model::target::{Mode, TargetKind};

use super::*;

mod causes;
mod chain;
mod going_on;

const NONCE: Nonce = Nonce::from_bytes([7; 16]);

fn instant(text: &str) -> Instant {
    text.parse().expect("a literal")
}

fn moment(boot_ms: u64) -> Moment {
    let handle = ObligationId::from_bytes([9; 16]);
    Moment { now: instant("2026-03-01T03:00:00Z"), boot_ms, nonce: NONCE, handle }
}

fn host() -> Host {
    let act = (TargetKind::Files, Mode::Act);
    let observe = (TargetKind::Maildir, Mode::Observe);
    let targets = BTreeMap::from([("web".parse().expect("id"), act), ("mail".parse().expect("id"), observe)]);
    let agent = "web1".parse().expect("a label");
    Host {
        agent,
        software: "test 0".into(),
        targets,
        jobs_per_hour: None,
        quiet_hours: vec![],
        accept_simulated: false,
    }
}

fn spec(job: u8) -> JobSpec {
    JobSpec {
        again: false,
        job: JobId::from_bytes([job; 16]),
        agent: "web1".parse().expect("a label"),
        action: Action::Erase,
        target: "web".parse().expect("id"),
        pseudonym: gallra_model::Pseudonym::from_bytes([3; 16]),
        salt: Nonce::from_bytes([8; 16]),
        generation: 5,
        plan: Digest::of(b"plan"),
        rule: "webone/customer-data".into(),
        selector: Selector {
            service: Some("anna.example".parse().expect("id")),
            customer: None,
            addresses: Vec::new(),
        },
        instance: Some(Digest::of(b"instance")),
        keep: None,
        question: None,
        purge: None,
        cause: Some(causes::backing()),
        clock: Clock::Real,
    }
}

fn digest(spec: &JobSpec) -> Digest {
    Digest::of(&spec.to_bytes().expect("serialises"))
}

fn permit(spec: &JobSpec) -> Permit {
    Permit {
        commitment: None,
        checkpoint: None,
        job: spec.job,
        agent: spec.agent.clone(),
        attempt: 1,
        spec: digest(spec),
        nonce: NONCE,
        pseudonym: spec.pseudonym,
        target: spec.target.clone(),
        instance: spec.instance,
        action: spec.action,
        generation: spec.generation,
        not_before: instant("2026-03-01T02:00:00Z"),
        begin_within_seconds: 30,
        clock: spec.clock,
    }
}

fn done() -> Outcome {
    Outcome { verdict: Verdict::Done, code: None, ..Outcome::refused(Code::Target, "") }
}

/// A state and the effects of the last input.
struct Bench {
    state: Privileged,
    last: Vec<Effect>,
}

impl Bench {
    fn new(host: Host) -> Self {
        let mut bench = Self { state: Privileged::new(host), last: vec![] };
        bench.feed(0, Input::Restarted(vec![]));
        bench.feed(0, connected(Clock::Real));
        bench
    }

    fn feed(&mut self, boot_ms: u64, input: Input) -> &[Effect] {
        let (state, effects) = step(self.state.clone(), input, &moment(boot_ms));
        self.state = state;
        self.last = effects;
        &self.last
    }

    fn offer(&mut self, boot_ms: u64, spec: &JobSpec) -> &[Effect] {
        let trusted = Some(Box::new(causes::cause(spec.clock)));
        self.feed(boot_ms, Input::Offered(Box::new(spec.clone()), digest(spec), trusted))
    }

    fn permit(&mut self, boot_ms: u64, permit: Permit) -> &[Effect] {
        self.feed(boot_ms, Input::Permitted(Box::new(permit), Digest::of(b"permit")))
    }

    /// The receipt that the last input asked to have signed.
    fn receipt(&self) -> Option<Receipt> {
        self.last.iter().find_map(|effect| match effect {
            Effect::Sign(receipt, _) => Some((**receipt).clone()),
            _ => None,
        })
    }

    /// Signs that receipt.
    fn signed(&mut self) -> &[Effect] {
        let receipt = self.receipt().expect("a receipt to sign");
        self.feed(0, signed(&receipt))
    }
}

fn connected(clock: Clock) -> Input {
    Input::Connected { generation: 5, clock, now: instant("2027-01-01T00:00:00Z") }
}

fn signed(receipt: &Receipt) -> Input {
    let payload = format!("{receipt:?}");
    let envelope = Envelope { payload_type: String::new(), payload: payload.clone(), signatures: vec![] };
    Input::Signed {
        job: receipt.job,
        attempt: receipt.attempt,
        receipt: Digest::of(payload.as_bytes()),
        envelope,
        done: receipt.ends_its_job(),
    }
}

fn touches(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Act(_)))
}

fn asks(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Say(ToCoordinator::AskBegin { .. })))
}

#[test]
fn i4_the_journal_stands_before_the_act_and_the_receipt_before_the_word() {
    let mut bench = Bench::new(host());
    assert!(asks(bench.offer(0, &spec(1))));
    let effects = bench.permit(1_000, permit(&spec(1)));
    assert!(matches!(effects, [Effect::Journal(Record::Begin(_)), Effect::Act(_)]), "{effects:?}");
    let effects = bench.feed(2_000, Input::Acted(Box::new(done())));
    assert!(matches!(effects, [Effect::Sign(..)]), "{effects:?}");
    let receipt = bench.receipt().expect("signed");
    assert_eq!((receipt.verdict, receipt.attempt, receipt.permit), (Verdict::Done, 1, Some(Digest::of(b"permit"))));
    let effects = bench.signed();
    let order = matches!(effects, [Effect::Journal(Record::End(_)), Effect::Say(ToCoordinator::Receipt { .. })]);
    assert!(order, "{effects:?}");
}

#[test]
fn i1_a_permit_that_differs_in_anything_touches_nothing() {
    let other = Digest::of(b"other");
    type Change = (Fault, fn(&mut Permit), Option<u32>);
    let cases: [Change; 12] = [
        (Fault::Agent, |p| p.agent = "web2".parse().expect("a label"), None),
        (Fault::Nonce, |p| p.nonce = Nonce::from_bytes([8; 16]), None),
        (Fault::Spec, |p| p.spec = Digest::of(b"x"), None),
        (Fault::Attempt, |p| p.attempt = 0, None),
        (Fault::Pseudonym, |p| p.pseudonym = gallra_model::Pseudonym::from_bytes([4; 16]), Some(1)),
        (Fault::Target, |p| p.target = "mail".parse().expect("id"), Some(1)),
        (Fault::Instance, |p| p.instance = None, Some(1)),
        (Fault::Action, |p| p.action = Action::Inspect, Some(1)),
        (Fault::Generation, |p| p.generation = 4, Some(1)),
        (Fault::Generation, |p| p.generation = 6, Some(1)),
        (Fault::Clock, |p| p.clock = Clock::Simulated, Some(1)),
        (Fault::TooEarly, |p| p.not_before = instant("2026-03-01T03:10:01Z"), Some(1)),
    ];
    for (fault, change, attempt) in cases {
        let mut bench = Bench::new(host());
        bench.offer(0, &spec(1));
        let mut wrong = permit(&spec(1));
        change(&mut wrong);
        let effects = bench.permit(1_000, wrong);
        assert!(!touches(effects), "{fault:?}");
        assert_eq!(effects[0], Effect::Note(Note::BadPermit(spec(1).job, fault)));
        let receipt = bench.receipt().expect("a refusal");
        assert_eq!((receipt.verdict, receipt.code), (Verdict::Refused, Some(Code::BadPermit)), "{fault:?}");
        assert_eq!(receipt.attempt, attempt.unwrap_or(0), "{fault:?}");
        assert_eq!(receipt.permit.is_some(), attempt.is_some(), "{fault:?}");
        // The asking is over: even the right permit is now a stray.
        assert!(!touches(bench.permit(1_000, permit(&spec(1)))), "{fault:?}");
    }
    let mut bench = Bench::new(host());
    bench.offer(0, &spec(1));
    let mut instance = permit(&spec(1));
    instance.instance = Some(other);
    assert!(!touches(bench.permit(0, instance)));
}

#[test]
fn a_permit_is_good_until_its_last_millisecond_on_the_boot_clock() {
    for (boot_ms, good) in [(10_000, true), (40_000, true), (40_001, false), (9_999, false)] {
        let mut bench = Bench::new(host());
        bench.offer(10_000, &spec(1));
        assert_eq!(touches(bench.permit(boot_ms, permit(&spec(1)))), good, "{boot_ms}");
    }
}

#[test]
fn strays_replays_and_bad_signatures_touch_nothing() {
    let mut bench = Bench::new(host());
    // Before any asking.
    assert_eq!(bench.permit(0, permit(&spec(1))), [Effect::Note(Note::StrayPermit(Some(spec(1).job)))]);
    assert_eq!(bench.feed(0, Input::PermitBad(None)), [Effect::Note(Note::StrayPermit(None))]);
    bench.offer(0, &spec(1));
    // For another job than the one asked for.
    assert!(!touches(bench.permit(0, permit(&spec(2)))));
    assert!(touches(bench.permit(0, permit(&spec(1)))));
    // Replayed while acting, after the act and after the receipt.
    assert!(!touches(bench.permit(0, permit(&spec(1)))));
    bench.feed(0, Input::Acted(Box::new(done())));
    let receipt = bench.receipt().expect("signed");
    assert!(!touches(bench.permit(0, permit(&spec(1)))));
    bench.feed(0, signed(&receipt));
    assert!(!touches(bench.permit(0, permit(&spec(1)))));
    // A bad signature ends the asking that it claims to answer, with a refusal that names no attempt.
    bench.offer(0, &spec(2));
    bench.feed(0, Input::PermitBad(Some(spec(2).job)));
    let receipt = bench.receipt().expect("a refusal");
    assert_eq!((receipt.attempt, receipt.permit, receipt.code), (0, None, Some(Code::BadPermit)));
}

#[test]
fn i6_the_same_offer_twice_is_one_act() {
    let mut bench = Bench::new(host());
    assert!(asks(bench.offer(0, &spec(1))));
    assert_eq!(bench.offer(0, &spec(1)), [Effect::Note(Note::AlreadyInHand(spec(1).job))]);
    bench.permit(0, permit(&spec(1)));
    assert_eq!(bench.offer(0, &spec(1)), [Effect::Note(Note::AlreadyInHand(spec(1).job))]);
    bench.feed(0, Input::Acted(Box::new(done())));
    let first = bench.receipt().expect("signed");
    assert_eq!(bench.offer(0, &spec(1)), [Effect::Note(Note::AlreadyInHand(spec(1).job))]);
    bench.feed(0, signed(&first));
    // Done and unacknowledged: the receipt is said again, nothing is asked.
    let again = bench.offer(0, &spec(1)).to_vec();
    assert!(matches!(again.as_slice(), [Effect::Say(ToCoordinator::Receipt { .. })]), "{again:?}");
}

#[test]
fn a_changed_offer_replaces_the_one_that_was_asked_for() {
    let mut bench = Bench::new(host());
    bench.offer(0, &spec(1));
    let changed = JobSpec { rule: "webone/backup".into(), ..spec(1) };
    assert!(asks(bench.offer(0, &changed)));
    assert!(!touches(bench.permit(0, permit(&spec(1)))), "a permit for the offer that was replaced");
}

#[test]
fn i3_older_generations_are_not_even_asked_for() {
    let mut bench = Bench::new(host());
    let newer = JobSpec { generation: 6, ..spec(1) };
    let effects = bench.offer(0, &newer);
    assert_eq!(effects[0], Effect::Journal(Record::Generation { generation: 6 }), "persisted before it is asked");
    assert_eq!(bench.offer(0, &spec(2)), [Effect::Note(Note::OldOffer(spec(2).job))]);
    // It holds over a restart.
    let mut bench = Bench { state: Privileged::new(host()), last: vec![] };
    bench.feed(0, Input::Restarted(vec![Record::Generation { generation: 6 }]));
    bench.feed(0, connected(Clock::Real));
    assert_eq!(bench.offer(0, &spec(2)), [Effect::Note(Note::OldOffer(spec(2).job))]);
    // A generation that rose between asking and permit makes the permit old.
    let mut bench = Bench::new(host());
    bench.offer(0, &spec(1));
    bench.offer(0, &JobSpec { generation: 6, ..spec(2) });
    assert!(!touches(bench.permit(0, permit(&spec(1)))));
}

#[test]
fn what_the_host_forbids_is_refused_with_a_receipt_and_without_asking() {
    let cases = [
        (
            Code::BadSelector,
            JobSpec { selector: Selector { service: None, customer: None, addresses: Vec::new() }, ..spec(1) },
        ),
        (Code::NoSuchTarget, JobSpec { target: "dns".parse().expect("id"), ..spec(1) }),
        (Code::SimulatedClock, JobSpec { clock: Clock::Simulated, ..spec(1) }),
        (Code::ObserveMode, JobSpec { target: "mail".parse().expect("id"), ..spec(1) }),
    ];
    for (code, offer) in cases {
        let mut bench = Bench::new(host());
        assert!(!asks(bench.offer(0, &offer)), "{code:?}");
        let receipt = bench.receipt().expect("a refusal");
        assert_eq!((receipt.verdict, receipt.code), (Verdict::Refused, Some(code)));
        assert_eq!((receipt.attempt, receipt.permit, receipt.clock), (0, None, Clock::Real));
        assert!(matches!(bench.signed(), [Effect::Journal(Record::End(_)), Effect::Say(_)]), "{code:?}");
    }
    // Looking is allowed in observe mode.
    let look = JobSpec { target: "mail".parse().expect("id"), action: Action::Inspect, ..spec(1) };
    assert!(asks(Bench::new(host()).offer(0, &look)));
    // What is another agent's gets no word at all.
    let foreign = JobSpec { agent: "web2".parse().expect("a label"), ..spec(1) };
    assert_eq!(Bench::new(host()).offer(0, &foreign), [Effect::Note(Note::ForeignOffer(spec(1).job))]);
}

#[test]
fn jobs_an_hour_count_what_changes_data() {
    let mut bench = Bench::new(Host { jobs_per_hour: Some(1), ..host() });
    bench.offer(0, &spec(1));
    bench.permit(0, permit(&spec(1)));
    bench.feed(0, Input::Acted(Box::new(done())));
    bench.signed();
    bench.offer(3_599_999, &spec(2));
    assert_eq!(bench.receipt().and_then(|receipt| receipt.code), Some(Code::Limit));
    bench.signed();
    assert!(asks(bench.offer(3_600_000, &spec(3))));
}

#[test]
fn a_simulated_clock_is_followed_only_with_the_flag_and_marks_receipts() {
    let mut bench = Bench::new(Host { accept_simulated: true, ..host() });
    bench.feed(0, connected(Clock::Simulated));
    let offer = JobSpec { clock: Clock::Simulated, ..spec(1) };
    assert!(asks(bench.offer(0, &offer)));
    bench.feed(0, Input::ClockMoved(instant("2027-02-01T00:00:00Z")));
    let due = Permit { not_before: instant("2027-02-01T00:00:00Z"), ..permit(&offer) };
    assert!(touches(bench.permit(0, due)));
    bench.feed(0, Input::Acted(Box::new(done())));
    let receipt = bench.receipt().expect("signed");
    assert_eq!((receipt.clock, receipt.finished), (Clock::Simulated, instant("2027-02-01T00:00:00Z")));
    bench.signed();
    // A permit overtakes the word that the clock moved: it is that word, signed.
    let next = JobSpec { clock: Clock::Simulated, ..spec(4) };
    bench.offer(0, &next);
    bench.permit(0, Permit { not_before: instant("2027-03-01T00:00:00Z"), ..permit(&next) });
    bench.feed(0, Input::Acted(Box::new(done())));
    assert_eq!(bench.receipt().map(|receipt| receipt.started), Some(instant("2027-03-01T00:00:00Z")));
    bench.signed();
    // A job under another clock than the stream's.
    bench.offer(0, &spec(2));
    assert_eq!(bench.receipt().and_then(|receipt| receipt.code), Some(Code::SimulatedClock));
}

#[test]
fn i4_a_stop_in_the_middle_gives_one_unknown_receipt() {
    let mut bench = Bench::new(host());
    let preserve = JobSpec { action: Action::Preserve, ..spec(1) };
    bench.offer(0, &preserve);
    let effects = bench.permit(0, permit(&preserve));
    let Effect::Journal(begin) = effects[0].clone() else { panic!("{effects:?}") };
    let mut bench = Bench { state: Privileged::new(host()), last: vec![] };
    bench.feed(0, Input::Restarted(vec![begin.clone()]));
    assert!(bench.last.contains(&Effect::Discard(moment(0).handle)), "nobody was told of the handle");
    let receipt = bench.receipt().expect("unknown");
    assert_eq!((receipt.verdict, receipt.code), (Verdict::Unknown, Some(Code::Interrupted)));
    assert_eq!((receipt.attempt, receipt.counts.unknown), (1, 1));
    let Effect::Journal(end) = bench.signed()[0].clone() else { panic!("an end first") };
    // After another stop the same receipt is said again, and none is made.
    let mut bench = Bench { state: Privileged::new(host()), last: vec![] };
    assert_eq!(bench.feed(0, Input::Restarted(vec![begin, end])), []);
    let effects = bench.feed(0, connected(Clock::Real)).to_vec();
    assert!(effects.contains(&Effect::Journal(Record::Generation { generation: 5 })));
    assert!(matches!(effects.last(), Some(Effect::Say(ToCoordinator::Receipt { .. }))), "{effects:?}");
}

#[test]
fn receipts_stay_until_the_coordinator_has_them() {
    let mut bench = Bench::new(host());
    bench.offer(0, &JobSpec { target: "mail".parse().expect("id"), ..spec(1) });
    let receipt = bench.receipt().expect("a refusal");
    let Input::Signed { receipt: digest, .. } = signed(&receipt) else { panic!("signed") };
    bench.feed(0, signed(&receipt));
    for _ in 0..2 {
        let said = bench.feed(0, connected(Clock::Real));
        let [Effect::Say(ToCoordinator::Checkpoint { note: None }), Effect::Say(ToCoordinator::Receipt { .. })] = said
        else {
            panic!("{said:?}")
        };
    }
    let effects = bench.feed(0, Input::ReceiptStored(digest)).to_vec();
    assert_eq!(effects, [Effect::Journal(Record::Stored { receipt: digest }), Effect::Compact]);
    assert_eq!(bench.feed(0, connected(Clock::Real)), [Effect::Say(ToCoordinator::Checkpoint { note: None })]);
    assert_eq!(bench.feed(0, Input::ReceiptStored(digest)), [Effect::Note(Note::OutOfTurn)]);
}

#[test]
fn one_asking_at_a_time_and_a_lost_answer_blocks_nobody() {
    let mut bench = Bench::new(host());
    assert!(asks(bench.offer(0, &spec(1))));
    assert_eq!(bench.offer(0, &spec(2)), []);
    let wrong = Nonce::from_bytes([1; 16]);
    assert_eq!(bench.feed(0, Input::Denied(spec(1).job, wrong, Denial::Held)), [Effect::Note(Note::OutOfTurn)]);
    assert!(asks(bench.feed(0, Input::Denied(spec(1).job, NONCE, Denial::Held))), "the next has its turn");
    bench.offer(0, &spec(3));
    assert_eq!(bench.feed(ASK_PATIENCE_MS, Input::Tick), []);
    assert!(asks(bench.feed(ASK_PATIENCE_MS + 1, Input::Tick)));
    // Bounded (I10).
    for job in 10..10 + u8::try_from(MAX_WAITING).expect("small") {
        assert_eq!(bench.offer(0, &spec(job)), []);
    }
    assert_eq!(bench.offer(0, &spec(99)), [Effect::Note(Note::NoRoom(spec(99).job))]);
    // A new stream voids what was asked on the old one.
    bench.feed(0, connected(Clock::Real));
    assert!(!touches(bench.permit(0, permit(&spec(3)))));
    assert!(asks(bench.offer(0, &spec(3))));
}

#[test]
fn what_nothing_asked_for_changes_nothing() {
    let acting = |bench: &mut Bench| {
        bench.offer(0, &spec(1));
        bench.permit(0, permit(&spec(1)));
    };
    let asked = |bench: &mut Bench| {
        bench.offer(0, &spec(1));
    };
    let idle = |_: &mut Bench| {};
    let stray = signed(&Bench::a_receipt());
    type Case = (&'static str, fn(&mut Bench), Input);
    let cases: Vec<Case> = vec![
        ("acted while idle", idle, Input::Acted(Box::new(done()))),
        ("acted while asked", asked, Input::Acted(Box::new(done()))),
        ("denied while idle", idle, Input::Denied(spec(1).job, NONCE, Denial::Held)),
        ("denied while acting", acting, Input::Denied(spec(1).job, NONCE, Denial::Held)),
        ("signed unasked", idle, stray),
        ("restarted twice", idle, Input::Restarted(vec![])),
        ("a real clock moved", idle, Input::ClockMoved(instant("2030-01-01T00:00:00Z"))),
    ];
    for (name, prepare, input) in cases {
        let mut bench = Bench::new(host());
        prepare(&mut bench);
        let before = bench.state.clone();
        assert_eq!(bench.feed(0, input), [Effect::Note(Note::OutOfTurn)], "{name}");
        assert_eq!(bench.state, before, "{name}");
    }
}

impl Bench {
    fn a_receipt() -> Receipt {
        let mut bench = Self::new(host());
        bench.offer(0, &JobSpec { target: "mail".parse().expect("id"), ..spec(1) });
        bench.receipt().expect("a refusal")
    }
}

#[test]
fn in_quiet_hours_nothing_is_changed_and_everything_is_looked_at() {
    // The bench's time is 04:00 in Stockholm.
    let quiet = |hours: &str| Host { quiet_hours: vec![String::from(hours).try_into().expect("hours")], ..host() };
    let mut bench = Bench::new(quiet("03:30-05:00"));
    bench.offer(0, &spec(1));
    assert_eq!(bench.receipt().and_then(|receipt| receipt.code), Some(Code::QuietHours));
    bench.signed();
    let look = JobSpec { action: Action::Inspect, ..spec(2) };
    assert!(matches!(bench.offer(0, &look), [Effect::Say(ToCoordinator::AskBegin { .. })]));
    let mut bench = Bench::new(quiet("05:00-22:00"));
    assert!(matches!(bench.offer(0, &spec(1)), [Effect::Say(ToCoordinator::AskBegin { .. })]));
    // They began while the permit was on its way.
    bench.state.host = quiet("03:30-05:00");
    assert!(!touches(bench.permit(0, permit(&spec(1)))));
    assert_eq!(bench.receipt().and_then(|receipt| receipt.code), Some(Code::QuietHours));
}
