//! JSON lines between the agent's two halves, over bounded queues; `pipe` carries them from one process to the other.
//! Nothing but these lines passes between the halves (decision 15). Upholds I10.

use std::collections::VecDeque;
use std::time::Duration;

use gallra_flow::agent::privileged::MAX_HELD;
use gallra_model::message::{ToPrivileged, ToSession};
use tokio::sync::mpsc;

/// Lines that may wait in each direction.
const QUEUE: usize = 64;

/// Messages that an act may overhear before it is over: an acknowledgement for everything that is held, and some more.
/// What comes beyond them waits on the other side.
const AHEAD: usize = MAX_HELD + QUEUE;

/// The other half is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the agent's other half has ended")]
pub struct Closed;

/// The channel could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("no timer for the privileged half's queue")]
pub struct SetupError(#[source] std::io::Error);

/// What the privileged half reads.
#[derive(Debug)]
pub enum Next {
    /// A message.
    Message(ToPrivileged),
    /// A line that is none: nothing may be done about it.
    Malformed,
    /// Nothing came in time.
    Idle,
    /// The session ended; what it said before has been read.
    Closed,
}

/// What carries lines to a thread that may block, and from it: this process's queues, or a simulation's.
pub trait Carry: Send {
    /// The next line, if one comes within so long; without a wait, if one is there.
    ///
    /// # Errors
    /// `Empty` when none came, `Disconnected` when none ever will.
    fn next(&mut self, wait: Option<Duration>) -> Result<String, mpsc::error::TryRecvError>;

    /// Passes a line on; waits while there is no room.
    ///
    /// # Errors
    /// When the other side has ended.
    fn say(&self, line: String) -> Result<(), Closed>;
}

/// The queues, and the timer for waiting at them.
struct Queues {
    timer: tokio::runtime::Runtime,
    lines: mpsc::Receiver<String>,
    out: mpsc::Sender<String>,
}

impl Carry for Queues {
    fn next(&mut self, wait: Option<Duration>) -> Result<String, mpsc::error::TryRecvError> {
        let Some(wait) = wait else { return self.lines.try_recv() };
        let lines = &mut self.lines;
        match self.timer.block_on(async { tokio::time::timeout(wait, lines.recv()).await }) {
            Ok(line) => line.ok_or(mpsc::error::TryRecvError::Disconnected),
            Err(_) => Err(mpsc::error::TryRecvError::Empty),
        }
    }

    fn say(&self, line: String) -> Result<(), Closed> {
        self.out.blocking_send(line).map_err(|_| Closed)
    }
}

/// The privileged half's end, for a thread that may block.
pub struct PrivilegedEnd {
    lines: Box<dyn Carry>,
    ahead: VecDeque<Next>,
    closed: bool,
}

/// The session's end.
pub struct SessionEnd {
    reading: Reading,
    writing: Writing,
}

/// What the session hears of the privileged half.
pub struct Reading(mpsc::Receiver<String>);

/// Where the session speaks to the privileged half.
pub struct Writing(mpsc::Sender<String>);

/// Both ends.
///
/// # Errors
/// When the system gives no timer.
pub fn pair() -> Result<(PrivilegedEnd, SessionEnd), SetupError> {
    let (to_privileged, at_privileged) = mpsc::channel(QUEUE);
    let (to_session, at_session) = mpsc::channel(QUEUE);
    let timer = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(SetupError)?;
    let privileged = PrivilegedEnd::over(Box::new(Queues { timer, lines: at_privileged, out: to_session }));
    Ok((privileged, SessionEnd { reading: Reading(at_session), writing: Writing(to_privileged) }))
}

/// The raw lines of the end that lies in the other process.
pub(crate) struct Lines {
    /// To this process's half.
    pub(crate) into: mpsc::Sender<String>,
    /// Of this process's half.
    pub(crate) out: mpsc::Receiver<String>,
}

/// The privileged half's end, and the raw lines of the session's, for a pipe to carry.
///
/// # Errors
/// When the system gives no timer.
pub(crate) fn privileged_over_pipe() -> Result<(PrivilegedEnd, Lines), SetupError> {
    let (end, SessionEnd { reading, writing }) = pair()?;
    Ok((end, Lines { into: writing.0, out: reading.0 }))
}

/// The session's end, and the raw lines of the privileged half's.
pub(crate) fn session_over_pipe() -> (SessionEnd, Lines) {
    let (into, reading) = mpsc::channel(QUEUE);
    let (writing, out) = mpsc::channel(QUEUE);
    (SessionEnd { reading: Reading(reading), writing: Writing(writing) }, Lines { into, out })
}

impl PrivilegedEnd {
    /// The end of whatever carries the lines.
    pub fn over(lines: Box<dyn Carry>) -> Self {
        Self { lines, ahead: VecDeque::new(), closed: false }
    }

    /// Waits for the next message, at most so long.
    pub fn next(&mut self, wait: Duration) -> Next {
        if let Some(next) = self.ahead.pop_front() {
            return next;
        }
        match self.lines.next(Some(wait)) {
            Ok(line) => parse(&line),
            Err(mpsc::error::TryRecvError::Disconnected) => Next::Closed,
            Err(mpsc::error::TryRecvError::Empty) => Next::Idle,
        }
    }

    /// Hears what was said meanwhile, and loses none of it: for an act, which must know of a stop and of the session's end
    /// before the next item goes. Shows each message once; `takes` says whether it was an answer to the act, which nobody
    /// else is to hear. Waits for a first word at most so long. Returns whether nothing more can be heard: the session has
    /// ended, or there is no room for what it says.
    pub fn overhear(&mut self, wait: Duration, mut takes: impl FnMut(&ToPrivileged) -> bool) -> bool {
        let mut wait = Some(wait).filter(|wait| !wait.is_zero());
        while !self.closed && self.ahead.len() < AHEAD {
            match self.lines.next(wait.take()) {
                Ok(line) => {
                    let next = parse(&line);
                    if !matches!(&next, Next::Message(message) if takes(message)) {
                        self.ahead.push_back(next);
                    }
                }
                Err(mpsc::error::TryRecvError::Empty) => return false,
                Err(mpsc::error::TryRecvError::Disconnected) => self.closed = true,
            }
        }
        true
    }

    /// Says something; waits while the queue is full.
    ///
    /// # Errors
    /// When the session has ended.
    pub fn say(&self, message: &ToSession) -> Result<(), Closed> {
        self.lines.say(line_of(message))
    }
}

pub(crate) fn parse(line: &str) -> Next {
    serde_json::from_str(line).map_or(Next::Malformed, Next::Message)
}

pub(crate) fn line_of<T: serde::Serialize>(message: &T) -> String {
    serde_json::to_string(message).expect("messages are made of texts, numbers and lists, which always serialise")
}

impl SessionEnd {
    /// Both directions, to be waited for at once.
    pub fn split(&mut self) -> (&mut Reading, &Writing) {
        (&mut self.reading, &self.writing)
    }
}

impl Reading {
    /// The next message of the privileged half; lines that are none are skipped.
    ///
    /// # Errors
    /// When the privileged half has ended.
    pub async fn next(&mut self) -> Result<ToSession, Closed> {
        loop {
            let line = self.0.recv().await.ok_or(Closed)?;
            match serde_json::from_str(&line) {
                Ok(message) => return Ok(message),
                Err(_) => tracing::error!("the privileged half wrote a line that is no message: skipped"),
            }
        }
    }
}

impl Writing {
    /// Passes one message on as soon as there is room. Dropped before that, it passes on nothing.
    ///
    /// # Errors
    /// When the privileged half has ended.
    pub async fn tell(&self, message: &ToPrivileged) -> Result<(), Closed> {
        self.0.reserve().await.map_err(|_| Closed)?.send(line_of(message));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use gallra_model::Digest;
    use gallra_model::envelope::Envelope;
    use gallra_model::message::ToCoordinator;

    use super::*;

    fn stored() -> ToPrivileged {
        ToPrivileged::ReceiptStored { receipt: Digest::of(b"r") }
    }

    #[test]
    fn lines_pass_whole_in_both_directions() {
        let (mut privileged, mut session) = pair().expect("a timer");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(session.split().1.tell(&stored())).expect("open");
        assert!(matches!(privileged.next(Duration::ZERO), Next::Message(message) if message == stored()));
        assert!(matches!(privileged.next(Duration::ZERO), Next::Idle));
        let envelope = Envelope { payload_type: "t".into(), payload: "p".into(), signatures: vec![] };
        let say = ToSession::Say(ToCoordinator::Receipt { envelope });
        privileged.say(&say).expect("open");
        assert_eq!(runtime.block_on(session.split().0.next()), Ok(say));
    }

    #[test]
    fn what_can_take_in_no_more_says_that_it_hears_nothing() {
        let (mut privileged, mut session) = pair().expect("a timer");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        for said in 1..=AHEAD {
            runtime.block_on(session.split().1.tell(&stored())).expect("open");
            assert_eq!(privileged.overhear(Duration::ZERO, |_| false), said == AHEAD, "{said}");
        }
        assert!(matches!(privileged.next(Duration::ZERO), Next::Message(_)));
        assert!(!privileged.overhear(Duration::ZERO, |_| false), "there is room again");
    }

    #[test]
    fn an_end_is_seen_in_the_middle_of_an_act_and_nothing_said_before_is_lost() {
        let (mut privileged, mut session) = pair().expect("a timer");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        assert!(!privileged.overhear(Duration::from_millis(1), |_| panic!("nothing was said")));
        let taken = ToPrivileged::Withdraw { job: gallra_model::JobId::from_bytes([1; 16]) };
        runtime.block_on(session.split().1.tell(&taken)).expect("open");
        runtime.block_on(session.split().1.tell(&stored())).expect("open");
        drop(session);
        let mut seen = Vec::new();
        let hears = |message: &ToPrivileged| {
            seen.push(message.clone());
            *message == taken
        };
        assert!(privileged.overhear(Duration::ZERO, hears));
        assert_eq!(seen, [taken, stored()]);
        assert!(privileged.overhear(Duration::ZERO, |_| panic!("shown twice")));
        assert!(matches!(privileged.next(Duration::ZERO), Next::Message(_)));
        assert!(matches!(privileged.next(Duration::ZERO), Next::Closed));
        assert_eq!(
            privileged.say(&ToSession::Say(ToCoordinator::AskBegin {
                job: gallra_model::JobId::from_bytes([0; 16]),
                spec: Digest::of(b""),
                nonce: gallra_model::Nonce::from_bytes([0; 16]),
            })),
            Err(Closed)
        );
    }
}
