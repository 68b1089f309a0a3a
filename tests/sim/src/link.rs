//! One stream between an agent and a coordinator: words take time, may come twice, may not come at all in one direction, and what
//! was sent on a stream that is over may still arrive. Owns the way; knows the words only as far as checkers look at them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gallra_coordinator::api::sessions;
use gallra_model::AgentName;
use gallra_model::message::{ToAgent, ToCoordinator};
use gallra_wire::session::{request_of, to_agent};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::chance::Chance;
use crate::check;
use crate::node::{Around, Home, Node};
use crate::store::Port;
use crate::world::{World, lock};

/// How an agent's way to the coordinators is.
#[derive(Default)]
pub struct Way {
    /// Nothing of what the agent says arrives.
    pub up_cut: AtomicBool,
    /// Nothing of what it is told arrives.
    pub down_cut: AtomicBool,
    /// Each word takes up to so many milliseconds.
    pub slow_ms: std::sync::atomic::AtomicU64,
}

/// The agent's end. Dropping it ends the stream.
pub struct Stream {
    /// To the coordinator.
    pub to: mpsc::Sender<ToCoordinator>,
    /// From it; ends when the stream ends.
    pub from: mpsc::Receiver<ToAgent>,
}

/// Who is connected, and how.
pub struct Ends<'a> {
    /// The world.
    pub around: &'a Around,
    /// The coordinator, and where it is.
    pub node: &'a Node,
    /// Where that is.
    pub home: &'a Home,
    /// The agent.
    pub agent: &'a AgentName,
    /// Its number.
    pub number: u64,
    /// Its way.
    pub way: &'a Arc<Way>,
    /// Counts the agent's streams.
    pub stream: u64,
}

struct Pump {
    world: Arc<World>,
    way: Arc<Way>,
    slot: u64,
    chance: Mutex<Chance>,
}

impl Pump {
    async fn carry(&self) -> bool {
        let wait = {
            let most = self.way.slow_ms.load(Ordering::Relaxed).max(20);
            lock(&self.chance).below(most)
        };
        self.world.slot(self.slot, Duration::from_millis(wait)).await;
        lock(&self.chance).once_in(40)
    }
}

/// Connects.
pub fn connect(ends: &Ends<'_>) -> Stream {
    let Ends { around, node, home, agent, number, way, stream } = ends;
    let world = &around.world;
    let pump = |what: &str, base: u64| Pump {
        world: Arc::clone(world),
        way: Arc::clone(way),
        slot: base + home.number * 2 + number,
        chance: Mutex::new(Chance::of(world.seed, &format!("{what}/{agent}/{stream}"))),
    };
    let (to, mut said) = mpsc::channel::<ToCoordinator>(64);
    let (arrives, inbound) = mpsc::channel(16);
    let up = pump("up", 32);
    tokio::spawn(async move {
        while let Some(word) = said.recv().await {
            let twice = up.carry().await;
            // A way that is cut keeps words back: the stream stands still until somebody gives it up.
            while up.way.up_cut.load(Ordering::Relaxed) {
                up.world.slot(up.slot, Duration::from_secs(5)).await;
                if arrives.is_closed() {
                    return;
                }
            }
            let once_only = matches!(
                word,
                ToCoordinator::Hello { .. } | ToCoordinator::Suppression { .. } | ToCoordinator::Journal { .. }
            );
            if !matches!(word, ToCoordinator::Journal { .. }) {
                up.world.stir();
            }
            for _ in 0..=u8::from(twice && !once_only) {
                if arrives.send(Ok(request_of(&word))).await.is_err() {
                    return;
                }
            }
        }
    });
    let (outbox, mut words) = mpsc::channel(64);
    let (tells, from) = mpsc::channel(16);
    let down = pump("down", 40);
    let (memory, name) = (Arc::clone(&around.memory), agent.to_string());
    tokio::spawn(async move {
        while let Some(Ok(word)) = words.recv().await {
            let Ok(word) = to_agent(word) else { return };
            check::told(&down.world, &memory, &name, &word);
            let twice = down.carry().await;
            while down.way.down_cut.load(Ordering::Relaxed) {
                down.world.slot(down.slot, Duration::from_secs(5)).await;
                if tells.is_closed() {
                    return;
                }
            }
            let once_only = matches!(word, ToAgent::Welcome { .. });
            down.world.stir();
            for _ in 0..=u8::from(twice && !once_only) {
                if tells.send(word.clone()).await.is_err() {
                    return;
                }
            }
        }
    });
    let port = Port::new(world, &around.memory, &home.name, &home.reach, 16 + home.number * 2 + number);
    let (core, agent) = (node.core.over(port), (*agent).clone());
    node.spawn(async move {
        sessions::carry(&core, &agent, ReceiverStream::new(inbound), &outbox).await;
    });
    Stream { to, from }
}
