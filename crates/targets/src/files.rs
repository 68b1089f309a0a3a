//! The `files` driver: a customer's tree of files. Owns nothing but the name of its kind; everything is `tree`'s. What
//! it does, in which order, and what it cannot remove is in `docs/targets/files.md`.

use gallra_model::outcome::Counts;
use gallra_model::selector::Selector;
use gallra_model::target::TargetKind;

use crate::driver::{Boundary, Confirmation, Driver, Failure, Inspection};
use crate::tree::Tree;
pub use crate::tree::{Config, HardLinks};

#[cfg(test)]
mod tests;

/// A place with one tree of files for each subject.
pub struct Files {
    tree: Tree,
}

impl Files {
    /// Checks the keys. Looks at no disk, since the root may not be mounted yet.
    ///
    /// # Errors
    /// In words, when a key could never be used safely.
    pub fn open(config: &Config) -> Result<Self, String> {
        Ok(Self { tree: Tree::open(config, TargetKind::Files)? })
    }
}

impl Driver for Files {
    fn kind(&self) -> TargetKind {
        TargetKind::Files
    }

    fn inspect(&self, selector: &Selector) -> Result<Inspection, Failure> {
        self.tree.inspect(selector, &mut |_| Ok(()))
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

    fn confirm(&self, selector: &Selector, _: &Inspection) -> Result<Confirmation, Failure> {
        self.tree.confirm(selector, &mut |_, _| Ok(()))
    }
}
