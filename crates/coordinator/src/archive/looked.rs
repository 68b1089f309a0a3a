//! How many finished requests a store says are in its archive, and whether their files are there: for `gallra doctor`, and for who
//! puts a backup of the store back or moves the store. Reads no file's content: each is compared when it is read.

use gallra_store::store::MAX_PAGE_ENTRIES;
use gallra_store::{Store, keys};

use super::{Archive, Pointer, away};
use crate::error::{CoreError, decode};

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looked {
    /// The folder.
    pub folder: String,
    /// Requests that the store says are in it.
    pub named: u64,
    /// Of those, how many have no file there, or one of another length.
    pub missing: u64,
    /// The first of them.
    pub first: Option<String>,
    /// Why the folder is not the one that the store means; none where it is, or where nothing was put into one yet.
    pub another: Option<String>,
}

impl Looked {
    /// What a person has to know who puts a store back or moves it: the files are not in it.
    pub fn told(&self) -> String {
        if self.named == 0 {
            return String::new();
        }
        let Self { folder, named, missing, .. } = self;
        let files = match missing {
            0 => "their files are there".to_owned(),
            _ => format!(
                "{missing} of their files are not there: put the folder back from its own backup, or nothing of those requests can \
                 be shown, amended or proven"
            ),
        };
        format!("of {named} finished requests the records are in the archive {folder}, and not in the store: {files}\n")
    }
}

/// Looks at every pointer of a store.
///
/// # Errors
/// The store's; a pointer that cannot be read.
pub async fn look(store: &dyn Store, archive: &Archive) -> Result<Looked, CoreError> {
    let mut looked = Looked { folder: archive.folder.root().display().to_string(), ..Looked::default() };
    let mut left = Some(keys::archived_all().range());
    while let Some(range) = left {
        let page = store.range(&range, MAX_PAGE_ENTRIES).await?;
        for entry in &page.entries {
            let Pointer::Away(of) = away::opened(entry)? else { continue };
            looked.named += 1;
            if !archive.folder.has(&of) {
                looked.missing += 1;
                looked.first.get_or_insert(of.file);
            }
        }
        left = page.more.map(|more| range.starting_at(&more));
    }
    looked.another = archive.another(store).await?;
    Ok(looked)
}

impl Archive {
    /// Why the folder is not the one that the store means.
    ///
    /// # Errors
    /// The store's, or the disk's.
    pub(super) async fn another(&self, store: &dyn Store) -> Result<Option<String>, CoreError> {
        let stored = store.get(&keys::meta_archive()).await?;
        let stored: Option<String> = stored.map(|entry| decode("archive's name", &entry.value)).transpose()?;
        let root = self.folder.root().display();
        let there = match self.folder.whose() {
            Ok(there) => there,
            Err(error) => return Ok(Some(format!("{root} cannot be read: {error}"))),
        };
        Ok(match (stored, there) {
            (Some(stored), Some(there)) if stored == there => None,
            (Some(stored), None) => Some(format!(
                "{root} is empty, or is not the folder of this store: mount it, or put it back from its backup; where it is lost for \
                 good, write this line into its file `store`: {stored}"
            )),
            (Some(_), Some(_)) => {
                Some(format!("{root} is the archive of another store: mend `archive` in coordinator.toml"))
            }
            (None, Some(there)) if !self.is_ours(&there) => {
                Some(format!("{root} is the archive of another installation: mend `archive` in coordinator.toml"))
            }
            (None, _) => None,
        })
    }

    fn is_ours(&self, whose: &str) -> bool {
        whose.split_once(' ').is_some_and(|(anchor, _)| anchor == self.anchor)
    }
}
