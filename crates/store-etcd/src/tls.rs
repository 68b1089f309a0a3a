//! TLS towards etcd: what is shown, what is trusted, and what a failed handshake means. Owns the explanations; a certificate
//! that ran out is the likeliest fault of an installation that nobody touched.

use std::error::Error as Source;

use etcd_client::{Certificate, Identity, TlsOptions};
use rustls::{AlertDescription, CertificateError, Error};
use x509_parser::pem::Pem;

use crate::config::Tls;

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
    let validity = pem.parse_x509().ok()?.validity().clone();
    Some(Validity { from: validity.not_before.timestamp(), until: validity.not_after.timestamp() })
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
            "it has expired: give that member a new one and restart it, members one after another"
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
