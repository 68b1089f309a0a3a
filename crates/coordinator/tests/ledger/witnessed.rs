//! The log and its witnesses over HTTP: their word is on what is published, one that is silent holds nothing up, one that has
//! seen more stops the log before it signs; and what was published is what anybody is served.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gallra_coordinator::ledger::Witnesses;
use gallra_log::checkpoint::Checkpoint;
use gallra_log::cosign::cosign;
use gallra_log::note::{Key, Kind, Note, Signature, Signer};
use gallra_log::rollback::Head;
use gallra_log::witness::{AddCheckpoint, Answer, decide};
use gallra_tlog::{NotCosigned, Published, Remote, Witness, Witnessing, serve};
use tokio::net::TcpListener;

use crate::place::Place;

/// A witness in memory, which others share with its server.
#[derive(Clone)]
struct Remembers {
    key: Key,
    newest: Arc<Mutex<Head>>,
}

fn signer() -> Signer {
    Signer::from_seed("witness.test.invalid/1", Kind::Witness, &[9; 32]).expect("a key")
}

#[async_trait::async_trait]
impl Witness for Remembers {
    async fn add_checkpoint(&self, request: AddCheckpoint) -> Result<Signature, NotCosigned> {
        let mut newest = self.newest.lock().expect("not poisoned");
        match decide(&request, std::slice::from_ref(&self.key), &newest) {
            Answer::Cosign { checkpoint, head } => {
                *newest = head;
                Ok(cosign(&checkpoint, 1_787_565_600, &signer()).expect("cosigns"))
            }
            Answer::Refuse(why) => Err(why.into()),
        }
    }
}

/// A witness of a place's log, and how it is asked.
async fn witness(place: &Place, newest: Arc<Mutex<Head>>) -> Remote {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("bound")).parse().expect("an address");
    let remembers = Remembers { key: place.ledger().public().clone(), newest };
    tokio::spawn(serve(listener, Witnessing(remembers), std::future::pending()));
    Remote::new("one", address, vec![signer().public().clone()]).expect("a witness")
}

fn witnesses(place: &Place) -> usize {
    let note: Note = place.note().parse().expect("a note");
    let opened = Checkpoint::open(&note, place.ledger().public(), &[signer().public().clone()]).expect("opens");
    opened.witnesses.len()
}

#[tokio::test]
async fn a_witnesss_word_is_on_what_is_published_and_a_silent_one_holds_nothing_up() {
    let place = Place::new().await;
    let newest = Arc::new(Mutex::new(Head::EMPTY));
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", silent.local_addr().expect("bound")).parse().expect("an address");
    let silent = Remote::new("silent", address, vec![signer().public().clone()]).expect("a witness");
    place.ledger().set_vouch(Arc::new(Witnesses::new(vec![silent, witness(&place, Arc::clone(&newest)).await])));
    for (from, to) in [(0, 3), (3, 300)] {
        tokio::time::timeout(Duration::from_secs(60), place.log(from..to)).await.expect("it is not held up");
        assert_eq!(newest.lock().expect("not poisoned").size, to);
        assert_eq!(witnesses(&place), 1);
    }
    assert_eq!(place.stopped(), None);
    // And what anybody is served is the same.
    let served = Published::checkpoint(place.ledger()).await.expect("read").expect("published");
    assert_eq!(served, place.note().into_bytes());
    for (path, length) in [("tile/0/000", Some(8192)), ("tile/0/001.p/44", Some(44 * 32)), ("tile/0/001.p/45", None)] {
        let file = place.ledger().file(path).await.expect("read");
        assert_eq!(file.map(|bytes| bytes.len()), length, "{path}");
    }
}

#[tokio::test]
async fn i7_a_witness_that_has_seen_more_stops_the_log_before_it_signs() {
    let mut place = Place::new().await;
    let newest = Arc::new(Mutex::new(Head::EMPTY));
    place.log(0..4).await;
    let copy = place.back_up().await;
    place.ledger().set_vouch(Arc::new(Witnesses::new(vec![witness(&place, Arc::clone(&newest)).await])));
    place.ledger().hear_vouching().await.expect("heard");
    place.log(4..9).await;
    assert_eq!((newest.lock().expect("not poisoned").size, place.stopped()), (9, None));

    // The store goes back, and so does what lay beside it: only the witness knows.
    std::fs::remove_file(place.path("log/published")).expect("removed");
    place.restore(&copy).await;
    place.ledger().set_vouch(Arc::new(Witnesses::new(vec![witness(&place, Arc::clone(&newest)).await])));
    place.ledger().hear_vouching().await.expect("heard");
    let stopped = place.stopped().expect("stopped");
    assert!(stopped.contains("has cosigned 9 entries") && stopped.contains("the witness one"), "{stopped}");
    place.log(20..30).await;
    assert_eq!(place.published(), None, "nothing is signed, and nothing handed out");
    assert_eq!(newest.lock().expect("not poisoned").size, 9);
}
