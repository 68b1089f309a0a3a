//! How long files and functions are. Functions are found by their indentation, which rustfmt keeps: a function ends at the
//! first line that closes a brace in the column where the function began.

use crate::tidy::AIM_LINES;
use crate::tree::Tree;

/// A function that is longer does not fit a screen.
const SCREEN_LINES: usize = 70;

/// One function of a file.
pub(crate) struct Function<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// Line on which it begins, from 1.
    pub(crate) at: usize,
    /// Lines from signature to closing brace, both included.
    pub(crate) lines: usize,
}

/// The table that `xtask metrics` prints.
pub(crate) fn report(tree: &Tree) -> String {
    let product: Vec<(&str, &str)> =
        tree.rust().map(|(path, text)| (path, tree.product(path, text))).filter(|(_, text)| !text.is_empty()).collect();
    let all: usize = tree.rust().map(|(_, text)| text.lines().count()).sum();
    let files: Vec<usize> = product.iter().map(|(_, text)| text.lines().count()).collect();
    let lengths: Vec<usize> =
        product.iter().flat_map(|(_, text)| functions(text)).map(|function| function.lines).collect();
    let lines: usize = files.iter().sum();
    format!(
        "product code, without tests: {lines} lines; tests: {} lines\n{}\n{}",
        all - lines,
        row("files", files, AIM_LINES),
        row("functions", lengths, SCREEN_LINES),
    )
}

fn row(what: &str, mut lengths: Vec<usize>, limit: usize) -> String {
    lengths.sort_unstable();
    let over = lengths.iter().filter(|lines| **lines > limit).count();
    let (half, most) = (percentile(&lengths, 50), percentile(&lengths, 100));
    let share = over * 1_000 / lengths.len().max(1);
    format!(
        "{:>6} {what:<10} lines p50 {half}, p95 {}, max {most}; {over} over {limit} ({}.{} %)",
        lengths.len(),
        percentile(&lengths, 95),
        share / 10,
        share % 10,
    )
}

/// The smallest length that `percent` of all (sorted) lengths do not exceed.
fn percentile(sorted: &[usize], percent: usize) -> usize {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0)
}

/// The functions of a Rust file with a body, nested ones counted in the outer as well.
pub(crate) fn functions(text: &str) -> Vec<Function<'_>> {
    let lines: Vec<&str> = text.lines().collect();
    let begin = |(at, line): (usize, &&'_ str)| -> Option<usize> { function_name(line).map(|_| at) };
    lines.iter().enumerate().filter_map(begin).filter_map(|at| function_at(&lines, at)).collect()
}

fn function_at<'a>(lines: &[&'a str], at: usize) -> Option<Function<'a>> {
    let first = lines.get(at)?;
    let indent = first.len() - first.trim_start().len();
    let closing = format!("{}}}", " ".repeat(indent));
    // On one line, or declared without a body.
    let ends_here = |line: &&str| **line == closing || line.ends_with(';') && indent_of(line) == indent;
    let lines = if first.ends_with('}') { 1 } else { lines.get(at..)?.iter().position(ends_here)? + 1 };
    Some(Function { name: function_name(first)?, at: at + 1, lines })
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let qualifiers = ["pub", "async", "const", "unsafe", "extern", "default"];
    let is_qualifier = |word: &str| qualifiers.iter().any(|known| word.starts_with(known)) || word.ends_with(')');
    if !before.split_whitespace().all(is_qualifier) {
        return None;
    }
    let name = after.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_measured_to_their_closing_brace() {
        let text = "fn one() {}\n\nimpl A {\n    pub(crate) async fn two(\n        x: u8,\n    ) -> u8 {\n        if x {\n        }\n        x\n    }\n}\n// a fn in prose\ntrait B {\n    fn three(&self);\n}\n";
        let found: Vec<_> = functions(text).into_iter().map(|f| (f.name, f.at, f.lines)).collect();
        assert_eq!(found, [("one", 1, 1), ("two", 4, 7), ("three", 14, 1)]);
    }

    #[test]
    fn percentiles_of_few_and_of_none() {
        assert_eq!([50, 95, 100].map(|percent| percentile(&[1, 2, 3, 4], percent)), [2, 4, 4]);
        assert_eq!(percentile(&[], 50), 0);
    }

    #[test]
    fn the_report_counts_product_lines_only() {
        let text = "//! Head.\nfn f() {}\n#[cfg(test)]\nmod tests {\n}\n";
        let report = report(&crate::tree::tests::tree(&[("crates/a/src/lib.rs", text)]));
        assert!(report.starts_with("product code, without tests: 2 lines; tests: 3 lines"), "{report}");
    }
}
