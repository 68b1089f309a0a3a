//! `gallra-agent serve` and `check`: opens everything, puts each half on its own thread, and ends both in order. The
//! permit key lies with the privileged half's things; the network half never sees it.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use gallra_flow::agent::privileged::Host;
use gallra_model::AgentName;
use gallra_model::target::TargetInfo;
use gallra_proof::key::{SigningKey, VerifyingKey};
use tokio::signal::unix::{SignalKind, signal};

use crate::channel::{self, Closed};
use crate::clock;
use crate::config::{self, Config};
use crate::dir::{Dir, DirError, Joined};
use crate::journal::Journal;
use crate::privileged::{Half, HalfError, Keys, Memory, Setup, Target};
use crate::session::{self, Address, Tls};
use crate::vault::Vault;

/// Program and version, as receipts name it.
pub const SOFTWARE: &str = concat!("gallra-agent ", env!("CARGO_PKG_VERSION"));

/// Serves until a signal ends it or something fails.
///
/// # Errors
/// What kept it from starting, or ended it.
pub fn serve(dir: &Dir, config: &Path, accept_simulated: bool) -> anyhow::Result<()> {
    let _held = dir.lock()?;
    let joined = dir.read_joined()?;
    let config = config::read(config)?;
    let dial = address(dir, &joined, &config)?;
    let setup = setup(dir, &joined, &config, accept_simulated)?;
    let (privileged_end, session_end) = channel::pair()?;
    let half = std::thread::Builder::new()
        .name("privileged".to_owned())
        .spawn(move || Half::new(setup, privileged_end).run())
        .context("a thread for the privileged half")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let session = runtime.block_on(async {
        let stop = stop_signal()?;
        anyhow::Ok(session::run(session_end, Box::new(dial), stop).await)
    });
    // The session's end is dropped: an act under way stops at its next item, and its receipt goes into the journal.
    drop(runtime);
    ended(half.join(), session?)
}

/// Which half ended first decides whether it is an error.
fn ended(half: std::thread::Result<Result<(), HalfError>>, session: Result<(), Closed>) -> anyhow::Result<()> {
    match (half, session) {
        (Ok(Ok(())), Ok(())) => Ok(()),
        (Ok(Err(error)), _) => Err(error).context("the privileged half ended"),
        (Ok(Ok(())), Err(Closed)) => anyhow::bail!("the privileged half ended without a word"),
        (Err(_), _) => anyhow::bail!(
            "the privileged half broke off: the next start makes a receipt that says unknown for what was under way"
        ),
    }
}

/// Ready on SIGTERM or SIGINT.
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: ending"),
            _ = interrupt.recv() => tracing::info!("SIGINT: ending"),
        }
    })
}

fn address(dir: &Dir, joined: &Joined, config: &Config) -> anyhow::Result<Address> {
    let read = |path: std::path::PathBuf| std::fs::read_to_string(&path).map_err(DirError::at("reading", &path));
    let authority = read(dir.authority())?;
    let identity = Some((read(dir.session_certificate())?, read(dir.session_key())?));
    let address = config.coordinator.address.as_ref().unwrap_or(&joined.session_address);
    Ok(Address::new(address, &Tls { authority, identity })?)
}

fn setup(dir: &Dir, joined: &Joined, config: &Config, accept_simulated: bool) -> anyhow::Result<Setup> {
    let path = dir.evidence_key();
    let evidence = std::fs::read_to_string(&path).map_err(DirError::at("reading", &path))?;
    let keys = Keys {
        evidence: SigningKey::from_pem(&evidence).context("the evidence key")?,
        permit: VerifyingKey::from_hex(&joined.permit_key).context("the permit key in agent.json")?,
    };
    let targets = open_targets(config)?;
    let (journal, records) = Journal::open(&dir.privileged().join("journal"))?;
    let memory = Memory { journal, records, vault: Vault::new(&dir.privileged()) };
    let host = host(joined.agent.clone(), config, accept_simulated);
    let longest_act = Duration::from_secs(config.limits.longest_act_seconds.into());
    Ok(Setup { host, targets, longest_act, keys, memory, clocks: Box::new(clock::moment) })
}

fn host(agent: AgentName, config: &Config, accept_simulated: bool) -> Host {
    let software = SOFTWARE.to_owned();
    let jobs_per_hour = config.limits.jobs_per_hour;
    Host { agent, software, targets: std::collections::BTreeMap::new(), jobs_per_hour, accept_simulated }
}

/// Opens every target, in the order of `agent.toml`.
///
/// # Errors
/// The first that does not open.
pub fn open_targets(config: &Config) -> anyhow::Result<Vec<Target>> {
    let mut targets = Vec::with_capacity(config.targets.len());
    for section in &config.targets {
        let driver = gallra_targets::open(section)?;
        let info = gallra_targets::config::info(section, driver.kind(), driver.copy_life());
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
