//! What becomes of a file that an act moved aside: its lines go to the end of the newest rotated file, where the
//! provider's own routine finds and in the end removes them; and cleaning up after an act that was stopped. Upholds I6:
//! each line is in one file, whatever stops this between two steps.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};

use rustix::fs::RenameFlags;

use gallra_model::receipt::Code;

use crate::driver::Failure;
use crate::tree::trouble;

use super::config::Config;
use super::live;
use super::place::{Id, about};
use super::place::{LogFile, Place, Role};
use super::rewrite::{create, dress, exchange, look, name, unreadable};
use super::stream::{Codec, Packer};
use super::subject::Judge;

/// Whether a file was left by an act that was stopped.
pub(super) fn is_unfinished(file: &LogFile) -> bool {
    match file.role {
        Role::Part | Role::Done(..) | Role::Joining(_) => true,
        Role::Live | Role::Rotated | Role::Aside | Role::Strange => false,
    }
}

/// Removes what an act that was stopped left, and finishes what it had decided. Returns how many lines that had to go went
/// with it: they lay in files that were replaced already.
pub(super) fn recover(place: &Place, config: &Config, judge: &dyn Judge) -> Result<u64, Failure> {
    let files = place.list(config)?;
    let mut gone = 0;
    for file in &files {
        match file.role {
            // It was put in place before the crash: what waits is its double.
            Role::Joining(inode)
                if files.iter().any(|other| other.role == Role::Rotated && other.is.inode == inode) =>
            {
                place.remove(&file.name, file.is)?;
            }
            Role::Joining(inode) => not_joined(place, &files, file, inode)?,
            Role::Live | Role::Rotated | Role::Aside | Role::Part | Role::Done(..) | Role::Strange => {}
        }
    }
    for file in &files {
        match file.role {
            Role::Part => place.remove(&file.name, file.is)?,
            Role::Done(old, new) if [old, new].contains(&file.is.inode) => {
                if file.is.inode == old {
                    gone += look(place, file, judge, false)?.mine;
                }
                place.remove(&file.name, file.is)?;
            }
            // Rotation came between, and then a crash: these are lines of the log, under a name that is not read.
            Role::Done(..) => rename(place, file, &free(place, file)?)?,
            Role::Live | Role::Rotated | Role::Aside | Role::Joining(_) | Role::Strange => {}
        }
    }
    place.sync()?;
    Ok(gone)
}

/// What it should have become lies about unfinished, so it is a file that waits as before; or it is nowhere.
fn not_joined(place: &Place, files: &[LogFile], file: &LogFile, inode: u64) -> Result<(), Failure> {
    if !files.iter().any(|other| matches!(other.role, Role::Part | Role::Done(..)) && other.is.inode == inode) {
        return Err(Failure::new(
            Code::Target,
            "an act was stopped while lines were moved to the newest rotated log, and that log was packed since: look \
             whether it ends with the lines of the file that has -into- in its name; if so remove that file, else \
             rename it to a rotated name",
        ));
    }
    rename(place, file, &free(place, file)?)
}

fn free(place: &Place, file: &LogFile) -> Result<CString, Failure> {
    for number in 1_u32..=1000 {
        let name = CString::new(format!("{}.gallra-{number}", file.log))
            .map_err(|_| Failure::new(Code::Target, "a log's name has a NUL in it"))?;
        if place.id(&name)?.is_none() {
            return Ok(name);
        }
    }
    Err(Failure::new(Code::Target, "too many files of this log wait beside it: look at its directory"))
}

fn rename(place: &Place, file: &LogFile, to: &CString) -> Result<(), Failure> {
    rustix::fs::renameat_with(&place.directory, &file.name, &place.directory, to, RenameFlags::NOREPLACE)
        .map_err(|errno| trouble("renaming a log that waits", errno))
}

/// Moves the lines of every file that waits to the end of the newest rotated file of its log.
pub(super) fn all(place: &Place, config: &Config) -> Result<(), Failure> {
    loop {
        let files = place.list(config)?;
        let mut waiting: Vec<_> = files.iter().filter(|file| file.role == Role::Aside).collect();
        waiting.sort_by(|one, other| (one.changed, &one.name).cmp(&(other.changed, &other.name)));
        let Some(file) = waiting.first() else { return Ok(()) };
        let of_log = |other: &&LogFile| other.role == Role::Rotated && other.log == file.log;
        let newest =
            files.iter().filter(of_log).max_by_key(|other| (other.changed, std::cmp::Reverse(other.name.clone())));
        match newest {
            _ if file.size == 0 => place.remove(&file.name, file.is)?,
            Some(newest) => join(place, file, newest)?,
            None => {
                let first = CString::new(format!("{}.1", file.log))
                    .map_err(|_| Failure::new(Code::Target, "a log's name has a NUL in it"))?;
                rename(place, file, &first)?;
            }
        }
        place.sync()?;
    }
}

/// Writes the rotated file's bytes and the lines that wait into a new file, and puts it in the rotated one's place.
fn join(place: &Place, file: &LogFile, newest: &LogFile) -> Result<(), Failure> {
    if !live::held(std::slice::from_ref(newest))?.is_empty() {
        return Err(Failure::new(
            Code::Target,
            "the newest rotated log is still being written to, so the lines that were moved aside wait beside it: try \
             again when that process has opened its logs anew",
        ));
    }
    let (waiting, is) = place.read(file)?;
    let (rotated, was) = place.read(newest)?;
    let part = name(newest, &format!("part-{}", newest.is.inode))?;
    let new = create(place, &part)?;
    let written = copy(&rotated, newest.codec, &waiting, &new);
    let written = written.and_then(|()| new.sync_all()).map_err(|error| unreadable(&error));
    let mut dressed = was;
    dressed.stx_mtime = is.stx_mtime;
    if let Err(failure) = written.and_then(|()| dress(&new, &dressed)) {
        let _ = rustix::fs::unlinkat(&place.directory, &part, rustix::fs::AtFlags::empty());
        return Err(failure);
    }
    let new = Id::of(&about(&new).map_err(|errno| trouble("looking at the new file", errno))?);
    let done = name(newest, &format!("done-{}-{}", newest.is.inode, new.inode))?;
    rustix::fs::renameat_with(&place.directory, &part, &place.directory, &done, RenameFlags::NOREPLACE)
        .map_err(|errno| trouble("naming the new file", errno))?;
    let joining = CString::new(format!("{}-into-{}", file.name.to_string_lossy(), new.inode))
        .map_err(|_| Failure::new(Code::Target, "a log's name has a NUL in it"))?;
    rename(place, file, &joining)?;
    place.sync()?;
    if let Err(failure) = exchange(place, &done, new, &newest.name, newest.is) {
        // Rotation came between: the lines wait as before.
        rename(place, &LogFile { name: joining, ..file.clone() }, &file.name)?;
        return Err(failure);
    }
    place.sync()?;
    place.remove(&joining, file.is)?;
    place.remove(&done, newest.is)
}

/// Packed files may have several members, so what is packed is not packed anew.
fn copy(mut rotated: &File, codec: Codec, mut waiting: &File, new: &File) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(256 * 1024, new);
    io::copy(&mut rotated, &mut out)?;
    if codec == Codec::Plain && rotated.stream_position()? > 0 {
        rotated.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        rotated.read_exact(&mut last)?;
        if last != *b"\n" {
            out.write_all(b"\n")?;
        }
    }
    let mut packer = Packer::new(codec, out)?;
    io::copy(&mut waiting, &mut packer)?;
    packer.finish()?.flush()
}
