//! The keys of `[target.files]` and `[target.maildir]`, and how a selector becomes a relative path. Knows no file
//! system. Upholds decision 10: a path never follows from nothing, from a prefix, or leads out of the root.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use gallra_model::digest::Digest;
use gallra_model::receipt::Code;
use gallra_model::selector::Selector;

use crate::driver::Failure;
use crate::template;

/// What is done with a file that has another name outside of the tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HardLinks {
    /// It waits in the trash and the job fails until the other name is gone: its content could still be read there.
    #[default]
    Keep,
    /// Its name in the tree is removed like any other: the other names are somebody else's business (for example
    /// backups made with `cp -al`, declared as a target of their own).
    Unlink,
}

/// Where the subject's tree lies.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Absolute; everything happens beneath it, on one file system.
    pub root: PathBuf,
    /// Relative to the root, with `{service}` or `{customer}`.
    pub path: String,
    /// Relative to the root: a plain file that is always there when the right disk is.
    #[serde(default = "default_sentinel")]
    pub sentinel: String,
    /// Name of a directory directly under the root, made by the agent, open to root only.
    #[serde(default = "default_trash")]
    pub trash: String,
    /// What is done with files that have another name outside of the tree.
    #[serde(default)]
    pub hard_links: HardLinks,
}

pub(crate) fn default_sentinel() -> String {
    ".gallra-sentinel".to_owned()
}

pub(crate) fn default_trash() -> String {
    ".gallra-trash".to_owned()
}

/// A selector's place, relative to the root. Personal data: no `Debug`.
pub(crate) struct Name {
    /// The directory that holds it; `.` where that is the root.
    pub(crate) above: String,
    /// Its name in there.
    pub(crate) last: String,
    /// Begins the names of its remains in the trash: tells them from others' without saying whose they are.
    pub(super) key: String,
}

/// Whether a text is a relative path that leads down only.
fn leads_down(text: &str) -> bool {
    text.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.contains('\0'))
}

impl Config {
    /// Refuses keys that could never be used safely. Looks at no disk: the root need not be mounted yet.
    pub(super) fn check(&self) -> Result<(), String> {
        let plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
        if !self.root.is_absolute() || !self.root.components().all(plain) {
            return Err("root must be an absolute path without '..'".into());
        }
        if !leads_down(&self.trash) || self.trash.contains('/') {
            return Err("trash must be one name: a directory directly under root".into());
        }
        if !leads_down(&self.sentinel) || self.sentinel.split('/').next() == Some(&self.trash) {
            return Err("sentinel must be a path relative to root, without '..', outside of the trash".into());
        }
        let example = "x".parse().ok();
        let anybody = Selector { service: example.clone(), customer: example, addresses: Vec::new() };
        self.name(&anybody).map(drop).map_err(|failure| failure.hint)
    }

    /// The part of the template before the first id: it is there whoever is asked for.
    pub(super) fn fixed(&self) -> Option<&Path> {
        let (plain, _) = self.path.split_once('{')?;
        plain.rsplit_once('/').map(|(fixed, _)| Path::new(fixed))
    }

    /// The place that a selector names.
    pub(crate) fn name(&self, selector: &Selector) -> Result<Name, Failure> {
        let wrong = |hint: &str| Failure::new(Code::BadSelector, hint);
        let whole = template::fill(&self.path, selector, true)?;
        if !leads_down(&whole) {
            return Err(wrong("path must be relative to root, without empty parts, '.' and '..'"));
        }
        if whole.split('/').next() == Some(&self.trash) {
            return Err(wrong("path leads into the trash: give the trash a name that no id can have"));
        }
        if self.sentinel == whole || self.sentinel.starts_with(&format!("{whole}/")) {
            return Err(wrong("the sentinel lies where the subject's own data lies: put it beside"));
        }
        let digest = Digest::of_parts(&[b"gallra trash", whole.as_bytes()]).to_string();
        let key = digest.chars().take(32).collect();
        let (above, last) = whole.rsplit_once('/').unwrap_or((".", &whole));
        Ok(Name { above: above.to_owned(), last: last.to_owned(), key })
    }

    /// Whether an entry beside the subject's tree is nobody's data: the sentinel or the trash.
    pub(super) fn is_ours(&self, above: &str, entry: &[u8]) -> bool {
        let is = |path: &str| {
            let (dir, name) = path.rsplit_once('/').unwrap_or((".", path));
            dir == above && name.as_bytes() == entry
        };
        is(&self.sentinel) || is(&self.trash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{customer, service};

    fn config(path: &str) -> Config {
        Config {
            root: "/srv/www".into(),
            path: path.to_owned(),
            sentinel: default_sentinel(),
            trash: default_trash(),
            hard_links: HardLinks::Keep,
        }
    }

    #[test]
    fn paths_lead_down_and_ask_for_an_id() {
        for good in ["{service}", "a/{service}", "{customer}/{service}/web", ".{service}"] {
            assert_eq!(config(good).check(), Ok(()), "{good}");
        }
        for bad in [
            "",
            "all",
            "/{service}",
            "{service}/",
            "../{service}",
            "a//{service}",
            "./{service}",
            "{other}",
            ".gallra-trash/{service}",
        ] {
            assert!(config(bad).check().is_err(), "{bad}");
        }
    }

    #[test]
    fn roots_sentinels_and_trash_that_lead_elsewhere_are_refused() {
        let good = config("{service}");
        for root in ["srv", "", "/srv/../etc"] {
            assert!(Config { root: root.into(), ..good.clone() }.check().is_err(), "{root}");
        }
        for trash in ["", ".", "..", "a/b", "/a"] {
            assert!(Config { trash: trash.into(), ..good.clone() }.check().is_err(), "{trash}");
        }
        for sentinel in ["", "/etc/passwd", "../s", ".gallra-trash/s"] {
            assert!(Config { sentinel: sentinel.into(), ..good.clone() }.check().is_err(), "{sentinel}");
        }
    }

    #[test]
    fn a_sentinel_inside_the_subjects_tree_is_refused() {
        let config = Config { sentinel: "anna/s".into(), ..config("{service}") };
        assert!(config.name(&service("anna")).is_err());
        assert!(config.name(&service("ann")).is_ok());
    }

    #[test]
    fn a_missing_id_never_widens() {
        assert_eq!(config("{service}").name(&customer("1")).err().map(|f| f.code), Some(Code::BadSelector));
    }

    #[test]
    fn names_in_the_trash_say_nothing() {
        let name = config("www/{service}").name(&service("anna.example")).expect("fills");
        assert_eq!((name.above.as_str(), name.last.as_str()), ("www", "anna.example"));
        assert!(!name.key.contains("anna") && name.key.len() == 32);
        assert_eq!(config("www/{service}").fixed(), Some(Path::new("www")));
        assert_eq!(config("{service}").fixed(), None);
    }
}
