//! One provider with a coordinator and an agent as real processes in a folder. Owns starting, stopping (by process id) and
//! moving the simulated clock; the demonstration and the outer ring of tests both stand on it.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use gallra_model::selector::ExternalId;
use gallra_model::{Clock, Instant};
use gallra_proof::key::SigningKey;
use gallra_wire::v1;
use gallra_wire::v1::agent_registry_service_client::AgentRegistryServiceClient;
use gallra_wire::v1::clock_service_client::ClockServiceClient;
use gallra_wire::v1::key_service_client::KeyServiceClient;
use rustix::process::{Pid, Signal, kill_process};
use tonic::transport::Channel;

use super::host;
use super::provider::Provider;
use super::routine::Routine;
use crate::cause::{self, Whom};
use crate::client;

/// Longest wait for a process to answer or to end.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a state is looked at while it is waited for.
const LOOK: Duration = Duration::from_millis(20);

const WEBONE: &str = include_str!("../../../../policies/webone.toml");
const LAW_SE: &str = include_str!("../../../../policies/law-se.toml");

/// What may differ between one site and another.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder of the site; made if missing.
    pub dir: PathBuf,
    /// Folder of the programs.
    pub programs: PathBuf,
    /// The clock's first instant.
    pub start: Instant,
    /// The repository's keep rule, as agent.toml writes it.
    pub keep: String,
    /// The same as arguments of `restic forget`; empty stops the pruning.
    pub keep_arguments: Vec<String>,
    /// Whether the routine makes a group of snapshots per customer.
    pub own_group: bool,
    /// Mode of each target: `act` unless named here.
    pub observe: Vec<String>,
    /// Whether there is a backup target at all.
    pub backups: bool,
    /// Further sections of agent.toml, with `@dir@` for the site's folder.
    pub more: String,
    /// Targets left out of agent.toml.
    pub without: Vec<String>,
    /// Cause keys that the host trusts, as public keys in hex; unset: the site's own.
    pub trusts: Option<Vec<String>>,
    /// What the host's admin allows an act to erase in a second; unset: no limit.
    pub items_per_second: Option<u32>,
    /// Seconds that the host's admin allows an act to last under one permit; unset: as shipped.
    pub longest_act_seconds: Option<u32>,
    /// Further arguments of `gallra-coordinator init`.
    pub init: Vec<String>,
    /// Further lines of `[log]` in coordinator.toml.
    pub log: String,
    /// Further sections of coordinator.toml.
    pub coordinator: String,
    /// `[etcd]` of coordinator.toml, with its header: the store is moved there before anything is served. Empty: it stays in a file.
    pub etcd: String,
    /// Tests of crashes: the program that kills itself once, and the point at which it does (`gallra-crash`).
    pub crash: Option<(&'static str, String)>,
}

impl Options {
    /// The demonstration's options.
    ///
    /// # Errors
    /// When the running program's own folder is not to be found.
    pub fn new(dir: &Path, programs: &Path, start: Instant) -> Self {
        Self {
            dir: dir.to_owned(),
            programs: programs.to_owned(),
            start,
            keep: "{ within = \"5m\" }".to_owned(),
            keep_arguments: vec!["--keep-within".to_owned(), "5m".to_owned()],
            own_group: false,
            observe: Vec::new(),
            backups: true,
            more: String::new(),
            without: Vec::new(),
            trusts: None,
            items_per_second: None,
            longest_act_seconds: None,
            init: Vec::new(),
            log: String::new(),
            coordinator: String::new(),
            etcd: String::new(),
            crash: None,
        }
    }
}

/// The folder that holds `gallra`, `gallra-coordinator` and `gallra-agent`: the running program's, or the one above it for
/// a test.
///
/// # Errors
/// When it is nowhere near.
pub fn programs() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let near = own.ancestors().skip(1).take(2);
    near.map(Path::to_owned)
        .find(|dir| dir.join("gallra-coordinator").is_file() && dir.join("gallra-agent").is_file())
        .context(
            "gallra-coordinator and gallra-agent are not beside this program: build them with `cargo build --bins`",
        )
}

/// A running site.
pub struct Site {
    /// What it was made with.
    pub options: Options,
    /// The provider's data.
    pub provider: Provider,
    /// The provider's backups.
    pub routine: Routine,
    /// Signs what is to be erased. Not the coordinator's: it lies where contracts are ended.
    pub cause_key: SigningKey,
    coordinator: Option<Child>,
    /// Another one on the same store, where there is one.
    second: Option<Child>,
    agent: Option<Child>,
    channel: Option<Channel>,
    now: Instant,
}

impl Site {
    /// Makes a site: provider, repository, coordinator and agent, both running and connected.
    ///
    /// # Errors
    /// What did not start, and its log.
    pub async fn create(options: Options, groups: Vec<Vec<PathBuf>>) -> anyhow::Result<Self> {
        let dir = options.dir.clone();
        for part in ["logs", "policy"] {
            fs::create_dir_all(dir.join(part))?;
        }
        fs::write(dir.join("policy/webone.toml"), WEBONE)?;
        fs::write(dir.join("policy/law-se.toml"), LAW_SE)?;
        let provider = Provider::create(&dir.join("srv"))?;
        let routine = Routine {
            repository: dir.join("backup/repo"),
            password: dir.join("backup/password"),
            groups,
            keep: options.keep_arguments.clone(),
        };
        if options.backups {
            fs::create_dir_all(dir.join("backup"))?;
            routine.create()?;
        }
        let cause_key = cause::create_key(&dir.join("cause.key")).map_err(|failure| anyhow::anyhow!(failure.text))?;
        let (coordinator, second, agent, channel, now) = (None, None, None, None, options.start);
        let mut site = Self { options, provider, routine, cause_key, coordinator, second, agent, channel, now };
        site.init_coordinator()?;
        site.move_to_etcd()?;
        site.start_coordinator().await?;
        site.register_cause_key().await?;
        site.join_agent().await?;
        site.start_agent().await?;
        Ok(site)
    }

    /// A folder or file of the site.
    pub fn path(&self, name: &str) -> PathBuf {
        self.options.dir.join(name)
    }

    /// The operator's profile.
    pub fn profile(&self) -> PathBuf {
        self.path("coordinator/operator")
    }

    /// The approver's profile.
    pub fn approver(&self) -> PathBuf {
        self.path("coordinator/approver")
    }

    /// Signs, now and with the site's own cause key, that these are to be erased.
    ///
    /// # Errors
    /// When an id is none.
    pub fn cause(&self, service: Option<&str>, customer: Option<&str>) -> anyhow::Result<v1::SignedCause> {
        let id = |text: Option<&str>| text.map(str::parse::<ExternalId>).transpose();
        let whom = Whom { service: id(service)?, customer: id(customer)?, ended: None };
        let signed = cause::sign(&self.cause_key, &whom, (Clock::Simulated, self.now));
        signed.map_err(|failure| anyhow::anyhow!(failure.text))
    }

    async fn register_cause_key(&self) -> anyhow::Result<()> {
        let approver =
            client::connect(Some(&self.approver())).await.map_err(|failure| anyhow::anyhow!(failure.text))?;
        let public_key = self.cause_key.verifying().to_hex();
        KeyServiceClient::new(approver).register_cause_key(v1::RegisterCauseKeyRequest { public_key }).await?;
        Ok(())
    }

    /// The simulated time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The connection to the coordinator.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn channel(&self) -> anyhow::Result<Channel> {
        self.channel.clone().context("the coordinator is stopped")
    }

    /// The processes' ids: coordinator, agent.
    pub fn pids(&self) -> (Option<u32>, Option<u32>) {
        (self.coordinator.as_ref().map(Child::id), self.agent.as_ref().map(Child::id))
    }

    fn program(&self, name: &str, log: &str) -> anyhow::Result<Command> {
        let log = File::options().create(true).append(true).open(self.path("logs").join(log))?;
        let mut command = Command::new(self.options.programs.join(name));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).env("RUST_LOG", "info");
        if let Some((_, point)) = self.options.crash.as_ref().filter(|(program, _)| *program == name) {
            command.env("GALLRA_CRASH_AT", point);
        }
        Ok(command)
    }

    fn init_coordinator(&self) -> anyhow::Result<()> {
        let (listen, enrol) = (odd_port()?, odd_port()?);
        let status = self
            .program("gallra-coordinator", "coordinator.log")?
            .args(["init", "--installation", "demo", "--operator", "demo-operator"])
            .args(["--approver", "demo-approver"])
            .args(["--listen", &format!("127.0.0.1:{listen}"), "--enrol-listen", &format!("127.0.0.1:{enrol}")])
            .arg("--dir")
            .arg(self.path("coordinator"))
            .arg("--policy")
            .arg(self.path("policy/webone.toml"))
            .args(&self.options.init)
            .status()?;
        ensure!(status.success(), "gallra-coordinator init failed: see logs/coordinator.log");
        let config = self.path("coordinator/coordinator.toml");
        let text = fs::read_to_string(&config)?.replace("[log]\n", &format!("[log]\n{}", self.options.log));
        Ok(fs::write(config, format!("{text}\n{}", self.options.coordinator))?)
    }

    fn move_to_etcd(&self) -> anyhow::Result<()> {
        if self.options.etcd.is_empty() {
            return Ok(());
        }
        let config = self.path("coordinator/coordinator.toml");
        let text = fs::read_to_string(&config)?;
        fs::write(&config, format!("{text}\n{}", self.options.etcd))?;
        let status = self
            .program("gallra-coordinator", "coordinator.log")?
            .args(["store", "copy", "--to", "etcd", "--dir"])
            .arg(self.path("coordinator"))
            .status()?;
        ensure!(status.success(), "gallra-coordinator store copy failed: see logs/coordinator.log");
        Ok(())
    }

    /// Makes another coordinator on the same etcd and starts it; agents that join or start from here on know of both.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn start_second(&mut self) -> anyhow::Result<()> {
        let (listen, enrol) = (format!("127.0.0.1:{}", odd_port()?), format!("127.0.0.1:{}", odd_port()?));
        let status = self
            .program("gallra-coordinator", "second.log")?
            .args(["replicate", "--listen", &listen, "--enrol-listen", &enrol, "--dir"])
            .arg(self.path("coordinator"))
            .arg("--to")
            .arg(self.path("second"))
            .status()?;
        ensure!(status.success(), "gallra-coordinator replicate failed: see logs/second.log");
        let profile = self.path("second-operator");
        fs::create_dir_all(&profile)?;
        for file in ["client.pem", "client.key", "authority.pem"] {
            fs::copy(self.profile().join(file), profile.join(file))?;
        }
        fs::write(profile.join("client.toml"), format!("address = \"https://{listen}\"\n"))?;
        let first = fs::read_to_string(self.profile().join("client.toml"))?;
        self.options.more.push_str(&format!("\n[coordinator]\n{first}others = [\"https://{listen}\"]\n"));
        let child = self
            .program("gallra-coordinator", "second.log")?
            .args(["serve", "--demonstration-clock", &self.now.to_string(), "--dir"])
            .arg(self.path("second"))
            .spawn()?;
        self.second = Some(child);
        wait_for("the second coordinator to answer", async || client::connect(Some(&profile)).await.ok()).await?;
        Ok(())
    }

    /// From here on the second coordinator is the one that is spoken to, and the clock that is moved is its own.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn turn_to_second(&mut self) -> anyhow::Result<()> {
        let profile = self.path("second-operator");
        let channel = client::connect(Some(&profile)).await.map_err(|failure| anyhow::anyhow!(failure.text))?;
        self.channel = Some(channel);
        Ok(())
    }

    /// Ends the coordinator at once, as a crash would: SIGKILL to its id.
    ///
    /// # Errors
    /// The system's.
    pub fn kill_coordinator(&mut self) -> anyhow::Result<()> {
        self.channel = None;
        let mut child = self.coordinator.take().context("the coordinator is stopped")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Starts the coordinator and waits until it answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn start_coordinator(&mut self) -> anyhow::Result<()> {
        let child = self
            .program("gallra-coordinator", "coordinator.log")?
            .arg("serve")
            .arg("--dir")
            .arg(self.path("coordinator"))
            .args(["--demonstration-clock", &self.now.to_string()])
            .spawn()?;
        self.coordinator = Some(child);
        let profile = self.profile();
        let channel =
            wait_for("the coordinator to answer", async || client::connect(Some(&profile)).await.ok()).await?;
        self.channel = Some(channel);
        Ok(())
    }

    async fn join_agent(&self) -> anyhow::Result<()> {
        let mut registry = AgentRegistryServiceClient::new(self.channel()?);
        let request = v1::InviteAgentRequest { name: "web1".to_owned(), valid_seconds: 600 };
        let token = registry.invite_agent(request).await?.into_inner().token;
        let status = self
            .program("gallra-agent", "agent.log")?
            .arg("join")
            .arg("--dir")
            .arg(self.path("agent"))
            .env("GALLRA_JOIN_TOKEN", token)
            .status()?;
        ensure!(status.success(), "gallra-agent join failed: see logs/agent.log");
        Ok(())
    }

    /// Starts the agent and waits until its stream is open.
    ///
    /// # Errors
    /// When it does not connect.
    pub async fn start_agent(&mut self) -> anyhow::Result<()> {
        self.spawn_agent()?;
        self.wait_connected().await
    }

    /// Starts the agent, whether it is let in or not.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn spawn_agent(&mut self) -> anyhow::Result<()> {
        fs::write(self.path("agent.toml"), host::agent_toml(&self.options, &self.cause_key.verifying().to_hex()))?;
        let child = self
            .program("gallra-agent", "agent.log")?
            .args(["serve", "--accept-simulated-clock"])
            .arg("--dir")
            .arg(self.path("agent"))
            .arg("--config")
            .arg(self.path("agent.toml"))
            .spawn()?;
        self.agent = Some(child);
        Ok(())
    }

    /// Waits until the agent's stream is open.
    ///
    /// # Errors
    /// When it does not open in time.
    pub async fn wait_connected(&self) -> anyhow::Result<()> {
        let channel = self.channel()?;
        wait_for("the agent to connect", async || {
            let mut registry = AgentRegistryServiceClient::new(channel.clone());
            let agent = registry.get_agent(v1::GetAgentRequest { name: "web1".to_owned() }).await.ok()?.into_inner();
            (agent.connected && agent.targets > 0).then_some(())
        })
        .await
    }

    /// Stops the coordinator: SIGTERM to its id.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn stop_coordinator(&mut self) -> anyhow::Result<()> {
        self.channel = None;
        stop(self.coordinator.take()).await
    }

    /// Stops the agent: SIGTERM to its id.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn stop_agent(&mut self) -> anyhow::Result<()> {
        stop(self.agent.take()).await
    }

    /// Time goes on while the coordinator is down: it starts again at this instant.
    pub fn time_passes(&mut self, to: Instant) {
        self.now = self.now.max(to);
    }

    /// Which programs have ended by themselves since they were started, and how. They count as stopped from here on.
    ///
    /// # Errors
    /// The system's.
    pub fn ended(&mut self) -> anyhow::Result<Vec<(&'static str, ExitStatus)>> {
        let mut ended = Vec::new();
        for (name, child) in [("gallra-coordinator", &mut self.coordinator), ("gallra-agent", &mut self.agent)] {
            if let Some(status) = child.as_mut().map(Child::try_wait).transpose()?.flatten() {
                *child = None;
                ended.push((name, status));
            }
        }
        Ok(ended)
    }

    /// Moves the clock, and waits until everything that is due and can be done is done.
    ///
    /// # Errors
    /// When work is left after a minute.
    pub async fn advance(&mut self, to: Instant) -> anyhow::Result<()> {
        let mut clock = ClockServiceClient::new(self.channel()?);
        let request = v1::AdvanceClockRequest { to: to.to_string(), wait_seconds: 60 };
        clock.advance_clock(request).await.with_context(|| format!("the clock at {to}"))?;
        self.now = to;
        Ok(())
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for child in [&mut self.agent, &mut self.coordinator, &mut self.second].into_iter().flatten() {
            // By its own handle, so by its id; nothing else is ever signalled.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

async fn stop(child: Option<Child>) -> anyhow::Result<()> {
    let Some(mut child) = child else { return Ok(()) };
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("a process without an id")?;
    kill_process(pid, Signal::TERM)?;
    let ended = wait_for("a process to end", async || child.try_wait().ok().flatten()).await;
    if ended.is_err() {
        child.kill()?;
        child.wait()?;
        bail!("process {} did not end when told to", child.id());
    }
    Ok(())
}

/// Looks at a state until it holds, with a bound.
///
/// # Errors
/// When it does not hold in time.
pub async fn wait_for<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> anyhow::Result<T> {
    let mut again = tokio::time::interval(LOOK);
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            again.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    });
    waited.await.with_context(|| format!("waited {} s for {what}", PATIENCE.as_secs()))
}

/// A free odd port on loopback.
fn odd_port() -> anyhow::Result<u16> {
    for _ in 0..200 {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        if port % 2 == 1 {
            return Ok(port);
        }
    }
    bail!("no free odd port on loopback")
}
