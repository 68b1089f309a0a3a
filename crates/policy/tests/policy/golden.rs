//! Each script in `tests/scenario` against the answers written below its dashes. `UPDATE_GOLDEN=1` writes them anew: read
//! the difference before keeping it.

use std::path::{Path, PathBuf};

use crate::script::{outcome, shipped};

const DASHES: &str = "---\n";

/// Every script: its file, what it asks, what is answered.
pub(crate) fn scripts() -> Vec<(PathBuf, String, String)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenario");
    let mut paths: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "txt"));
    paths.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let (script, golden) = text.split_once(DASHES).unwrap_or((text.as_str(), ""));
        (path, script.to_owned(), golden.to_owned())
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn every_scenario_gives_its_answers() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    for (path, script, golden) in scripts() {
        let got = outcome(&script, &shipped);
        if update {
            std::fs::write(&path, format!("{script}{DASHES}{got}")).unwrap();
        } else {
            assert_eq!(got, golden, "{}", path.display());
        }
    }
}
