//! `agent.toml`: what the host's admin allows (decision 2). Unknown keys are refused with their line; every path of a
//! target must lie in the roots of `[limits]`. The documented example is `deploy/agent.example.toml`.

mod roots;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gallra_model::target::TargetId;
use gallra_targets::TargetConfig;
use serde::Deserialize;

pub use roots::RootError;

use crate::dir::DirError;

/// Everything in `agent.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What no target may exceed.
    pub limits: Limits,
    /// Where the coordinator is, if not where `join` learnt it to be.
    #[serde(default)]
    pub coordinator: Coordinator,
    /// The targets.
    #[serde(default, rename = "target")]
    pub targets: Vec<TargetConfig>,
}

/// What no target may exceed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Absolute directories: every path of every target lies in one of them.
    pub roots: Vec<PathBuf>,
    /// Jobs that change data and may begin in one hour; unset: no limit.
    #[serde(default)]
    pub jobs_per_hour: Option<u32>,
    /// Seconds that an act may last under one permit. It stops at the next item, and goes on under a new permit, for
    /// which every hold is looked at anew.
    #[serde(default = "one_minute")]
    pub longest_act_seconds: u32,
}

fn one_minute() -> u32 {
    60
}

/// Overrides what `join` learnt.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coordinator {
    /// Where sessions are opened: https URL.
    #[serde(default)]
    pub address: Option<String>,
}

/// `agent.toml` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] DirError),
    /// It is no TOML, or has a key that is unknown, missing or of the wrong kind. Names the line.
    #[error("{}: {source}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What, at which line.
        source: Box<toml::de::Error>,
    },
    /// Two targets under one name.
    #[error("two targets have the name {0}: receipts could not tell them apart")]
    Twice(TargetId),
    /// A backup target covers a target that is not there.
    #[error("target {target} covers {covered}, which is no target of this file")]
    Covers {
        /// The backup target.
        target: TargetId,
        /// What it names.
        covered: TargetId,
    },
    /// A backup target covers nothing: it would be in no plan, and a proof would say final while its copies exist.
    #[error(
        "target {0}: covers is empty, so its copies would be in no plan: name the targets of this file whose data \
        they hold, as covers = [\"web\"]"
    )]
    CoversNothing(TargetId),
    /// A path lies outside of the roots.
    #[error(transparent)]
    Root(#[from] RootError),
}

/// Reads and checks `agent.toml`. Opens no target.
///
/// # Errors
/// [`ConfigError`]; the first problem found.
pub fn read(path: &Path) -> Result<Config, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(DirError::at("reading", path))?;
    parse(&text, path)
}

fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
    let form = |source| ConfigError::Form { path: path.to_owned(), source: Box::new(source) };
    let config: Config = toml::from_str(text).map_err(form)?;
    let table: toml::Table = toml::from_str(text).map_err(form)?;
    let mut names = BTreeSet::new();
    for target in &config.targets {
        if !names.insert(&target.id) {
            return Err(ConfigError::Twice(target.id.clone()));
        }
    }
    for target in &config.targets {
        if target.restic.is_some() && target.covers.is_empty() {
            return Err(ConfigError::CoversNothing(target.id.clone()));
        }
        if let Some(covered) = target.covers.iter().find(|covered| !names.contains(covered)) {
            return Err(ConfigError::Covers { target: target.id.clone(), covered: covered.clone() });
        }
    }
    roots::check(&config.limits.roots, table.get("target"))?;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: &str = "id = \"web\"\ncategory = \"customer-data\"\nrole = \"processor\"\nscope = \"contract\"\n";

    fn with(limits: &str, targets: &str) -> Result<Config, ConfigError> {
        parse(&format!("[limits]\n{limits}\n{targets}"), Path::new("agent.toml"))
    }

    #[test]
    fn unknown_keys_are_refused_with_their_line() {
        let error = with("roots = [\"/srv\"]\nrotos = 1", "").expect_err("unknown").to_string();
        assert!(error.contains("rotos") && error.contains("line 3"), "{error}");
        let error = with("roots = [\"/srv\"]", &format!("[[target]]\n{TARGET}pth = 1")).expect_err("unknown");
        assert!(error.to_string().contains("line 8"), "{error}");
    }

    #[test]
    fn what_is_not_said_is_the_careful_choice() {
        let config = with("roots = [\"/srv\"]", &format!("[[target]]\n{TARGET}")).expect("reads");
        let target = config.targets.first().expect("one");
        assert_eq!(target.mode, gallra_model::target::Mode::Observe);
        assert_eq!(config.limits.longest_act_seconds, 60);
        assert!(parse("", Path::new("agent.toml")).is_err(), "limits are not optional");
    }

    #[test]
    fn names_are_told_apart_and_covers_are_there() {
        let twice = format!("[[target]]\n{TARGET}[[target]]\n{TARGET}");
        assert!(matches!(with("roots = [\"/srv\"]", &twice), Err(ConfigError::Twice(_))));
        let covers = format!("[[target]]\n{TARGET}covers = [\"mail\"]");
        assert!(matches!(with("roots = [\"/srv\"]", &covers), Err(ConfigError::Covers { .. })));
    }

    #[test]
    fn a_backup_that_covers_nothing_is_refused() {
        let backup = |covers: &str| {
            let backup = "id = \"copies\"\ncategory = \"backup\"\nrole = \"processor\"\nscope = \"contract\"\n";
            let restic = "[target.restic]\nrepository = \"/srv/r\"\npassword_file = \"/etc/p\"\n\
                          paths = [\"/srv/{service}\"]\nevery_days = 7\n";
            with("roots = [\"/srv\"]", &format!("[[target]]\n{TARGET}[[target]]\n{backup}{covers}{restic}"))
        };
        backup("covers = [\"web\"]\n").expect("covers the other");
        for nothing in ["", "covers = []\n"] {
            let error = backup(nothing).expect_err("covers nothing").to_string();
            assert!(error.contains("target copies") && error.contains("covers = [\"web\"]"), "{error}");
        }
    }

    #[test]
    fn the_example_is_read() {
        let example = include_str!("../../../deploy/agent.example.toml");
        let config = parse(example, Path::new("agent.example.toml")).expect("the example holds");
        assert!(!config.targets.is_empty());
    }
}
