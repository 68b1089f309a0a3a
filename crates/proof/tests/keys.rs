//! Keys that come and go, and what is added to a proof or must not be in it: what a file of today is worth once its keys are
//! changed (`docs/formats/keys-v1.md`), amendments, restores, and the scan before a signature.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a missing part should fail the test at once")]

mod support;

use gallra_identity::MlDsaKey;
use gallra_model::outcome::Counts;
use gallra_model::proof::{Proof, RecipientResult, Stage};
use gallra_model::restore::Restore;
use gallra_model::statement::{Subject, Type};
use gallra_model::target::TargetKind;
use gallra_model::{Clock, Digest};
use gallra_proof::issuer::{Issuer, Signer as _};
use gallra_proof::key::SigningKey;
use gallra_proof::payload::PayloadError;
use gallra_proof::subject::{Identifier, Kind};
use gallra_verify::{Outcome, Question, Trust, Verdict};
use support::keys::{Pair, compromised, revoked};
use support::made::{Later, Made};
use support::{Story, at, identifiers};

const NO_TRUSTED_KEY: u8 = 25;
const EVIDENCE: u8 = 26;
const LEAK: u8 = 27;

fn under(made: &Made, keys: &str, question: &Question) -> Verdict {
    gallra_verify::verify(&made.bytes(), &Trust::parse(keys).unwrap(), question)
}

fn code(made: &Made, keys: &str) -> (u8, String) {
    let verdict = under(made, keys, &Question::default());
    (verdict.exit_code(&[]), verdict.conclusion())
}

#[test]
fn a_proof_stands_after_every_key_was_changed_twice() {
    let story = |later: Vec<Later>| {
        let mut story = Story::complete();
        story.later = later;
        story.made()
    };
    let before = story(Vec::new());
    let after = story(vec![Later::Manifest(31, 41), Later::Manifest(32, 42)]);
    assert_eq!(before.bytes(), after.bytes(), "the file itself is the same");
    assert_eq!(after.keys.manifests.len(), 3);
    for keys in [before.key_text(), after.key_text(), Story::complete().anchor(), Story::complete().issuer_pem()] {
        let (code, said) = code(&before, &keys);
        assert_eq!(code, 0, "{said}");
    }

    // The new keys do not speak for the old log's time, and the old root holder no longer for the new one.
    let foreign = story(vec![Later::Manifest(31, 41)]).key_text();
    let mut story = Story::complete();
    story.issuer_seed = 31;
    assert_eq!(code(&story.made(), &foreign).0, NO_TRUSTED_KEY);
    let mut unsigned = Story::complete();
    unsigned.later = vec![Later::Manifest(31, 41)];
    let forged = unsigned.made_with(&mut |draft| {
        if draft.is(Type::KeyManifest, 1) {
            draft.sign(&Pair::of(41).signers());
        }
    });
    assert_eq!(code(&forged, &forged.key_text()).0, NO_TRUSTED_KEY, "the version before did not sign it");
}

#[test]
fn a_key_that_was_revoked_speaks_no_more_and_unsays_nothing() {
    let web1 = || SigningKey::from_seed(&[2; 32]);
    let mut before = Story::complete();
    before.between.push(revoked(&web1()));
    let before = before.made();
    assert_eq!(code(&before, &Story::complete().anchor()).0, NO_TRUSTED_KEY, "the proof carries the event");
    assert_eq!(code(&before, &before.key_text()).0, NO_TRUSTED_KEY);
    // An issuer that keeps the event out of the file: who has the key file knows.
    let mut hides = before;
    hides.file.events.pop();
    assert_eq!(code(&hides, &hides.key_text()).0, NO_TRUSTED_KEY);
    assert_eq!(
        code(&hides, &Story::complete().anchor()).0,
        0,
        "the anchor alone does not tell, and the verdict says so"
    );
    let said = under(&hides, &Story::complete().anchor(), &Question::default());
    assert!(said.checks.iter().any(|check| check.text.contains("in the key file only")), "{said:#?}");

    let mut after = Story::complete();
    after.later.push(Later::Event(revoked(&web1())));
    let after = after.made();
    assert_eq!(code(&after, &after.key_text()), (0, Story::complete().verdict().conclusion()));
}

#[test]
fn what_a_stolen_key_signed_counts_up_to_the_position_that_is_named() {
    let size = Story::complete().made().size;
    let of = |since: u64| {
        let mut story = Story::complete();
        story.later.push(Later::Event(compromised(&SigningKey::from_seed(&[2; 32]), since)));
        let made = story.made();
        code(&made, &made.key_text())
    };
    assert_eq!(of(size).0, 0, "{}", of(size).1);
    assert_eq!(of(12).0, NO_TRUSTED_KEY, "{}", of(12).1);
}

fn told() -> RecipientResult {
    RecipientResult {
        recipient: "registry-se".to_owned(),
        of: "contact".to_owned(),
        at: at("2026-09-01T08:30:00Z"),
        acknowledged: true,
    }
}

fn restored() -> Restore {
    Restore {
        entry: Digest::of(b"an entry of the suppression list"),
        agent: "web1".parse().unwrap(),
        target: String::from("sites").try_into().unwrap(),
        kind: TargetKind::Files,
        taken: at("2026-02-22T03:00:00Z"),
        counts: Counts { erased: 12, ..Counts::default() },
        released: true,
        started: at("2026-09-01T08:00:00Z"),
        finished: at("2026-09-01T08:01:00Z"),
        clock: Clock::Simulated,
        software: "gallra-agent 0.1.0".to_owned(),
    }
}

/// What is added to a final proof.
fn amended() -> Story {
    let mut story = Story::complete();
    (story.sequence, story.amends) = (3, true);
    story.notifications = vec![told()];
    story.restores = vec![restored()];
    story
}

#[test]
fn what_comes_after_a_final_proof_amends_it() {
    let story = amended();
    assert_eq!(story.open_points(), Vec::<String>::new());
    let said = story.statement();
    assert_eq!((said.stage, said.restores.len(), said.recipients.len()), (Stage::Amendment, 1, 1));
    let verdict = story.verdict();
    assert!(matches!(verdict.outcome, Outcome::Final { .. }), "{verdict:#?}");
    assert!(verdict.told.unwrap().amendment);

    type Lie = (&'static str, fn(&mut Proof));
    let lies: [Lie; 5] = [
        ("a restore left out", |said| said.restores.clear()),
        ("a restore of less", |said| said.restores[0].counts.erased = 11),
        ("nobody told", |said| said.recipients.clear()),
        ("told, and acknowledged by nobody", |said| said.recipients[0].acknowledged = false),
        ("evidence left out", |said| said.evidence.truncate(3)),
    ];
    for (name, lie) in lies {
        let bytes = story.lying(lie);
        let trust = Trust::parse(&story.anchor()).unwrap();
        let verdict = gallra_verify::verify(&bytes, &trust, &Question::default());
        assert_eq!(verdict.exit_code(&[]), EVIDENCE, "{name}: {}", verdict.conclusion());
    }
}

#[test]
fn what_a_restore_brought_back_keeps_it_interim_until_it_is_gone_again() {
    type Change = (&'static str, fn(&mut Restore));
    let changes: [Change; 2] =
        [("not confirmed", |restore| restore.released = false), ("a part failed", |restore| restore.counts.failed = 1)];
    for (name, change) in changes {
        let mut story = amended();
        change(&mut story.restores[0]);
        let said = story.statement();
        assert_eq!((said.stage, said.until), (Stage::Interim, None), "{name}");
        assert!(matches!(story.verdict().outcome, Outcome::Interim { .. }), "{name}: {}", story.verdict().conclusion());
        let bytes = story.lying(|said| said.stage = Stage::Amendment);
        let trust = Trust::parse(&story.anchor()).unwrap();
        let verdict = gallra_verify::verify(&bytes, &trust, &Question::default());
        assert_eq!(verdict.exit_code(&[]), EVIDENCE, "{name}: {}", verdict.conclusion());
    }
    // Into a place that the plan does not have: nobody erased there. Nor is another clock this proof's.
    type Misfit = (&'static str, fn(&mut Restore));
    let misfits: [Misfit; 2] = [
        ("elsewhere", |restore| restore.target = String::from("other").try_into().unwrap()),
        ("another clock", |restore| restore.clock = Clock::Real),
    ];
    for (name, change) in misfits {
        let mut story = amended();
        change(&mut story.restores[0]);
        assert_eq!((story.statement().stage, story.statement().until), (Stage::Interim, None), "{name}");
        let outcome = story.verdict().outcome;
        assert!(matches!(outcome, Outcome::Interim { .. }), "{name}: {}", story.verdict().conclusion());
    }
    // The issuer may know more than the file shows, and then withholds the last word.
    let mut withheld = amended();
    withheld.request.facts.came_back = true;
    assert_eq!(withheld.statement().stage, Stage::Interim);
    assert!(matches!(withheld.verdict().outcome, Outcome::Interim { .. }), "{}", withheld.verdict().conclusion());
}

/// Every spelling of an identifier that a reader could undo or try.
fn spellings(value: &str) -> Vec<(&'static str, String)> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use sha1::Digest as _;
    let behind = |before: &str| STANDARD.encode(format!("{before}{value} and more"));
    vec![
        ("in clear", value.to_owned()),
        ("in other letters", value.to_uppercase()),
        ("inside a sentence", format!("of {value}, erased")),
        ("base64", STANDARD.encode(value)),
        ("base64url", URL_SAFE_NO_PAD.encode(value)),
        ("base64 one byte later", behind("x")),
        ("base64 two bytes later", behind("xy")),
        ("hex", hex::encode(value)),
        ("MD5", hex::encode(md5::Md5::digest(value))),
        ("SHA-1", hex::encode(sha1::Sha1::digest(value))),
        ("SHA-256", Digest::of(value.as_bytes()).to_string()),
        ("SHA-256 in base64", STANDARD.encode(Digest::of(value.as_bytes()).as_bytes())),
    ]
}

#[test]
fn a_proof_that_would_show_its_subject_is_not_signed() {
    let story = Story::halfway();
    let issuer = Pair::of(support::keys::ISSUER).issuer();
    let honest = story.statement();
    assert!(issuer.sign(Type::Proof, story.subject(), &honest, &identifiers()).is_ok(), "an honest one is");
    assert_eq!(honest.stage, Stage::Interim);
    for identifier in identifiers() {
        for (name, text) in spellings(identifier.expose()) {
            let mut leaks = honest.clone();
            leaks.targets[0].why = text.clone();
            let refused = issuer.sign(Type::Proof, story.subject(), &leaks, &identifiers());
            let Err(PayloadError::Leak(leak)) = refused else { panic!("{:?} {name}: signed", identifier.kind()) };
            assert_eq!((leak.field.as_str(), leak.kind), ("predicate.targets[0].why", identifier.kind()), "{name}");
            assert!(!leak.to_string().contains(&text), "{name}: the refusal repeats it");
        }
    }
    // Somebody else's is no leak of this request's.
    let other = Identifier::new(Kind::CustomerNumber, "K-200777").unwrap();
    let mut names_another = honest;
    names_another.targets[0].why = other.expose().to_owned();
    assert!(issuer.sign(Type::Proof, story.subject(), &names_another, &identifiers()).is_ok());
}

#[test]
fn a_proof_that_was_signed_and_shows_its_subject_is_caught_by_who_knows_the_identifier() {
    let story = Story::complete();
    let asked = Question {
        identifiers: vec!["customer-number=K-100144".parse().unwrap(), "email=Anna.S@example.org".parse().unwrap()],
        code: Some(support::code().expose().parse().unwrap()),
        ..Question::default()
    };
    let honest = story.made();
    let verdict = under(&honest, &honest.key_text(), &asked);
    assert_eq!(verdict.exit_code(&[]), 0, "{}", verdict.conclusion());
    let said = verdict.checks.iter().any(|check| check.text.contains("the code opens 2 of 4 commitments"));
    assert!(said, "{verdict:#?}");
    let mut noted = Story::complete();
    let text = "as agreed with customer K-100144".to_owned();
    noted.plan.notes.push(gallra_model::plan::Note { code: "keeps".to_owned(), target: String::new(), text });
    let made = noted.made();
    assert_eq!(under(&made, &made.key_text(), &asked).exit_code(&[]), LEAK);
    let others = Question { identifiers: vec!["service=web-99".parse().unwrap()], ..asked };
    assert_eq!(under(&honest, &honest.key_text(), &others).exit_code(&[]), EVIDENCE);
}

#[test]
fn signatures_of_the_key_that_the_coordinator_holds_verify_too() {
    // That library draws new randomness for each signature, under the same key.
    let key = || MlDsaKey::from_seed(&[support::keys::ISSUER; 32]).unwrap();
    assert_eq!(key().keyid(), Pair::of(support::keys::ISSUER).ml_dsa.keyid());
    let issuer = Issuer::new(SigningKey::from_seed(&[support::keys::ISSUER; 32]), Box::new(key()));
    let story = Story::small();
    let mut signed = 0;
    let made = story.made_with(&mut |draft| {
        if matches!(draft.kind, Type::Request | Type::Plan | Type::Proof) {
            draft.sign(&issuer.signers());
            signed += 1;
        }
    });
    assert_eq!(signed, 3);
    assert_ne!(made.bytes(), story.bytes());
    assert_eq!(code(&made, &made.key_text()), (0, "VALID final".to_owned()));
    // The whole way: scan, payload, both signatures.
    let plan = gallra_proof::plan::sign(&story.plan, story.subject(), &identifiers(), &issuer).unwrap();
    let said = String::from_utf8(gallra_proof::dsse::payload(&plan).unwrap()).unwrap();
    assert_eq!(Ok(said), String::from_utf8(gallra_proof::dsse::payload(&made.file.plan.envelope).unwrap()));
    assert!(gallra_proof::plan::open(&plan, &issuer.ed25519().verifying()).is_ok());
}

#[test]
fn statements_are_about_commitments_that_only_their_code_opens() {
    let story = Story::complete();
    assert_eq!(story.subject().len(), 4);
    let first = support::code().opening(1).commitment(&identifiers()[0]);
    assert_eq!(story.subject()[0], Subject::new("subject-1", first));
}
