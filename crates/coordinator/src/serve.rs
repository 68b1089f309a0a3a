//! `gallra-coordinator serve`: opens the store and the keys, and runs the leader's loop and the two listeners until it is
//! told to stop. Refuses a simulated clock unless the flag says that this is a demonstration.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use gallra_identity::Authority;
use gallra_model::{Clock, Instant};
use gallra_policy::Policy;
use gallra_proof::key::SigningKey;
use gallra_store::epochs::OnDisk;
use gallra_store::{Embedded, Keyring, Store, keys};
use gallra_tlog::Tiles;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};

use crate::api;
use crate::clock::Time;
use crate::core::Core;
use crate::error::decode;
use crate::fleet::Fleet;
use crate::gate::GateLayer;
use crate::layout::{Config, Layout};
use crate::leader;
use crate::ledger::{self, Witnesses};
use crate::logs::{self, Logs};
use crate::policies::{Rules, StoredPolicy};
use crate::signing::Signing;
use crate::stamping::Stamping;

/// Most calls under way on one connection.
const MAX_STREAMS: u32 = 256;
/// How long open calls may go on after the signal to stop.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// Runs until SIGTERM or SIGINT. `demonstration` starts a simulated clock there.
///
/// # Errors
/// Says which part of the directory is missing or in use.
pub async fn run(layout: &Layout, demonstration: Option<Instant>) -> anyhow::Result<()> {
    let config = layout.config()?;
    let stamping = Stamping::new(&config.log).context("coordinator.toml: log.timestamp")?;
    layout.keep_to_clock(if demonstration.is_some() { Clock::Simulated } else { Clock::Real })?;
    let core = Arc::new(open(layout, demonstration).await?);
    let (key, cert) = split_pem(&layout.read("server.pem")?)?;
    let identity = Identity::from_pem(cert, key);
    let authority = Certificate::from_pem(core.authority.certificate_pem());
    let commands = listen(&config.listen).await?;
    let enrolment = listen(&config.enrol_listen).await?;
    tracing::info!(
        pid = std::process::id(),
        listen = config.listen,
        enrol = config.enrol_listen,
        clock = ?core.time.kind(),
        generation = core.generation,
        "coordinator ready"
    );
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let until = |mut stopped: tokio::sync::watch::Receiver<bool>| async move {
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    let main = Server::builder()
        .tls_config(ServerTlsConfig::new().identity(identity.clone()).client_ca_root(authority))?
        .max_concurrent_streams(MAX_STREAMS)
        .http2_keepalive_interval(Some(Duration::from_secs(20)))
        .layer(GateLayer::new(&config.installation))
        .add_routes(api::routes(&core))
        .serve_with_incoming_shutdown(commands, until(stopped.clone()));
    let enrol = Server::builder()
        .tls_config(ServerTlsConfig::new().identity(identity))?
        .max_concurrent_streams(MAX_STREAMS)
        .add_routes(api::enrolment_routes(&core))
        .serve_with_incoming_shutdown(enrolment, until(stopped.clone()));
    if let Some(address) = &config.log.listen {
        let listener = TcpListener::bind(address).await.with_context(|| format!("{address} cannot be listened on"))?;
        tracing::info!(listen = %listener.local_addr()?, "the log is served to anybody");
        tokio::spawn(gallra_tlog::serve(listener, Tiles(Arc::clone(&core)), until(stopped)));
    }
    let leading = tokio::spawn({
        let core = Arc::clone(&core);
        async move { leader::run(&core).await }
    });
    let sequencing = tokio::spawn({
        let core = Arc::clone(&core);
        async move { ledger::run(&core).await }
    });
    let stamping = tokio::spawn({
        let core = Arc::clone(&core);
        async move { stamping.run(&core).await }
    });
    let serving = async { tokio::try_join!(main, enrol) };
    tokio::pin!(serving);
    tokio::select! {
        served = &mut serving => { served?; }
        () = signalled() => {
            tracing::info!("told to stop");
            stop.send_replace(true);
            // Open streams of agents never end by themselves.
            let _ = tokio::time::timeout(STOP_WITHIN, serving).await;
        }
    }
    leading.abort();
    sequencing.abort();
    stamping.abort();
    Ok(())
}

/// Opens store and keys of a directory; nothing is listened on yet.
///
/// # Errors
/// As [`run`].
pub async fn open(layout: &Layout, demonstration: Option<Instant>) -> anyhow::Result<Core> {
    open_as(layout, demonstration, false).await
}

/// The same with a log that is read and signs nothing: also where its key is lost.
///
/// # Errors
/// As [`run`].
pub async fn open_to_read(layout: &Layout, demonstration: Option<Instant>) -> anyhow::Result<Core> {
    open_as(layout, demonstration, true).await
}

async fn open_as(layout: &Layout, demonstration: Option<Instant>, read_only: bool) -> anyhow::Result<Core> {
    let config = layout.config()?;
    let store = Arc::new(Embedded::open(&layout.path("store")).context("the store cannot be opened")?);
    let generation = store.get(&keys::meta_generation()).await?.context("the store has no generation: run init")?;
    let mark = store.get(&keys::meta_clock()).await?;
    let mark = mark.map(|entry| decode("clock mark", &entry.value)).transpose()?;
    let (key, cert) = split_pem(&layout.read("authority.pem")?)?;
    let first = first_policy(layout, &config.policy)?;
    let generation = decode("generation", &generation.value)?;
    let shared: Arc<dyn Store> = Arc::clone(&store) as Arc<dyn Store>;
    let Logs { in_force: ledger, ended } = open_logs(layout, &config, &shared, (generation, read_only)).await?;
    let rules = Rules::new(first).map_err(|problems| anyhow::anyhow!("policy/{}.toml: {problems}", config.policy))?;
    let (signing, issuer) = Signing::load(&*store, layout.root()).await?;
    Ok(Core {
        effects: OnDisk::new(Arc::clone(&store), layout.path("backups")),
        store,
        keyring: Keyring::open(&layout.path("keys")).context("the key-wrapping keys cannot be read")?,
        rules,
        followed: std::sync::Mutex::default(),
        instructed: std::sync::Mutex::default(),
        unconcerned: std::sync::Mutex::default(),
        brake_ends_per_day: config.brake_ends_per_day,
        ending: tokio::sync::Mutex::default(),
        recording: tokio::sync::Mutex::default(),
        issuer,
        signing,
        permits: SigningKey::from_pem(&layout.read("permit.key")?)?,
        authority: Authority::from_pem(&cert, &key)?,
        time: demonstration.map_or_else(|| Time::real(mark), Time::simulated),
        generation,
        ledger,
        ended,
        fleet: Fleet::default(),
        wake: tokio::sync::Notify::new(),
        leading: tokio::sync::Mutex::default(),
        session_address: format!("https://{}", config.listen),
        enrolment_address: format!("https://{}", config.enrol_listen),
    })
}

/// The logs of a directory, and who vouches for the one in force.
async fn open_logs(
    layout: &Layout,
    config: &Config,
    store: &Arc<dyn Store>,
    (generation, read_only): (u64, bool),
) -> anyhow::Result<Logs> {
    let logs = logs::open(layout, config, store, (generation, read_only)).await?;
    if read_only {
        return Ok(logs);
    }
    let witnesses = config.witnesses()?;
    if !witnesses.is_empty() {
        logs.in_force.set_vouch(Arc::new(Witnesses(witnesses)));
    }
    ledger::write_public(layout, logs.in_force.public())?;
    Ok(logs)
}

/// The policy that `init` was given, with the packs that lie beside it.
fn first_policy(layout: &Layout, name: &str) -> anyhow::Result<StoredPolicy> {
    let text = layout.pack(name).with_context(|| format!("policy/{name}.toml is missing"))?;
    let read = std::cell::RefCell::new(std::collections::BTreeMap::from([(name.to_owned(), text.clone())]));
    let include = |word: &str| {
        let text = layout.pack(word)?;
        read.borrow_mut().insert(word.to_owned(), text.clone());
        Some(text)
    };
    Policy::parse(name, &text, include)
        .and_then(Policy::under_law)
        .map_err(|problems| anyhow::anyhow!("policy/{name}.toml: {problems}"))?;
    Ok(StoredPolicy {
        name: name.to_owned(),
        packs: read.into_inner(),
        by: "init".to_owned(),
        at: Instant::UNIX_EPOCH,
        cause: None,
    })
}

async fn listen(address: &str) -> anyhow::Result<TcpIncoming> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("{address} cannot be listened on"))?;
    // Without it small answers wait for the peer's delayed acknowledgement; the server builder's own option is ignored
    // when it is given its listener.
    Ok(TcpIncoming::from(listener).with_nodelay(Some(true)))
}

/// A file that holds a key and then a certificate, both PEM.
fn split_pem(text: &str) -> anyhow::Result<(String, String)> {
    let at = text.find("-----BEGIN CERTIFICATE-----").context("a .pem file of the coordinator holds no certificate")?;
    let (key, cert) = text.split_at(at);
    Ok((key.to_owned(), cert.to_owned()))
}

/// Until SIGTERM or SIGINT.
pub(crate) async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}
