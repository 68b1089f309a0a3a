//! Documents that point somewhere: relative links resolve, paths in backquotes exist, decision records are listed.

use crate::tree::Tree;

/// Beginnings of a path of this repository, when it stands in backquotes.
const FOLDERS: [&str; 5] = ["crates/", "proto/", "docs/", "policies/", "tests/"];

/// Records tell of what was; the paths in them may be gone.
const HISTORY: &str = "docs/decisions/";

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for (path, text) in tree.files().filter(|(path, _)| path.ends_with(".md")) {
        let outside = prose(text);
        let broken = links(&outside).filter(|link| !resolves(tree, path, link));
        problems.extend(broken.map(|link| format!("{path}: the link to {link} leads nowhere")));
        if !path.starts_with(HISTORY) {
            let gone = outside.split('`').skip(1).step_by(2).filter(|code| is_path(code) && !tree.exists(code));
            problems.extend(gone.map(|code| format!("{path}: `{code}` does not exist")));
        }
    }
    problems.extend(unlisted(tree));
    problems
}

/// The text without fenced blocks, which hold examples.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let mut kept = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://") && !target.starts_with('#') && !target.starts_with("mailto:"))
}

/// Whether a link, as it stands in the file at `from`, leads to a file or folder.
fn resolves(tree: &Tree, from: &str, link: &str) -> bool {
    let target = link.split('#').next().unwrap_or_default();
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    return false;
                }
            }
            name => parts.push(name),
        }
    }
    tree.exists(&parts.join("/"))
}

fn is_path(code: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    FOLDERS.iter().any(|folder| code.starts_with(folder)) && code.chars().all(plain)
}

fn unlisted(tree: &Tree) -> Vec<String> {
    let index = tree.text("docs/decisions/README.md").unwrap_or_default();
    let records = tree.files().filter_map(|(path, _)| path.strip_prefix(HISTORY));
    let numbered = records.filter(|name| name.starts_with(|c: char| c.is_ascii_digit()));
    let missing = numbered.filter(|name| !index.contains(&format!("({name})")));
    missing.map(|name| format!("{HISTORY}{name}: has no row in docs/decisions/README.md")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;

    fn problems(text: &str) -> Vec<String> {
        check(&tree(&[("docs/a.md", text), ("docs/targets/b.md", ""), ("README.md", "[a](docs/a.md)")]))
    }

    #[test]
    fn links_lead_somewhere() {
        for good in
            ["[b](targets/b.md)", "[b](targets/b.md#x)", "[r](../README.md)", "[t](targets/)", "[x](https://a.b)"]
        {
            assert!(problems(good).is_empty(), "{good}");
        }
        for bad in ["[b](b.md)", "[r](../../README.md)", "[d](../docs/c.md)"] {
            assert_eq!(problems(bad).len(), 1, "{bad}");
        }
        assert!(problems("```\n[b](b.md)\n```\n").is_empty());
    }

    #[test]
    fn paths_in_prose_exist() {
        assert!(problems("see `docs/targets/b.md` and `docs/targets/`").is_empty());
        assert_eq!(problems("see `docs/targets/c.md`").len(), 1);
        assert!(problems("see `docs/targets/<kind>.md`").is_empty());
    }

    #[test]
    fn decision_records_are_listed() {
        let record = ("docs/decisions/0009-x.md", "");
        assert_eq!(check(&tree(&[record])).len(), 1);
        assert!(check(&tree(&[record, ("docs/decisions/README.md", "[9](0009-x.md)")])).is_empty());
    }
}
