//! TLS towards etcd: what is shown, what is trusted, and what a failed handshake means. Owns the explanations; a certificate
//! that ran out is the likeliest fault of an installation that nobody touched.

use std::error::Error as Source;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Certificate, Identity, TlsOptions};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, Error, RootCertStore};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::Uri;
use x509_parser::pem::Pem;

use crate::config::Tls;

/// How long a server that lets us in stays silent before we believe it: it waits for us to speak.
const SILENT: Duration = Duration::from_millis(300);

/// From when until when a certificate holds, in seconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// First second.
    pub from: i64,
    /// Last second.
    pub until: i64,
}

/// When the first certificate of a PEM text holds; none where it is none.
pub fn validity(pem: &str) -> Option<Validity> {
    let pem = Pem::iter_from_buffer(pem.as_bytes()).next()?.ok()?;
    Some(of(pem.parse_x509().ok()?.validity()))
}

fn of(validity: &x509_parser::certificate::Validity) -> Validity {
    Validity { from: validity.not_before.timestamp(), until: validity.not_after.timestamp() }
}

/// Whether what is shown can be shown: it is read, and the key is the certificate's.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn usable(tls: &Tls) -> Result<(), String> {
    client(tls).map(drop).map_err(|why| why.to_string())
}

pub(crate) fn options(tls: &Tls) -> TlsOptions {
    let options = TlsOptions::new()
        .ca_certificate(Certificate::from_pem(&tls.ca))
        .identity(Identity::from_pem(&tls.certificate, &tls.key));
    match &tls.server_name {
        Some(name) => options.domain_name(name),
        None => options,
    }
}

/// Shakes hands with an endpoint and listens for a refusal. With TLS 1.3 a server refuses a client's certificate when the client
/// believes itself connected, and what a call sees of it is a connection that closed.
///
/// # Errors
/// The refusal, or whatever else is in the way; success says no more than that nothing was said, and how long the server's
/// certificate holds.
pub(crate) async fn knock(tls: &Tls, endpoint: &str) -> io::Result<Option<Validity>> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what);
    let uri: Uri = endpoint.parse().map_err(|_| bad("no endpoint"))?;
    let (host, port) = (uri.host().unwrap_or_default(), uri.port_u16().unwrap_or_default());
    let name = tls.server_name.as_deref().unwrap_or(host).trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(name).map_err(|_| bad("no server name"))?;
    let config = client(tls).map_err(io::Error::other)?;
    let tcp = TcpStream::connect(format!("{host}:{port}")).await?;
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| {
        let (_, certificate) = x509_parser::parse_x509_certificate(chain.first()?).ok()?;
        Some(of(certificate.validity()))
    });
    match tokio::time::timeout(SILENT, stream.read(&mut [0; 1])).await {
        Ok(read) => read.map(|_| shown),
        Err(_) => Ok(shown),
    }
}

fn client(tls: &Tls) -> Result<ClientConfig, Box<dyn Source + Send + Sync>> {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(tls.ca.as_bytes()) {
        roots.add(authority?)?;
    }
    let chain = CertificateDer::pem_slice_iter(tls.certificate.as_bytes()).collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(tls.key.as_bytes())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = builder.with_root_certificates(roots).with_client_auth_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// What a TLS error means; none where it is another error. Once a connection stands (`connecting` is not set), only what is said
/// of certificates says that nothing was carried out: with TLS 1.3 a server refuses a client's after the client has begun to speak.
pub(crate) fn explain(error: &(dyn Source + 'static), connecting: bool) -> Option<String> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "an open enum; the rest speaks for itself")]
    match error.downcast_ref::<Error>()? {
        Error::InvalidCertificate(why) => Some(server_s(why)),
        Error::AlertReceived(alert) => ours(*alert),
        Error::InvalidMessage(_) if connecting => {
            Some("no TLS is spoken at that endpoint; check the port, and --cert-file of that member".to_owned())
        }
        other if connecting => Some(format!("TLS failed: {other}")),
        _ => None,
    }
}

fn server_s(why: &CertificateError) -> String {
    #[expect(clippy::wildcard_enum_match_arm, reason = "an open enum; the rest speaks for itself")]
    let next = match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired: put a new one in its place (--cert-file of that member, read at each new connection)"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet: compare the clocks"
        }
        CertificateError::UnknownIssuer => "it is of another authority than the configured one",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it names another host: give it the endpoint's name or address, or set the server name"
        }
        _ => "it is not accepted",
    };
    format!("etcd's server certificate ({why}): {next}")
}

fn ours(alert: AlertDescription) -> Option<String> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "an open enum; the rest speaks for itself")]
    let next = match alert {
        AlertDescription::CertificateExpired => "it has expired: issue a new one",
        // Older etcd answers so whatever is wrong with it.
        AlertDescription::BadCertificate | AlertDescription::CertificateUnknown => {
            "it has expired, or is not of the authority in --trusted-ca-file: look at its dates, then issue a new one"
        }
        AlertDescription::UnknownCA => "it is not of the authority in --trusted-ca-file",
        AlertDescription::CertificateRequired => "etcd wants one and got none",
        _ => return None,
    };
    Some(format!("etcd refused our client certificate ({alert:?}): {next}"))
}
