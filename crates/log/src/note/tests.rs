//! The form and its limits, and whose signatures count.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;

fn signer(name: &str) -> Signer {
    Signer::from_seed(name, Kind::Log, &[name.as_bytes()[0]; 32]).unwrap()
}

fn line(key: &Signer, text: &str) -> Signature {
    key.line(key.sign(text.as_bytes()).to_vec())
}

fn note(text: &str, keys: &[&Signer]) -> Note {
    let mut note = Note::new(text.to_owned()).unwrap();
    keys.iter().for_each(|key| note.sign(line(key, text)).unwrap());
    note
}

/// The example of the specification's page, and the key that its authors' code has for it.
const EXAMPLE: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\
    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const EXAMPLE_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

#[test]
fn the_published_example_opens() {
    let (note, key): (Note, Key) = (EXAMPLE.parse().unwrap(), EXAMPLE_KEY.parse().unwrap());
    assert_eq!(note.to_string(), EXAMPLE);
    assert_eq!(key.to_string(), EXAMPLE_KEY);
    assert_eq!(note.open(std::slice::from_ref(&key)), Ok(vec![Signed { key: &key, time: None }]));
    let altered: Note = EXAMPLE.replace("problem is", "Problem is").parse().unwrap();
    assert_eq!(altered.open(&[key]), Err(NoteError::Signature));
}

#[test]
fn a_known_keys_wrong_signature_refuses_what_another_signed_right() {
    let (one, two) = (signer("one.example"), signer("two.example/2"));
    let keys = [one.public().clone(), two.public().clone()];
    let good = note("text\n", &[&one, &two]);
    assert_eq!(good.open(&keys).unwrap().len(), 2);

    let mut bad = note("text\n", &[&one]);
    bad.sign(line(&two, "another\n")).unwrap();
    assert_eq!(bad.open(&keys), Err(NoteError::Signature));
    assert_eq!(bad.open(&keys[..1]).unwrap().len(), 1, "an unknown key's is not looked at");
    assert_eq!(bad.open(&[]), Err(NoteError::Unknown));
    assert_eq!(bad.open(&[signer("three").public().clone()]), Err(NoteError::Unknown));
}

#[test]
fn a_key_is_known_by_name_and_id_together() {
    let key = signer("one.example");
    let other = Signer::from_seed("one.example", Kind::Log, &[9; 32]).unwrap();
    let same_name = note("text\n", &[&other]);
    assert_eq!(same_name.open(&[key.public().clone()]), Err(NoteError::Unknown));
    let same_id = note("text\n", &[&key]).to_string().replace("one.example", "two.example");
    assert_eq!(Note::parse(same_id.as_bytes()).unwrap().open(&[key.public().clone()]), Err(NoteError::Unknown));
}

#[test]
fn no_key_counts_twice() {
    let key = signer("one.example");
    let keys = [key.public().clone()];
    let once = note("text\n", &[&key]);
    let twice = format!("{once}{}", line(&key, "text\n"));
    assert_eq!(Note::parse(twice.as_bytes()).unwrap().open(&keys), Err(NoteError::Twice));
    let both = [keys[0].clone(), keys[0].clone()];
    assert_eq!(once.open(&both), Err(NoteError::Ambiguous));
    let mut again = once.clone();
    again.sign(line(&key, "text\n")).unwrap();
    assert_eq!(again, once, "a newer signature takes the older one's place");
}

#[test]
fn the_last_empty_line_ends_the_text() {
    let key = signer("one.example");
    for text in ["\n", "a\n", "a\n\nb\n", "a\n\n", "\n\n\n", "a\n\n— one.example AAAAAAA=\nb\n", "a\u{7f}\n"] {
        let note = note(text, &[&key]);
        let read = Note::parse(note.to_string().as_bytes()).unwrap();
        assert_eq!(read.unverified_text(), text);
        assert_eq!(read.open(&[key.public().clone()]).unwrap().len(), 1);
    }
}

#[test]
fn other_forms_are_refused() {
    let good = note("text\n", &[&signer("one.example")]).to_string();
    assert!(Note::parse(good.as_bytes()).is_ok());
    let base64 = good.trim_end().rsplit(' ').next().unwrap();
    let forms: &[(String, NoteError)] = &[
        (String::new(), NoteError::Form),
        ("text\n".into(), NoteError::Form),
        ("text\n\n".into(), NoteError::Form),
        (good.replace("text\n\n", "\n"), NoteError::Form),
        (good.trim_end().into(), NoteError::Form),
        (format!("{good}\n"), NoteError::Form),
        (good.replace("text", "te\txt"), NoteError::Text),
        (good.replace("text", "te\rxt"), NoteError::Text),
        (good.replace("— ", "- "), NoteError::Line),
        (good.replace("— ", "—"), NoteError::Line),
        (good.replace("— ", "—  "), NoteError::Line),
        (good.replace("one.example ", "one.example  "), NoteError::Line),
        (good.replace("one.example", "one+example"), NoteError::Line),
        (good.replace("one.example", "one\u{2003}example"), NoteError::Line),
        (good.replace("one.example ", ""), NoteError::Line),
        (good.replace("one.example", &"x".repeat(256)), NoteError::Line),
        (good.replace(base64, "AAAAAA=="), NoteError::Line),
        (good.replace(base64, &base64.replace('=', "")), NoteError::Line),
        (good.replace(base64, &format!("{base64} x")), NoteError::Line),
    ];
    for (text, why) in forms {
        assert_eq!(Note::parse(text.as_bytes()), Err(*why), "{text:?}");
    }
    assert_eq!(Note::parse(&[good.as_bytes(), &[0xff]].concat()), Err(NoteError::Text));
    for bad in ["", "text", "te\0xt\n"] {
        assert!(Note::new(bad.to_owned()).is_err(), "{bad:?}");
    }
}

#[test]
fn size_and_signatures_are_bounded() {
    let one = signer("one.example");
    let lines = |number| (0..number).map(|_| line(&one, "text\n").to_string()).collect::<String>();
    let with = |number| Note::parse(format!("text\n\n{}", lines(number)).as_bytes()).map(|_| ());
    assert_eq!(with(MOST_SIGNATURES), Ok(()));
    assert_eq!(with(MOST_SIGNATURES + 1), Err(NoteError::Large));
    let large = format!("{}\n\n{}", "x".repeat(MOST_BYTES), lines(1));
    assert_eq!(Note::parse(large.as_bytes()), Err(NoteError::Large));
    assert_eq!(Signature::parse_lines(&lines(MOST_SIGNATURES + 1)), Err(NoteError::Large));
    let mut full = note("text\n", &[]);
    for number in 0..MOST_SIGNATURES {
        full.sign(line(&Signer::from_seed(&format!("k{number}"), Kind::Log, &[1; 32]).unwrap(), "text\n")).unwrap();
    }
    let before = full.clone();
    assert_eq!(full.sign(line(&one, "text\n")), Err(NoteError::Large));
    assert_eq!(full, before);
    assert_eq!(Note::parse(full.to_string().as_bytes()), Ok(full));
}

#[test]
fn verifier_keys_have_one_spelling() {
    let text = signer("one.example").public().to_string();
    assert_eq!(text.parse::<Key>().map(|key| key.to_string()), Ok(text.clone()));
    let parts: Vec<_> = text.splitn(3, '+').collect();
    let (name, id, key) = (parts[0], parts[1], parts[2]);
    let neutral = [&[1, 1][..], &[0; 31]].concat();
    let unknown = [&[6][..], &[0; 32]].concat();
    for (bad, why) in [
        (String::new(), KeyError::Form),
        (format!("{name}+{id}"), KeyError::Form),
        (format!("+{id}+{key}"), KeyError::Name),
        (format!("a b+{id}+{key}"), KeyError::Name),
        (format!("two.example+{id}+{key}"), KeyError::Id),
        (format!("{name}+{}+{key}", id.to_uppercase()), KeyError::Id),
        (format!("{name}+0{id}+{key}"), KeyError::Id),
        (format!("{name}+{id}+{key}="), KeyError::Form),
        (format!("{name}+{id}+{key}\n"), KeyError::Form),
        (format!("{name}+{id}+{}", STANDARD.encode(neutral)), KeyError::Weak),
        (format!("{name}+{id}+{}", STANDARD.encode(unknown)), KeyError::Form),
    ] {
        assert!(id.chars().any(|c| c.is_ascii_alphabetic()), "uppercase must differ");
        assert_eq!(bad.parse::<Key>(), Err(why), "{bad}");
    }
    assert!(Signer::from_seed("", Kind::Log, &[1; 32]).is_err());
}

#[test]
fn a_key_file_gives_the_key_of_its_seed() {
    let pem = gallra_proof::key::SigningKey::from_seed(&[7; 32]).to_pem().unwrap();
    let read = Signer::from_pem("one.example", Kind::Witness, &pem).unwrap();
    assert_eq!(read.public(), Signer::from_seed("one.example", Kind::Witness, &[7; 32]).unwrap().public());
    assert_eq!(Signer::from_pem("", Kind::Witness, &pem).unwrap_err(), KeyError::Name);
    for bad in ["", "x", &pem[1..], &pem.replace("PRIVATE", "PUBLIC")] {
        assert_eq!(Signer::from_pem("one.example", Kind::Log, bad).unwrap_err(), KeyError::Private, "{bad}");
    }
}

#[test]
fn debug_does_not_show_the_secret() {
    let shown = format!("{:?}", Signer::from_seed("one.example", Kind::Log, &[0xab; 32]).unwrap());
    assert!(!shown.contains(&STANDARD.encode([0xab; 32])) && !shown.contains("ababab"), "{shown}");
}

proptest! {
    #[test]
    fn what_is_read_is_written_the_same(text in "(\\PC|\n){0,40}\n", garbage in prop::collection::vec(any::<u8>(), 1..80)) {
        let key = signer("one.example");
        let mut note = note(&text, &[&key]);
        note.sign(Signature::new("unknown.example".into(), [1, 2, 3, 4], garbage)).unwrap();
        let written = note.to_string();
        prop_assert_eq!(Note::parse(written.as_bytes()), Ok(note.clone()));
        prop_assert_eq!(note.open(&[key.public().clone()]).map(|signed| signed.len()), Ok(1));
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "[—a \n+=A]{0,60}") {
        let _ = Note::parse(&bytes);
        let _ = text.parse::<Key>();
        if let Ok(note) = text.parse::<Note>() {
            prop_assert_eq!(note.to_string(), text);
        }
    }
}
