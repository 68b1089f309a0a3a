//! The order of an erasure: shut the tenant out, move the tree out of every path, delete, make it last. Upholds I6:
//! each step leaves what the next run finds by itself, at the place or in the trash, and under the same instance.

use std::ffi::CStr;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, RenameFlags};
use rustix::io::Errno;

use gallra_model::receipt::Code;

use crate::driver::{Boundary, Failure, Inspection};

use super::config::Config;
use super::look::{Look, Top};
use super::open::{about, directory, names, same, trouble};
use super::remove;
use super::shut::shut;
use super::trash::{self, Remains, TREE};

/// Erases what was found. Returns how many entries went.
pub(super) fn erase(
    config: &Config,
    look: &Look,
    seen: &Inspection,
    boundary: &mut dyn Boundary,
) -> Result<u64, Failure> {
    if look.top.is_some() && !boundary.may_go_on() {
        return Err(Failure::new(Code::Stopped, "stopped before the first file: nothing was touched"));
    }
    let (trash, entries) = away(config, look)?;
    if !boundary.mark(seen) {
        return Err(Failure::new(Code::Target, "what is there could not be written down first: see the agent's log"));
    }
    let (mut removed, mut waiting) = (0, 0);
    for name in entries {
        let entry = directory(&trash, name.as_str()).map_err(|errno| trouble("opening what was put away", errno))?;
        let emptied = remove::empty(&entry, config.hard_links, &mut *boundary)?;
        waiting += emptied.waiting;
        removed += emptied.removed;
        clear(&trash, &name, &entry)?;
    }
    if waiting > 0 {
        return Err(Failure::new(
            Code::Target,
            format!(
                "{waiting} files have another name outside of the tree, where their content can still be read: they \
                 wait under links/ in the trash; find the other names (find -inum), remove them and run the job again, \
                 or see hard_links in docs/targets/files.md"
            ),
        ));
    }
    Ok(removed)
}

/// Has everything of the subject's in the trash, and says under which names.
pub(super) fn away(config: &Config, look: &Look) -> Result<(OwnedFd, Vec<String>), Failure> {
    let trash = trash::open_or_make(&look.root, &config.trash)?;
    let mut entries: Vec<String> = look.remains.iter().map(|remains| remains.name.clone()).collect();
    if let (Some(top), Some(above)) = (&look.top, &look.above) {
        let entry = Remains::of(&look.key, top.instance).name;
        put_away(look, top, above, &trash, &entry)?;
        if !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    Ok((trash, entries))
}

/// Shuts the tree and moves it into its trash entry.
fn put_away(look: &Look, top: &Top, above: &OwnedFd, trash: &OwnedFd, entry: &str) -> Result<(), Failure> {
    shut(&top.directory, Mode::RWXU).map_err(|errno| trouble("shutting the subject's tree", errno))?;
    trash::make(trash, entry)?;
    let entry = directory(trash, entry).map_err(|errno| trouble("opening the place in the trash", errno))?;
    match rustix::fs::renameat_with(above, &look.last, &entry, TREE, RenameFlags::NOREPLACE) {
        Ok(()) => {}
        Err(Errno::NOENT) => return Err(swapped()),
        Err(Errno::EXIST) => {
            return Err(Failure::new(
                Code::Target,
                "the place in the trash is taken by something that the agent did not put there: look at the trash",
            ));
        }
        Err(errno) => return Err(trouble("moving the subject's tree into the trash", errno)),
    }
    let moved = about(&entry, TREE).map_err(|errno| trouble("looking at what was moved", errno))?;
    if !same(&moved, &top.is) {
        put_back(&entry, above, &look.last)?;
        return Err(swapped());
    }
    for changed in [above.as_fd(), entry.as_fd(), trash.as_fd()] {
        rustix::fs::fsync(changed).map_err(|errno| trouble("writing the move to disk", errno))?;
    }
    Ok(())
}

/// What was moved was not what had been opened: somebody who may write beside the subject's tree swapped the names.
fn put_back(entry: &OwnedFd, above: &OwnedFd, last: &CStr) -> Result<(), Failure> {
    rustix::fs::renameat_with(entry, TREE, above, last, RenameFlags::NOREPLACE).map_err(|errno| {
        Failure::new(
            Code::Target,
            format!(
                "another thing stood under the subject's name and could not be put back: it is in the trash: {errno}"
            ),
        )
    })
}

fn swapped() -> Failure {
    Failure::new(
        Code::InstanceChanged,
        "the subject's name stood for another thing at the moment of the act: inspect again and approve anew",
    )
}

/// Removes a trash entry that is empty, lastingly.
fn clear(trash: &OwnedFd, name: &str, entry: &OwnedFd) -> Result<(), Failure> {
    if names(entry, |_| true)?.is_empty() {
        match rustix::fs::unlinkat(trash, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(trouble("clearing the trash", errno)),
        }
    }
    rustix::fs::fsync(trash).map_err(|errno| trouble("writing the deletion to disk", errno))
}
