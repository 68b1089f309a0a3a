//! Certificate signing requests: how an agent asks for a certificate without its private key leaving the host, and
//! what the authority takes from such a request: the public key, after the proof that its owner signed it.

use rcgen::{
    CertificateParams, CertificateSigningRequestParams, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKey, PublicKeyData as _,
};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer as _;

use crate::authority::IssueError;
use crate::label::is_label;
use crate::pem::only_block;

/// Makes a private key (P-256, PKCS #8 PEM) and a signing request (PEM) for it. Keep the first, send the second.
///
/// # Errors
/// When `name` is no label, or no key can be made.
pub fn new_csr(name: &str) -> Result<(String, String), IssueError> {
    if !is_label(name) {
        return Err(IssueError::Name);
    }
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    // For people who look at the request; the authority ignores it.
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    let csr = params.serialize_request(&key)?.pem()?;
    Ok((key.serialize_pem(), csr))
}

/// The public key of a request whose signature shows that the sender holds the private one. P-256 only. Names and
/// usages that it asks for are not looked at.
pub(crate) fn proven_key(csr_pem: &str) -> Result<PublicKey, IssueError> {
    let der = only_block(csr_pem, "CERTIFICATE REQUEST").ok_or(IssueError::Csr)?;
    let (rest, request) = X509CertificationRequest::from_der(&der).map_err(|_| IssueError::Csr)?;
    if !rest.is_empty() {
        return Err(IssueError::Csr);
    }
    let asked = request.certification_request_info.subject_pki.raw.to_vec();
    let key = CertificateSigningRequestParams::from_der(&der.as_slice().into()).map_err(refusal)?.public_key;
    // The library names the key's algorithm after the signature's, so a key on another curve would be certified under
    // the wrong name: only a key that is written back exactly as it came is the key that signed.
    if key.algorithm() != &PKCS_ECDSA_P256_SHA256 || key.subject_public_key_info() != asked {
        return Err(IssueError::CsrKey);
    }
    Ok(key)
}

fn refusal(error: rcgen::Error) -> IssueError {
    if error == rcgen::Error::InvalidCertificationRequestSignature { IssueError::CsrProof } else { IssueError::Csr }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{PKCS_ECDSA_P384_SHA384, PKCS_ED25519};

    use super::*;

    fn pem_of(der: &[u8]) -> String {
        use base64::Engine as _;
        let body = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN CERTIFICATE REQUEST-----\n{body}\n-----END CERTIFICATE REQUEST-----\n")
    }

    fn good() -> Vec<u8> {
        let (_, csr) = new_csr("web1").expect("a request");
        only_block(&csr, "CERTIFICATE REQUEST").expect("one block")
    }

    #[test]
    fn the_key_of_a_signed_request_is_taken() {
        let (key_pem, csr) = new_csr("web1").expect("a request");
        let key = KeyPair::from_pem(&key_pem).expect("a key");
        assert_eq!(proven_key(&csr).expect("proven").der_bytes(), key.public_key_raw());
        assert!(matches!(new_csr("Web 1"), Err(IssueError::Name)));
    }

    #[test]
    fn a_request_signed_by_another_key_is_refused() {
        // The last byte of the DER belongs to the signature.
        let mut der = good();
        let last = der.last_mut().expect("not empty");
        *last ^= 1;
        assert!(matches!(proven_key(&pem_of(&der)), Err(IssueError::CsrProof | IssueError::Csr)));
        assert!(proven_key(&pem_of(&good())).is_ok());
    }

    #[test]
    fn keys_of_other_kinds_are_refused() {
        for algorithm in [&PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
            let key = KeyPair::generate_for(algorithm).expect("a key");
            let csr = CertificateParams::default().serialize_request(&key).expect("a request").pem().expect("PEM");
            assert!(matches!(proven_key(&csr), Err(IssueError::CsrKey)));
        }
    }

    proptest! {
        /// Bytes around the signed part may be read leniently; the key that comes out is the signed one or none.
        #[test]
        fn no_changed_byte_brings_another_key(position in any::<prop::sample::Index>(), change in 1..=255u8) {
            let der = good();
            let key = proven_key(&pem_of(&der)).expect("proven");
            let at = position.index(der.len());
            let changed: Vec<u8> = der.iter().enumerate().map(|(i, &b)| if i == at { b ^ change } else { b }).collect();
            if let Ok(other) = proven_key(&pem_of(&changed)) {
                prop_assert_eq!(other, key);
            }
        }

        #[test]
        fn arbitrary_text_is_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(proven_key(&pem_of(&bytes)).is_err());
            prop_assert!(proven_key(&String::from_utf8_lossy(&bytes)).is_err());
        }
    }
}
