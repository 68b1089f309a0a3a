//! `gallra-agent serve`, `session` and `check`: opens everything, starts the network half as a process of its own, and ends
//! both in order. The network half is handed its address and mTLS key, and sees nothing else of this host.

use std::net::Shutdown;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use gallra_flow::agent::privileged::Host;
use gallra_model::AgentName;
use gallra_model::target::TargetInfo;
use gallra_proof::key::{SigningKey, VerifyingKey};
use gallra_telemetry::{Collector, Telemetry};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{self, Config};
use crate::dir::{Dir, DirError, Joined};
use crate::journal::Journal;
use crate::outbox::Outbox;
use crate::pipe::{self, Begin, Spans};
use crate::privileged::{Half, Keys, Memory, Setup, Target};
use crate::session::{self, Addresses, Tls};
use crate::suppression::List;
use crate::vault::Vault;
use crate::{channel, child, clock};

/// Program and version, as receipts name it.
pub const SOFTWARE: &str = concat!("gallra-agent ", env!("CARGO_PKG_VERSION"));

/// Serves until a signal ends it or something fails. This process is the privileged half; the network half is its child.
///
/// # Errors
/// What kept it from starting, or ended it.
pub fn serve(dir: &Dir, config: &Path, accept_simulated: bool) -> anyhow::Result<()> {
    let _held = dir.lock()?;
    let joined = dir.read_joined()?;
    let config = config::read(config)?;
    let begin = begin(dir, &joined, &config)?;
    let identity = child::identity(config.session.user.as_deref())?;
    let setup = setup(dir, &joined, &config, accept_simulated)?;
    let (privileged_end, lines) = channel::privileged_over_pipe()?;
    let (session, stream) = child::start(identity)?;
    pipe::carry_privileged(&stream, &begin, lines).context("the network half ended at once: see the log")?;
    drop(begin);
    let told = hang_up_when_told(&stream)?;
    let ended = Half::new(setup, privileged_end).run();
    // An act under way stopped at its next item, and its receipt is in the journal.
    let _ = stream.shutdown(Shutdown::Both);
    let how = session.end();
    match ended {
        Ok(()) if told.load(Ordering::SeqCst) => Ok(()),
        Ok(()) => anyhow::bail!("the network half ended by itself ({how}): start the agent again"),
        Err(error) => Err(error).context("the privileged half ended"),
    }
}

/// `gallra-agent session`: the network half, on the socket that is its standard input.
///
/// # Errors
/// What kept it from starting, or ended it.
pub fn session() -> anyhow::Result<()> {
    child::confine()?;
    let stream = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned().context("no pipe on standard input")?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // A terminal's Ctrl-C reaches both processes; the privileged half decides when this one ends.
        let (_term, _int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (end, lines) = channel::session_over_pipe();
        let carried = pipe::carry_session(stream, lines).await;
        let collector = carried.as_ref().ok().and_then(|begin| begin.collector.as_ref());
        let telemetry = outlets(collector)?;
        let begin = carried.context("the pipe to the privileged half")?;
        let tls = Tls { authority: begin.authority, identity: Some((begin.certificate, begin.key)) };
        let dial = Addresses::new(&begin.addresses, &tls)?;
        // The privileged half's end is how this half is told to end.
        let _ = session::run(end, Box::new(dial), std::future::pending()).await;
        telemetry.end().await;
        anyhow::Ok(())
    })
}

/// Log lines, and spans where there is a collector: the session's alone, since the other half is on no network.
fn outlets(spans: Option<&Spans>) -> anyhow::Result<Telemetry> {
    let Some(Spans { endpoint, authority }) = spans else {
        gallra_telemetry::to_stderr()?;
        return Ok(Telemetry::none());
    };
    let collector = Collector { endpoint: endpoint.clone(), authority: authority.clone() };
    Ok(gallra_telemetry::with_collector("gallra-agent", env!("CARGO_PKG_VERSION"), &collector)?)
}

fn collector(config: &Config) -> anyhow::Result<Option<Spans>> {
    let read = |path: &std::path::PathBuf| std::fs::read_to_string(path).map_err(DirError::at("reading", path));
    let authority = config.telemetry.authority.as_ref().map(read).transpose()?;
    let collector = Collector::configured(config.telemetry.otlp.clone(), authority);
    Ok(collector.map(|Collector { endpoint, authority }| Spans { endpoint, authority }))
}

/// On SIGTERM or SIGINT the pipe is closed, which both halves see.
fn hang_up_when_told(stream: &UnixStream) -> anyhow::Result<Arc<AtomicBool>> {
    let told = Arc::new(AtomicBool::new(false));
    let (telling, stream) = (Arc::clone(&told), stream.try_clone()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let guard = runtime.enter();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    drop(guard);
    let wait = move || {
        runtime.block_on(async {
            tokio::select! {
                _ = terminate.recv() => tracing::info!("SIGTERM: ending"),
                _ = interrupt.recv() => tracing::info!("SIGINT: ending"),
            }
        });
        telling.store(true, Ordering::SeqCst);
        let _ = stream.shutdown(Shutdown::Both);
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait).context("a thread for signals")?;
    Ok(told)
}

fn begin(dir: &Dir, joined: &Joined, config: &Config) -> anyhow::Result<Begin> {
    let read = |path: std::path::PathBuf| std::fs::read_to_string(&path).map_err(DirError::at("reading", &path));
    let mut addresses = config.coordinator.addresses();
    if addresses.is_empty() {
        addresses.push(joined.session_address.clone());
        addresses.extend(joined.other_session_addresses.iter().cloned());
    }
    Ok(Begin {
        addresses,
        authority: read(dir.authority())?,
        certificate: read(dir.session_certificate())?,
        key: read(dir.session_key())?,
        collector: collector(config)?,
    })
}

/// The keys of the privileged half.
pub(crate) fn keys(dir: &Dir, joined: &Joined, config: &Config) -> anyhow::Result<Keys> {
    let path = dir.evidence_key();
    let evidence = std::fs::read_to_string(&path).map_err(DirError::at("reading", &path))?;
    Ok(Keys {
        evidence: SigningKey::from_pem(&evidence).context("the evidence key")?,
        permit: VerifyingKey::from_hex(&joined.permit_key).context("the permit key in agent.json")?,
        causes: config.causes.clone(),
    })
}

fn setup(dir: &Dir, joined: &Joined, config: &Config, accept_simulated: bool) -> anyhow::Result<Setup> {
    let keys = keys(dir, joined, config)?;
    let targets = open_targets(config)?;
    let (journal, records) = Journal::open(&dir.privileged().join("journal"))?;
    let suppression = List::open(&dir.privileged(), &joined.agent, &keys.permit)?;
    let outbox = Outbox::open(&dir.privileged())?;
    let memory = Memory { journal, records, vault: Vault::new(&dir.privileged()), suppression, outbox };
    let host = host(joined.agent.clone(), config, accept_simulated);
    let longest_act = Duration::from_secs(config.limits.longest_act_seconds.into());
    let items_per_second = config.limits.items_per_second;
    Ok(Setup { host, targets, longest_act, items_per_second, keys, memory, clocks: Box::new(clock::moment) })
}

fn host(agent: AgentName, config: &Config, accept_simulated: bool) -> Host {
    let software = SOFTWARE.to_owned();
    let jobs_per_hour = config.limits.jobs_per_hour;
    let quiet_hours = config.limits.quiet_hours.clone();
    Host { agent, software, targets: std::collections::BTreeMap::new(), jobs_per_hour, quiet_hours, accept_simulated }
}

/// Opens every target, in the order of `agent.toml`.
///
/// # Errors
/// The first that does not open.
pub fn open_targets(config: &Config) -> anyhow::Result<Vec<Target>> {
    let mut targets = Vec::with_capacity(config.targets.len());
    for section in &config.targets {
        let driver = gallra_targets::open(section)?;
        let info = gallra_targets::config::info(section, driver.as_ref());
        targets.push(Target { info, driver });
    }
    Ok(targets)
}

/// Reads `agent.toml` and opens what it declares.
///
/// # Errors
/// What `serve` would refuse to start with.
pub fn check(config: &Path) -> anyhow::Result<Vec<TargetInfo>> {
    let config = config::read(config)?;
    Ok(open_targets(&config)?.into_iter().map(|target| target.info).collect())
}
