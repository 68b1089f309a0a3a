//! One leaf's evidence as a file (C2SP tlog-proof): its index, its path, and the checkpoint that both lead to, with all
//! cosignatures. Whoever has the entry, this file and the keys needs nobody's server.
//!
//! Owns the text and the check; refuses to know how many witnesses are enough.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::{Checkpoint, CheckpointError, Opened};
use crate::note::{Key, MOST_BYTES as MOST_NOTE_BYTES, Note};
use crate::number;
use crate::tree::proof::MOST_HASHES;
use crate::tree::{Hash, ProofError, check_inclusion};

/// First line: the format and its version.
const FORMAT: &str = "c2sp.org/tlog-proof@v1";

/// Most bytes of the part that is nobody's word.
pub const MOST_EXTRA_BYTES: usize = 4096;

/// Longest file, in bytes: the longest note, and before it a path and the extra part in base64.
pub const MOST_BYTES: usize = MOST_NOTE_BYTES + 10 * 1024;

/// Why a text is no evidence, or proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// Not the lines that the format has.
    #[error("not a log proof of a version that is known here, in its one spelling")]
    Form,
    /// The checkpoint is not to be believed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The path does not lead to the checkpoint's root.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

/// Evidence that a leaf is in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Anything that somebody added: no signature covers it.
    pub unverified_extra: Option<Vec<u8>>,
    /// The leaf's index, from 0.
    pub index: u64,
    /// The hashes beside its path, from the leaf up.
    pub path: Vec<Hash>,
    /// The checkpoint, as the log and its witnesses signed it.
    pub note: Note,
}

impl Evidence {
    /// Checks that this leaf is in the log whose key is given, and says who of `witnesses` cosigned that.
    ///
    /// # Errors
    /// [`EvidenceError`] where it is not shown.
    pub fn check(&self, leaf: &Hash, log: &Key, witnesses: &[Key]) -> Result<Opened, EvidenceError> {
        let opened = Checkpoint::open(&self.note, log, witnesses)?;
        check_inclusion(&self.path, self.index, opened.checkpoint.size, leaf, &opened.checkpoint.root)?;
        Ok(opened)
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FORMAT}")?;
        self.unverified_extra.iter().try_for_each(|extra| writeln!(f, "extra {}", STANDARD.encode(extra)))?;
        writeln!(f, "index {}", self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.note)
    }
}

impl FromStr for Evidence {
    type Err = EvidenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MOST_BYTES {
            return Err(EvidenceError::Form);
        }
        read(text).ok_or(EvidenceError::Form)
    }
}

fn read(text: &str) -> Option<Evidence> {
    let (head, note) = text.split_once("\n\n")?;
    let mut lines = head.split('\n').peekable();
    lines.next().filter(|line| *line == FORMAT)?;
    let extra = lines.next_if(|line| line.starts_with("extra "));
    let extra =
        extra.map(|line| STANDARD.decode(line.trim_start_matches("extra ")).ok()).map(Option::unwrap_or_default);
    let index = number::parse(lines.next()?.strip_prefix("index ")?)?;
    let path: Vec<Hash> = lines.take(MOST_HASHES + 1).map(|line| line.parse().ok()).collect::<Option<_>>()?;
    let note: Note = note.parse().ok()?;
    note.unverified_text().parse::<Checkpoint>().ok()?;
    let evidence = Evidence { unverified_extra: extra, index, path, note };
    let fits = evidence.path.len() <= MOST_HASHES
        && evidence.unverified_extra.as_ref().is_none_or(|extra| extra.len() <= MOST_EXTRA_BYTES);
    // Written again: also where the extra part is no base64.
    (fits && evidence.to_string() == text).then_some(evidence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::{Kind, Signer};
    use crate::tree::grown::{Grown, number};
    use crate::tree::inclusion;

    const ORIGIN: &str = "log.provider.example/2026a";

    fn evidence(index: u64) -> (Evidence, Key) {
        let log = Grown::of(9);
        let key = Signer::from_seed(ORIGIN, Kind::Log, &[1; 32]).unwrap();
        let origin = ORIGIN.parse().unwrap();
        let checkpoint = Checkpoint { origin, size: 9, root: log.root(9), extensions: Vec::new() };
        let mut note = Note::new(checkpoint.to_string()).unwrap();
        note.sign(checkpoint.sign(&key).unwrap()).unwrap();
        let path = inclusion(index, 9, &log).unwrap();
        (Evidence { unverified_extra: None, index, path, note }, key.public().clone())
    }

    #[test]
    fn it_is_read_as_written_and_shows_one_leaf() {
        for extra in [None, Some(Vec::new()), Some(b"a door".to_vec())] {
            for index in [0, 4, 8] {
                let (evidence, key) = evidence(index);
                let evidence = Evidence { unverified_extra: extra.clone(), ..evidence };
                let read: Evidence = evidence.to_string().parse().unwrap();
                assert_eq!(read, evidence);
                assert_eq!(read.check(&number(index), &key, &[]).map(|opened| opened.checkpoint.size), Ok(9));
                let other = read.check(&number(index + 1), &key, &[]);
                assert_eq!(other, Err(EvidenceError::Proof(ProofError::Root)));
            }
        }
    }

    #[test]
    fn an_altered_checkpoint_shows_nothing() {
        let (evidence, key) = evidence(4);
        let altered: Evidence = evidence.to_string().replace("\n9\n", "\n10\n").parse().unwrap();
        assert!(matches!(altered.check(&number(4), &key, &[]), Err(EvidenceError::Checkpoint(_))));
    }

    #[test]
    fn other_spellings_are_refused() {
        let (evidence, _) = evidence(4);
        let good = evidence.to_string();
        assert!(good.starts_with("c2sp.org/tlog-proof@v1\nindex 4\n") && good.parse::<Evidence>().is_ok());
        // A path of four hashes, and room for 61 more.
        let hash = format!("\n{}", Hash::EMPTY);
        let longest = good.replacen("\n\n", &format!("{}\n\n", hash.repeat(61)), 1);
        assert!(longest.parse::<Evidence>().is_ok());
        for bad in [
            String::new(),
            good.replace("@v1", "@v2"),
            good.replace("index 4", "index 04"),
            good.replace("index 4", "extra *\nindex 4"),
            good.replace("index 4", "extra AB==\nindex 4"),
            good.replace("index 4", "extra extra AAAA\nindex 4"),
            good.replace("index 4", "index 4\nextra AAAA"),
            good.replace("index 4", &format!("extra {}\nindex 4", STANDARD.encode([0; 4097]))),
            good.replace("index 4\n", ""),
            good.replace("=\n", "\n"),
            good.replacen("\n\n", &format!("{}\n\n", hash.repeat(62)), 1),
            good.replacen("\n\n", &format!("{hash}\n\nx\n\n"), 1),
            good.replace(&format!("\n\n{ORIGIN}"), "\n\nx\n\ny"),
            good.trim_end().to_owned(),
            format!("{good}\n"),
        ] {
            assert!(bad.parse::<Evidence>().is_err(), "{bad:?}");
        }
    }
}
