//! What all certificates of an installation have in common: names, dates, serial numbers, in the certificate library's
//! types. Knows nothing of keys and of who gets a certificate.

use std::net::IpAddr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rcgen::string::Ia5String;
use rcgen::{CertificateParams, DistinguishedName, DnType, SanType, SerialNumber};

use crate::authority::IssueError;

/// How far before `now` a certificate begins to be valid, so that a host whose clock is a little slow can use it.
const BACKDATED: SignedDuration = SignedDuration::from_mins(10);

/// A certificate named `name`, valid from now (and a little before) on.
pub(crate) fn dated(name: &str, now: Timestamp, validity: SignedDuration) -> Result<CertificateParams, IssueError> {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let mut params = CertificateParams::default();
    params.not_before = epoch + since_1970(now.checked_sub(BACKDATED))?;
    params.not_after = epoch + since_1970(now.checked_add(validity))?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "gallra");
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(random_serial()?);
    Ok(params)
}

/// A server's name as a certificate carries it.
pub(crate) fn server_name(name: &str) -> Result<SanType, IssueError> {
    Ok(match name.parse::<IpAddr>() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName(Ia5String::try_from(name)?),
    })
}

/// A caller's name as a certificate carries it.
pub(crate) fn caller_name(uri: &str) -> Result<SanType, IssueError> {
    Ok(SanType::URI(Ia5String::try_from(uri)?))
}

fn since_1970(at: Result<Timestamp, jiff::Error>) -> Result<Duration, IssueError> {
    let seconds = at.ok().and_then(|at| u64::try_from(at.as_second()).ok());
    seconds.map(Duration::from_secs).ok_or(IssueError::Validity)
}

/// 126 random bits: unique without a counter that would have to be stored. The first two bits are set so that the number
/// is positive, as X.509 wants it, and always 16 bytes long.
fn random_serial() -> Result<SerialNumber, IssueError> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| IssueError::Random)?;
    if let Some(first) = bytes.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    Ok(SerialNumber::from_slice(&bytes))
}
