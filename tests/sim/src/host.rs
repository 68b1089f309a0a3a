//! One agent's host: the product's session machine and privileged half over modelled targets and disks. Owns its life: it is
//! started, killed at any effect, restored from an old image and started again. Decides nothing that the agent decides.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gallra_agent::config::Causes;
use gallra_agent::journal::Journal;
use gallra_agent::outbox::Outbox;
use gallra_agent::privileged::{Keys, Memory, Setup, Target};
use gallra_agent::suppression::List;
use gallra_agent::vault::Vault;
use gallra_flow::agent::privileged::Moment;
use gallra_flow::agent::session::{Effect, Input, Link, Session, step};
use gallra_model::message::ToSession;
use gallra_model::target::{Mode, Role, Scope, Strategy, TargetInfo, TargetKind};
use gallra_model::{AgentName, Nonce, ObligationId};
use gallra_proof::key::VerifyingKey;
use gallra_targets::Driver;
use tokio::sync::mpsc;

use crate::chance::Chance;
use crate::disk::Sheet;
use crate::half::{Pace, Played, Turn};
use crate::link::{Stream, Way};
use crate::place::Modelled;
use crate::repo::Listing;
use crate::template::{cause_key, evidence};
use crate::world::{World, lock};

/// What can be done to a host.
#[derive(Debug, Clone)]
pub enum Blow {
    /// It loses power, and comes back after so long.
    Crash(Duration),
    /// It stands still for so long.
    Stall(Duration),
    /// Its connection breaks.
    HangUp,
    /// It is restored from an image of its journal that is older.
    Restore(Vec<u8>),
}

/// A host, whether it runs or not.
pub struct Host {
    /// The world.
    pub world: Arc<World>,
    /// Its agent's name.
    pub agent: AgentName,
    /// Counts from 0.
    pub number: u64,
    /// Checks permits.
    pub permit: VerifyingKey,
    /// A folder of its own.
    pub dir: PathBuf,
    /// The journal.
    pub journal: Sheet,
    /// The suppression list, and when it was complete.
    pub lists: (Sheet, Sheet),
    /// Its way to the coordinators.
    pub way: Arc<Way>,
}

/// The targets of an agent.
pub fn targets_of(agent: &str) -> Vec<TargetInfo> {
    let info = |id: &str, kind, category: &str, (role, scope)| TargetInfo {
        id: id.parse().expect("a label"),
        kind,
        category: category.parse().expect("a word"),
        role,
        scope,
        mode: Mode::Act,
        purges: false,
        strategy: None,
        copy_life: None,
        covers: Vec::new(),
        by_address: false,
    };
    let contract = (Role::Processor, Scope::Contract);
    if agent == "web1" {
        let www = info("www", TargetKind::Files, "customer-data", contract);
        let repo = info("repo", TargetKind::Restic, "backup", contract);
        let covers = vec![www.id.clone()];
        return vec![www, TargetInfo { strategy: Some(Strategy::Observe), covers, ..repo }];
    }
    vec![
        info("mail", TargetKind::Maildir, "customer-data", contract),
        info("books", TargetKind::Sql, "bookkeeping", (Role::Controller, Scope::Customer)),
    ]
}

/// Who connects an agent to a coordinator that runs; none where none does.
pub type Dialler = Box<dyn FnMut(u64) -> Option<Stream> + Send>;

struct Life {
    half: Played,
    state: Option<Session>,
    stream: Option<Stream>,
    alarm: Option<tokio::time::Instant>,
    tries: u32,
}

impl Host {
    fn setup(&self, start: u64, pace: Pace) -> Option<Setup> {
        let world = Arc::clone(&self.world);
        let (journal, records) = Journal::on(Box::new(self.journal.clone()), &self.dir.join("journal")).ok()?;
        let agent = self.agent.as_str();
        let targets = targets_of(agent).into_iter().map(|mut info| {
            let at = (agent.to_owned(), info.id.to_string());
            let driver: Box<dyn Driver> = if info.kind.is_backup() {
                Box::new(Listing::new(&world, at, start))
            } else {
                Box::new(Modelled::new(&world, at, info.kind, (pace.clone(), start)))
            };
            info.copy_life = driver.copy_life();
            Target { info, driver }
        });
        let lists = (Box::new(self.lists.0.clone()), Box::new(self.lists.1.clone()));
        let by = (&self.agent, &self.permit);
        let suppression = List::on(lists.0, lists.1, &self.dir.join("list"), by).ok()?;
        let clock = Arc::clone(&self.world);
        Some(Setup {
            host: gallra_flow::agent::privileged::Host {
                agent: self.agent.clone(),
                software: "sim".to_owned(),
                targets: std::collections::BTreeMap::new(),
                jobs_per_hour: None,
                quiet_hours: Vec::new(),
                accept_simulated: false,
            },
            targets: targets.collect(),
            longest_act: Duration::from_secs(60),
            items_per_second: None,
            keys: Keys {
                evidence: evidence(agent),
                permit: self.permit.clone(),
                causes: Causes { keys: vec![cause_key().verifying().into()] },
            },
            memory: Memory {
                journal,
                records,
                vault: Vault::new(&self.dir),
                suppression,
                outbox: Outbox::open(&self.dir).ok()?,
            },
            clocks: Box::new(move || {
                let ms = clock.ms();
                Ok(Moment {
                    now: clock.at(ms),
                    boot_ms: ms + 5_000_000,
                    nonce: Nonce::from_bytes(gallra_agent::clock::random()?),
                    handle: ObligationId::from_bytes(gallra_agent::clock::random()?),
                })
            }),
        })
    }

    /// Lives until nobody can do anything to it any more.
    pub async fn run(self: Arc<Self>, mut dial: Dialler, mut blows: mpsc::Receiver<Blow>) {
        let mut chance = Chance::of(self.world.seed, &format!("host/{}", self.agent));
        for start in 0_u64.. {
            self.world.slot(10 + self.number, Duration::from_millis(1)).await;
            let blow = self.live(start, (&mut dial, &mut blows), &mut chance).await;
            let Some(blow) = blow else { return };
            let rest = match blow {
                Blow::Crash(rest) => rest,
                Blow::Restore(image) => {
                    self.journal.put_back(image);
                    Duration::from_secs(30)
                }
                Blow::Stall(_) | Blow::HangUp => Duration::from_secs(1),
            };
            for sheet in [&self.journal, &self.lists.0, &self.lists.1] {
                sheet.crash(&mut chance);
            }
            self.world.tell(self.agent.as_str(), "starts again");
            tokio::time::sleep(rest).await;
        }
    }

    /// One life. Returns how it ended; none at the end of the world.
    async fn live(
        self: &Arc<Self>,
        start: u64,
        (dial, blows): (&mut Dialler, &mut mpsc::Receiver<Blow>),
        chance: &mut Chance,
    ) -> Option<Blow> {
        let mut draws = Chance::of(self.world.seed, &format!("random/{}/{start}", self.agent));
        let source: gallra_random::Source = Arc::new(std::sync::Mutex::new(move |bytes: &mut [u8]| draws.fill(bytes)));
        let host = Arc::clone(self);
        let half = Played::start(source, self.world.bug, move |pace| host.setup(start, pace));
        let state = Some(Session::new(8));
        let mut life = Life { half, state, stream: None, alarm: None, tries: 0 };
        let mut idle = 0_u32;
        loop {
            self.world.ms();
            let (turn, said) = life.half.turn();
            let quiet = said.is_empty();
            for line in said {
                if let Ok(word) = serde_json::from_str::<ToSession>(&line) {
                    self.take(&mut life, Input::Privileged(word), dial, chance).await;
                }
            }
            let (listens, wait) = match turn {
                Turn::Ended(how) => {
                    self.world.tell(self.agent.as_str(), format!("its privileged half ended: {how}"));
                    if how.starts_with("panicked") {
                        self.world.violate("I4", format!("an agent panicked: {how}"));
                    }
                    return Some(Blow::Crash(Duration::from_secs(5)));
                }
                Turn::Busy(time) => (false, time),
                Turn::Waits(time) => {
                    idle = if quiet { idle + 1 } else { 0 };
                    // Nothing is open any more: its ticks decide nothing, and are not played.
                    (true, if idle > 12 { Duration::from_secs(86_400) } else { time })
                }
            };
            let resume = tokio::time::Instant::now() + wait;
            loop {
                if listens && life.half.has_word() {
                    idle = 0;
                    break;
                }
                let alarm = life.alarm;
                tokio::select! {
                    biased;
                    blow = blows.recv() => match blow {
                        None => return None,
                        Some(Blow::Stall(time)) => tokio::time::sleep(time).await,
                        Some(Blow::HangUp) => self.take(&mut life, Input::Broken, dial, chance).await,
                        Some(blow) => {
                            life.half.kill();
                            return Some(blow);
                        }
                    },
                    word = hear(&mut life.stream) => {
                        let input = word.map_or(Input::Broken, Input::Said);
                        self.take(&mut life, input, dial, chance).await;
                    }
                    () = ring(alarm) => {
                        life.alarm = None;
                        let input = match life.state.as_ref().map(Session::link) {
                            Some(Link::Waiting) => Input::Woke,
                            Some(Link::Open) => Input::Lasted,
                            _ => Input::Broken,
                        };
                        self.take(&mut life, input, dial, chance).await;
                    }
                    () = tokio::time::sleep_until(resume) => break,
                }
            }
            self.world.slot(10 + self.number, Duration::ZERO).await;
        }
    }

    async fn take(&self, life: &mut Life, input: Input, dial: &mut Dialler, chance: &mut Chance) {
        let mut inputs = std::collections::VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let broken = matches!(input, Input::Broken);
            let Some(state) = life.state.take() else { return };
            let before = state.link();
            let (state, effects) = step(state, input);
            if broken && state.link() == Link::Waiting {
                life.stream = None;
            }
            if state.link() == Link::Greeting && before != Link::Greeting {
                life.alarm = Some(tokio::time::Instant::now() + Duration::from_secs(30));
            }
            self.world.count(format!("session {before:?} -> {:?}", state.link()));
            life.state = Some(state);
            for effect in effects {
                match effect {
                    Effect::Dial => {
                        life.stream = dial(chance.draw());
                        inputs.push_back(if life.stream.is_some() { Input::Dialled } else { Input::DialFailed });
                    }
                    Effect::Wait => {
                        let wait = Duration::from_millis(200 << life.tries.min(7));
                        life.tries += 1;
                        life.alarm = Some(tokio::time::Instant::now() + wait);
                    }
                    Effect::Watch => life.alarm = Some(tokio::time::Instant::now() + Duration::from_secs(5)),
                    Effect::Calm => life.tries = 0,
                    Effect::Send(word) => {
                        let sent = match &life.stream {
                            // One that takes no more is given up, as a silent connection is.
                            Some(stream) => stream.to.try_send(word).is_ok(),
                            None => true,
                        };
                        if !sent {
                            inputs.push_back(Input::Broken);
                        }
                    }
                    Effect::Tell(word) => life.half.tell(serde_json::to_string(&word).unwrap_or_default()),
                    Effect::HangUp => life.stream = None,
                    // Silence between words is not modelled: a link says when it broke.
                    Effect::Beat { .. } | Effect::Ignored(_) => {}
                }
            }
        }
    }
}

async fn hear(stream: &mut Option<Stream>) -> Option<gallra_model::message::ToAgent> {
    match stream {
        Some(stream) => stream.from.recv().await,
        None => std::future::pending().await,
    }
}

async fn ring(alarm: Option<tokio::time::Instant>) {
    match alarm {
        Some(alarm) => tokio::time::sleep_until(alarm).await,
        None => std::future::pending().await,
    }
}

/// Keeps a world's hosts' blows.
pub struct Blows(pub std::sync::Mutex<Vec<mpsc::Sender<Blow>>>);

impl Blows {
    /// Deals one.
    pub fn deal(&self, host: usize, blow: Blow) {
        if let Some(sender) = lock(&self.0).get(host) {
            let _ = sender.try_send(blow);
        }
    }
}
