//! What is in a store that is to be put back, and whether it may be: of this installation, and readable under the keys that are here.
//! Reads every entry once. Knows no engine.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use gallra_model::Instant;
use gallra_model::envelope::Envelope;
use gallra_store::keys;
use gallra_store::store::MAX_PAGE_ENTRIES;
use gallra_store::transfer::everything;
use gallra_store::{Entry, Key, KeyPrefix, Keyring, Store};

use crate::error::decode;
use crate::generation;
use crate::ledger::Signed;

/// What is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examined {
    /// Its own generation.
    pub generation: u64,
    /// Entries.
    pub entries: u64,
    /// Subjects' keys in it; each was tried.
    pub subjects: u64,
    /// The last instant that it knows to have been: what was acknowledged later is not in it.
    pub newest: Option<Instant>,
}

/// Reads all of it.
///
/// # Errors
/// Says why it may not be put back: no coordinator's, another installation's, of a key epoch that is gone, or damaged.
pub async fn examine(store: &dyn Store, key_folder: &Path, anchor: &str) -> anyhow::Result<Examined> {
    let generation = store.get(&keys::meta_generation()).await?.context(
        "it has no generation: it is no coordinator's store, or was moved into another one and counts no more",
    )?;
    is_of(store, anchor).await?;
    let keyring = Keyring::open(key_folder).context("the key-wrapping keys cannot be read")?;
    // The epoch that it is in: its keys are here, or it is nobody's to read.
    keyring.share(store).await.context(GONE)?;
    let mut found = Examined { generation: generation::decode(&generation.value)?, ..Examined::default() };
    let mut left = Some(everything());
    while let Some(range) = left {
        let page = store.range(&range, MAX_PAGE_ENTRIES).await?;
        for entry in &page.entries {
            found.entries += 1;
            if keys::parse_subject_key(&entry.key).is_some() {
                keyring.unwrap_subject(&entry.key, &entry.value).context(GONE)?;
                found.subjects += 1;
            }
            found.newest = found.newest.max(knows(entry)?);
        }
        left = page.more.map(|more| range.starting_at(&more));
    }
    Ok(found)
}

/// Why a store may not be put back that other keys wrapped.
const GONE: &str = "what is sealed in it does not open under the keys that are here: its key epoch has turned and nobody can read it \
                    any more, or `keys/` is another one's";

/// Whether its first key manifest is the one that the directory's anchor names.
async fn is_of(store: &dyn Store, anchor: &str) -> anyhow::Result<()> {
    let first = store.range(&keys::key_manifests().range(), 1).await?;
    let Some(first) = first.entries.first() else { bail!("it has no key manifest, so nobody can tell whose it is") };
    let first: Envelope = decode("key manifest", &first.value)?;
    let digest = gallra_proof::dsse::payload_digest(&first)?;
    ensure!(
        anchor.trim() == format!("sha256:{digest}"),
        "it is of another installation: its first key manifest is sha256:{digest}, and the file `anchor` says {}",
        anchor.trim()
    );
    Ok(())
}

/// An instant that an entry shows to have been.
fn knows(entry: &Entry) -> anyhow::Result<Option<Instant>> {
    if entry.key == keys::meta_clock() {
        return Ok(Some(decode("clock mark", &entry.value)?));
    }
    // Of whichever log: one that goes on where another ended keeps its notes further below.
    let segments: Vec<&str> = entry.key.segments().collect();
    if let [_, "log", .., "note", _] = segments[..] {
        return Ok(Some(decode::<Signed>("log note", &entry.value)?.at));
    }
    Ok(None)
}

/// How many entries under a prefix are in one store and not, or with another value, in the other.
///
/// # Errors
/// The stores'.
pub(super) async fn missing(of: &dyn Store, from: &dyn Store, prefix: &KeyPrefix) -> anyhow::Result<Vec<Key>> {
    let (mut gone, mut left) = (Vec::new(), Some(prefix.range()));
    while let Some(range) = left {
        let page = of.range(&range, MAX_PAGE_ENTRIES).await?;
        for entry in page.entries {
            if from.get(&entry.key).await?.is_none_or(|there| there.value != entry.value) {
                gone.push(entry.key);
            }
        }
        left = page.more.map(|more| range.starting_at(&more));
    }
    Ok(gone)
}
