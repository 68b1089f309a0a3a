//! `agent.toml`: what the host's admin allows (decision 2). Unknown keys are refused with their line; every path of a
//! target must lie in the roots of `[limits]`. The documented example is `deploy/agent.example.toml`.

mod causes;
mod roots;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gallra_model::hours::Hours;
use gallra_model::target::{Mode, TargetId};
use gallra_targets::TargetConfig;
use serde::Deserialize;

pub use causes::Causes;
pub use roots::RootError;

use crate::dir::DirError;

/// Everything in `agent.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What no target may exceed.
    pub limits: Limits,
    /// Whose signature is wanted before anything is erased.
    #[serde(default)]
    pub causes: Causes,
    /// Where the coordinator is, if not where `join` learnt it to be.
    #[serde(default)]
    pub coordinator: Coordinator,
    /// The half that is on the network.
    #[serde(default)]
    pub session: Session,
    /// What `gallra-agent restored` accepts.
    #[serde(default)]
    pub restore: Restore,
    /// Where spans of the work go.
    #[serde(default)]
    pub telemetry: Telemetry,
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
    /// Items (files, mails, rows) that an act may erase in a second, so that customers do not feel it; unset: no limit.
    #[serde(default)]
    pub items_per_second: Option<u32>,
    /// Local hours (Europe/Stockholm) in which nothing is changed, for example `["08:00-18:00"]`.
    #[serde(default)]
    pub quiet_hours: Vec<Hours>,
    /// Seconds that an act may last under one permit, from its asking. At the next item it asks for another one, for which
    /// every hold is looked at anew.
    #[serde(default = "one_minute")]
    pub longest_act_seconds: u32,
}

fn one_minute() -> u32 {
    60
}

/// Overrides what `join` learnt, both together.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coordinator {
    /// Where sessions are opened: https URL.
    #[serde(default)]
    pub address: Option<String>,
    /// Where else, if there are several coordinators: https URLs, tried one after the other.
    #[serde(default)]
    pub others: Vec<String>,
}

impl Coordinator {
    /// Where sessions are opened, the first one first; none where it is not said here.
    pub fn addresses(&self) -> Vec<String> {
        self.address.iter().chain(&self.others).cloned().collect()
    }
}

/// The half that is on the network.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// The local user that it runs as, best one of its own; unset: nobody. Only root can make it another than its own.
    #[serde(default)]
    pub user: Option<String>,
}

/// What `gallra-agent restored` accepts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Restore {
    /// Days since the coordinator last said that the suppression list was complete; an older one needs the admin's word.
    pub list_max_age_days: u32,
}

impl Default for Restore {
    fn default() -> Self {
        Self { list_max_age_days: 7 }
    }
}

/// Where spans of the work go: ids and words, never an identifier (0037).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// A collector, OTLP over gRPC: `http://127.0.0.1:4317`, or https with `authority`. Unset: what `OTEL_EXPORTER_OTLP_ENDPOINT`
    /// says, else nowhere.
    #[serde(default)]
    pub otlp: Option<String>,
    /// PEM file of who vouches for an https collector's certificate.
    #[serde(default)]
    pub authority: Option<PathBuf>,
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
    /// A target may be acted on, and nobody is trusted to say that something is to be erased.
    #[error(
        "target {0} is in mode \"act\", and [causes] trusts no key: erasing needs, beside the coordinator's word, a \
        signature that this host trusts; make a key with `gallra key create --for cause --out FILE` where contracts are \
        ended, and add the line that it prints"
    )]
    NoCauseKey(TargetId),
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

/// Checks the text of an `agent.toml`; `path` is for the messages.
///
/// # Errors
/// As [`read`].
pub fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
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
    if config.causes.keys.is_empty()
        && let Some(target) = config.targets.iter().find(|target| target.mode == Mode::Act)
    {
        return Err(ConfigError::NoCauseKey(target.id.clone()));
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
        assert_eq!(target.mode, Mode::Observe);
        assert_eq!(config.limits.longest_act_seconds, 60);
        assert!(parse("", Path::new("agent.toml")).is_err(), "limits are not optional");
    }

    #[test]
    fn nothing_is_acted_on_for_a_host_that_trusts_no_cause_key() {
        let act = |causes: &str| {
            let files = "mode = \"act\"\n[target.files]\nroot = \"/srv\"\npath = \"{service}\"\n";
            with("roots = [\"/srv\"]", &format!("{causes}[[target]]\n{TARGET}{files}"))
        };
        let key = gallra_proof::key::SigningKey::from_seed(&[3; 32]).verifying().to_hex();
        for nobody in ["", "[causes]\n", "[causes]\nkeys = []\n"] {
            let error = act(nobody).expect_err("trusts nobody");
            assert!(matches!(error, ConfigError::NoCauseKey(_)), "{error}");
            assert!(error.to_string().contains("gallra key create --for cause"), "{error}");
        }
        let wrong = act("[causes]\nkeys = [\"ff\"]\n").expect_err("no key").to_string();
        assert!(wrong.contains("line 4") && wrong.contains("not a public key"), "{wrong}");
        assert_eq!(act(&format!("[causes]\nkeys = [\"{key}\"]\n")).expect("trusts one").causes.keys.len(), 1);
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
