//! The `maildir` driver: a mailbox, or all mailboxes of one service, on disk. A thin layer over `tree`: the whole tree
//! goes, since indexes, subscriptions and sieve scripts hold addresses too. Owns what a mail is: how mails are told
//! from other files, and which of their bytes must be found before an erasure and never after. See
//! `docs/targets/maildir.md`.

use std::path::PathBuf;

use gallra_model::Instant;
use gallra_model::outcome::Counts;
use gallra_model::receipt::Check;
use gallra_model::selector::Selector;
use gallra_model::target::TargetKind;

use serde::Deserialize;

use crate::age::Age;
use crate::driver::{Boundary, Confirmation, Driver, Failure, Inspection, PurgeOrder, Purged};
pub use crate::tree::HardLinks;
use crate::tree::{self, Tree, default_sentinel, default_trash};
pub use age::Received;

mod age;
pub(crate) mod mail;
mod purge;
#[cfg(test)]
pub(crate) mod tests;

use mail::{Search, holds_mails, is_mail, message_id};

/// Message-IDs taken as residue.
const MAX_RESIDUE: usize = 8;

/// Where the mailboxes lie, and how old their mails may become.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// As of `files`.
    pub root: PathBuf,
    /// As of `files`.
    pub path: String,
    /// As of `files`.
    #[serde(default = "default_sentinel")]
    pub sentinel: String,
    /// As of `files`.
    #[serde(default = "default_trash")]
    pub trash: String,
    /// As of `files`.
    #[serde(default)]
    pub hard_links: HardLinks,
    /// A purge by age reaches no mail that is younger, in hours or days; unset: no purge at all.
    #[serde(default)]
    pub youngest_purge_age: Option<Age>,
    /// What says when a mail was received.
    #[serde(default)]
    pub received: Received,
}

/// A place with one tree of mailboxes for each subject.
pub struct Maildir {
    tree: Tree,
    youngest: Option<Age>,
    received: Received,
}

impl Maildir {
    /// Checks the keys. Looks at no disk, since the root may not be mounted yet.
    ///
    /// # Errors
    /// In words, when a key could never be used safely.
    pub fn open(config: &Config) -> Result<Self, String> {
        let Config { root, path, sentinel, trash, hard_links, youngest_purge_age, received } = config.clone();
        let tree = Tree::open(&tree::Config { root, path, sentinel, trash, hard_links }, TargetKind::Maildir)?;
        Ok(Self { tree, youngest: youngest_purge_age, received })
    }
}

impl Driver for Maildir {
    fn kind(&self) -> TargetKind {
        TargetKind::Maildir
    }

    fn purges(&self) -> bool {
        self.youngest.is_some()
    }

    fn purge(&self, order: &PurgeOrder, now: Instant, boundary: &mut dyn Boundary) -> Result<Purged, Failure> {
        purge::purge(self, order, now, boundary)
    }

    fn inspect(&self, selector: &Selector) -> Result<Inspection, Failure> {
        let mut residue = Vec::new();
        let seen = self.tree.inspect(selector, &mut |entry| {
            if residue.len() < MAX_RESIDUE && entry.folder.is_some_and(holds_mails) {
                residue.extend(message_id(entry)?);
            }
            Ok(())
        })?;
        Ok(Inspection { residue, ..seen })
    }

    fn candidates(&self, each: &mut dyn FnMut(Selector) -> Result<(), Failure>) -> Result<u64, Failure> {
        self.tree.candidates(each)
    }

    fn restrict(&self, selector: &Selector, seen: &Inspection) -> Result<u64, Failure> {
        self.tree.restrict(selector, seen)
    }

    fn still(&self, selector: &Selector, seen: &Inspection) -> Result<(), Failure> {
        self.tree.still(selector, seen)
    }

    fn erase(&self, selector: &Selector, seen: &Inspection, boundary: &mut dyn Boundary) -> Result<Counts, Failure> {
        let erased = self.tree.erase(selector, seen, boundary)?;
        Ok(Counts { erased, ..Counts::default() })
    }

    fn confirm(&self, selector: &Selector, seen: &Inspection) -> Result<Confirmation, Failure> {
        let mut mails = 0;
        let mut search = Search::new(&seen.residue);
        let mut confirmation = self.tree.confirm(selector, &mut |path, is| {
            if is.is_file() {
                mails += u64::from(is_mail(path));
                search.look(path)?;
            }
            Ok(())
        })?;
        confirmation.residue = search.hits();
        confirmation.checks.push(Check { name: "mails".into(), count: mails, ok: true });
        confirmation.checks.push(Check { name: "byte-search".into(), count: search.hits(), ok: true });
        Ok(confirmation)
    }
}
