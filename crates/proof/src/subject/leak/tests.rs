//! Every spelling of every kind is found wherever it stands; what is there by chance stops nothing.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn identifier(kind: Kind, text: &str) -> Identifier {
    Identifier::new(kind, text).expect("a literal")
}

fn all() -> Vec<Identifier> {
    vec![
        identifier(Kind::CustomerNumber, "K-1001"),
        identifier(Kind::Service, "web1001"),
        identifier(Kind::PersonalNumber, "198112189876"),
        identifier(Kind::OrganisationNumber, "5560360793"),
        identifier(Kind::Email, "Anna.S@example.org"),
        identifier(Kind::Domain, "anna.example"),
        identifier(Kind::Ip, "2001:db8::1"),
    ]
}

fn leaks(said: &str, identifier: &Identifier) -> bool {
    let payload = json!({"predicate": {"notes": [{"text": said}]}}).to_string();
    scan(payload.as_bytes(), std::slice::from_ref(identifier)).is_err()
}

/// What F22 names, and more: each a function of the value.
fn spellings(value: &str) -> Vec<String> {
    let bytes = value.as_bytes();
    let inside = |before: &str| [before.as_bytes(), bytes, b"!!!"].concat();
    let mut all = vec![
        value.to_owned(),
        value.to_uppercase(),
        format!("x {value} y"),
        format!("/home/{value}/www"),
        value.chars().rev().collect(),
        hex::encode(bytes),
        hex::encode_upper(bytes),
        bytes
            .iter()
            .map(|b| if b.is_ascii_alphanumeric() { char::from(*b).to_string() } else { format!("%{b:02X}") })
            .collect(),
        hex::encode(Md5::digest(bytes)),
        hex::encode(Sha1::digest(bytes)),
        Digest::of(bytes).to_string(),
        hex::encode(Sha512::digest(bytes)),
        data_encoding::BASE64.encode(&Sha1::digest(bytes)),
        BASE64URL_NOPAD.encode(Digest::of(bytes).as_bytes()),
    ];
    all.extend(["", "a", "ab", "abc"].map(|before| data_encoding::BASE64.encode(&inside(before))));
    all.extend(["", "a", "ab", "abc"].map(|before| BASE64URL_NOPAD.encode(&inside(before))));
    all
}

#[test]
fn every_spelling_of_every_kind_is_found() {
    for identifier in all() {
        for said in spellings(identifier.expose()) {
            assert!(leaks(&said, &identifier), "{} as {said}", identifier.kind().word());
        }
    }
}

#[test]
fn numbers_are_found_as_people_write_them() {
    for said in ["811218-9876", "19811218-9876", "8112189876", "811218+9876", "born 811218-9876."] {
        assert!(leaks(said, &identifier(Kind::PersonalNumber, "198112189876")), "{said}");
    }
    for said in ["556036-0793", "SE556036079301"] {
        assert!(leaks(said, &identifier(Kind::OrganisationNumber, "5560360793")), "{said}");
    }
}

#[test]
fn a_leak_names_field_and_kind_and_no_value() {
    let payload = json!({"predicate": {"targets": [{"target": "ok"}, {"target": "mail-k-1001"}]}}).to_string();
    let leak = scan(payload.as_bytes(), &all()).expect_err("it is there");
    assert_eq!(
        leak.to_string(),
        "predicate.targets[1].target would show a subject's customer-number: it is not signed"
    );
    let named = json!({"K-1001": 1}).to_string();
    assert!(scan(named.as_bytes(), &all()).is_err(), "names of fields, too");
    assert!(scan(b"K-1001", &all()).is_err(), "what is no json, too");
}

#[test]
fn what_is_there_by_chance_stops_nothing() {
    let number = [identifier(Kind::CustomerNumber, "1001")];
    let quiet = |payload: Value, wanted: &[Identifier]| scan(payload.to_string().as_bytes(), wanted) == Ok(());
    assert!(quiet(json!({"digest": format!("{}1001{}", "ab".repeat(20), "0".repeat(20))}), &number), "a digest");
    assert!(quiet(json!({"items": 1001}), &number), "a count");
    assert!(quiet(json!({"at": "2026-10-01T10:01:00Z"}), &number), "an instant");
    assert!(quiet(json!({"software": "gallra-agent 0.110013"}), &number), "inside a longer number");
    assert!(!quiet(json!({"text": "customer 1001"}), &number));
    let named_mail = [identifier(Kind::Service, "mail")];
    assert!(quiet(json!({"category": "mail", "mail": 1, "rule": "webone/mail"}), &named_mail), "words of the format");
    assert!(!quiet(json!({"text": "of mail"}), &named_mail));
    let short = [identifier(Kind::Service, "www")];
    assert!(quiet(json!({"text": "www.example"}), &short));
    assert!(!quiet(json!({"target": "www"}), &short));
}

proptest! {
    #[test]
    fn an_identifier_is_found_wherever_it_stands(
        which in 0_usize..7, spelling in 0_usize..22, before in "[ ./]?", deep in 0_usize..5,
    ) {
        let identifier = all().swap_remove(which);
        let said = spellings(identifier.expose());
        let mut value = json!(format!("{before}{}", said[spelling % said.len()]));
        for level in 0..deep {
            value = if level % 2 == 0 { json!([1, value]) } else { json!({"field": value}) };
        }
        prop_assert!(scan(value.to_string().as_bytes(), &[identifier]).is_err());
    }
}
