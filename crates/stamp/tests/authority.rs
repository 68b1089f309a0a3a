//! Asking a real `openssl ts` behind a server: what it stamps verifies for OpenSSL and for our verifier, and whatever else
//! it does is an error within the time that it was given.

#![allow(clippy::unwrap_used, reason = "a missing part should fail the test at once")]

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use gallra_stamp::{AskError, Authority, PATIENCE, Roots, Stamped, Why};
use gallra_testkit::tsa::{Mood, Tsa};
use gallra_verify::timestamp::{Stamp, StampError, check};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

const CHECKPOINT: &[u8] = b"log.provider.example/2026a\n22\nx8v5p6pAwXZR4rlV1KgmePu0a0ox+p5knSO186vH7z8=\n";
const NONCE: [u8; 16] = [0x91, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];

async fn ask(tsa: &Tsa, url: &str, roots: &Roots, patience: Duration) -> Result<Stamped<Stamp>, AskError> {
    let root = tsa.root_der().unwrap();
    let authority = Authority::new(url, roots, patience).unwrap();
    authority.ask(CHECKPOINT, NONCE, |token| check(token, CHECKPOINT, &[&root])).await
}

async fn ask_plainly(tsa: &Tsa) -> Result<Stamped<Stamp>, AskError> {
    ask(tsa, &tsa.url(), &Roots::System, PATIENCE).await
}

#[tokio::test]
async fn a_token_verifies_for_openssl_and_for_us() {
    let tsa = Tsa::start().unwrap();
    let stamped = ask_plainly(&tsa).await.unwrap();
    assert_eq!(stamped.said.policy(), "1.2.3.4.1");
    assert_eq!(stamped.said.accuracy(), Some(1_000_000));
    // The first two bits are not the caller's.
    let mut nonce = NONCE;
    nonce[0] = nonce[0] & 0x3f | 0x40;
    assert_eq!(stamped.said.nonce(), Some(hex::encode(nonce).as_str()));

    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("token"), &stamped.token).unwrap();
    std::fs::write(dir.path().join("checkpoint"), CHECKPOINT).unwrap();
    let verified = Command::new("openssl")
        .args(["ts", "-verify", "-token_in", "-in", "token", "-data", "checkpoint", "-CAfile"])
        .arg(tsa.root_pem())
        .current_dir(dir.path())
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&verified.stdout), String::from_utf8_lossy(&verified.stderr));
    assert!(verified.status.success() && said.contains("Verification: OK"), "{said}");
    assert_eq!(tsa.asked(), 1);
}

#[tokio::test]
async fn whatever_else_it_answers_is_an_error() {
    let tsa = Tsa::start().unwrap();
    let rejected = |status| Why::Rejected { status, reason: "badAlg, it does not take SHA-256" };
    for (mood, why) in [
        (Mood::Expired, Why::Unbelieved(StampError::NotValidThen.to_string())),
        (Mood::OtherNonce, Why::Nonce),
        (Mood::OtherMessage, Why::Imprint),
        (Mood::Rejects, rejected("rejection")),
        (Mood::Garbage, Why::Form),
        (Mood::Flood, Why::TooLong(66_560)),
        (Mood::Page, Why::ContentType),
        (Mood::Status(404), Why::Status(404)),
        (Mood::Status(302), Why::Status(302)),
    ] {
        tsa.is_now(mood);
        let error = ask_plainly(&tsa).await.unwrap_err();
        assert_eq!(error.why, why, "{mood:?}");
        assert!(error.to_string().starts_with(&format!("time stamp authority http://{}: ", tsa.address())), "{error}");
    }
    tsa.is_now(Mood::HangsUp);
    let error = ask_plainly(&tsa).await.unwrap_err();
    assert!(matches!(error.why, Why::Broken(_)), "{error}");
    // And none of it has lasted.
    tsa.is_now(Mood::Grants);
    assert!(ask_plainly(&tsa).await.is_ok());
}

#[tokio::test]
async fn a_token_that_the_check_refuses_is_not_returned() {
    let (tsa, other) = (Tsa::start().unwrap(), Tsa::start().unwrap());
    let error = ask(&other, &tsa.url(), &Roots::System, PATIENCE).await.unwrap_err();
    assert_eq!(error.why, Why::Unbelieved(StampError::Untrusted.to_string()));
}

/// The bound of the test is far above the time that the authority has, and far below the time that it would hold.
#[tokio::test]
async fn one_that_says_nothing_is_late() {
    let tsa = Tsa::start().unwrap();
    let url = tsa.url();
    for mood in [Mood::Slow, Mood::Halfway] {
        tsa.is_now(mood);
        let asking = ask(&tsa, &url, &Roots::System, Duration::from_secs(1));
        let error = tokio::time::timeout(Duration::from_secs(15), asking).await.unwrap().unwrap_err();
        assert_eq!(error.why, Why::Late(1), "{mood:?}");
    }
}

#[tokio::test]
async fn one_that_is_down_is_unreachable() {
    let mut tsa = Tsa::start().unwrap();
    tsa.stop();
    let error = ask_plainly(&tsa).await.unwrap_err();
    assert!(matches!(error.why, Why::Unreachable(_)), "{error}");
}

/// TLS in front of the authority, under a certificate for `localhost` that is its own root. Gives its address and its PEM.
async fn tls(tsa: &Tsa) -> (u16, tempfile::NamedTempFile) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let pem = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(pem.path(), made.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let (acceptor, behind) = (TlsAcceptor::from(Arc::new(config)), tsa.address());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A handshake that the client ends is one of the tests.
            let Ok(mut front) = acceptor.accept(stream).await else { continue };
            let mut back = TcpStream::connect(behind).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut front, &mut back).await;
        }
    });
    (port, pem)
}

#[tokio::test]
async fn over_tls_the_name_has_to_be_vouched_for() {
    let tsa = Tsa::start().unwrap();
    let (port, pem) = tls(&tsa).await;
    let url = format!("https://localhost:{port}/");
    let roots = Roots::File(pem.path().to_owned());
    assert!(ask(&tsa, &url, &roots, PATIENCE).await.is_ok());
    // The same server under another name, and under roots that do not know it.
    let elsewhere = format!("https://127.0.0.1:{port}/");
    let strangers = Roots::File(tsa.root_pem());
    for (url, roots) in [(&elsewhere, &roots), (&url, &strangers)] {
        let error = ask(&tsa, url, roots, PATIENCE).await.unwrap_err();
        assert!(matches!(error.why, Why::Tls(_)), "{error}");
    }
    assert_eq!(tsa.asked(), 1);
}
