//! The generation that a directory has seen served, in a file beside the store: a store that is put back does not take it back with it.
//! Upholds that a generation is never served from here after a higher one was (I3), and that every restore gets one of its own, also
//! the second one of the same backup. Whose generation an agent has seen, the agent says.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use anyhow::{Context as _, ensure};

use serde::{Deserialize, Serialize};

use crate::error::{self, CoreError};
use crate::layout::Layout;

/// The file's name.
pub const FILE: &str = "generation";

/// A store's generation as it is stored, in the form that says that there is a schema to be looked at: a program that does not know of
/// one reads a number only, and does not work on the store.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Beside {
    generation: u64,
    schema: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Either {
    Bare(u64),
    Beside(Beside),
}

/// A store's generation from its entry, in either form.
///
/// # Errors
/// Where it is neither.
pub fn decode(value: &[u8]) -> Result<u64, CoreError> {
    Ok(match error::decode("generation", value)? {
        Either::Bare(generation) => generation,
        Either::Beside(beside) => beside.generation,
    })
}

/// A store's generation for its entry; `beside`: in the form that only programs read which look at the schema.
///
/// # Errors
/// Never in practice.
pub fn encode(generation: u64, beside: bool) -> Result<Vec<u8>, CoreError> {
    if beside {
        error::encode(&Beside { generation, schema: gallra_store::keys::meta_schema().to_string() })
    } else {
        error::encode(&generation)
    }
}

/// The highest generation that was served from a directory, or is about to be; 0 where none was.
///
/// # Errors
/// Names the file, where it cannot be read or is no number.
pub fn read(layout: &Layout) -> anyhow::Result<u64> {
    let path = layout.path(FILE);
    match fs::read_to_string(&path) {
        Ok(text) => {
            let number = text.strip_suffix('\n').and_then(|text| text.parse().ok());
            number.with_context(|| format!("{} holds no generation: put back what was there", path.display()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

/// The generation of a store that is put back: above all that is known.
pub fn above(known: &[u64]) -> u64 {
    known.iter().max().map_or(1, |highest| highest.saturating_add(1))
}

/// Notes a generation, on the device before it is served. A lower one than is noted changes nothing.
///
/// # Errors
/// Names the file.
pub fn note(layout: &Layout, generation: u64) -> anyhow::Result<()> {
    if generation <= read(layout)? {
        return Ok(());
    }
    let (path, draft) = (layout.path(FILE), layout.path(&format!("{FILE}.new")));
    let write = || -> io::Result<()> {
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(format!("{generation}\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, &path)?;
        fs::File::open(layout.root())?.sync_all()
    };
    write().with_context(|| format!("{} cannot be written", path.display()))
}

/// Lets a store be served, or not. The file follows where the store is ahead: another directory restored it.
///
/// # Errors
/// Where a higher one was served from here: the store is an old copy, or a restore broke off.
pub fn follow(layout: &Layout, generation: u64) -> anyhow::Result<()> {
    let seen = read(layout)?;
    ensure!(
        generation >= seen,
        "the store is of generation {generation}, and {seen} was served from this directory or was about to be: the store was put \
         back by hand, or a restore broke off; run `gallra-coordinator restore` (again)"
    );
    note(layout, generation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_looks_at_no_schema_cannot_read_the_generation_beside_one() {
        for beside in [false, true] {
            assert_eq!(decode(&encode(7, beside).unwrap()).unwrap(), 7);
        }
        let value = encode(7, true).unwrap();
        assert_eq!(String::from_utf8(value.clone()).unwrap(), r#"{"generation":7,"schema":"v1/meta/schema"}"#);
        // As versions before 0042 read it.
        assert!(error::decode::<u64>("generation", &value).is_err());
        assert!(decode(b"\"7\"").is_err() && decode(b"{}").is_err());
    }

    #[test]
    fn a_restore_is_above_all_that_is_known() {
        assert_eq!(above(&[]), 1);
        assert_eq!(above(&[1, 0]), 2);
        // The second restore of the same backup.
        assert_eq!(above(&[1, 2, 2]), 3);
    }

    #[test]
    fn what_was_served_once_is_never_followed_by_less() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        assert_eq!(read(&layout).unwrap(), 0, "of before there was such a file");
        for generation in [1, 1, 4] {
            follow(&layout, generation).unwrap();
        }
        note(&layout, 2).unwrap();
        assert_eq!(read(&layout).unwrap(), 4);
        let refused = follow(&layout, 3).unwrap_err().to_string();
        assert!(refused.contains("restore"), "{refused}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
        for text in ["", "4", "four\n", "-1\n", "4\n4\n"] {
            fs::write(folder.path().join(FILE), text).unwrap();
            assert!(follow(&layout, 9).is_err(), "{text:?}");
        }
    }
}
