//! Steps 3 and 9: the log's checkpoints, whether they are one history, and who else saw it.

use super::chain;
use super::note::{Checkpoint, NoteKey};
use super::register::Register;
use super::tree;
use crate::format::v1::file::{Consistency, Hash, ProofFile};
use crate::format::v1::keys::Manifest;
use crate::verdict::{Failure, Kind, Report};
use crate::word::Hex64;

/// What the log said, once it is one history.
pub(crate) struct Log {
    /// By size, each once, at least one.
    pub(crate) checkpoints: Vec<Checkpoint>,
    /// Size of the last, which holds everything.
    pub(crate) size: u64,
    witnesses: Vec<NoteKey>,
}

/// Which witnesses of the manifest, by number, cosigned each checkpoint, and when.
pub(crate) struct Cosigned(pub(crate) Vec<Vec<(usize, u64)>>);

fn fork(why: &str) -> Failure {
    Failure::new(Kind::Fork, why)
}

pub(crate) fn read(
    file: &ProofFile,
    manifest: &Manifest,
    register: &Register,
    report: &mut Report,
) -> Result<Log, Failure> {
    let unusable = || Failure::new(Kind::NoTrustedKey, "the manifest's log has no key that can sign under its origin");
    let known = register.ring().get(&manifest.log.key).ok_or_else(unusable)?;
    let key = NoteKey::of_log(manifest.log.origin.as_str(), known.key.clone()).ok_or_else(unusable)?;
    let witnesses = chain::witnesses(manifest, register.ring())?;
    let notes = file.checkpoints.iter().map(|note| Checkpoint::open(note, &key, &witnesses));
    let checkpoints: Vec<Checkpoint> = notes.collect::<Result<_, _>>()?;
    let Some(last) = checkpoints.last() else { return Err(Failure::malformed("the file has no checkpoint")) };
    if register.compromised(&manifest.log.key).is_some_and(|since| last.size > since) {
        let why = "a checkpoint is of a time when somebody else had the log's key";
        return Err(Failure::new(Kind::NoTrustedKey, why));
    }
    rising(&checkpoints)?;
    consistent(&file.consistency, &checkpoints)?;
    let (count, size) = (checkpoints.len(), last.size);
    report.ok(format!("3 log: {count} checkpoints of one history, the last of {size} entries"));
    Ok(Log { checkpoints, size, witnesses })
}

fn rising(checkpoints: &[Checkpoint]) -> Result<(), Failure> {
    for pair in checkpoints.windows(2) {
        let [one, next] = pair else { continue };
        if one.size == next.size && one.root != next.root {
            return Err(fork("the log signed two roots for one size"));
        }
        if one.size >= next.size {
            return Err(Failure::malformed("the checkpoints are not by size, each once"));
        }
    }
    Ok(())
}

/// Each line holds, and there is one from each checkpoint to the next.
fn consistent(lines: &[Consistency], checkpoints: &[Checkpoint]) -> Result<(), Failure> {
    if lines.windows(2).any(|pair| matches!(pair, [one, next] if one.from >= next.from)) {
        return Err(Failure::malformed("the consistency paths are not by size, each once"));
    }
    for line in lines {
        let (from, root) = (line.from.get(), hash(&line.root));
        let at = checkpoints.partition_point(|checkpoint| checkpoint.size <= from);
        // It leads to the first checkpoint that is larger.
        let Some(to) = checkpoints.get(at).filter(|to| to.size == line.to.get()) else {
            return Err(Failure::malformed("a consistency path does not lead to the next checkpoint"));
        };
        let own = at.checked_sub(1).and_then(|own| checkpoints.get(own)).filter(|own| own.size == from);
        if own.is_some_and(|own| own.root != root) {
            return Err(fork("the log signed two roots for one size"));
        }
        if !tree::follows((from, &root), (to.size, &to.root), line.path.as_slice()) {
            return Err(fork("a checkpoint does not follow from an earlier one: the log has shown two histories"));
        }
    }
    let leads = |from: u64| lines.binary_search_by_key(&from, |line| line.from.get()).is_ok();
    let mut earlier = checkpoints.iter().rev().skip(1);
    if earlier.all(|checkpoint| leads(checkpoint.size)) {
        Ok(())
    } else {
        Err(fork("nothing shows that a checkpoint follows from the one before it"))
    }
}

pub(crate) fn hash(digest: &Hex64) -> Hash {
    let mut hash = [0; 32];
    // A digest has 64 hex characters.
    let _ = hex::decode_to_slice(digest.as_str(), &mut hash);
    hash
}

impl Log {
    /// Step 9: cosignatures check, and as many witnesses as the caller asks for signed the last checkpoint.
    pub(crate) fn witnesses(
        &self,
        manifest: &Manifest,
        asked: usize,
        report: &mut Report,
    ) -> Result<Cosigned, Failure> {
        let all: Vec<Vec<(usize, u64)>> =
            self.checkpoints.iter().map(|checkpoint| checkpoint.cosigned(&self.witnesses)).collect::<Result<_, _>>()?;
        let last = all.last().map(Vec::as_slice).unwrap_or_default();
        if last.len() < asked {
            let why = format!("{} witnesses cosigned the last checkpoint, and {asked} were asked for", last.len());
            return Err(Failure::new(Kind::Witness, &why));
        }
        let outside = |(number, _): &&(usize, u64)| manifest.witnesses.get(*number).is_some_and(|w| w.outside);
        let others = last.iter().filter(outside).count();
        let text = format!("9 witnesses: {} cosigned the last checkpoint, {others} of other organisations", last.len());
        if last.is_empty() {
            report.note(text)
        } else {
            report.ok(text)
        }
        Ok(Cosigned(all))
    }
}
