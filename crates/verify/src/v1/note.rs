//! Checkpoints: signed notes of the log, with witnesses' cosignatures (`docs/formats/log-v1.md`, sections 4 to 6). Owns who
//! signed a text; refuses to know whether trees follow from each other.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::format::v1::file::Hash;
use crate::key::PublicKey;
use crate::verdict::{Failure, Kind};

/// Longest note that is read, in bytes, and most signatures.
const MAX_BYTES: usize = 256 * 1024;
const MAX_SIGNATURES: usize = 32;

const LOG: u8 = 0x01;
const WITNESS: u8 = 0x04;

/// A key that signs notes.
pub(crate) struct NoteKey {
    name: String,
    id: [u8; 4],
    key: PublicKey,
}

impl NoteKey {
    /// The key of a log, whose name is the origin.
    pub(crate) fn of_log(origin: &str, key: PublicKey) -> Option<Self> {
        let raw = key.ed25519()?;
        is_name(origin).then(|| Self { name: origin.to_owned(), id: id(origin, LOG, &raw), key })
    }

    /// A witness's key in C2SP's text: `name+id+base64`.
    pub(crate) fn of_witness(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '+');
        let (name, said, base64) = (parts.next()?, parts.next()?, parts.next()?);
        let typed = STANDARD.decode(base64).ok()?;
        let (kind, raw) = typed.split_first()?;
        let key = PublicKey::from_ed25519(raw)?;
        let id = id(name, WITNESS, raw);
        (is_name(name) && *kind == WITNESS && said == hex::encode(id)).then(|| Self { name: name.to_owned(), id, key })
    }

    /// The raw Ed25519 key.
    pub(crate) fn raw(&self) -> Option<[u8; 32]> {
        self.key.ed25519()
    }

    fn made(&self, line: &Line<'_>) -> bool {
        line.name == self.name && line.id == self.id
    }
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c != '+' && !c.is_whitespace() && !c.is_control();
    (1..=255).contains(&name.len()) && name.chars().all(plain)
}

fn id(name: &str, kind: u8, raw: &[u8]) -> [u8; 4] {
    let digest = Sha256::new().chain_update(name).chain_update([b'\n', kind]).chain_update(raw).finalize();
    *digest.first_chunk().unwrap_or(&[0; 4])
}

/// One signature line.
struct Line<'a> {
    name: &'a str,
    id: [u8; 4],
    signature: Vec<u8>,
}

/// What the log signed, and which of the known witnesses saw it.
pub(crate) struct Checkpoint {
    /// The signed text: what a time stamp is over.
    pub(crate) text: String,
    pub(crate) size: u64,
    pub(crate) root: Hash,
    lines: Vec<(usize, Vec<u8>)>,
}

impl Checkpoint {
    /// Reads a note and checks the log's signature. `witnesses` only says which further lines to keep.
    pub(crate) fn open(note: &str, log: &NoteKey, witnesses: &[NoteKey]) -> Result<Self, Failure> {
        let malformed = || Failure::malformed("a checkpoint is not a signed note in its one spelling");
        let (text, lines) = split(note).ok_or_else(malformed)?;
        let (origin, size, root) = read(text).ok_or_else(malformed)?;
        let mut by_log = lines.iter().filter(|line| log.made(line));
        let signed = match (by_log.next(), by_log.next()) {
            (Some(line), None) => log.key.verifies(text.as_bytes(), &line.signature),
            _ => false,
        };
        if !signed || origin != log.name {
            return Err(Failure::new(Kind::Signature, "a checkpoint is not signed by the log that the manifest names"));
        }
        let by = |line: Line<'_>| Some((witnesses.iter().position(|key| key.made(&line))?, line.signature));
        Ok(Self { text: text.to_owned(), size, root, lines: lines.into_iter().filter_map(by).collect() })
    }

    /// Which of the known witnesses cosigned it, by number, and when, in seconds since 1970: their word.
    pub(crate) fn cosigned(&self, witnesses: &[NoteKey]) -> Result<Vec<(usize, u64)>, Failure> {
        let mut seen: Vec<(usize, u64)> = Vec::new();
        for (number, line) in &self.lines {
            let wrong =
                || Failure::new(Kind::Witness, "the cosignature of a witness that the manifest names does not verify");
            let key = witnesses.get(*number).ok_or_else(wrong)?;
            let (time, signature) = line.split_first_chunk::<8>().ok_or_else(wrong)?;
            let time = u64::from_be_bytes(*time);
            let message = format!("cosignature/v1\ntime {time}\n{}", self.text);
            let twice = seen.iter().any(|(other, _)| other == number);
            if twice || i64::try_from(time).is_err() || !key.key.verifies(message.as_bytes(), signature) {
                return Err(wrong());
            }
            seen.push((*number, time));
        }
        Ok(seen)
    }
}

fn split(note: &str) -> Option<(&str, Vec<Line<'_>>)> {
    if note.len() > MAX_BYTES || note.bytes().any(|b| b < 0x20 && b != b'\n') {
        return None;
    }
    let (text, lines) = note.split_at_checked(note.rfind("\n\n")? + 1)?;
    let lines = lines.strip_prefix('\n')?.strip_suffix('\n')?;
    let lines: Vec<&str> = lines.split('\n').take(MAX_SIGNATURES + 1).collect();
    if lines.len() > MAX_SIGNATURES {
        return None;
    }
    Some((text, lines.into_iter().map(line).collect::<Option<_>>()?))
}

fn line(text: &str) -> Option<Line<'_>> {
    let (name, base64) = text.strip_prefix("\u{2014} ")?.split_once(' ')?;
    let bytes = STANDARD.decode(base64).ok()?;
    let (id, signature) = bytes.split_first_chunk::<4>()?;
    (is_name(name) && !signature.is_empty()).then(|| Line { name, id: *id, signature: signature.to_vec() })
}

/// Origin, size and root, and nothing further: our logs say no more.
fn read(text: &str) -> Option<(&str, u64, Hash)> {
    let mut lines = text.strip_suffix('\n')?.split('\n');
    let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
    let number: u64 = size.parse().ok()?;
    let root: Hash = STANDARD.decode(root).ok()?.try_into().ok()?;
    (lines.next().is_none() && number > 0 && number.to_string() == size).then_some((origin, number, root))
}
