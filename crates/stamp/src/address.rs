//! Where an authority is, and who may vouch for its name. Reads certificates once; refuses to connect.

use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::Uri;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use crate::{AskError, Why};

/// Where Debian's `ca-certificates` keeps the roots that its users trust.
pub const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Who may vouch for the name in an `https` address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Roots {
    /// Those of [`SYSTEM_ROOTS`].
    #[default]
    System,
    /// Those in this PEM file.
    File(PathBuf),
}

/// A parsed address.
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) path: String,
    secure: bool,
    /// There where it is secure.
    pub(crate) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Address {
    pub(crate) fn new(url: &str, roots: &Roots) -> Result<Self, AskError> {
        let failed = |why| AskError { authority: "as configured".to_owned(), why };
        let address = |why| failed(Why::Address(why));
        let uri: Uri = url.parse().map_err(|_| address("it cannot be read"))?;
        let authority = uri.authority().ok_or_else(|| address("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(address("a name and password in it are not supported"));
        }
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(address("neither http nor https")),
        };
        let host = host(authority.host()).ok_or_else(|| address("its host is no name"))?.to_owned();
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let mut parsed = Self { host, port, path, secure, tls: None };
        if secure {
            let name = ServerName::try_from(parsed.host.clone()).map_err(|_| address("its host is no name"))?;
            let config = client(roots).map_err(|why| AskError { authority: parsed.to_string(), why })?;
            parsed.tls = Some((Arc::new(config), name));
        }
        Ok(parsed)
    }

    /// As the Host field has it: without the port that goes without saying.
    pub(crate) fn host_field(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let usual = if self.secure { 443 } else { 80 };
        if self.port == usual { host } else { format!("{host}:{}", self.port) }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.host_field())
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the path, which may be what an authority knows its customers by.
        write!(f, "{self}")
    }
}

/// A name, an IPv4 address, or an IPv6 address out of the brackets that belong to its spelling in URLs and nowhere else. The library
/// takes more, and what it takes has two readings.
fn host(text: &str) -> Option<&str> {
    match text.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').filter(|inner| inner.parse::<Ipv6Addr>().is_ok()),
        None => {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
            (!text.is_empty() && text.bytes().all(plain)).then_some(text)
        }
    }
}

fn client(roots: &Roots) -> Result<ClientConfig, Why> {
    let path = match roots {
        Roots::System => Path::new(SYSTEM_ROOTS),
        Roots::File(path) => path,
    };
    let told = |why: String| Why::Roots(format!("{}: {why}", path.display()));
    let pem = std::fs::read(path).map_err(|why| told(why.to_string()))?;
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| told("not certificates in PEM".to_owned()))?;
        // The system's bundle may have one of a kind that nobody reads; it then vouches for nobody.
        let _ = store.add(certificate);
    }
    if store.is_empty() {
        return Err(told("no certificate in it".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let versions = versions.map_err(|why| told(why.to_string()))?;
    Ok(versions.with_root_certificates(store).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        for (url, told, path) in [
            ("http://tsa.example", "http://tsa.example", "/"),
            ("http://tsa.example:8081/tsr?x=1", "http://tsa.example:8081", "/tsr?x=1"),
            ("http://[::1]:81/", "http://[::1]:81", "/"),
        ] {
            let address = Address::new(url, &Roots::System).unwrap();
            assert_eq!((address.to_string().as_str(), address.path.as_str()), (told, path), "{url}");
        }
        for bad in [
            "",
            "tsa.example",
            "/tsr",
            "ftp://tsa.example/",
            "http://name:secret@tsa.example/",
            "http:// x/",
            "http://x[::1]/",
            "http://[tsa.example]/",
        ] {
            let error = Address::new(bad, &Roots::System).unwrap_err();
            assert!(matches!(error.why, Why::Address(_)), "{bad}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn roots_that_are_none_are_refused_at_once() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Address::new("https://tsa.example", &Roots::File(file.path().to_owned())).unwrap_err();
        assert!(matches!(&error.why, Why::Roots(why) if why.ends_with("no certificate in it")), "{error}");
        let missing = Roots::File(file.path().join("missing"));
        let error = Address::new("https://tsa.example", &missing).unwrap_err();
        assert!(error.to_string().starts_with("time stamp authority https://tsa.example: "), "{error}");
    }
}
