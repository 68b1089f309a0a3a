//! `gallra-coordinator witness`: cosigns other logs' checkpoints, in a process and a directory of its own
//! (`docs/formats/log-v1.md`, section 9). A witness is worth something where it is not run by whoever runs the log.
//!
//! Owns the order: decide, store, cosign, as one step for each log. What is decided is [`gallra_log::witness`]'s, HTTP is
//! [`gallra_tlog`]'s. Knows nothing of requests, plans and persons. Upholds I7: no two trees are cosigned of which neither
//! is the beginning of the other, whatever stops in the middle.

mod config;
mod conflict;
mod dir;
mod head;
mod known;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use gallra_log::note::Signature;
use gallra_log::witness::AddCheckpoint;
use gallra_tlog::{NotCosigned, Witnessing};
use tokio::net::TcpListener;

use crate::clock::real_now;
use crate::serve::signalled;

pub use config::Config;
pub use dir::{add_log, init};
use known::Known;

/// Runs until SIGTERM or SIGINT. `listen` is in the place of what `witness.toml` says.
///
/// # Errors
/// Says which part of the directory is missing, damaged or in use.
pub async fn run(dir: &Path, listen: Option<String>) -> anyhow::Result<()> {
    let (known, config) = Known::open(dir)?;
    let address = listen.unwrap_or(config.listen);
    let listener = TcpListener::bind(&address).await.with_context(|| format!("{address} cannot be listened on"))?;
    tracing::info!(
        pid = std::process::id(),
        listen = %listener.local_addr()?,
        key = %known.public(),
        logs = config.logs.len(),
        "witness ready"
    );
    if config.logs.is_empty() {
        tracing::warn!(
            "no log is known, so that every request is refused: `gallra-coordinator witness add-log` adds one"
        );
    }
    gallra_tlog::serve(listener, Witnessing(Service(Arc::new(known))), signalled()).await;
    tracing::info!("told to stop");
    Ok(())
}

/// On the threads that may wait for the disk. What has begun there goes to its end, whoever has hung up.
struct Service(Arc<Known>);

#[async_trait]
impl gallra_tlog::Witness for Service {
    async fn add_checkpoint(&self, request: AddCheckpoint) -> Result<Signature, NotCosigned> {
        let known = Arc::clone(&self.0);
        let considered = tokio::task::spawn_blocking(move || known.consider(&request, real_now()));
        considered
            .await
            .unwrap_or_else(|error| Err(NotCosigned::Failed(format!("it could not be considered: {error}"))))
    }
}
