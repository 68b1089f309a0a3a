//! What a running witness knows: its key, the logs' keys, and of each log the newest head, behind a lock of its own.
//!
//! Owns that deciding and storing are one step for each log, and that storing comes before signing. Refuses to go on with a
//! log of which it is not sure what is stored.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use gallra_log::checkpoint::Origin;
use gallra_log::cosign::cosign;
use gallra_log::note::{Key, Signature, Signer};
use gallra_log::witness::{AddCheckpoint, Answer, Refusal, decide};
use gallra_model::Instant;
use gallra_tlog::NotCosigned;

use super::config::Config;
use super::head::{self, Newest, NotStored};
use super::{conflict, dir};

/// A witness whose directory is held.
pub(super) struct Known {
    dir: PathBuf,
    signer: Signer,
    logs: BTreeMap<Origin, Log>,
    /// Kept until the end of the process: nobody else writes here.
    _held: File,
}

struct Log {
    keys: Vec<Key>,
    /// Nothing once it is not sure what is on the disk; until a restart.
    newest: Mutex<Option<Newest>>,
}

impl Known {
    /// Opens a directory that `witness init` made, and reads every head.
    ///
    /// # Errors
    /// Where a part is missing or damaged, or another process holds it.
    pub(super) fn open(dir: &Path) -> anyhow::Result<(Self, Config)> {
        let held = dir::hold(dir)?;
        let config = dir::config(dir)?;
        let signer = dir::signer(dir, &config)?;
        let mut logs = BTreeMap::new();
        for log in config.read_logs()? {
            let newest = head::read(&dir::heads(dir), &log.origin, &log.keys)?;
            tracing::info!(origin = %log.origin, size = newest.head().size, "log known");
            logs.insert(log.origin, Log { keys: log.keys, newest: Mutex::new(Some(newest)) });
        }
        Ok((Self { dir: dir.to_owned(), signer, logs, _held: held }, config))
    }

    /// The public half of its key.
    pub(super) fn public(&self) -> &Key {
        self.signer.public()
    }

    /// Decides, stores and cosigns. Waits for the disk, and for another request about the same log.
    ///
    /// # Errors
    /// [`NotCosigned`]: nothing was signed.
    pub(super) fn consider(&self, request: &AddCheckpoint, now: Instant) -> Result<Signature, NotCosigned> {
        let origin = request.unverified_origin();
        let Some(log) = self.logs.get(origin) else { return Err(Refusal::UnknownLog.into()) };
        // A poisoned lock says that somebody stopped in the middle: as little is known then.
        let mut newest = log.newest.lock().map_err(|_| unsure(origin))?;
        let known = newest.as_ref().ok_or_else(|| unsure(origin))?;
        let (checkpoint, head) = match decide(request, &log.keys, &known.head()) {
            Answer::Cosign { checkpoint, head } => (checkpoint, head),
            Answer::Refuse(why) => {
                if let (true, Some(cosigned)) = (why.is_evidence(), known.note()) {
                    conflict::keep(&self.dir, origin, cosigned, request.note());
                }
                return Err(why.into());
            }
        };
        let seconds = u64::try_from(now.as_second())
            .map_err(|_| NotCosigned::Failed("the clock is before 1970: set it".to_owned()))?;
        // The empty tree is cosigned without a note to store: every witness knows it from the beginning.
        if known.head() != head || known.note().is_none() {
            self.store(origin, &mut newest, Newest::of(request.note().clone(), head))?;
        }
        gallra_crash::point("before_cosigning");
        cosign(&checkpoint, seconds, &self.signer).map_err(|error| NotCosigned::Failed(error.to_string()))
    }

    fn store(&self, origin: &Origin, known: &mut Option<Newest>, newest: Newest) -> Result<(), NotCosigned> {
        match head::store(&dir::heads(&self.dir), origin, &newest) {
            Ok(()) => {
                *known = Some(newest);
                Ok(())
            }
            Err(error) => {
                if matches!(error, NotStored::Unsure(_)) {
                    *known = None;
                }
                Err(NotCosigned::Failed(format!("{origin}: {error}")))
            }
        }
    }
}

fn unsure(origin: &Origin) -> NotCosigned {
    NotCosigned::Failed(format!(
        "{origin}: it is not sure which head is on the disk: restart the witness, which reads it again"
    ))
}

#[cfg(test)]
mod tests;
