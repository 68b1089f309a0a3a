//! The `[[target]]` sections of `agent.toml`: common keys here, the rest by each driver's own type, unknown keys
//! refused everywhere. The documented example is `deploy/agent.example.toml`.

use serde::Deserialize;

use gallra_model::target::{Category, Mode, Role, Scope, Strategy, TargetId, TargetInfo};

use crate::driver::Driver;
use crate::{access_log, files, maildir, restic, sql};

/// One target as the host's admin declares it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetConfig {
    /// Name on this agent.
    pub id: TargetId,
    /// Which rules its data falls under.
    pub category: Category,
    /// The provider's legal role.
    pub role: Role,
    /// Whose end it waits for.
    pub scope: Scope,
    /// What may be done; `observe` unless said otherwise.
    #[serde(default = "observe_mode")]
    pub mode: Mode,
    /// Backup targets: ids of the targets on this agent that its copies hold.
    #[serde(default)]
    pub covers: Vec<TargetId>,
    /// Exactly one of the following says where and how.
    #[serde(default)]
    pub files: Option<files::Config>,
    /// A mailbox on disk.
    #[serde(default)]
    pub maildir: Option<maildir::Config>,
    /// Rows in a database.
    #[serde(default)]
    pub sql: Option<sql::Config>,
    /// Lines of an access log.
    #[serde(default, rename = "access-log")]
    pub access_log: Option<access_log::Config>,
    /// A restic repository.
    #[serde(default)]
    pub restic: Option<restic::Config>,
}

fn observe_mode() -> Mode {
    Mode::Observe
}

/// A target's section says nothing usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("target {target}: {problem}")]
pub struct ConfigError {
    /// Which section.
    pub target: TargetId,
    /// What is wrong, and what to write instead.
    pub problem: String,
}

/// Opens the driver that a section declares.
///
/// # Errors
/// When the section names none or several kinds, or the driver refuses its own keys.
pub fn open(config: &TargetConfig) -> Result<Box<dyn Driver>, ConfigError> {
    let wrong = |problem: String| ConfigError { target: config.id.clone(), problem };
    match (&config.files, &config.maildir, &config.sql, &config.access_log, &config.restic) {
        (Some(files), None, None, None, None) => Ok(Box::new(files::Files::open(files).map_err(wrong)?)),
        (None, Some(maildir), None, None, None) => Ok(Box::new(maildir::Maildir::open(maildir).map_err(wrong)?)),
        (None, None, Some(sql), None, None) => Ok(Box::new(sql::Sql::open(sql).map_err(wrong)?)),
        (None, None, None, Some(log), None) => Ok(Box::new(access_log::AccessLog::open(log).map_err(wrong)?)),
        (None, None, None, None, Some(restic)) => Ok(Box::new(restic::Restic::open(restic).map_err(wrong)?)),
        _ => Err(wrong(
            "write exactly one of [target.files], [target.maildir], [target.sql], [target.access-log], [target.restic]"
                .into(),
        )),
    }
}

/// What the agent reports of a target: no path, no selector.
pub fn info(config: &TargetConfig, driver: &dyn Driver) -> TargetInfo {
    let kind = driver.kind();
    TargetInfo {
        id: config.id.clone(),
        kind,
        category: config.category.clone(),
        role: config.role,
        scope: config.scope,
        mode: config.mode,
        strategy: kind.is_backup().then_some(Strategy::Observe),
        purges: driver.purges(),
        copy_life: driver.copy_life(),
        covers: config.covers.clone(),
        by_address: config.access_log.as_ref().is_some_and(|log| log.subject_by == access_log::SubjectBy::Address),
    }
}
