//! What proves that a log has shown two histories: two notes, both signed by it, of the same size and with another root. Kept
//! as a file for people, beside the heads.
//!
//! Owns the file's text and how many there are: whoever signs for the log could fill the disk with such notes.

use std::fs;
use std::path::Path;

use gallra_log::checkpoint::Origin;
use gallra_log::note::Note;
use gallra_model::Digest;

use crate::layout::write_new;

/// Most files for one log: one is the proof.
const MOST_FOR_A_LOG: usize = 16;

/// Keeps both notes, once. Whatever comes of it is logged at error level; the request is refused in any case.
pub(super) fn keep(dir: &Path, origin: &Origin, cosigned: &Note, refused: &Note) {
    let of_log = format!("conflict-{:.16}-", Digest::of(origin.as_str().as_bytes()).to_string());
    let name = format!("{of_log}{:.16}.txt", Digest::of(refused.unverified_text().as_bytes()).to_string());
    let path = dir.join(&name);
    let others = fs::read_dir(dir).map_or(0, |entries| {
        entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(&of_log)).count()
    });
    if path.exists() {
        tracing::error!(%origin, file = name, "the log has shown the same second history again");
        return;
    }
    if others >= MOST_FOR_A_LOG {
        tracing::error!(%origin, kept = others, "the log has shown one more history: it is not kept");
        return;
    }
    let text = format!(
        "gallra-witness-conflict/v1\norigin {origin}\n\n\
         The log has signed two trees of one size. The first was cosigned, the second refused.\n\
         \n--- cosigned\n{cosigned}--- refused\n{refused}"
    );
    match write_new(&path, 0o600, text.as_bytes()) {
        Ok(()) => tracing::error!(
            %origin,
            file = name,
            "the log has signed two trees of one size: both notes are kept; tell who relies on this log"
        ),
        Err(error) => {
            tracing::error!(%origin, "the log has signed two trees of one size, and they could not be kept: {error:#}");
        }
    }
}
