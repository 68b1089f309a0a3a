//! A log asks its witnesses: what it takes, what it does not, that it asks at most twice and is never held up.

use std::cell::RefCell;
use std::future::ready;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use gallra_log::cosign::cosign;
use gallra_log::note::{Key, Kind, Signer};
use gallra_tlog::{MOST_ANSWER_BYTES, Remote, RemoteError, Withheld, Witnessing, ask, gather};

use crate::Served;
use crate::log::Log;
use crate::witnessing::{InMemory, NAME};

fn remote(at: impl std::fmt::Display, key: Key) -> Remote {
    Remote::new("w", format!("http://{at}").parse().unwrap(), vec![key]).unwrap()
}

/// Answers each connection with the next of these, once its request has come; then nobody answers any more. How many asked.
fn scripted(answers: Vec<Vec<u8>>) -> (std::net::SocketAddr, std::thread::JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let served = std::thread::spawn(move || {
        let mut asked = 0;
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let mut request = Vec::new();
            let mut some = [0; 4096];
            // The note ends in its signature's line.
            while !(request.ends_with(b"\n") && String::from_utf8_lossy(&request).contains('\u{2014}')) {
                let read = stream.read(&mut some).unwrap();
                if read == 0 {
                    return asked;
                }
                request.extend_from_slice(&some[..read]);
            }
            asked += 1;
            let _ = stream.write_all(&answer);
        }
        asked
    });
    (at, served)
}

fn http(status: &str, kind: &str, body: &str) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
    format!("{head}{body}").into_bytes()
}

fn stale(size: u64) -> Vec<u8> {
    http("409 Conflict", "text/x.tlog.size", &format!("{size}\n"))
}

#[tokio::test]
async fn a_log_asks_twice_at_first_and_once_after_that() {
    let log = Log::of(20);
    let witness = InMemory::of(&log).at(4, &log);
    let key = witness.public();
    let served = Served::new(Witnessing(witness)).await;
    let remote = remote(served.at, key.clone());
    let proofs = RefCell::new(Vec::new());
    let mut size = 0;
    for (next, asked) in [(9, vec![4]), (12, vec![9]), (12, vec![]), (20, vec![12])] {
        proofs.borrow_mut().clear();
        size = next;
        let note = log.signed(size);
        let consistency = |old| {
            proofs.borrow_mut().push(old);
            ready(Some(log.proof(old, next)))
        };
        let lines = ask(&remote, &note, consistency).await.unwrap();
        assert_eq!(*proofs.borrow(), asked, "at {next}");
        let mut cosigned = note;
        lines.into_iter().for_each(|line| cosigned.sign(line).unwrap());
        assert_eq!(cosigned.open(std::slice::from_ref(&key)).unwrap().len(), 1);
    }
    assert_eq!(size, 20);
}

#[tokio::test]
async fn what_questions_the_logs_own_history_is_an_alarm() {
    let (log, fork) = (Log::of(20), Log::forked(20, 7, "another"));
    let witness = InMemory::of(&log).at(12, &log);
    let key = witness.public();
    let served = Served::new(Witnessing(witness)).await;
    let remote = remote(served.at, key);
    let gone_back = ask(&remote, &log.signed(9), |_| ready(None)).await.unwrap_err();
    assert!(matches!(gone_back, Withheld::Ahead { ours: 9, seen: 12 }) && gone_back.is_alarm(), "{gone_back}");
    let forked = ask(&remote, &fork.signed(12), |_| ready(None)).await.unwrap_err();
    assert!(matches!(forked, Withheld::Fork { size: 12 }) && forked.is_alarm(), "{forked}");
    // A fork that has grown: the witness sees a proof that does not fit, and it may be no more than that.
    let inconsistent = ask(&remote, &fork.signed(20), |old| ready(Some(fork.proof(old, 20)))).await.unwrap_err();
    assert!(matches!(inconsistent, Withheld::Refused(status) if status == 422) && !inconsistent.is_alarm());
    let no_proof = ask(&remote, &log.signed(20), |_| ready(None)).await.unwrap_err();
    assert!(matches!(no_proof, Withheld::NoProof { old: 12 }));
}

#[tokio::test]
async fn a_later_drafts_answer_to_a_fork_is_the_same_alarm() {
    let log = Log::of(9);
    let key = InMemory::of(&log).public();
    let (at, served) = scripted(vec![http("422 Unprocessable Entity", "text/plain", "no\n")]);
    let said = ask(&remote(at, key), &log.signed(9), |_| ready(None)).await.unwrap_err();
    assert!(matches!(said, Withheld::Fork { size: 9 }), "{said}");
    assert_eq!(served.join().unwrap(), 1);
}

#[tokio::test]
async fn a_witness_that_always_says_another_size_is_asked_twice_and_not_for_ever() {
    let log = Log::of(9);
    let key = InMemory::of(&log).public();
    let (at, served) = scripted(vec![stale(3), stale(5), stale(3), stale(5)]);
    let said = ask(&remote(at, key), &log.signed(9), |old| ready(Some(log.proof(old, 9)))).await.unwrap_err();
    assert!(matches!(said, Withheld::Moved { first: 3, second: 5 }), "{said}");
    // Let the thread end: two more that say nothing.
    for _ in 0..2 {
        drop(std::net::TcpStream::connect(at));
    }
    assert_eq!(served.join().unwrap(), 2);
}

#[tokio::test]
async fn only_lines_that_verify_for_this_note_are_taken() {
    let log = Log::of(9);
    let witness = Signer::from_seed(NAME, Kind::Witness, &[2; 32]).unwrap();
    let other = Signer::from_seed("other.example/w1", Kind::Witness, &[3; 32]).unwrap();
    let checkpoint = |size| log.signed(size).unverified_text().parse().unwrap();
    let good = cosign(&checkpoint(9), 5, &witness).unwrap().to_string();
    let for_another = cosign(&checkpoint(8), 5, &witness).unwrap().to_string();
    let by_another = cosign(&checkpoint(9), 5, &other).unwrap().to_string();
    let both = format!("{by_another}{good}");
    for (body, taken) in [
        (good.as_str(), Some(1)),
        (both.as_str(), Some(1)),
        (for_another.as_str(), None),
        (by_another.as_str(), None),
        ("", None),
        ("hello\n", None),
        (good.trim_end(), None),
    ] {
        let (at, served) = scripted(vec![http("200 OK", "text/plain", body)]);
        let lines = ask(&remote(at, witness.public().clone()), &log.signed(9), |_| ready(None)).await;
        assert_eq!(lines.as_ref().ok().map(Vec::len), taken, "{body}");
        assert!(lines.is_ok_and(|lines| lines[0].name() == NAME) == taken.is_some());
        assert_eq!(served.join().unwrap(), 1);
    }
}

#[tokio::test]
async fn other_answers_are_refusals_and_nobody_is_followed() {
    let log = Log::of(9);
    let key = InMemory::of(&log).public();
    for (answer, what) in [
        (http("404 Not Found", "text/plain", "no\n"), "404"),
        (http("500 Internal Server Error", "text/plain", "no\n"), "500"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".to_vec(), "302"),
        (http("409 Conflict", "text/plain", "3\n"), "another tree"),
        (http("409 Conflict", "text/x.tlog.size", "03\n"), "another tree"),
        (http("200 OK", "text/plain", &"x".repeat(MOST_ANSWER_BYTES + 1)), "longer than"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nx".to_vec(), "broke off"),
        (b"SSH-2.0-x\r\n".to_vec(), "not whole"),
        (Vec::new(), "not whole"),
    ] {
        let (at, served) = scripted(vec![answer]);
        let said = ask(&remote(at, key.clone()), &log.signed(9), |_| ready(None)).await.unwrap_err().to_string();
        assert!(said.contains(what), "{what}: {said}");
        assert_eq!(served.join().unwrap(), 1);
    }
}

#[tokio::test]
async fn those_who_answer_count_and_those_who_do_not_hold_nobody_up() {
    let log = Log::of(20);
    let (first, key) = (InMemory::of(&log).at(4, &log), InMemory::of(&log).public());
    let served = Served::new(Witnessing(first)).await;
    // Takes the connection and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    // Nobody is there.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let witnesses =
        [remote(silent.local_addr().unwrap(), key.clone()), remote(gone, key.clone()), remote(served.at, key.clone())];
    let note = log.signed(20);
    let all = gather(&witnesses, &note, |old| ready(Some(log.proof(old, 20))), Duration::from_secs(2));
    let gathered = tokio::time::timeout(Duration::from_secs(30), all).await.expect("bounded");
    assert_eq!(gathered.cosignatures.len(), 1);
    let withheld: Vec<_> = gathered.withheld.iter().map(|(_, why)| why).collect();
    assert!(matches!(withheld[..], [Withheld::Late, Withheld::NoAnswer(_)]), "{withheld:?}");
    let none = gather(&[], &log.signed(20), |_| ready(None), Duration::from_secs(2)).await;
    assert!(none.cosignatures.is_empty() && none.withheld.is_empty());
}

/// The log's sequencer is spawned, and its proofs come out of a store.
#[tokio::test]
async fn a_log_may_ask_from_a_task_and_wait_for_its_proofs() {
    let log = std::sync::Arc::new(Log::of(20));
    let witness = InMemory::of(&log).at(4, &log);
    let key = witness.public();
    let served = Served::new(Witnessing(witness)).await;
    let remote = remote(served.at, key);
    let asking = std::sync::Arc::clone(&log);
    let task = tokio::spawn(async move {
        let (note, log) = (asking.signed(20), &asking);
        let consistency = |old| async move {
            tokio::task::yield_now().await;
            Some(log.proof(old, 20))
        };
        gather(&[remote], &note, consistency, Duration::from_secs(30)).await
    });
    assert_eq!(task.await.unwrap().cosignatures.len(), 1);
}

#[test]
fn a_witness_has_a_witnesss_key() {
    let log = Signer::from_seed("log.example", Kind::Log, &[1; 32]).unwrap();
    let address = || "http://127.0.0.1:1".parse().unwrap();
    assert_eq!(Remote::new("w", address(), Vec::new()).unwrap_err(), RemoteError::NoKey);
    assert_eq!(Remote::new("w", address(), vec![log.public().clone()]).unwrap_err(), RemoteError::Kind);
}
