//! The log's key on disk: `log.key`, made by `init`, and once for a directory from before there was a log. Never made anew
//! for a log that has entries: nobody could check what it signed before.

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_log::note::Key;
use gallra_model::Digest;
use gallra_proof::key::{SigningKey, VerifyingKey};
use gallra_store::keys::Tree;
use gallra_store::{Store, keys};

use super::FOLDER;
use super::beside::PUBLISHED;
use crate::asked::crypto;
use crate::core::random;
use crate::error::CoreError;
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
        let has_log = store.get(&keys::ledger_head(&Tree::First)).await?.is_some()
            || layout.path(FOLDER).join(PUBLISHED).exists();
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

/// The seed of the key that a log succession names: one of the directory's `log*.key`. None is renamed, so that none is lost in
/// between.
///
/// # Errors
/// Says that it is missing, and what to do.
pub(crate) fn read_listed(layout: &Layout, keyid: &Digest) -> anyhow::Result<[u8; 32]> {
    for entry in std::fs::read_dir(layout.root()).with_context(|| format!("{}", layout.root().display()))? {
        let name = entry?.file_name();
        let Some(name) = name.to_str().filter(|name| name.starts_with("log") && name.ends_with(".key")) else {
            continue;
        };
        let key = SigningKey::from_pem(&layout.read(name)?).with_context(|| format!("{name} cannot be read"))?;
        if Digest::of(&key.verifying().to_spki()) == *keyid {
            return Ok(key.seed());
        }
    }
    anyhow::bail!(
        "{} has no log*.key with the id {keyid}, which the log succession names: put it there, as `gallra key create --for log \
         --out {}/log-NAME` makes one",
        layout.root().display(),
        layout.root().display()
    )
}

/// A log's public key, from the base64 that a key manifest has.
///
/// # Errors
/// [`CoreError::Crypto`] where it is none.
pub(crate) fn public_of(origin: &str, spki: &str) -> Result<Key, CoreError> {
    let der = STANDARD.decode(spki).map_err(crypto)?;
    let key = VerifyingKey::from_spki(&der).map_err(crypto)?;
    let spki = key.to_spki();
    let raw = spki.last_chunk::<32>().ok_or_else(|| crypto("a log's key is too short"))?;
    Key::of_log(origin, raw).map_err(crypto)
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
