//! An act that lasts longer than its minute, with real signatures, channels and journals: it asks on, or it stops at an item.

use gallra_model::permit::{Denial, Permit};

use super::*;

/// More than the host lets an act last under one permit.
const OVER_A_MINUTE: u64 = 60_001;

/// An erasure that goes item by item, of which one is gone.
fn one_gone(disk: &Disk) -> (Rig<'_>, JobSpec) {
    disk.make_endless();
    let mut rig = Rig::start(disk);
    let (spec, nonce) = asked(&mut rig);
    rig.permit(&permit(&spec, nonce));
    disk.wait_for_act();
    disk.let_one_go();
    (rig, spec)
}

/// The same, waiting for another minute under a nonce.
fn waiting(disk: &Disk) -> (Rig<'_>, JobSpec, Nonce) {
    let (mut rig, spec) = one_gone(disk);
    disk.advance_ms(OVER_A_MINUTE);
    let (attempt, nonce) = rig.asking_on();
    assert_eq!(attempt, 1);
    (rig, spec, nonce)
}

/// It stopped where it was, and says what is gone.
fn assert_stopped(rig: &mut Rig<'_>, disk: &Disk, what: &str) {
    let receipt = rig.receipt();
    assert_eq!((receipt.verdict, receipt.code), (Verdict::Failed, Some(Code::Stopped)), "{what}");
    assert_eq!((receipt.counts.erased, receipt.counts.failed), (1, 2), "{what}");
    assert_eq!((receipt.attempt, disk.items()), (1, 2), "{what}");
}

#[test]
fn an_act_longer_than_its_minute_goes_on_as_one_attempt_with_one_receipt() {
    let disk = Disk::new();
    let (mut rig, spec) = one_gone(&disk);
    let mut seen = Vec::new();
    for _ in 0..2 {
        disk.advance_ms(OVER_A_MINUTE);
        let marks = rig.marks.len();
        let (attempt, nonce) = rig.asking_on();
        assert!(rig.marks.len() > marks, "where the journal stands goes before each asking");
        assert!(attempt == 1 && !seen.contains(&nonce), "a fresh nonce");
        seen.push(nonce);
        rig.permit(&permit(&spec, nonce));
        disk.let_one_go();
    }
    let receipt = rig.receipt();
    assert_eq!((receipt.verdict, receipt.attempt, receipt.counts.erased), (Verdict::Done, 1, 3));
    assert_eq!(disk.acts(), 1);
    let count = |which: fn(&Record) -> bool| disk.records().iter().filter(|record| which(record)).count();
    assert_eq!(count(|record| matches!(record, Record::Begin(_))), 1);
    assert_eq!(count(|record| matches!(record, Record::End(_))), 1);
    rig.stop().expect("ends");
}

#[test]
fn an_act_of_a_day_hears_every_answer_and_keeps_none() {
    // More minutes than an act has room to overhear words.
    let minutes = 1_200;
    let disk = Disk::of(minutes + 1);
    let (mut rig, spec) = one_gone(&disk);
    for _ in 0..minutes {
        disk.advance_ms(OVER_A_MINUTE);
        let (_, nonce) = rig.asking_on();
        rig.permit(&permit(&spec, nonce));
        disk.let_one_go();
    }
    let receipt = rig.receipt();
    assert_eq!((receipt.verdict, receipt.attempt, receipt.counts.erased), (Verdict::Done, 1, minutes + 1));
    rig.stop().expect("ends");
}

#[test]
fn an_act_whose_looks_take_longer_than_a_minute_asks_before_its_first_item() {
    let disk = Disk::new();
    disk.make_endless();
    disk.make_looks_last(10 * OVER_A_MINUTE);
    let mut rig = Rig::start(&disk);
    let (spec, nonce) = asked(&mut rig);
    rig.permit(&permit(&spec, nonce));
    let (_, nonce) = rig.asking_on();
    assert_eq!(disk.items(), 3, "nothing went under a word that is ten minutes old");
    rig.permit(&permit(&spec, nonce));
    disk.wait_for_act();
    for _ in 0..3 {
        disk.let_one_go();
    }
    let receipt = rig.receipt();
    assert_eq!((receipt.verdict, receipt.attempt, receipt.counts.erased), (Verdict::Done, 1, 3));
    rig.stop().expect("ends");
}

#[test]
fn an_act_that_is_not_answered_or_denied_stops_and_counts_what_is_gone() {
    for how in ["unanswered", "denied", "another's denial first"] {
        let disk = Disk::new();
        let (mut rig, spec, nonce) = waiting(&disk);
        disk.open_gate();
        let denied = |nonce| ToPrivileged::Denied { job: spec.job, nonce, reason: Denial::Held };
        match how {
            "unanswered" => disk.advance_ms(30_001),
            "denied" => rig.tell(denied(nonce)),
            _ => {
                rig.tell(denied(Nonce::from_bytes([0; 16])));
                disk.advance_ms(30_001);
            }
        }
        assert_stopped(&mut rig, &disk, how);
        rig.stop().expect("ends");
    }
}

#[test]
fn a_stop_a_withdrawal_or_the_agents_end_stops_an_act_while_it_waits() {
    for how in ["order", "withdrawal", "end"] {
        let disk = Disk::new();
        let (mut rig, spec, nonce) = waiting(&disk);
        disk.open_gate();
        match how {
            "order" => rig.order(true, 7),
            "withdrawal" => rig.tell(ToPrivileged::Withdraw { job: spec.job }),
            _ => {
                rig.stop().expect("ends");
                let last = disk.records().pop().expect("an end");
                let Record::End(held) = last else { panic!("{last:?}") };
                let opened = gallra_proof::receipt::open(&held.envelope, &disk.evidence());
                let (receipt, _): (Receipt, _) = opened.expect("signed");
                assert_eq!((receipt.code, receipt.counts.erased, disk.items()), (Some(Code::Stopped), 1, 2));
                continue;
            }
        }
        // A permit that comes after it changes nothing.
        rig.permit(&permit(&spec, nonce));
        assert_stopped(&mut rig, &disk, how);
        rig.stop().expect("ends");
    }
}

/// It waits a quarter of a second at a time, and reads the clock before and after: the word falls into the waiting, or the
/// reading that fails is its own. Either way it stops.
#[test]
fn a_stop_that_comes_while_no_clock_can_be_read_is_not_forgotten() {
    let disk = Disk::new();
    let (mut rig, spec, nonce) = waiting(&disk);
    disk.open_gate();
    disk.fail_one_reading();
    rig.tell(ToPrivileged::Withdraw { job: spec.job });
    rig.permit(&permit(&spec, nonce));
    assert_stopped(&mut rig, &disk, "no clock");
    rig.stop().expect("ends");
}

#[test]
fn given_a_renewed_permit_that_does_not_answer_it_goes_no_further() {
    type Case = (&'static str, fn(&mut Permit));
    let cases: [Case; 4] = [
        ("nonce", |p| p.nonce = Nonce::from_bytes([0; 16])),
        ("attempt", |p| p.attempt = 2),
        ("instance", |p| p.instance = Some(Digest::of(b"another tree"))),
        ("key", |_| {}),
    ];
    for (what, change) in cases {
        let disk = Disk::new();
        let (mut rig, spec, nonce) = waiting(&disk);
        disk.open_gate();
        let mut wrong = permit(&spec, nonce);
        change(&mut wrong);
        let foreign = SigningKey::from_seed(&[99; 32]);
        let envelope = match what {
            "key" => gallra_proof::permit::sign(&wrong, &foreign).expect("signs"),
            _ => sign(&wrong),
        };
        rig.tell(ToPrivileged::Permitted { permit: envelope });
        assert_stopped(&mut rig, &disk, what);
        rig.stop().expect("ends");
    }
}

#[test]
fn on_a_new_stream_an_act_asks_anew_and_goes_on() {
    let disk = Disk::new();
    let (mut rig, spec, lost) = waiting(&disk);
    let now = "2026-03-01T03:00:00Z".parse().expect("a literal");
    let marks = rig.marks.len();
    rig.tell(ToPrivileged::Connected { generation: 1, clock: Clock::Real, now });
    let (attempt, nonce) = rig.asking_on();
    assert!(attempt == 1 && nonce != lost && rig.marks.len() > marks);
    rig.permit(&permit(&spec, nonce));
    disk.let_one_go();
    disk.let_one_go();
    let receipt = rig.receipt();
    assert_eq!((receipt.verdict, receipt.attempt, receipt.counts.erased), (Verdict::Done, 1, 3));
    rig.stop().expect("ends");
}

#[test]
fn an_act_stops_at_an_item_when_the_agent_ends() {
    let disk = Disk::new();
    let (rig, _) = one_gone(&disk);
    rig.stop().expect("ends");
    let last = disk.records().pop().expect("an end");
    let Record::End(held) = last else { panic!("{last:?}") };
    let (receipt, _): (Receipt, _) = gallra_proof::receipt::open(&held.envelope, &disk.evidence()).expect("signed");
    assert_eq!(receipt.code, Some(Code::Stopped));
}
