//! `gallra-coordinator serve`: opens the store and the keys, and runs the leader's loop and the two listeners until it is
//! told to stop. Refuses a simulated clock unless the flag says that this is a demonstration.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use gallra_model::{Clock, Instant};
use gallra_tlog::Tiles;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};

use crate::core::Core;
use crate::gate::GateLayer;
use crate::layout::Layout;
use crate::opening::{Engine, open_over, split_pem};
use crate::stamping::Stamping;
use crate::{api, archive, leader, ledger, metrics, replica, schema};

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
    let engine = Engine::of(layout, &config).await?;
    let cluster = engine.cluster.clone();
    let core = Arc::new(open_over(layout, demonstration, engine).await?);
    let (key, cert) = split_pem(&layout.read("server.pem")?)?;
    let identity = Identity::from_pem(cert, key);
    let authority = Certificate::from_pem(core.authority.certificate_pem());
    let commands = listen(&config.listen).await?;
    let enrolment = listen(&config.enrol_listen).await?;
    tracing::info!(
        pid = std::process::id(),
        listen = config.listen,
        enrol = config.enrol_listen,
        cell = config.cell,
        clock = ?core.time.kind(),
        generation = core.generation,
        schema = %core.schema.schema(),
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
        .add_routes(api::routes(&core)?)
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
    if let Some(address) = &config.metrics.listen {
        let listener = TcpListener::bind(address).await.with_context(|| format!("{address} cannot be listened on"))?;
        tracing::info!(listen = %listener.local_addr()?, "figures are served to whoever connects");
        tokio::spawn(metrics::serve(listener, Arc::clone(&core), until(stop.subscribe())));
    }
    let mut leading = tokio::spawn({
        let (core, stopped) = (Arc::clone(&core), stop.subscribe());
        async move {
            match cluster {
                Some(cluster) => replica::run(&core, cluster, &stamping, stopped).await,
                None => lead_alone(&core, &stamping).await,
            }
        }
    });
    let serving = async { tokio::try_join!(main, enrol) };
    tokio::pin!(serving);
    let mut refused = None;
    let told = async {
        tokio::select! {
            () = signalled() => None,
            why = core.schema.refused() => Some(why),
        }
    };
    tokio::select! {
        served = &mut serving => { served?; }
        why = told => {
            match &why {
                None => tracing::info!("told to stop"),
                Some(why) => tracing::error!(why, "this version may not work on the store any more"),
            }
            refused = why;
            core.stopping.send_replace(true);
            stop.send_replace(true);
            // Open streams of agents never end by themselves. A lead is given up meanwhile, so that another replica has it.
            let ended = async { tokio::join!(serving, &mut leading) };
            let _ = tokio::time::timeout(STOP_WITHIN, ended).await;
        }
    }
    leading.abort();
    anyhow::ensure!(refused.is_none(), "stopped: {}", refused.unwrap_or_default());
    Ok(())
}

/// What the leader does, where nobody else can.
async fn lead_alone(core: &Core, stamping: &Stamping) {
    tokio::join!(leader::run(core), ledger::run(core), stamping.run(core), archive::run(core), schema::run(core));
}

async fn listen(address: &str) -> anyhow::Result<TcpIncoming> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("{address} cannot be listened on"))?;
    // Without it small answers wait for the peer's delayed acknowledgement; the server builder's own option is ignored
    // when it is given its listener.
    Ok(TcpIncoming::from(listener).with_nodelay(Some(true)))
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
