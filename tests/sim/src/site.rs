//! The coordinators and hosts of one world, and how they find each other. Owns which of them runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use gallra_coordinator::core::Core;
use tokio::sync::mpsc;

use crate::disk::Sheet;
use crate::host::{Blows, Dialler, Host};
use crate::link::{Ends, Way, connect};
use crate::node::{Around, Home, Node};
use crate::store::{Memory, Reach};
use crate::template::{AGENTS, folder, template};
use crate::world::{World, lock};

/// One site.
pub struct Site {
    /// World, store, election.
    pub around: Around,
    /// Where coordinators are.
    pub homes: Vec<Home>,
    nodes: Vec<Mutex<Option<Arc<Node>>>>,
    /// Hosts.
    pub hosts: Vec<Arc<Host>>,
    /// What can be done to them.
    pub blows: Blows,
    streams: AtomicU64,
    _folder: tempfile::TempDir,
}

impl Site {
    /// A site with two coordinators and two agents, all running.
    ///
    /// # Errors
    /// The file system's, or why a coordinator does not open.
    pub async fn new(world: &Arc<World>) -> anyhow::Result<Arc<Self>> {
        let (folder, made) = (folder()?, template());
        let memory = Arc::new(Memory::of(made.entries.clone()));
        let around = Around { world: Arc::clone(world), memory, seats: Arc::default() };
        let mut homes = Vec::new();
        for (number, name) in (0..).zip(["one", "two"]) {
            let dir = made.copy(folder.path(), name)?;
            homes.push(Home { name: name.to_owned(), number, dir, reach: Arc::<Reach>::default() });
        }
        let mut nodes = Vec::new();
        for home in &homes {
            nodes.push(Mutex::new(Some(Arc::new(Node::start(&around, home).await?))));
        }
        let permit = nodes.first().and_then(|node| lock(node).clone()).context("a node")?.core.permits.verifying();
        let mut hosts = Vec::new();
        for (number, agent) in (0..).zip(AGENTS) {
            let dir = folder.path().join(agent);
            std::fs::create_dir_all(&dir)?;
            let host = Host {
                world: Arc::clone(world),
                agent: agent.parse()?,
                number,
                permit: permit.clone(),
                dir,
                journal: Sheet::default(),
                lists: (Sheet::default(), Sheet::default()),
                way: Arc::<Way>::default(),
            };
            let mut contents = world.contents();
            contents.truth.journals.insert(agent.to_owned(), host.journal.clone());
            contents.truth.lists.insert(agent.to_owned(), host.lists.0.clone());
            drop(contents);
            hosts.push(Arc::new(host));
        }
        let blows = Blows(Mutex::default());
        let site = Arc::new(Self { around, homes, nodes, hosts, blows, streams: AtomicU64::new(0), _folder: folder });
        for host in &site.hosts {
            let (deals, taken) = mpsc::channel(4);
            lock(&site.blows.0).push(deals);
            tokio::spawn(Arc::clone(host).run(site.dialler(host), taken));
        }
        Ok(site)
    }

    fn dialler(self: &Arc<Self>, host: &Arc<Host>) -> Dialler {
        let (site, host) = (Arc::downgrade(self), Arc::clone(host));
        Box::new(move |drawn| {
            let site = site.upgrade()?;
            let stream = site.streams.fetch_add(1, Ordering::Relaxed);
            let at = usize::try_from(drawn % site.nodes.len() as u64).unwrap_or(0);
            let (home, node) = (site.homes.get(at)?, site.node(at)?);
            site.around.world.tell(host.agent.as_str(), format!("dials {}", home.name));
            let (around, agent, way) = (&site.around, &host.agent, &host.way);
            Some(connect(&Ends { around, node: &node, home, agent, number: host.number, way, stream }))
        })
    }

    /// A coordinator, if it runs.
    pub fn node(&self, at: usize) -> Option<Arc<Node>> {
        self.nodes.get(at).and_then(|node| lock(node).clone())
    }

    /// Kills a coordinator.
    pub fn kill(&self, at: usize) {
        if let Some(node) = self.nodes.get(at).and_then(|node| lock(node).take()) {
            node.kill();
        }
    }

    /// Starts a coordinator that does not run.
    pub async fn start(&self, at: usize) {
        let (Some(home), None) = (self.homes.get(at), self.node(at)) else { return };
        match Node::start(&self.around, home).await {
            Ok(node) => {
                if let Some(place) = self.nodes.get(at) {
                    *lock(place) = Some(Arc::new(node));
                }
            }
            Err(error) => self.around.world.tell(&home.name, format!("does not start: {error:#}")),
        }
    }

    /// The core of some coordinator that runs, for a call.
    pub fn called(&self, drawn: u64) -> Option<Core> {
        let count = self.nodes.len() as u64;
        let at = |offset: u64| usize::try_from((drawn + offset) % count).unwrap_or(0);
        (0..count).find_map(|offset| self.node(at(offset))).map(|node| node.called.clone())
    }

    /// Tells all coordinators that time has passed.
    pub fn time_passed(&self) {
        for node in (0..self.nodes.len()).filter_map(|at| self.node(at)) {
            node.core.fleet.clock_moved();
            node.core.wake.notify_one();
        }
    }
}
