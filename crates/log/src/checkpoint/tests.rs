//! The text, and which signatures make it count.

use proptest::prelude::*;

use super::*;
use crate::cosign::cosign;

const ORIGIN: &str = "log.provider.example/2026a";

fn log() -> Signer {
    Signer::from_seed(ORIGIN, Kind::Log, &[1; 32]).unwrap()
}

fn witness() -> Signer {
    Signer::from_seed("witness.example/w1", Kind::Witness, &[2; 32]).unwrap()
}

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: ORIGIN.parse().unwrap(), size: 7, root: Hash::leaf(b"x"), extensions: Vec::new() }
}

fn signed(checkpoint: &Checkpoint, signatures: Vec<Signature>) -> Note {
    let mut note = Note::new(checkpoint.to_string()).unwrap();
    signatures.into_iter().for_each(|signature| note.sign(signature).unwrap());
    note
}

#[test]
fn the_example_of_the_specification_is_read() {
    let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let read: Checkpoint = text.parse().unwrap();
    assert_eq!((read.origin.as_str(), read.size), ("example.com/behind-the-sofa", 20_852_163));
    assert_eq!(read.to_string(), text);
    let extended = format!("{text}anything\n  really \n");
    let read: Checkpoint = extended.parse().unwrap();
    assert_eq!(read.extensions, ["anything", "  really "]);
    assert_eq!(read.to_string(), extended);
}

#[test]
fn other_texts_are_none() {
    let good = checkpoint().to_string();
    for bad in [
        "",
        "\n\n\n",
        good.trim_end(),
        &format!("{good}\n"),
        &format!("{good}x\n\n"),
        &format!("{good}a\tb\n"),
        &good.replace(ORIGIN, ""),
        &good.replace(ORIGIN, "a\rb"),
        &good.replace(ORIGIN, &"x".repeat(256)),
        &good.replace("\n7\n", "\n07\n"),
        &good.replace("\n7\n", "\n-7\n"),
        &good.replace("\n7\n", "\n18446744073709551616\n"),
        &good.replace("\n7\n", "\n"),
        &good.replace('=', ""),
        &good.replace("=\n", "= \n"),
    ] {
        assert!(bad.parse::<Checkpoint>().is_err(), "{bad:?}");
    }
}

#[test]
fn the_logs_own_signature_counts_and_cosignatures_say_their_time() {
    let (log, witness, checkpoint) = (log(), witness(), checkpoint());
    let own = checkpoint.sign(&log).unwrap();
    let other = cosign(&checkpoint, 1_800_000_000, &witness).unwrap();
    let keys = [witness.public().clone()];
    let note = signed(&checkpoint, vec![own.clone(), other.clone()]);
    let opened = Checkpoint::open(&note, log.public(), &keys).unwrap();
    assert_eq!(opened.checkpoint, checkpoint);
    assert_eq!(opened.witnesses, [("witness.example/w1".to_owned(), 1_800_000_000)]);
    assert_eq!(Checkpoint::open(&note, log.public(), &[]).unwrap().witnesses, []);
    assert_eq!(Checkpoint::unverified_origin(&note), Some(checkpoint.origin.clone()));

    let only_witness = signed(&checkpoint, vec![other]);
    assert_eq!(Checkpoint::open(&only_witness, log.public(), &keys), Err(CheckpointError::Unsigned));
    assert_eq!(Checkpoint::open(&note, witness.public(), &[]), Err(CheckpointError::Key));
    assert_eq!(Checkpoint::open(&note, log.public(), &[log.public().clone()]), Err(CheckpointError::Key));
    let unsigned = signed(&checkpoint, Vec::new());
    assert_eq!(
        Checkpoint::open(&unsigned, log.public(), &keys),
        Err(CheckpointError::Note(NoteError::Unknown)),
        "{own:?}"
    );
}

#[test]
fn one_logs_key_does_not_speak_for_another_log() {
    let log = log();
    let other = Checkpoint { origin: "log.other.example".parse().unwrap(), ..checkpoint() };
    assert_eq!(other.sign(&log), Err(CheckpointError::Key));
    // As somebody would who has the key and other code.
    let line = log.line(log.sign(other.to_string().as_bytes()).to_vec());
    assert_eq!(Checkpoint::open(&signed(&other, vec![line]), log.public(), &[]), Err(CheckpointError::OtherLog));
    assert_eq!(checkpoint().sign(&witness()), Err(CheckpointError::Key));
}

#[test]
fn an_empty_tree_has_the_root_of_nothing() {
    let log = log();
    let wrong = Checkpoint { size: 0, ..checkpoint() };
    assert_eq!(wrong.sign(&log), Err(CheckpointError::Empty));
    let line = log.line(log.sign(wrong.to_string().as_bytes()).to_vec());
    assert_eq!(Checkpoint::open(&signed(&wrong, vec![line]), log.public(), &[]), Err(CheckpointError::Empty));
    assert!(Checkpoint { root: Hash::EMPTY, ..wrong }.sign(&log).is_ok());
}

#[test]
fn no_line_hides_in_an_extension() {
    for extension in ["", "a\nb", "a\n"] {
        let checkpoint = Checkpoint { extensions: vec![extension.to_owned()], ..checkpoint() };
        assert_eq!(checkpoint.sign(&log()), Err(CheckpointError::Form), "{extension:?}");
    }
}

#[test]
fn origins_of_others_may_be_any_line_and_ours_are_names_of_keys() {
    for (origin, is_name) in [(ORIGIN, true), ("go.sum database tree", false), ("a+b", false), ("å", true)] {
        let read: Origin = origin.parse().unwrap();
        assert_eq!((read.to_string(), read.is_key_name()), (origin.to_owned(), is_name));
    }
}

proptest! {
    #[test]
    fn what_is_read_is_written_the_same(text in "[a-z+ ]{0,8}\n[0-9]{0,4}\n[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048B]=\n[a-z\n]{0,6}") {
        if let Ok(read) = text.parse::<Checkpoint>() {
            prop_assert_eq!(read.to_string(), text);
        }
    }
}
