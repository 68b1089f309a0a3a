//! A coordinator's real core on a real store with its loops running as `serve` runs them, and the only agent of it, which is played
//! here: it acts on nothing, and signs everything.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gallra_coordinator::causes::Brought;
use gallra_coordinator::contracts::{End, Start};
use gallra_coordinator::core::Core;
use gallra_coordinator::error::encode;
use gallra_coordinator::init::{self, Init};
use gallra_coordinator::joining::Joining;
use gallra_coordinator::layout::{Layout, LogConfig};
use gallra_coordinator::opening::{Engine, open_over};
use gallra_coordinator::stamping::Stamping;
use gallra_coordinator::{leader, ledger, replica, state};
use gallra_model::cause::{Cause, Ground, Salts, commit_customer, commit_service};
use gallra_model::request::{JobRecord, JobState, Request};
use gallra_model::selector::ExternalId;
use gallra_model::target::{CopyLife, Inventory, Mode, Role, Scope, TargetInfo, TargetKind};
use gallra_model::{AgentName, Clock, Day, Instant, Nonce, RequestId};
use gallra_proof::key::SigningKey;
use gallra_store::epochs::{Gathered, OnDisk};
use gallra_store::transfer::transfer;
use gallra_store::{Cluster, Embedded, Store, Txn, keys};
use gallra_store_etcd::Etcd;
use gallra_store_etcd::testing;
use tokio::sync::watch;

use crate::counted::Counted;
use crate::figures::Outcome;

/// Weeks after everything was due.
pub(crate) const NOW: &str = "2026-04-01T10:00:00Z";
const STARTED: Day = Day::constant(2026, 1, 2);
const ENDED: Day = Day::constant(2026, 1, 31);

/// Which engine.
pub(crate) enum On {
    Embedded,
    Etcd(Box<testing::Cluster>),
}

pub(crate) struct Host {
    pub(crate) core: Arc<Core>,
    pub(crate) counted: Arc<Counted>,
    /// The bare engine, with nothing in it.
    pub(crate) peer: Arc<dyn Store>,
    pub(crate) evidence: SigningKey,
    cause: SigningKey,
    loops: tokio::task::JoinHandle<()>,
    stop: watch::Sender<bool>,
    folder: tempfile::TempDir,
}

pub(crate) fn agent() -> Outcome<AgentName> {
    Ok("web1".parse()?)
}

/// A customer's files at a host.
pub(crate) fn files(target: &str) -> Outcome<TargetInfo> {
    Ok(TargetInfo {
        id: target.parse()?,
        kind: TargetKind::Files,
        category: "customer-data".parse()?,
        role: Role::Processor,
        scope: Scope::Contract,
        mode: Mode::Act,
        purges: false,
        strategy: None,
        copy_life: None,
        covers: Vec::new(),
        by_address: false,
    })
}

/// The backups of those files.
pub(crate) fn backups(target: &str, covered: &str) -> Outcome<TargetInfo> {
    Ok(TargetInfo {
        kind: TargetKind::Restic,
        category: "backup".parse()?,
        mode: Mode::Observe,
        copy_life: Some(CopyLife::AtMost { days: 1 }),
        covers: vec![covered.parse()?],
        ..files(target)?
    })
}

/// A new coordinator's directory.
pub(crate) async fn made(dir: &Path, listen: &str, enrol: &str) -> Outcome<()> {
    let init = Init {
        dir: dir.to_owned(),
        installation: "bench".to_owned(),
        listen: listen.to_owned(),
        enrol_listen: enrol.to_owned(),
        names: Vec::new(),
        policy: Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/webone.toml"),
        operator: "operator".to_owned(),
        provider: None,
        log_origin: None,
        country: "SE".to_owned(),
        contact: "privacy@provider.example".to_owned(),
        authority: "IMY".to_owned(),
        root_holder: "management".to_owned(),
        time_authorities: Vec::new(),
        approver: None,
    };
    Ok(init::run(&init).await?)
}

impl Host {
    /// A new one, whose agent has these targets.
    pub(crate) async fn new(on: &On, disk: &Path, targets: Vec<TargetInfo>) -> Outcome<Self> {
        let folder = tempfile::tempdir_in(disk)?;
        let layout = Layout::new(folder.path().join("coordinator"));
        made(&folder.path().join("coordinator"), "127.0.0.1:1", "127.0.0.1:2").await?;
        let embedded = Arc::new(Embedded::open(&layout.path("store"))?);
        let backups = layout.path("backups");
        let (engine, counted, peer) = match on {
            On::Embedded => {
                let counted = Arc::new(Counted::new(Arc::clone(&embedded) as Arc<dyn Store>));
                let effects = Arc::new(OnDisk::new(embedded, backups));
                let peer: Arc<dyn Store> = Arc::new(Embedded::create(&folder.path().join("peer"))?);
                let store = Arc::clone(&counted) as Arc<dyn Store>;
                (Engine { store, effects, cluster: None }, counted, peer)
            }
            On::Etcd(cluster) => {
                let etcd = Arc::new(Etcd::create(&cluster.config()).await?);
                transfer(&*embedded, &*etcd, &mut |_| {}).await?;
                let counted = Arc::new(Counted::new(Arc::clone(&etcd) as Arc<dyn Store>));
                let effects = Arc::new(Gathered::new(Arc::clone(&etcd) as Arc<dyn Cluster>, backups));
                let peer: Arc<dyn Store> = Arc::new(Etcd::create(&cluster.config()).await?);
                let store = Arc::clone(&counted) as Arc<dyn Store>;
                (Engine { store, effects, cluster: Some(etcd) }, counted, peer)
            }
        };
        let cluster = engine.cluster.clone();
        let at: Instant = NOW.parse()?;
        let mut core = open_over(&layout, Some(at), engine).await?;
        core.brake_ends_per_day = u32::MAX;
        let core = Arc::new(core);
        let (stop, stopped) = watch::channel(false);
        let theirs = Arc::clone(&core);
        let stamping = Stamping::new(&LogConfig::default())?;
        let loops = tokio::spawn(async move {
            match cluster {
                None => {
                    tokio::join!(leader::run(&theirs), ledger::run(&theirs));
                }
                Some(cluster) => replica::run(&theirs, cluster, &stamping, stopped).await,
            }
        });
        let evidence = SigningKey::from_seed(&[1; 32]);
        let cause = SigningKey::from_seed(&[2; 32]);
        let host = Self { core, counted, peer, evidence, cause, loops, stop, folder };
        host.join(targets).await?;
        Ok(host)
    }

    async fn join(&self, targets: Vec<TargetInfo>) -> Outcome<()> {
        let (name, core) = (agent()?, &self.core);
        let (token, _) = core.invite_agent(&name, Duration::from_secs(60)).await?;
        let (_, csr) = gallra_identity::new_csr(name.as_str())?;
        let evidence = self.evidence.verifying();
        core.join_agent(&token.secret, &Joining { name: &name, evidence: &evidence, csr_pem: &csr }).await?;
        core.ledger.heard(&name, None).await?;
        let inventory = Inventory { agent: name.clone(), evidence_key: evidence.to_hex(), targets };
        core.store.commit(Txn::new().put(keys::inventory(&name), encode(&inventory)?)).await?;
        Ok(core.register_cause_key(&self.cause.verifying(), "approver").await.map(drop)?)
    }

    /// Whether the final proof of a request is issued.
    pub(crate) async fn is_done(&self, request: &RequestId) -> Outcome<bool> {
        let entry = self.counted.bare().get(&keys::request(request)).await?.ok_or("no such request")?;
        Ok(serde_json::from_slice::<Request>(&entry.value)?.done.is_some())
    }

    /// Whether no job of a request's current plan is left to do now.
    pub(crate) async fn is_over(&self, request: &RequestId) -> Outcome<bool> {
        let (view, now) = (state::load(self.counted.bare(), request).await?.view, self.core.time.now());
        let done = |job: &JobRecord| matches!(job.state, JobState::Succeeded | JobState::Dropped) || job.due > now;
        Ok(view.plan.is_some() && view.current_jobs().count() > 0 && view.current_jobs().all(done))
    }

    /// Ends the loops, so that the next one has the machine for itself.
    pub(crate) async fn stop(&self) {
        self.stop.send_replace(true);
        self.core.stopping.send_replace(true);
        let _ = tokio::time::timeout(Duration::from_secs(2), async {
            while !self.loops.is_finished() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        self.loops.abort();
    }

    pub(crate) async fn sells(&self, service: &str) -> Outcome<()> {
        let (customer, service) = (format!("c-{service}").parse()?, service.parse()?);
        let start = Start { service, customer, addresses: Vec::new(), started: STARTED, version: 0 };
        Ok(self.core.start_contract(&start).await.map(drop)?)
    }

    /// The end of a contract and its settlement, as billing tells them.
    pub(crate) async fn ends(&self, end: End) -> Outcome<RequestId> {
        let (service, settled) = (end.service.clone(), end.ended);
        let request = self.core.end_contract(&end).await?.request.ok_or("an end without a request")?;
        self.core.settle_contract(&service, settled, 0).await?;
        Ok(request)
    }

    /// The same on another day than all others.
    pub(crate) async fn ends_on(&self, day: Day, service: &str) -> Outcome<RequestId> {
        self.ends(self.end_of(day, service)?).await
    }

    /// Closes everything and gives the directory away.
    pub(crate) async fn close(self: Arc<Self>) -> Outcome<tempfile::TempDir> {
        self.stop().await;
        let mut host = self;
        let began = crate::figures::now();
        loop {
            match Arc::try_unwrap(host) {
                Ok(host) => return Ok(host.folder),
                Err(held) => host = held,
            }
            if began.elapsed().as_secs() > 10 {
                return Err("somebody holds it".into());
            }
            tokio::task::yield_now().await;
        }
    }

    /// An end with billing's signature, which is billing's work and not the coordinator's.
    pub(crate) fn end(&self, service: &str) -> Outcome<End> {
        self.end_of(ENDED, service)
    }

    fn end_of(&self, day: Day, service: &str) -> Outcome<End> {
        let (customer, service): (ExternalId, ExternalId) = (format!("c-{service}").parse()?, service.parse()?);
        let salt = Nonce::from_bytes([3; 16]);
        let cause = Cause {
            ground: Ground::ContractEnd,
            service: Some(commit_service(&salt, &service)),
            customer: Some(commit_customer(&salt, &customer)),
            ended: Some(day),
            policy: None,
            signed: NOW.parse()?,
            clock: Clock::Simulated,
        };
        let envelope = gallra_proof::cause::sign(&cause, &self.cause)?;
        let salts = Salts { service: Some(salt), customer: Some(salt) };
        let cause = Some(Brought { envelope, salts, by: "billing".to_owned() });
        Ok(End { service, ended: day, version: 0, cause })
    }
}
