//! Whose keys are believed: the three forms of trust, and what became of keys since (`docs/formats/keys-v1.md`).

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a missing part should fail the test at once")]

mod issuer;

use gallra_verify::{Question, Trust, TrustError, Verdict};
use issuer::build::Built;
use issuer::json::Json;
use issuer::keys::{self, ISSUER, Key, NEXT_ISSUER, ROOTS, agent, base64, listed};
use issuer::story::{self, Item, Story};
use issuer::{expect, expect_verdict};

fn under(built: &Built, key: &str) -> Verdict {
    gallra_verify::verify(&built.bytes(), &Trust::parse(key).unwrap(), &Question::default())
}

fn pem() -> String {
    ISSUER.iter().map(|key| key.pem()).collect()
}

/// Keys of the first manifest, with other keys of the issuer.
fn rotated() -> Vec<(String, Json)> {
    let mut all = keys::first();
    all.retain(|(id, _)| !ISSUER.iter().any(|key| key.id() == *id));
    all.extend(NEXT_ISSUER.iter().map(|key| listed(*key, "issuer", None)));
    all
}

/// A second manifest after the interim proof; the final proof names it and is signed by this.
fn with_second(second: Item, signers: [Key; 2]) -> Story {
    let mut story = Story::complete();
    let at = story.place("9.2");
    story.items.insert(at, second);
    let last = story.items.last_mut().unwrap();
    last.signers = signers.to_vec();
    last.predicate.get("manifest").set("version", 2);
    last.predicate.get("manifest").set("digest", "@manifest-2");
    story
}

#[test]
fn three_forms_of_trust() {
    let built = Story::complete().built();
    for (name, key, vouching) in [
        ("key file", built.key_file(&["manifest-1"], &[]), "of the trusted key file"),
        ("anchor", built.anchor(), "in a chain from the trusted"),
        ("the issuer's keys", pem(), "signed by the two trusted keys"),
    ] {
        let verdict = under(&built, &key);
        expect_verdict(name, &verdict, 0);
        assert!(verdict.checks.iter().any(|check| check.text.contains(vouching)), "{name}: {verdict:#?}");
    }
    let alone = under(&built, &pem());
    assert!(alone.checks.iter().any(|check| check.text.contains("nobody but the issuer")));
    assert_eq!(alone.level, "A0");
}

#[test]
fn without_the_right_key_nothing_is_believed() {
    let built = Story::complete().built();
    let none = gallra_verify::verify(&built.bytes(), &Trust::none(), &Question::default());
    expect_verdict("none", &none, 25);
    expect_verdict("another anchor", &under(&built, &format!("sha256:{}", "12".repeat(32))), 25);
    let others: String = NEXT_ISSUER.iter().map(|key| key.pem()).collect();
    expect_verdict("others' keys", &under(&built, &others), 25);
    let other = Story::complete().with(|story| story.items[0].predicate.set("made", "2026-01-02T09:00:00Z")).built();
    expect_verdict("another key file", &under(&built, &other.key_file(&["manifest-1"], &[])), 25);
    let either = Trust::parse(&others).unwrap().or(Trust::parse(&built.anchor()).unwrap());
    expect_verdict("one of two", &gallra_verify::verify(&built.bytes(), &either, &Question::default()), 0);
}

#[test]
fn what_is_no_key_is_refused() {
    let built = Story::complete().built();
    let file = built.key_file(&["manifest-1"], &[]);
    for bad in
        ["", "sha256:12", &ISSUER[0].pem(), &ISSUER[1].pem(), &format!("{}{}", ISSUER[0].pem(), ISSUER[0].pem()), "{}"]
    {
        assert!(Trust::parse(bad).is_err(), "{bad}");
    }
    assert_eq!(Trust::parse(&file.replace("gallra-keys-v1", "gallra-keys-v2")).err(), Some(TrustError::KeyFile));
    assert_eq!(Trust::parse(&file.replacen(':', ": ", 1)).err(), Some(TrustError::KeyFile));
    assert!(Trust::parse(&file).is_ok());
}

#[test]
fn a_new_manifest_by_enough_holders_of_both() {
    let second = story::manifest(2, rotated());
    let built = with_second(second.clone(), NEXT_ISSUER).built();
    expect("by both holders", &built, 0);
    for key in
        [built.anchor(), built.key_file(&["manifest-1", "manifest-2"], &[]), built.key_file(&["manifest-1"], &[])]
    {
        expect_verdict("every form that is of the chain", &under(&built, &key), 0);
    }
    expect("the old issuer after it", &with_second(second.clone(), ISSUER).built(), 25);
    let one = Item { signers: ROOTS[..2].to_vec(), ..second.clone() };
    expect("by one holder", &with_second(one, NEXT_ISSUER).built(), 25);
    let half = Item { signers: vec![ROOTS[0], ROOTS[2], ROOTS[3]], ..second.clone() };
    expect("by one and a half", &with_second(half, NEXT_ISSUER).built(), 25);
    let issuer = Item { signers: ISSUER.to_vec(), ..second.clone() };
    expect("by the issuer", &with_second(issuer, NEXT_ISSUER).built(), 25);
    let mut gap = second.clone();
    gap.predicate.set("version", 3);
    expect("a version left out", &with_second(gap, NEXT_ISSUER).built(), 25);
    let mut orphan = second.clone();
    orphan.predicate.set("parent", "12".repeat(32));
    expect("of another chain", &with_second(orphan, NEXT_ISSUER).built(), 25);
    let mut none = second;
    none.predicate.set("threshold", 0);
    expect("that asks for nobody", &with_second(none, NEXT_ISSUER).built(), 25);
}

#[test]
fn a_proof_of_before_stands_after_every_key_was_changed() {
    let mut story = Story::complete();
    story.items.push(story::manifest(2, rotated()));
    let mut built = story.built();
    built.file.get("manifests").all().pop();
    let newer = built.key_file(&["manifest-1", "manifest-2"], &[]);
    expect_verdict("under the newer key file", &under(&built, &newer), 0);
}

#[test]
fn an_agent_that_came_between_manifests() {
    let enrolled = |role: &str, actor: &str| {
        let further = vec![
            ("role", role.into()),
            ("actor", actor.into()),
            ("algorithm", "ed25519".into()),
            ("spki", base64(&Key::Ed(40).spki()).into()),
        ];
        story::event("enrolled", "enrolled", Key::Ed(40), &ISSUER, further)
    };
    let story = |role: &str, actor: &str, before: &str| {
        let mut story = Story::complete();
        let at = story.place(before);
        story.items.insert(at, enrolled(role, actor));
        story.item("10.1").signers = vec![Key::Ed(40)];
        story
    };
    expect("a new key of web1", &story("agent", "web1", "9.2").built(), 0);
    expect("another agent's", &story("agent", "db1", "9.2").built(), 26);
    expect("an issuer's", &story("issuer", "web1", "9.2").built(), 25);
    expect("enrolled after it was used", &story("agent", "web1", "11.1").built(), 25);
    let mut self_made = story("agent", "web1", "9.2");
    self_made.item("enrolled").signers = vec![agent("web1")];
    expect("enrolled by an agent", &self_made.built(), 25);
    let mut hidden = story("agent", "web1", "9.2").built();
    hidden.file.get("events").all().clear();
    expect("the event is not in the file", &hidden, 25);
    let mut unlogged = story("agent", "web1", "9.2").built();
    unlogged.file.get("events").at(0).set("index", 1);
    expect("the event is elsewhere in the log", &unlogged, 21);
}

#[test]
fn a_compromised_issuer_says_nothing_more_not_even_of_others() {
    let mut story = with_second(story::manifest(2, rotated()), NEXT_ISSUER);
    // A thief with the old keys revokes an agent; then the new keys say since when the old ones were lost.
    let at = story.place("9.2");
    story.items.insert(at - 1, story::event("theft", "revoked", agent("web1"), &ISSUER, Vec::new()));
    let since = vec![("since", Json::Number((at - 1) as u64))];
    let last = story.items.len() - 1;
    story.items.insert(last, story::event("lost", "compromised", ISSUER[0], &NEXT_ISSUER, since));
    let with = story.built();
    expect("the proof carries the thief's event", &with, 25);
    let mut without = with.clone();
    without.file.get("events").all().remove(0);
    expect("the proof leaves it out", &without, 0);
    let keys = with.key_file(&["manifest-1", "manifest-2"], &["theft", "lost"]);
    expect_verdict("the key file has both", &under(&without, &keys), 0);
}

#[test]
fn a_key_is_for_one_thing_for_good() {
    let mut keys = rotated();
    keys.retain(|(id, _)| *id != agent("db1").id());
    keys.push(listed(agent("db1"), "agent", Some("web1")));
    expect("another actor", &with_second(story::manifest(2, keys), NEXT_ISSUER).built(), 25);
    let mut keys = keys::first();
    keys.push(listed(Key::Ed(31), "agent", Some("web9")));
    let mut story = Story::complete();
    story.items[0] = story::manifest(1, keys);
    expect("an agent's is a witness's", &story.built(), 25);
    let mut story = Story::complete();
    story.items[0].predicate.get("witnesses").all().swap(0, 1);
    let twice = story.items[0].predicate.get("witnesses").at(0).clone();
    story.items[0].predicate.get("witnesses").all()[1] = twice;
    expect("one witness is two", &story.built(), 25);
}
