//! A provider that has just begun: made once in a process, with the product's own `init` and two enrolled agents, and copied for
//! each world. Drawn from one seed, so that it is the same in each process but for certificates, which nothing here looks at.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use gallra_coordinator::init::{self, Init};
use gallra_coordinator::joining::Joining;
use gallra_coordinator::layout::Layout;
use gallra_coordinator::opening::{Engine, open_over};
use gallra_model::AgentName;
use gallra_proof::key::SigningKey;
use gallra_store::epochs::OnDisk;
use gallra_store::{Embedded, Store, transfer};

use crate::chance::Chance;
use crate::store::Entries;
use crate::world::START;

/// The agents.
pub const AGENTS: [&str; 2] = ["web1", "web2"];

/// The key of an agent's receipts.
pub fn evidence(agent: &str) -> SigningKey {
    SigningKey::from_seed(&[agent.as_bytes().last().copied().unwrap_or(0); 32])
}

/// The key that billing signs causes with.
pub fn cause_key() -> SigningKey {
    SigningKey::from_seed(&[9; 32])
}

/// What is copied.
pub struct Template {
    folder: tempfile::TempDir,
    /// The store.
    pub entries: Entries,
}

/// Where files lie in memory, if such a place is there: nothing here is about how durable a real disk is.
pub fn folder() -> std::io::Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }
}

/// The template of this process.
///
/// # Panics
/// When it cannot be made: nothing can be simulated then.
pub fn template() -> &'static Template {
    static MADE: OnceLock<Template> = OnceLock::new();
    MADE.get_or_init(|| {
        let thread = std::thread::spawn(|| {
            let mut chance = Chance::of(0, "template");
            let source: gallra_random::Source = Arc::new(Mutex::new(move |bytes: &mut [u8]| chance.fill(bytes)));
            gallra_random::draw_from(Some(source));
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
            runtime.block_on(make())
        });
        thread.join().expect("it does not panic").expect("a provider can be made")
    })
}

async fn make() -> anyhow::Result<Template> {
    let folder = folder()?;
    let dir = folder.path().join("coordinator");
    let init = Init {
        dir: dir.clone(),
        installation: "sim".to_owned(),
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
    init::run(&init).await?;
    let layout = Layout::new(&dir);
    // Its coordinators share no folder, and its checkers read the store.
    let config = layout.path("coordinator.toml");
    std::fs::write(&config, format!("archive_after_days = 3650\n{}", std::fs::read_to_string(&config)?))?;
    let store = Arc::new(Embedded::open(&layout.path("store"))?);
    let effects = Arc::new(OnDisk::new(Arc::clone(&store), layout.path("backups")));
    let engine = Engine { store: Arc::clone(&store) as Arc<dyn Store>, effects, cluster: None };
    let core = open_over(&layout, Some(START.parse()?), engine).await?;
    for agent in AGENTS {
        let (name, evidence): (AgentName, _) = (agent.parse()?, evidence(agent).verifying());
        let (token, _) = core.invite_agent(&name, Duration::from_secs(600)).await?;
        let (_, csr) = gallra_identity::new_csr(agent)?;
        let joining = Joining { name: &name, evidence: &evidence, csr_pem: &csr };
        core.join_agent(&token.secret, &joining).await.map_err(|error| anyhow::anyhow!("{error}"))?;
    }
    core.register_cause_key(&cause_key().verifying(), "approver").await?;
    let mut entries = Entries::new();
    let mut range = Some(transfer::everything());
    while let Some(next) = range {
        let page = store.range(&next, 1_000).await?;
        for entry in page.entries {
            entries.insert(entry.key.as_str().to_owned(), (entry.version.0, entry.value));
        }
        range = page.more.map(|more| next.starting_at(&more));
    }
    Ok(Template { folder, entries })
}

impl Template {
    /// Copies the directory for a coordinator of a world, with a folder of its own for the log; secrets and keys are shared by all
    /// coordinators of the world, as they are where several run.
    ///
    /// # Errors
    /// The file system's.
    pub fn copy(&self, world: &Path, node: &str) -> anyhow::Result<PathBuf> {
        let (from, shared, own) = (self.folder.path().join("coordinator"), world.join("shared"), world.join(node));
        if !shared.exists() {
            copy_tree(&from, &shared)?;
        }
        std::fs::create_dir_all(own.join("log"))?;
        for entry in std::fs::read_dir(&shared)? {
            let entry = entry?;
            let at = own.join(entry.file_name());
            if entry.file_name() != "log" && entry.file_name() != "log.vkey" && !at.exists() {
                std::os::unix::fs::symlink(entry.path(), at)?;
            }
        }
        Ok(own)
    }
}

fn copy_tree(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    std::fs::set_permissions(to, std::fs::metadata(from)?.permissions())?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let at = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            if entry.file_name() != "store" {
                copy_tree(&entry.path(), &at)?;
            }
        } else {
            std::fs::copy(entry.path(), &at).with_context(|| format!("{}", at.display()))?;
        }
    }
    Ok(())
}
