//! The repository's text files, in memory: checks work on this and never on the disk, so that each check can be tried on
//! a tree of three lines.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Folders that hold nothing written by hand.
const SKIPPED: [&str; 3] = ["target", ".git", "proptest-regressions"];

/// Files larger than this are data.
const FILE_BYTES: u64 = 1 << 20;

/// Every text file by its path from the root, with `/` between names.
pub(crate) struct Tree {
    files: BTreeMap<String, String>,
    test_modules: BTreeSet<String>,
}

impl Tree {
    /// The repository that this was built from.
    pub(crate) fn of_repository() -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut files = BTreeMap::new();
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(root.join(&folder)).with_context(|| folder.display().to_string())? {
                let entry = entry?;
                let path = folder.join(entry.file_name());
                let name = entry.file_name().to_string_lossy().into_owned();
                if entry.file_type()?.is_dir() && !SKIPPED.contains(&name.as_str()) {
                    folders.push(path);
                } else if entry.file_type()?.is_file() && entry.metadata()?.len() <= FILE_BYTES {
                    // What is not UTF-8 is not text, and no check has anything to say about it.
                    if let Ok(text) = String::from_utf8(std::fs::read(root.join(&path))?) {
                        files.insert(path.to_string_lossy().into_owned(), text);
                    }
                }
            }
        }
        Ok(Self::new(files))
    }

    /// A tree of these files.
    pub(crate) fn new(files: BTreeMap<String, String>) -> Self {
        let test_modules = files.iter().flat_map(|(path, text)| test_modules(path, text)).collect();
        Self { files, test_modules }
    }

    /// All files: path and text, ordered by path.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// One file's text.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether a file, or a folder with files, is there.
    pub(crate) fn exists(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        path.is_empty() || self.files.contains_key(path) || self.files.keys().any(|file| file.starts_with(&folder))
    }

    /// Rust files of the crates and of the outer tests.
    pub(crate) fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(|(path, _)| path.ends_with(".rs") && !path.ends_with("/build.rs"))
    }

    /// Whether a Rust file holds tests only.
    pub(crate) fn is_test_file(&self, path: &str) -> bool {
        let folder = |module: &String| path.strip_prefix(module.as_str());
        path.starts_with("tests/")
            || path.contains("/tests/")
            || path.ends_with("/tests.rs")
            || self.test_modules.iter().filter_map(folder).any(|rest| rest == ".rs" || rest.starts_with('/'))
    }

    /// The part of a Rust file that is built into the product: everything before its test module.
    pub(crate) fn product<'a>(&self, path: &str, text: &'a str) -> &'a str {
        if self.is_test_file(path) {
            return "";
        }
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let rest = text.get(at + line.len()..).unwrap_or_default();
            if line.starts_with("#[cfg(test)]") && next_item(rest).is_some_and(|item| item.ends_with('{')) {
                return text.get(..at).unwrap_or_default();
            }
            at += line.len();
        }
        text
    }
}

/// The first line that is no attribute.
fn next_item(text: &str) -> Option<&str> {
    text.lines().map(str::trim).find(|line| !line.starts_with("#["))
}

/// Paths, without ending, of the modules that a file declares for tests only.
fn test_modules(path: &str, text: &str) -> Vec<String> {
    let Some(stem) = path.strip_suffix(".rs") else { return Vec::new() };
    let (parent, name) = stem.rsplit_once('/').unwrap_or(("", stem));
    let folder = if matches!(name, "lib" | "main" | "mod") { parent } else { stem };
    let mut modules = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("#[cfg(test)]\n") {
        let item = next_item(after).unwrap_or_default();
        let declared = item.strip_suffix(';').and_then(|item| item.rsplit_once("mod "));
        modules.extend(declared.map(|(_, module)| format!("{folder}/{module}")));
        rest = after;
    }
    modules
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A tree for trying a check.
    pub(crate) fn tree(files: &[(&str, &str)]) -> Tree {
        Tree::new(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
    }

    #[test]
    fn tests_are_told_from_the_product() {
        let text = "//! Head.\nfn product() {}\n#[cfg(test)]\nmod tests {\n}\n";
        let tree = tree(&[
            ("crates/a/src/lib.rs", "#[cfg(test)]\nmod rig;\nmod kept;\n"),
            ("crates/a/src/rig.rs", text),
            ("crates/a/src/rig/deep.rs", text),
            ("crates/a/src/kept.rs", text),
            ("crates/a/src/kept/tests.rs", text),
        ]);
        assert_eq!(tree.product("crates/a/src/kept.rs", text), "//! Head.\nfn product() {}\n");
        for test in ["crates/a/src/rig.rs", "crates/a/src/rig/deep.rs", "crates/a/src/kept/tests.rs", "tests/src/x.rs"]
        {
            assert!(tree.is_test_file(test), "{test}");
        }
        assert!(!tree.is_test_file("crates/a/src/kept.rs"));
    }

    #[test]
    fn the_repository_is_found() {
        let tree = Tree::of_repository().expect("read");
        assert!(tree.exists("crates/xtask/src/tree.rs") && tree.exists("crates/xtask") && !tree.exists("crates/x"));
        assert!(tree.files().all(|(path, _)| !path.starts_with("target/")));
    }
}
