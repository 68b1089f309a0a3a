//! The whole privileged half, in its thread, over its channel, with real files, keys and signatures and a driver that
//! notes every call. "Touches nothing" means here that the driver was not even asked to look.
#![allow(clippy::wildcard_enum_match_arm, reason = "a panic is a failed test")]

mod going_on;
mod newer;
mod restores;
mod rig;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_flow::agent::record::{Begun, Record};
use gallra_model::job::Action;
use gallra_model::permit::Permit;
use gallra_model::receipt::{Code, Receipt, Verdict};
use gallra_model::target::{Mode, TargetKind};
use gallra_model::{Clock, JobId, Nonce};

use rig::{Disk, Rig, backing, keep, permit, sign, spec};

use super::*;

/// An asked-for erasure, and its nonce.
fn asked(rig: &mut Rig<'_>) -> (JobSpec, Nonce) {
    let spec = spec(Action::Erase);
    rig.offer(&spec);
    let nonce = rig.asking();
    (spec, nonce)
}

fn assert_refused(rig: &mut Rig<'_>, what: &str) {
    let receipt = rig.receipt();
    assert_eq!((receipt.verdict, receipt.code), (Verdict::Refused, Some(Code::BadPermit)), "{what}");
    assert!(rig.calls().is_empty(), "{what}: {:?}", rig.calls());
    let begun = |record: &Record| matches!(record, Record::Begin(_));
    assert!(!rig.records().iter().any(begun), "{what}");
}

#[test]
fn given_no_permit_it_touches_nothing() {
    let disk = Disk::new();
    let mut rig = Rig::start(&disk);
    let (spec, nonce) = asked(&mut rig);
    rig.tell(ToPrivileged::Denied { job: spec.job, nonce, reason: gallra_model::permit::Denial::Held });
    // Whatever is said next is only read after the denial was handled.
    rig.offer(&spec);
    let marks = rig.marks.len();
    rig.asking();
    assert!(rig.marks.len() > marks, "each asking says what this host's clock says");
    assert!(rig.calls().is_empty());
    assert!(rig.stop().is_ok());
    assert!(disk.calls().is_empty());
}

#[test]
fn given_an_altered_permit_it_touches_nothing() {
    let disk = Disk::new();
    let mut rig = Rig::start(&disk);
    let (spec, nonce) = asked(&mut rig);
    let mut altered = sign(&permit(&spec, nonce));
    // Still good JSON, still the same job: only the signature knows.
    let payload = STANDARD.decode(&altered.payload).expect("base64");
    let text = String::from_utf8(payload).expect("JSON").replace("\"attempt\":1", "\"attempt\":2");
    altered.payload = STANDARD.encode(text);
    rig.tell(ToPrivileged::Permitted { permit: altered });
    assert_refused(&mut rig, "altered");
}

#[test]
fn given_a_foreign_permit_it_touches_nothing() {
    let disk = Disk::new();
    let mut rig = Rig::start(&disk);
    let (spec, nonce) = asked(&mut rig);
    let foreign = SigningKey::from_seed(&[99; 32]);
    let envelope = gallra_proof::permit::sign(&permit(&spec, nonce), &foreign).expect("signs");
    rig.tell(ToPrivileged::Permitted { permit: envelope });
    assert_refused(&mut rig, "another's key");
    rig.acknowledge();
    let (spec, nonce) = asked(&mut rig);
    let other = Permit { agent: "web2".parse().expect("a label"), ..permit(&spec, nonce) };
    rig.tell(ToPrivileged::Permitted { permit: sign(&other) });
    assert_refused(&mut rig, "another agent's");
}

#[test]
fn given_a_cause_that_no_trusted_key_signed_it_asks_nothing() {
    let disk = Disk::new();
    let mut rig = Rig::start(&disk);
    let spec = spec(Action::Erase);
    let good = spec.cause.clone().expect("a cause");
    let foreign = backing(&SigningKey::from_seed(&[99; 32]));
    let mut renamed = foreign.clone();
    renamed.envelope.signatures[0].keyid = good.envelope.signatures[0].keyid.clone();
    let mut altered = good.clone();
    let text = String::from_utf8(STANDARD.decode(&good.envelope.payload).expect("base64")).expect("JSON");
    altered.envelope.payload = STANDARD.encode(text.replace("2026-02-01", "2026-02-02"));
    for (what, cause) in
        [("none", None), ("foreign", Some(foreign)), ("renamed", Some(renamed)), ("altered", Some(altered))]
    {
        rig.offer(&JobSpec { cause, ..spec.clone() });
        let receipt = rig.receipt();
        assert_eq!((receipt.verdict, receipt.code), (Verdict::Refused, Some(Code::BadCause)), "{what}");
        rig.acknowledge();
    }
    assert!(rig.calls().is_empty(), "{:?}", rig.calls());
    rig.offer(&spec);
    rig.asking();
}

#[test]
fn given_an_expired_permit_it_touches_nothing() {
    let disk = Disk::new();
    let mut rig = Rig::start(&disk);
    let (spec, nonce) = asked(&mut rig);
    disk.advance_ms(30_001);
    rig.permit(&permit(&spec, nonce));
    assert_refused(&mut rig, "expired");
}

#[test]
fn given_a_permit_for_anything_else_it_touches_nothing() {
    type Case = (&'static str, fn(&mut Permit));
    let cases: [Case; 4] = [
        ("nonce", |p| p.nonce = Nonce::from_bytes([0; 16])),
        ("instance", |p| p.instance = Some(Digest::of(b"another tree"))),
        ("action", |p| p.action = Action::Inspect),
        ("generation", |p| p.generation = 0),
    ];
    for (what, change) in cases {
        let disk = Disk::new();
        let mut rig = Rig::start(&disk);
        let (spec, nonce) = asked(&mut rig);
        let mut wrong = permit(&spec, nonce);
        change(&mut wrong);
        rig.permit(&wrong);
        assert_refused(&mut rig, what);
    }
}

#[test]
fn a_replayed_permit_and_a_repeated_offer_are_one_act() {
    let disk = Disk::new();
    let mut rig = Rig::start(&disk);
    let (spec, nonce) = asked(&mut rig);
    rig.offer(&spec);
    rig.permit(&permit(&spec, nonce));
    let receipt = rig.receipt();
    assert_eq!((receipt.verdict, receipt.attempt, receipt.counts.erased), (Verdict::Done, 1, 3));
    rig.permit(&permit(&spec, nonce));
    rig.offer(&spec);
    assert_eq!(rig.receipt(), receipt, "offered again, it says the same receipt again");
    assert_eq!(disk.acts(), 1);
    // Acknowledged, then asked anew: the old permit still answers nothing.
    rig.acknowledge();
    rig.offer(&spec);
    let fresh = rig.asking();
    assert_ne!(fresh, nonce);
    rig.permit(&permit(&spec, nonce));
    assert_eq!(rig.receipt().code, Some(Code::BadPermit));
    assert_eq!(disk.acts(), 1);
}

#[test]
fn i4_a_crash_between_journal_and_receipt_gives_one_unknown_receipt() {
    let disk = Disk::new();
    let spec = spec(Action::Erase);
    let begun = Begun {
        again: false,
        commitment: None,
        checkpoint: None,
        job: spec.job,
        attempt: 2,
        permit: Digest::of(b"permit"),
        spec: Digest::of(b"spec"),
        target: spec.target.clone(),
        kind: TargetKind::Files,
        action: spec.action,
        pseudonym: spec.pseudonym,
        instance: spec.instance,
        older_than: None,
        handle: None,
        started: "2026-03-01T03:00:00Z".parse().expect("a literal"),
        clock: Clock::Real,
    };
    let (mut journal, _) = disk.journal();
    journal.append(&Record::Begin(Box::new(begun))).expect("appends");
    drop(journal);
    let mut rig = Rig::start(&disk);
    let receipt = rig.receipt();
    assert_eq!((receipt.verdict, receipt.code, receipt.attempt), (Verdict::Unknown, Some(Code::Interrupted), 2));
    rig.stop().expect("ends");
    let mut rig = Rig::start(&disk);
    assert_eq!(rig.receipt(), receipt, "the same, not a second one");
    rig.acknowledge();
    rig.stop().expect("ends");
    let ends = disk.records().iter().filter(|record| matches!(record, Record::End(_))).count();
    assert_eq!((ends, disk.calls().len()), (1, 0));
}

#[test]
fn observe_mode_is_refused_without_asking() {
    let disk = Disk::new();
    disk.set_mode(Mode::Observe);
    let mut rig = Rig::start(&disk);
    rig.offer(&spec(Action::Erase));
    let receipt = rig.receipt();
    assert_eq!((receipt.verdict, receipt.code, receipt.attempt), (Verdict::Refused, Some(Code::ObserveMode), 0));
    assert!(rig.calls().is_empty());
    // Looking needs a permit like everything else, and gets one.
    let look = spec(Action::Inspect);
    rig.acknowledge();
    rig.offer(&look);
    let nonce = rig.asking();
    rig.permit(&permit(&look, nonce));
    assert_eq!(rig.receipt().verdict, Verdict::Done);
    assert_eq!(disk.acts(), 0);
}

#[test]
fn i3_an_old_generation_is_refused_after_a_restart_too() {
    let disk = Disk::new();
    let mut rig = Rig::start(&disk);
    rig.offer(&JobSpec { generation: 9, ..spec(Action::Erase) });
    rig.asking();
    rig.stop().expect("ends");
    let mut rig = Rig::start(&disk);
    assert_eq!(rig.generation, 9);
    rig.offer(&spec(Action::Erase));
    let newer = JobSpec { generation: 9, ..spec(Action::Inspect) };
    rig.offer(&newer);
    let nonce = rig.asking();
    rig.permit(&permit(&newer, nonce));
    assert_eq!(rig.receipt().action, Action::Inspect, "the older offer was never asked for");
}

#[test]
fn what_is_preserved_is_sealed_under_the_handle_that_the_receipt_names() {
    let disk = Disk::new();
    let mut rig = Rig::start(&disk);
    let preserve = JobSpec { keep: Some(keep()), ..spec(Action::Preserve) };
    rig.offer(&preserve);
    let nonce = rig.asking();
    rig.permit(&permit(&preserve, nonce));
    let receipt = rig.receipt();
    let kept = receipt.kept.expect("a handle");
    assert_eq!((receipt.verdict, kept.items, receipt.counts.retained), (Verdict::Done, 2, 2));
    let sealed = Vault::new(&disk.privileged()).open(2034, kept.handle).expect("opens");
    assert_eq!(STANDARD.decode(sealed.keys).expect("base64"), b"rows of anna.example");
    rig.stop().expect("ends");
    assert!(!disk.holds("anna.example"), "no identifier lies in the agent's state in plain");
}

#[test]
fn nothing_is_acknowledged_away_that_was_not() {
    let disk = Disk::new();
    disk.set_mode(Mode::Observe);
    let mut rig = Rig::start(&disk);
    rig.offer(&spec(Action::Erase));
    let receipt = rig.receipt();
    rig.tell(ToPrivileged::ReceiptStored { receipt: Digest::of(b"another") });
    rig.stop().expect("ends");
    let mut rig = Rig::start(&disk);
    assert_eq!(rig.receipt(), receipt);
    rig.acknowledge();
    rig.stop().expect("ends");
    assert!(matches!(disk.records().last(), Some(Record::Stored { .. })));
}

#[test]
fn a_stop_or_a_withdrawal_that_is_pushed_ends_a_long_act_at_the_next_item() {
    for by in ["order", "withdrawal"] {
        let disk = Disk::new();
        disk.make_endless();
        let mut rig = Rig::start(&disk);
        let (spec, nonce) = asked(&mut rig);
        rig.permit(&permit(&spec, nonce));
        disk.wait_for_act();
        match by {
            "order" => rig.order(true, 7),
            _ => rig.tell(ToPrivileged::Withdraw { job: spec.job }),
        }
        assert_eq!(rig.receipt().code, Some(Code::Stopped), "{by}");
        rig.stop().expect("ends");
    }
}

#[test]
fn a_withdrawal_of_another_job_stops_nothing_and_an_unsigned_order_neither() {
    let disk = Disk::new();
    let mut rig = Rig::start(&disk);
    rig.tell(ToPrivileged::Withdraw { job: JobId::from_bytes([99; 16]) });
    let forged = Envelope { payload_type: "x".into(), payload: "e30=".into(), signatures: vec![] };
    rig.tell(ToPrivileged::Order { order: forged });
    let (spec, nonce) = asked(&mut rig);
    rig.permit(&permit(&spec, nonce));
    assert_eq!(rig.receipt().verdict, Verdict::Done);
    rig.stop().expect("ends");
}

#[test]
fn a_stop_holds_after_a_restart_without_the_coordinator_and_an_older_start_does_not_lift_it() {
    let disk = Disk::new();
    let mut rig = Rig::start(&disk);
    let (asked_for, nonce) = asked(&mut rig);
    // It comes between the asking and the permit: the permit answers nothing any more.
    rig.order(true, 7);
    rig.permit(&permit(&asked_for, nonce));
    rig.offer(&asked_for);
    assert_eq!(rig.receipt().code, Some(Code::Halted));
    rig.stop().expect("ends");

    let mut rig = Rig::start(&disk);
    assert_eq!(rig.receipt().code, Some(Code::Halted), "said again until it is stored");
    rig.acknowledge();
    rig.order(false, 6);
    rig.offer(&asked_for);
    assert_eq!(rig.receipt().code, Some(Code::Halted), "a replayed start lifts nothing");
    rig.acknowledge();
    assert!(rig.calls().is_empty(), "nothing was touched: {:?}", rig.calls());
    rig.order(false, 8);
    let (spec, nonce) = asked(&mut rig);
    rig.permit(&permit(&spec, nonce));
    assert_eq!(rig.receipt().verdict, Verdict::Done);
    rig.stop().expect("ends");
}

#[test]
fn i3_where_the_journal_stands_is_said_before_every_asking_and_never_falls() {
    let disk = Disk::new();
    let mut rig = Rig::start(&disk);
    let (spec, nonce) = asked(&mut rig);
    rig.permit(&permit(&spec, nonce));
    rig.receipt();
    rig.acknowledge();
    asked(&mut rig);
    let first = rig.marks.clone();
    assert!(first.is_sorted_by_key(|mark| mark.position) && first.len() >= 3, "{first:?}");
    let last = *first.last().expect("some");
    rig.stop().expect("ends");
    let mut rig = Rig::start(&disk);
    asked(&mut rig);
    assert!(rig.marks.iter().all(|mark| mark.may_follow(&last)), "{:?} after {last:?}", rig.marks);
    rig.stop().expect("ends");
}
