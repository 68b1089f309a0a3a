//! The coordinator's directory: which file is where, and its configuration.
//!
//! ```text
//! coordinator.toml     names and addresses; no secret
//! authority.pem        certificate authority: key and certificate (0600). Whoever has it can be any caller.
//! server.pem           the server's key and certificate (0600)
//! issuer.key           signs plans and proofs (0600). Whoever has it can claim an erasure; agents' keys are elsewhere.
//! issuer.pub           its public half, PEM: publish it
//! permit.key           signs permits (0600). Whoever has it and a place on the network can make agents act, within their
//!                      own limits.
//! keys/                key-wrapping keys by epoch (0700): outside the store and its backups (decision 12)
//! store/               the embedded store
//! backups/             copies of the store, one or more of the current key epoch; without `keys/` they name nobody
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
use gallra_model::Clock;
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
    /// Name of the policy pack in `policy/`: holds until `gallra policy apply`.
    pub policy: String,
    /// More contract ends on one local day than this pull the emergency stop, until somebody has looked (`gallra start`).
    #[serde(default = "brake_ends_per_day")]
    pub brake_ends_per_day: u32,
}

impl Config {
    /// Reads the file's text. The two names are labels: the one is in every certificate, the other names a file.
    ///
    /// # Errors
    /// Names the line and the key.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let config: Self = toml::from_str(text).context("coordinator.toml")?;
        for (key, name) in [("installation", &config.installation), ("policy", &config.policy)] {
            let label = gallra_identity::is_label(name);
            anyhow::ensure!(label, "coordinator.toml: {key}: expected 1 to 63 of a-z, 0-9 and '-'");
        }
        Ok(config)
    }
}

fn brake_ends_per_day() -> u32 {
    crate::halt::BRAKE_ENDS_PER_DAY
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
