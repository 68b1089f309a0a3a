//! Words of a newer coordinator, with good signatures: what is not read to its end is refused aloud, or left undone, and never begun.

use gallra_model::order::ORDER_TYPE;
use gallra_model::permit::PERMIT_TYPE;
use serde_json::json;

use super::*;

/// Nothing was looked at, and nothing was begun.
fn assert_untouched(rig: &Rig<'_>) {
    assert!(rig.calls().is_empty(), "{:?}", rig.calls());
    assert!(!rig.records().iter().any(|record| matches!(record, Record::Begin(_))));
}

#[test]
fn an_offer_that_says_more_gets_a_receipt_that_refuses_it() {
    let disk = Disk::new();
    let mut rig = Rig::start(&disk);
    for within in [None, Some("selector"), Some("cause")] {
        for action in [Action::Erase, Action::Inspect] {
            let spec = spec(action);
            rig.offer_with_more(&spec, within);
            let receipt = rig.receipt();
            assert_eq!((receipt.verdict, receipt.code), (Verdict::Refused, Some(Code::Unsupported)), "{within:?}");
            assert_eq!((receipt.job, receipt.action, receipt.attempt), (spec.job, action, 0));
            rig.acknowledge();
        }
    }
    assert_untouched(&rig);
    // And whatever it does read is its work as before.
    asked(&mut rig);
}

#[test]
fn an_action_or_a_clock_that_is_not_known_is_left_undone() {
    let disk = Disk::new();
    let mut rig = Rig::start(&disk);
    for (field, word) in [("action", "shred"), ("clock", "sidereal")] {
        let mut offer = serde_json::to_value(spec(Action::Erase)).expect("serialises");
        offer[field] = json!(word);
        rig.tell(ToPrivileged::Offer { spec: offer.to_string() });
    }
    // The next thing that it says is about the next offer.
    asked(&mut rig);
    assert_untouched(&rig);
}

/// A permit that answers, with one part of its bytes replaced: else it is as it would be signed.
fn changed(spec: &JobSpec, nonce: Nonce, (from, to): (&str, &str)) -> String {
    let text = serde_json::to_string(&permit(spec, nonce)).expect("serialises");
    let changed = text.replacen(from, to, 1);
    assert!(from == to || changed != text, "{from}");
    changed
}

/// A limit that this version does not know.
const AT_MOST: (&str, &str) = ("\"clock\":\"real\"}", "\"clock\":\"real\",\"at-most\":1}");

#[test]
fn a_permit_that_says_more_is_none() {
    let cases = [
        ("a limit that is not known", AT_MOST),
        ("an action that is not known", ("\"erase\"", "\"shred\"")),
        ("a clock that is not known", ("\"real\"", "\"sidereal\"")),
    ];
    for (what, change) in cases {
        let disk = Disk::new();
        let mut rig = Rig::start(&disk);
        let (spec, nonce) = asked(&mut rig);
        let permit = rig.signed(PERMIT_TYPE, &changed(&spec, nonce, change));
        rig.tell(ToPrivileged::Permitted { permit });
        assert_refused(&mut rig, what);
    }
    let disk = Disk::new();
    let mut rig = Rig::start(&disk);
    let (spec, nonce) = asked(&mut rig);
    let permit = rig.signed(PERMIT_TYPE, &changed(&spec, nonce, ("", "")));
    rig.tell(ToPrivileged::Permitted { permit });
    assert_eq!(rig.receipt().verdict, Verdict::Done, "and without a change it is one");
}

#[test]
fn an_act_under_way_does_not_go_on_by_a_permit_that_says_more() {
    let disk = Disk::new();
    disk.make_endless();
    let mut rig = Rig::start(&disk);
    let (spec, nonce) = asked(&mut rig);
    rig.permit(&permit(&spec, nonce));
    disk.wait_for_act();
    disk.let_one_go();
    disk.advance_ms(60_001);
    let (_, nonce) = rig.asking_on();
    let permit = rig.signed(PERMIT_TYPE, &changed(&spec, nonce, AT_MOST));
    rig.tell(ToPrivileged::Permitted { permit });
    let receipt = rig.receipt();
    assert_eq!((receipt.verdict, receipt.code), (Verdict::Failed, Some(Code::Stopped)));
    assert_eq!(disk.items(), 2, "it stopped where it was");
}

/// An order with a word more.
fn order(halted: bool, sequence: u64) -> String {
    format!(
        r#"{{"halted":{halted},"generation":1,"sequence":{sequence},"at":"2026-03-01T03:00:00Z","clock":"real","of":"all"}}"#
    )
}

#[test]
fn a_stop_that_says_more_stops_and_no_other_order_that_does_lifts_it() {
    let disk = Disk::new();
    let mut rig = Rig::start(&disk);
    for (halted, sequence) in [(true, 1), (false, 2)] {
        let order = rig.signed(ORDER_TYPE, &order(halted, sequence));
        rig.tell(ToPrivileged::Order { order });
        rig.offer(&spec(Action::Erase));
        let receipt = rig.receipt();
        assert_eq!((receipt.verdict, receipt.code), (Verdict::Refused, Some(Code::Halted)), "{halted}");
        rig.acknowledge();
    }
    let foreign = SigningKey::from_seed(&[99; 32]);
    rig.order(false, 3);
    let order = gallra_proof::dsse::sign(ORDER_TYPE, order(true, 4).as_bytes(), &foreign);
    rig.tell(ToPrivileged::Order { order });
    asked(&mut rig);
    assert_untouched(&rig);
}
