//! Causes: an erasure whose cause does not fit in anything is refused, nothing is asked, and what can be undone needs none.

use gallra_model::cause::{Backing, Ground, commit_customer, commit_service};
use gallra_model::job::Purge;
use gallra_model::selector::ExternalId;

use super::*;

const SALT: Nonce = Nonce::from_bytes([21; 16]);
const OTHER_SALT: Nonce = Nonce::from_bytes([22; 16]);

fn id(text: &str) -> ExternalId {
    text.parse().expect("a literal")
}

/// What a job carries. The signature is the edge's to check: here it is whatever the edge says that it is.
pub(super) fn backing() -> Backing {
    let envelope = Envelope { payload_type: String::new(), payload: String::new(), signatures: vec![] };
    Backing { envelope, salt: Some(SALT) }
}

/// The end of the service that [`spec`] selects, and of its customer.
pub(super) fn cause(clock: Clock) -> Cause {
    Cause {
        ground: Ground::ContractEnd,
        service: Some(commit_service(&SALT, &id("anna.example"))),
        customer: Some(commit_customer(&OTHER_SALT, &id("1001"))),
        ended: None,
        policy: None,
        signed: instant("2026-02-01T00:00:00Z"),
        clock,
    }
}

/// Offers it, and gives the code of the refusal; none if a permit was asked for.
fn refused(spec: &JobSpec, trusted: Option<Cause>) -> Option<(Code, String)> {
    let mut bench = Bench::new(host());
    let offer = Input::Offered(Box::new(spec.clone()), digest(spec), trusted.map(Box::new));
    let asked = asks(bench.feed(0, offer));
    let receipt = bench.receipt();
    assert_eq!(asked, receipt.is_none(), "either asked for or refused with a receipt");
    receipt.map(|receipt| {
        assert_eq!((receipt.verdict, receipt.attempt, receipt.permit), (Verdict::Refused, 0, None));
        (receipt.code.expect("a code"), receipt.hint)
    })
}

#[test]
fn a_cause_that_does_not_fit_in_anything_is_refused_and_nothing_is_asked() {
    let good = cause(Clock::Real);
    let selects = |selector| JobSpec { selector, ..spec(1) };
    let salted = |salt| JobSpec { cause: Some(Backing { salt, ..backing() }), ..spec(1) };
    let late = |at| Some(Cause { signed: instant(at), ..good.clone() });
    let service = |text| Selector { service: Some(id(text)), ..Selector::default() };
    let customer = |text| Selector { customer: Some(id(text)), ..Selector::default() };
    let purge = Cause {
        ground: Ground::RollingPurge,
        policy: Some(Digest::of(b"policy")),
        service: None,
        customer: None,
        ..good.clone()
    };
    let cases = [
        ("no cause", JobSpec { cause: None, ..spec(1) }, None),
        ("no cause, and one from somewhere", JobSpec { cause: None, ..spec(1) }, Some(good.clone())),
        ("signed by nobody trusted", spec(1), None),
        ("another service", selects(service("bert.example")), Some(good.clone())),
        ("another service that begins alike", selects(service("anna.example.com")), Some(good.clone())),
        ("another service in other case", selects(service("Anna.example")), Some(good.clone())),
        ("the customer under the service's salt", selects(customer("1001")), Some(good.clone())),
        (
            "both ids under one salt",
            selects(Selector { customer: Some(id("1001")), ..service("anna.example") }),
            Some(good.clone()),
        ),
        ("the customer's salt", salted(Some(OTHER_SALT)), Some(good.clone())),
        ("no salt", salted(None), Some(good.clone())),
        ("only the customer ends", spec(1), Some(Cause { service: None, ..good.clone() })),
        ("simulated", spec(1), Some(cause(Clock::Simulated))),
        ("signed later than now", spec(1), late("2026-03-01T03:10:01Z")),
        ("a purge", spec(1), Some(purge)),
        ("a purge's policy", spec(1), Some(Cause { policy: Some(Digest::of(b"policy")), ..good.clone() })),
    ];
    for (name, spec, trusted) in cases {
        let (code, hint) = refused(&spec, trusted).unwrap_or_else(|| panic!("{name}: asked for"));
        assert_eq!(code, Code::BadCause, "{name}");
        assert!(!hint.is_empty() && !hint.contains("anna"), "{name}: {hint}");
    }
    assert_eq!(refused(&spec(1), Some(good.clone())), None);
    assert_eq!(refused(&spec(1), late("2026-03-01T03:10:00Z")), None, "within the clock bound");
}

#[test]
fn the_customers_own_salt_opens_the_customer() {
    let erase = JobSpec {
        selector: Selector { customer: Some(id("1001")), ..Selector::default() },
        cause: Some(Backing { salt: Some(OTHER_SALT), ..backing() }),
        ..spec(1)
    };
    assert_eq!(refused(&erase, Some(cause(Clock::Real))), None);
}

#[test]
fn what_can_be_undone_needs_no_cause() {
    for action in [Action::Inspect, Action::Restrict, Action::Preserve, Action::Confirm, Action::Observe] {
        let spec = JobSpec { action, cause: None, ..spec(1) };
        assert_eq!(refused(&spec, None), None, "{action:?}");
    }
}

fn purge(policy: &[u8], preserve: Vec<Selector>) -> JobSpec {
    let purge = Purge { older_than: instant("2025-09-01T00:00:00Z"), policy: Digest::of(policy), preserve };
    JobSpec {
        action: Action::Purge,
        selector: Selector::default(),
        instance: None,
        purge: Some(purge),
        cause: Some(Backing { salt: None, ..backing() }),
        ..spec(1)
    }
}

fn of_purges(policy: &[u8]) -> Cause {
    Cause {
        ground: Ground::RollingPurge,
        service: None,
        customer: None,
        policy: Some(Digest::of(policy)),
        ..cause(Clock::Real)
    }
}

#[test]
fn a_purge_needs_a_signature_on_its_own_policy_version() {
    let held = Selector { service: Some(id("bert.example")), ..Selector::default() };
    assert_eq!(refused(&purge(b"policy", vec![held]), Some(of_purges(b"policy"))), None);
    for (name, spec, trusted) in [
        ("no cause", JobSpec { cause: None, ..purge(b"policy", vec![]) }, Some(of_purges(b"policy"))),
        ("signed by nobody trusted", purge(b"policy", vec![]), None),
        ("another version", purge(b"policy", vec![]), Some(of_purges(b"another"))),
        ("somebody's end", purge(b"policy", vec![]), Some(cause(Clock::Real))),
        (
            "under another clock",
            purge(b"policy", vec![]),
            Some(Cause { clock: Clock::Simulated, ..of_purges(b"policy") }),
        ),
    ] {
        let (code, _) = refused(&spec, trusted).unwrap_or_else(|| panic!("{name}: asked for"));
        assert_eq!(code, Code::BadCause, "{name}");
    }
}

#[test]
fn what_is_neither_a_purge_nor_anything_else_is_refused() {
    let somebody = spec(1).selector;
    let whole = purge(b"policy", vec![]);
    for (name, spec) in [
        ("a purge of somebody", JobSpec { selector: somebody.clone(), ..whole.clone() }),
        ("a purge that does not say how old", JobSpec { purge: None, ..whole.clone() }),
        ("an erasure by age", JobSpec { action: Action::Erase, selector: somebody, ..whole.clone() }),
        ("an erasure of everything that is old", JobSpec { action: Action::Erase, ..whole }),
        ("a purge that leaves nobody in particular", purge(b"policy", vec![Selector::default()])),
    ] {
        let (code, _) = refused(&spec, Some(of_purges(b"policy"))).unwrap_or_else(|| panic!("{name}: asked for"));
        assert_eq!(code, Code::BadSelector, "{name}");
    }
}
