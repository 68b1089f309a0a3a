//! A witness on a real directory, without a network: what is stored before it is signed, and what stops it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use gallra_log::checkpoint::Checkpoint;
use gallra_log::note::{Kind, Note};
use gallra_log::tree::Hash;

use super::*;
use crate::witness::{add_log, init};

const NAME: &str = "witness.example/w1";
const ORIGIN: &str = "log.example/1";

fn now() -> Instant {
    "2026-08-24T10:00:00Z".parse().unwrap()
}

fn log() -> Signer {
    Signer::from_seed(ORIGIN, Kind::Log, &[1; 32]).unwrap()
}

fn witness() -> tempfile::TempDir {
    let temp = tempfile::tempdir().unwrap();
    init(temp.path(), NAME, "127.0.0.1:0").unwrap();
    add_log(temp.path(), &log().public().to_string(), None).unwrap();
    temp
}

/// A tree of two leaves at most: `a`, then `b` or another one.
fn request(old: u64, leaves: &[&[u8]]) -> AddCheckpoint {
    let (root, proof) = match leaves {
        [] => (Hash::EMPTY, vec![]),
        [one] => (Hash::leaf(one), vec![]),
        [one, two, ..] => {
            (Hash::node(&Hash::leaf(one), &Hash::leaf(two)), if old == 1 { vec![Hash::leaf(two)] } else { vec![] })
        }
    };
    let size = u64::try_from(leaves.len()).unwrap();
    let checkpoint = Checkpoint { origin: ORIGIN.parse().unwrap(), size, root, extensions: Vec::new() };
    let mut note = Note::new(checkpoint.to_string()).unwrap();
    note.sign(checkpoint.sign(&log()).unwrap()).unwrap();
    AddCheckpoint::new(old, proof, note).unwrap()
}

fn refusal(outcome: Result<Signature, NotCosigned>) -> Refusal {
    match outcome {
        Err(NotCosigned::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_goes_on_after_a_restart_where_it_was() {
    let temp = witness();
    let (known, config) = Known::open(temp.path()).unwrap();
    assert_eq!(config.name, NAME);
    for request in
        [request(0, &[]), request(0, &[]), request(0, &[b"a"]), request(1, &[b"a"]), request(1, &[b"a", b"b"])]
    {
        let line = known.consider(&request, now()).unwrap();
        let mut note = request.note().clone();
        note.sign(line).unwrap();
        assert_eq!(note.open(&[known.public().clone()]).unwrap()[0].time, Some(1_787_565_600));
    }
    let public = known.public().clone();
    drop(known);
    let (known, _) = Known::open(temp.path()).unwrap();
    assert_eq!(*known.public(), public);
    assert_eq!(refusal(known.consider(&request(1, &[b"a", b"b"]), now())), Refusal::Stale(2));
    assert!(known.consider(&request(2, &[b"a", b"b"]), now()).is_ok());
}

#[test]
fn i7_a_second_tree_of_a_size_is_refused_and_both_notes_are_kept_once() {
    let temp = witness();
    let (known, _) = Known::open(temp.path()).unwrap();
    known.consider(&request(0, &[b"a"]), now()).unwrap();
    let conflicts = || -> Vec<String> {
        let names = fs::read_dir(temp.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("conflict-")).collect()
    };
    assert_eq!(conflicts().len(), 0);
    let other = request(1, &[b"x"]);
    for _ in 0..2 {
        assert_eq!(refusal(known.consider(&other, now())), Refusal::Fork);
        assert_eq!(conflicts().len(), 1);
    }
    let text = fs::read_to_string(temp.path().join(&conflicts()[0])).unwrap();
    let (head, refused) = text.split_once("--- refused\n").unwrap();
    let (_, cosigned) = head.split_once("--- cosigned\n").unwrap();
    assert_eq!(refused, other.note().to_string());
    assert_eq!(cosigned, request(0, &[b"a"]).note().to_string());
    for number in 0..30_u8 {
        assert_eq!(refusal(known.consider(&request(1, &[&[number]]), now())), Refusal::Fork);
    }
    assert_eq!(conflicts().len(), 16, "whoever signs for the log does not fill the disk");
    assert!(known.consider(&request(1, &[b"a", b"b"]), now()).is_ok(), "the first history goes on");
}

#[test]
fn what_cannot_be_stored_is_not_cosigned() {
    let temp = witness();
    let (known, _) = Known::open(temp.path()).unwrap();
    let heads = temp.path().join("heads");
    let away = temp.path().join("away");
    fs::rename(&heads, &away).unwrap();
    for _ in 0..2 {
        let failed = known.consider(&request(0, &[b"a"]), now());
        assert!(matches!(&failed, Err(NotCosigned::Failed(why)) if why.contains("cannot be written")), "{failed:?}");
    }
    fs::rename(&away, &heads).unwrap();
    // Nothing was said of `a`, so that another tree may still come first.
    assert!(known.consider(&request(0, &[b"x"]), now()).is_ok());
    assert_eq!(refusal(known.consider(&request(1, &[b"a"]), now())), Refusal::Fork);
}

#[test]
fn where_it_is_not_sure_what_is_stored_it_says_nothing_until_a_restart() {
    let temp = witness();
    let (known, _) = Known::open(temp.path()).unwrap();
    // A folder in the head's place: the draft is written, and cannot take it.
    let path = head::path(&temp.path().join("heads"), &ORIGIN.parse().unwrap());
    let text = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    for _ in 0..2 {
        let failed = known.consider(&request(0, &[b"a"]), now());
        assert!(matches!(&failed, Err(NotCosigned::Failed(why)) if why.contains("not sure")), "{failed:?}");
    }
    fs::remove_dir(&path).unwrap();
    fs::write(&path, text).unwrap();
    assert!(matches!(known.consider(&request(0, &[b"a"]), now()), Err(NotCosigned::Failed(_))));
    drop(known);
    let (known, _) = Known::open(temp.path()).unwrap();
    assert!(known.consider(&request(0, &[b"a"]), now()).is_ok());
}

#[test]
fn it_does_not_start_on_a_directory_that_is_not_whole() {
    let temp = witness();
    let root = temp.path();
    let said = || match Known::open(root) {
        Ok(_) => panic!("it started"),
        Err(error) => format!("{error:#}"),
    };
    let (held, _) = Known::open(root).unwrap();
    assert!(said().contains("another process is this witness"));
    assert!(add_log(root, &log().public().to_string(), Some("other".into())).is_err(), "not while it runs");
    drop(held);

    let path = head::path(&root.join("heads"), &ORIGIN.parse().unwrap());
    let text = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(said().contains("where it was lost, make a new witness"), "{}", said());
    fs::write(&path, b"").unwrap();
    assert!(said().contains("damaged"), "{}", said());
    fs::write(&path, &text).unwrap();

    let config = fs::read_to_string(root.join("witness.toml")).unwrap();
    fs::write(root.join("witness.toml"), config.replace(NAME, "witness.example/w2")).unwrap();
    assert!(said().contains("was the name in witness.toml changed?"), "{}", said());
    fs::write(root.join("witness.toml"), &config).unwrap();
    fs::write(root.join("witness.key"), "x").unwrap();
    assert!(said().contains("not a private key"), "{}", said());
    assert!(init(root, NAME, "x").is_err(), "never over an existing one");
    assert!(add_log(&root.join("gone"), &log().public().to_string(), None).is_err());
}

#[test]
fn a_log_is_added_once_and_its_head_is_never_begun_anew() {
    let temp = witness();
    let root = temp.path();
    assert_eq!(fs::metadata(root.join("witness.key")).unwrap().permissions().mode() & 0o777, 0o600);
    let key = log().public().to_string();
    assert!(format!("{:#}", add_log(root, &key, None).unwrap_err()).contains("witnessed already"));
    let witness = Signer::from_seed("w.example/1", Kind::Witness, &[2; 32]).unwrap().public().to_string();
    assert!(add_log(root, &witness, None).is_err());
    let (known, _) = Known::open(root).unwrap();
    known.consider(&request(0, &[b"a"]), now()).unwrap();
    drop(known);
    // Taken out by hand, and added again: what was said stays said.
    let config = fs::read_to_string(root.join("witness.toml")).unwrap();
    let (before, _) = config.split_once("\n[[log]]").unwrap();
    fs::write(root.join("witness.toml"), format!("# our remark\n{before}")).unwrap();
    add_log(root, &key, None).unwrap();
    add_log(root, &key, Some("a log with \"another\" line".into())).unwrap();
    assert!(fs::read_to_string(root.join("witness.toml")).unwrap().starts_with("# our remark\n"));
    let (known, config) = Known::open(root).unwrap();
    assert_eq!(config.logs.len(), 2);
    assert_eq!(refusal(known.consider(&request(1, &[b"x"]), now())), Refusal::Fork);
}
