//! The log's key on disk: `log.key`, made by `init`, and once for a directory from before there was a log. Never made anew
//! for a log that has entries: nobody could check what it signed before.

use anyhow::Context as _;
use gallra_log::note::Key;
use gallra_proof::key::SigningKey;
use gallra_store::{Store, keys};

use super::FOLDER;
use super::beside::PUBLISHED;
use crate::core::random;
use crate::layout::{Layout, write_new};

/// The private key, PKCS#8 PEM.
pub const KEY_FILE: &str = "log.key";

/// The public key with the log's name, `name+id+base64`: written at each start, for whoever checks the log.
pub const PUBLIC_FILE: &str = "log.vkey";

/// Makes the key and the folder beside the store.
///
/// # Errors
/// Names what is there already or cannot be written.
pub fn make(layout: &Layout) -> anyhow::Result<()> {
    let key = SigningKey::from_seed(&random()?);
    crate::layout::make_private_dir(&layout.path(FOLDER))?;
    write_new(&layout.path(KEY_FILE), 0o600, key.to_pem()?.as_bytes())
}

/// The seed of the key. Makes one where there is none and no log either.
///
/// # Errors
/// Says that the key is missing, and what to do.
pub(crate) async fn read_or_make(layout: &Layout, store: &dyn Store) -> anyhow::Result<[u8; 32]> {
    if !layout.path(KEY_FILE).exists() {
        let has_log = store.get(&keys::ledger_head()).await?.is_some() || layout.path(FOLDER).join(PUBLISHED).exists();
        anyhow::ensure!(
            !has_log,
            "{} is missing, and the log has entries that it signed: put it back from where it is kept; a log is not gone on \
             with under another key",
            layout.path(KEY_FILE).display()
        );
        make(layout)?;
        tracing::warn!(
            file = KEY_FILE,
            "the directory is from before there was a log: a key for it was made; keep a copy"
        );
    }
    crate::layout::make_private_dir(&layout.path(FOLDER))?;
    let key = SigningKey::from_pem(&layout.read(KEY_FILE)?).with_context(|| format!("{KEY_FILE} cannot be read"))?;
    Ok(key.seed())
}

/// Writes the public key where it can be fetched.
///
/// # Errors
/// Names the file.
pub(crate) fn write_public(layout: &Layout, key: &Key) -> anyhow::Result<()> {
    let path = layout.path(PUBLIC_FILE);
    let text = format!("{key}\n");
    if std::fs::read_to_string(&path).is_ok_and(|written| written == text) {
        return Ok(());
    }
    std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))
}
