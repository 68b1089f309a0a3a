//! The directory of the logs: which files in it are logs, and opening them one name at a time from the open directory.
//! Upholds I11 against whoever else may write there: no link is followed, nothing but a plain file with one name is
//! read, and a file that could hold lines and cannot be read is an error.

use std::ffi::{CStr, CString};
use std::fs::File;

use rustix::fd::OwnedFd;
use rustix::fs::{FileType, Mode, OFlags, RawDir, ResolveFlags, Statx, StatxFlags};
use rustix::io::Errno;

use gallra_model::digest::Digest;
use gallra_model::receipt::Code;
use gallra_model::target::{Instance, TargetKind};

use crate::driver::Failure;
use crate::tree::trouble;

use super::config::Config;
use super::stream::Codec;

/// What a file is to its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The one that is written.
    Live,
    /// Rotated away by the provider's routine.
    Rotated,
    /// Moved aside by an act, until its lines are with the rotated ones.
    Aside,
    /// Moved aside, and being joined to the rotated file that gets this inode.
    Joining(u64),
    /// Left by an act that was stopped: not finished.
    Part,
    /// Left by an act that was stopped: finished. Either the old file or the new one, by their inodes.
    Done(u64, u64),
    /// Begins like the log's name, and is nothing that is known.
    Strange,
}

/// What a name is to a log; `None`: nothing.
pub(super) fn role_of(log: &str, name: &[u8]) -> Option<(Role, Codec)> {
    let text = String::from_utf8_lossy(name);
    let own = text.strip_prefix('.').and_then(|rest| rest.strip_prefix(log)?.strip_prefix(".gallra-"));
    if let Some((own, codec)) = own.map(codec) {
        if own.starts_with("part-") {
            return Some((Role::Part, codec));
        }
        let inodes = own.strip_prefix("done-").and_then(|inodes| inodes.split_once('-'));
        let inodes = inodes.and_then(|(old, new)| Some((old.parse().ok()?, new.parse().ok()?)));
        return Some((inodes.map_or(Role::Strange, |(old, new)| Role::Done(old, new)), codec));
    }
    let rest = text.strip_prefix(log)?;
    if rest.is_empty() {
        return Some((Role::Live, Codec::Plain));
    }
    let (core, codec) = codec(rest.strip_prefix(['.', '-'])?);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(ours) = rest.strip_prefix(".gallra-") {
        let role = match ours.split_once("-into-") {
            None if digits(ours) => Role::Aside,
            Some((number, inode)) if digits(number) => inode.parse().map_or(Role::Strange, Role::Joining),
            _ => Role::Strange,
        };
        return Some((role, Codec::Plain));
    }
    let rotated = core.starts_with(|first: char| first.is_ascii_digit())
        && core.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    Some((if rotated { Role::Rotated } else { Role::Strange }, codec))
}

fn codec(name: &str) -> (&str, Codec) {
    if let Some(core) = name.strip_suffix(".gz") {
        return (core, Codec::Gzip);
    }
    name.strip_suffix(".zst").map_or((name, Codec::Plain), |core| (core, Codec::Zstd))
}

/// One file of a log.
#[derive(Debug, Clone)]
pub(super) struct LogFile {
    /// Its name in the directory.
    pub(super) name: CString,
    /// Which of the configured logs it belongs to.
    pub(super) log: String,
    pub(super) role: Role,
    pub(super) codec: Codec,
    /// As it was when the directory was listed.
    pub(super) is: Id,
    /// Bytes on disk.
    pub(super) size: u64,
    /// Seconds since 1970 of its last change.
    pub(super) changed: i64,
}

/// Tells one file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Id {
    pub(super) device: (u32, u32),
    pub(super) inode: u64,
}

impl Id {
    pub(super) fn of(is: &Statx) -> Self {
        Self { device: (is.stx_dev_major, is.stx_dev_minor), inode: is.stx_ino }
    }
}

/// The open directory.
pub(super) struct Place {
    pub(super) directory: OwnedFd,
    pub(super) instance: Instance,
}

/// What the system knows of an open file.
pub(super) fn about(file: impl rustix::fd::AsFd) -> Result<Statx, Errno> {
    let how = rustix::fs::AtFlags::EMPTY_PATH;
    rustix::fs::statx(file, c"", how, StatxFlags::BASIC_STATS | StatxFlags::BTIME)
}

impl Place {
    /// Opens the directory that the configuration names.
    pub(super) fn open(config: &Config) -> Result<Self, Failure> {
        let how = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = match rustix::fs::open(&config.root, how, Mode::empty()) {
            Ok(directory) => directory,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
                return Err(Failure::new(
                    Code::SentinelMissing,
                    "root is missing, or is no directory: is the disk mounted? Nothing can be called absent here",
                ));
            }
            Err(errno) => return Err(trouble("opening the logs' directory", errno)),
        };
        let is = about(&directory).map_err(|errno| trouble("looking at the logs' directory", errno))?;
        if is.stx_mask & StatxFlags::BTIME.bits() == 0 {
            return Err(Failure::new(
                Code::Unsupported,
                "the file system under root keeps no birth times, so a directory that was made anew could not be told",
            ));
        }
        let mut parts = vec![TargetKind::AccessLog.as_str().as_bytes().to_vec()];
        parts.push(is.stx_ino.to_le_bytes().to_vec());
        parts.push(is.stx_btime.tv_sec.to_le_bytes().to_vec());
        parts.push(is.stx_btime.tv_nsec.to_le_bytes().to_vec());
        parts.extend(config.logs.iter().map(|log| log.as_bytes().to_vec()));
        let instance = Digest::of_parts(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>());
        Ok(Self { directory, instance })
    }

    /// Every file of the configured logs.
    pub(super) fn list(&self, config: &Config) -> Result<Vec<LogFile>, Failure> {
        let mut files = Vec::new();
        for (name, log, role, codec) in self.names(config)? {
            let how = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
            let is = match rustix::fs::statx(&self.directory, &name, how, StatxFlags::BASIC_STATS) {
                Ok(is) => is,
                // Rotated away between the list and the look: the second opinion sees it under its new name.
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(trouble("looking at a log", errno)),
            };
            plain(&is)?;
            let (is, size, changed) = (Id::of(&is), is.stx_size, is.stx_mtime.tv_sec);
            files.push(LogFile { name, log, role, codec, is, size, changed });
        }
        files.sort_by(|one, other| other.size.cmp(&one.size).then_with(|| one.name.cmp(&other.name)));
        Ok(files)
    }

    fn names(&self, config: &Config) -> Result<Vec<(CString, String, Role, Codec)>, Failure> {
        let listing = |errno| trouble("listing the logs' directory", errno);
        rustix::fs::seek(&self.directory, rustix::fs::SeekFrom::Start(0)).map_err(listing)?;
        let mut buffer = vec![std::mem::MaybeUninit::uninit(); 32 * 1024];
        let mut entries = RawDir::new(&self.directory, &mut buffer);
        let mut names = Vec::new();
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(listing)?;
            let name = entry.file_name();
            if config.ignore.iter().any(|ignored| ignored.as_bytes() == name.to_bytes()) {
                continue;
            }
            for log in &config.logs {
                let Some((role, codec)) = role_of(log, name.to_bytes()) else { continue };
                if role == Role::Strange {
                    return Err(Failure::new(
                        Code::Unsupported,
                        "a file beside a log begins with the log's name and is nothing that the driver reads (only \
                         rotated names with .gz and .zst are): move it, or name it in ignore",
                    ));
                }
                names.push((name.to_owned(), log.clone(), role, codec));
            }
        }
        Ok(names)
    }

    /// Opens a listed file for reading, if it is the one that was listed.
    pub(super) fn read(&self, file: &LogFile) -> Result<(File, Statx), Failure> {
        let (open, is) = self.open_name(&file.name)?;
        if Id::of(&is) != file.is {
            return Err(Failure::new(
                Code::Target,
                "a log was rotated while it was being looked at: it is tried again later",
            ));
        }
        Ok((open, is))
    }

    /// Opens a plain file for reading.
    pub(super) fn open_name(&self, name: &CStr) -> Result<(File, Statx), Failure> {
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV | ResolveFlags::NO_MAGICLINKS;
        let how = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let open = rustix::fs::openat2(&self.directory, name, how, Mode::empty(), resolve)
            .map_err(|errno| trouble("opening a log", errno))?;
        let is = about(&open).map_err(|errno| trouble("looking at a log", errno))?;
        plain(&is)?;
        Ok((File::from(open), is))
    }

    /// What a name stands for now.
    pub(super) fn id(&self, name: &CStr) -> Result<Option<Id>, Failure> {
        let how = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
        match rustix::fs::statx(&self.directory, name, how, StatxFlags::BASIC_STATS) {
            Ok(is) => Ok(Some(Id::of(&is))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(trouble("looking at a log", errno)),
        }
    }

    /// Writes the directory to disk.
    pub(super) fn sync(&self) -> Result<(), Failure> {
        rustix::fs::fsync(&self.directory).map_err(|errno| trouble("writing the logs' directory to disk", errno))
    }

    /// Removes a name, if it stands for this file.
    pub(super) fn remove(&self, name: &CStr, is: Id) -> Result<(), Failure> {
        if self.id(name)? != Some(is) {
            return Err(Failure::new(Code::Target, "a log's name stands for another file than a moment ago: stopped"));
        }
        rustix::fs::unlinkat(&self.directory, name, rustix::fs::AtFlags::empty())
            .map_err(|errno| trouble("removing a file that was replaced", errno))
    }
}

/// Refuses what is no plain file with one name.
fn plain(is: &Statx) -> Result<(), Failure> {
    if FileType::from_raw_mode(is.stx_mode.into()) != FileType::RegularFile {
        return Err(Failure::new(
            Code::Target,
            "a log's name stands for a link, a directory, a pipe or a device: nothing was touched; see who may write \
             in the logs' directory",
        ));
    }
    if is.stx_nlink != 1 {
        return Err(Failure::new(
            Code::Target,
            "a log has another name elsewhere (a hard link): its lines would stay readable there, and the other name \
             may be somebody else's file; remove it first",
        ));
    }
    Ok(())
}
