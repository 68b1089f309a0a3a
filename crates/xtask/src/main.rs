//! The workshop: checks of the repository as code. `cargo run -p xtask -- tidy` prints what is wrong, `-- metrics` how
//! long files and functions are. `tidy` is also an ordinary test here, so no check lives in a pipeline only.

mod metrics;
mod tidy;
mod tree;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::tree::Tree;

fn main() -> anyhow::Result<ExitCode> {
    let command = std::env::args().nth(1).unwrap_or_default();
    let tree = Tree::of_repository().context("the repository cannot be read")?;
    let mut out = std::io::stdout().lock();
    match command.as_str() {
        "tidy" => {
            let problems = tidy::problems(&tree);
            for problem in &problems {
                writeln!(out, "{problem}")?;
            }
            writeln!(out, "tidy: {} files, {} problems", tree.files().count(), problems.len())?;
            Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        "metrics" => {
            writeln!(out, "{}", metrics::report(&tree))?;
            Ok(ExitCode::SUCCESS)
        }
        _ => anyhow::bail!("usage: cargo run -p xtask -- tidy|metrics"),
    }
}
