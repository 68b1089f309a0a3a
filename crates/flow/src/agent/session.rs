//! The agent's unprivileged half: one stream to the coordinator, dialled again for as long as it takes. Decides when to
//! dial, what is said first, and what is passed on; refuses to know what the messages mean. Keeps no message: the
//! privileged half repeats what is unacknowledged whenever it is told of a new stream, and the coordinator offers again.
//! Upholds I10 (it holds no queue) and carries the highest generation into every greeting (I3).

use gallra_model::message::{ToAgent, ToCoordinator, ToPrivileged, ToSession};
use gallra_model::target::Inventory;

/// Where the stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// The privileged half has not said what the host has.
    Starting,
    /// Waiting before the next try.
    Waiting,
    /// Connecting.
    Dialling,
    /// Connected; the coordinator has not welcomed us yet.
    Greeting,
    /// In use.
    Open,
    /// Told to end: final.
    Stopped,
}

/// The session's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    link: Link,
    inventory: Option<Inventory>,
    generation: u64,
    credits: u32,
}

impl Session {
    /// A session that waits for its privileged half. `credits`: how many offers the host takes at once.
    pub fn new(credits: u32) -> Self {
        Self { link: Link::Starting, inventory: None, generation: 0, credits }
    }

    /// Where the stream stands.
    pub fn link(&self) -> Link {
        self.link
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The privileged half said something.
    Privileged(ToSession),
    /// The connection stands.
    Dialled,
    /// It could not be made.
    DialFailed,
    /// The coordinator said something.
    Said(ToAgent),
    /// The stream ended, timed out or failed.
    Broken,
    /// The wait is over.
    Woke,
    /// The stream has been in use for a while.
    Lasted,
    /// The process is to end.
    Stop,
}

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Connect.
    Dial,
    /// Wait, longer each time, then say [`Input::Woke`].
    Wait,
    /// The stream is in use: say [`Input::Lasted`] when it has been for some seconds.
    Watch,
    /// Say [`ToCoordinator::Alive`] this often from now on, for as long as the stream lasts; 0: never.
    Beat {
        /// Seconds between two.
        every_seconds: u32,
    },
    /// The stream lasts: the next wait is short again.
    Calm,
    /// Send on the stream.
    Send(ToCoordinator),
    /// Pass to the privileged half.
    Tell(ToPrivileged),
    /// Close the stream.
    HangUp,
    /// Nothing is done; for the log.
    Ignored(Why),
}

/// Why nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// There is no stream: it will be said again when there is one.
    NotConnected,
    /// The coordinator spoke out of turn; the stream is dropped.
    OutOfTurn,
    /// Late news of a stream or wait that is over.
    Late,
}

/// The one transition function.
pub fn step(state: Session, input: Input) -> (Session, Vec<Effect>) {
    if state.link == Link::Stopped {
        return (state, vec![Effect::Ignored(Why::Late)]);
    }
    match input {
        Input::Privileged(ToSession::Ready { inventory, generation }) => ready(state, inventory, generation),
        Input::Privileged(ToSession::Say(message)) => match state.link {
            Link::Open => (state, vec![Effect::Send(message)]),
            Link::Starting | Link::Waiting | Link::Dialling | Link::Greeting | Link::Stopped => {
                (state, vec![Effect::Ignored(Why::NotConnected)])
            }
        },
        Input::Dialled => dialled(state),
        Input::DialFailed => match state.link {
            Link::Dialling => wait(state, vec![]),
            Link::Starting | Link::Waiting | Link::Greeting | Link::Open | Link::Stopped => late(state),
        },
        Input::Said(message) => said(state, message),
        Input::Broken => match state.link {
            Link::Greeting | Link::Open => wait(state, vec![]),
            Link::Starting | Link::Waiting | Link::Dialling | Link::Stopped => late(state),
        },
        Input::Woke => match state.link {
            Link::Waiting => (Session { link: Link::Dialling, ..state }, vec![Effect::Dial]),
            Link::Starting | Link::Dialling | Link::Greeting | Link::Open | Link::Stopped => late(state),
        },
        // A welcome alone proves little: a stream that opens and dies at once would be dialled in a hot loop.
        Input::Lasted => match state.link {
            Link::Open => (state, vec![Effect::Calm]),
            Link::Starting | Link::Waiting | Link::Dialling | Link::Greeting | Link::Stopped => late(state),
        },
        Input::Stop => (Session { link: Link::Stopped, ..state }, vec![Effect::HangUp]),
    }
}

fn ready(state: Session, inventory: Inventory, generation: u64) -> (Session, Vec<Effect>) {
    let generation = state.generation.max(generation);
    let first = state.link == Link::Starting;
    let link = if first { Link::Dialling } else { state.link };
    let effects = if first { vec![Effect::Dial] } else { vec![Effect::Ignored(Why::Late)] };
    (Session { link, inventory: Some(inventory), generation, ..state }, effects)
}

fn dialled(state: Session) -> (Session, Vec<Effect>) {
    match (state.link, &state.inventory) {
        (Link::Dialling, Some(inventory)) => {
            let (inventory, generation, credits) = (inventory.clone(), state.generation, state.credits);
            let hello = ToCoordinator::Hello { inventory, generation, credits };
            (Session { link: Link::Greeting, ..state }, vec![Effect::Send(hello)])
        }
        (Link::Starting | Link::Waiting | Link::Dialling | Link::Greeting | Link::Open | Link::Stopped, _) => {
            late(state)
        }
    }
}

fn said(state: Session, message: ToAgent) -> (Session, Vec<Effect>) {
    let told = match (state.link, message) {
        (Link::Greeting, ToAgent::Welcome { generation, clock, now, heartbeat_seconds }) => {
            let highest = state.generation.max(generation);
            let connected = ToPrivileged::Connected { generation, clock, now };
            let effects =
                vec![Effect::Watch, Effect::Beat { every_seconds: heartbeat_seconds }, Effect::Tell(connected)];
            return (Session { link: Link::Open, generation: highest, ..state }, effects);
        }
        (Link::Open, ToAgent::ClockMoved { now }) => ToPrivileged::ClockMoved { now },
        (Link::Open, ToAgent::Offer { spec, .. }) => ToPrivileged::Offer { spec },
        (Link::Open, ToAgent::Permitted { permit }) => ToPrivileged::Permitted { permit },
        (Link::Open, ToAgent::Denied { job, nonce, reason }) => ToPrivileged::Denied { job, nonce, reason },
        (Link::Open, ToAgent::ReceiptStored { receipt }) => ToPrivileged::ReceiptStored { receipt },
        (Link::Open, ToAgent::RestoreHeard { statement, refused }) => ToPrivileged::RestoreHeard { statement, refused },
        (Link::Open, ToAgent::Order { order }) => ToPrivileged::Order { order },
        (Link::Open, ToAgent::Suppression { line, key }) => ToPrivileged::Suppression { line, key },
        (Link::Open, ToAgent::Withdraw { job }) => ToPrivileged::Withdraw { job },
        (Link::Open, ToAgent::Welcome { .. })
        | (
            Link::Greeting,
            ToAgent::ClockMoved { .. }
            | ToAgent::Offer { .. }
            | ToAgent::Permitted { .. }
            | ToAgent::Denied { .. }
            | ToAgent::ReceiptStored { .. }
            | ToAgent::RestoreHeard { .. }
            | ToAgent::Order { .. }
            | ToAgent::Suppression { .. }
            | ToAgent::Withdraw { .. },
        ) => return wait(state, vec![Effect::Ignored(Why::OutOfTurn), Effect::HangUp]),
        (Link::Starting | Link::Waiting | Link::Dialling | Link::Stopped, _) => return late(state),
    };
    (state, vec![Effect::Tell(told)])
}

fn wait(state: Session, mut effects: Vec<Effect>) -> (Session, Vec<Effect>) {
    effects.push(Effect::Wait);
    (Session { link: Link::Waiting, ..state }, effects)
}

fn late(state: Session) -> (Session, Vec<Effect>) {
    (state, vec![Effect::Ignored(Why::Late)])
}

#[cfg(test)]
mod tests;
