//! Who is calling, read from the client certificate that the TLS library has already checked against the authority.
//! Strict: one name, of this installation, with a known role, or nobody (I9).

use sha2::{Digest as _, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::label::is_label;
use crate::role::CallerRole;

const SCHEME: &str = "gallra://";

/// The holder of a client certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// What it may do.
    pub role: CallerRole,
    /// Its name in that role: a label. An agent's is the name it was invited under.
    pub name: String,
    /// The certificate's serial number, lowercase hex: what a revocation names.
    pub serial: String,
    /// SHA-256 of the certificate (DER), lowercase hex.
    pub fingerprint: String,
}

/// Why a certificate names no caller. The caller is told none of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallerError {
    /// Not exactly one X.509 certificate.
    #[error("the client certificate cannot be read")]
    Malformed,
    /// It may sign other certificates.
    #[error("the client certificate is an authority's: use one that `gallra operator invite` or `join` gave")]
    Authority,
    /// No alternative name, several, or one of another kind.
    #[error("the client certificate has not exactly one name of the form gallra://installation/role/name")]
    Name,
    /// Issued by, or for, another installation.
    #[error("the client certificate is of another installation")]
    Installation,
}

impl Caller {
    /// Reads a client certificate (DER). Its signature and dates are the TLS library's to check: call this only with
    /// a certificate from a connection that required one.
    ///
    /// # Errors
    /// When it does not name exactly one caller of `installation`.
    pub fn from_der(cert_der: &[u8], installation: &str) -> Result<Self, CallerError> {
        let (rest, cert) = X509Certificate::from_der(cert_der).map_err(|_| CallerError::Malformed)?;
        if !rest.is_empty() {
            return Err(CallerError::Malformed);
        }
        if cert.is_ca() {
            return Err(CallerError::Authority);
        }
        let names = cert.subject_alternative_name().map_err(|_| CallerError::Name)?.ok_or(CallerError::Name)?;
        let [GeneralName::URI(text)] = names.value.general_names.as_slice() else { return Err(CallerError::Name) };
        let (of, role, name) = parse_uri(text).ok_or(CallerError::Name)?;
        if of != installation {
            return Err(CallerError::Installation);
        }
        Ok(Self {
            role,
            name: name.to_owned(),
            serial: hex::encode(cert.raw_serial()),
            fingerprint: hex::encode(Sha256::digest(cert_der)),
        })
    }
}

/// A caller's name as its certificate carries it.
pub(crate) fn uri(installation: &str, role: CallerRole, name: &str) -> String {
    format!("{SCHEME}{installation}/{role}/{name}")
}

/// Installation, role and name.
fn parse_uri(text: &str) -> Option<(&str, CallerRole, &str)> {
    let (installation, rest) = text.strip_prefix(SCHEME)?.split_once('/')?;
    let (role, name) = rest.split_once('/')?;
    (is_label(installation) && is_label(name)).then_some((installation, role.parse().ok()?, name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;
    use crate::authority::Authority;
    use crate::pem::only_block;

    /// A certificate with these alternative names, signed by nobody of note.
    fn with_names(names: Vec<SanType>) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate").der().to_vec()
    }

    fn uri_name(text: &str) -> SanType {
        SanType::URI(text.try_into().expect("ASCII"))
    }

    fn issued(role: CallerRole) -> Vec<u8> {
        let now = "2026-01-01T00:00:00Z".parse().expect("a literal");
        let authority = Authority::create("demo", now).expect("an authority");
        let credential =
            authority.issue(role, "anna", now, jiff::SignedDuration::from_hours(1)).expect("a certificate");
        only_block(&credential.cert_pem, "CERTIFICATE").expect("one block")
    }

    #[test]
    fn what_was_issued_is_read_back() {
        for role in CallerRole::ALL {
            let caller = Caller::from_der(&issued(role), "demo").expect("a caller");
            assert_eq!((caller.role, caller.name.as_str()), (role, "anna"));
            assert_eq!((caller.serial.len(), caller.fingerprint.len()), (32, 64));
        }
    }

    #[test]
    fn another_installation_is_refused() {
        let der = issued(CallerRole::Operator);
        assert_eq!(Caller::from_der(&der, "other"), Err(CallerError::Installation));
        assert_eq!(Caller::from_der(&der, "dem"), Err(CallerError::Installation));
    }

    #[test]
    fn only_one_name_of_the_exact_form_is_a_caller() {
        let good = "gallra://demo/operator/anna";
        assert!(Caller::from_der(&with_names(vec![uri_name(good)]), "demo").is_ok());
        for bad in [
            "gallra://demo/operator/anna/",
            "gallra://demo/operator/anna?x",
            "gallra://demo/operator/",
            "gallra://demo/operator",
            "gallra://demo//anna",
            "gallra://demo/root/anna",
            "gallra://demo/Operator/anna",
            "gallra://demo/operator/Anna",
            "gallra://demo/operator/../anna",
            "GALLRA://demo/operator/anna",
            "spiffe://demo/operator/anna",
            "",
        ] {
            assert_eq!(Caller::from_der(&with_names(vec![uri_name(bad)]), "demo"), Err(CallerError::Name), "{bad}");
        }
    }

    #[test]
    fn no_name_or_several_are_nobody() {
        let dns = SanType::DnsName("localhost".try_into().expect("ASCII"));
        let good = || uri_name("gallra://demo/operator/anna");
        for names in [vec![], vec![dns.clone()], vec![good(), good()], vec![good(), dns]] {
            assert_eq!(Caller::from_der(&with_names(names), "demo"), Err(CallerError::Name));
        }
    }

    #[test]
    fn an_authority_and_a_torn_certificate_are_nobody() {
        let now = "2026-01-01T00:00:00Z".parse().expect("a literal");
        let authority = Authority::create("demo", now).expect("an authority");
        let der = only_block(authority.certificate_pem(), "CERTIFICATE").expect("one block");
        assert_eq!(Caller::from_der(&der, "demo"), Err(CallerError::Authority));
        let der = issued(CallerRole::Agent);
        assert_eq!(Caller::from_der(&[der.as_slice(), &[0]].concat(), "demo"), Err(CallerError::Malformed));
        assert_eq!(Caller::from_der(&[], "demo"), Err(CallerError::Malformed));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            prop_assert!(Caller::from_der(&bytes, "demo").is_err());
        }

        #[test]
        fn damaged_certificates_never_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut der = issued(CallerRole::Agent);
            let at = at.index(der.len());
            if let Some(slot) = der.get_mut(at) {
                *slot = byte;
            }
            let _ = Caller::from_der(&der, "demo");
        }

        #[test]
        fn a_uri_is_read_one_way_only(text in "gallra://[a-z0-9/-]{0,30}") {
            if let Some((installation, role, name)) = parse_uri(&text) {
                prop_assert_eq!(uri(installation, role, name), text);
            }
        }
    }
}
