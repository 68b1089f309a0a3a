//! Headers and lengths of Rust files. Lengths are a ratchet: what is over the aim is listed with its reason in
//! `crates/xtask/long-files.txt`, no entry may grow, and one that is no longer needed must go.

use std::collections::BTreeMap;

use crate::metrics::functions;
use crate::tree::Tree;

/// A file that takes longer than this to read in one sitting needs a line in the ratchet file.
pub(crate) const AIM_LINES: usize = 500;

/// No file is longer, listed or not.
const MOST_LINES: usize = 1_000;

/// No function is longer: it no longer fits two screens.
const MOST_FUNCTION_LINES: usize = 100;

const RATCHET: &str = "crates/xtask/long-files.txt";

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    let listed = ratchet(tree.text(RATCHET).unwrap_or_default(), &mut problems);
    for (path, text) in tree.rust() {
        problems.extend(header(path, text));
        problems.extend(length(path, text.lines().count(), listed.get(path).copied()));
        let long = functions(text).into_iter().filter(|function| function.lines > MOST_FUNCTION_LINES);
        problems.extend(long.map(|function| {
            let (at, name, lines) = (function.at, function.name, function.lines);
            format!("{path}:{at}: {name} has {lines} lines, at most {MOST_FUNCTION_LINES}; split it by subject")
        }));
    }
    let gone = listed.keys().filter(|path| tree.text(path).is_none());
    problems.extend(gone.map(|path| format!("{RATCHET}: {path} is no longer there; remove its line")));
    problems
}

fn header(path: &str, text: &str) -> Option<String> {
    let first = text.lines().next().unwrap_or_default();
    if !first.starts_with("//! ") {
        return Some(format!("{path}:1: begins without `//!`: say what it owns and what it refuses to know"));
    }
    first.contains("(skeleton)").then(|| format!("{path}:1: is a skeleton: fill it, or remove it"))
}

fn length(path: &str, lines: usize, listed: Option<usize>) -> Option<String> {
    let most = listed.unwrap_or(AIM_LINES).min(MOST_LINES);
    if lines > most {
        return Some(format!("{path}: {lines} lines, at most {most}; split it by subject"));
    }
    let needless = listed.is_some() && lines <= AIM_LINES;
    needless.then(|| format!("{RATCHET}: {path} has {lines} lines now; remove its line"))
}

/// `path lines why`, a line each; `#` begins a comment.
fn ratchet(text: &str, problems: &mut Vec<String>) -> BTreeMap<String, usize> {
    let mut listed = BTreeMap::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        match (words.next(), words.next().and_then(|lines| lines.parse().ok()), words.next()) {
            (Some(path), Some(lines), Some(_why)) => {
                listed.insert(path.to_owned(), lines);
            }
            _ => problems.push(format!("{RATCHET}:{}: expected: path lines why", number + 1)),
        }
    }
    listed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;

    const PATH: &str = "crates/a/src/lib.rs";

    fn problems(lines: usize, ratchet: &str) -> usize {
        check(&tree(&[(PATH, &format!("//! Head.\n{}", "\n".repeat(lines - 1))), (RATCHET, ratchet)])).len()
    }

    #[test]
    fn long_files_are_listed_and_the_list_only_shrinks() {
        let entry = format!("# why\n{PATH} 600 one table\n");
        assert_eq!(problems(500, ""), 0);
        assert_eq!(problems(501, ""), 1);
        assert_eq!(problems(600, &entry), 0);
        assert_eq!(problems(601, &entry), 1, "an entry does not grow");
        assert_eq!(problems(500, &entry), 1, "an entry goes when it is not needed");
        assert_eq!(problems(1_001, &format!("{PATH} 2000 huge")), 1, "the hard stop holds for listed files too");
        assert_eq!(problems(600, &format!("{PATH} 600")), 2, "an entry without a reason is none");
        assert_eq!(problems(10, "crates/b/src/lib.rs 600 gone"), 1);
    }

    #[test]
    fn every_file_says_what_it_owns() {
        for text in ["", "use std::fmt;\n", "//\n", concat!("//! (skel", "eton)\n")] {
            assert_eq!(check(&tree(&[(PATH, text)])).len(), 1, "{text}");
        }
    }

    #[test]
    fn functions_end() {
        let long = format!("//! Head.\nfn f() {{\n{}}}\n", "    g();\n".repeat(99));
        assert_eq!(check(&tree(&[(PATH, &long)])).len(), 1);
        assert_eq!(check(&tree(&[(PATH, &long.replacen("    g();\n", "", 1))])).len(), 0);
    }
}
