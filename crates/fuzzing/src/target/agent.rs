//! What an agent reads: `agent.toml`, its journal, what lies in its vault.

use std::path::Path;

use gallra_agent::vault::Sealed;
use gallra_agent::{config, journal};
use gallra_flow::agent::record::{Record, Replayed};
use gallra_model::Digest;

use super::text;
use crate::Seen;
use crate::spelling::same_json;

/// A journal's bytes: what is good of it is read again as the same, and what follows from it survives shortening.
pub fn journal(bytes: &[u8]) -> Seen {
    match journal::parse(bytes) {
        Ok((records, good)) => {
            let whole = bytes.get(..good).unwrap_or_else(|| panic!("{good} of {} bytes", bytes.len()));
            assert!(good == 0 || whole.ends_with(b"\n"));
            // What was cut off is one line at most: an act under a lost record was never begun.
            let torn = bytes.get(good..).unwrap_or_default();
            assert!(torn.iter().filter(|byte| **byte == b'\n').count() <= 1, "several lines are cut off");
            assert_eq!(journal::parse(whole), Ok((records.clone(), good)));
            let read = !records.is_empty();
            shortens(records);
            Seen::of(read)
        }
        Err(line) => {
            assert!(line <= 1 + bytes.iter().filter(|byte| **byte == b'\n').count(), "no line {line}");
            Seen::Refused
        }
    }
}

/// Records, a line each, without the checksum that no fuzzer guesses.
pub fn records(bytes: &[u8]) -> Seen {
    let Some(text) = text(bytes) else { return Seen::Refused };
    let lines = text.lines().filter(|line| same_json::<Record>(line.as_bytes()).is_some());
    let summed = lines.map(|line| format!("{:.16} {line}\n", Digest::of(line.as_bytes()).to_string()));
    journal(summed.collect::<String>().as_bytes())
}

/// A shorter journal that comes to the same: nothing begun loses its receipt, no generation is forgotten (I3, I4).
fn shortens(records: Vec<Record>) {
    let state = Replayed::of(records);
    assert_eq!(Replayed::of(state.clone().into_records()), state, "shortening forgets");
}

/// What is behind an obligation's handle, opened.
pub fn vault_value(bytes: &[u8]) -> Seen {
    Seen::of(same_json::<Sealed>(bytes).is_some())
}

/// `agent.toml`. Whatever it says, every target that is taken lies beneath a root of the file's.
pub fn config(bytes: &[u8]) -> Seen {
    let Some(text) = text(bytes) else { return Seen::Refused };
    let Ok(config) = config::parse(text, Path::new("agent.toml")) else { return Seen::Refused };
    let within = |path: &Path| config.limits.roots.iter().any(|root| path.starts_with(root));
    for target in &config.targets {
        let trees = [
            target.files.as_ref().map(|tree| tree.root.as_path()),
            target.maildir.as_ref().map(|tree| tree.root.as_path()),
        ]
        .into_iter()
        .flatten();
        let databases = target.sql.iter().map(|sql| sql.database.as_path());
        for path in trees.chain(databases).filter(|path| path.is_absolute()) {
            assert!(within(path), "{} is in no root", path.display());
            let climbs = path.components().any(|part| part == std::path::Component::ParentDir);
            assert!(!climbs, "{} leads up", path.display());
        }
        if let Ok(driver) = gallra_targets::open(target) {
            let _ = driver.copy_life();
        }
    }
    Seen::Read
}
