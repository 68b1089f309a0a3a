//! `gallra-coordinator init`: makes authority, keys, store and the first operator's certificate. Runs once; refuses a
//! directory that holds anything. Uses real time: certificates are for real machines.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use gallra_identity::{Authority, CallerRole, Credential, LEAF_DAYS};
use gallra_policy::Policy;
use gallra_proof::key::SigningKey;
use gallra_store::{Embedded, Keyring, Store as _, Txn, keys};
use jiff::{SignedDuration, Timestamp};

mod manifest;

use crate::clock::real_now;
use crate::core::random;
use crate::layout::{Config, Layout, LogConfig, MetricsConfig, TelemetryConfig, make_private_dir, write_new};
use crate::{generation, schema};

/// What `init` is told.
pub struct Init {
    /// The directory to make.
    pub dir: PathBuf,
    /// The installation's name.
    pub installation: String,
    /// Where sessions and commands are taken, `host:port`.
    pub listen: String,
    /// Where hosts enrol, `host:port`.
    pub enrol_listen: String,
    /// Host names and addresses beside those of the two listeners that the server's certificate is for.
    pub names: Vec<String>,
    /// The policy pack; the packs that it includes lie beside it.
    pub policy: PathBuf,
    /// The first operator's name.
    pub operator: String,
    /// The provider as proofs name it; unset: the installation's name.
    pub provider: Option<String>,
    /// Its country: ISO 3166 in two capitals.
    pub country: String,
    /// A role address for questions about proofs, nobody's own.
    pub contact: String,
    /// Who takes complaints.
    pub authority: String,
    /// A role in the organisation that holds the root keys.
    pub root_holder: String,
    /// Time stamping authorities that the first key manifest names, each `NAME=FILE`: the PEM of the root that its certificates
    /// end in.
    pub time_authorities: Vec<String>,
    /// The log's name; unset: one that is nobody's ([`Config::origin`]). The first key manifest names it, so that it is set here.
    pub log_origin: Option<String>,
    /// The first approver's name: somebody else. Without one, causes can be registered and brought by nobody.
    pub approver: Option<String>,
}

/// Makes it.
///
/// # Errors
/// Says what was in the way; what was made so far is left, so that nothing is overwritten by a second run.
pub async fn run(init: &Init) -> anyhow::Result<()> {
    ensure!(!has_content(&init.dir), "{} is not empty: init makes a new coordinator only", init.dir.display());
    let (name, packs) = read_packs(&init.policy)?;
    manifest::authorities(init)?;
    let config = config(init, name);
    config.origin().context("--log-origin")?;
    make_private_dir(&init.dir)?;
    let layout = Layout::new(&init.dir);
    let now = real_now();
    let authority = Authority::create(&init.installation, now)?;
    write_credential(&layout.path("authority.pem"), &authority.to_pem())?;
    let server =
        authority.issue_server(&server_names(&init.listen, &init.enrol_listen, &init.names)?, now, leaf_validity())?;
    write_credential(&layout.path("server.pem"), &server)?;
    write_permit_key(&layout)?;
    crate::ledger::make_key(&layout)?;
    write_profile(&layout, init, &authority, (CallerRole::Operator, &init.operator), now)?;
    if let Some(approver) = &init.approver {
        ensure!(*approver != init.operator, "--approver: somebody else than the operator");
        write_profile(&layout, init, &authority, (CallerRole::Approver, approver), now)?;
    }
    make_private_dir(&layout.path("policy"))?;
    for (pack, text) in &packs {
        write_new(&layout.path("policy").join(format!("{pack}.toml")), 0o644, text.as_bytes())?;
    }
    write_new(&layout.path("coordinator.toml"), 0o644, toml::to_string(&config)?.as_bytes())?;
    make_store(&layout, init, config.origin()?.as_str()).await
}

fn config(init: &Init, policy: String) -> Config {
    Config {
        installation: init.installation.clone(),
        listen: init.listen.clone(),
        enrol_listen: init.enrol_listen.clone(),
        cell: "main".to_owned(),
        policy,
        schema_at_most: None,
        brake_ends_per_day: crate::brake::ENDS_PER_DAY,
        others: Vec::new(),
        keys: None,
        archive: None,
        archive_after_days: crate::archive::AFTER_DAYS,
        etcd: None,
        log: LogConfig { origin: init.log_origin.clone(), ..LogConfig::default() },
        telemetry: TelemetryConfig::default(),
        metrics: MetricsConfig::default(),
    }
}

async fn make_store(layout: &Layout, init: &Init, origin: &str) -> anyhow::Result<()> {
    make_private_dir(&layout.path("keys"))?;
    Keyring::create(&layout.path("keys")).context("the key-wrapping keys cannot be made")?;
    make_private_dir(&layout.path("store"))?;
    let store = Embedded::create(&layout.path("store")).context("the store cannot be made")?;
    let log = SigningKey::from_pem(&layout.read(crate::ledger::KEY_FILE)?)?;
    let txn = Txn::new()
        .create(keys::meta_schema(), schema::OF_NEW.to_bytes())
        .create(keys::meta_generation(), generation::encode(1, true)?);
    store.commit(manifest::write(layout, init, (origin, &log.verifying()), txn)?).await?;
    Ok(())
}

fn has_content(dir: &Path) -> bool {
    std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some())
}

pub(crate) fn leaf_validity() -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(LEAF_DAYS))
}

/// A policy file and the packs that it includes, which lie beside it.
fn read_packs(file: &Path) -> anyhow::Result<(String, Vec<(String, String)>)> {
    let name = file.file_stem().and_then(|stem| stem.to_str()).context("--policy: not a file name")?.to_owned();
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let beside = file.parent().unwrap_or_else(|| Path::new("."));
    let packs = std::cell::RefCell::new(vec![(name.clone(), text.clone())]);
    let policy = Policy::parse(&name, &text, |include: &str| {
        let text = std::fs::read_to_string(beside.join(format!("{include}.toml"))).ok()?;
        packs.borrow_mut().push((include.to_owned(), text.clone()));
        Some(text)
    });
    if let Err(problems) = policy.and_then(Policy::under_law) {
        bail!("{}: {problems}", file.display());
    }
    Ok((name, packs.into_inner()))
}

pub(crate) fn server_names(listen: &str, enrol_listen: &str, more: &[String]) -> anyhow::Result<Vec<String>> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    for address in [listen, enrol_listen] {
        let (host, _) = address.rsplit_once(':').with_context(|| format!("{address}: expected host:port"))?;
        // The same text goes into profiles and join tokens: it has to be what others dial.
        ensure!(!matches!(host, "0.0.0.0" | "[::]"), "{address}: give the address that agents and operators dial");
        names.push(host.to_owned());
    }
    names.extend(more.iter().cloned());
    names.sort();
    names.dedup();
    Ok(names)
}

pub(crate) fn write_credential(path: &Path, credential: &Credential) -> anyhow::Result<()> {
    write_new(path, 0o600, format!("{}{}", credential.key_pem, credential.cert_pem).as_bytes())
}

fn write_permit_key(layout: &Layout) -> anyhow::Result<()> {
    let key = SigningKey::from_seed(&random()?);
    write_new(&layout.path("permit.key"), 0o600, key.to_pem()?.as_bytes())?;
    write_new(&layout.path("permit.pub"), 0o644, key.verifying().to_pem().as_bytes())
}

/// A directory named after the role, which `gallra --profile` takes.
fn write_profile(
    layout: &Layout,
    init: &Init,
    authority: &Authority,
    (role, name): (CallerRole, &str),
    now: Timestamp,
) -> anyhow::Result<()> {
    let dir = layout.path(role.as_str());
    make_private_dir(&dir)?;
    let credential = authority.issue(role, name, now, leaf_validity())?;
    write_new(&dir.join("client.pem"), 0o644, credential.cert_pem.as_bytes())?;
    write_new(&dir.join("client.key"), 0o600, credential.key_pem.as_bytes())?;
    write_new(&dir.join("authority.pem"), 0o644, authority.certificate_pem().as_bytes())?;
    let address = format!("address = \"https://{}\"\n", init.listen);
    write_new(&dir.join("client.toml"), 0o644, address.as_bytes())
}
