//! Key files: a header line, then one line a key, its name and its bytes in hex. Owns the format; upholds that a file is
//! whole or not there, is its owner's alone, and is never written over but to destroy it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use super::KeyringError;
use super::secret::Secret;

const HEADER: &str = "gallra key file 1";
/// More than a file of ours ever has, so that reading is bounded.
const MAX_FILE_BYTES: u64 = 4_096;

/// Makes the directory where it is missing, for its owner only.
pub(super) fn make_dir(dir: &Path) -> Result<(), KeyringError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| failed("the key directory", "made", &e))
}

/// The names in the directory that are text.
pub(super) fn names(dir: &Path) -> Result<Vec<String>, KeyringError> {
    let list = || fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>();
    let names = list().map_err(|e| failed("the key directory", "listed", &e))?;
    Ok(names.into_iter().filter_map(|name| name.into_string().ok()).collect())
}

/// Writes a file of these keys, durably. It appears whole under its name, or not at all.
pub(super) fn write<const N: usize>(
    dir: &Path,
    name: &str,
    fields: [&str; N],
    keys: [&Secret; N],
) -> Result<(), KeyringError> {
    // As large as it will get: a buffer that grew would leave a piece of key behind.
    let mut text = Zeroizing::new(String::with_capacity(HEADER.len() + 1 + N * 128));
    text.push_str(HEADER);
    text.push('\n');
    for (field, key) in fields.iter().zip(keys) {
        text.push_str(field);
        text.push(' ');
        text.push_str(&key.to_hex());
        text.push('\n');
    }
    let (path, draft) = (dir.join(name), dir.join(format!("{name}.new")));
    let write = || -> io::Result<()> {
        // A draft from a crash was never used for anything.
        absent_is_fine(fs::remove_file(&draft))?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        // Unlike a rename, a link fails where the name is taken; the draft is nobody's key then.
        let linked = fs::hard_link(&draft, &path);
        fs::remove_file(&draft)?;
        linked?;
        File::open(dir)?.sync_all()
    };
    write()
        .map_err(|e| if e.kind() == io::ErrorKind::AlreadyExists { exists(name) } else { failed(name, "written", &e) })
}

/// Makes the directory's names durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), KeyringError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|e| failed("the key directory", "flushed", &e))
}

/// Takes the file out of use, overwrites it, removes it, each durably. What a crash left of an earlier try is finished.
///
/// The name goes first: a crash in between leaves a directory that opens without this key, not one that does not open.
/// A file system that does not write in place keeps the old bytes for a while; the operator's guide says where keys belong.
pub(super) fn destroy(dir: &Path, name: &str) -> Result<(), KeyringError> {
    // The draft may be a second name of the same bytes, when a crash came before it was removed.
    for name in [name.to_owned(), format!("{name}.new")] {
        let (path, doomed) = (dir.join(&name), dir.join(format!("{name}.destroyed")));
        let destroy = || -> io::Result<()> {
            absent_is_fine(fs::rename(&path, &doomed))?;
            File::open(dir)?.sync_all()?;
            let mut file = match OpenOptions::new().write(true).open(&doomed) {
                Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(()),
                opened => opened?,
            };
            let length = file.metadata()?.len().min(MAX_FILE_BYTES);
            io::copy(&mut io::repeat(0).take(length), &mut file)?;
            file.sync_all()?;
            fs::remove_file(&doomed)?;
            File::open(dir)?.sync_all()
        };
        destroy().map_err(|e| failed(&name, "destroyed", &e))?;
    }
    Ok(())
}

fn absent_is_fine(done: io::Result<()>) -> io::Result<()> {
    done.or_else(|source| if source.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(source) })
}

fn exists(name: &str) -> KeyringError {
    KeyringError::Exists(name.to_owned())
}

/// Reads a file of exactly these keys.
pub(super) fn read<const N: usize>(dir: &Path, name: &str, fields: [&str; N]) -> Result<[Secret; N], KeyringError> {
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(MAX_FILE_BYTES).unwrap_or(0)));
    let read = || -> io::Result<u32> {
        let file = File::open(dir.join(name))?;
        let mode = file.metadata()?.permissions().mode();
        file.take(MAX_FILE_BYTES).read_to_string(&mut text)?;
        Ok(mode)
    };
    let mut read = read;
    match read() {
        Ok(mode) if mode & 0o077 != 0 => return Err(KeyringError::Exposed(name.to_owned())),
        Ok(_) => {}
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Err(KeyringError::Missing(name.to_owned())),
        Err(source) if source.kind() == io::ErrorKind::InvalidData => {
            return Err(KeyringError::Malformed(name.to_owned()));
        }
        Err(source) => return Err(failed(name, "read", &source)),
    }
    parse(&text, fields).ok_or_else(|| KeyringError::Malformed(name.to_owned()))
}

/// Reads the text of a key file; nothing may be missing, doubled, in another order or left over.
pub(super) fn parse<const N: usize>(text: &str, fields: [&str; N]) -> Option<[Secret; N]> {
    let mut lines = text.strip_suffix('\n')?.split('\n');
    if lines.next() != Some(HEADER) {
        return None;
    }
    let mut keys = Vec::with_capacity(N);
    for field in fields {
        keys.push(Secret::from_hex(lines.next()?.strip_prefix(field)?.strip_prefix(' ')?)?);
    }
    if lines.next().is_some() {
        return None;
    }
    keys.try_into().ok()
}

fn failed(file: &str, done: &'static str, source: &io::Error) -> KeyringError {
    KeyringError::Io { file: file.to_owned(), done, hint: source.to_string() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn good() -> String {
        format!("{HEADER}\na {}\nb {}\n", "01".repeat(32), "fe".repeat(32))
    }

    #[test]
    fn a_file_reads_back_and_anything_else_is_refused() {
        let [a, b] = parse(&good(), ["a", "b"]).expect("parses");
        assert_eq!((a.expose(), b.expose()), (&[1; 32], &[0xfe; 32]));
        let text = good();
        for bad in [
            text.trim_end().to_owned(),
            format!("{text}\n"),
            text.replace("1\na", "2\na"),
            text.replace("\nb ", "\nc "),
            text.replace("fe\n", "\n"),
            String::new(),
        ] {
            assert!(parse(&bad, ["a", "b"]).is_none(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), cut in 0usize..160, byte in "[ -~\n]") {
            prop_assert!(parse(&text, ["a", "b"]).is_none());
            let mut damaged = good();
            let cut = cut.min(damaged.len());
            damaged.insert_str(cut, &byte);
            prop_assert!(parse(&damaged, ["a", "b"]).is_none());
        }
    }
}
