//! Where etcd is and how it is spoken to. Owns what a configuration may say; upholds that nothing leaves the machine without
//! TLS and a client certificate.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Longest name of a cell: with it, the prefix of 128 keys still leaves a transaction of the store's size within etcd's.
const MAX_CELL: usize = 32;

/// A configuration that is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A cell's name.
    #[error(
        "a cell's name has 1 to {MAX_CELL} lower-case letters, digits and hyphens, and begins with a letter or digit"
    )]
    Cell,
    /// No endpoint is given.
    #[error("no endpoint of etcd is given: expected https://host:2379, one for each member")]
    NoEndpoint,
    /// An endpoint without TLS that is not on this machine.
    #[error("{0}: etcd is spoken to over https with a client certificate; http is for loopback addresses")]
    Plain(String),
    /// An endpoint that is none.
    #[error("{0}: expected https://host:port")]
    Endpoint(String),
}

/// One store among several in one etcd: a customer is always of the same cell (decision 5).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell(String);

impl FromStr for Cell {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let good = (1..=MAX_CELL).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('-');
        if good { Ok(Self(text.to_owned())) } else { Err(ConfigError::Cell) }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whom we trust, and who we are; all PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Tls {
    /// The authority of etcd's server certificates.
    pub ca: String,
    /// Our client certificate, with its chain. Where etcd has users, its common name is the user.
    pub certificate: String,
    /// Its key.
    pub key: String,
    /// The name in the servers' certificates, where it is not the endpoint's host.
    pub server_name: Option<String>,
}

// The key is in no log line.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

/// How a coordinator reaches its etcd.
#[derive(Debug, Clone)]
pub struct Config {
    /// Client addresses of the members, one each: `https://host:port`.
    pub endpoints: Vec<String>,
    /// Under which prefix.
    pub cell: Cell,
    /// None on loopback only.
    pub tls: Option<Tls>,
    /// Longest wait for a connection.
    pub connect_within: Duration,
    /// Longest wait for one member's answer: what is under way when a leader of etcd dies is answered by nobody, and is given up then.
    pub answer_within: Duration,
    /// Longest time over all members for a call that may be tried again.
    pub give_up_after: Duration,
    /// The leader's lease, whole seconds: how long nobody leads after a crash.
    pub lease: Duration,
    /// `--quota-backend-bytes` as etcd was started with, for versions that do not tell (before 3.6).
    pub quota_bytes: Option<u64>,
}

impl Config {
    /// Endpoints and cell, and for all else what suits members in one data centre.
    ///
    /// # Errors
    /// When an endpoint is not to be used.
    pub fn new(endpoints: Vec<String>, cell: Cell, tls: Option<Tls>) -> Result<Self, ConfigError> {
        let config = Self {
            endpoints,
            cell,
            tls,
            connect_within: Duration::from_secs(2),
            answer_within: Duration::from_secs(3),
            give_up_after: Duration::from_secs(15),
            lease: Duration::from_secs(5),
            quota_bytes: None,
        };
        config.check().map(|()| config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        if self.endpoints.is_empty() {
            return Err(ConfigError::NoEndpoint);
        }
        for endpoint in &self.endpoints {
            let uri: tonic::transport::Uri = endpoint.parse().map_err(|_| ConfigError::Endpoint(endpoint.clone()))?;
            let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
            let loopback = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
            match (uri.scheme_str(), &self.tls) {
                (Some("https"), Some(_)) if uri.port().is_some() => {}
                (Some("http"), None) if loopback && uri.port().is_some() => {}
                (Some("http"), _) | (Some("https"), None) => return Err(ConfigError::Plain(endpoint.clone())),
                _ => return Err(ConfigError::Endpoint(endpoint.clone())),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(endpoint: &str, tls: bool) -> Result<Config, ConfigError> {
        let pem = String::new;
        let tls = tls.then(|| Tls { ca: pem(), certificate: pem(), key: pem(), server_name: None });
        Config::new(vec![endpoint.to_owned()], "main".parse().expect("a cell"), tls)
    }

    #[test]
    fn nothing_leaves_the_machine_without_tls() {
        assert!(config("https://etcd1.example:2379", true).is_ok());
        assert!(config("http://127.0.0.1:2379", false).is_ok() && config("http://[::1]:2379", false).is_ok());
        for (endpoint, tls) in [
            ("http://etcd1.example:2379", false),
            ("http://etcd1.example:2379", true),
            ("http://127.0.0.1:2379", true),
            ("https://etcd1.example:2379", false),
            ("http://127.0.0.1.example:2379", false),
        ] {
            assert_eq!(config(endpoint, tls).err(), Some(ConfigError::Plain(endpoint.to_owned())), "{endpoint}");
        }
        for endpoint in ["", "etcd1:2379", "https://etcd1", "ftp://etcd1:2379", "https://:2379 "] {
            assert_eq!(config(endpoint, true).err(), Some(ConfigError::Endpoint(endpoint.to_owned())), "{endpoint}");
        }
    }

    #[test]
    fn a_cell_s_name_parts_no_keys() {
        for good in ["a", "main", "cell-2", "0"] {
            assert!(good.parse::<Cell>().is_ok(), "{good}");
        }
        for bad in ["", "a/b", "A", "-a", "a b", "ä", &"a".repeat(33)] {
            assert!(bad.parse::<Cell>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_is_in_no_log_line() {
        let tls = Tls { ca: "C".into(), certificate: "C".into(), key: "secret".into(), server_name: None };
        assert!(!format!("{tls:?}").contains("secret"));
    }
}
