//! The agent's suppression list on its disk: signed lines and their months' keys, appended and durable before they count,
//! and when the coordinator last said that the list was complete. A line that a crash tore at the end is cut off, as in the
//! journal: the coordinator says it again. What the lines come to is `gallra_flow::suppression`'s.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gallra_flow::suppression::{Known, Taken};
use gallra_model::envelope::Envelope;
use gallra_model::suppression::{Entry, Item, Line, MonthKey};
use gallra_model::{AgentName, Clock, Digest, Instant};
use gallra_proof::key::VerifyingKey;
use serde::{Deserialize, Serialize};

use crate::dir::{DirError, create_private_dir};
use crate::journal::{Disk, File};

/// Hex characters of the SHA-256 of a line that stand before it.
const CHECK_CHARS: usize = 16;

/// The list cannot be used: nothing may be restored by it.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The file system refused.
    #[error(transparent)]
    File(#[from] DirError),
    /// A line before the last is unreadable, or is signed by another key.
    #[error(
        "the suppression list {} is damaged at line {line}: move the file away and start the agent; the coordinator says \
         all of it again. Restore nothing before that",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Counts from 1.
        line: usize,
    },
    /// A line could not be written as text.
    #[error("a line of the suppression list cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// One line as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    pub(crate) line: Envelope,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<MonthKey>,
}

/// When the coordinator last said that the list was complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contact {
    /// On the coordinator's clock, signed.
    pub at: Instant,
    /// Which clock that is.
    pub clock: Clock,
    /// On this machine's clock.
    pub heard: Instant,
}

/// The last complete line, as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Heard {
    line: Envelope,
    heard: Instant,
}

/// What is wrong with a line that is not taken. Nothing of it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The signature or the form.
    Signature,
    /// Another agent's.
    Foreign,
    /// A line before it is missing.
    Gap,
    /// An entry without its month's key, or with another key than the one that it names.
    Key,
}

/// Where the two files lie in the privileged half's directory.
fn place(privileged: &Path) -> PathBuf {
    privileged.join("suppression")
}

/// An open list.
pub struct List {
    agent: AgentName,
    permit: VerifyingKey,
    path: PathBuf,
    lines: Box<dyn Disk>,
    complete: Box<dyn Disk>,
    known: Known,
    /// By name.
    keys: BTreeMap<Digest, MonthKey>,
    contact: Option<Contact>,
    /// Entries were dropped and still stand in the file.
    dropped: bool,
}

impl List {
    /// Opens or makes the list in the privileged half's directory.
    ///
    /// # Errors
    /// When the file system refuses, or a line before the last is damaged.
    pub fn open(privileged: &Path, agent: &AgentName, permit: &VerifyingKey) -> Result<Self, ListError> {
        let dir = place(privileged);
        create_private_dir(&dir)?;
        let (path, complete) = (dir.join("list"), dir.join("complete"));
        Self::on(Box::new(File::open(&path)?), Box::new(File::open(&complete)?), &path, (agent, permit))
    }

    /// The same on any disks; `path` is only what errors name.
    ///
    /// # Errors
    /// As [`List::open`].
    pub fn on(
        mut lines: Box<dyn Disk>,
        mut complete: Box<dyn Disk>,
        path: &Path,
        (agent, permit): (&AgentName, &VerifyingKey),
    ) -> Result<Self, ListError> {
        let bytes = lines.read()?;
        let damaged = |line| ListError::Damaged { path: path.to_owned(), line };
        let (kept, good) = parse(&bytes).map_err(damaged)?;
        if good < bytes.len() {
            tracing::warn!(bytes = bytes.len() - good, "cut a torn line off the suppression list: it is said again");
            lines.cut(good as u64)?;
        }
        lines.sync()?;
        let (mut known, mut keys, mut dropped) = (Known::default(), BTreeMap::new(), false);
        for (number, Kept { line, key }) in (1..).zip(kept) {
            let (line, _) = gallra_proof::suppression::open(&line, permit).map_err(|_| damaged(number))?;
            if line.agent != *agent {
                return Err(damaged(number));
            }
            if let (Item::Entry(entry), Some(key)) = (&line.item, key) {
                // Under another key than the entry's own its tag matches nobody, and a restore would bring them back.
                if key.name() != entry.key {
                    return Err(damaged(number));
                }
                keys.insert(entry.key, key);
            }
            dropped |= matches!(line.item, Item::Drop { .. });
            known.take(line);
        }
        let contact = heard(&complete.read()?, permit, &known);
        let path = path.to_owned();
        Ok(Self { agent: agent.clone(), permit: permit.clone(), path, lines, complete, known, keys, contact, dropped })
    }

    /// What the lines come to.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// The key of an entry's tag.
    pub fn key(&self, entry: &Entry) -> Option<&MonthKey> {
        self.keys.get(&entry.key)
    }

    /// When the list was last complete; none where it never was.
    pub fn contact(&self) -> Option<Contact> {
        self.contact
    }

    /// Takes a line; when this returns, it is on the disk. `now` is the machine's clock. What is wrong with a line that is
    /// not taken comes back, for the log.
    ///
    /// # Errors
    /// When the file system refuses: the list must not be used further.
    pub fn take(
        &mut self,
        envelope: &Envelope,
        key: Option<&MonthKey>,
        now: Instant,
    ) -> Result<Option<Refused>, ListError> {
        let Ok((line, _)) = gallra_proof::suppression::open(envelope, &self.permit) else {
            return Ok(Some(Refused::Signature));
        };
        match self.known.look(&line, &self.agent) {
            Taken::New => {}
            Taken::Again => return Ok(None),
            Taken::Complete(at, clock) => {
                return self.heard(envelope, Contact { at, clock, heard: now }).map(|()| None);
            }
            Taken::Foreign => return Ok(Some(Refused::Foreign)),
            Taken::Gap => return Ok(Some(Refused::Gap)),
        }
        let mut key = key;
        if let Item::Entry(entry) = &line.item {
            match key {
                Some(key) if key.name() == entry.key => {}
                Some(_) | None => return Ok(Some(Refused::Key)),
            }
            if self.keys.contains_key(&entry.key) {
                key = None;
            }
        } else {
            key = None;
        }
        let kept = Kept { line: envelope.clone(), key: key.cloned() };
        self.lines.append(text_of(&kept)?.as_bytes())?;
        self.lines.sync()?;
        if let (Item::Entry(entry), Some(key)) = (&line.item, key) {
            self.keys.insert(entry.key, key.clone());
        }
        self.dropped |= matches!(line.item, Item::Drop { .. });
        self.known.take(line);
        Ok(None)
    }

    /// Notes that the list is complete. An older word never replaces a newer one, so that a replayed one makes nothing
    /// look fresh. What was dropped leaves the disk here, with the keys that only it needed.
    fn heard(&mut self, envelope: &Envelope, contact: Contact) -> Result<(), ListError> {
        if self.contact.is_some_and(|known| known.clock == contact.clock && known.at > contact.at) {
            return Ok(());
        }
        if self.dropped {
            self.shorten()?;
        }
        let heard = Heard { line: envelope.clone(), heard: contact.heard };
        self.complete.replace(&serde_json::to_vec(&heard)?)?;
        self.contact = Some(contact);
        Ok(())
    }

    /// Puts a file without what was dropped into the place of the old one.
    fn shorten(&mut self) -> Result<(), ListError> {
        let bytes = self.lines.read()?;
        let (kept, _) = parse(&bytes).map_err(|line| ListError::Damaged { path: self.path.clone(), line })?;
        let mut keys = BTreeMap::new();
        let mut text = String::new();
        for mut kept in kept {
            let opened: Result<(Line, _), _> = gallra_proof::suppression::open(&kept.line, &self.permit);
            let Some((line, _)) = opened.ok().filter(|(line, _)| self.known.needs(line)) else { continue };
            kept.key = None;
            if let Item::Entry(entry) = &line.item
                && let Some(key) = self.keys.get(&entry.key)
                && keys.insert(entry.key, key.clone()).is_none()
            {
                kept.key = Some(key.clone());
            }
            text.push_str(&text_of(&kept)?);
        }
        self.lines.replace(text.as_bytes())?;
        (self.keys, self.dropped) = (keys, false);
        Ok(())
    }
}

/// The last complete line, if what is kept is one, and nothing was taken since that it did not count.
fn heard(bytes: &[u8], permit: &VerifyingKey, known: &Known) -> Option<Contact> {
    let Heard { line, heard } = serde_json::from_slice(bytes).ok()?;
    let (line, _) = gallra_proof::suppression::open(&line, permit).ok()?;
    let Item::Complete { at, clock } = line.item else { return None };
    (line.sequence <= known.through()).then_some(Contact { at, clock, heard })
}

pub(crate) fn text_of(kept: &Kept) -> Result<String, serde_json::Error> {
    let json = serde_json::to_string(kept)?;
    let sum = Digest::of(json.as_bytes()).to_string();
    Ok(format!("{} {json}\n", sum.get(..CHECK_CHARS).unwrap_or(&sum)))
}

fn kept_of(line: &[u8]) -> Option<Kept> {
    let (sum, rest) = line.split_at_checked(CHECK_CHARS)?;
    let json = rest.strip_prefix(b" ")?;
    let expected = Digest::of(json).to_string();
    (expected.as_bytes().get(..CHECK_CHARS) == Some(sum)).then_some(())?;
    serde_json::from_slice(json).ok()
}

/// The lines of a file, and how many bytes they fill. What follows is torn.
///
/// # Errors
/// The number of the unreadable line (from 1), if it was whole once.
pub(crate) fn parse(bytes: &[u8]) -> Result<(Vec<Kept>, usize), usize> {
    let (mut lines, mut good) = (Vec::new(), 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(kept) = line.strip_suffix(b"\n").and_then(kept_of) else {
            let is_last = good + line.len() == bytes.len();
            let torn = !line.ends_with(b"\n") || line.contains(&0);
            return if is_last && torn { Ok((lines, good)) } else { Err(lines.len() + 1) };
        };
        lines.push(kept);
        good += line.len();
    }
    Ok((lines, good))
}

#[cfg(test)]
mod tests;
