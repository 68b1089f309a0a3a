//! Tests only: real TLS handshakes in memory, with client certificates required, between parties that hold what this
//! crate issued. What passes here is what a coordinator and its callers will find.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

use crate::authority::{Authority, Credential, IssueError, LEAF_DAYS};
use crate::caller::Caller;
use crate::csr::new_csr;
use crate::role::CallerRole;

const FOUNDED: &str = "2026-01-01T00:00:00Z";
const LEAF_VALIDITY: SignedDuration = SignedDuration::from_hours(24 * LEAF_DAYS as i64);

fn founded() -> Timestamp {
    FOUNDED.parse().expect("a literal")
}

/// The clock that both ends check certificates by.
#[derive(Debug)]
struct Fixed(Timestamp);

impl TimeProvider for Fixed {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.as_second()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// One attempt to connect.
struct Attempt<'a> {
    server: &'a Credential,
    server_trusts: &'a str,
    client: Option<&'a Credential>,
    client_trusts: &'a str,
    dials: &'a str,
    now: Timestamp,
}

impl Attempt<'_> {
    /// The caller's certificate as the server saw it, after data has flowed both ways.
    fn run(&self) -> Result<Vec<u8>, rustls::Error> {
        let name = ServerName::try_from(self.dials.to_owned()).expect("a server name");
        let mut client = ClientConnection::new(Arc::new(self.client_config()), name)?;
        let mut server = ServerConnection::new(Arc::new(self.server_config()))?;
        while client.is_handshaking() || server.is_handshaking() {
            pass(&mut client, &mut server)?;
            pass(&mut server, &mut client)?;
        }
        let certs = server.peer_certificates().expect("the server required a certificate");
        Ok(certs.first().expect("a leaf").to_vec())
    }

    fn server_config(&self) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots(self.server_trusts)), provider.clone())
                .build()
                .expect("a verifier");
        ServerConfig::builder_with_details(provider, Arc::new(Fixed(self.now)))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain(self.server), key(self.server))
            .expect("a server certificate")
    }

    fn client_config(&self) -> ClientConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_details(provider, Arc::new(Fixed(self.now)))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots(self.client_trusts));
        match self.client {
            Some(credential) => {
                builder.with_client_auth_cert(chain(credential), key(credential)).expect("a client certificate")
            }
            None => builder.with_no_client_auth(),
        }
    }
}

/// Carries what one end has to say to the other.
fn pass<A, B, S, T>(from: &mut A, to: &mut B) -> Result<(), rustls::Error>
where
    A: std::ops::DerefMut<Target = rustls::ConnectionCommon<S>>,
    B: std::ops::DerefMut<Target = rustls::ConnectionCommon<T>>,
    S: rustls::SideData,
    T: rustls::SideData,
{
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).expect("memory");
    }
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        to.read_tls(&mut rest).expect("memory");
        to.process_new_packets()?;
    }
    Ok(())
}

fn roots(pem: &str) -> RootCertStore {
    let mut store = RootCertStore::empty();
    store.add(CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM")).expect("a root");
    store
}

fn chain(credential: &Credential) -> Vec<CertificateDer<'static>> {
    vec![CertificateDer::from_pem_slice(credential.cert_pem.as_bytes()).expect("PEM")]
}

fn key(credential: &Credential) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(credential.key_pem.as_bytes()).expect("PEM")
}

/// An installation with a server and an operator.
struct Installation {
    authority: Authority,
    server: Credential,
    operator: Credential,
}

impl Installation {
    fn new(name: &str) -> Self {
        let authority = Authority::create(name, founded()).expect("an authority");
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let server = authority.issue_server(&names, founded(), LEAF_VALIDITY).expect("a certificate");
        let operator = authority.issue(CallerRole::Operator, "anna", founded(), LEAF_VALIDITY).expect("a certificate");
        Self { authority, server, operator }
    }

    fn attempt(&self) -> Attempt<'_> {
        let root = self.authority.certificate_pem();
        Attempt {
            server: &self.server,
            server_trusts: root,
            client: Some(&self.operator),
            client_trusts: root,
            dials: "localhost",
            now: founded(),
        }
    }
}

#[test]
fn a_caller_of_the_installation_connects_and_is_known() {
    let demo = Installation::new("demo");
    for dials in ["localhost", "127.0.0.1"] {
        let seen = Attempt { dials, ..demo.attempt() }.run().expect("connected");
        let caller = Caller::from_der(&seen, "demo").expect("a caller");
        assert_eq!((caller.role, caller.name.as_str()), (CallerRole::Operator, "anna"));
    }
}

#[test]
fn an_agent_connects_with_the_key_that_never_left_it() {
    let demo = Installation::new("demo");
    let (key_pem, csr) = new_csr("web1").expect("a request");
    let cert_pem =
        demo.authority.sign_csr(&csr, CallerRole::Agent, "web2", founded(), LEAF_VALIDITY).expect("a certificate");
    let agent = Credential { cert_pem, key_pem };
    let seen = Attempt { client: Some(&agent), ..demo.attempt() }.run().expect("connected");
    let caller = Caller::from_der(&seen, "demo").expect("a caller");
    // The authority's word counts, not the request's.
    assert_eq!((caller.role, caller.name.as_str()), (CallerRole::Agent, "web2"));
}

#[test]
fn nobody_connects_without_a_certificate() {
    let demo = Installation::new("demo");
    assert_eq!(Attempt { client: None, ..demo.attempt() }.run(), Err(rustls::Error::NoCertificatesPresented));
}

#[test]
fn a_foreign_caller_is_refused_even_under_the_same_names() {
    let (demo, foreign) = (Installation::new("demo"), Installation::new("demo"));
    let refusal = Attempt { client: Some(&foreign.operator), ..demo.attempt() }.run();
    assert!(matches!(refusal, Err(rustls::Error::InvalidCertificate(_))), "{refusal:?}");
}

#[test]
fn a_foreign_server_is_refused_even_under_the_same_names() {
    let (demo, foreign) = (Installation::new("demo"), Installation::new("demo"));
    let refusal = Attempt { server: &foreign.server, ..demo.attempt() }.run();
    assert!(matches!(refusal, Err(rustls::Error::InvalidCertificate(_))), "{refusal:?}");
}

#[test]
fn certificates_do_not_change_sides() {
    let demo = Installation::new("demo");
    assert!(Attempt { client: Some(&demo.server), ..demo.attempt() }.run().is_err(), "a server called");
    assert!(Attempt { server: &demo.operator, ..demo.attempt() }.run().is_err(), "an operator answered");
}

#[test]
fn a_name_that_the_server_was_not_issued_for_is_refused() {
    let demo = Installation::new("demo");
    assert!(Attempt { dials: "localhost.example", ..demo.attempt() }.run().is_err());
    assert!(Attempt { dials: "127.0.0.2", ..demo.attempt() }.run().is_err());
}

#[test]
fn certificates_count_within_their_dates_only() {
    let demo = Installation::new("demo");
    let end = founded().checked_add(LEAF_VALIDITY).expect("in range");
    let at = |now: Timestamp| Attempt { now, ..demo.attempt() }.run();
    let hour = SignedDuration::from_hours(1);
    assert!(at(end.checked_sub(hour).expect("in range")).is_ok());
    assert!(at(end.checked_add(hour).expect("in range")).is_err());
    assert!(at(founded().checked_sub(hour).expect("in range")).is_err());
    // A host whose clock is a little slow can use a certificate at once.
    assert!(at(founded().checked_sub(SignedDuration::from_mins(5)).expect("in range")).is_ok());
}

#[test]
fn an_authority_is_the_same_after_a_restart() {
    let demo = Installation::new("demo");
    let stored = demo.authority.to_pem();
    let again = Authority::from_pem(&stored.cert_pem, &stored.key_pem).expect("loaded");
    assert_eq!((again.installation(), again.fingerprint()), ("demo", demo.authority.fingerprint()));
    let later = again.issue(CallerRole::Auditor, "bo", founded(), LEAF_VALIDITY).expect("a certificate");
    assert!(Attempt { client: Some(&later), ..demo.attempt() }.run().is_ok());
}

#[test]
fn an_authority_is_loaded_with_its_own_key_only() {
    let (demo, foreign) = (Installation::new("demo"), Installation::new("demo"));
    let (ours, theirs) = (demo.authority.to_pem(), foreign.authority.to_pem());
    let load = |cert: &str, key: &str| Authority::from_pem(cert, key).map(|_| ());
    assert!(matches!(load(&ours.cert_pem, &theirs.key_pem), Err(IssueError::AuthorityKey)));
    assert!(matches!(load(&ours.cert_pem, "none"), Err(IssueError::AuthorityKey)));
    assert!(matches!(load(&demo.operator.cert_pem, &demo.operator.key_pem), Err(IssueError::Authority)));
    assert!(!format!("{:?} {ours:?}", demo.authority).contains("PRIVATE KEY"));
}

#[test]
fn what_cannot_be_used_is_not_issued() {
    let demo = Installation::new("demo");
    let issue =
        |name: &str, validity| demo.authority.issue(CallerRole::Operator, name, founded(), validity).map(|_| ());
    assert!(matches!(issue("Anna", LEAF_VALIDITY), Err(IssueError::Name)));
    assert!(matches!(issue("anna", SignedDuration::ZERO), Err(IssueError::Validity)));
    assert!(matches!(issue("anna", SignedDuration::from_hours(-1)), Err(IssueError::Validity)));
    assert!(matches!(issue("anna", SignedDuration::MAX), Err(IssueError::Validity)));
    assert!(matches!(issue("anna", LEAF_VALIDITY * 10), Err(IssueError::Validity)), "outlives its authority");
    for names in [vec![], vec!["*.example".to_owned()], vec!["localhost".to_owned(), String::new()]] {
        let refusal = demo.authority.issue_server(&names, founded(), LEAF_VALIDITY);
        assert!(matches!(refusal, Err(IssueError::ServerName)), "{names:?}");
    }
    assert!(matches!(Authority::create("De mo", founded()), Err(IssueError::Name)));
}
