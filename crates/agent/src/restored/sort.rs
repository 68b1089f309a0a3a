//! Who is there, and what becomes of each: holds every candidate of the target against the list. Touches nothing; remembers
//! only those who have to go.

use std::collections::BTreeMap;

use anyhow::Context as _;
use gallra_flow::suppression::Ruling;
use gallra_model::Digest;
use gallra_model::selector::Selector;
use gallra_model::suppression::{Entry, MonthKey, Sorted};
use gallra_targets::Failure;

use super::{Due, Restore};

/// Everybody, sorted.
pub(super) struct Found {
    /// Numbers; `others_before` counts everybody who does not have to go.
    pub(super) subjects: Sorted,
    /// Who has to go.
    pub(super) due: Vec<Due>,
}

/// The list's entries of one target, by tag, and the keys that tags are made with.
struct Index<'l> {
    keys: BTreeMap<Digest, &'l MonthKey>,
    entries: BTreeMap<Digest, Vec<&'l Entry>>,
}

impl Restore {
    /// Sorts whoever the target holds, and whom an earlier run began with.
    pub(super) fn sort(&self, begun: &[Selector]) -> anyhow::Result<Found> {
        let index = self.index()?;
        let mut found = Found { subjects: Sorted::default(), due: Vec::new() };
        let mut missing: Vec<&Selector> = begun.iter().collect();
        let mut see = |selector: Selector| {
            missing.retain(|begun| **begun != selector);
            self.rule(&index, selector, &mut found);
            Ok::<(), Failure>(())
        };
        let unknown = self.driver.candidates(&mut see).map_err(|failure| anyhow::anyhow!(failure.hint))?;
        for selector in missing {
            self.rule(&index, selector.clone(), &mut found);
        }
        found.subjects.unknown = unknown;
        found.subjects.others_before = found.subjects.candidates - found.due.len() as u64;
        Ok(found)
    }

    fn index(&self) -> anyhow::Result<Index<'_>> {
        let mut index = Index { keys: BTreeMap::new(), entries: BTreeMap::new() };
        for entry in self.list.known().of(&self.info.id, self.contact.clock) {
            let key = self
                .list
                .key(entry)
                .context("an entry of the suppression list has lost its key: nobody can match it")?;
            index.keys.insert(entry.key, key);
            index.entries.entry(entry.tag).or_default().push(entry);
        }
        Ok(index)
    }

    fn rule(&self, index: &Index<'_>, selector: Selector, found: &mut Found) {
        let subjects = &mut found.subjects;
        subjects.candidates += 1;
        let tags = index.keys.values().filter_map(|key| key.tag(&self.agent, &self.info.id, &selector));
        let entries: Vec<&Entry> = tags.filter_map(|tag| index.entries.get(&tag)).flatten().copied().collect();
        let Some(ruling) = self.list.known().ruling(&entries, self.taken) else { return };
        subjects.matched += 1;
        match ruling {
            Ruling::Erase(entry) => {
                let undone = self.list.known().undone(&entries, self.taken).into_iter().cloned().collect();
                found.due.push(Due { selector, entry: entry.id, undone });
            }
            Ruling::Lifted => subjects.lifted += 1,
            Ruling::Held => subjects.held += 1,
            Ruling::Newer => subjects.newer += 1,
        }
    }
}
