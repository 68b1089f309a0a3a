//! What goes wrong, when it hurts most: while work is under way. Owns what can be broken and how it is mended; draws from the seed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::chance::Chance;
use crate::host::Blow;
use crate::site::Site;
use crate::world::lock;

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A host loses power.
    HostCrash,
    /// A host stands still.
    HostStall,
    /// A connection breaks.
    HangUp,
    /// A coordinator is killed.
    NodeCrash,
    /// A coordinator stands still, and another one leads meanwhile; it wakes up late.
    NodeStall,
    /// A coordinator is cut off from the store.
    NodeCut,
    /// Answers of the store are lost.
    Unsure,
    /// Words take long.
    SlowWay,
    /// Nothing that an agent says arrives.
    UpCut,
    /// Nothing that an agent is told arrives.
    DownCut,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::HostCrash,
        Self::HostStall,
        Self::HangUp,
        Self::NodeCrash,
        Self::NodeStall,
        Self::NodeCut,
        Self::Unsure,
        Self::SlowWay,
        Self::UpCut,
        Self::DownCut,
    ];

    /// One of them.
    pub fn draw(chance: &mut Chance) -> Self {
        let at = usize::try_from(chance.below(Self::ALL.len() as u64)).unwrap_or(0);
        Self::ALL.get(at).copied().unwrap_or(Self::HangUp)
    }
}

/// Lets it happen, and mends it after a while.
pub async fn strike(site: &Arc<Site>, fault: Fault, chance: &mut Chance) {
    let world = &site.around.world;
    world.count(format!("fault {fault:?}"));
    let host = usize::try_from(chance.below(site.hosts.len() as u64)).unwrap_or(0);
    let node = usize::try_from(chance.below(site.homes.len() as u64)).unwrap_or(0);
    let time = Duration::from_secs(chance.between(2, 200));
    let (Some(home), Some(struck)) = (site.homes.get(node), site.hosts.get(host)) else { return };
    let whom = match fault {
        Fault::NodeCrash | Fault::NodeStall | Fault::NodeCut | Fault::Unsure => home.name.clone(),
        Fault::HostCrash | Fault::HostStall | Fault::HangUp | Fault::SlowWay | Fault::UpCut | Fault::DownCut => {
            struck.agent.to_string()
        }
    };
    world.tell("FAULT", format!("{fault:?} of {whom} for {} s", time.as_secs()));
    match fault {
        Fault::HostCrash => site.blows.deal(host, Blow::Crash(time.min(Duration::from_secs(60)))),
        Fault::HostStall => site.blows.deal(host, Blow::Stall(time)),
        Fault::HangUp => site.blows.deal(host, Blow::HangUp),
        Fault::NodeCrash => {
            site.kill(node);
            free(site, &home.name, Duration::from_secs(8)).await;
            tokio::time::sleep(time).await;
            site.start(node).await;
        }
        Fault::NodeStall => {
            let until = world.ms() + u64::try_from(time.as_millis()).unwrap_or(0) + 20_000;
            home.reach.stalled_until.store(until, Ordering::Relaxed);
            free(site, &home.name, Duration::from_secs(8)).await;
            tokio::time::sleep(time + Duration::from_secs(30)).await;
        }
        Fault::NodeCut => {
            home.reach.cut.store(true, Ordering::Relaxed);
            free(site, &home.name, Duration::from_secs(8)).await;
            tokio::time::sleep(time).await;
        }
        Fault::Unsure => {
            home.reach.unsure.store(3, Ordering::Relaxed);
            tokio::time::sleep(time).await;
        }
        Fault::SlowWay => {
            struck.way.slow_ms.store(chance.between(1_000, 50_000), Ordering::Relaxed);
            tokio::time::sleep(time).await;
        }
        Fault::UpCut => {
            struck.way.up_cut.store(true, Ordering::Relaxed);
            tokio::time::sleep(time).await;
            site.blows.deal(host, Blow::HangUp);
        }
        Fault::DownCut => {
            struck.way.down_cut.store(true, Ordering::Relaxed);
            tokio::time::sleep(time).await;
            site.blows.deal(host, Blow::HangUp);
        }
    }
    mend(site);
}

/// The store takes the lead from whoever does not answer.
async fn free(site: &Arc<Site>, name: &str, after: Duration) {
    tokio::time::sleep(after).await;
    let mut lead = lock(&site.around.seats.lead);
    if lead.as_deref() == Some(name) {
        *lead = None;
    }
}

/// Everything works again.
pub fn mend(site: &Arc<Site>) {
    for home in &site.homes {
        home.reach.cut.store(false, Ordering::Relaxed);
        home.reach.unsure.store(0, Ordering::Relaxed);
    }
    for host in &site.hosts {
        host.way.up_cut.store(false, Ordering::Relaxed);
        host.way.down_cut.store(false, Ordering::Relaxed);
        host.way.slow_ms.store(0, Ordering::Relaxed);
    }
}
