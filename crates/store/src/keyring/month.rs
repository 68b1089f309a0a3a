//! Keys of suppression tags, one a calendar month (decision 8): in the key directory, outside the store and its backups. Not
//! an epoch's: an entry lives as long as copies do, which is longer. Knows nothing of what is tagged.

use gallra_model::suppression::{Month, MonthKey};

use super::secret::Secret;
use super::{Keyring, KeyringError, file};

pub(super) const FIELDS: [&str; 1] = ["suppression"];
const BEFORE: &str = "suppression-";
const AFTER: &str = ".key";

fn name(month: Month) -> String {
    format!("{BEFORE}{month}{AFTER}")
}

impl Keyring {
    /// A month's key, made durably where there is none yet.
    ///
    /// # Errors
    /// When the file cannot be written, or is damaged or readable by others than its owner.
    pub fn month_key(&self, month: Month) -> Result<MonthKey, KeyringError> {
        if let Some(key) = self.find_month_key(month)? {
            return Ok(key);
        }
        match file::write(&self.dir, &name(month), FIELDS, [&Secret::random()?]) {
            // Somebody else made it meanwhile: there is one key a month.
            Ok(()) | Err(KeyringError::Exists(_)) => {}
            Err(error) => return Err(error),
        }
        self.find_month_key(month)?.ok_or_else(|| KeyringError::Missing(name(month)))
    }

    /// A month's key; none where it was never made, or is destroyed.
    ///
    /// # Errors
    /// As [`Keyring::month_key`].
    pub fn find_month_key(&self, month: Month) -> Result<Option<MonthKey>, KeyringError> {
        match file::read(&self.dir, &name(month), FIELDS) {
            Ok([secret]) => Ok(Some(MonthKey::from_bytes(*secret.expose()))),
            Err(KeyringError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The months whose keys are here.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub fn months(&self) -> Result<Vec<Month>, KeyringError> {
        let month = |name: &String| name.strip_prefix(BEFORE)?.strip_suffix(AFTER)?.parse().ok();
        Ok(file::names(&self.dir)?.iter().filter_map(month).collect())
    }

    /// Destroys a month's key: tags under it that are still somewhere can be matched with nobody any more.
    ///
    /// # Errors
    /// When the file could not be overwritten and removed; the call may be repeated.
    pub fn destroy_month(&self, month: Month) -> Result<(), KeyringError> {
        file::destroy(&self.dir, &name(month))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_has_one_key_until_it_is_destroyed() {
        let temp = tempfile::tempdir().expect("a directory");
        let keyring = Keyring::create(&temp.path().join("keys")).expect("makes");
        let (march, april) = ("202603".parse().expect("a month"), "202604".parse().expect("a month"));
        let first = keyring.month_key(march).expect("makes");
        assert_eq!(keyring.month_key(march).expect("reads"), first);
        assert_ne!(keyring.month_key(april).expect("makes"), first);
        let again = Keyring::open(&temp.path().join("keys")).expect("opens");
        assert_eq!(again.find_month_key(march).expect("reads"), Some(first));
        keyring.destroy_month(march).expect("destroys");
        assert_eq!(
            (keyring.find_month_key(march).expect("looks"), keyring.months().expect("lists")),
            (None, vec![april])
        );
    }
}
