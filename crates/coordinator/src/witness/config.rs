//! `witness.toml`: the witness's name, where it listens, and which logs it knows by which keys. No secret.

use anyhow::{Context as _, ensure};
use gallra_log::checkpoint::Origin;
use gallra_log::note::{Key, Kind, is_name};
use serde::{Deserialize, Serialize};

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The name of its key, and so a part of every cosignature: `witness.auditor.example/w1`.
    pub name: String,
    /// Where requests are taken, `host:port`. Plain HTTP: a reverse proxy adds TLS.
    pub listen: String,
    /// The logs, `[[log]]` each.
    #[serde(default, rename = "log", skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<LogConfig>,
}

/// A log that is witnessed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// The first line of its checkpoints.
    pub origin: String,
    /// Its keys, `name+id+base64`; one is enough.
    pub keys: Vec<String>,
}

/// A log, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) origin: Origin,
    pub(super) keys: Vec<Key>,
}

impl Config {
    /// Reads the file's text.
    ///
    /// # Errors
    /// Names the line or the log.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let config: Self = toml::from_str(text).context("witness.toml")?;
        ensure!(is_name(&config.name), "witness.toml: name: expected a key's name, as in witness.example/w1");
        config.read_logs()?;
        Ok(config)
    }

    pub(super) fn read_logs(&self) -> anyhow::Result<Vec<Log>> {
        let mut logs: Vec<Log> = Vec::new();
        for log in &self.logs {
            let read = log.read().with_context(|| format!("witness.toml: the log {}", log.origin))?;
            ensure!(logs.iter().all(|other| other.origin != read.origin), "witness.toml: {} stands twice", log.origin);
            logs.push(read);
        }
        Ok(logs)
    }
}

impl LogConfig {
    pub(super) fn read(&self) -> anyhow::Result<Log> {
        let origin = self.origin.parse().context("origin")?;
        let keys: Vec<Key> = self.keys.iter().map(|key| key.parse()).collect::<Result<_, _>>().context("keys")?;
        ensure!(!keys.is_empty(), "keys: at least one is needed");
        ensure!(keys.iter().all(|key| key.kind() == Kind::Log), "keys: a witness's key cannot be a log's");
        let twice =
            |key: &Key| keys.iter().filter(|other| (other.name(), other.id()) == (key.name(), key.id())).count() > 1;
        ensure!(!keys.iter().any(twice), "keys: one stands twice");
        Ok(Log { origin, keys })
    }
}

#[cfg(test)]
mod tests {
    use gallra_log::note::Signer;

    use super::*;

    fn key(kind: Kind) -> String {
        Signer::from_seed("log.example/1", kind, &[1; 32]).unwrap().public().to_string()
    }

    fn text(name: &str, logs: &[(&str, &[String])]) -> String {
        let logs = logs.iter().map(|(origin, keys)| LogConfig { origin: (*origin).into(), keys: keys.to_vec() });
        let config = Config { name: name.into(), listen: "127.0.0.1:7345".into(), logs: logs.collect() };
        toml::to_string(&config).unwrap()
    }

    #[test]
    fn logs_are_read_and_mistakes_named() {
        let (log, witness) = (key(Kind::Log), key(Kind::Witness));
        let one = std::slice::from_ref(&log);
        assert_eq!(Config::parse(&text("w.example/1", &[])).unwrap().logs, []);
        assert_eq!(Config::parse(&text("w.example/1", &[("a", one), ("b", one)])).unwrap().logs.len(), 2);
        for (bad, said) in [
            (text("w example", &[]), "name"),
            (text("w.example/1", &[("a", one), ("a", one)]), "twice"),
            (text("w.example/1", &[("a", &[])]), "at least one"),
            (text("w.example/1", &[("a", &[log.clone(), log.clone()])]), "twice"),
            (text("w.example/1", &[("a", &[witness])]), "cannot be a log's"),
            (text("w.example/1", &[("a", &[log.replace('+', "-")])]), "not a verifier key"),
            (text("w.example/1", &[("", one)]), "not an origin"),
            (text("w.example/1", &[]) + "more = 1\n", "unknown field"),
        ] {
            let error = format!("{:#}", Config::parse(&bad).unwrap_err());
            assert!(error.contains(said), "{said}: {error}");
        }
    }
}
