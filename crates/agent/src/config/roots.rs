//! The roots of `[limits]`: whatever a target's section says, it says nothing outside of them. Looks at every text in the
//! section that is an absolute path, so that a new kind of target is bound without being known here.

use std::path::{Component, Path, PathBuf};

/// Keys whose texts are not where data is changed: a program that is run, a password or a process id that is read, the
/// names that data has inside of a backup, and the content of a column.
const ELSEWHERE: [&str; 5] = ["program", "password_file", "pid_file", "paths", "value"];

/// A path that the limits forbid. These are the host's own words; they name no person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RootError {
    /// No roots.
    #[error("limits.roots names no directory: name those that hold what the targets may touch, for example [\"/srv\"]")]
    None,
    /// A root that is relative, has `..` in it, or is the whole file system.
    #[error("limits.roots: {} is no root: write an absolute directory below /, without '..'", .0.display())]
    Root(PathBuf),
    /// A path outside of all roots.
    #[error("the {key} of a target, {path}, lies outside of limits.roots")]
    Outside {
        /// The key in the target's section.
        key: String,
        /// What it says.
        path: String,
    },
}

/// Checks all `[[target]]` sections.
///
/// # Errors
/// The first path outside.
pub(super) fn check(roots: &[PathBuf], targets: Option<&toml::Value>) -> Result<(), RootError> {
    if roots.is_empty() {
        return Err(RootError::None);
    }
    if let Some(bad) = roots.iter().find(|root| !is_plain(root) || root.parent().is_none()) {
        return Err(RootError::Root(bad.clone()));
    }
    let real: Vec<PathBuf> = roots.iter().map(|root| resolved(root)).collect();
    targets.map_or(Ok(()), |targets| {
        walk("target", targets, &|path| inside(path, roots) && inside(&resolved(path), &real))
    })
}

fn walk(key: &str, value: &toml::Value, allowed: &dyn Fn(&Path) -> bool) -> Result<(), RootError> {
    match value {
        toml::Value::String(text) if text.starts_with('/') && !allowed(Path::new(text)) => {
            Err(RootError::Outside { key: key.to_owned(), path: text.clone() })
        }
        toml::Value::Array(values) => values.iter().try_for_each(|value| walk(key, value, allowed)),
        toml::Value::Table(table) => table
            .iter()
            .filter(|(key, _)| !ELSEWHERE.contains(&key.as_str()))
            .try_for_each(|(key, value)| walk(key, value, allowed)),
        toml::Value::String(_)
        | toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_) => Ok(()),
    }
}

/// Absolute, with nothing that leads back up.
fn is_plain(path: &Path) -> bool {
    path.is_absolute() && path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
}

fn inside(path: &Path, roots: &[PathBuf]) -> bool {
    is_plain(path) && roots.iter().any(|root| path.starts_with(root))
}

/// The path with the links of its existing part followed: a root that is a link is still the same place, and a link that
/// leads out of the roots is seen.
fn resolved(path: &Path) -> PathBuf {
    for there in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (there.canonicalize(), path.strip_prefix(there)) {
            return real.join(rest);
        }
    }
    path.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(roots: &[&str], section: &str) -> Result<(), RootError> {
        let roots: Vec<PathBuf> = roots.iter().map(PathBuf::from).collect();
        let table: toml::Table = toml::from_str(section).expect("a literal");
        check(&roots, table.get("target"))
    }

    #[test]
    fn every_path_lies_in_a_root() {
        let good = "[[target]]\n[target.files]\nroot = \"/srv/www\"\npath = \"{service}\"\n";
        assert_eq!(checked(&["/srv", "/var/mail"], good), Ok(()));
        for bad in ["/etc", "/srvx/www", "/srv/../etc", "/srv/./x/../../etc"] {
            let section = format!("[[target]]\n[target.any]\n[[target.any.tables]]\nfile = [\"{bad}\"]\n");
            assert!(matches!(checked(&["/srv"], &section), Err(RootError::Outside { .. })), "{bad}");
        }
    }

    #[test]
    fn roots_are_real_places() {
        assert_eq!(checked(&[], ""), Err(RootError::None));
        for bad in ["/", "srv", "/srv/.."] {
            assert_eq!(checked(&[bad], ""), Err(RootError::Root(bad.into())), "{bad}");
        }
    }

    #[test]
    fn a_link_does_not_lead_out_of_the_roots() {
        let temp = tempfile::tempdir().expect("a directory");
        let root = temp.path().join("root");
        std::fs::create_dir(&root).expect("makes");
        std::os::unix::fs::symlink("/etc", root.join("out")).expect("links");
        let inside = format!("[[target]]\nroot = \"{}/new\"\n", root.display());
        let out = format!("[[target]]\nroot = \"{}/out/new\"\n", root.display());
        let roots = [root.to_str().expect("a plain path")];
        assert_eq!(checked(&roots, &inside), Ok(()));
        assert!(matches!(checked(&roots, &out), Err(RootError::Outside { .. })));
    }

    #[test]
    fn programs_and_names_inside_of_backups_are_elsewhere() {
        let section = "[[target]]\n[target.restic]\nprogram = \"/usr/bin/restic\"\npassword_file = \"/etc/pw\"\n\
                       paths = [\"/home/{service}\"]\nrepository = \"/srv/restic\"\n";
        assert_eq!(checked(&["/srv"], section), Ok(()));
    }
}
