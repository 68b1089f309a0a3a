//! What `restored` signed and the coordinator has not answered yet: one file a statement, whole and durable before the restore is
//! called released, and there until the coordinator says that it has it. Owns the order and how many are on their way; refuses to
//! know what they say. One that the coordinator will never take is put aside, so that it holds up no other, and is never lost.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use gallra_model::Digest;
use gallra_model::envelope::Envelope;
use gallra_proof::dsse;

use crate::dir::{DirError, create_private_dir, sync_parent, write_private};

/// Statements that are on their way at once: as many as unacknowledged receipts may be (I10). All that one restore leaves open should
/// be told before the coordinator looks at what it may drop from the list.
pub const WINDOW: usize = 1024;

/// The outbox cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The file system refused.
    #[error(transparent)]
    File(#[from] DirError),
    /// A statement could not be written as text.
    #[error("a restore's statement cannot be written: {0}")]
    Write(String),
}

/// An open outbox.
#[derive(Debug)]
pub struct Outbox {
    waiting: PathBuf,
    refused: PathBuf,
    /// By name, so in the order in which they were kept; those that were not said on this stream.
    unsaid: VecDeque<PathBuf>,
    /// Said on this stream, and not answered.
    said: Vec<(Digest, PathBuf)>,
    /// [`WINDOW`].
    window: usize,
}

impl Outbox {
    /// Opens or makes it in the privileged half's directory.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn open(privileged: &Path) -> Result<Self, OutboxError> {
        let place = privileged.join("restores");
        let (waiting, refused) = (place.join("outbox"), place.join("refused"));
        for path in [&place, &waiting, &refused] {
            create_private_dir(path)?;
        }
        Ok(Self { waiting, refused, unsaid: VecDeque::new(), said: Vec::new(), window: WINDOW })
    }

    /// Keeps one more. When this returns it is on the disk, whole. The same one again is kept once.
    ///
    /// # Errors
    /// When the file system refuses: then nothing may be called released.
    pub fn keep(&self, envelope: &Envelope) -> Result<(), OutboxError> {
        let wrong = |error: &dyn std::fmt::Display| OutboxError::Write(error.to_string());
        let digest = dsse::payload_digest(envelope).map_err(|error| wrong(&error))?.to_string();
        let names = names(&self.waiting)?;
        if names.iter().any(|path| digest_in(path) == Some(digest.as_str())) {
            return Ok(());
        }
        let number = names.last().and_then(|path| number_in(path)).map_or(1, |last| last + 1);
        let path = self.waiting.join(format!("{number:016}-{digest}.json"));
        let bytes = serde_json::to_vec(envelope).map_err(|error| wrong(&error))?;
        // A crash leaves no half of one under its name.
        let fresh = path.with_extension("new");
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(DirError::at("removing", &fresh)(error).into());
            }
            Ok(()) | Err(_) => {}
        }
        write_private(&fresh, &bytes)?;
        fs::rename(&fresh, &path).map_err(DirError::at("keeping", &path))?;
        Ok(sync_parent(&path)?)
    }

    /// A stream was opened: everything that waits has its turn again. Gives the first to say.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn begin(&mut self) -> Result<Vec<Envelope>, OutboxError> {
        let aside = names(&self.refused)?.len();
        if aside > 0 {
            let place = self.refused.display();
            tracing::error!(count = aside, %place, "the coordinator refused what this host said of restores: no proof says it");
        }
        self.said.clear();
        self.unsaid = names(&self.waiting)?.into();
        self.more()
    }

    /// The coordinator answered one: it is durable there, or never will be. Gives the next to say.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn heard(&mut self, statement: Digest, refused: Option<&str>) -> Result<Vec<Envelope>, OutboxError> {
        let Some(at) = self.said.iter().position(|(digest, _)| *digest == statement) else {
            tracing::debug!(%statement, "an answer that nothing asked for: ignored");
            return Ok(Vec::new());
        };
        let (_, path) = self.said.remove(at);
        match refused {
            None => {
                fs::remove_file(&path).map_err(DirError::at("removing", &path))?;
                tracing::info!(%statement, "the coordinator has what came of a restore");
            }
            Some(why) => {
                let kept = self.put_aside(&path)?;
                tracing::error!(%statement, why, kept = %kept.display(), "the coordinator refuses what came of a restore: no proof says it");
            }
        }
        self.more()
    }

    /// As many as may be on their way.
    fn more(&mut self) -> Result<Vec<Envelope>, OutboxError> {
        let mut next = Vec::new();
        while self.said.len() < self.window
            && let Some(path) = self.unsaid.pop_front()
        {
            let bytes = fs::read(&path).map_err(DirError::at("reading", &path))?;
            let Some((envelope, digest)) = parse(&bytes) else {
                let kept = self.put_aside(&path)?;
                tracing::error!(kept = %kept.display(), "what was kept of a restore is damaged: run `gallra-agent restored` there again");
                continue;
            };
            self.said.push((digest, path));
            next.push(envelope);
        }
        Ok(next)
    }

    /// Out of the way of the others, for whoever looks.
    fn put_aside(&self, path: &Path) -> Result<PathBuf, OutboxError> {
        let kept = self.refused.join(path.file_name().unwrap_or_default());
        fs::rename(path, &kept).map_err(DirError::at("putting aside", path))?;
        sync_parent(&kept)?;
        Ok(kept)
    }
}

fn parse(bytes: &[u8]) -> Option<(Envelope, Digest)> {
    let envelope: Envelope = serde_json::from_slice(bytes).ok()?;
    let digest = dsse::payload_digest(&envelope).ok()?;
    Some((envelope, digest))
}

/// The files that are whole, by name.
fn names(place: &Path) -> Result<Vec<PathBuf>, OutboxError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(place).map_err(DirError::at("reading", place))? {
        let path = entry.map_err(DirError::at("reading", place))?.path();
        if path.extension().is_some_and(|ending| ending == "json") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn number_in(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.split_once('-')?.0.parse().ok()
}

fn digest_in(path: &Path) -> Option<&str> {
    Some(path.file_stem()?.to_str()?.split_once('-')?.1)
}

#[cfg(test)]
mod tests {
    use gallra_model::statement::PAYLOAD_TYPE;
    use gallra_proof::key::SigningKey;

    use super::*;

    fn statement(number: usize) -> (Envelope, Digest) {
        let text = format!("statement {number}");
        (dsse::sign(PAYLOAD_TYPE, text.as_bytes(), &SigningKey::from_seed(&[2; 32])), Digest::of(text.as_bytes()))
    }

    fn kept(dir: &Path, place: &str) -> usize {
        fs::read_dir(dir.join("restores").join(place)).expect("lists").count()
    }

    #[test]
    fn what_is_kept_is_said_on_every_stream_until_it_is_answered_and_in_order() {
        let dir = tempfile::tempdir().expect("a directory");
        let outbox = Outbox::open(dir.path()).expect("opens");
        for number in 0..3 {
            outbox.keep(&statement(number).0).expect("keeps");
            outbox.keep(&statement(number).0).expect("keeps once");
        }
        drop(outbox);
        let all: Vec<Envelope> = (0..3).map(|number| statement(number).0).collect();
        let mut outbox = Outbox::open(dir.path()).expect("opens");
        assert_eq!(outbox.begin().expect("reads"), all);
        assert_eq!(outbox.heard(statement(1).1, None).expect("removes"), []);
        assert_eq!(outbox.heard(statement(1).1, None).expect("an answer twice"), []);
        assert_eq!(outbox.begin().expect("reads"), [all[0].clone(), all[2].clone()]);
        outbox.keep(&statement(7).0).expect("keeps");
        let again = Outbox::open(dir.path()).expect("opens").begin().expect("reads");
        assert_eq!(again, [all[0].clone(), all[2].clone(), statement(7).0], "the newest comes last");
    }

    #[test]
    fn no_more_than_a_window_is_on_its_way() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut outbox = Outbox::open(dir.path()).expect("opens");
        assert_eq!(outbox.window, WINDOW);
        outbox.window = 3;
        for number in 0..5 {
            outbox.keep(&statement(number).0).expect("keeps");
        }
        assert_eq!(outbox.begin().expect("reads").len(), 3);
        assert_eq!(outbox.heard(statement(2).1, None).expect("removes"), [statement(3).0]);
        assert_eq!(outbox.heard(statement(0).1, None).expect("removes"), [statement(4).0]);
        assert_eq!(outbox.heard(statement(1).1, None).expect("removes"), []);
    }

    #[test]
    fn what_is_refused_or_damaged_is_put_aside_and_holds_up_no_other() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut outbox = Outbox::open(dir.path()).expect("opens");
        for number in 0..3 {
            outbox.keep(&statement(number).0).expect("keeps");
        }
        let second = names(&outbox.waiting).expect("lists").remove(1);
        fs::write(&second, b"{\"payloadType\":").expect("writes");
        assert_eq!(outbox.begin().expect("reads"), [statement(0).0, statement(2).0]);
        assert_eq!((kept(dir.path(), "outbox"), kept(dir.path(), "refused")), (2, 1));
        assert_eq!(outbox.heard(statement(0).1, Some("no such entry")).expect("puts aside"), []);
        assert_eq!((kept(dir.path(), "outbox"), kept(dir.path(), "refused")), (1, 2));
        assert_eq!(outbox.begin().expect("reads"), [statement(2).0]);
    }

    #[test]
    fn what_a_crash_left_half_written_is_not_said() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut outbox = Outbox::open(dir.path()).expect("opens");
        let (envelope, digest) = statement(0);
        fs::write(outbox.waiting.join(format!("{:016}-{digest}.new", 1)), b"{").expect("writes");
        assert_eq!(outbox.begin().expect("reads"), []);
        outbox.keep(&envelope).expect("keeps");
        assert_eq!(outbox.begin().expect("reads"), [envelope]);
    }
}
