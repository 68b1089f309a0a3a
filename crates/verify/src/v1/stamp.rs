//! Step 5: time stamps of other organisations on checkpoints (RFC 3161).

use super::log::Log;
use crate::format::v1::file::ProofFile;
use crate::format::v1::keys::Manifest;
use crate::timestamp;
use crate::verdict::{Failure, Kind, Report};

/// A time stamp that holds.
pub(crate) struct Stamped {
    /// Size of the checkpoint that it is on.
    pub(crate) size: u64,
    /// When, in the authority's words.
    pub(crate) time: String,
}

pub(crate) fn check(
    file: &ProofFile,
    log: &Log,
    manifest: &Manifest,
    report: &mut Report,
) -> Result<Vec<Stamped>, Failure> {
    if file.timestamps.windows(2).any(|pair| matches!(pair, [one, next] if one.checkpoint > next.checkpoint)) {
        return Err(Failure::malformed("the time stamps are not in the order of their checkpoints"));
    }
    let roots: Vec<&[u8]> = manifest.authorities.iter().map(|authority| authority.certificate.as_slice()).collect();
    let mut stamps = Vec::new();
    let mut until = String::new();
    for stamp in &file.timestamps {
        let number = usize::try_from(stamp.checkpoint.get()).ok();
        let checkpoint = number.and_then(|number| log.checkpoints.get(number));
        let failed = |why: &str| Failure::new(Kind::TimeStamp, &format!("a time stamp {why}"));
        let checkpoint = checkpoint.ok_or_else(|| failed("is on a checkpoint that is not in the file"))?;
        let read = timestamp::check(stamp.token.as_slice(), checkpoint.text.as_bytes(), &roots);
        let read = read.map_err(|why| Failure::new(Kind::TimeStamp, &why.to_string()))?;
        until = read.until();
        stamps.push(Stamped { size: checkpoint.size, time: read.at() });
    }
    match stamps.last() {
        None => report.note("5 time stamps: none: instants are the signers' own".to_owned()),
        Some(last) => {
            report.ok(format!("5 time stamps: {}, the last of {}", stamps.len(), last.time));
            report.note(format!(
                "time stamps: a certificate behind the last one ends at {until}: whoever had it before then need not ask again"
            ));
        }
    }
    Ok(stamps)
}
