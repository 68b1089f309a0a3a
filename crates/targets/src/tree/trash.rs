//! The root-only place on the same file system where a tree waits while it is being deleted. Owns its layout:
//! `<trash>/<key>-<instance>/` with `tree` (the tree itself), `deep-N` (parts of it that lay too deep) and `links`
//! (files that have other names). Upholds I6: what a crash leaves is found again by name, and no name says whose it
//! is.

use std::ffi::CStr;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{FileType, Mode};
use rustix::io::Errno;

use gallra_model::receipt::Code;
use gallra_model::target::Instance;

use crate::driver::Failure;

use super::open::{about_open, directory, kind, names, trouble};

/// The tree itself, in its trash entry.
pub(super) const TREE: &CStr = c"tree";
/// Files with other names, in a trash entry.
pub(super) const LINKS: &CStr = c"links";

/// One tree whose deletion was begun.
pub(super) struct Remains {
    /// Name in the trash.
    pub(super) name: String,
    /// What it was.
    pub(super) instance: Instance,
}

impl Remains {
    pub(super) fn of(key: &str, instance: Instance) -> Self {
        Self { name: format!("{key}-{instance}"), instance }
    }

    /// Reads a name in the trash; `None` for names that are not of this key.
    pub(super) fn parse(key: &str, name: &[u8]) -> Option<Self> {
        let name = std::str::from_utf8(name).ok()?;
        let instance = name.strip_prefix(key)?.strip_prefix('-')?.parse().ok()?;
        Some(Self { name: name.to_owned(), instance })
    }
}

/// Opens the trash; `None` when it was never made.
pub(super) fn open(root: impl AsFd, name: &str) -> Result<Option<OwnedFd>, Failure> {
    let trash = match directory(root, name) {
        Ok(trash) => trash,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(trouble("opening the trash", errno)),
    };
    let is = about_open(&trash).map_err(|errno| trouble("looking at the trash", errno))?;
    let safe = kind(&is) == FileType::Directory
        && is.stx_uid == rustix::process::geteuid().as_raw()
        && is.stx_mode & 0o077 == 0;
    if safe {
        return Ok(Some(trash));
    }
    Err(Failure::new(
        Code::Target,
        "the trash under root is not the agent's own or others may enter it: chown it to root, chmod it to 700",
    ))
}

/// Opens the trash, making it first where there is none.
pub(super) fn open_or_make(root: impl AsFd, name: &str) -> Result<OwnedFd, Failure> {
    let root = root.as_fd();
    if let Some(trash) = open(root, name)? {
        return Ok(trash);
    }
    make(root, name)?;
    open(root, name)?.ok_or_else(|| Failure::new(Code::Target, "the trash vanished while it was being made"))
}

/// Makes a root-only directory, lastingly, unless it is there.
pub(super) fn make(at: impl AsFd, name: impl rustix::path::Arg) -> Result<(), Failure> {
    let at = at.as_fd();
    match rustix::fs::mkdirat(at, name, Mode::RWXU) {
        Ok(()) => rustix::fs::fsync(at).map_err(|errno| trouble("writing the trash to disk", errno)),
        Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(trouble("making a directory in the trash", errno)),
    }
}

/// What is in the trash under a key, in order of name.
pub(super) fn remains(trash: impl AsFd, key: &str) -> Result<Vec<Remains>, Failure> {
    let mine = names(trash, |name| Remains::parse(key, name.to_bytes()).is_some())?;
    let mut remains: Vec<_> = mine.iter().filter_map(|name| Remains::parse(key, name.to_bytes())).collect();
    remains.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(remains)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gallra_model::digest::Digest;

    #[test]
    fn names_in_the_trash_read_back_and_never_match_another_key() {
        let remains = Remains::of("ab", Digest::of(b"x"));
        let name = remains.name.as_bytes();
        assert_eq!(Remains::parse("ab", name).map(|r| r.instance), Some(Digest::of(b"x")));
        assert!(Remains::parse("a", name).is_none());
        assert!(Remains::parse("abc", name).is_none());
        assert!(Remains::parse("ab", b"ab-\xff").is_none());
    }
}
