//! What a mail is in Maildir form, and bytes that tell it: its Message-ID. Refuses to parse more of a mail than that.
//! Upholds: what is taken from a mail stays in memory for one attempt, bounded in number and size.

use std::collections::HashSet;
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use gallra_model::receipt::Code;

use crate::driver::Failure;
use crate::tree::{Entry, trouble};

/// Bytes read of each file: headers stand at the beginning.
const HEAD: u64 = 64 * 1024;
/// A Message-ID shorter than this could be found by chance, a longer one is not taken.
const LENGTHS: std::ops::RangeInclusive<usize> = 12..=512;

/// Whether a directory of this name is one where Maildir keeps mails.
pub(super) fn holds_mails(folder: &CStr) -> bool {
    matches!(folder.to_bytes(), b"cur" | b"new" | b"tmp")
}

/// The same for a file's path.
pub(crate) fn is_mail(path: &Path) -> bool {
    let folder = path.parent().and_then(Path::file_name);
    folder.is_some_and(|folder| ["cur", "new", "tmp"].iter().any(|known| folder == *known))
}

/// The Message-ID of a mail file; `None` where it has none that can be searched for, or is gone by now.
pub(super) fn message_id(mail: &Entry<'_>) -> Result<Option<Vec<u8>>, Failure> {
    let file = match rustix::fs::openat(mail.at, mail.name, reading(), Mode::empty()) {
        Ok(file) => File::from(file),
        Err(errno) if was_swapped(errno) => return Ok(None),
        Err(errno) => return Err(trouble("reading a mail", errno)),
    };
    let head = head(file).map_err(|error| Failure::new(Code::Target, format!("reading a mail: {error}")))?;
    Ok(head.as_deref().and_then(in_header))
}

/// Whether a file is gone by now, or its name stands for a link, a socket or something below a file: a tenant could keep
/// every look from ending otherwise.
fn was_swapped(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::LOOP | Errno::NXIO | Errno::NOTDIR)
}

/// How files are opened: a name that was swapped for a link is not followed, one swapped for a pipe does not block.
fn reading() -> OFlags {
    OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

/// Finds the Message-ID among a mail's header lines, also where it stands on a folded line.
pub(crate) fn in_header(head: &[u8]) -> Option<Vec<u8>> {
    let mut lines = head.split(|&b| b == b'\n').take_while(|line| !line.trim_ascii().is_empty());
    let field = b"message-id:";
    while let Some(line) = lines.next() {
        let Some((name, value)) = line.split_at_checked(field.len()) else { continue };
        if !name.eq_ignore_ascii_case(field) {
            continue;
        }
        let mut value = value.trim_ascii();
        if value.is_empty() {
            value = lines.next().filter(|next| next.starts_with(b" ") || next.starts_with(b"\t"))?.trim_ascii();
        }
        return LENGTHS.contains(&value.len()).then(|| value.to_vec());
    }
    None
}

/// The beginning of a plain file; of nothing else is anything read.
fn head(file: File) -> io::Result<Option<Vec<u8>>> {
    if !file.metadata()?.is_file() {
        return Ok(None);
    }
    let mut head = Vec::new();
    file.take(HEAD).read_to_end(&mut head)?;
    Ok(Some(head))
}

/// A search for residue in the beginnings of files. Stops reading once everything was hit.
pub(super) struct Search<'a> {
    left: HashSet<&'a [u8]>,
    hits: u64,
}

impl<'a> Search<'a> {
    /// Looks for these byte strings.
    pub(super) fn new(residue: &'a [Vec<u8>]) -> Self {
        Self { left: residue.iter().map(Vec::as_slice).collect(), hits: 0 }
    }

    /// Reads one file.
    pub(super) fn look(&mut self, path: &Path) -> io::Result<()> {
        if self.left.is_empty() {
            return Ok(());
        }
        let file = match rustix::fs::open(path, reading(), Mode::empty()) {
            Ok(file) => File::from(file),
            Err(errno) if was_swapped(errno) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        };
        let Some(head) = head(file)? else { return Ok(()) };
        let before = self.left.len();
        self.left.retain(|wanted| !head.windows(wanted.len()).any(|window| window == *wanted));
        self.hits += (before - self.left.len()) as u64;
        Ok(())
    }

    /// How many of them were found.
    pub(super) fn hits(&self) -> u64 {
        self.hits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn mails_lie_in_cur_new_and_tmp_only() {
        for yes in ["a/cur/1.M2.host:2,S", "a/.Sub/new/1", "/proc/self/fd/9/tmp/x"] {
            assert!(is_mail(Path::new(yes)), "{yes}");
        }
        for no in ["a/dovecot.index", "a/current/1", "cur", "a/Cur/1"] {
            assert!(!is_mail(Path::new(no)), "{no}");
        }
    }

    #[test]
    fn the_message_id_is_taken_from_the_header_only() {
        let id = b"<0123456789@host.example>".to_vec();
        assert_eq!(in_header(b"From: a\r\nMessage-ID: <0123456789@host.example>\r\n\r\nx"), Some(id.clone()));
        assert_eq!(in_header(b"message-id:\r\n <0123456789@host.example>\r\n\r\n"), Some(id));
        assert_eq!(in_header(b"From: a\n\nMessage-ID: <0123456789@host.example>\n"), None);
        assert_eq!(in_header(b"Message-ID: <x>\n\n"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_header_reader_fail(head in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(id) = in_header(&head) {
                prop_assert!(head.windows(id.len()).any(|window| window == id.as_slice()));
            }
        }
    }
}
