//! The suppression list that the agent keeps: its file, and the lines that come over the stream.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use gallra_agent::dir::DirError;
use gallra_agent::fuzzing::{Listed, listed, listed_json, listing};
use gallra_agent::journal::Disk;
use gallra_agent::suppression::List;
use gallra_model::{AgentName, Instant};
use gallra_proof::key::SigningKey;

use super::text;
use crate::Seen;

/// The file's bytes: what is good of it is written and read again as the same, and one line at most is cut off.
pub fn file(bytes: &[u8]) -> Seen {
    match listed(bytes) {
        Ok((lines, good)) => {
            let whole = bytes.get(..good).unwrap_or_else(|| panic!("{good} of {} bytes", bytes.len()));
            let torn = bytes.get(good..).unwrap_or_default();
            assert!(torn.iter().filter(|byte| **byte == b'\n').count() <= 1, "several lines are cut off");
            assert_eq!(listed(whole), Ok((lines.clone(), good)));
            let written: String = lines.iter().map(listing).collect();
            assert_eq!(listed(written.as_bytes()), Ok((lines.clone(), written.len())), "written as another list");
            Seen::of(!lines.is_empty())
        }
        Err(line) => {
            assert!(line <= 1 + bytes.iter().filter(|byte| **byte == b'\n').count(), "no line {line}");
            Seen::Refused
        }
    }
}

/// Lines as JSON, signed or not, as somebody on the way could leave out, double and reorder them. What a list takes of them
/// is there after a restart, no entry is matched under another's key, and no file can make it so.
pub fn lines(bytes: &[u8]) -> Seen {
    let Some(text) = text(bytes) else { return Seen::Refused };
    let told: Vec<Listed> = text.lines().filter_map(listed_json).collect();
    let (lines, complete) = (Memory::default(), Memory::default());
    let mut list = open(&lines, &complete).unwrap_or_else(|| panic!("an empty list does not open"));
    for (line, key) in &told {
        let (before, through) = (lines.bytes(), list.known().through());
        let refused = list.take(line, key.as_ref(), now()).unwrap_or_else(|why| panic!("memory fails: {why}"));
        assert!(refused.is_none() || before == lines.bytes(), "something of a refused line is kept");
        assert!(list.known().through() >= through, "the list goes back");
        is_keyed(&list);
    }
    let again = open(&lines, &complete).unwrap_or_else(|| panic!("a list that was written does not open"));
    assert_eq!((again.known(), again.contact()), (list.known(), list.contact()), "a restart forgets");
    for entry in list.known().entries() {
        assert_eq!(again.key(entry), list.key(entry), "a restart loses a key");
    }
    // The same lines as a file that somebody wrote: whatever opens is keyed right.
    let forged = Memory::default();
    forged.set(told.iter().map(listing).collect::<String>().as_bytes());
    if let Some(list) = open(&forged, &Memory::default()) {
        is_keyed(&list);
    }
    Seen::of(list.known().through() > 0)
}

fn is_keyed(list: &List) {
    for entry in list.known().entries() {
        assert!(list.key(entry).is_none_or(|key| key.name() == entry.key), "an entry under another's key");
    }
}

fn now() -> Instant {
    Instant::from_second(1_790_000_000).unwrap_or(Instant::UNIX_EPOCH)
}

fn open(lines: &Memory, complete: &Memory) -> Option<List> {
    let own: AgentName = "web1".parse().ok()?;
    let permit = SigningKey::from_seed(&[1; 32]).verifying();
    List::on(Box::new(lines.clone()), Box::new(complete.clone()), Path::new("list"), (&own, &permit)).ok()
}

/// A disk that never fails.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, bytes: &[u8]) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = bytes.to_vec();
    }
}

impl Disk for Memory {
    fn read(&mut self) -> Result<Vec<u8>, DirError> {
        Ok(self.bytes())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), DirError> {
        self.set(&[self.bytes().as_slice(), bytes].concat());
        Ok(())
    }

    fn sync(&mut self) -> Result<(), DirError> {
        Ok(())
    }

    fn cut(&mut self, length: u64) -> Result<(), DirError> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.set(self.bytes().get(..length).unwrap_or(&self.bytes()));
        Ok(())
    }

    fn replace(&mut self, bytes: &[u8]) -> Result<(), DirError> {
        self.set(bytes);
        Ok(())
    }
}
