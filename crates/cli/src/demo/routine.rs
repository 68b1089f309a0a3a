//! The provider's backup routine: a snapshot of everything each week, and the keep rule carried out after it. It is the
//! provider's, not gallra's: gallra only observes what it does.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use gallra_model::Instant;

/// A restic repository and how the provider uses it.
#[derive(Debug, Clone)]
pub struct Routine {
    /// The repository.
    pub repository: PathBuf,
    /// The file with its password.
    pub password: PathBuf,
    /// What is saved, one group a list: restic's keep rules count within a group of paths.
    pub groups: Vec<Vec<PathBuf>>,
    /// `--keep-…` arguments of `forget`; empty stops the pruning.
    pub keep: Vec<String>,
}

impl Routine {
    /// Makes the repository.
    ///
    /// # Errors
    /// restic's.
    pub fn create(&self) -> anyhow::Result<()> {
        if let Some(above) = self.repository.parent() {
            std::fs::create_dir_all(above)?;
        }
        std::fs::write(&self.password, "the provider's own secret\n")?;
        self.restic(&["init"]).map(drop)
    }

    /// Saves every group, as of this time.
    ///
    /// # Errors
    /// restic's.
    pub fn back_up(&self, now: Instant) -> anyhow::Result<()> {
        let time = now.strftime("%Y-%m-%d %H:%M:%S").to_string();
        for group in &self.groups {
            let paths =
                group.iter().map(|path| path.to_str().context("a path is no text")).collect::<Result<Vec<_>, _>>()?;
            let mut arguments = vec!["backup", "--quiet", "--host", "web1", "--time", &time];
            arguments.extend(paths);
            self.restic(&arguments)?;
        }
        Ok(())
    }

    /// Carries the keep rule out.
    ///
    /// # Errors
    /// restic's.
    pub fn prune(&self) -> anyhow::Result<()> {
        if self.keep.is_empty() {
            return Ok(());
        }
        let mut arguments = vec!["forget", "--quiet", "--prune", "--max-unused", "0"];
        arguments.extend(self.keep.iter().map(String::as_str));
        self.restic(&arguments).map(drop)
    }

    /// Writes what the newest snapshot holds of a path to a directory.
    ///
    /// # Errors
    /// restic's.
    pub fn restore_newest(&self, path: &Path, to: &Path) -> anyhow::Result<()> {
        let (path, to) = (path.to_str().context("a path is no text")?, to.to_str().context("a path is no text")?);
        self.restic(&["restore", "latest", "--quiet", "--include", path, "--target", to]).map(drop)
    }

    fn restic(&self, arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
        let output = Command::new("restic")
            .args(["--no-cache", "--repo"])
            .arg(&self.repository)
            .arg("--password-file")
            .arg(&self.password)
            .args(arguments)
            // Snapshot times are given as UTC.
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .output()
            .context("restic cannot be started: `./dev demo` installs it")?;
        let verb = arguments.first().copied().unwrap_or_default();
        ensure!(output.status.success(), "restic {verb}: {}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(output.stdout)
    }
}
