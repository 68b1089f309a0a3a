//! Opening a coordinator: its directory, the engine that its state is in, and the keys; nothing is listened on, and nobody leads yet.
//! Owns which engine a configuration means. Refuses a store without a generation, which was never
//! initialised or is another one, and one whose schema it does not speak.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use gallra_identity::Authority;
use gallra_model::Instant;
use gallra_policy::Policy;
use gallra_proof::key::SigningKey;
use gallra_store::epochs::{Effects, Gathered, OnDisk};
use gallra_store::schema::Agreed;
use gallra_store::{Cluster, Embedded, Keyring, Store, keys};
use gallra_store_etcd::Etcd;

use crate::archive::{Archive, WithArchive};
use crate::clock::Time;
use crate::core::Core;
use crate::doctor::Premises;
use crate::error::decode;
use crate::generation;
use crate::layout::{Config, Layout};
use crate::ledger::{self, Witnesses};
use crate::logs::{self, Logs};
use crate::metrics::{Metrics, Timed};
use crate::policies::{Rules, StoredPolicy};
use crate::renewing;
use crate::schema;
use crate::signing::Signing;

/// Where a coordinator's state is.
pub struct Engine {
    /// All of it.
    pub store: Arc<dyn Store>,
    /// What turning a key epoch does beside transactions.
    pub effects: Arc<dyn Effects>,
    /// Being one of several on it; unset where the engine has one coordinator only.
    pub cluster: Option<Arc<dyn Cluster>>,
}

impl Engine {
    /// The engine that a directory's configuration names.
    ///
    /// # Errors
    /// Says why it cannot be opened.
    pub async fn of(layout: &Layout, config: &Config) -> anyhow::Result<Self> {
        let backups = layout.path("backups");
        if let Some(etcd) = &config.etcd {
            let cell = etcd.read(layout)?;
            let store = Arc::new(Etcd::open(&cell).await.context("the store in etcd cannot be opened")?);
            renewing::watch(&store, cell.tls, etcd, layout);
            let effects = Arc::new(Gathered::new(Arc::clone(&store) as Arc<dyn Cluster>, backups));
            return Ok(Self { store: Arc::clone(&store) as Arc<dyn Store>, effects, cluster: Some(store) });
        }
        let store = Arc::new(Embedded::open(&layout.path("store")).context("the store cannot be opened")?);
        let effects = Arc::new(OnDisk::new(Arc::clone(&store), backups));
        Ok(Self { store, effects, cluster: None })
    }
}

/// Opens the engine and the keys of a directory.
///
/// # Errors
/// Says which part of the directory is missing or in use.
pub async fn open(layout: &Layout, demonstration: Option<Instant>) -> anyhow::Result<Core> {
    open_over(layout, demonstration, Engine::of(layout, &layout.config()?).await?).await
}

/// The same with a log that is read and signs nothing: also where its key is lost.
///
/// # Errors
/// As [`open`].
pub async fn open_to_read(layout: &Layout, demonstration: Option<Instant>) -> anyhow::Result<Core> {
    open_as(layout, demonstration, Engine::of(layout, &layout.config()?).await?, true).await
}

/// Opens the keys of a directory over an engine.
///
/// # Errors
/// As [`open`].
pub async fn open_over(layout: &Layout, demonstration: Option<Instant>, engine: Engine) -> anyhow::Result<Core> {
    open_as(layout, demonstration, engine, false).await
}

async fn open_as(
    layout: &Layout,
    demonstration: Option<Instant>,
    engine: Engine,
    read_only: bool,
) -> anyhow::Result<Core> {
    let config = layout.config()?;
    let Engine { store, effects, cluster } = engine;
    let metrics = Arc::<Metrics>::default();
    let archive = Archive::of(layout, &config);
    let known = schema::look(&*store, &config).await?;
    // Where others may raise it, nothing is written by who has not heard.
    let store: Arc<dyn Store> =
        if cluster.is_some() { Arc::new(Agreed::new(store, Arc::clone(&known))) } else { store };
    let store: Arc<dyn Store> = Arc::new(Timed::new(store, Arc::clone(&metrics)));
    let store: Arc<dyn Store> = Arc::new(WithArchive::new(store, Arc::clone(&archive)));
    let generation = store.get(&keys::meta_generation()).await?.context(
        "the store has no generation: run init, or `store copy` again if it was being moved; a store that was moved away is \
         served no more",
    )?;
    let mark = store.get(&keys::meta_clock()).await?;
    let mark = mark.map(|entry| decode("clock mark", &entry.value)).transpose()?;
    let (key, cert) = split_pem(&layout.read("authority.pem")?)?;
    let first = first_policy(layout, &config.policy)?;
    let generation = generation::decode(&generation.value)?;
    generation::follow(layout, generation)?;
    let Logs { in_force: ledger, ended } = open_logs(layout, &config, &store, (generation, read_only)).await?;
    let rules = Rules::new(first).map_err(|problems| anyhow::anyhow!("policy/{}.toml: {problems}", config.policy))?;
    let keyring = Keyring::open(&layout.keys(&config)).context("the key-wrapping keys cannot be read")?;
    if cluster.is_some() {
        keyring.share(&*store).await.context("the key-wrapping keys are not those of the other coordinators")?;
    }
    let theirs = config.etcd.iter().flat_map(|etcd| &etcd.certificate).map(|path| layout.path_of(path));
    let certificates = std::iter::once(layout.path("server.pem")).chain(theirs).collect();
    let (signing, issuer) = Signing::load(&*store, layout.root()).await?;
    Ok(Core {
        effects,
        store,
        archive,
        schema: known,
        keyring: Arc::new(keyring),
        rules: Arc::new(rules),
        followed: Arc::default(),
        instructed: Arc::default(),
        unconcerned: Arc::default(),
        brake_ends_per_day: config.brake_ends_per_day,
        brake: Arc::default(),
        recording: Arc::default(),
        issuer: Arc::new(issuer),
        signing: Arc::new(signing),
        permits: Arc::new(SigningKey::from_pem(&layout.read("permit.key")?)?),
        authority: Arc::new(Authority::from_pem(&cert, &key)?),
        time: Arc::new(demonstration.map_or_else(|| Time::real(mark), Time::simulated)),
        generation,
        ledger,
        ended: ended.into(),
        leads: Arc::new(AtomicBool::new(cluster.is_none())),
        replica: cluster.as_ref().map(|cluster| cluster.id().into()),
        premises: Arc::new(Premises { root: layout.root().to_owned(), cluster, certificates }),
        stopping: Arc::default(),
        fleet: Arc::default(),
        metrics,
        wake: Arc::default(),
        leading: Arc::default(),
        session_address: format!("https://{}", config.listen),
        other_session_addresses: config.others.iter().map(|other| format!("https://{other}")).collect(),
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
        logs.in_force.set_vouch(Arc::new(Witnesses::new(witnesses)));
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

/// A file that holds a key and then a certificate, both PEM.
pub(crate) fn split_pem(text: &str) -> anyhow::Result<(String, String)> {
    let at = text.find("-----BEGIN CERTIFICATE-----").context("a .pem file of the coordinator holds no certificate")?;
    let (key, cert) = text.split_at(at);
    Ok((key.to_owned(), cert.to_owned()))
}
