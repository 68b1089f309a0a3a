//! Words of a newer peer, on each message that leads to destruction: what this side does not know is no permission, and no loss of a word
//! that it does know. Bytes as they are on the wire; what the signed JSON inside them says is tested with who opens it.
#![allow(clippy::wildcard_enum_match_arm, reason = "words that are not told here")]

use gallra_model::message::{ToAgent, ToCoordinator};
use gallra_model::permit::Denial;
use gallra_wire::session::{response_of, to_agent, to_coordinator};
use gallra_wire::v1;
use gallra_wire::v1::session_request::Say as Ask;
use gallra_wire::v1::session_response::Say as Answer;
use prost::Message as _;
use tonic::Code;

/// A field that no version of ours has: number 900, a varint.
const LATER: [u8; 3] = [0xa0, 0x38, 1];

const JOB: &str = "000102030405060708090a0b0c0d0e0f";

/// A message with a field of a later version in it, within `say`.
fn with_more(field: u8, inner: &[u8]) -> Vec<u8> {
    let inner = [inner, &LATER].concat();
    let mut bytes = vec![field << 3 | 2];
    prost::encode_length_delimiter(inner.len(), &mut bytes).expect("room");
    [bytes, inner].concat()
}

fn envelope() -> v1::Envelope {
    let signatures = vec![v1::Signature { keyid: "k".into(), sig: "c2ln".into() }];
    v1::Envelope { payload_type: "t".into(), payload: "cGF5bG9hZA==".into(), signatures }
}

#[test]
fn a_field_of_a_later_version_changes_no_word_to_an_agent() {
    let said = [
        (3, Answer::Offer(v1::Offer { spec: "{}".into(), traceparent: String::new() })),
        (4, Answer::Permitted(v1::Permitted { permit: Some(envelope()) })),
        (7, Answer::Order(v1::Order { order: Some(envelope()) })),
        (8, Answer::Withdraw(v1::Withdraw { job: JOB.into() })),
        (9, Answer::Suppression(v1::SuppressionLine { line: Some(envelope()), key: String::new() })),
    ];
    for (number, say) in said {
        let inner = match &say {
            Answer::Offer(word) => word.encode_to_vec(),
            Answer::Permitted(word) => word.encode_to_vec(),
            Answer::Order(word) => word.encode_to_vec(),
            Answer::Withdraw(word) => word.encode_to_vec(),
            Answer::Suppression(word) => word.encode_to_vec(),
            _ => Vec::new(),
        };
        let heard = v1::SessionResponse::decode(with_more(number, &inner).as_slice()).expect("decodes");
        assert_eq!(heard.say.as_ref(), Some(&say), "what is known is as it was");
        let (heard, plain) = (to_agent(heard), to_agent(v1::SessionResponse { say: Some(say) }));
        assert_eq!(heard.expect("a word"), plain.expect("a word"));
    }
}

#[test]
fn a_word_that_is_not_known_is_refused_on_both_sides() {
    let later = with_more(15, b"");
    let to_agents = v1::SessionResponse::decode(later.as_slice()).expect("decodes");
    let to_coordinators = v1::SessionRequest::decode(later.as_slice()).expect("decodes");
    for refused in [to_agent(to_agents).map(drop), to_coordinator(to_coordinators).map(drop)] {
        let refused = refused.expect_err("no word of ours");
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().starts_with("say: must be set"), "{}", refused.message());
    }
}

fn denied(reason: i32) -> Result<ToAgent, tonic::Status> {
    to_agent(v1::SessionResponse {
        say: Some(Answer::Denied(v1::Denied { job: JOB.into(), nonce: JOB.into(), reason })),
    })
}

#[test]
fn a_no_for_a_reason_that_is_not_known_is_a_no() {
    let ToAgent::Denied { reason, .. } = denied(1_000).expect("a no") else { panic!("a no is a no") };
    assert_eq!(reason, Denial::Other);
    assert!(denied(0).is_err(), "a reason is given");
    let job = JOB.parse().expect("an id");
    let word = ToAgent::Denied { job, nonce: JOB.parse().expect("a nonce"), reason: Denial::Other };
    assert!(to_agent(response_of(&word)).is_err(), "nobody says it");
}

#[test]
fn a_clock_that_is_not_known_is_no_welcome() {
    let welcome = |clock| {
        let now = "2026-11-28T08:00:00Z".to_owned();
        to_agent(v1::SessionResponse {
            say: Some(Answer::Welcome(v1::Welcome { generation: 1, clock, now, heartbeat_seconds: 30, protocol: 2 })),
        })
    };
    assert!(welcome(1).is_ok());
    assert_eq!(welcome(77).expect_err("which clock?").code(), Code::InvalidArgument);
}

fn hello(change: impl FnOnce(&mut v1::Target)) -> Result<ToCoordinator, tonic::Status> {
    let mut target = v1::Target {
        id: "www".into(),
        kind: v1::TargetKind::Files.into(),
        category: "customer-data".into(),
        role: v1::DataRole::Processor.into(),
        scope: v1::Scope::Contract.into(),
        mode: v1::Mode::Observe.into(),
        ..v1::Target::default()
    };
    change(&mut target);
    let inventory = v1::Inventory { agent: "web1".into(), evidence_key: String::new(), targets: vec![target] };
    let hello = v1::Hello { inventory: Some(inventory), generation: 1, credits: 1, protocol: 2 };
    to_coordinator(v1::SessionRequest { say: Some(Ask::Hello(hello)) })
}

#[test]
fn an_inventory_with_a_word_that_is_not_known_is_refused_whole() {
    // A target that is left out would be missing from plans, and a proof would say that all is gone.
    assert!(hello(|_| ()).is_ok());
    let changes: [fn(&mut v1::Target); 4] =
        [|target| target.kind = 99, |target| target.role = 99, |target| target.scope = 99, |target| target.mode = 99];
    for change in changes {
        let refused = hello(change).expect_err("unknown");
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().contains("unspecified or unknown"), "{}", refused.message());
    }
    // What nobody knows of a copy's life is that it ends.
    let ToCoordinator::Hello { inventory, .. } =
        hello(|target| (target.kind, target.copy_life) = (v1::TargetKind::Restic.into(), 99)).expect("a greeting")
    else {
        panic!("a greeting")
    };
    let life = inventory.targets.first().and_then(|target| target.copy_life);
    assert_eq!(life, Some(gallra_model::target::CopyLife::Unknown));
}
