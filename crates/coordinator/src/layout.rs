//! The coordinator's directory: which file is where, and its configuration.
//!
//! ```text
//! coordinator.toml     names and addresses; no secret
//! authority.pem        certificate authority: key and certificate (0600). Whoever has it can be any caller.
//! server.pem           the server's key and certificate (0600)
//! issuer.key           signs plans and proofs (0600), with the next. Whoever has both can claim an erasure; agents' keys are
//!                      elsewhere. Of all issuer*.key those sign that the newest key manifest lists (0030).
//! issuer-ml-dsa.key    the other of the two (0600): ML-DSA-65
//! issuer.pub           the public halves of both, PEM: publish it
//! anchor               the trust anchor: digest of the first key manifest; print it where it cannot be changed later
//! roots/               keys of the first root holder (0700): they say which keys may sign what. Move them away from this
//!                      machine, to people, before anything real is erased
//! permit.key           signs permits (0600). Whoever has it and a place on the network can make agents act, within their
//!                      own limits.
//! log.key              signs the log's checkpoints (0600). Whoever has it can show two histories; keep a copy: no other key goes
//!                      on with the same log.
//! log.vkey             its public half under the log's name: publish it
//! log/                 what was published last, kept out of the store's backups so that one that went back is found (0027)
//! keys/                key-wrapping keys by epoch (0700): outside the store and its backups (decision 12)
//! store/               the embedded store
//! archive/             finished requests, one file each, where `archive` names no other folder: what the store says is there is nowhere else
//! backups/             copies of the store, one or more of the current key epoch; without `keys/` they name nobody
//! generation           the highest generation of the store that was served from here: not in the store, so that one that went back is
//!                      not served
//! store-replaced-*     stores that a restore moved aside; a person removes them
//! clock                which clock it was first served under: `real` or `simulated`
//! policy/              the policy packs that were given at init
//! operator/            the first operator's certificate
//! approver/            the first approver's certificate, if one was named: hand it over and remove it here
//! ```

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use gallra_log::checkpoint::Origin;
use gallra_model::Clock;
use gallra_telemetry::Collector;
use gallra_tlog::Remote;
use serde::{Deserialize, Serialize};

/// `coordinator.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The installation's name: 1 to 63 of a-z, 0-9 and '-'. It is in every certificate.
    pub installation: String,
    /// Where sessions and commands are taken, `host:port`.
    pub listen: String,
    /// Where hosts enrol, `host:port`.
    pub enrol_listen: String,
    /// The cell's name: customers of a large provider are divided among cells, of which each has its own store, keys and log
    /// (0039). In etcd its state lies under `gallra/CELL/`.
    #[serde(default = "cell")]
    pub cell: String,
    /// Name of the policy pack in `policy/`: holds until `gallra policy apply`.
    pub policy: String,
    /// The store's schema is raised no further than this while a new version is tried, so that the one before can still work on it.
    /// Unset: as far as all coordinators speak.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_at_most: Option<u32>,
    /// More contract ends on one local day than this pull the emergency stop, until somebody has looked (`gallra start`).
    #[serde(default = "brake_ends_per_day")]
    pub brake_ends_per_day: u32,
    /// Where the other coordinators on the same store take sessions, `host:port`: hosts that enrol here learn of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
    /// The folder of the key-wrapping keys, absolute or from this directory: where several coordinators share it, all of them name
    /// the same one. Unset: `keys`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<PathBuf>,
    /// The folder that finished requests leave the store for, absolute or from this directory: where several coordinators share the
    /// store, all of them name the same one. Unset: `archive`; on etcd finished requests stay in the store then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<PathBuf>,
    /// Days after which a finished request of which nobody says anything any more leaves the store: 1 to 3650.
    #[serde(default = "archive_after_days", skip_serializing_if = "is_archive_after_days")]
    pub archive_after_days: u32,
    /// The state is in etcd, and other coordinators may work on it; unset: in `store/`, and this one is alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etcd: Option<EtcdConfig>,
    /// The transparency log.
    #[serde(default)]
    pub log: LogConfig,
    /// Where spans of the work go.
    #[serde(default, skip_serializing_if = "TelemetryConfig::is_unset")]
    pub telemetry: TelemetryConfig,
    /// Figures for Prometheus.
    #[serde(default, skip_serializing_if = "MetricsConfig::is_unset")]
    pub metrics: MetricsConfig,
}

/// `[metrics]` in `coordinator.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsConfig {
    /// Where `GET /metrics` is answered, `host:port`, to whoever connects: loopback, or a network of one's own. Plain HTTP, and no name of
    /// anybody. Unset: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
}

impl MetricsConfig {
    fn is_unset(&self) -> bool {
        self.listen.is_none()
    }
}

/// `[telemetry]` in `coordinator.toml`: ids and words, never an identifier (0037).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetryConfig {
    /// A collector, OTLP over gRPC: `http://127.0.0.1:4317`, or https with `authority`. Unset: what `OTEL_EXPORTER_OTLP_ENDPOINT` says,
    /// else nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otlp: Option<String>,
    /// PEM file of who vouches for an https collector's certificate; a path from this directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<PathBuf>,
}

impl TelemetryConfig {
    fn is_unset(&self) -> bool {
        *self == Self::default()
    }

    /// The collector, with the file that it names; none where none is configured.
    ///
    /// # Errors
    /// Names the file.
    pub fn collector(&self, layout: &Layout) -> anyhow::Result<Option<Collector>> {
        let read = |path: &PathBuf| {
            let path = layout.path_of(path);
            fs::read_to_string(&path).with_context(|| format!("telemetry: {} cannot be read", path.display()))
        };
        let authority = self.authority.as_ref().map(read).transpose()?;
        Ok(Collector::configured(self.otlp.clone(), authority))
    }
}

/// `[etcd]` in `coordinator.toml`: an etcd of its own, never that of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EtcdConfig {
    /// Client addresses of its members, one each: `https://host:port`. Without TLS on loopback only.
    pub endpoints: Vec<String>,
    /// Authority of the members' certificates, PEM; a path from this directory. With it, the two that follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<PathBuf>,
    /// The coordinator's client certificate, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// Its key, PEM (0600).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// The name in the members' certificates, where it is not the address's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// Seconds of the leader's lease: how long nobody leads after a crash.
    #[serde(default = "lease_seconds")]
    pub lease_seconds: u32,
    /// `--quota-backend-bytes` as etcd was started with, for versions before 3.6, which do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_bytes: Option<u64>,
}

impl EtcdConfig {
    /// The configuration, with the files that it names.
    ///
    /// # Errors
    /// Names the key, or the file.
    pub fn read(&self, layout: &Layout) -> anyhow::Result<gallra_store_etcd::Config> {
        self.read_for(layout, &layout.config()?.cell)
    }

    /// The same for another cell of the same etcd.
    ///
    /// # Errors
    /// As [`EtcdConfig::read`].
    pub fn read_for(&self, layout: &Layout, cell: &str) -> anyhow::Result<gallra_store_etcd::Config> {
        let tls = self.tls(layout)?;
        let cell = cell.parse().context("the cell's name")?;
        let config = gallra_store_etcd::Config::new(self.endpoints.clone(), cell, tls);
        let mut config = config.context("coordinator.toml: etcd.endpoints")?;
        anyhow::ensure!(
            (2..=60).contains(&self.lease_seconds),
            "coordinator.toml: etcd.lease_seconds: expected 2 to 60"
        );
        config.lease = std::time::Duration::from_secs(self.lease_seconds.into());
        config.quota_bytes = self.quota_bytes;
        Ok(config)
    }

    /// What the files hold now; none where none is configured.
    ///
    /// # Errors
    /// Names the key, or the file.
    pub fn tls(&self, layout: &Layout) -> anyhow::Result<Option<gallra_store_etcd::Tls>> {
        let file = |path: &Path| {
            let path = layout.path_of(path);
            fs::read_to_string(&path).with_context(|| format!("etcd: {} cannot be read", path.display()))
        };
        Ok(match (&self.authority, &self.certificate, &self.key) {
            (None, None, None) => None,
            (Some(ca), Some(certificate), Some(key)) => Some(gallra_store_etcd::Tls {
                ca: file(ca)?,
                certificate: file(certificate)?,
                key: file(key)?,
                server_name: self.server_name.clone(),
            }),
            _ => anyhow::bail!("coordinator.toml: etcd: authority, certificate and key are given together"),
        })
    }
}

fn archive_after_days() -> u32 {
    crate::archive::AFTER_DAYS
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_archive_after_days(days: &u32) -> bool {
    *days == archive_after_days()
}

fn cell() -> String {
    "main".to_owned()
}

fn lease_seconds() -> u32 {
    5
}

/// `[log]` in `coordinator.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// The log's name, and that of its key: 1 to 255 bytes without space, plus sign or control character. A name below a
    /// domain of the provider's, as `log.provider.example/2026a`: it is in every checkpoint, and never changes once there is
    /// an entry. Without one, [`Config::origin`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// How many agents must have said what they keep of the log before the first signature after a start; where fewer are
    /// enrolled, all of them. 0: none.
    #[serde(default = "hear_agents")]
    pub hear_agents: u32,
    /// Where anybody may read checkpoint and tiles, `host:port`. Plain HTTP: a reverse proxy adds TLS. Unset: nobody may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// Who cosigns its checkpoints, `[[log.witness]]` each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub witness: Vec<WitnessConfig>,
    /// Time stamping authorities (RFC 3161), `http://HOST[:PORT][/PATH]` or https: the first is asked, the others where it does not
    /// answer. What they say is believed under a root that the key manifest names. None: nobody outside says when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timestamp: Vec<String>,
    /// Minutes between two time stamps, where there is something new to be stamped.
    #[serde(default = "timestamp_minutes")]
    pub timestamp_minutes: u32,
}

/// `[[log.witness]]` in `coordinator.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessConfig {
    /// What it is called in our log lines.
    pub name: String,
    /// `http://HOST[:PORT][/PREFIX]`.
    pub url: String,
    /// What it printed at its init: `name+id+base64`.
    pub key: String,
}

impl WitnessConfig {
    /// The witness, as it is asked.
    ///
    /// # Errors
    /// Names the witness and the key.
    pub fn read(&self) -> anyhow::Result<Remote> {
        let of = || format!("coordinator.toml: log.witness {}", self.name);
        let address = self.url.parse().context("url").with_context(of)?;
        let key = self.key.parse().context("key").with_context(of)?;
        Remote::new(self.name.clone(), address, vec![key]).with_context(of)
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            origin: None,
            hear_agents: hear_agents(),
            listen: None,
            witness: Vec::new(),
            timestamp: Vec::new(),
            timestamp_minutes: timestamp_minutes(),
        }
    }
}

fn timestamp_minutes() -> u32 {
    60
}

fn hear_agents() -> u32 {
    1
}

impl Config {
    /// Whether finished requests leave the store: on etcd only where the folder that all coordinators share is named.
    pub fn archives(&self) -> bool {
        self.etcd.is_none() || self.archive.is_some()
    }

    /// Who cosigns the log's checkpoints.
    ///
    /// # Errors
    /// Names the witness.
    pub fn witnesses(&self) -> anyhow::Result<Vec<Remote>> {
        self.log.witness.iter().map(WitnessConfig::read).collect()
    }

    /// The log's name. Where none is configured one that is nobody's, below the domain that RFC 2606 keeps free for that.
    ///
    /// # Errors
    /// Where the configured one cannot be a key's name.
    pub fn origin(&self) -> anyhow::Result<Origin> {
        let text = self.log.origin.clone().unwrap_or_else(|| format!("log.{}.invalid/1", self.installation));
        let origin: Option<Origin> = text.parse().ok();
        origin.filter(Origin::is_key_name).context(
            "coordinator.toml: log.origin: expected 1 to 255 bytes without space, plus sign or control character",
        )
    }

    /// Reads the file's text. The two names are labels: the one is in every certificate, the other names a file.
    ///
    /// # Errors
    /// Names the line and the key.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let config: Self = toml::from_str(text).context("coordinator.toml")?;
        for (key, name) in [("installation", &config.installation), ("policy", &config.policy), ("cell", &config.cell)]
        {
            let label = gallra_identity::is_label(name);
            anyhow::ensure!(label, "coordinator.toml: {key}: expected 1 to 63 of a-z, 0-9 and '-'");
        }
        let days = crate::archive::LEAST_DAYS..=crate::archive::MOST_DAYS;
        anyhow::ensure!(
            days.contains(&config.archive_after_days),
            "coordinator.toml: archive_after_days: expected {} to {}",
            days.start(),
            days.end()
        );
        config.origin()?;
        config.witnesses()?;
        Ok(config)
    }
}

fn brake_ends_per_day() -> u32 {
    crate::brake::ENDS_PER_DAY
}

/// Paths in the coordinator's directory.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout of a directory.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A file or directory in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Reads a file that must be there.
    ///
    /// # Errors
    /// Names the file and what makes it.
    pub fn read(&self, name: &str) -> anyhow::Result<String> {
        let path = self.path(name);
        fs::read_to_string(&path)
            .with_context(|| format!("{} cannot be read; `gallra-coordinator init` makes it", path.display()))
    }

    /// Reads `coordinator.toml`.
    ///
    /// # Errors
    /// Names the file, the line and the key.
    pub fn config(&self) -> anyhow::Result<Config> {
        Config::parse(&self.read("coordinator.toml")?)
    }

    /// Refuses to serve under another clock than the directory was first served under: what real people asked for never
    /// runs on a demonstration's time, nor the other way round (decision 6).
    ///
    /// # Errors
    /// Names both clocks.
    pub fn keep_to_clock(&self, clock: Clock) -> anyhow::Result<()> {
        let word = match clock {
            Clock::Real => "real",
            Clock::Simulated => "simulated",
        };
        let path = self.path("clock");
        match fs::read_to_string(&path) {
            Ok(first) if first.trim() == word => Ok(()),
            Ok(first) => anyhow::bail!(
                "this directory belongs to a {} clock and is not served under a {word} one: make another with init",
                first.trim()
            ),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                write_new(&path, 0o644, format!("{word}\n").as_bytes())
            }
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
        }
    }

    /// Where the key-wrapping keys are.
    pub fn keys(&self, config: &Config) -> PathBuf {
        self.path_of(config.keys.as_deref().unwrap_or_else(|| Path::new("keys")))
    }

    /// Where finished requests are that left the store.
    pub fn archive(&self, config: &Config) -> PathBuf {
        self.path_of(config.archive.as_deref().unwrap_or_else(|| Path::new("archive")))
    }

    /// A path as a configuration names it: absolute, or from the directory.
    pub fn path_of(&self, path: &Path) -> PathBuf {
        self.root.join(path)
    }

    /// Reads a pack of `policy/`.
    pub fn pack(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path("policy").join(format!("{name}.toml"))).ok()
    }
}

/// Makes a directory that only its owner may enter, parents included.
///
/// # Errors
/// Names the directory.
pub fn make_private_dir(path: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("{} cannot be made", path.display()))
}

/// Writes a new file with a mode, synced; never over an existing one.
///
/// # Errors
/// Names the file.
pub fn write_new(path: &Path, mode: u32, content: &[u8]) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().with_context(|| format!("{} cannot be written", path.display()))
}
