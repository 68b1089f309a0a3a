//! A witness over HTTP: the statuses of `docs/formats/log-v1.md`, section 9, and the bounds of a request.

use std::sync::Mutex;

use async_trait::async_trait;
use gallra_log::cosign::cosign;
use gallra_log::note::{Key, Kind, Note, Signature, Signer};
use gallra_log::rollback::Head;
use gallra_log::witness::{AddCheckpoint, Answer, MOST_REQUEST_BYTES, decide};
use gallra_tlog::{NotCosigned, Witness, Witnessing};

use crate::Served;
use crate::log::{Log, ORIGIN};

pub(crate) const NAME: &str = "witness.example/w1";

/// One log's witness in memory.
pub(crate) struct InMemory {
    keys: Vec<Key>,
    signer: Signer,
    newest: Mutex<Head>,
    /// The store cannot be written.
    broken: bool,
}

impl InMemory {
    pub(crate) fn of(log: &Log) -> Self {
        let signer = Signer::from_seed(NAME, Kind::Witness, &[2; 32]).unwrap();
        Self { keys: vec![log.key.public().clone()], signer, newest: Mutex::new(Head::EMPTY), broken: false }
    }

    pub(crate) fn public(&self) -> Key {
        self.signer.public().clone()
    }

    pub(crate) fn at(self, size: u64, log: &Log) -> Self {
        *self.newest.lock().unwrap() = Head { size, root: log.root(size) };
        self
    }
}

#[async_trait]
impl Witness for InMemory {
    async fn add_checkpoint(&self, request: AddCheckpoint) -> Result<Signature, NotCosigned> {
        let keys = if request.unverified_origin().as_str() == ORIGIN { self.keys.as_slice() } else { &[] };
        let mut newest = self.newest.lock().unwrap();
        match decide(&request, keys, &newest) {
            Answer::Cosign { .. } if self.broken => Err(NotCosigned::Failed("the disk is gone".to_owned())),
            Answer::Cosign { checkpoint, head } => {
                *newest = head;
                Ok(cosign(&checkpoint, 1_787_565_600, &self.signer).unwrap())
            }
            Answer::Refuse(why) => Err(why.into()),
        }
    }
}

/// Status, content type, body.
async fn post(served: &Served, body: impl ToString) -> (u16, String, String) {
    let (status, head, body) = served.ask("POST", "/add-checkpoint", body.to_string().as_bytes()).await;
    let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default().to_owned();
    (status, kind, String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn every_status_is_that_of_the_page() {
    let (log, fork) = (Log::of(9), Log::forked(9, 5, "another"));
    let witness = InMemory::of(&log);
    let public = witness.public();
    let served = Served::new(Witnessing(witness)).await;
    let first = post(&served, log.request(0, 3)).await;
    assert_eq!(first.0, 200, "{first:?}");
    let mut cosigned = log.signed(3);
    Signature::parse_lines(&first.2).unwrap().into_iter().for_each(|line| cosigned.sign(line).unwrap());
    assert_eq!(cosigned.open(&[public]).unwrap()[0].time, Some(1_787_565_600));

    let (plain, size) = ("text/plain; charset=utf-8", "text/x.tlog.size");
    let old_is_larger = AddCheckpoint::new(4, Vec::new(), log.signed(3)).unwrap();
    let bad_proof = AddCheckpoint::new(3, log.proof(2, 9), log.signed(9)).unwrap();
    let other = Signer::from_seed(ORIGIN, Kind::Log, &[9; 32]).unwrap();
    let not_signed = AddCheckpoint::new(3, log.proof(3, 9), log.signed_by(9, &other)).unwrap();
    let stranger = Signer::from_seed("log.else.example", Kind::Log, &[1; 32]).unwrap();
    let unknown = AddCheckpoint::new(3, log.proof(3, 9), log.signed_by(9, &stranger)).unwrap();
    for (request, status, kind) in [
        ("old 3\n".to_owned(), 400, plain),
        (unknown.to_string(), 404, plain),
        (not_signed.to_string(), 403, plain),
        (old_is_larger.to_string(), 400, plain),
        (log.request(0, 9).to_string(), 409, size),
        (bad_proof.to_string(), 422, plain),
    ] {
        let said = post(&served, &request).await;
        assert_eq!((said.0, said.1.as_str()), (status, kind), "{request}: {}", said.2);
        assert_eq!(said.2 == "3\n", status == 409, "{}", said.2);
    }
    assert_eq!(post(&served, log.request(3, 9)).await.0, 200);
    let forked = AddCheckpoint::new(9, Vec::new(), fork.signed(9)).unwrap();
    let said = post(&served, forked).await;
    assert_eq!((said.0, said.1.as_str()), (409, plain), "a fork is told no size to try again with");
    assert_eq!(post(&served, log.request(9, 9)).await.0, 200, "the same again is cosigned again");
}

#[tokio::test]
async fn what_is_not_asked_for_here_gets_nothing() {
    let log = Log::of(3);
    let served = Served::new(Witnessing(InMemory::of(&log))).await;
    let body = log.request(0, 3).to_string();
    for (method, path, status) in [
        ("GET", "/add-checkpoint", 405),
        ("PUT", "/add-checkpoint", 405),
        ("POST", "/add-checkpoint/", 404),
        ("POST", "/add-checkpoint?x", 404),
        ("POST", "/", 404),
        ("GET", "/checkpoint", 404),
    ] {
        assert_eq!(served.ask(method, path, body.as_bytes()).await.0, status, "{method} {path}");
    }
    assert_eq!(served.ask("POST", "/add-checkpoint", body.as_bytes()).await.0, 200);
}

#[tokio::test]
async fn a_request_is_read_up_to_its_bound_and_no_further() {
    let log = Log::of(3);
    let served = Served::new(Witnessing(InMemory::of(&log))).await;
    // The length that is said, and, where none is said, the bytes that come.
    let said = served.ask("POST", "/add-checkpoint", &vec![b'x'; MOST_REQUEST_BYTES + 1]).await;
    assert_eq!(said.0, 400);
    let mut chunked =
        b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..40 {
        chunked.extend_from_slice(b"4000\r\n");
        chunked.extend_from_slice(&[b'x'; 0x4000]);
        chunked.extend_from_slice(b"\r\n");
    }
    let said = served.raw(&chunked).await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 400 "), "{said}");
    let torn = b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nold";
    let at = served.at;
    let torn = tokio::task::spawn_blocking(move || {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(at).unwrap();
        stream.write_all(torn).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut said = String::new();
        let _ = stream.read_to_string(&mut said);
        said
    });
    assert!(!torn.await.unwrap().contains(" 200 "));
    assert_eq!(post(&served, log.request(0, 3)).await.0, 200, "and still there for the next");
}

#[tokio::test]
async fn a_witness_that_cannot_store_says_so_and_not_why() {
    let log = Log::of(3);
    let mut witness = InMemory::of(&log);
    witness.broken = true;
    let served = Served::new(Witnessing(witness)).await;
    let (status, _, body) = post(&served, log.request(0, 3)).await;
    assert_eq!(status, 500);
    assert!(!body.contains("disk") && Note::parse(body.as_bytes()).is_err());
}
