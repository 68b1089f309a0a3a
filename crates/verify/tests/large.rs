//! Files as large as a plan may be are judged in one pass: neither steps, nor notes, nor listings are looked at once for each
//! other one. What takes the square of this is stopped by the runner's limit.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a missing part should fail the test at once")]

mod issuer;

use issuer::expect;
use issuer::json::{Json, counts, list, object};
use issuer::keys::{self, Key};
use issuer::story::{self, Story, keep};

/// A story in which nothing was done yet, with this plan's steps and notes.
fn planned(steps: Vec<Json>, notes: Vec<Json>) -> Story {
    let mut story = Story::halfway();
    story.items.retain(|item| ["manifest-1", "request", "plan", "proof-1"].contains(&item.label.as_str()));
    let plan = &mut story.item("plan").predicate;
    plan.set("steps", Json::List(steps));
    plan.set("notes", Json::List(notes));
    let proof = story.proof();
    for name in ["until", "copies_closed", "recipients"] {
        proof.remove(name);
    }
    for name in ["targets", "copies", "kept"] {
        proof.get(name).all().clear();
    }
    story.evidence();
    story
}

fn step(number: u64, target: &str, action: &str) -> Json {
    let mut step = object([
        ("number", number.into()),
        ("job", format!("{number:032x}").into()),
        ("agent", "web1".into()),
        ("target", target.into()),
        ("kind", "files".into()),
        ("category", "content".into()),
        ("role", "processor".into()),
        ("action", action.into()),
        ("rule", "webone/content".into()),
        ("due", "2026-02-28T21:00:00Z".into()),
    ]);
    if action == "preserve" {
        let Json::Object(fields) = &mut step else { unreachable!() };
        fields.push(("keep".to_owned(), keep()));
    }
    step
}

fn waiting(target: &str) -> Json {
    object([
        ("agent", "web1".into()),
        ("target", target.into()),
        ("kind", "files".into()),
        ("category", "content".into()),
        ("role", "processor".into()),
        ("counts", counts(&[])),
        ("proven", false.into()),
        ("why", "waiting".into()),
    ])
}

#[test]
fn ten_thousand_steps_on_one_target_and_as_many_notes() {
    let actions = ["preserve", "erase", "confirm"];
    let steps = (1..=9_999_u64).map(|number| step(number, "www", actions[usize::try_from(number % 3).unwrap()]));
    let note = |number: u64| {
        object([
            ("code", "not-purged".into()),
            ("target", format!("web1/t{number}").into()),
            ("text", "nobody purges it".into()),
        ])
    };
    let mut story = planned(steps.collect(), (0..20_000).map(note).collect());
    story.proof().set("targets", list([waiting("www")]));
    expect("on one target", &story.built(), 0);
}

#[test]
fn ten_thousand_targets() {
    let target = |number: u64| format!("t{number}");
    let steps = (1..=9_999).map(|number| step(number, &target(number), "erase")).collect();
    let mut story = planned(steps, Vec::new());
    story.proof().set("targets", list((1..=9_999).map(|number| waiting(&target(number)))));
    expect("on as many targets", &story.built(), 0);
    let more = (1..=10_001).map(|number| step(number, "www", "erase")).collect();
    let mut story = planned(more, Vec::new());
    story.proof().set("targets", list([waiting("www")]));
    expect("one step too many", &story.built(), 30);
}

#[test]
fn more_than_the_page_allows_is_refused_unread() {
    let mut built = Story::halfway().built();
    let note = built.file.get("checkpoints").at(0).clone();
    built.file.set("checkpoints", list((0..1_001).map(|_| note.clone())));
    expect("checkpoints", &built, 30);
    let mut built = Story::halfway().built();
    let mut event = built.file.get("proof").clone();
    event.get("envelope").get("signatures").all().clear();
    event.get("envelope").set("payload", "e30=");
    built.file.set("events", list((0..20_001).map(|_| event.clone())));
    let bytes = built.bytes();
    let verdict = gallra_verify::verify(&bytes, &gallra_verify::Trust::none(), &gallra_verify::Question::default());
    assert_eq!(verdict.conclusion(), "INVALID: the file has more than 20000 entries", "{} bytes", bytes.len());
}

#[test]
fn post_quantum_keys_are_counted_before_they_are_read() {
    let named = |many: u16| {
        let mut keys = keys::first();
        keys.extend((0..many).map(|number| {
            let raw = [number.to_be_bytes().as_slice(), &[7; 1_950]].concat();
            let spki = [&Key::Ml(1).spki()[..22], &raw].concat();
            let line = object([
                ("keyid", keys::sha256(&spki).into()),
                ("algorithm", "ml-dsa-65/1".into()),
                ("role", "issuer".into()),
                ("spki", keys::base64(&spki).into()),
            ]);
            (keys::sha256(&spki), line)
        }));
        let mut story = Story::halfway();
        story.items[0] = story::manifest(1, keys);
        story.built()
    };
    expect("as many as may be", &named(253), 0);
    expect("one more", &named(254), 30);
}
