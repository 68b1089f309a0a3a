//! Whose trees there are: every id that the template leads from to a name that is there. Reads names only, touches nothing.
//! Upholds decision 10 the other way round: a name gives an id only if the id gives exactly that name again.

use std::collections::BTreeSet;

use rustix::fd::OwnedFd;
use rustix::fs::FileType;
use rustix::io::Errno;

use gallra_model::receipt::Code;
use gallra_model::selector::{ExternalId, Selector};

use crate::driver::Failure;
use crate::template::By;

use super::inspect::Tree;
use super::look::open_root;
use super::open::{about, directory, each, kind, names, trouble};
use super::trash;

/// How ids are read from names: the part of the path with the first placeholder, split at it.
struct Pattern<'t> {
    /// The directory whose names hold ids; `.` where that is the root.
    above: &'t str,
    before: &'t str,
    after: &'t str,
    by: By,
}

impl<'t> Pattern<'t> {
    fn of(template: &'t str) -> Result<Self, Failure> {
        let unclear = || {
            Failure::new(
                Code::Unsupported,
                "from this target's `path` nobody can tell whose a name is: two ids are in it",
            )
        };
        let (head, tail) = template.split_once('{').ok_or_else(unclear)?;
        let (above, before) = head.rsplit_once('/').unwrap_or((".", head));
        let (by, tail) = if let Some(tail) = tail.strip_prefix("service}") {
            (By::Service, tail)
        } else {
            (By::Customer, tail.strip_prefix("customer}").ok_or_else(unclear)?)
        };
        let after = tail.split('/').next().unwrap_or_default();
        let other = if by == By::Service { "{customer}" } else { "{service}" };
        if after.contains('{') || tail.contains(other) {
            return Err(unclear());
        }
        Ok(Self { above, before, after, by })
    }

    fn selector(&self, name: &str) -> Option<Selector> {
        let id: ExternalId = name.strip_prefix(self.before)?.strip_suffix(self.after)?.parse().ok()?;
        Some(match self.by {
            By::Service => Selector { service: Some(id), ..Selector::default() },
            By::Customer => Selector { customer: Some(id), ..Selector::default() },
        })
    }
}

impl Tree {
    /// Shows everybody who has a tree; returns how many remains in the trash are nobody's of them.
    pub(crate) fn candidates(&self, show: &mut dyn FnMut(Selector) -> Result<(), Failure>) -> Result<u64, Failure> {
        let pattern = Pattern::of(&self.config.path)?;
        let root = open_root(&self.config)?;
        let trash = trash::open(&root, &self.config.trash)?;
        let mut remains: BTreeSet<Vec<u8>> = match &trash {
            Some(trash) => names(trash, |_| true)?.into_iter().map(std::ffi::CString::into_bytes).collect(),
            None => BTreeSet::new(),
        };
        let above = match directory(&root, pattern.above) {
            Ok(above) => above,
            Err(Errno::NOENT) => {
                return Err(Failure::new(
                    Code::SentinelMissing,
                    "the part of path that is the same for everybody is missing under root: is a disk not mounted?",
                ));
            }
            Err(errno) => return Err(trouble("opening the directory above the subjects'", errno)),
        };
        let listed = names(&above, |name| !self.config.is_ours(pattern.above, name.to_bytes()))?;
        for name in listed {
            let Some(selector) = name.to_str().ok().and_then(|name| pattern.selector(name)) else { continue };
            if let Some(key) = self.place_of(&root, &selector)? {
                remains.retain(|name| !name.starts_with(key.as_bytes()));
                show(selector)?;
            }
        }
        Ok(remains.len() as u64)
    }

    /// The key of a subject's remains, where the subject's name leads to something.
    fn place_of(&self, root: &OwnedFd, selector: &Selector) -> Result<Option<String>, Failure> {
        let Ok(name) = self.config.name(selector) else { return Ok(None) };
        let above = match directory(root, name.above.as_str()) {
            Ok(above) => above,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(errno) => return Err(trouble("opening the directory above a subject's", errno)),
        };
        // Asked for by listing, so that a file system that folds names shows none twice.
        let mut found = None;
        each(&above, |entry, looks| {
            if entry.to_bytes() == name.last.as_bytes() {
                found = Some((entry.to_owned(), looks));
            }
            Ok(())
        })?;
        let Some((entry, looks)) = found else { return Ok(None) };
        let unsaid = looks == FileType::Unknown;
        let is_directory = looks == FileType::Directory
            || (unsaid && about(&above, &entry).is_ok_and(|is| kind(&is) == FileType::Directory));
        Ok(is_directory.then_some(name.key))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use gallra_model::job::Action;

    use super::*;
    use crate::driver::Driver;
    use crate::testing::StopAfter;
    use crate::tree::tests::fixture::Site;

    fn found(site: &Site) -> (Vec<String>, u64) {
        let mut ids = Vec::new();
        let unknown = site.files().candidates(&mut |selector| {
            ids.push(selector.service.map(String::from).expect("a service"));
            Ok(())
        });
        ids.sort();
        (ids, unknown.expect("looks"))
    }

    #[test]
    fn everybody_with_a_tree_is_shown_once_and_nothing_else_is() {
        let site = Site::new();
        assert_eq!(found(&site), (vec![], 0));
        for id in ["anna", "anna.example", "ann"] {
            site.tree(id);
        }
        fs::write(site.at("a-file"), "").expect("writes");
        fs::create_dir(site.at("no id")).expect("makes");
        std::os::unix::fs::symlink("anna", site.at("linked")).expect("links");
        assert_eq!(found(&site), (vec!["ann".into(), "anna".into(), "anna.example".into()], 0));
        fs::remove_file(site.at(".gallra-sentinel")).expect("removes");
        let failure = site.files().candidates(&mut |_| Ok(())).expect_err("no sentinel");
        assert_eq!(failure.code, Code::SentinelMissing);
    }

    #[test]
    fn remains_in_the_trash_are_counted_unless_their_name_is_there() {
        let site = Site::new();
        site.tree("anna");
        site.tree("bo");
        let instance = site.inspect("anna").instance;
        site.run(Action::Erase, "anna", instance, &mut StopAfter(1));
        assert_eq!(found(&site), (vec!["bo".into()], 1), "nobody can tell whose they are");
        site.tree("anna");
        assert_eq!(found(&site), (vec!["anna".into(), "bo".into()], 0));
    }

    fn read(template: &str, name: &str) -> Option<String> {
        let selector = Pattern::of(template).expect("clear").selector(name)?;
        selector.service.or(selector.customer).map(String::from)
    }

    #[test]
    fn an_id_is_read_only_from_a_name_that_it_gives() {
        assert_eq!(read("{service}", "anna.example").as_deref(), Some("anna.example"));
        assert_eq!(read("vhosts/kund-{customer}.d/web", "kund-1001.d").as_deref(), Some("1001"));
        for (template, name) in
            [("kund-{customer}", "1001"), ("{service}.d", "anna"), ("{service}", ".hidden"), ("{service}", "a b")]
        {
            assert_eq!(read(template, name), None, "{template} {name}");
        }
        for unclear in ["{customer}/{service}", "{service}-{customer}", "{service}{service}", "all"] {
            assert!(Pattern::of(unclear).is_err(), "{unclear}");
        }
    }
}
