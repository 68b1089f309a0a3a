//! The few ways in which files are opened and told apart. Upholds: one name at a time from an open directory, never
//! through a symbolic link, never across a mount point, and hints that name no path.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, ResolveFlags, SeekFrom, Statx, StatxAttributes, StatxFlags};
use rustix::io::Errno;

use gallra_model::digest::Digest;
use gallra_model::receipt::Code;
use gallra_model::target::{Instance, TargetKind};

use crate::driver::Failure;

/// Opens a directory beneath `at`.
pub(super) fn directory(at: impl AsFd, path: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    let resolve =
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(at, path, flags(), Mode::empty(), resolve)
}

/// Flags under which directories are opened everywhere.
pub(super) fn flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

/// What the system knows of one name in an open directory, the name itself and not what it may point to.
pub(super) fn about(at: impl AsFd, name: &CStr) -> Result<Statx, Errno> {
    let how = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    rustix::fs::statx(at, name, how, StatxFlags::BASIC_STATS | StatxFlags::BTIME)
}

/// What the system knows of an open file.
pub(super) fn about_open(file: impl AsFd) -> Result<Statx, Errno> {
    rustix::fs::statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS | StatxFlags::BTIME)
}

/// What kind of file it is.
pub(super) fn kind(about: &Statx) -> FileType {
    FileType::from_raw_mode(about.stx_mode.into())
}

/// Whether something is mounted there.
pub(super) fn is_mount(about: &Statx) -> bool {
    about.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)
}

/// Whether both are the same file.
pub(super) fn same(one: &Statx, other: &Statx) -> bool {
    let id = |s: &Statx| (s.stx_dev_major, s.stx_dev_minor, s.stx_ino);
    id(one) == id(other)
}

/// The instance that a tree is: its own inode and birth, and those of the root that it lies under. Not the device's
/// number, which may be another after a reboot.
pub(super) fn instance(kind: TargetKind, root: &Statx, top: &Statx) -> Result<Instance, Failure> {
    let mut parts = vec![kind.as_str().as_bytes().to_vec()];
    for about in [root, top] {
        if about.stx_mask & StatxFlags::BTIME.bits() == 0 {
            return Err(Failure::new(
                Code::Unsupported,
                "the file system under root keeps no birth times, so a name that was used again could not be told",
            ));
        }
        parts.push(about.stx_ino.to_le_bytes().to_vec());
        parts.push(about.stx_btime.tv_sec.to_le_bytes().to_vec());
        parts.push(about.stx_btime.tv_nsec.to_le_bytes().to_vec());
    }
    Ok(Digest::of_parts(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>()))
}

/// Calls `see` with every name in a directory and the kind that the directory says it is.
pub(super) fn each(
    directory: impl AsFd,
    mut see: impl FnMut(&CStr, FileType) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let directory = directory.as_fd();
    rustix::fs::seek(directory, SeekFrom::Start(0)).map_err(|errno| trouble("listing a directory", errno))?;
    let mut buffer = vec![MaybeUninit::uninit(); 32 * 1024];
    let mut names = RawDir::new(directory, &mut buffer);
    while let Some(next) = names.next() {
        let next = next.map_err(|errno| trouble("listing a directory", errno))?;
        if !is_dot(next.file_name()) {
            see(next.file_name(), next.file_type())?;
        }
    }
    Ok(())
}

/// All names in a directory for which `keep` is true.
pub(super) fn names(directory: impl AsFd, keep: impl Fn(&CStr) -> bool) -> Result<Vec<CString>, Failure> {
    let mut names = Vec::new();
    each(directory, |name, _| {
        if keep(name) {
            names.push(name.to_owned());
        }
        Ok(())
    })?;
    Ok(names)
}

/// Whether a name is the directory itself or the one above.
pub(super) fn is_dot(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

/// What the operating system answered, as a failure. `doing` names no path.
pub(crate) fn trouble(doing: &str, errno: Errno) -> Failure {
    match errno {
        Errno::XDEV | Errno::BUSY => mounted(doing),
        Errno::NOSYS => Failure::new(
            Code::Unsupported,
            format!("{doing}: this kernel lacks openat2 or statx (Linux 5.8 is needed)"),
        ),
        other => Failure::new(Code::Target, format!("{doing}: {other}")),
    }
}

/// Something is mounted at or inside the subject's tree.
pub(super) fn mounted(doing: &str) -> Failure {
    Failure::new(
        Code::Target,
        format!(
            "{doing}: a mount point is in the way, and none is ever crossed: unmount it, or make it the root of a \
             target of its own"
        ),
    )
}
