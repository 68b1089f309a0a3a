//! One of several coordinators on one store (decision 4): leads while it is elected, and follows what others write all the time.
//! Owns no decision about a request. What moves by time alone is moved by the leader, through a store that refuses a deposed one;
//! everything else any replica does.

mod follow;
mod streams;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gallra_store::{Cluster, Fenced, Revision, Term};
use tokio::sync::watch;

use crate::archive;
use crate::core::Core;
use crate::leader;
use crate::ledger;
use crate::schema::{self, Living};
use crate::stamping::Stamping;

pub(crate) use follow::changed;
pub use streams::Held;

/// Real time: rest after the store did not answer.
const REST: Duration = Duration::from_secs(1);

/// Runs until told to stop, then gives the lead up, so that another replica has it at once.
pub async fn run(core: &Core, cluster: Arc<dyn Cluster>, stamping: &Stamping, stopped: watch::Receiver<bool>) {
    core.ledger.is_one_of_several();
    tokio::join!(
        lead(core, &*cluster, stamping, stopped.clone()),
        until(stopped.clone(), follow::log(core)),
        until(stopped.clone(), follow::leader(core)),
        until(stopped.clone(), follow::keys(core)),
        until(stopped.clone(), follow::epochs(core)),
        until(stopped.clone(), schema::follow(core)),
        until(stopped, show(core, &*cluster)),
    );
}

/// A task that never ends by itself, until there is no more to be done.
async fn until(mut stopped: watch::Receiver<bool>, task: impl Future<Output = ()>) {
    tokio::select! {
        biased;
        () = task => {}
        () = told(&mut stopped) => {}
    }
}

/// Until this process is told to stop.
async fn told(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Shows that this one is there, for as long as the store takes it.
async fn show(core: &Core, cluster: &dyn Cluster) {
    let about = Living::said(core);
    loop {
        if let Err(error) = cluster.show(about.as_bytes()).await {
            tracing::warn!(%error, "other coordinators are not told that this one is there; it is tried again");
        }
        tokio::time::sleep(REST).await;
    }
}

async fn lead(core: &Core, cluster: &dyn Cluster, stamping: &Stamping, mut stopped: watch::Receiver<bool>) {
    loop {
        let term = tokio::select! {
            biased;
            term = cluster.campaign(cluster.id()) => term,
            () = told(&mut stopped) => return,
        };
        match term {
            Ok(term) => lead_once((core, cluster), term, stamping, &mut stopped).await,
            Err(error) => {
                tracing::warn!(%error, "no leader could be elected; it is tried again");
                tokio::time::sleep(REST).await;
            }
        }
        if *stopped.borrow() {
            return;
        }
    }
}

async fn lead_once(
    (core, cluster): (&Core, &dyn Cluster),
    term: Term,
    stamping: &Stamping,
    stopped: &mut watch::Receiver<bool>,
) {
    let led = core.over(Arc::new(Fenced::new(Arc::clone(&core.store), term.clone())));
    let since = term.fence().map_or(Revision::default(), |fence| fence.revision);
    led.ledger.begin_term(since).await;
    core.leads.store(true, Ordering::Relaxed);
    tracing::info!(term = %since, "this coordinator leads");
    let engine = cluster.while_leading(&term);
    let leading = async {
        tokio::join!(
            leader::run(&led),
            ledger::run(&led),
            stamping.run(&led),
            archive::run(&led),
            schema::run(&led),
            engine
        )
    };
    tokio::select! {
        biased;
        _ = leading => {}
        why = term.ended() => tracing::warn!(%why, "this coordinator leads no longer"),
        () = told(stopped) => {
            term.resign().await;
            tracing::info!("the lead was given up");
        }
    }
    core.leads.store(false, Ordering::Relaxed);
}

impl Core {
    /// The same coordinator over another way to the same store.
    #[must_use]
    pub fn over(&self, store: Arc<dyn gallra_store::Store>) -> Self {
        Self { ledger: self.ledger.over(Arc::clone(&store)), store, ..self.clone() }
    }
}
