//! What must be kept, sealed: row keys and paths behind an opaque handle, in a file of its own under its due year, under a
//! key per due year (decision 11). Destroying a year's key makes everything due in it unreadable. Refuses to keep anything
//! that is not durable before its receipt is signed.

use std::fs;
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use gallra_model::ObligationId;
use gallra_model::job::Keep;
use gallra_model::target::TargetId;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::clock::{ClockError, random};
use crate::dir::{DirError, create_private_dir, write_private};

/// Why something could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The file system refused.
    #[error(transparent)]
    File(#[from] DirError),
    /// No randomness for a key.
    #[error(transparent)]
    Random(#[from] ClockError),
    /// The year's key is gone while something sealed under it is left.
    #[error(
        "obligations due in {0} are sealed under a key that is missing: restore privileged/keys, or nothing of them \
             can be met"
    )]
    KeyMissing(i16),
    /// A key file or sealed file that is not what was written.
    #[error("an obligation's file or key is damaged, or belongs to another handle")]
    Damaged,
}

/// What is behind a handle. Personal data, so no `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// Where the kept items are.
    pub target: TargetId,
    /// Why, and until when.
    pub keep: Keep,
    /// How many.
    pub items: u64,
    /// Row keys or paths, in the driver's own form, standard base64.
    pub keys: String,
}

/// The vault in the privileged half's directory.
pub struct Vault {
    root: PathBuf,
}

impl Vault {
    /// A vault, which need not exist yet.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Seals; when this returns, key and file are on the disk.
    ///
    /// # Errors
    /// When the handle is taken, the year's key is missing, or the file system refuses.
    pub fn seal(&self, handle: ObligationId, sealed: &Sealed) -> Result<(), VaultError> {
        let year = sealed.keep.earliest.year();
        let key = self.key(year)?;
        let mut bytes = Zeroizing::new(serde_json::to_vec(sealed).map_err(|_| VaultError::Damaged)?);
        bytes.reserve_exact(AES_256_GCM.tag_len());
        let nonce = key
            .seal_in_place_append_tag(Aad::from(label(year, handle)), &mut *bytes)
            .map_err(|_| VaultError::Damaged)?;
        let file = self.file(year, handle);
        create_private_dir(&self.year(year))?;
        write_private(&file, &[nonce.as_ref().as_slice(), &bytes].concat())?;
        Ok(())
    }

    /// Opens what is behind a handle.
    ///
    /// # Errors
    /// When it is not there, is damaged, or its key is gone.
    pub fn open(&self, year: i16, handle: ObligationId) -> Result<Sealed, VaultError> {
        let path = self.file(year, handle);
        let bytes = fs::read(&path).map_err(DirError::at("reading", &path))?;
        let (nonce, rest) = bytes.split_at_checked(NONCE_LEN).ok_or(VaultError::Damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| VaultError::Damaged)?;
        let mut rest = Zeroizing::new(rest.to_vec());
        let key = self.key(year)?;
        let aad = Aad::from(label(year, handle));
        let plain = key.open_in_place(nonce, aad, &mut rest).map_err(|_| VaultError::Damaged)?;
        serde_json::from_slice(plain).map_err(|_| VaultError::Damaged)
    }

    /// Throws away what an interrupted attempt may have sealed under a handle that no receipt names. Nothing there is
    /// no error.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn discard(&self, handle: ObligationId) -> Result<(), VaultError> {
        let root = self.root.join("obligations");
        if !root.is_dir() {
            return Ok(());
        }
        for year in fs::read_dir(&root).map_err(DirError::at("listing", &root))? {
            let path = year.map_err(DirError::at("listing", &root))?.path().join(handle.to_string());
            if path.exists() {
                fs::remove_file(&path).map_err(DirError::at("removing", &path))?;
                crate::dir::sync_parent(&path)?;
            }
        }
        Ok(())
    }

    fn year(&self, year: i16) -> PathBuf {
        self.root.join("obligations").join(year.to_string())
    }

    fn file(&self, year: i16, handle: ObligationId) -> PathBuf {
        self.year(year).join(handle.to_string())
    }

    /// The year's key; made when nothing is sealed for that year yet.
    fn key(&self, year: i16) -> Result<RandomizedNonceKey, VaultError> {
        let keys = self.root.join("keys");
        let path = keys.join(format!("obligations-{year}.key"));
        if !path.exists() {
            let sealed = fs::read_dir(self.year(year)).is_ok_and(|mut files| files.next().is_some());
            if sealed {
                return Err(VaultError::KeyMissing(year));
            }
            create_private_dir(&keys)?;
            write_private(&path, Zeroizing::new(random::<32>()?).as_slice())?;
        }
        let bytes = Zeroizing::new(fs::read(&path).map_err(DirError::at("reading", &path))?);
        RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| VaultError::Damaged)
    }
}

/// Binds a sealed file to its name: one moved under another handle or year does not open.
fn label(year: i16, handle: ObligationId) -> String {
    format!("gallra obligation v0 {year} {handle}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANDLE: ObligationId = ObligationId::from_bytes([1; 16]);

    fn sealed() -> Sealed {
        let keep = Keep {
            rule: "law/bookkeeping".into(),
            ground: "SFS 1999:1078 ch. 7 s. 2".into(),
            earliest: "2034-01-01".parse().expect("a literal"),
            latest: None,
        };
        Sealed { target: "register".parse().expect("id"), keep, items: 2, keys: "canary-row-17".into() }
    }

    #[test]
    fn what_is_kept_opens_again_and_is_nowhere_in_plain() {
        let temp = tempfile::tempdir().expect("a directory");
        let vault = Vault::new(temp.path());
        vault.seal(HANDLE, &sealed()).expect("seals");
        assert!(vault.open(2034, HANDLE).expect("opens") == sealed());
        assert!(Vault::new(temp.path()).open(2034, HANDLE).expect("opens after a restart") == sealed());
        let bytes = fs::read(temp.path().join("obligations/2034").join(HANDLE.to_string())).expect("reads");
        assert!(!bytes.windows(6).any(|window| window == b"canary"));
        assert!(vault.seal(HANDLE, &sealed()).is_err(), "a handle is never used twice");
    }

    #[test]
    fn damage_a_moved_file_and_a_missing_key_do_not_open() {
        let temp = tempfile::tempdir().expect("a directory");
        let vault = Vault::new(temp.path());
        vault.seal(HANDLE, &sealed()).expect("seals");
        let path = temp.path().join("obligations/2034").join(HANDLE.to_string());
        let other = ObligationId::from_bytes([2; 16]);
        fs::copy(&path, path.with_file_name(other.to_string())).expect("copies");
        assert!(matches!(vault.open(2034, other), Err(VaultError::Damaged)));
        let mut bytes = fs::read(&path).expect("reads");
        *bytes.last_mut().expect("not empty") ^= 1;
        fs::write(&path, bytes).expect("writes");
        assert!(matches!(vault.open(2034, HANDLE), Err(VaultError::Damaged)));
        fs::remove_file(temp.path().join("keys/obligations-2034.key")).expect("removes");
        assert!(matches!(vault.open(2034, HANDLE), Err(VaultError::KeyMissing(2034))));
        assert!(matches!(vault.seal(ObligationId::from_bytes([3; 16]), &sealed()), Err(VaultError::KeyMissing(2034))));
    }

    #[test]
    fn discarding_removes_one_handle_and_may_be_repeated() {
        let temp = tempfile::tempdir().expect("a directory");
        let vault = Vault::new(temp.path());
        vault.discard(HANDLE).expect("nothing there");
        vault.seal(HANDLE, &sealed()).expect("seals");
        let other = ObligationId::from_bytes([2; 16]);
        vault.seal(other, &sealed()).expect("seals");
        vault.discard(HANDLE).expect("removes");
        vault.discard(HANDLE).expect("again");
        assert!(vault.open(2034, HANDLE).is_err());
        assert!(vault.open(2034, other).is_ok());
    }
}
