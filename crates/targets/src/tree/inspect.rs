//! One tree target: what the drivers `files` and `maildir` call. Owns the join of looking, acting and the second
//! opinion; knows nothing of what the files mean.

use std::io;
use std::path::Path;

use rustix::fd::OwnedFd;
use rustix::io::Errno;

use gallra_model::receipt::{Check, Code, Tally};
use gallra_model::selector::Selector;
use gallra_model::target::TargetKind;

use crate::driver::{Boundary, Confirmation, Failure, Inspection};

use super::config::{Config, HardLinks, Name};
use super::count::{self, Sum, count};
use super::held;
use super::look::{Look, look};
use super::open::{names, trouble};
use super::raw::{self, Raw};
use super::trash::{self, LINKS};
use super::{erase, open, shut};

/// Something of the subject's.
enum Part {
    /// A tree, or a part of one that was moved up in the trash; open.
    Tree(OwnedFd),
    /// The trash's place for files with several names; open.
    Links(OwnedFd),
    /// What a tenant swapped a directory for just before it was moved up.
    File,
}

/// A place with one tree for each subject.
pub(crate) struct Tree {
    pub(super) config: Config,
    pub(super) kind: TargetKind,
}

impl Tree {
    /// Checks the keys; looks at no disk.
    pub(crate) fn open(config: &Config, kind: TargetKind) -> Result<Self, String> {
        config.check()?;
        Ok(Self { config: config.clone(), kind })
    }

    /// Counts the subject's entries, at their place and in the trash, showing every file to `see`.
    pub(crate) fn inspect(&self, selector: &Selector, see: &mut count::See<'_>) -> Result<Inspection, Failure> {
        let look = look(&self.config, self.kind, selector)?;
        let mut sum = Sum::default();
        self.each_part(&look, &mut |part| {
            match part {
                Part::Tree(top) => sum.add(count(top, see)?),
                Part::File => sum.entries += 1,
                // A directory of the agent's, not of the subject's.
                Part::Links(links) => {
                    sum.add(count(links, see)?);
                    sum.entries -= 1;
                }
            }
            Ok(())
        })?;
        let found = Tally { items: sum.entries, bytes: sum.bytes, others: look.others };
        Ok(Inspection { instance: look.instance(), found, residue: Vec::new() })
    }

    /// Shuts the tree at its place; what is in the trash already is shut.
    pub(crate) fn restrict(&self, selector: &Selector, seen: &Inspection) -> Result<u64, Failure> {
        let look = self.look_again(selector, seen)?;
        if let Some(top) = &look.top {
            shut::restrict(&top.directory)?;
        }
        Ok(seen.found.items)
    }

    /// Moves the tree into the trash and shuts every directory of it, so that neither a path nor an open directory lets
    /// a tenant change it and two looks can agree.
    pub(crate) fn still(&self, selector: &Selector, seen: &Inspection) -> Result<(), Failure> {
        erase::away(&self.config, &self.look_again(selector, seen)?)?;
        self.each_part(&self.look_again(selector, seen)?, &mut |part| match part {
            Part::Tree(top) => shut::shut_all(top),
            Part::Links(_) | Part::File => Ok(()),
        })
    }

    /// Opens, one after the other, what there is of the subject's at its place and in the trash.
    fn each_part(&self, look: &Look, act: &mut dyn FnMut(Part) -> Result<(), Failure>) -> Result<(), Failure> {
        let opening = |errno| trouble("opening a part of the subject's tree", errno);
        if let Some(top) = &look.top {
            act(Part::Tree(open::directory(&top.directory, c".").map_err(opening)?))?;
        }
        let Some(trash) = trash::open(&look.root, &self.config.trash)? else { return Ok(()) };
        for remains in &look.remains {
            let entry = open::directory(&trash, remains.name.as_str()).map_err(opening)?;
            for name in names(&entry, |_| true)? {
                act(match open::directory(&entry, name.as_c_str()) {
                    Ok(links) if name.as_c_str() == LINKS => Part::Links(links),
                    Ok(tree) => Part::Tree(tree),
                    Err(Errno::LOOP | Errno::NOTDIR) => Part::File,
                    Err(errno) => return Err(opening(errno)),
                })?;
            }
        }
        Ok(())
    }

    /// Erases; returns how many entries went.
    pub(crate) fn erase(
        &self,
        selector: &Selector,
        seen: &Inspection,
        boundary: &mut dyn Boundary,
    ) -> Result<u64, Failure> {
        let look = self.look_again(selector, seen)?;
        erase::erase(&self.config, &look, seen, boundary)
    }

    fn look_again(&self, selector: &Selector, seen: &Inspection) -> Result<Look, Failure> {
        let look = look(&self.config, self.kind, selector)?;
        if look.instance() == seen.instance {
            return Ok(look);
        }
        Err(Failure::new(
            Code::InstanceChanged,
            "the subject's name stands for another thing than a moment ago: inspect again and approve anew",
        ))
    }

    /// Walks the place and the trash by plain paths, showing every file to `see`.
    pub(crate) fn confirm(&self, selector: &Selector, see: &mut raw::See<'_>) -> Result<Confirmation, Failure> {
        let name = self.config.name(selector)?;
        self.sentinel()?;
        let above = self.config.root.join(&name.above);
        let mut raw = Raw::default();
        let in_trash = self
            .walk_trash(&name, &mut raw, see)
            .and_then(|in_trash| raw::walk(&above.join(&name.last), &mut raw, see).map(|()| in_trash))
            .map_err(|error| unseen(&error))?;
        let others = self.others(&above, &name).map_err(|error| unseen(&error))?;
        let linked = raw.linked_elsewhere();
        let checks = vec![
            Check { name: "sentinel".into(), count: 1, ok: true },
            Check { name: "raw-walk".into(), count: raw.entries, ok: true },
            Check { name: "trash-empty".into(), count: in_trash, ok: in_trash == 0 },
            Check {
                name: "hard-links-elsewhere".into(),
                count: linked,
                ok: linked == 0 || self.config.hard_links == HardLinks::Unlink,
            },
            // Said and not judged: the names are gone, and only the end of those processes frees the rest.
            Check { name: "held-open".into(), count: self.held_open(&name), ok: true },
        ];
        Ok(Confirmation { found: raw.entries, residue: 0, others, checks })
    }

    fn held_open(&self, name: &Name) -> u64 {
        let root = held::real(&self.config.root);
        let place = root.join(if name.above == "." { "" } else { &name.above }).join(&name.last);
        held::held_open(&place, &root.join(&self.config.trash), &format!("{}-", name.key))
    }

    pub(super) fn sentinel(&self) -> Result<(), Failure> {
        let found = std::fs::symlink_metadata(self.config.root.join(&self.config.sentinel));
        if !found.is_ok_and(|is| is.is_file()) {
            return Err(Failure::new(
                Code::SentinelMissing,
                "the independent check does not find the sentinel: is the disk mounted, and is it the right one?",
            ));
        }
        match self.config.fixed().map(|fixed| std::fs::symlink_metadata(self.config.root.join(fixed))) {
            None => Ok(()),
            Some(Ok(is)) if is.is_dir() => Ok(()),
            Some(_) => Err(Failure::new(
                Code::SentinelMissing,
                "the part of path that is the same for everybody is missing under root: is a disk not mounted?",
            )),
        }
    }

    /// Walks what the trash holds of the subject. Returns how many trees it holds, empty ones included.
    fn walk_trash(&self, name: &Name, raw: &mut Raw, see: &mut raw::See<'_>) -> io::Result<u64> {
        let mut trees = 0;
        let prefix = format!("{}-", name.key);
        for entry in list(&self.config.root.join(&self.config.trash))? {
            if !entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes()) {
                continue;
            }
            trees += 1;
            for part in list(&entry.path())? {
                if part.file_name() != "links" {
                    raw::walk(&part.path(), raw, see)?;
                    continue;
                }
                for file in list(&part.path())? {
                    raw::walk(&file.path(), raw, see)?;
                }
            }
        }
        Ok(trees)
    }

    /// Neighbours, by the standard library.
    fn others(&self, above: &Path, name: &Name) -> io::Result<u64> {
        let mut others = 0;
        for entry in list(above)? {
            let entry = entry.file_name();
            let entry = entry.as_encoded_bytes();
            others += u64::from(entry != name.last.as_bytes() && !self.config.is_ours(&name.above, entry));
        }
        Ok(others)
    }
}

/// Entries of a directory; a missing one has none.
fn list(directory: &Path) -> io::Result<Vec<std::fs::DirEntry>> {
    match std::fs::read_dir(directory) {
        Ok(entries) => entries.collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

pub(super) fn unseen(error: &io::Error) -> Failure {
    Failure::new(Code::Target, format!("the independent check could not read everything: {error}"))
}
