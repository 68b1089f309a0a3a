//! Bundles of entries: each behind its length in two bytes, the higher one first.

use super::Tile;

/// Longest entry, in bytes: what two bytes can say. Ours are shorter ([`crate::entry::MOST_BYTES`]).
pub const MOST_ENTRY_BYTES: usize = u16::MAX as usize;

/// Why bytes are no bundle, or entries cannot be in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Longer than two bytes can say.
    #[error("an entry is longer than {MOST_ENTRY_BYTES} bytes")]
    Long,
    /// An entry ends in the middle.
    #[error("the bundle ends within an entry")]
    Torn,
    /// Another number of entries than the name says.
    #[error("the bundle has another number of entries than its name says")]
    Width,
}

/// Writes entries one after the other.
///
/// # Errors
/// [`BundleError::Long`].
pub fn bundle<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, BundleError> {
    entries.into_iter().try_fold(Vec::new(), |mut bytes, entry| {
        let length = u16::try_from(entry.len()).map_err(|_| BundleError::Long)?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
        Ok(bytes)
    })
}

/// The entries of a bundle of this name, in their order.
///
/// # Errors
/// [`BundleError::Torn`], [`BundleError::Width`].
pub fn unbundle<'a>(tile: &Tile, bytes: &'a [u8]) -> Result<Vec<&'a [u8]>, BundleError> {
    let (mut rest, mut entries) = (bytes, Vec::new());
    for _ in 0..tile.width() {
        if rest.is_empty() {
            return Err(BundleError::Width);
        }
        let (length, after) = rest.split_first_chunk().ok_or(BundleError::Torn)?;
        let (entry, after) = after.split_at_checked(u16::from_be_bytes(*length).into()).ok_or(BundleError::Torn)?;
        entries.push(entry);
        rest = after;
    }
    if rest.is_empty() { Ok(entries) } else { Err(BundleError::Width) }
}
