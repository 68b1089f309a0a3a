//! The witness is killed between its steps, and at any moment.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;

use gallra_log::tree::Hash;
use gallra_tlog::{Answer, add_checkpoint};

use crate::process::Witness;
use crate::tree::Log;

/// SIGKILL.
const KILLED: Option<i32> = Some(9);

#[tokio::test]
async fn i7_what_was_stored_and_not_answered_is_still_what_counts_after_a_kill() {
    let (log, fork) = (Log::of(9), Log::forked(9, 4, "another"));
    let mut witness = Witness::made();
    witness.start(Some("before_cosigning#2"));
    assert!(matches!(witness.ask(&log.request(0, 5)).await.unwrap(), Answer::Lines(_)));
    // Stored, and no answer.
    assert!(witness.ask(&log.request(5, 9)).await.is_err());
    assert_eq!(witness.ended().signal(), KILLED);
    witness.start(None);
    assert_eq!(witness.ask(&fork.request(5, 9)).await.unwrap(), Answer::Stale(9));
    assert_eq!(witness.ask(&fork.request(9, 9)).await.unwrap(), Answer::Fork);
    assert_eq!(witness.conflicts().len(), 1);
    assert!(
        matches!(witness.ask(&log.request(9, 9)).await.unwrap(), Answer::Lines(_)),
        "its log asks again and has it"
    );
}

#[tokio::test]
async fn i7_what_was_not_stored_before_a_kill_was_not_cosigned() {
    let (log, fork) = (Log::of(9), Log::forked(9, 5, "another"));
    let mut witness = Witness::made();
    witness.start(Some("before_head#2"));
    assert!(matches!(witness.ask(&log.request(0, 5)).await.unwrap(), Answer::Lines(_)));
    assert!(witness.ask(&log.request(5, 9)).await.is_err());
    assert_eq!(witness.ended().signal(), KILLED);
    witness.start(None);
    assert_eq!(witness.ask(&log.request(9, 9)).await.unwrap(), Answer::Stale(5));
    // Nobody has a cosignature for the first 9, and so another one is no second history.
    assert!(matches!(witness.ask(&fork.request(5, 9)).await.unwrap(), Answer::Lines(_)));
    assert_eq!(witness.ask(&log.request(9, 9)).await.unwrap(), Answer::Fork);
}

/// A log that lies to its witness: at each size it offers two trees at once, while the witness is killed and started again.
#[tokio::test]
async fn i7_no_kill_lets_two_trees_of_a_size_be_cosigned() {
    let mut witness = Witness::made();
    let mut entries: Vec<String> = Vec::new();
    let mut cosigned: BTreeMap<u64, Hash> = BTreeMap::new();
    let (mut answered, mut unanswered) = (0, 0);
    for round in 0..24_u32 {
        witness.start(None);
        let old = u64::try_from(entries.len()).unwrap();
        let branches: Vec<Vec<String>> =
            (0..2).map(|branch| entries.iter().cloned().chain([format!("{round} {branch}")]).collect()).collect();
        let logs: Vec<Log> = branches.iter().map(|branch| Log::from_entries(branch)).collect();
        let asked: Vec<_> = logs
            .iter()
            .map(|log| {
                let (address, request) = (witness.address(), log.request(old, old + 1));
                tokio::spawn(async move { add_checkpoint(&address, &request).await })
            })
            .collect();
        // In some rounds at once, in others after so many turns of this thread, in others after the answers.
        for _ in 0..(round % 8) * 40 {
            tokio::task::yield_now().await;
        }
        let mut collect = async |asked: Vec<tokio::task::JoinHandle<_>>| {
            for (log, answer) in logs.iter().zip(asked) {
                match answer.await.unwrap() {
                    Ok(Answer::Lines(_)) => {
                        answered += 1;
                        let root = log.root(old + 1);
                        assert_eq!(*cosigned.entry(old + 1).or_insert(root), root, "two trees of {}", old + 1);
                    }
                    Ok(Answer::Stale(_)) => {}
                    Ok(other @ (Answer::Fork | Answer::Refused(_) | Answer::Later(..))) => panic!("{other:?}"),
                    Err(_) => unanswered += 1,
                }
            }
        };
        if round % 3 == 0 {
            collect(asked).await;
            witness.kill();
        } else {
            witness.kill();
            collect(asked).await;
        }
        // Which of both it stands at, or neither: it says so, and every other tree of the size is refused.
        witness.start(None);
        let mut stands = Vec::new();
        for (log, branch) in logs.iter().zip(&branches) {
            match witness.ask(&log.request(old + 1, old + 1)).await.unwrap() {
                Answer::Lines(_) => {
                    let root = log.root(old + 1);
                    assert_eq!(*cosigned.entry(old + 1).or_insert(root), root, "two trees of {}", old + 1);
                    stands.push(branch.clone());
                }
                Answer::Fork => assert_ne!(cosigned.get(&(old + 1)), Some(&log.root(old + 1))),
                Answer::Stale(size) => {
                    assert_eq!(size, old);
                    assert_eq!(cosigned.get(&(old + 1)), None, "cosigned, and forgotten");
                }
                other @ (Answer::Refused(_) | Answer::Later(..)) => panic!("{other:?}"),
            }
        }
        assert!(stands.len() <= 1);
        if let Some(branch) = stands.pop() {
            entries = branch;
        }
        witness.kill();
    }
    assert!(answered >= 8 && entries.len() >= 8, "{answered} {unanswered} {}", entries.len());
}
