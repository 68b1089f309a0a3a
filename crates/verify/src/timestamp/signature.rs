//! Which signatures count: RSA of 2048 to 4096 bits (PKCS #1 v1.5, and PSS with the digest's own length of salt), ECDSA over
//! P-256 and P-384, Ed25519; each over SHA-256, 384 or 512. Refuses to know what is signed.

use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use rsa::BoxedUint;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::der::{
    BIT_STRING, Element, INTEGER, Malformed, NULL, OID, Reader, SEQUENCE, context, small, unsigned, whole_bytes,
};
use super::{StampError, oid};

/// Sizes of RSA keys, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// A digest that nobody has found two messages for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digest {
    Sha256,
    Sha384,
    Sha512,
}

impl Digest {
    /// The one that an AlgorithmIdentifier means.
    pub(super) fn named(algorithm: &Algorithm<'_>) -> Option<Self> {
        let known = [(oid::SHA256, Self::Sha256), (oid::SHA384, Self::Sha384), (oid::SHA512, Self::Sha512)];
        known.into_iter().find(|(name, _)| *name == algorithm.name && algorithm.is_plain()).map(|(_, digest)| digest)
    }

    pub(super) fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    fn bytes(self) -> u32 {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// An AlgorithmIdentifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Algorithm<'a> {
    name: &'a [u8],
    parameters: Option<Element<'a>>,
}

impl<'a> Algorithm<'a> {
    pub(super) fn read(sequence: &Element<'a>) -> Result<Self, Malformed> {
        let mut parts = sequence.reader();
        let name = parts.take(OID)?.content;
        let parameters = if parts.is_empty() { None } else { Some(parts.any()?) };
        parts.end()?;
        Ok(Self { name, parameters })
    }

    /// Without parameters, or with NULL for them.
    fn is_plain(&self) -> bool {
        self.parameters.is_none_or(|parameters| parameters.tag == NULL && parameters.content.is_empty())
    }
}

/// How something was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Pkcs1(Digest),
    Pss(Digest),
    Ecdsa(Digest),
    Ed25519,
}

impl Scheme {
    /// `digest` is what stands beside the algorithm, in CMS: it says what RSA alone leaves open, and contradicts nothing.
    fn named(algorithm: &Algorithm<'_>, digest: Option<Digest>) -> Option<Self> {
        let plain = algorithm.is_plain();
        let bare = algorithm.parameters.is_none();
        let (scheme, own) = match algorithm.name {
            oid::RSA if plain => (Self::Pkcs1(digest?), digest),
            oid::RSA_SHA256 if plain => (Self::Pkcs1(Digest::Sha256), Some(Digest::Sha256)),
            oid::RSA_SHA384 if plain => (Self::Pkcs1(Digest::Sha384), Some(Digest::Sha384)),
            oid::RSA_SHA512 if plain => (Self::Pkcs1(Digest::Sha512), Some(Digest::Sha512)),
            oid::RSA_PSS => pss(algorithm).map(|digest| (Self::Pss(digest), Some(digest)))?,
            oid::ECDSA_SHA256 if bare => (Self::Ecdsa(Digest::Sha256), Some(Digest::Sha256)),
            oid::ECDSA_SHA384 if bare => (Self::Ecdsa(Digest::Sha384), Some(Digest::Sha384)),
            oid::ECDSA_SHA512 if bare => (Self::Ecdsa(Digest::Sha512), Some(Digest::Sha512)),
            // Ed25519 has its digest inside; beside it CMS asks for SHA-512 (RFC 8419).
            oid::ED25519 if bare => (Self::Ed25519, Some(Digest::Sha512)),
            _ => return None,
        };
        (digest.is_none() || digest == own).then_some(scheme)
    }
}

/// The digest of PSS parameters: one of ours, the same in the mask, a salt as long as it is.
fn pss(algorithm: &Algorithm<'_>) -> Option<Digest> {
    let mut parameters = algorithm.parameters.filter(|parameters| parameters.tag == SEQUENCE)?.reader();
    let mut field = |number| parameters.take(context(number)).map(|field| field.reader()).ok();
    let digest = Digest::named(&Algorithm::read(&field(0)?.only(SEQUENCE).ok()?).ok()?)?;
    let mask = Algorithm::read(&field(1)?.only(SEQUENCE).ok()?).ok()?;
    let masked = mask.parameters.filter(|inner| inner.tag == SEQUENCE && mask.name == oid::MGF1)?;
    let salt = small(&field(2)?.only(INTEGER).ok()?).ok()?;
    let same = Digest::named(&Algorithm::read(&masked).ok()?) == Some(digest) && salt == digest.bytes();
    (same && parameters.is_empty()).then_some(digest)
}

/// A public key.
#[derive(Debug)]
enum Key {
    Rsa(rsa::PublicKey),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    Ed25519(ed25519_dalek::VerifyingKey),
}

impl Key {
    /// From a SubjectPublicKeyInfo.
    fn read(info: &Element<'_>) -> Option<Self> {
        let mut parts = info.reader();
        let algorithm = Algorithm::read(&parts.take(SEQUENCE).ok()?).ok()?;
        let bits = parts.only(BIT_STRING).ok()?;
        let bytes = whole_bytes(&bits).ok()?;
        match algorithm.name {
            oid::RSA if algorithm.is_plain() => rsa_key(bytes).map(Self::Rsa),
            oid::EC_KEY if bytes.first() == Some(&0x04) => {
                match algorithm.parameters.filter(|curve| curve.tag == OID)?.content {
                    oid::P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(bytes).map(Self::P256).ok(),
                    oid::P384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(bytes).map(Self::P384).ok(),
                    _ => None,
                }
            }
            oid::ED25519 if algorithm.parameters.is_none() => {
                let key = ed25519_dalek::VerifyingKey::from_bytes(bytes.try_into().ok()?).ok()?;
                (!key.is_weak()).then_some(Self::Ed25519(key))
            }
            _ => None,
        }
    }

    /// `None`: a scheme that is not of this key.
    fn verifies(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> Option<bool> {
        match (self, scheme) {
            (Self::Rsa(key), Scheme::Pkcs1(digest)) => Some(
                match digest {
                    Digest::Sha256 => key.pkcs1v15_verify::<Sha256>(message, signature),
                    Digest::Sha384 => key.pkcs1v15_verify::<Sha384>(message, signature),
                    Digest::Sha512 => key.pkcs1v15_verify::<Sha512>(message, signature),
                }
                .is_ok(),
            ),
            (Self::Rsa(key), Scheme::Pss(digest)) => Some(
                match digest {
                    Digest::Sha256 => key.pss_verify::<Sha256>(message, signature),
                    Digest::Sha384 => key.pss_verify::<Sha384>(message, signature),
                    Digest::Sha512 => key.pss_verify::<Sha512>(message, signature),
                }
                .is_ok(),
            ),
            (Self::P256(key), Scheme::Ecdsa(digest)) => {
                let signature = scalars(signature).and_then(|(r, s)| p256::ecdsa::Signature::from_scalars(r, s).ok());
                Some(signature.is_some_and(|signature| key.verify_prehash(&digest.of(message), &signature).is_ok()))
            }
            (Self::P384(key), Scheme::Ecdsa(digest)) => {
                let signature = scalars(signature).and_then(|(r, s)| p384::ecdsa::Signature::from_scalars(r, s).ok());
                Some(signature.is_some_and(|signature| key.verify_prehash(&digest.of(message), &signature).is_ok()))
            }
            (Self::Ed25519(key), Scheme::Ed25519) => {
                let signature = ed25519_dalek::Signature::from_slice(signature).ok();
                Some(signature.is_some_and(|signature| key.verify_strict(message, &signature).is_ok()))
            }
            _ => None,
        }
    }
}

/// RSAPublicKey (RFC 8017, A.1.1).
fn rsa_key(bytes: &[u8]) -> Option<rsa::PublicKey> {
    let mut numbers = Reader::new(bytes).only(SEQUENCE).ok()?.reader();
    let (modulus, exponent) = (numbers.take(INTEGER).ok()?, numbers.only(INTEGER).ok()?);
    let (modulus, exponent) = (unsigned(&modulus).ok()?, unsigned(&exponent).ok()?);
    let uint = |bytes| BoxedUint::from_be_slice_vartime(bytes);
    // Before any arithmetic: a number of the token's length would take long.
    if modulus.len() > RSA_BITS.end() / 8 || exponent.len() > 8 {
        return None;
    }
    rsa::PublicKey::new_with_size_limits(uint(modulus), uint(exponent), RSA_BITS).ok()
}

/// `r` and `s` of an ECDSA signature (RFC 3279, section 2.2.3), as wide as the curve's numbers.
fn scalars<const WIDTH: usize>(signature: &[u8]) -> Option<([u8; WIDTH], [u8; WIDTH])> {
    let mut numbers = Reader::new(signature).only(SEQUENCE).ok()?.reader();
    let (r, s) = (numbers.take(INTEGER).ok()?, numbers.only(INTEGER).ok()?);
    let wide = |number: &Element<'_>| {
        let bytes = unsigned(number).ok()?;
        let mut wide = [0; WIDTH];
        wide.get_mut(WIDTH.checked_sub(bytes.len())?..)?.copy_from_slice(bytes);
        Some(wide)
    };
    Some((wide(&r)?, wide(&s)?))
}

/// Whether the key of a SubjectPublicKeyInfo signed the message. `digest`: what stands beside the algorithm, in CMS.
pub(super) fn verify(
    key: &Element<'_>,
    algorithm: &Algorithm<'_>,
    digest: Option<Digest>,
    message: &[u8],
    signature: &[u8],
) -> Result<(), StampError> {
    let scheme = Scheme::named(algorithm, digest).ok_or(StampError::Algorithm("another signature algorithm"))?;
    let key = Key::read(key).ok_or(StampError::Algorithm("a key of another kind or size"))?;
    match key.verifies(scheme, message, signature) {
        Some(true) => Ok(()),
        Some(false) => Err(StampError::Signature),
        None => Err(StampError::Algorithm("a key with a signature of another kind")),
    }
}
