//! What no file may contain: paths of the machine that it was written on.

use crate::tree::Tree;

/// Put together so that this file does not contain them.
const MACHINE_PATHS: [&str; 2] = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let lines =
        tree.files().flat_map(|(path, text)| text.lines().enumerate().map(move |(n, line)| (path, n + 1, line)));
    lines
        .flat_map(|(path, number, line)| {
            let words = MACHINE_PATHS.iter().filter(|word| names_path(line, word));
            words.map(move |word| format!("{path}:{number}: `{word}` is a path of one machine; make it relative"))
        })
        .collect()
}

/// Whether `line` names an absolute path: `work/` in `network/` or behind a host name is none.
fn names_path(line: &str, word: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | '>' | '*');
    line.match_indices(word).any(|(at, _)| !line.get(..at).unwrap_or_default().ends_with(inside))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;

    #[test]
    fn paths_of_one_machine_are_found() {
        let [work, root] = MACHINE_PATHS;
        for bad in [format!("cd {work}main"), format!("`{root}.cargo`"), format!("{work}x")] {
            assert_eq!(check(&tree(&[("README.md", &bad)])).len(), 1, "{bad}");
        }
        for good in ["net".to_owned() + "work/x", format!("dir{work}x"), format!("$dir}}{work}x")] {
            assert!(check(&tree(&[("README.md", &good)])).is_empty(), "{good}");
        }
    }
}
