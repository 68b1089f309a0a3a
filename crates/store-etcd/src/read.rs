//! Reading: linearizable, in pieces that are bounded by entries and by bytes. Owns pages; upholds that a page is of one moment.

use etcd_client::{GetOptions, GetResponse};
use gallra_store::store::{MAX_PAGE_BYTES, MAX_PAGE_ENTRIES};
use gallra_store::txn::Revision;
use gallra_store::{Entry, Key, KeyRange, Page};

use crate::Shared;
use crate::fault::{Fault, Kind};
use crate::members::{MAX_ANSWER_BYTES, Twice};

/// Entries in the first piece of a page. etcd bounds an answer by entries and not by bytes; from what the first piece weighs,
/// the next are cut.
const FIRST_PIECE: usize = 128;

/// How often a page is begun again when its moment was forgotten before it was whole.
const MAX_STARTS: usize = 3;

pub(crate) async fn get(shared: &Shared, key: &Key) -> Result<Option<Entry>, Fault> {
    let (mut answer, _) = shared.reads.ask(shared.prefix.key(key), GetOptions::new()).await?;
    let found = answer.take_kvs().into_iter().next();
    Ok(found.map(|found| {
        let version = revision_of(found.mod_revision());
        Entry { key: key.clone(), value: found.into_key_value().1, version }
    }))
}

/// The cluster's newest revision.
pub(crate) async fn revision(shared: &Shared) -> Result<Revision, Fault> {
    ask(shared, shared.prefix.first(), GetOptions::new().with_keys_only()).await.map(|(_, revision)| revision)
}

pub(crate) async fn range(shared: &Shared, range: &KeyRange, limit: usize) -> Result<Page, Fault> {
    if range.is_empty() {
        return Ok(Page::default());
    }
    let limit = limit.clamp(1, MAX_PAGE_ENTRIES);
    let mut starts = 1;
    loop {
        match page(shared, range, limit, None).await {
            Err(fault) if fault.kind == Kind::Compacted && starts < MAX_STARTS => starts += 1,
            other => return other,
        }
    }
}

/// The same as it was at a revision.
pub(crate) async fn range_at(shared: &Shared, range: &KeyRange, limit: usize, at: Revision) -> Result<Page, Fault> {
    if range.is_empty() {
        return Ok(Page::default());
    }
    page(shared, range, limit.clamp(1, MAX_PAGE_ENTRIES), Some(at)).await
}

async fn page(shared: &Shared, range: &KeyRange, limit: usize, moment: Option<Revision>) -> Result<Page, Fault> {
    let (mut start, end) = shared.prefix.range(range);
    let mut page = Page::default();
    let (mut bytes, mut at, mut most) = (0, moment, FIRST_PIECE);
    loop {
        let full = page.entries.len() == limit || bytes > MAX_PAGE_BYTES;
        // One more than fits, or just the one where no more does: the page ends by naming it.
        let piece = if full { 1 } else { most.min(limit - page.entries.len() + 1) };
        let mut options = GetOptions::new().with_range(end.clone()).with_limit(piece.try_into().unwrap_or(1));
        if full {
            options = options.with_keys_only();
        }
        if let Some(Revision(revision)) = at {
            options = options.with_revision(revision.try_into().unwrap_or(0));
        }
        // The first piece goes with whatever else is read; the others are of its moment.
        let asked = match at {
            None => shared.reads.ask(start.clone(), options).await,
            Some(_) => ask(shared, start.clone(), options).await,
        };
        let (mut answer, now) = match asked {
            Err(fault) if fault.kind == Kind::TooLong && piece > 1 => {
                most = piece.div_ceil(4);
                continue;
            }
            other => other?,
        };
        at.get_or_insert(now);
        let more = answer.more();
        for found in answer.take_kvs() {
            start = found.key().to_vec();
            start.push(0);
            let key = shared.prefix.strip(found.key()).ok_or_else(|| foreign(found.key()))?;
            if page.entries.len() == limit || bytes > MAX_PAGE_BYTES {
                page.more = Some(key);
                return Ok(page);
            }
            let version = revision_of(found.mod_revision());
            let value = found.into_key_value().1;
            bytes += value.len();
            page.entries.push(Entry { key, value, version });
        }
        if !more {
            return Ok(page);
        }
        most = next_piece(page.entries.len(), bytes);
    }
}

/// As many entries as fit into half of the longest answer, if they weigh what those before them did.
fn next_piece(entries: usize, bytes: usize) -> usize {
    let each = (bytes / entries.max(1)).max(1);
    (MAX_ANSWER_BYTES / 2 / each).clamp(1, MAX_PAGE_ENTRIES + 1)
}

pub(crate) async fn ask(shared: &Shared, key: Vec<u8>, options: GetOptions) -> Result<(GetResponse, Revision), Fault> {
    let before = shared.newest();
    let answer = shared
        .members
        .ask(Twice::Harmless, |client| {
            let (key, options) = (key.clone(), options.clone());
            let mut kv = client.kv_client().max_decoding_message_size(MAX_ANSWER_BYTES);
            async move { kv.get(key, Some(options)).await }
        })
        .await?;
    let revision = shared.seen(answer.header(), before)?;
    Ok((answer, revision))
}

pub(crate) fn revision_of(etcd: i64) -> Revision {
    Revision(u64::try_from(etcd).unwrap_or(0))
}

fn foreign(key: &[u8]) -> Fault {
    Fault::new(Kind::Refused, format!("a key of {} bytes under the cell's prefix is not the store's", key.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_shrink_with_the_weight_of_what_is_in_them() {
        assert_eq!(next_piece(128, 128 * 200), MAX_PAGE_ENTRIES + 1);
        assert_eq!(next_piece(0, 0), MAX_PAGE_ENTRIES + 1);
        let heavy = next_piece(3, 3 * 1_000_000);
        assert!((1..10).contains(&heavy) && heavy * 1_000_000 <= MAX_ANSWER_BYTES / 2, "{heavy}");
        assert_eq!(next_piece(1, 100_000_000), 1);
    }
}
