//! ML-DSA-65 private keys (FIPS 204) as files hold them, and their signatures. Owns the PEM form; what is signed, and in which
//! form, is `gallra-proof`'s. The library's computation draws fresh randomness for each signature, as the standard prefers.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::signature::{KeyPair as _, ML_DSA_65, ML_DSA_65_SIGNING, PqdsaKeyPair, UnparsedPublicKey};
use gallra_model::manifest::Algorithm;
use gallra_proof::issuer::{SignError, Signer, tap21};

use crate::pem::only_block;

const PRIVATE: &str = "PRIVATE KEY";

/// Why a text is no key. Never quotes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an ML-DSA-65 private key: expected PKCS#8 PEM with its seed (RFC 9881)")]
pub struct MlDsaError;

/// A private key. Its `Debug` form shows nothing of it.
pub struct MlDsaKey {
    pair: PqdsaKeyPair,
    spki: Vec<u8>,
}

impl MlDsaKey {
    /// The key of a seed: 32 bytes from the operating system's random source.
    ///
    /// # Errors
    /// [`MlDsaError`] where the library refuses; never in practice.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, MlDsaError> {
        PqdsaKeyPair::from_seed(&ML_DSA_65_SIGNING, seed).map_err(|_| MlDsaError).and_then(Self::new)
    }

    /// Reads PKCS#8 PEM.
    ///
    /// # Errors
    /// [`MlDsaError`].
    pub fn from_pem(text: &str) -> Result<Self, MlDsaError> {
        let der = only_block(text, PRIVATE).ok_or(MlDsaError)?;
        PqdsaKeyPair::from_pkcs8(&ML_DSA_65_SIGNING, &der).map_err(|_| MlDsaError).and_then(Self::new)
    }

    /// Writes PKCS#8 PEM with the seed in it.
    ///
    /// # Errors
    /// [`MlDsaError`] where the library cannot.
    pub fn to_pem(&self) -> Result<String, MlDsaError> {
        let der = self.pair.to_pkcs8v1().map_err(|_| MlDsaError)?;
        Ok(crate::pem::block(PRIVATE, der.as_ref()))
    }

    /// The public half as SubjectPublicKeyInfo PEM.
    pub fn public_pem(&self) -> String {
        crate::pem::block("PUBLIC KEY", &self.spki)
    }

    fn new(pair: PqdsaKeyPair) -> Result<Self, MlDsaError> {
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| MlDsaError)?;
        let spki = spki.as_ref().to_vec();
        Ok(Self { pair, spki })
    }
}

impl std::fmt::Debug for MlDsaKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MlDsaKey({})", self.keyid())
    }
}

impl Signer for MlDsaKey {
    fn algorithm(&self) -> Algorithm {
        Algorithm::MlDsa65
    }

    fn spki(&self) -> Vec<u8> {
        self.spki.clone()
    }

    fn sign(&self, pae: &[u8]) -> Result<Vec<u8>, SignError> {
        let mut signature = vec![0; ML_DSA_65_SIGNING.signature_len()];
        let refused = |_| SignError { keyid: self.keyid(), why: "the library refused to sign".to_owned() };
        let written = self.pair.sign(&tap21(pae), &mut signature).map_err(refused)?;
        signature.truncate(written);
        Ok(signature)
    }
}

/// Whether the key of this DER SubjectPublicKeyInfo signed the pre-authentication encoding.
pub fn ml_dsa_verifies(spki: &[u8], pae: &[u8], signature: &[u8]) -> bool {
    let key = UnparsedPublicKey::new(&ML_DSA_65, spki);
    gallra_proof::manifest::is_ml_dsa(spki) && key.verify(&tap21(pae), signature).is_ok()
}

/// The DER of each block of a PEM text of public keys, in their order; nothing where there is none.
pub fn public_blocks(text: &str) -> Vec<Vec<u8>> {
    let mut rest = text;
    let mut blocks = Vec::new();
    while let Some(end) = rest.find(END_PUBLIC) {
        let (block, after) = rest.split_at(end + END_PUBLIC.len());
        match only_block(block.trim_start(), "PUBLIC KEY") {
            Some(der) => blocks.push(der),
            None => return Vec::new(),
        }
        rest = after;
    }
    if rest.trim().is_empty() { blocks } else { Vec::new() }
}

/// The DER of a text that is one certificate in PEM.
pub fn certificate_der(text: &str) -> Option<Vec<u8>> {
    only_block(text, "CERTIFICATE")
}

const END_PUBLIC: &str = "-----END PUBLIC KEY-----";

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn a_key_survives_its_file_and_signs_in_the_form_of_the_page() {
        let key = MlDsaKey::from_seed(&[7; 32]).expect("a key");
        let again = MlDsaKey::from_pem(&key.to_pem().expect("pem")).expect("reads");
        assert_eq!(again.keyid(), key.keyid());
        let signature = again.sign(b"DSSEv1 1 a 1 b").expect("signs");
        assert_eq!(signature.len(), 3309);
        assert!(ml_dsa_verifies(&key.spki(), b"DSSEv1 1 a 1 b", &signature));
        assert!(!ml_dsa_verifies(&key.spki(), b"DSSEv1 1 a 1 c", &signature));
        assert_eq!(public_blocks(&(key.public_pem() + &key.public_pem())), [key.spki(), key.spki()]);
        assert!(public_blocks(&(key.public_pem() + "x")).is_empty());
        let public = UnparsedPublicKey::new(&ML_DSA_65, key.pair.public_key().as_ref());
        assert!(public.verify(&tap21(b"DSSEv1 1 a 1 b"), &signature).is_ok());
        assert!(public.verify(b"DSSEv1 1 a 1 b", &signature).is_err(), "never over the bare encoding");
    }

    #[test]
    fn other_keys_and_other_texts_are_refused() {
        let ed25519 = gallra_proof::key::SigningKey::from_seed(&[7; 32]).to_pem().expect("pem");
        for text in ["", "-----BEGIN PRIVATE KEY-----\nAAEC\n-----END PRIVATE KEY-----\n", &ed25519] {
            assert!(MlDsaKey::from_pem(text).is_err());
        }
        let key = MlDsaKey::from_seed(&[9; 32]).expect("a key");
        assert!(!format!("{key:?}").contains(&STANDARD.encode([9; 32])));
    }
}
