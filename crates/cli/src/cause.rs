//! Causes on the side of who signs them (decision 2): the key's file, and the commitments. They are made from what the
//! caller typed, never from what a coordinator answers: else a stolen one could have anything signed. Refuses to know who
//! may end what.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use gallra_model::cause::{Cause, Ground, Salts, commit_customer, commit_service};
use gallra_model::selector::ExternalId;
use gallra_model::{Clock, Day, Digest, Instant, Nonce};
use gallra_proof::key::SigningKey;
use gallra_wire::v1::clock_service_client::ClockServiceClient;
use gallra_wire::{parse, v1};
use tonic::transport::Channel;

use crate::exit::{FAILED, Failure, USAGE};

/// Whose end is signed for, in billing's words.
#[derive(Debug, Clone, Default)]
pub struct Whom {
    /// The service; unset where only the customer ends.
    pub service: Option<ExternalId>,
    /// The customer; unset where only a service ends.
    pub customer: Option<ExternalId>,
    /// The last day; unset where it is not said.
    pub ended: Option<Day>,
}

/// Makes a key in a new file that only its owner reads. Refuses a file that exists.
///
/// # Errors
/// [`USAGE`] with the path.
pub fn create_key(path: &Path) -> Result<SigningKey, Failure> {
    let key = SigningKey::from_seed(&random()?);
    let pem = key.to_pem().map_err(|error| Failure::new(FAILED, error.to_string()))?;
    let write = || -> std::io::Result<()> {
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(pem.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| Failure::new(USAGE, format!("{}: {error}", path.display())))?;
    Ok(key)
}

/// Reads a key that [`create_key`], or OpenSSL, made.
///
/// # Errors
/// [`USAGE`] with the path; never quotes the file.
pub fn read_key(path: &Path) -> Result<SigningKey, Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::new(USAGE, format!("{}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
    SigningKey::from_pem(&text).map_err(|error| wrong(&error))
}

/// Which clock a cause is signed under, and when that is. Under a real clock this machine's: a coordinator that could say
/// what time it is could have causes dated. A simulated clock is the coordinator's, and worth nothing to a real host.
///
/// # Errors
/// The coordinator's.
pub async fn clock(channel: Channel) -> Result<(Clock, Instant), Failure> {
    let reading = ClockServiceClient::new(channel).get_clock(v1::GetClockRequest {}).await?.into_inner();
    match reading.clock() {
        v1::ClockKind::Simulated => Ok((Clock::Simulated, parse::instant("now", &reading.now)?)),
        v1::ClockKind::Real | v1::ClockKind::Unspecified => Ok((Clock::Real, now())),
    }
}

#[allow(clippy::disallowed_methods, reason = "a signature says when it was made, on the signer's own clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Signs that these are to be erased, with a fresh salt for each id.
///
/// # Errors
/// When there is no randomness.
pub fn sign(key: &SigningKey, whom: &Whom, (clock, signed): (Clock, Instant)) -> Result<v1::SignedCause, Failure> {
    let salt = |id: &Option<ExternalId>| id.as_ref().map(|_| random().map(Nonce::from_bytes)).transpose();
    let salts = Salts { service: salt(&whom.service)?, customer: salt(&whom.customer)? };
    let cause = Cause {
        ground: Ground::ContractEnd,
        service: salts.service.as_ref().zip(whom.service.as_ref()).map(|(salt, id)| commit_service(salt, id)),
        customer: salts.customer.as_ref().zip(whom.customer.as_ref()).map(|(salt, id)| commit_customer(salt, id)),
        ended: whom.ended,
        policy: None,
        signed,
        clock,
    };
    let envelope =
        gallra_proof::cause::sign(&cause, key).map_err(|error| Failure::new(FAILED, format!("cause: {error}")))?;
    Ok(gallra_wire::cause::to_wire(&envelope, &salts))
}

/// Signs that the rolling purges of one policy version may begin. What it reads is the digest of the rules that were read
/// here, from files: a coordinator that could say which version is meant could have any signed.
///
/// # Errors
/// Never in practice.
pub fn sign_policy(
    key: &SigningKey,
    policy: Digest,
    (clock, signed): (Clock, Instant),
) -> Result<v1::SignedCause, Failure> {
    let cause = Cause {
        ground: Ground::RollingPurge,
        service: None,
        customer: None,
        ended: None,
        policy: Some(policy),
        signed,
        clock,
    };
    let envelope =
        gallra_proof::cause::sign(&cause, key).map_err(|error| Failure::new(FAILED, format!("cause: {error}")))?;
    Ok(gallra_wire::cause::to_wire(&envelope, &Salts::default()))
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    let none = |_| Failure::new(FAILED, "no randomness to be had");
    aws_lc_rs::rand::fill(&mut bytes).map_err(none)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_its_owners_and_is_never_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cause.key");
        let key = create_key(&path).expect("makes");
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert!(create_key(&path).is_err(), "the file was there");
        assert_eq!(read_key(&path).expect("reads").verifying(), key.verifying());
        std::fs::write(&path, "secret words").expect("writes");
        let error = read_key(&path).expect_err("no key").text;
        assert!(!error.contains("secret words"), "{error}");
    }

    #[test]
    fn what_is_signed_names_whom_was_typed_under_salts_of_their_own() {
        let key = SigningKey::from_seed(&[3; 32]);
        let id = |text: &str| text.parse::<ExternalId>().expect("a literal");
        let whom = Whom { service: Some(id("anna.example")), customer: Some(id("1001")), ended: None };
        let signed = || sign(&key, &whom, (Clock::Real, Instant::UNIX_EPOCH)).expect("signs");
        let (envelope, salts) = gallra_wire::cause::from_wire(signed()).expect("whole");
        let (cause, _) = gallra_proof::cause::open(&envelope, &key.verifying()).expect("good");
        let (service, customer) = (salts.service.expect("a salt"), salts.customer.expect("a salt"));
        assert!(cause.is_well_formed() && service != customer);
        assert!(cause.is_about_service(&id("anna.example"), &service));
        assert!(cause.is_about_customer(&id("1001"), &customer));
        assert_ne!(signed().service_salt, signed().service_salt, "fresh each time");
        let only = Whom { customer: None, ..whom.clone() };
        let (envelope, salts) =
            gallra_wire::cause::from_wire(sign(&key, &only, (Clock::Real, Instant::UNIX_EPOCH)).expect("signs"))
                .expect("whole");
        let (cause, _) = gallra_proof::cause::open(&envelope, &key.verifying()).expect("good");
        assert!(cause.customer.is_none() && salts.customer.is_none());
    }
}
