//! Reading: where a leaf is, proofs out of stored tiles, the tiles themselves, and waiting until a leaf is in a published tree.
//! Nothing is given out of a tree that was not published: a store may have committed to more.

use std::collections::BTreeMap;
use std::time::Duration;

use gallra_log::tile::{Kind, Tile, Tiles, WIDTH, unbundle};
use gallra_log::tree::{Hash, Node, ProofError, consistency, inclusion, needed_by_consistency, needed_by_inclusion};
use gallra_store::keys;

use super::Ledger;
use super::append::key_of;
use super::record::Signed;
use crate::error::{CoreError, decode};

/// Bytes of a hash in a tile.
const HASH_BYTES: usize = 32;

/// A leaf that is in a published tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequenced {
    /// Its index, from 0.
    pub index: u64,
    /// The newest checkpoint, whose tree has it.
    pub checkpoint: Signed,
}

impl Ledger {
    /// The index of a leaf that has its place; it may not be signed yet.
    ///
    /// # Errors
    /// The store's.
    pub async fn position(&self, leaf: &Hash) -> Result<Option<u64>, CoreError> {
        let entry = self.store.get(&keys::ledger_at(&self.tree, leaf.as_bytes())).await?;
        entry.map(|entry| decode("log position", &entry.value)).transpose()
    }

    /// The newest checkpoint that may be handed out.
    pub fn checkpoint(&self) -> Option<Signed> {
        self.standing.borrow().published.clone()
    }

    /// Waits until a leaf is in a published tree. Nothing where that does not come in time: it may come later.
    ///
    /// # Errors
    /// [`CoreError::Precondition`] where it is in none and the log is stopped; the store's.
    pub async fn sequenced(&self, leaf: &Hash, within: Duration) -> Result<Option<Sequenced>, CoreError> {
        let mut standing = self.standing.subscribe();
        let seen = async {
            loop {
                let (published, stopped) = {
                    let now = standing.borrow_and_update();
                    (now.published.clone(), now.stopped.clone())
                };
                if let Some(checkpoint) = published
                    && let Some(index) = self.position(leaf).await?
                    && index < checkpoint.size
                {
                    return Ok(Sequenced { index, checkpoint });
                }
                if let Some(stopped) = stopped {
                    return Err(CoreError::Precondition(stopped.to_string()));
                }
                let closed = || CoreError::Precondition("the log is closed".into());
                standing.changed().await.map_err(|_| closed())?;
            }
        };
        tokio::time::timeout(within, seen).await.ok().transpose()
    }

    /// The hashes beside a leaf's path in the tree of this size, from the leaf up.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] for a leaf or a size that the tree has not; the store's.
    pub async fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, CoreError> {
        self.check_size(size).await?;
        let tiles = self.tiles(needed_by_inclusion(index, size).map_err(|why| unproven(&why))?, size).await?;
        inclusion(index, size, &tiles).map_err(|why| unproven(&why))
    }

    /// The hashes that show that the tree of the old size is the beginning of the one of the new size.
    ///
    /// # Errors
    /// As [`Ledger::inclusion`].
    pub async fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, CoreError> {
        self.check_size(new).await?;
        let tiles = self.tiles(needed_by_consistency(old, new).map_err(|why| unproven(&why))?, new).await?;
        consistency(old, new, &tiles).map_err(|why| unproven(&why))
    }

    async fn check_size(&self, size: u64) -> Result<(), CoreError> {
        let ours = self.head().await?.1.size;
        if size > ours {
            return Err(CoreError::Invalid(format!("the log has {ours} entries, and not {size}")));
        }
        Ok(())
    }

    /// The tiles out of which these hashes follow, in a tree of this size. What is not stored is left out, and missed by
    /// whoever asks for it. Some microseconds each, a few for any proof: not worth a second copy in memory.
    pub(super) async fn tiles(
        &self,
        nodes: impl IntoIterator<Item = Node> + Send,
        size: u64,
    ) -> Result<Tiles, CoreError> {
        let wanted: BTreeMap<String, Tile> =
            nodes.into_iter().filter_map(|node| Tile::of(node, size)).map(|tile| (tile.to_string(), tile)).collect();
        let mut tiles = Tiles::default();
        for tile in wanted.values() {
            let Some(bytes) = self.stored(tile).await? else { continue };
            tiles
                .insert(tile, &bytes)
                .map_err(|why| CoreError::Unreadable { what: "log tile", why: why.to_string() })?;
        }
        Ok(tiles)
    }

    /// The bytes of a tile or bundle, as narrow as is asked for; nothing where less is stored.
    pub(super) async fn stored(&self, tile: &Tile) -> Result<Option<Vec<u8>>, CoreError> {
        let Some(entry) = self.store.get(&key_of(&self.tree, tile)).await? else { return Ok(None) };
        let mut bytes = entry.value;
        let width = usize::try_from(tile.width()).unwrap_or(usize::MAX);
        let end = match tile.kind {
            Kind::Hashes { .. } => width.checked_mul(HASH_BYTES),
            Kind::Entries => end_of(&bytes, width),
        };
        let Some(end) = end.filter(|end| *end <= bytes.len()) else { return Ok(None) };
        bytes.truncate(end);
        Ok(Some(bytes))
    }

    /// What is published under a path (`docs/formats/log-v1.md`, section 7); nothing for another path, and for a tile that the
    /// published tree has not. Narrower ones are the beginnings of wider ones, so that all that ever were are there still.
    ///
    /// # Errors
    /// The store's.
    pub async fn tile(&self, path: &str) -> Result<Option<Vec<u8>>, CoreError> {
        let Ok(tile) = path.parse::<Tile>() else { return Ok(None) };
        let published = self.standing.borrow().published.as_ref().map_or(0, |published| published.size);
        match Tile::at(tile.kind, tile.index, published) {
            Some(widest) if tile.width() <= widest.width() => self.stored(&tile).await,
            _ => Ok(None),
        }
    }

    /// The text of one entry of the published tree.
    ///
    /// # Errors
    /// The store's.
    pub async fn entry(&self, index: u64) -> Result<Option<String>, CoreError> {
        let published = self.standing.borrow().published.as_ref().map_or(0, |published| published.size);
        let Some(tile) = Tile::at(Kind::Entries, index / WIDTH, published).filter(|_| index < published) else {
            return Ok(None);
        };
        let unreadable = |why: String| CoreError::Unreadable { what: "log entry", why };
        let bytes = self.stored(&tile).await?.ok_or_else(|| unreadable("its bundle is not there".to_owned()))?;
        let entries = unbundle(&tile, &bytes).map_err(|why| unreadable(why.to_string()))?;
        let at = usize::try_from(index % WIDTH).unwrap_or(usize::MAX);
        let entry = entries.get(at).ok_or_else(|| unreadable("it is not in its bundle".to_owned()))?;
        String::from_utf8(entry.to_vec()).map(Some).map_err(|why| unreadable(why.to_string()))
    }

    /// Size and root of the tree that the store has committed to; it may not be signed yet.
    ///
    /// # Errors
    /// The store's.
    pub async fn committed(&self) -> Result<(u64, Hash), CoreError> {
        let head = self.head().await?.1.head()?;
        Ok((head.size, head.root))
    }

    /// How many entries wait for a place, as far as one page of the store counts.
    ///
    /// # Errors
    /// The store's.
    pub async fn waiting(&self) -> Result<usize, CoreError> {
        let page = self.store.range(&keys::ledger_waiting().range(), gallra_store::store::MAX_PAGE_ENTRIES).await?;
        Ok(page.entries.len())
    }
}

fn unproven(why: &ProofError) -> CoreError {
    match why {
        ProofError::Outside => CoreError::Invalid(why.to_string()),
        ProofError::Missing(_) | ProofError::Length | ProofError::Root => {
            CoreError::Unreadable { what: "log tile", why: why.to_string() }
        }
    }
}

/// Where so many entries of a bundle end; nothing where it has fewer.
fn end_of(bytes: &[u8], entries: usize) -> Option<usize> {
    (0..entries).try_fold(0_usize, |at, _| {
        let length = bytes.get(at..)?.first_chunk()?;
        Some(at + 2 + usize::from(u16::from_be_bytes(*length))).filter(|end| *end <= bytes.len())
    })
}
