//! A store in which what left it is still read, and nothing is written to what is away. Owns the two readings of a pointer around what
//! is read of a finished request, so that no page is half of one place and half of none. Knows nothing of when a request leaves.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use gallra_model::RequestId;
use gallra_store::store::{MAX_PAGE_BYTES, MAX_PAGE_ENTRIES};
use gallra_store::{Entry, Expect, Key, KeyPrefix, KeyRange, Page, Revision, Store, StoreError, Txn, Watch, keys};

use super::file::Records;
use super::{Archive, Away, Pointer, away};

/// Looks at a pointer that changes while it is followed. It changes once in a request's life, or twice.
const MAX_LOOKS: usize = 8;

/// Another store, with its archive.
pub struct WithArchive {
    inner: Arc<dyn Store>,
    archive: Arc<Archive>,
}

impl WithArchive {
    /// The store, and what left it.
    pub fn new(inner: Arc<dyn Store>, archive: Arc<Archive>) -> Self {
        Self { inner, archive }
    }

    /// The records of a file; none where the pointer that named it has changed meanwhile.
    async fn follow(&self, id: &RequestId, read: &Entry, away: &Away) -> Result<Option<Arc<Records>>, StoreError> {
        match self.archive.read(id, away).await {
            Ok(records) => Ok(Some(records)),
            Err(error) => match self.inner.get(&read.key).await? {
                Some(now) if now.version == read.version => Err(error),
                _ => Ok(None),
            },
        }
    }

    /// Where a record of a finished request is that the store does not have by itself.
    async fn record(&self, id: &RequestId, key: &Key) -> Result<Option<Entry>, StoreError> {
        for _ in 0..MAX_LOOKS {
            let Some((pointer, Pointer::Away(away))) = away::pointer(&*self.inner, id).await? else {
                // It may have been put back since it was looked for.
                return self.inner.get(key).await;
            };
            if let Some(records) = self.follow(id, &pointer, &away).await? {
                let entry =
                    |value: &Vec<u8>| Entry { key: key.clone(), value: value.clone(), version: pointer.version };
                return Ok(records.get(key).map(entry));
            }
        }
        Err(StoreError::Conflict { key: keys::archived(id) })
    }

    async fn records(&self, id: &RequestId, range: &KeyRange, limit: usize) -> Result<Page, StoreError> {
        for _ in 0..MAX_LOOKS {
            let before = away::pointer(&*self.inner, id).await?;
            if let Some((pointer, Pointer::Away(away))) = &before {
                match self.follow(id, pointer, away).await? {
                    Some(records) => return Ok(page(&records, range, limit, pointer.version)),
                    None => continue,
                }
            }
            let page = self.inner.range(range, limit).await?;
            let after = self.inner.get(&keys::archived(id)).await?;
            if after.map(|entry| entry.version) == before.map(|(entry, _)| entry.version) {
                return Ok(page);
            }
        }
        Err(StoreError::Conflict { key: keys::archived(id) })
    }
}

#[async_trait]
impl Store for WithArchive {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        let found = self.inner.get(key).await?;
        if let Some(entry) = &found {
            self.archive.saw(entry);
            return Ok(found);
        }
        match keys::leaving(key.as_str()).filter(|id| !self.archive.is_open(id)) {
            Some(id) => self.record(&id, key).await,
            None => Ok(None),
        }
    }

    async fn range(&self, range: &KeyRange, limit: usize) -> Result<Page, StoreError> {
        match one_request(range).filter(|id| !self.archive.is_open(id)) {
            Some(id) => self.records(&id, range, limit).await,
            None => self.inner.range(range, limit).await,
        }
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, StoreError> {
        let written = written(&txn);
        let txn = written.iter().fold(txn, |txn, id| txn.expect(keys::archived(id), Expect::Absent));
        match self.inner.commit(txn).await {
            Err(conflict @ StoreError::Conflict { .. }) => {
                // Whoever reads again, as after any conflict, finds the records in the store.
                for id in written.iter().filter(|id| !self.archive.is_open(id)) {
                    self.archive.put_back(&*self.inner, id).await?;
                }
                Err(conflict)
            }
            other => other,
        }
    }

    fn watch(&self, prefix: KeyPrefix) -> Watch {
        self.inner.watch(prefix)
    }
}

/// Whose records a range is, where it is one request's only.
fn one_request(range: &KeyRange) -> Option<RequestId> {
    let id = keys::leaving(range.start())?;
    // Its last text is above every key of the request, and below any key of another one.
    let (start, end) = (range.start().split('/'), range.end().split('/'));
    let same = start.zip(end).take(3).enumerate().all(|(place, (one, other))| {
        let is_id = place == 2;
        one == other || is_id && other.strip_suffix('0') == Some(one)
    });
    same.then_some(id)
}

/// Whose records, or whose own one, a transaction writes that has no word of its own about their pointer.
fn written(txn: &Txn) -> BTreeSet<RequestId> {
    let told: BTreeSet<RequestId> = txn.expects().iter().filter_map(|(key, _)| keys::parse_archived(key)).collect();
    let of = |key: &Key| keys::parse_request(key).or_else(|| keys::leaving(key.as_str()));
    txn.writes().iter().filter_map(|write| of(write.key())).filter(|id| !told.contains(id)).collect()
}

fn page(records: &Records, range: &KeyRange, limit: usize, version: Revision) -> Page {
    let (mut page, mut bytes) = (Page::default(), 0);
    for (key, value) in records.iter().filter(|(key, _)| range.contains(key)) {
        if page.entries.len() >= limit.clamp(1, MAX_PAGE_ENTRIES) || bytes > MAX_PAGE_BYTES {
            page.more = Some(key.clone());
            break;
        }
        bytes += value.len();
        page.entries.push(Entry { key: key.clone(), value: value.clone(), version });
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> RequestId {
        RequestId::from_bytes([byte; 16])
    }

    #[test]
    fn a_range_is_one_request_s_only_where_no_other_s_key_lies_in_it() {
        let (mine, whole) = (keys::receipts_of(&id(1)).range(), keys::plans_of(&id(1)).range());
        let later = keys::plan(&id(1), 3);
        for range in [mine, whole.clone().starting_at(&later), whole.above(&later), KeyRange::only(&later)] {
            assert_eq!(one_request(&range), Some(id(1)), "{range:?}");
        }
        let (several, all) = (keys::Family::Plan.prefix().range(), gallra_store::transfer::everything());
        for range in [several.clone().above(&later), several, all, keys::requests().range()] {
            assert_eq!(one_request(&range), None, "{range:?}");
        }
    }

    #[test]
    fn a_transaction_writes_requests_it_has_no_word_about() {
        let txn =
            Txn::new().put(keys::request(&id(1)), "").delete(keys::plan(&id(2), 1)).put(keys::plan(&id(3), 1), "");
        let txn = txn.expect(keys::archived(&id(3)), Expect::Present).put(keys::guard_request(&id(4)), "");
        assert_eq!(written(&txn), BTreeSet::from([id(1), id(2)]));
    }

    #[test]
    fn pages_of_a_file_are_bounded_and_go_on() {
        let records: Records = (0..5).map(|number| (keys::plan(&id(1), number), vec![b'x'; 10])).collect();
        let range = keys::plans_of(&id(1)).range();
        let first = page(&records, &range, 2, Revision(7));
        let more = first.more.expect("more");
        assert_eq!((first.entries.len(), &more), (2, &keys::plan(&id(1), 2)));
        let rest = page(&records, &range.starting_at(&more), 10, Revision(7));
        assert_eq!((rest.entries.len(), rest.more), (3, None));
        let large = Records::from([1, 2].map(|number| (keys::plan(&id(1), number), vec![b'x'; MAX_PAGE_BYTES + 1])));
        assert_eq!(page(&large, &keys::plans_of(&id(1)).range(), 10, Revision(7)).entries.len(), 1);
    }
}
