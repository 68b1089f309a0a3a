//! The agent's network half: drives `gallra_flow::agent::session` with a stream, a timer and the channel to the privileged
//! half. Holds the mTLS key; refuses to know the evidence key, drivers and what the messages mean. Every queue is bounded,
//! and both directions move independently, so that neither half can wait for the other for ever (I10).

mod dial;
mod spans;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use gallra_flow::agent::privileged::MAX_HELD;
use gallra_flow::agent::session::{Effect, Input, Link, Session, Why, step};
use gallra_model::message::{ToAgent, ToCoordinator, ToPrivileged, ToSession};
use gallra_retry::Waits;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

pub use dial::{Address, Addresses, DialError, Tls};

use crate::channel::{Closed, SessionEnd};
use crate::retry;

/// Offers that the host takes at once.
pub const CREDITS: u32 = 8;

/// How long a coordinator may take to welcome us.
const GREETING: Duration = Duration::from_secs(30);

/// How long a stream must be in use before the wait after it is short again: one that opens and dies at once is no
/// success, and is dialled less and less often.
const LASTING: Duration = Duration::from_secs(5);

/// Messages that may wait for the privileged half: an acknowledgement for everything it may hold, and some more.
const MAX_INWARD: usize = MAX_HELD + 64;

/// An open stream, as two bounded queues. Dropping it ends the stream.
pub struct Stream {
    /// To the coordinator.
    pub to: mpsc::Sender<ToCoordinator>,
    /// From the coordinator; ends when the stream ends.
    pub from: mpsc::Receiver<ToAgent>,
    /// Whatever moves the two.
    pub mover: Option<tokio::task::JoinHandle<()>>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(mover) = &self.mover {
            mover.abort();
        }
    }
}

/// A try to connect.
pub type Dialling = Pin<Box<dyn Future<Output = Result<Stream, DialError>> + Send>>;

/// Who connects: gRPC, or a test.
pub trait Dial: Send {
    /// Begins one try. Must give up by itself.
    fn dial(&self) -> Dialling;
}

struct Drive {
    state: Option<Session>,
    end: SessionEnd,
    dial: Box<dyn Dial>,
    dialling: Option<Dialling>,
    stream: Option<Stream>,
    /// At most one message: the privileged half is read only when it is empty.
    outward: VecDeque<ToCoordinator>,
    inward: VecDeque<ToPrivileged>,
    alarm: Option<Instant>,
    /// The next heartbeat on this stream, and the time between two.
    beat: Option<(Instant, Duration)>,
    waits: Waits,
    spans: spans::Spans,
}

/// Keeps a stream open until `stop` is ready.
///
/// # Errors
/// When the privileged half has ended.
pub async fn run(end: SessionEnd, dial: Box<dyn Dial>, stop: impl Future<Output = ()>) -> Result<(), Closed> {
    let mut drive = Drive::new(end, dial);
    tokio::pin!(stop);
    while drive.link() != Link::Stopped {
        let input = tokio::select! {
            () = &mut stop => Some(Input::Stop),
            input = drive.next() => input?,
        };
        if let Some(input) = input {
            drive.take(input);
        }
    }
    Ok(())
}

impl Drive {
    fn new(end: SessionEnd, dial: Box<dyn Dial>) -> Self {
        Self {
            state: Some(Session::new(CREDITS)),
            end,
            dial,
            dialling: None,
            stream: None,
            outward: VecDeque::new(),
            inward: VecDeque::new(),
            alarm: None,
            beat: None,
            waits: retry::waits(),
            spans: spans::Spans::default(),
        }
    }

    fn link(&self) -> Link {
        self.state.as_ref().map_or(Link::Stopped, Session::link)
    }

    /// Waits for the next thing to happen. Cancelling it loses nothing.
    async fn next(&mut self) -> Result<Option<Input>, Closed> {
        let Self { end, dialling, stream, outward, inward, alarm, beat, .. } = self;
        let (to, from) = match stream {
            Some(stream) => (Some(&stream.to), Some(&mut stream.from)),
            None => (None, None),
        };
        let room = inward.len() < MAX_INWARD;
        let (told, waiting) = (inward.front().cloned(), outward.front().cloned());
        // `end` is read and written in two branches; the write borrows only its sending side.
        let (reading, writing) = end.split();
        tokio::select! {
            said = reading.next(), if outward.is_empty() => Ok(Some(Input::Privileged(said?))),
            told = tell(writing, told) => { told?; inward.pop_front(); Ok(None) }
            sent = send(to, waiting) => { outward.pop_front(); Ok((!sent).then_some(Input::Broken)) }
            said = receive(from), if room => Ok(Some(said.map_or(Input::Broken, Input::Said))),
            dialled = poll(dialling) => { *dialling = None; Ok(Some(self.connected(dialled))) }
            () = ring(*alarm) => { *alarm = None; Ok(Some(self.rung())) }
            // Behind whatever waits: a stream that takes nothing has no use for heartbeats.
            () = ring(beat.map(|(at, _)| at)), if outward.is_empty() => {
                outward.push_back(ToCoordinator::Alive);
                *beat = beat.map(|(_, every)| (Instant::now() + every, every));
                Ok(None)
            }
        }
    }

    fn connected(&mut self, dialled: Result<Stream, DialError>) -> Input {
        match dialled {
            Ok(stream) => {
                self.stream = Some(stream);
                Input::Dialled
            }
            Err(error) => {
                tracing::warn!(%error, "the coordinator cannot be reached");
                Input::DialFailed
            }
        }
    }

    /// One alarm serves the wait between tries, the patience for a welcome, and the doubt about a young stream.
    fn rung(&self) -> Input {
        match self.link() {
            Link::Waiting => Input::Woke,
            Link::Open => Input::Lasted,
            Link::Starting | Link::Dialling | Link::Greeting | Link::Stopped => Input::Broken,
        }
    }

    fn take(&mut self, input: Input) {
        if let Input::Privileged(ToSession::Ready { inventory, .. }) = &input {
            let targets = inventory.targets.len();
            tracing::info!(pid = std::process::id(), agent = %inventory.agent, targets, "ready");
        }
        self.spans.hear(&input);
        let broken = matches!(input, Input::Broken);
        let Some(state) = self.state.take() else { return };
        let before = state.link();
        let (state, effects) = step(state, input);
        if broken && state.link() == Link::Waiting {
            self.hang_up();
        }
        if state.link() == Link::Greeting && before != Link::Greeting {
            self.alarm = Some(Instant::now() + GREETING);
        }
        self.state = Some(state);
        for effect in effects {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Dial => self.dialling = Some(self.dial.dial()),
            Effect::Wait => {
                let wait = self.waits.next_wait();
                tracing::info!(milliseconds = wait.as_millis(), "trying again after a wait");
                self.alarm = Some(Instant::now() + wait);
            }
            Effect::Watch => {
                tracing::info!("connected");
                self.alarm = Some(Instant::now() + LASTING);
            }
            Effect::Beat { every_seconds: 0 } => self.beat = None,
            Effect::Beat { every_seconds } => {
                let every = Duration::from_secs(every_seconds.into());
                self.beat = Some((Instant::now() + every, every));
            }
            Effect::Calm => self.waits.reset(),
            Effect::Send(message) => {
                self.spans.say(&message);
                self.outward.push_back(message);
            }
            Effect::Tell(message) => {
                if matches!(message, ToPrivileged::Offer { .. }) {
                    gallra_crash::point("after_offer");
                }
                self.inward.push_back(message);
            }
            Effect::HangUp => self.hang_up(),
            Effect::Ignored(Why::OutOfTurn) => tracing::warn!("the coordinator spoke out of turn: hanging up"),
            Effect::Ignored(Why::NotConnected | Why::Late) => {}
        }
    }

    /// What waits for a stream waits in vain: it belongs to this one.
    fn hang_up(&mut self) {
        self.stream = None;
        self.dialling = None;
        self.beat = None;
        self.outward.clear();
    }
}

async fn tell(writing: &crate::channel::Writing, message: Option<ToPrivileged>) -> Result<(), Closed> {
    match message {
        Some(message) => writing.tell(&message).await,
        None => std::future::pending().await,
    }
}

/// Whether it was taken.
async fn send(to: Option<&mpsc::Sender<ToCoordinator>>, message: Option<ToCoordinator>) -> bool {
    match (to, message) {
        (Some(to), Some(message)) => match to.reserve().await {
            Ok(room) => {
                room.send(message);
                true
            }
            Err(_) => false,
        },
        (Some(_) | None, _) => std::future::pending().await,
    }
}

async fn receive(from: Option<&mut mpsc::Receiver<ToAgent>>) -> Option<ToAgent> {
    match from {
        Some(from) => from.recv().await,
        None => std::future::pending().await,
    }
}

async fn poll(dialling: &mut Option<Dialling>) -> Result<Stream, DialError> {
    match dialling {
        Some(dialling) => dialling.await,
        None => std::future::pending().await,
    }
}

async fn ring(alarm: Option<Instant>) {
    match alarm {
        Some(alarm) => sleep_until(alarm).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
