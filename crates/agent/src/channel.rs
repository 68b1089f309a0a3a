//! JSON lines between the agent's two halves, over bounded queues: the shape of a pipe, so that a process boundary can
//! take its place. Nothing but these lines passes between the halves (decision 15). Upholds I10.

use std::collections::VecDeque;
use std::time::Duration;

use gallra_model::message::{ToPrivileged, ToSession};
use tokio::sync::mpsc;

/// Lines that may wait in each direction.
const QUEUE: usize = 64;

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

/// The privileged half's end, for a thread that may block.
pub struct PrivilegedEnd {
    timer: tokio::runtime::Runtime,
    lines: mpsc::Receiver<String>,
    ahead: VecDeque<String>,
    closed: bool,
    out: mpsc::Sender<String>,
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
    let privileged =
        PrivilegedEnd { timer, lines: at_privileged, ahead: VecDeque::new(), closed: false, out: to_session };
    Ok((privileged, SessionEnd { reading: Reading(at_session), writing: Writing(to_privileged) }))
}

impl PrivilegedEnd {
    /// Waits for the next message, at most so long.
    pub fn next(&mut self, wait: Duration) -> Next {
        if let Some(line) = self.ahead.pop_front() {
            return parse(&line);
        }
        let lines = &mut self.lines;
        match self.timer.block_on(async { tokio::time::timeout(wait, lines.recv()).await }) {
            Ok(Some(line)) => parse(&line),
            Ok(None) => Next::Closed,
            Err(_) => Next::Idle,
        }
    }

    /// Whether the session has ended, without losing what it said: for asking in the middle of an act.
    pub fn is_closed(&mut self) -> bool {
        while !self.closed && self.ahead.len() < QUEUE {
            match self.lines.try_recv() {
                Ok(line) => self.ahead.push_back(line),
                Err(mpsc::error::TryRecvError::Empty) => break,
                Err(mpsc::error::TryRecvError::Disconnected) => self.closed = true,
            }
        }
        self.closed
    }

    /// Says something; waits while the queue is full.
    ///
    /// # Errors
    /// When the session has ended.
    pub fn say(&self, message: &ToSession) -> Result<(), Closed> {
        self.out.blocking_send(line_of(message)).map_err(|_| Closed)
    }
}

fn parse(line: &str) -> Next {
    serde_json::from_str(line).map_or(Next::Malformed, Next::Message)
}

fn line_of<T: serde::Serialize>(message: &T) -> String {
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
    fn an_end_is_seen_in_the_middle_of_an_act_and_nothing_said_before_is_lost() {
        let (mut privileged, mut session) = pair().expect("a timer");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        assert!(!privileged.is_closed());
        runtime.block_on(session.split().1.tell(&stored())).expect("open");
        drop(session);
        assert!(privileged.is_closed());
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
