//! Every answer of the specification, and that no order of requests makes a witness cosign two histories.

use proptest::prelude::*;

use super::*;
use crate::note::Signer;
use crate::tree::consistency;
use crate::tree::grown::{Grown, number};

const ORIGIN: &str = "log.provider.example/2026a";

fn signer(seed: u8) -> Signer {
    Signer::from_seed(ORIGIN, Kind::Log, &[seed; 32]).unwrap()
}

fn keys() -> Vec<Key> {
    vec![signer(1).public().clone()]
}

/// A log of 24 entries that tells another story from entry `fork` on.
struct Log(Grown);

impl Log {
    fn new(fork: u64) -> Self {
        Self(Grown::new((0..24).map(|at| number(if at < fork { at } else { at + 1000 }))))
    }

    fn head(&self, size: u64) -> Head {
        Head { size, root: self.0.root(size) }
    }

    fn note(&self, size: u64) -> Note {
        note(self.head(size), &signer(1))
    }

    fn request(&self, old: u64, new: u64) -> AddCheckpoint {
        let proof = consistency(old.min(new), new, &self.0).unwrap();
        AddCheckpoint::new(old, proof, self.note(new)).unwrap()
    }
}

fn checkpoint(head: Head) -> Checkpoint {
    Checkpoint { origin: ORIGIN.parse().unwrap(), size: head.size, root: head.root, extensions: Vec::new() }
}

/// Signed whatever the head is: as a log with other code would.
fn note(head: Head, key: &Signer) -> Note {
    let text = checkpoint(head).to_string();
    let mut note = Note::new(text.clone()).unwrap();
    note.sign(key.line(key.sign(text.as_bytes()).to_vec())).unwrap();
    note
}

fn refused(request: &AddCheckpoint, known: Head) -> Refusal {
    match decide(request, &keys(), &known) {
        Answer::Refuse(refusal) => refusal,
        Answer::Cosign { .. } => panic!("cosigned"),
    }
}

#[test]
fn what_follows_is_cosigned_and_becomes_what_is_known() {
    let log = Log::new(99);
    for (old, new) in [(0, 0), (0, 7), (7, 7), (7, 8), (8, 24)] {
        let answer = decide(&log.request(old, new), &keys(), &log.head(old));
        assert_eq!(
            answer,
            Answer::Cosign { checkpoint: checkpoint(log.head(new)), head: log.head(new) },
            "{old} {new}"
        );
    }
}

#[test]
fn every_refusal_has_its_status_and_its_body() {
    let (log, other) = (Log::new(99), Log::new(5));
    let request = log.request(7, 9);
    let stale = refused(&request, log.head(8));
    assert_eq!((stale, stale.status()), (Refusal::Stale(8), 409));
    assert_eq!(stale.body(), ("8\n".to_owned(), Some("text/x.tlog.size")));
    assert_eq!(stale_size(stale.body().0.as_bytes()), Some(8));

    let fork = refused(&other.request(9, 9), log.head(9));
    assert_eq!((fork, fork.status(), fork.body().1), (Refusal::Fork, 409, None));
    assert_eq!(stale_size(fork.body().0.as_bytes()), None);
    assert!(fork.is_evidence() && !stale.is_evidence());

    let later = refused(&other.request(7, 9), log.head(7));
    assert_eq!((later, later.status()), (Refusal::Inconsistent, 422));
    let larger = refused(&AddCheckpoint::new(10, Vec::new(), log.note(9)).unwrap(), log.head(10));
    assert_eq!((larger, larger.status()), (Refusal::OldIsLarger, 400));
    assert_eq!(AddCheckpoint::parse(b"").map_err(|why| Refusal::from(why).status()), Err(400));

    assert_eq!(decide(&request, &[], &log.head(7)), Answer::Refuse(Refusal::UnknownLog));
    assert_eq!(Refusal::UnknownLog.status(), 404);
    let foreign = [signer(2).public().clone()];
    assert_eq!(decide(&request, &foreign, &log.head(7)), Answer::Refuse(Refusal::NotSigned));
    assert_eq!(Refusal::NotSigned.status(), 403);
}

#[test]
fn a_wrong_signature_of_the_log_is_not_outweighed_by_a_right_one() {
    let log = Log::new(99);
    let mut note = log.note(9);
    note.sign(signer(2).line(vec![0; 64])).unwrap();
    let request = AddCheckpoint::new(0, Vec::new(), note).unwrap();
    let both = [keys(), vec![signer(2).public().clone()]].concat();
    assert_eq!(decide(&request, &both, &Head::EMPTY), Answer::Refuse(Refusal::NotSigned));
    assert!(matches!(decide(&request, &keys(), &Head::EMPTY), Answer::Cosign { .. }), "an unknown key is ignored");
}

#[test]
fn a_witnesss_key_opens_no_log() {
    let witness = Signer::from_seed(ORIGIN, Kind::Witness, &[1; 32]).unwrap();
    let request = Log::new(99).request(0, 9);
    let only = [witness.public().clone()];
    assert_eq!(decide(&request, &only, &Head::EMPTY), Answer::Refuse(Refusal::UnknownLog));
}

#[test]
fn what_is_said_first_is_checked_first() {
    // All at once: unsigned, an old size that is too large and stale, a fork. 403 comes before 400, and that before 409.
    let (log, other) = (Log::new(99), Log::new(5));
    let unsigned = AddCheckpoint::new(20, Vec::new(), note(other.head(9), &signer(2))).unwrap();
    assert_eq!(refused(&unsigned, log.head(9)), Refusal::NotSigned);
    let signed = AddCheckpoint::new(20, Vec::new(), other.note(9)).unwrap();
    assert_eq!(refused(&signed, log.head(9)), Refusal::OldIsLarger);
    let proof = AddCheckpoint::new(8, vec![Hash::EMPTY], other.note(9)).unwrap();
    assert_eq!(refused(&proof, log.head(9)), Refusal::Stale(9));
}

#[test]
fn nothing_is_proven_to_an_empty_tree_and_nothing_more_to_the_same() {
    let log = Log::new(99);
    let with = |old, new| AddCheckpoint::new(old, vec![Hash::EMPTY], log.note(new)).unwrap();
    assert_eq!(refused(&with(0, 9), Head::EMPTY), Refusal::Inconsistent);
    assert_eq!(refused(&with(9, 9), log.head(9)), Refusal::Inconsistent);
    let wrong = note(Head { size: 0, root: log.0.root(1) }, &signer(1));
    assert_eq!(refused(&AddCheckpoint::new(0, Vec::new(), wrong).unwrap(), Head::EMPTY), Refusal::Inconsistent);
}

#[test]
fn requests_are_spelled_as_the_specification_says() {
    let log = Log::new(99);
    let request = log.request(7, 9);
    let text = request.to_string();
    assert!(text.starts_with("old 7\n") && text.contains("=\n\nlog.provider.example/2026a\n9\n"), "{text}");
    assert_eq!(text.parse(), Ok(request));
    let first = log.request(0, 9).to_string();
    assert!(first.starts_with("old 0\n\nlog."), "{first}");
    assert_eq!(first.parse(), Ok(log.request(0, 9)));
    let hash = format!("{}\n", Hash::EMPTY);
    let many = |number: usize| first.replace("old 0\n", &format!("old 0\n{}", hash.repeat(number)));
    assert!(many(63).parse::<AddCheckpoint>().is_ok());
    for bad in [
        String::new(),
        many(64),
        text.replace("old 7", "old 07"),
        text.replace("old 7", "old -7"),
        text.replace("old 7\n", "old 7 \n"),
        text.replace("old 7\n", "7\n"),
        text.replace("old 7\n", ""),
        text.replace("old 7\n", "old 7\nx\n"),
        text.replace("\n9\n", "\n9x\n"),
        text.replace("=\n\n", "=\n"),
        text.trim_end().to_owned(),
        format!("{text}\n"),
        format!("{text}{}", "x".repeat(MOST_REQUEST_BYTES)),
        text.replace('\n', "\r\n"),
    ] {
        assert!(bad.parse::<AddCheckpoint>().is_err(), "{bad:?}");
    }
    let unsigned = Note::new(log.note(9).unverified_text().to_owned()).unwrap();
    assert_eq!(AddCheckpoint::new(0, Vec::new(), unsigned), Err(RequestError));
    let other = note(Head::EMPTY, &signer(1)).to_string().replace("\n0\n", "\nno\n");
    assert_eq!(AddCheckpoint::new(0, Vec::new(), other.parse().unwrap()), Err(RequestError));
}

#[test]
fn an_answer_is_taken_where_a_witness_that_the_log_has_signed_this_very_note() {
    let log = Log::new(99);
    let witness = |seed| Signer::from_seed("witness.example/w1", Kind::Witness, &[seed; 32]).unwrap();
    let (known, unknown) = (witness(7), witness(8));
    let keys = [known.public().clone()];
    let line = |key: &Signer, size| {
        crate::cosign::cosign(&checkpoint(log.head(size)), 1_700_000_000, key).unwrap().to_string()
    };
    let take = |body: String| cosigned(&log.note(9), body.as_bytes(), &keys);

    let taken = take(format!("{}{}", line(&unknown, 9), line(&known, 9))).unwrap();
    assert_eq!(taken.unverified_signatures().len(), 2, "the log's own, and one");
    let opened = Checkpoint::open(&taken, signer(1).public(), &keys).unwrap();
    assert_eq!(opened.witnesses, [("witness.example/w1".to_owned(), 1_700_000_000)]);

    assert_eq!(take(line(&known, 8)), Err(NoteError::Signature), "of another tree");
    assert_eq!(take(line(&unknown, 9)), Err(NoteError::Unknown));
    assert_eq!(take("9\n".to_owned()), Err(NoteError::Line));
    assert_eq!(take(String::new()), Err(NoteError::Form));
    assert_eq!(cosigned(&log.note(9), b"\xff\n", &keys), Err(NoteError::Text));
}

#[test]
fn sizes_in_answers_are_numbers_and_nothing_else() {
    for (body, size) in [("0\n", Some(0)), ("18446744073709551615\n", Some(u64::MAX)), ("7", None), ("07\n", None)] {
        assert_eq!(stale_size(body.as_bytes()), size, "{body:?}");
    }
    assert_eq!(stale_size(b"\xff\n"), None);
}

proptest! {
    // Each case signs and checks some dozens of times.
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Two stories that part at `fork`, told in any order from anywhere: all that is cosigned is of one of them.
    #[test]
    fn i7_no_two_histories_are_cosigned(
        fork in 0..24_u64,
        requests in prop::collection::vec((any::<bool>(), 0..25_u64, 0..25_u64), 1..30),
    ) {
        let (logs, keys) = ([Log::new(99), Log::new(fork)], keys());
        let (mut known, mut cosigned) = (Head::EMPTY, Vec::new());
        for (lies, old, new) in requests {
            let log = &logs[usize::from(lies)];
            let mut answer = decide(&log.request(old, new), &keys, &known);
            // As a log does that is told where the witness stands, be it honest or not.
            if answer == Answer::Refuse(Refusal::Stale(known.size)) && known.size <= new {
                answer = decide(&log.request(known.size, new), &keys, &known);
            }
            if let Answer::Cosign { head, .. } = answer {
                prop_assert!(head.size >= known.size, "a smaller tree after a larger one");
                known = head;
                cosigned.push(head);
            }
        }
        let of = |log: &Log| cosigned.iter().all(|head| *head == log.head(head.size));
        prop_assert!(logs.iter().any(of), "{cosigned:?}");
    }
}

proptest! {
    #[test]
    fn what_is_read_is_written_the_same(
        old: u64,
        size: u64,
        hashes in prop::collection::vec(any::<[u8; 32]>(), 0..70),
        garbage in prop::collection::vec(any::<u8>(), 1..80),
    ) {
        let root = Hash::leaf(&garbage);
        let mut note = Note::new(checkpoint(Head { size, root }).to_string()).unwrap();
        note.sign(signer(1).line(garbage)).unwrap();
        let made = AddCheckpoint::new(old, hashes.iter().copied().map(Hash::from_bytes).collect(), note);
        prop_assert_eq!(made.is_ok(), hashes.len() <= MOST_PROOF_LINES);
        if let Ok(made) = made {
            prop_assert_eq!(made.to_string().parse(), Ok(made));
        }
    }

    #[test]
    fn random_text_never_panics(text in "(old|—| |=|[0-9aA]|\n){0,12}") {
        if let Ok(read) = text.parse::<AddCheckpoint>() {
            prop_assert_eq!(read.to_string(), text);
        }
    }
}
