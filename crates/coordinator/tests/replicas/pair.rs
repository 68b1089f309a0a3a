//! Two coordinators over one embedded store, and an election between them that the test decides.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use gallra_coordinator::core::Core;
use gallra_coordinator::error::encode;
use gallra_coordinator::init::{self, Init};
use gallra_coordinator::joining::Joining;
use gallra_coordinator::layout::{Layout, LogConfig};
use gallra_coordinator::opening::{Engine, open_over};
use gallra_coordinator::replica;
use gallra_coordinator::stamping::Stamping;
use gallra_log::checkpoint::Checkpoint;
use gallra_log::note::{Kind, Note, Signer};
use gallra_log::tree::Hash;
use gallra_model::target::{Inventory, Mode, Role, Scope, TargetInfo, TargetKind};
use gallra_model::{AgentName, Instant};
use gallra_proof::key::SigningKey;
use gallra_store::election::{Ended, Fence, Keeper};
use gallra_store::epochs::OnDisk;
use gallra_store::{Cluster, Election, Embedded, Fenced, Store, StoreError, Term, Txn, keys};
use tokio::sync::{OwnedMutexGuard, oneshot, watch};

/// Real time within which everything here happens.
const WITHIN: Duration = Duration::from_secs(20);

/// Leads by a lock in this process, and marks it in the store as an engine would.
struct Local {
    id: String,
    store: Arc<dyn Store>,
    lock: Arc<tokio::sync::Mutex<()>>,
    /// Frees the lock, without telling the term's holder.
    free: Mutex<Option<oneshot::Sender<()>>>,
    /// While true this one does not stand for election.
    rests: watch::Sender<bool>,
    led: watch::Sender<Option<Term>>,
}

impl Local {
    fn new(id: &str, store: &Arc<dyn Store>, lock: &Arc<tokio::sync::Mutex<()>>) -> Self {
        Self {
            id: id.to_owned(),
            store: Arc::clone(store),
            lock: Arc::clone(lock),
            free: Mutex::default(),
            rests: watch::Sender::new(true),
            led: watch::Sender::default(),
        }
    }
}

#[async_trait]
impl Election for Local {
    async fn campaign(&self, who: &str) -> Result<Term, StoreError> {
        let _ = self.rests.subscribe().wait_for(|rests| !rests).await;
        let held = Arc::clone(&self.lock).lock_owned().await;
        let revision = self.store.commit(Txn::new().put(keys::meta_leader(), who)).await?;
        let (term, keeper) = Term::kept(Fence { key: keys::meta_leader(), revision }, u64::MAX);
        let (free, freed) = oneshot::channel();
        tokio::spawn(until_over(held, keeper, freed));
        *self.free.lock().expect("nobody panics") = Some(free);
        self.led.send_replace(Some(term.clone()));
        Ok(term)
    }
}

#[async_trait]
impl Cluster for Local {
    fn id(&self) -> &str {
        &self.id
    }

    async fn show(&self, about: &[u8]) -> Result<(), StoreError> {
        self.store.commit(Txn::new().put(keys::replica_alive(&self.id), about)).await.map(drop)
    }

    async fn moment(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(Arc::clone(&self.store))
    }

    async fn forget_history(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Holds the lock for as long as the term lasts, or is said to.
async fn until_over(held: OwnedMutexGuard<()>, keeper: Keeper, freed: oneshot::Receiver<()>) {
    tokio::select! {
        Ok(()) = freed => {
            drop(held);
            // Somebody else leads, and this one will find out by its first write.
            keeper.ended().await;
        }
        () = keeper.asked_to_resign() => keeper.end(Ended::Resigned),
        _ = keeper.ended() => {}
    }
}

struct One {
    core: Arc<Core>,
    cluster: Arc<Local>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

/// Two of them.
pub(crate) struct Pair {
    folder: tempfile::TempDir,
    ones: Vec<One>,
}

impl Pair {
    /// Both are open, and neither leads.
    pub(crate) async fn new() -> Self {
        Self::begun(None).await
    }

    /// Both are open on a store of before there was a schema, and the second one speaks nothing newer.
    pub(crate) async fn of_before() -> Self {
        Self::begun(Some(0)).await
    }

    async fn begun(at_most: Option<u32>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let dirs = [folder.path().join("one"), folder.path().join("two")];
        let [first, second] = &dirs;
        made(first).await;
        joined(first, second);
        let store = Arc::new(Embedded::open(&first.join("store")).expect("the store"));
        if let Some(most) = at_most {
            lowered(&*store).await;
            hold_back(second, most);
        }
        let lock = Arc::<tokio::sync::Mutex<()>>::default();
        let mut ones = Vec::new();
        for dir in &dirs {
            ones.push(started(dir, &store, &lock).await);
        }
        Self { folder, ones }
    }

    /// Opens the coordinator of a directory once more, as a process that is started again would.
    pub(crate) async fn opened_again(&self, number: usize) -> anyhow::Result<Core> {
        let layout = Layout::new(self.folder.path().join(if number == 0 { "one" } else { "two" }));
        let Local { id, store, lock, .. } = &*self.one(number).cluster;
        let cluster = Arc::new(Local::new(id, store, lock));
        let effects = Arc::clone(&self.one(number).core.effects);
        open_over(&layout, None, Engine { store: Arc::clone(store), effects, cluster: Some(cluster) }).await
    }

    /// The store as its engine has it.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.one(0).cluster.store)
    }

    /// A replica's lease runs out.
    pub(crate) async fn is_gone(&self, number: usize) {
        let gone = Txn::new().delete(keys::replica_alive(&self.one(number).cluster.id));
        self.store().commit(gone).await.expect("commits");
    }

    fn one(&self, number: usize) -> &One {
        self.ones.get(number).expect("one of two")
    }

    pub(crate) fn core(&self, number: usize) -> Arc<Core> {
        Arc::clone(&self.one(number).core)
    }

    /// Has one stand for election, and waits until it leads.
    pub(crate) async fn leads(&self, number: usize) {
        let one = self.one(number);
        one.cluster.rests.send_replace(false);
        let mut led = one.cluster.led.subscribe();
        let led = tokio::time::timeout(WITHIN, led.wait_for(Option::is_some)).await;
        led.expect("it leads in time").expect("it is there");
    }

    /// The core through which one writes in its present term.
    pub(crate) async fn led(&self, number: usize) -> Core {
        let one = self.one(number);
        let term = one.cluster.led.borrow().clone().expect("it leads");
        one.core.over(Arc::new(Fenced::new(Arc::clone(&one.core.store), term)))
    }

    /// Takes the lead from one, without telling it.
    pub(crate) fn depose(&self, number: usize) {
        let cluster = &self.one(number).cluster;
        cluster.rests.send_replace(true);
        let free = cluster.free.lock().expect("nobody panics").take();
        free.expect("it leads").send(()).expect("its term is kept");
    }

    /// Tells one to stop, and waits until it has.
    pub(crate) async fn stop(&self, number: usize) {
        let one = self.one(number);
        one.stop.send_replace(true);
        self.until("it stops", async || one.task.is_finished()).await;
    }

    /// Waits until something is so.
    pub(crate) async fn until(&self, what: &str, so: impl AsyncFn() -> bool) {
        let waiting = async {
            let mut look = tokio::time::interval(Duration::from_millis(20));
            while !so().await {
                look.tick().await;
            }
        };
        tokio::time::timeout(WITHIN, waiting).await.unwrap_or_else(|_| panic!("in time: {what}"));
    }

    /// An agent that joined at one and reports a customer's files; nobody has heard what it keeps of the log.
    pub(crate) async fn enrol(&self, agent: &AgentName, number: usize) {
        let core = self.core(number);
        let evidence = SigningKey::from_seed(&[1; 32]).verifying();
        let (token, _) = core.invite_agent(agent, Duration::from_secs(60)).await.expect("invited");
        let (_, csr) = gallra_identity::new_csr(agent.as_str()).expect("a request for a certificate");
        let joining = Joining { name: agent, evidence: &evidence, csr_pem: &csr };
        core.join_agent(&token.secret, &joining).await.expect("joined");
        let target = TargetInfo {
            id: "www".parse().expect("a literal name"),
            kind: TargetKind::Files,
            category: "customer-data".parse().expect("a literal word"),
            role: Role::Processor,
            scope: Scope::Contract,
            mode: Mode::Act,
            purges: false,
            strategy: None,
            copy_life: None,
            covers: Vec::new(),
            by_address: false,
        };
        let inventory = Inventory { agent: agent.clone(), evidence_key: evidence.to_hex(), targets: vec![target] };
        let txn = Txn::new().put(keys::inventory(agent), encode(&inventory).expect("encodes"));
        core.store.commit(txn).await.expect("commits");
    }

    /// Has the log enter something.
    pub(crate) async fn enter_something(&self, number: usize) {
        let entry = "gallra-log-entry/v1\nkind key-event\npae sha256:28462c1e5b25025505bd65c591cfe44d71c8c6c25be18a877780f6a5904f7bdc\nsig fd110d301d2f077de1414b8f99f441b1403fab207b2052fbd2c065e4ee8e7dc2 sha256:804d0a048703df86f58c83c1a62fb2db84d001d9e819bb06bad4435f7f239fd1\n";
        let entry = entry.parse().expect("an entry");
        let txn = gallra_coordinator::ledger::enqueue(Txn::new(), &entry, Instant::UNIX_EPOCH);
        self.core(number).store.commit(txn).await.expect("commits");
    }

    /// A note under the log's own key of a tree that is larger than the log ever was.
    pub(crate) fn note_ahead(&self, size: u64) -> String {
        let layout = Layout::new(self.folder.path().join("one"));
        let pem = layout.read(gallra_coordinator::ledger::KEY_FILE).expect("the log's key");
        let seed = SigningKey::from_pem(&pem).expect("a key").seed();
        let origin = layout.config().expect("a configuration").origin().expect("an origin");
        let signer = Signer::from_seed(origin.as_str(), Kind::Log, &seed).expect("a key");
        let checkpoint = Checkpoint { origin, size, root: Hash::leaf(b"other"), extensions: Vec::new() };
        let mut note = Note::new(checkpoint.to_string()).expect("a note");
        note.sign(checkpoint.sign(&signer).expect("signs")).expect("fits");
        note.to_string()
    }
}

/// The store as versions before 0042 made it: no schema, and a generation that is a number.
pub(crate) async fn lowered(store: &dyn Store) {
    let before = Txn::new().delete(keys::meta_schema()).put(keys::meta_generation(), "1");
    store.commit(before).await.expect("commits");
}

/// Has the coordinator of a directory speak no newer schema.
pub(crate) fn hold_back(dir: &Path, most: u32) {
    let path = dir.join("coordinator.toml");
    let text = std::fs::read_to_string(&path).expect("reads");
    std::fs::remove_file(&path).expect("a link or a file");
    std::fs::write(&path, format!("schema_at_most = {most}\n{text}")).expect("writes");
}

/// A new coordinator's directory.
pub(crate) async fn made(dir: &Path) {
    let init = Init {
        dir: dir.to_owned(),
        installation: "test".to_owned(),
        listen: "127.0.0.1:1".to_owned(),
        enrol_listen: "127.0.0.1:2".to_owned(),
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
    init::run(&init).await.expect("a new coordinator");
}

/// A second directory of the same coordinator: the same secrets, the same key-wrapping keys, and a folder of its own for the log.
fn joined(first: &Path, second: &Path) {
    std::fs::create_dir(second).expect("a folder");
    for entry in std::fs::read_dir(first).expect("lists") {
        let entry = entry.expect("an entry");
        let name = entry.file_name();
        if name != "store" && name != "log" && name != "log.vkey" {
            std::os::unix::fs::symlink(entry.path(), second.join(name)).expect("links");
        }
    }
    std::fs::create_dir(second.join("log")).expect("a folder");
}

async fn started(dir: &Path, store: &Arc<Embedded>, lock: &Arc<tokio::sync::Mutex<()>>) -> One {
    let layout = Layout::new(dir);
    let id = dir.file_name().and_then(|name| name.to_str()).expect("a name");
    let cluster = Arc::new(Local::new(id, &(Arc::clone(store) as Arc<dyn Store>), lock));
    let engine = Engine {
        store: Arc::clone(store) as Arc<dyn Store>,
        effects: Arc::new(OnDisk::new(Arc::clone(store), layout.path("backups"))),
        cluster: Some(Arc::clone(&cluster) as Arc<dyn Cluster>),
    };
    let now: Instant = "2026-04-01T10:00:00Z".parse().expect("a literal instant");
    let core = Arc::new(open_over(&layout, Some(now), engine).await.expect("it opens"));
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn({
        let (core, cluster) = (Arc::clone(&core), Arc::clone(&cluster) as Arc<dyn Cluster>);
        async move {
            let stamping = Stamping::new(&LogConfig::default()).expect("nobody is asked");
            replica::run(&core, cluster, &stamping, stopped).await;
        }
    });
    One { core, cluster, stop, task }
}
