//! The `maildir` driver: a mailbox, or all mailboxes of one service, on disk. A thin layer over `tree`: the whole tree
//! goes, since indexes, subscriptions and sieve scripts hold addresses too. Owns what a mail is: how mails are told
//! from other files, and which of their bytes must be found before an erasure and never after. See
//! `docs/targets/maildir.md`.

use gallra_model::outcome::Counts;
use gallra_model::receipt::Check;
use gallra_model::selector::Selector;
use gallra_model::target::TargetKind;

use crate::driver::{Boundary, Confirmation, Driver, Failure, Inspection};
use crate::tree::Tree;
pub use crate::tree::{Config, HardLinks};

pub(crate) mod mail;
#[cfg(test)]
mod tests;

use mail::{Search, holds_mails, is_mail, message_id};

/// Message-IDs taken as residue.
const MAX_RESIDUE: usize = 8;

/// A place with one tree of mailboxes for each subject.
pub struct Maildir {
    tree: Tree,
}

impl Maildir {
    /// Checks the keys. Looks at no disk, since the root may not be mounted yet.
    ///
    /// # Errors
    /// In words, when a key could never be used safely.
    pub fn open(config: &Config) -> Result<Self, String> {
        Ok(Self { tree: Tree::open(config, TargetKind::Maildir)? })
    }
}

impl Driver for Maildir {
    fn kind(&self) -> TargetKind {
        TargetKind::Maildir
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
