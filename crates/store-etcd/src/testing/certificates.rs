//! Certificates for a test's cluster. Owns nothing that is trusted anywhere else.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

/// When a certificate holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Today.
    Now,
    /// It has expired.
    Past,
    /// It is not valid yet.
    Future,
    /// From now on, for so many seconds.
    Seconds(u32),
}

/// A certificate and its key, PEM.
#[derive(Clone)]
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

/// Where both were written.
pub(super) struct Files {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

impl Issued {
    pub(super) fn write(&self, dir: &Path, name: &str) -> Files {
        let files = Files { certificate: dir.join(format!("{name}.pem")), key: dir.join(format!("{name}.key")) };
        fs::write(&files.certificate, &self.certificate).expect("writes");
        fs::write(&files.key, &self.key).expect("writes");
        files
    }
}

/// The file with the authority's certificate.
pub(super) const AUTHORITY: &str = "authority.pem";

/// Signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    /// A new one, that nobody knows.
    ///
    /// # Panics
    /// When no key can be made.
    pub fn new(name: &str) -> Self {
        let mut params = params(name, Lifetime::Now);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("signs").pem();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// Its certificate, PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    pub(super) fn write(&self, dir: &Path) {
        fs::write(dir.join(AUTHORITY), &self.certificate).expect("writes");
    }

    /// A certificate for both ends of a connection on this machine.
    ///
    /// # Panics
    /// When no key can be made.
    pub fn issue(&self, name: &str, lifetime: Lifetime) -> Issued {
        let key = KeyPair::generate().expect("a key");
        let mut params = params(name, lifetime);
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).expect("signs").pem();
        Issued { certificate, key: key.serialize_pem() }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's certificate is to run out by the machine's clock")]
fn params(name: &str, lifetime: Lifetime) -> CertificateParams {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("an address");
    params.distinguished_name.push(DnType::CommonName, name);
    let (from, until) = match lifetime {
        Lifetime::Now => (2020, 2100),
        Lifetime::Past => (2020, 2021),
        Lifetime::Future => (2099, 2100),
        Lifetime::Seconds(seconds) => {
            params.not_before = date_time_ymd(2020, 1, 1);
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
            params.not_after = date_time_ymd(1970, 1, 1) + now + Duration::from_secs(seconds.into());
            return params;
        }
    };
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    params
}
