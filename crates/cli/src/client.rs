//! The connection to the coordinator: a profile directory with an address, the authority and a certificate, as
//! `gallra-coordinator init` writes one to `operator/`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gallra_identity::is_https_address;
use serde::Deserialize;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::exit::{Failure, UNREACHABLE, USAGE};

/// `client.toml` of a profile.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientConfig {
    /// https URL of the coordinator.
    address: String,
}

impl ClientConfig {
    /// Reads the file's text. Anything but https would be spoken in clear, with whoever answers.
    fn parse(text: &str) -> Result<Self, Failure> {
        let config: Self =
            toml::from_str(text).map_err(|error| Failure::new(USAGE, format!("client.toml: {error}")))?;
        if is_https_address(&config.address) {
            Ok(config)
        } else {
            Err(Failure::new(USAGE, "client.toml, address: expected https://host:port"))
        }
    }
}

/// A way in for `gallra-fuzzing`: the address that a `client.toml` names. No part of the product calls it.
///
/// # Errors
/// The refusal.
#[doc(hidden)]
pub fn address_in(text: &str) -> Result<String, String> {
    ClientConfig::parse(text).map(|config| config.address).map_err(|failure| failure.text)
}

/// Where the profile is when nothing says so: `$HOME/.config/gallra`.
fn default_profile() -> Option<PathBuf> {
    std::env::var_os("HOME").map(|home| Path::new(&home).join(".config/gallra"))
}

/// The endpoint that a profile describes.
///
/// # Errors
/// Names the file that is missing or wrong.
pub fn endpoint(profile: Option<&Path>) -> Result<Endpoint, Failure> {
    let dir = profile.map(Path::to_owned).or_else(default_profile);
    let dir = dir.ok_or_else(|| Failure::new(USAGE, "no profile: give --profile DIR or set GALLRA_PROFILE"))?;
    let read = |name: &str| {
        std::fs::read_to_string(dir.join(name)).map_err(|error| {
            let path = dir.join(name);
            Failure::new(USAGE, format!("{}: {error}\nhint: --profile names a directory like the operator/ that `gallra-coordinator init` makes", path.display()))
        })
    };
    let config = ClientConfig::parse(&read("client.toml")?)?;
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(read("authority.pem")?))
        .identity(Identity::from_pem(read("client.pem")?, read("client.key")?));
    let wrong = |error: tonic::transport::Error| Failure::new(USAGE, format!("client.toml, address: {error}"));
    Ok(Endpoint::from_shared(config.address)
        .map_err(wrong)?
        .tls_config(tls)
        .map_err(wrong)?
        .connect_timeout(Duration::from_secs(10))
        .tcp_nodelay(true))
}

/// Connects.
///
/// # Errors
/// Says that the coordinator cannot be reached, and what to look at.
pub async fn connect(profile: Option<&Path>) -> Result<Channel, Failure> {
    let endpoint = endpoint(profile)?;
    endpoint.connect().await.map_err(|error| {
        let why = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        let text = format!("{} cannot be reached: {error} {why}\nhint: is gallra-coordinator running?", endpoint.uri());
        Failure::new(UNREACHABLE, text)
    })
}
