//! The newest checkpoint of a log that was cosigned, as a file: the note itself, so that it can be shown.
//!
//! ```text
//! gallra-witness-head/v1
//! origin log.provider.example/2026a
//!
//! <the note, or `nothing`>
//! ```
//!
//! Owns the text, and that a head is wholly on the disk before anybody hears of it. Nothing is a word of its own, so that a
//! file that was cut short never says it. A file that is missing or damaged is never taken for "nothing was cosigned": the
//! witness would then say again what it cannot know.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use gallra_log::checkpoint::{Checkpoint, Origin};
use gallra_log::note::{Key, Note};
use gallra_log::rollback::Head;
use gallra_model::Digest;

const FORMAT: &str = "gallra-witness-head/v1";
const NOTHING: &str = "nothing\n";

/// The newest note of a log, once there is one, and its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Newest {
    head: Head,
    note: Option<Note>,
}

/// A head could not be stored.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotStored {
    /// The older one still stands.
    #[error("the head cannot be written: {0}")]
    Old(io::Error),
    /// Nobody knows which one stands after a loss of power.
    #[error("it is not sure which head is on the disk: {0}; restart the witness, which reads it again")]
    Unsure(io::Error),
}

impl Newest {
    /// Nothing was cosigned.
    pub(super) const NOTHING: Self = Self { head: Head::EMPTY, note: None };

    /// A note that may be cosigned, and its head.
    pub(super) fn of(note: Note, head: Head) -> Self {
        Self { head, note: Some(note) }
    }

    pub(super) fn head(&self) -> Head {
        self.head
    }

    pub(super) fn note(&self) -> Option<&Note> {
        self.note.as_ref()
    }

    fn to_text(&self, origin: &Origin) -> String {
        let note = self.note.as_ref().map_or_else(|| NOTHING.to_owned(), ToString::to_string);
        format!("{FORMAT}\norigin {origin}\n\n{note}")
    }

    fn parse(text: &str, origin: &Origin, keys: &[Key]) -> anyhow::Result<Self> {
        let note = text
            .strip_prefix(&format!("{FORMAT}\norigin {origin}\n\n"))
            .with_context(|| format!("expected {FORMAT} and this origin"))?;
        if note == NOTHING {
            return Ok(Self::NOTHING);
        }
        let note = Note::parse(note.as_bytes())?;
        // The log's signature says that no byte of size and root has changed since it was written.
        note.open(keys).context("none of the log's keys in witness.toml has signed it: was a key taken out there?")?;
        let checkpoint: Checkpoint = note.unverified_text().parse()?;
        ensure!(checkpoint.origin == *origin, "its note is of another log");
        Ok(Self { head: Head { size: checkpoint.size, root: checkpoint.root }, note: Some(note) })
    }
}

/// Where a log's head is. The name is a hash, since origins may have any character.
pub(super) fn path(heads: &Path, origin: &Origin) -> PathBuf {
    heads.join(format!("{}.head", Digest::of(origin.as_str().as_bytes())))
}

/// Reads a log's head.
///
/// # Errors
/// Where the file is missing or damaged.
pub(super) fn read(heads: &Path, origin: &Origin, keys: &[Key]) -> anyhow::Result<Newest> {
    let path = path(heads, origin);
    let text = fs::read_to_string(&path).with_context(|| {
        format!(
            "{}, what was cosigned of {origin}, cannot be read: for a log that was never witnessed \
             `gallra-coordinator witness add-log` makes it; where it was lost, make a new witness under another name",
            path.display()
        )
    })?;
    Newest::parse(&text, origin, keys).with_context(|| {
        format!("{} is damaged: restore nothing older, make a new witness under another name", path.display())
    })
}

/// Stores a head in the place of the older one; the disk has it when this returns.
///
/// # Errors
/// [`NotStored`]: nothing may be cosigned.
pub(super) fn store(heads: &Path, origin: &Origin, newest: &Newest) -> Result<(), NotStored> {
    let path = path(heads, origin);
    let draft = path.with_extension("new");
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(newest.to_text(origin).as_bytes())?;
        file.sync_all()
    };
    write().map_err(NotStored::Old)?;
    gallra_crash::point("before_head");
    fs::rename(&draft, &path).and_then(|()| File::open(heads)?.sync_all()).map_err(NotStored::Unsure)
}

#[cfg(test)]
mod tests {
    use gallra_log::note::{Kind, Signer};
    use gallra_log::tree::Hash;
    use proptest::prelude::*;

    use super::*;

    fn signer() -> Signer {
        Signer::from_seed("log.example/1", Kind::Log, &[1; 32]).unwrap()
    }

    fn newest(size: u64) -> Newest {
        let checkpoint =
            Checkpoint { origin: origin(), size, root: Hash::leaf(&size.to_be_bytes()), extensions: Vec::new() };
        let mut note = Note::new(checkpoint.to_string()).unwrap();
        note.sign(checkpoint.sign(&signer()).unwrap()).unwrap();
        Newest::of(note, Head { size, root: checkpoint.root })
    }

    fn origin() -> Origin {
        "log.example/1".parse().unwrap()
    }

    fn parse(text: &str) -> anyhow::Result<Newest> {
        Newest::parse(text, &origin(), &[signer().public().clone()])
    }

    #[test]
    fn what_is_stored_is_what_is_read_and_the_newer_takes_the_place() {
        let temp = tempfile::tempdir().unwrap();
        let keys = [signer().public().clone()];
        assert!(read(temp.path(), &origin(), &keys).is_err(), "a missing file is not an empty one");
        for newest in [Newest::NOTHING, newest(3), newest(9)] {
            store(temp.path(), &origin(), &newest).unwrap();
            assert_eq!(read(temp.path(), &origin(), &keys).unwrap(), newest);
        }
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1);
        // A draft that a crash left behind is nobody's head, and in nobody's way.
        fs::write(path(temp.path(), &origin()).with_extension("new"), "x").unwrap();
        assert_eq!(read(temp.path(), &origin(), &keys).unwrap(), newest(9));
        store(temp.path(), &origin(), &newest(10)).unwrap();
        assert_eq!(read(temp.path(), &origin(), &keys).unwrap(), newest(10));
        let gone = temp.path().join("gone");
        assert!(matches!(store(&gone, &origin(), &newest(11)), Err(NotStored::Old(_))));
    }

    #[test]
    fn a_head_under_other_keys_or_of_another_log_is_none() {
        let text = newest(3).to_text(&origin());
        assert!(parse(&text).is_ok());
        let other = Signer::from_seed("log.example/1", Kind::Log, &[2; 32]).unwrap();
        assert!(Newest::parse(&text, &origin(), &[other.public().clone()]).is_err());
        let elsewhere = "log.example/2".parse().unwrap();
        assert!(Newest::parse(&text, &elsewhere, &[signer().public().clone()]).is_err());
        let renamed = text.replace("origin log.example/1", "origin log.example/2");
        assert!(Newest::parse(&renamed, &elsewhere, &[signer().public().clone()]).is_err());
    }

    proptest! {
        #[test]
        fn no_part_of_a_head_and_no_flipped_bit_is_another_head(size: u64, at: prop::sample::Index, bit in 0..7_u32, nothing: bool) {
            let newest = if nothing { Newest::NOTHING } else { newest(size) };
            let text = newest.to_text(&origin());
            let at = at.index(text.len());
            if let Some(cut) = text.get(..at) {
                prop_assert!(parse(cut).is_err());
            }
            let mut bytes = text.into_bytes();
            bytes[at] ^= 1 << bit;
            if let Ok(flipped) = String::from_utf8(bytes) {
                // Signatures of others than the log's are not checked; there are none here.
                prop_assert!(parse(&flipped).is_err(), "{}", flipped);
            }
        }
    }
}
