//! The installation's certificate authority: one P-256 key that signs every certificate of the installation, and
//! nothing else. Owns what goes into a certificate. Knows no clock: `now` is the caller's, and is real time.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData as _,
};
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::caller::uri;
use crate::csr::proven_key;
use crate::host::is_host;
use crate::label::is_label;
use crate::pem::only_block;
use crate::role::CallerRole;
use crate::template::{caller_name, dated, server_name};

/// How long an authority's own certificate is valid, in days: ten years. Its end is the installation's re-foundation,
/// so it is far off; its compromise is answered by making a new one, not by waiting.
pub const AUTHORITY_DAYS: u32 = 3_653;

/// How long a server's, person's or agent's certificate is valid unless its issuer says otherwise, in days.
pub const LEAF_DAYS: u32 = 397;

/// Why a certificate was not issued, or an authority not loaded.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// An installation's or caller's name.
    #[error("not a name: expected 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit")]
    Name,
    /// A server's name.
    #[error("not a server name: expected at least one, each an IP address or an exact DNS name in lower case")]
    ServerName,
    /// The asked time is empty or goes past the authority's own end, or past what a certificate can express.
    #[error("the certificate's validity must not be empty and must end before its authority's")]
    Validity,
    /// The authority's certificate.
    #[error("not an authority of gallra: expected the PEM that `gallra-coordinator init` wrote")]
    Authority,
    /// The authority's key.
    #[error("the authority's key is not the one in its certificate: check that both files are of one installation")]
    AuthorityKey,
    /// A signing request that cannot be read.
    #[error("not a certificate signing request in PEM: let the agent make one with `gallra-agent join`")]
    Csr,
    /// A signing request that its key did not sign.
    #[error("the signing request is not signed by its own key: let the agent make a new one")]
    CsrProof,
    /// A signing request for a key of another kind.
    #[error("the signing request's key is not ECDSA P-256: let the agent make a new one")]
    CsrKey,
    /// The system gave no random bytes.
    #[error("no random bytes from the system for a serial number")]
    Random,
    /// The library refused.
    #[error("the certificate could not be made")]
    Make(#[from] rcgen::Error),
}

/// A certificate and its private key, both PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// The certificate, without its authority's.
    pub cert_pem: String,
    /// The private key, PKCS #8. Secret.
    pub key_pem: String,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("cert_pem", &self.cert_pem).finish_non_exhaustive()
    }
}

/// The authority, with its private key.
pub struct Authority {
    installation: String,
    certificate_pem: String,
    certificate_der: Vec<u8>,
    not_after: Timestamp,
    issuer: Issuer<'static, KeyPair>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("installation", &self.installation).finish_non_exhaustive()
    }
}

impl Authority {
    /// Founds an installation's authority, valid from `now` (real time) for [`AUTHORITY_DAYS`].
    ///
    /// # Errors
    /// When the name is no label, or no key or certificate can be made.
    pub fn create(installation: &str, now: Timestamp) -> Result<Self, IssueError> {
        if !is_label(installation) {
            return Err(IssueError::Name);
        }
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let validity = SignedDuration::from_hours(24 * i64::from(AUTHORITY_DAYS));
        let mut params = dated(installation, now, validity)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // Read back from its own text, so that whatever can be made can be loaded.
        Self::from_pem(&params.self_signed(&key)?.pem(), &key.serialize_pem())
    }

    /// Loads what [`Self::to_pem`] gave.
    ///
    /// # Errors
    /// When a text is not an authority's, or key and certificate do not belong together.
    pub fn from_pem(cert_pem: &str, key_pem: &str) -> Result<Self, IssueError> {
        let der = only_block(cert_pem, "CERTIFICATE").ok_or(IssueError::Authority)?;
        let read = AuthorityCertificate::read(&der).ok_or(IssueError::Authority)?;
        let key = KeyPair::from_pem(key_pem).map_err(|_| IssueError::AuthorityKey)?;
        if key.subject_public_key_info() != read.public_key {
            return Err(IssueError::AuthorityKey);
        }
        Ok(Self {
            installation: read.installation,
            certificate_pem: cert_pem.to_owned(),
            not_after: read.not_after,
            issuer: Issuer::from_ca_cert_der(&der.as_slice().into(), key)?,
            certificate_der: der,
        })
    }

    /// Certificate and private key, to be stored where only the coordinator's user can read them.
    pub fn to_pem(&self) -> Credential {
        Credential { cert_pem: self.certificate_pem.clone(), key_pem: self.issuer.key().serialize_pem() }
    }

    /// The installation's name.
    pub fn installation(&self) -> &str {
        &self.installation
    }

    /// The authority's certificate, PEM: public, and what every party trusts.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// SHA-256 of the authority's certificate (DER), lowercase hex, for people to compare.
    pub fn fingerprint(&self) -> String {
        hex::encode(Sha256::digest(&self.certificate_der))
    }

    /// Issues a server's certificate with a new key. `names` are DNS names and IP addresses that clients will dial.
    ///
    /// # Errors
    /// When a name is neither, or `validity` from `now` (real time) outlives the authority.
    pub fn issue_server(
        &self,
        names: &[String],
        now: Timestamp,
        validity: SignedDuration,
    ) -> Result<Credential, IssueError> {
        if names.is_empty() || !names.iter().all(|name| is_host(name)) {
            return Err(IssueError::ServerName);
        }
        let mut params = self.leaf("coordinator", now, validity)?;
        params.subject_alt_names = names.iter().map(|name| server_name(name)).collect::<Result<_, _>>()?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.with_new_key(&params)
    }

    /// Issues a caller's certificate with a new key.
    ///
    /// # Errors
    /// When the name is no label, or `validity` from `now` (real time) outlives the authority.
    pub fn issue(
        &self,
        role: CallerRole,
        name: &str,
        now: Timestamp,
        validity: SignedDuration,
    ) -> Result<Credential, IssueError> {
        self.with_new_key(&self.caller(role, name, now, validity)?)
    }

    /// Issues a caller's certificate (PEM) for the public key in a signing request, once the request proves that its
    /// sender holds the private key. Role and name are the arguments': what the request asks for is ignored.
    ///
    /// # Errors
    /// When the request is malformed, not signed by its own key or for another kind of key, the name is no label, or
    /// `validity` from `now` (real time) outlives the authority.
    pub fn sign_csr(
        &self,
        csr_pem: &str,
        role: CallerRole,
        name: &str,
        now: Timestamp,
        validity: SignedDuration,
    ) -> Result<String, IssueError> {
        let key = proven_key(csr_pem)?;
        Ok(self.caller(role, name, now, validity)?.signed_by(&key, &self.issuer)?.pem())
    }

    fn with_new_key(&self, params: &CertificateParams) -> Result<Credential, IssueError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        Ok(Credential { cert_pem: params.signed_by(&key, &self.issuer)?.pem(), key_pem: key.serialize_pem() })
    }

    fn caller(
        &self,
        role: CallerRole,
        name: &str,
        now: Timestamp,
        validity: SignedDuration,
    ) -> Result<CertificateParams, IssueError> {
        if !is_label(name) {
            return Err(IssueError::Name);
        }
        let mut params = self.leaf(name, now, validity)?;
        params.subject_alt_names = vec![caller_name(&uri(&self.installation, role, name))?];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        Ok(params)
    }

    fn leaf(&self, name: &str, now: Timestamp, validity: SignedDuration) -> Result<CertificateParams, IssueError> {
        let end = now.checked_add(validity).map_err(|_| IssueError::Validity)?;
        if validity < SignedDuration::from_secs(1) || end > self.not_after {
            return Err(IssueError::Validity);
        }
        let mut params = dated(name, now, validity)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        Ok(params)
    }
}

/// What an authority's certificate says.
pub(crate) struct AuthorityCertificate {
    installation: String,
    not_after: Timestamp,
    public_key: Vec<u8>,
}

impl AuthorityCertificate {
    /// Reads DER. `None` unless it is exactly one certificate, of an authority, with a label for its name.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        let (rest, cert) = X509Certificate::from_der(der).ok()?;
        let mut names = cert.subject().iter_common_name();
        let installation = names.next()?.as_str().ok()?.to_owned();
        let sound = rest.is_empty() && cert.is_ca() && names.next().is_none() && is_label(&installation);
        let not_after = Timestamp::from_second(cert.validity().not_after.timestamp()).ok()?;
        sound.then(|| Self { installation, not_after, public_key: cert.public_key().raw.to_vec() })
    }

    /// Whether a PEM text is exactly one authority's certificate.
    pub(crate) fn is_pem(text: &str) -> bool {
        only_block(text, "CERTIFICATE").and_then(|der| Self::read(&der)).is_some()
    }
}
