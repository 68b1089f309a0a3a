//! Key pairs in files: one Ed25519 key and one ML-DSA-65 key that always sign together, as `PREFIX.key`, `PREFIX-ml-dsa.key` and,
//! for others to read, `PREFIX.pub`. Never writes over a file. Refuses to know what a pair is for.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use gallra_identity::{MlDsaKey, public_blocks};
use gallra_model::Digest;
use gallra_model::manifest::Algorithm;
use gallra_proof::issuer::Signer;
use gallra_proof::key::{SigningKey, VerifyingKey};

use crate::cause;
use crate::exit::{FAILED, Failure, USAGE};

/// The private halves.
pub struct Pair {
    /// One.
    pub ed25519: SigningKey,
    /// The other.
    pub ml_dsa: MlDsaKey,
}

/// A public half: DER SubjectPublicKeyInfo, its id and its algorithm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Public {
    /// SHA-256 of `spki`.
    pub keyid: Digest,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// The bytes.
    pub spki: Vec<u8>,
}

impl Pair {
    /// Both, to sign with.
    pub fn signers(&self) -> [&dyn Signer; 2] {
        [&self.ed25519, &self.ml_dsa]
    }

    /// Reads `PREFIX.key` and `PREFIX-ml-dsa.key`.
    ///
    /// # Errors
    /// [`USAGE`] with the path; never quotes a file.
    pub fn read(prefix: &Path) -> Result<Self, Failure> {
        let path = ending(prefix, "-ml-dsa.key");
        let wrong = |error: &dyn std::fmt::Display| Failure::new(USAGE, format!("{}: {error}", path.display()));
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(&error))?;
        let ml_dsa = MlDsaKey::from_pem(&text).map_err(|error| wrong(&error))?;
        Ok(Self { ed25519: cause::read_key(&ending(prefix, ".key"))?, ml_dsa })
    }
}

/// A prefix with an ending.
fn ending(prefix: &Path, ending: &str) -> PathBuf {
    let mut path = prefix.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// Makes a pair; with `alone` the Ed25519 key only, as a log has it.
///
/// # Errors
/// [`USAGE`] with the path of a file that is there already; then nothing was written over, but a part may be new.
pub fn create(prefix: &Path, alone: bool) -> Result<Vec<Public>, Failure> {
    let paths = [".key", "-ml-dsa.key", ".pub"].map(|end| ending(prefix, end));
    if let Some(there) = paths.iter().find(|path| path.exists()) {
        return Err(Failure::new(USAGE, format!("{}: is there already; no key is written over", there.display())));
    }
    let failed = |error: &dyn std::fmt::Display| Failure::new(FAILED, error.to_string());
    let [key, ml_dsa_key, public] = &paths;
    let ed25519 = cause::create_key(key)?;
    let mut pem = ed25519.verifying().to_pem();
    if !alone {
        let ml_dsa = MlDsaKey::from_seed(&cause::random()?).map_err(|error| failed(&error))?;
        write_new(ml_dsa_key, 0o600, ml_dsa.to_pem().map_err(|error| failed(&error))?.as_bytes())?;
        pem.push_str(&ml_dsa.public_pem());
    }
    write_new(public, 0o644, pem.as_bytes())?;
    parse(&pem).ok_or_else(|| Failure::new(FAILED, "the keys that were made cannot be read back"))
}

/// Reads a `.pub` file.
///
/// # Errors
/// [`USAGE`] with the path.
pub fn read_public(path: &Path) -> Result<Vec<Public>, Failure> {
    let text =
        std::fs::read_to_string(path).map_err(|error| Failure::new(USAGE, format!("{}: {error}", path.display())))?;
    let wrong =
        || Failure::new(USAGE, format!("{}: not the public keys that `gallra key create` writes", path.display()));
    parse(&text).ok_or_else(wrong)
}

/// One key of each algorithm.
///
/// # Errors
/// As [`read_public`].
pub fn read_both(path: &Path) -> Result<[Public; 2], Failure> {
    let keys = read_public(path)?;
    let wrong = || Failure::new(USAGE, format!("{}: expected one Ed25519 and one ML-DSA-65 key", path.display()));
    match <[Public; 2]>::try_from(keys) {
        Ok(both) if both[0].algorithm == Algorithm::Ed25519 && both[1].algorithm == Algorithm::MlDsa65 => Ok(both),
        _ => Err(wrong()),
    }
}

fn parse(text: &str) -> Option<Vec<Public>> {
    let public = |spki: Vec<u8>| {
        let algorithm = if VerifyingKey::from_spki(&spki).is_ok() {
            Algorithm::Ed25519
        } else {
            gallra_proof::manifest::is_ml_dsa(&spki).then_some(Algorithm::MlDsa65)?
        };
        Some(Public { keyid: Digest::of(&spki), algorithm, spki })
    };
    let keys: Vec<Public> = public_blocks(text).into_iter().map(public).collect::<Option<_>>()?;
    (!keys.is_empty()).then_some(keys)
}

/// Writes a file that must not be there yet.
///
/// # Errors
/// [`USAGE`] with the path.
pub fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), Failure> {
    let write = || -> std::io::Result<()> {
        let mut file = File::options().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error| Failure::new(USAGE, format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_pair_is_its_owners_reads_back_and_is_never_written_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let prefix = folder.path().join("chair");
        let made = create(&prefix, false).expect("makes");
        for end in [".key", "-ml-dsa.key"] {
            let mode = std::fs::metadata(ending(&prefix, end)).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{end}");
        }
        let pair = Pair::read(&prefix).expect("reads");
        let both = read_both(&ending(&prefix, ".pub")).expect("reads");
        assert_eq!(both.to_vec(), made);
        assert_eq!(pair.signers().map(|signer| signer.keyid()), both.map(|public| public.keyid));
        for end in [".key", "-ml-dsa.key", ".pub"] {
            let kept = std::fs::read(ending(&prefix, end)).expect("reads");
            assert!(create(&prefix, false).is_err(), "{end} is there");
            assert_eq!(std::fs::read(ending(&prefix, end)).expect("reads"), kept);
            std::fs::remove_file(ending(&prefix, end)).expect("gone");
            if end != ".pub" {
                assert!(create(&prefix, false).is_err(), "the others are there");
            }
        }
        assert_eq!(create(&prefix, true).expect("a log's").len(), 1);
        assert!(read_both(&ending(&prefix, ".pub")).is_err(), "one is no pair");
    }
}
