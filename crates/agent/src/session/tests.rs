//! The session's loop against a coordinator that is a pair of queues: greeting, reconnecting, and both halves' ends.

use gallra_model::target::Inventory;
use gallra_model::{Clock, Digest};
use tokio::sync::oneshot;

use super::*;
use crate::channel::{self, Next, PrivilegedEnd};

/// Longest wait; reached only by a failing test.
const PATIENCE: Duration = Duration::from_secs(20);

/// The coordinator's side of one stream.
struct Theirs {
    from_agent: mpsc::Receiver<ToCoordinator>,
    to_agent: mpsc::Sender<ToAgent>,
}

/// Fails the first try, then connects.
struct Flaky {
    tries: std::sync::atomic::AtomicU32,
    accept: mpsc::Sender<Theirs>,
}

impl Dial for Flaky {
    fn dial(&self) -> Dialling {
        let first = self.tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        let accept = self.accept.clone();
        Box::pin(async move {
            if first {
                return Err(DialError::Slow);
            }
            let (to, from_agent) = mpsc::channel(1);
            let (to_agent, from) = mpsc::channel(1);
            accept.send(Theirs { from_agent, to_agent }).await.expect("the test lives");
            Ok(Stream { to, from, mover: None })
        })
    }
}

fn inventory() -> Inventory {
    Inventory { agent: "web1".parse().expect("a label"), evidence_key: String::new(), targets: vec![] }
}

/// A session in its own thread, its privileged end, and the coordinator's door.
struct Bench {
    privileged: PrivilegedEnd,
    door: mpsc::Receiver<Theirs>,
    stop: Option<oneshot::Sender<()>>,
    session: std::thread::JoinHandle<Result<(), Closed>>,
}

fn bench() -> Bench {
    let (privileged, end) = channel::pair().expect("a timer");
    let (accept, door) = mpsc::channel(4);
    let (stop, stopped) = oneshot::channel();
    let session = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let dial = Flaky { tries: 0.into(), accept };
        runtime.block_on(run(end, Box::new(dial), async {
            let _ = stopped.await;
        }))
    });
    Bench { privileged, door, stop: Some(stop), session }
}

impl Bench {
    fn ready(&self) {
        self.privileged.say(&ToSession::Ready { inventory: inventory(), generation: 4 }).expect("the session lives");
    }

    /// The next stream, greeted and welcomed.
    fn stream(&mut self, generation: u64) -> Theirs {
        let mut theirs = self.door.blocking_recv().expect("it dials");
        let hello = theirs.from_agent.blocking_recv().expect("it greets");
        assert!(matches!(hello, ToCoordinator::Hello { generation: said, credits: CREDITS, .. } if said == generation));
        theirs.to_agent.blocking_send(welcome()).expect("open");
        let Next::Message(ToPrivileged::Connected { generation: 7, .. }) = self.privileged.next(PATIENCE) else {
            panic!("the privileged half is told of every stream")
        };
        theirs
    }
}

fn welcome() -> ToAgent {
    let now = "2026-03-01T03:00:00Z".parse().expect("a literal");
    ToAgent::Welcome { generation: 7, clock: Clock::Real, now, heartbeat_seconds: 0 }
}

fn stored(text: &str) -> ToAgent {
    ToAgent::ReceiptStored { receipt: Digest::of(text.as_bytes()) }
}

#[test]
fn it_dials_again_after_failure_and_loss_and_greets_with_the_highest_generation() {
    let mut bench = bench();
    bench.ready();
    let theirs = bench.stream(4);
    theirs.to_agent.blocking_send(stored("a")).expect("open");
    assert!(matches!(bench.privileged.next(PATIENCE), Next::Message(ToPrivileged::ReceiptStored { .. })));
    drop(theirs);
    let mut theirs = bench.stream(7);
    let envelope =
        gallra_model::envelope::Envelope { payload_type: "t".into(), payload: "p".into(), signatures: vec![] };
    let receipt = ToCoordinator::Receipt { envelope };
    bench.privileged.say(&ToSession::Say(receipt.clone())).expect("open");
    assert_eq!(theirs.from_agent.blocking_recv(), Some(receipt));
    bench.stop.take().expect("once").send(()).expect("it runs");
    assert_eq!(bench.session.join().expect("no panic"), Ok(()));
    assert!(matches!(bench.privileged.next(PATIENCE), Next::Closed), "the privileged half sees the end");
    assert_eq!(theirs.from_agent.blocking_recv(), None, "the stream is closed");
}

#[test]
fn neither_direction_waits_for_the_other() {
    let mut bench = bench();
    bench.ready();
    let mut theirs = bench.stream(4);
    // The coordinator says a lot while the privileged half says a lot, and neither reads.
    let to_agent = theirs.to_agent.clone();
    let talker = std::thread::spawn(move || {
        for number in 0..500 {
            to_agent.blocking_send(stored(&number.to_string())).expect("open");
        }
    });
    talker.join().expect("everything was taken without the privileged half reading");
    let envelope =
        gallra_model::envelope::Envelope { payload_type: "t".into(), payload: "p".into(), signatures: vec![] };
    bench.privileged.say(&ToSession::Say(ToCoordinator::Receipt { envelope })).expect("open");
    assert!(theirs.from_agent.blocking_recv().is_some());
    for number in 0..500 {
        let Next::Message(ToPrivileged::ReceiptStored { receipt }) = bench.privileged.next(PATIENCE) else {
            panic!("lost {number}")
        };
        assert_eq!(receipt, Digest::of(number.to_string().as_bytes()), "in order");
    }
}

#[test]
fn it_ends_when_the_privileged_half_ends() {
    let bench = bench();
    drop(bench.privileged);
    assert_eq!(bench.session.join().expect("no panic"), Err(Closed));
}

/// How long it is until the alarm rings.
fn alarm(drive: &Drive) -> Duration {
    drive.alarm.expect("an alarm").saturating_duration_since(Instant::now())
}

/// A connection that stands and is welcomed.
fn open(drive: &mut Drive) {
    drive.take(Input::Dialled);
    drive.take(Input::Said(welcome()));
    assert_eq!(drive.link(), Link::Open);
}

/// What the alarm says when it rings.
fn ring_now(drive: &mut Drive) {
    let input = drive.rung();
    drive.alarm = None;
    drive.take(input);
}

#[test]
fn streams_that_die_young_are_dialled_less_and_less_often() {
    let (_privileged, end) = channel::pair().expect("a timer");
    let (accept, _door) = mpsc::channel(1);
    let mut drive = Drive::new(end, Box::new(Flaky { tries: 0.into(), accept }));
    drive.take(Input::Privileged(ToSession::Ready { inventory: inventory(), generation: 4 }));
    for _ in 0..20 {
        open(&mut drive);
        drive.take(Input::Broken);
        ring_now(&mut drive);
        assert_eq!(drive.link(), Link::Dialling);
    }
    open(&mut drive);
    drive.take(Input::Broken);
    assert!(alarm(&drive) >= Duration::from_secs(10), "{:?}", alarm(&drive));
    ring_now(&mut drive);
    open(&mut drive);
    assert!(alarm(&drive) > LASTING / 2 && alarm(&drive) <= LASTING, "{:?}", alarm(&drive));
    ring_now(&mut drive);
    drive.take(Input::Broken);
    assert!(alarm(&drive) < Duration::from_secs(1), "one that lasted starts over: {:?}", alarm(&drive));
}

#[test]
fn a_stream_beats_as_often_as_it_was_asked_to() {
    let mut bench = bench();
    bench.ready();
    let mut theirs = bench.door.blocking_recv().expect("it dials");
    assert!(matches!(theirs.from_agent.blocking_recv(), Some(ToCoordinator::Hello { .. })));
    let now = "2026-03-01T03:00:00Z".parse().expect("a literal");
    let welcome = ToAgent::Welcome { generation: 7, clock: Clock::Real, now, heartbeat_seconds: 1 };
    theirs.to_agent.blocking_send(welcome).expect("open");
    for _ in 0..2 {
        assert_eq!(theirs.from_agent.blocking_recv(), Some(ToCoordinator::Alive));
    }
    bench.stop.take().expect("once").send(()).expect("it lives");
    bench.session.join().expect("no panic").expect("the privileged half lives");
}
