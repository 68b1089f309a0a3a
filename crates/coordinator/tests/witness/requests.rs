//! What it answers, from the first checkpoint on.

use std::time::Duration;

use gallra_log::note::{Kind, Note, Signature, Signer};
use gallra_log::witness::AddCheckpoint;
use gallra_tlog::{Answer, Remote, Withheld, gather};
use http::StatusCode;

use crate::process::{NAME, Witness, key_of_log, run};
use crate::tree::{Log, ORIGIN, key};

fn lines(answer: Answer) -> Vec<Signature> {
    match answer {
        Answer::Lines(body) => Signature::parse_lines(std::str::from_utf8(&body).unwrap()).unwrap(),
        other @ (Answer::Stale(_) | Answer::Fork | Answer::Refused(_) | Answer::Later(..)) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn it_cosigns_what_grows_and_nothing_else() {
    let mut witness = Witness::started();
    let (log, fork) = (Log::of(300), Log::forked(300, 100, "another"));
    for (old, new) in [(0, 1), (1, 1), (1, 7), (7, 256), (256, 256)] {
        let mut note = log.signed_by(new, &key());
        let answer = witness.ask(&log.request(old, new)).await.unwrap();
        lines(answer).into_iter().for_each(|line| note.sign(line).unwrap());
        let signed = note.open(std::slice::from_ref(&witness.key)).unwrap();
        assert_eq!(signed[0].key.name(), NAME);
        assert!(signed[0].time.unwrap() > 1_700_000_000, "the machine's time, in seconds");
    }

    let strange = Signer::from_seed("log.else.example", Kind::Log, &[1; 32]).unwrap();
    let unknown =
        AddCheckpoint::new(256, log.request(256, 300).proof().to_vec(), log.signed_by(300, &strange)).unwrap();
    let other = Signer::from_seed(ORIGIN, Kind::Log, &[9; 32]).unwrap();
    let not_signed =
        AddCheckpoint::new(256, log.request(256, 300).proof().to_vec(), log.signed_by(300, &other)).unwrap();
    let backwards = AddCheckpoint::new(300, Vec::new(), log.signed_by(256, &key())).unwrap();
    for (request, answer) in [
        (log.request(7, 300), Answer::Stale(256)),
        (log.request(0, 300), Answer::Stale(256)),
        (unknown, Answer::Refused(StatusCode::NOT_FOUND)),
        (not_signed, Answer::Refused(StatusCode::FORBIDDEN)),
        (backwards, Answer::Refused(StatusCode::BAD_REQUEST)),
        (fork.request(256, 300), Answer::Refused(StatusCode::UNPROCESSABLE_ENTITY)),
    ] {
        assert_eq!(witness.ask(&request).await.unwrap(), answer, "{request}");
    }
    assert_eq!(witness.conflicts().len(), 0);
    assert_eq!(witness.ask(&fork.request(256, 256)).await.unwrap(), Answer::Fork);
    let conflicts = witness.conflicts();
    assert_eq!(conflicts.len(), 1);
    let kept = std::fs::read_to_string(witness.dir().join(&conflicts[0])).unwrap();
    for note in [log.signed_by(256, &key()), fork.signed_by(256, &key())] {
        assert!(kept.contains(&note.to_string()), "{kept}");
    }
    assert!(witness.stop().success());
    witness.start(None);
    assert_eq!(witness.ask(&log.request(0, 300)).await.unwrap(), Answer::Stale(256), "it remembers");
    lines(witness.ask(&log.request(256, 300)).await.unwrap());
}

#[tokio::test]
async fn a_log_that_asks_several_gets_the_word_of_each() {
    let (first, second, mut gone) = (Witness::started(), Witness::started(), Witness::started());
    let log = Log::of(40);
    lines(second.ask(&log.request(0, 9)).await.unwrap());
    let all =
        [&first, &second, &gone].map(|witness| Remote::new("w", witness.address(), vec![witness.key.clone()]).unwrap());
    gone.kill();
    let mut note: Note = log.signed_by(40, &key());
    let proof = |old| std::future::ready(Some(log.request(old, 40).proof().to_vec()));
    let gathered = gather(&all, &note, proof, Duration::from_secs(20)).await;
    assert!(matches!(gathered.withheld[..], [(_, Withheld::NoAnswer(_))]), "{:?}", gathered.withheld);
    gathered.cosignatures.into_iter().for_each(|line| note.sign(line).unwrap());
    assert_eq!(note.open(&[first.key.clone(), second.key.clone()]).unwrap().len(), 2);
}

#[tokio::test]
async fn of_two_requests_at_once_one_sees_what_the_other_has_stored() {
    let witness = Witness::started();
    // What was cosigned, as the names of the entries.
    let mut grown: Vec<String> = (0..4).map(|number| format!("entry {number}")).collect();
    lines(witness.ask(&Log::from_entries(&grown).request(0, 4)).await.unwrap());
    for round in 0..20 {
        let size = u64::try_from(grown.len()).unwrap();
        // Four histories that go on from there, all of the same size.
        let branches: Vec<Vec<String>> = (0..4)
            .map(|branch| grown.iter().cloned().chain((0..3).map(|at| format!("{round} {branch} {at}"))).collect())
            .collect();
        let asked: Vec<_> = branches
            .iter()
            .map(|branch| {
                let (address, request) = (witness.address(), Log::from_entries(branch).request(size, size + 3));
                tokio::spawn(async move { gallra_tlog::add_checkpoint(&address, &request).await.unwrap() })
            })
            .collect();
        let mut cosigned = Vec::new();
        for (at, answer) in asked.into_iter().enumerate() {
            match answer.await.unwrap() {
                Answer::Lines(_) => cosigned.push(at),
                Answer::Stale(seen) => assert_eq!(seen, size + 3),
                other @ (Answer::Fork | Answer::Refused(_) | Answer::Later(..)) => panic!("{other:?}"),
            }
        }
        assert_eq!(cosigned.len(), 1, "round {round}");
        grown = branches[cosigned[0]].clone();
    }
}

#[test]
fn a_second_process_on_the_directory_is_refused() {
    let witness = Witness::started();
    let dir = witness.dir().to_str().unwrap();
    for arguments in [
        vec!["run", "--listen", "127.0.0.1:0", "--dir", dir],
        vec!["add-log", "--key", &key_of_log(), "--origin", "other", "--dir", dir],
    ] {
        let second = run(&arguments);
        assert_eq!(second.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&second.stderr).contains("another process is this witness"), "{second:?}");
    }
    let again = run(&["init", "--dir", dir, "--name", NAME]);
    assert_eq!(again.status.code(), Some(1), "never over an existing one");
}

#[test]
fn it_does_not_begin_anew_where_its_head_is_gone() {
    let witness = Witness::made();
    let heads: Vec<_> =
        std::fs::read_dir(witness.dir().join("heads")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(heads.len(), 1);
    std::fs::remove_file(&heads[0]).unwrap();
    let started = run(&["run", "--listen", "127.0.0.1:0", "--dir", witness.dir().to_str().unwrap()]);
    assert_eq!(started.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&started.stderr).contains("make a new witness"), "{started:?}");
}
