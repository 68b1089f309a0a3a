//! One coordinator among those of a world: the product's core over a way to the store of its own, with the loops that `serve` runs,
//! as tasks that die with it. Owns starting and killing it, and the election, which the world decides.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use gallra_coordinator::clock::Time;
use gallra_coordinator::core::Core;
use gallra_coordinator::layout::{Layout, LogConfig};
use gallra_coordinator::opening::{Engine, open_over};
use gallra_coordinator::replica;
use gallra_coordinator::stamping::Stamping;
use gallra_flow::clock::Reading;
use gallra_model::Instant;
use gallra_store::election::{Ended, Fence, Keeper};
use gallra_store::epochs::{Effects, TurnError};
use gallra_store::keyring::Epoch;
use gallra_store::{Cluster, Election, Keyring, Store, StoreError, Term, Txn, keys};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::store::{Entries, Memory, Port, Reach};
use crate::world::{World, lock};

/// Who leads, by the world's own word; and backups that turnings made, by epoch.
#[derive(Default)]
pub struct Seats {
    /// The node that the newest term was given to, while nobody took it away.
    pub lead: Mutex<Option<String>>,
    /// Copies of the store, with the epoch that they are readable under.
    pub backups: Mutex<Vec<(Epoch, u64, Entries)>>,
}

struct Seat {
    world: Arc<World>,
    memory: Arc<Memory>,
    seats: Arc<Seats>,
    name: String,
    reach: Arc<Reach>,
    slot: u64,
    port: Arc<Port>,
}

impl Seat {
    fn is_able(&self) -> bool {
        !self.reach.cut.load(Ordering::Relaxed) && self.reach.stalled_until.load(Ordering::Relaxed) <= self.world.ms()
    }
}

#[async_trait]
impl Election for Seat {
    async fn campaign(&self, who: &str) -> Result<Term, StoreError> {
        loop {
            self.world.slot(self.slot, Duration::from_millis(500)).await;
            let mut lead = lock(&self.seats.lead);
            if lead.is_none() && self.is_able() {
                let revision = self.memory.commit_now(&Txn::new().put(keys::meta_leader(), who))?;
                *lead = Some(self.name.clone());
                self.world.contents().truth.leader = Some(self.name.clone());
                self.world.tell(&self.name, "leads");
                self.world.count("lead taken");
                let (term, keeper) = Term::kept(Fence { key: keys::meta_leader(), revision }, u64::MAX);
                let (seats, name) = (Arc::clone(&self.seats), self.name.clone());
                tokio::spawn(keep(keeper, seats, name));
                return Ok(term);
            }
        }
    }
}

/// Until the term's holder gives it back, or is gone, and the store finds out some seconds later.
async fn keep(keeper: Keeper, seats: Arc<Seats>, name: String) {
    keeper.asked_to_resign().await;
    keeper.end(Ended::Resigned);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mut lead = lock(&seats.lead);
    if lead.as_ref() == Some(&name) {
        *lead = None;
    }
}

#[async_trait]
impl Cluster for Seat {
    fn id(&self) -> &str {
        &self.name
    }

    async fn show(&self, _: &[u8]) -> Result<(), StoreError> {
        // Once is enough: nothing here asks for how long.
        if self.memory.value(keys::replica_alive(&self.name).as_str()).is_none() {
            self.memory.commit_now(&Txn::new().put(keys::replica_alive(&self.name), b"{}".to_vec()))?;
        }
        tokio::time::sleep(Duration::from_secs(600)).await;
        Ok(())
    }

    async fn moment(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(Arc::clone(&self.port) as Arc<dyn Store>)
    }

    async fn forget_history(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// What turning an epoch does beside transactions: copies are kept in the world, where checkers look at them.
struct Copies {
    world: Arc<World>,
    memory: Arc<Memory>,
    seats: Arc<Seats>,
}

#[async_trait]
impl Effects for Copies {
    async fn back_up(&self, _: &Keyring, epoch: Epoch, _: Instant) -> Result<(), TurnError> {
        lock(&self.seats.backups).push((epoch, self.world.ms(), self.memory.image()));
        Ok(())
    }

    async fn remove_backups_before(&self, epoch: Epoch) -> Result<(), TurnError> {
        lock(&self.seats.backups).retain(|(of, ..)| *of >= epoch);
        self.world.count("epoch turned");
        Ok(())
    }

    async fn rewrite(&self) -> Result<(), TurnError> {
        Ok(())
    }
}

/// Where a node is, whether it runs or not.
pub struct Home {
    /// Its name.
    pub name: String,
    /// Counts from 0.
    pub number: u64,
    /// Its directory.
    pub dir: PathBuf,
    /// How it reaches the store.
    pub reach: Arc<Reach>,
}

/// What is shared by all nodes of a world.
#[derive(Clone)]
pub struct Around {
    /// The world.
    pub world: Arc<World>,
    /// The store.
    pub memory: Arc<Memory>,
    /// The election.
    pub seats: Arc<Seats>,
}

/// A running coordinator.
pub struct Node {
    /// Its core.
    pub core: Arc<Core>,
    /// A way to the store for those who call.
    pub called: Core,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    _stop: watch::Sender<bool>,
}

impl Node {
    /// Starts one.
    ///
    /// # Errors
    /// Why it does not open.
    pub async fn start(around: &Around, home: &Home) -> anyhow::Result<Self> {
        let Around { world, memory, seats } = around;
        let slot = 1 + home.number;
        let port = Port::new(world, memory, &home.name, &home.reach, slot);
        let seat = Arc::new(Seat {
            world: Arc::clone(world),
            memory: Arc::clone(memory),
            seats: Arc::clone(seats),
            name: home.name.clone(),
            reach: Arc::clone(&home.reach),
            slot,
            port: Arc::clone(&port),
        });
        let effects = Copies { world: Arc::clone(world), memory: Arc::clone(memory), seats: Arc::clone(seats) };
        let engine =
            Engine { store: port, effects: Arc::new(effects), cluster: Some(Arc::clone(&seat) as Arc<dyn Cluster>) };
        let mark = memory.value(keys::meta_clock().as_str());
        let mark: Option<Instant> = mark.and_then(|value| serde_json::from_slice(&value).ok());
        let mut core = open_over(&Layout::new(&home.dir), None, engine).await?;
        let reads = Arc::clone(world);
        let read = move || {
            let boot_ms = reads.ms();
            Reading { now: reads.at(boot_ms), boot_ms: boot_ms + 1_000_000 }
        };
        core.time = Arc::new(Time::played(Arc::new(read), mark));
        core.brake_ends_per_day = u32::MAX;
        let core = Arc::new(core);
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn({
            let core = Arc::clone(&core);
            let stamping = Stamping::new(&LogConfig::default())?;
            async move { replica::run(&core, seat, &stamping, stopped).await }
        });
        let called = core.over(Port::new(world, memory, &home.name, &home.reach, 5 + home.number));
        Ok(Self { core, called, tasks: Mutex::new(vec![task]), _stop: stop })
    }

    /// A task that dies with it.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = lock(&self.tasks);
        tasks.retain(|task| !task.is_finished());
        tasks.push(tokio::spawn(task));
    }

    /// Kills it, whatever it is doing.
    pub fn kill(&self) {
        lock(&self.tasks).drain(..).for_each(|task| task.abort());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}
