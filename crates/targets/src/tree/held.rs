//! Which of the subject's files a process still holds open: their content lives on for it until it ends, whatever became
//! of their names. Owns the look at `/proc`; changes nothing and ends no process. Says only what it saw: a process that
//! this one cannot see, and a file that is mapped but no longer open, are not counted.

use std::fs;
use std::path::{Path, PathBuf};

/// Counts descriptors of plain files that lie, or lay when they were deleted, below one of the places, or in a place in
/// the trash that begins so. A process that ends meanwhile is passed over.
pub(super) fn held_open(place: &Path, trash: &Path, begins: &str) -> u64 {
    let Ok(processes) = fs::read_dir("/proc") else { return 0 };
    let numbers =
        processes.flatten().filter(|process| process.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit));
    let descriptors = numbers.filter_map(|process| fs::read_dir(process.path().join("fd")).ok()).flatten().flatten();
    let held = descriptors.filter(|descriptor| {
        fs::read_link(descriptor.path()).is_ok_and(|path| is_theirs(&path, place, trash, begins))
            && fs::metadata(descriptor.path()).is_ok_and(|is| is.is_file())
    });
    held.count() as u64
}

/// Whether the system's name of an open file is the subject's. A deleted one keeps its path, with a word after it.
fn is_theirs(path: &Path, place: &Path, trash: &Path, begins: &str) -> bool {
    let in_trash =
        |rest: &Path| rest.iter().next().is_some_and(|entry| entry.as_encoded_bytes().starts_with(begins.as_bytes()));
    path.starts_with(place) || path.strip_prefix(trash).is_ok_and(in_trash)
}

/// A path as the system writes it, through whatever links lead to it.
pub(super) fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_subjects_place_and_its_own_trash_entries_count() {
        let theirs = |path: &str| is_theirs(Path::new(path), Path::new("/r/anna"), Path::new("/r/.t"), "ab-");
        for yes in ["/r/anna/x", "/r/anna/x (deleted)", "/r/.t/ab-1/tree/x (deleted)", "/r/.t/ab-1"] {
            assert!(theirs(yes), "{yes}");
        }
        for no in ["/r/anna.example/x", "/r/annaa", "/r/.t/abc/x", "/r/.t/xab-1", "/r/.t", "/x/r/anna/x", "socket:[1]"]
        {
            assert!(!theirs(no), "{no}");
        }
    }
}
