//! `gallra policy …`: check, show and explain a provider's retention rules. Offline. Owns the flags and the reading of
//! files; every answer is made and worded in `gallra-policy`. Data goes to stdout; a refusal prints nothing there.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use gallra_policy::explain::{Ask, explain};
use gallra_policy::{Policy, render};

use super::Shown;
use crate::exit::{OK, USAGE};
use crate::output::{self, Format};

/// Largest pack read, in bytes: a hundred times the largest known.
const MAX_PACK_BYTES: u64 = 1 << 20;

/// Readers of policy packs. FILE is a pack; what it includes is looked for beside it.
#[derive(Subcommand)]
pub enum PolicyCommand {
    /// Check a pack: every problem with its file, its line and what to do about it.
    #[command(
        after_help = "Example:\n  gallra policy check policies/webone.toml\n\nExit codes: 0 no problem, 2 problems."
    )]
    Check {
        /// The pack.
        file: PathBuf,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// List a pack's rules and the law's, with what each counts from and where it stands.
    #[command(after_help = "Example:\n  gallra policy show policies/webone.toml --output json")]
    Show {
        /// The pack.
        file: PathBuf,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// Say when a category may, will and must be erased, and which promise or law each date comes from.
    #[command(after_help = "Examples:\n  \
        gallra policy explain policies/webone.toml --category customer-data --ended 2026-01-31 --settled 2026-01-31\n  \
        gallra policy explain policies/webone.toml --category bookkeeping --settled 2026-03-15 --fiscal-year-end 06-30\n\n\
        Days are whole days in Europe/Stockholm. Exit codes: 0 answered, 2 refused.")]
    Explain(Box<ExplainArgs>),
}

/// What is asked.
#[derive(Args)]
pub struct ExplainArgs {
    /// The pack.
    file: PathBuf,
    /// One of the category words, for example customer-data, backup, contact or bookkeeping.
    #[arg(long, value_name = "WORD")]
    category: String,
    /// Last day of the contract, and of the customer.
    #[arg(long, value_name = "YYYY-MM-DD")]
    ended: Option<String>,
    /// Day on which the last invoice was paid or written off; not before --ended.
    #[arg(long, value_name = "YYYY-MM-DD")]
    settled: Option<String>,
    /// Day on which the data left the active systems.
    #[arg(long, value_name = "YYYY-MM-DD")]
    left_active: Option<String>,
    /// The record's own day, or its instant with an offset.
    #[arg(long, value_name = "DAY|INSTANT")]
    record: Option<String>,
    /// Day on which a change came to be known.
    #[arg(long, value_name = "YYYY-MM-DD")]
    known: Option<String>,
    /// Day on which a request was received.
    #[arg(long, value_name = "YYYY-MM-DD")]
    received: Option<String>,
    /// Day of the year on which the financial year ends; unset means as the pack says.
    #[arg(long, value_name = "MM-DD")]
    fiscal_year_end: Option<String>,
    /// A customer's instruction. Not carried out by this version: refused, so that no date is shown that ignores it.
    #[arg(long, value_name = "FILE")]
    instruction: Option<PathBuf>,
    /// How it is printed.
    #[command(flatten)]
    shown: Shown,
}

/// Runs one of them; returns the exit code. Answers go to stdout, refusals to stderr.
pub fn run(command: PolicyCommand) -> u8 {
    match answer(command) {
        Ok(text) => {
            output::line(text.trim_end());
            OK
        }
        Err(reason) => {
            output::note(&format!("error: {reason}"));
            USAGE
        }
    }
}

fn answer(command: PolicyCommand) -> Result<String, String> {
    match command {
        PolicyCommand::Check { file, shown } => {
            let policy = read_pack(&file)?;
            Ok(shown_as(&shown, || render::checked_json(&policy), || render::checked(&policy)))
        }
        PolicyCommand::Show { file, shown } => {
            let policy = read_pack(&file)?;
            Ok(shown_as(&shown, || render::rules_json(&policy), || render::rules_table(&policy)))
        }
        PolicyCommand::Explain(args) => explained(*args),
    }
}

fn explained(args: ExplainArgs) -> Result<String, String> {
    if args.instruction.is_some() {
        return Err(
            "--instruction: this version carries out no instruction; leave it out for the standard rules".into()
        );
    }
    let policy = read_pack(&args.file)?;
    let ask = Ask {
        category: args.category,
        ended: args.ended,
        settled: args.settled,
        left_active: args.left_active,
        record: args.record,
        known: args.known,
        received: args.received,
        fiscal_year_end: args.fiscal_year_end,
    };
    let elements = explain(&policy, &ask).map_err(|refusal| refusal.to_string())?;
    Ok(shown_as(&args.shown, || render::explain_json(&elements), || render::explain_table(&elements)))
}

fn shown_as(shown: &Shown, json: impl Fn() -> String, table: impl Fn() -> String) -> String {
    match shown.output {
        Format::Json => json(),
        Format::Table => table(),
    }
}

/// Reads a pack; its name is the file's stem, and what it includes stands beside it.
fn read_pack(file: &Path) -> Result<Policy, String> {
    let text = read(file)?;
    let name = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let beside = file.parent().unwrap_or(Path::new(""));
    // An include is a plain word, so that a pack cannot name a file elsewhere.
    let plain = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let include = |word: &str| if plain(word) { read(&beside.join(format!("{word}.toml"))).ok() } else { None };
    Policy::parse(name, &text, include).map_err(|refused| refused.to_string())
}

fn read(file: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("{} cannot be read: {error}", file.display());
    let mut text = String::new();
    File::open(file).map_err(cannot)?.take(MAX_PACK_BYTES + 1).read_to_string(&mut text).map_err(cannot)?;
    if text.len() as u64 > MAX_PACK_BYTES {
        return Err(format!("{} is longer than {MAX_PACK_BYTES} bytes: a pack is not", file.display()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/webone.toml")
    }

    #[test]
    fn a_pack_is_read_with_what_stands_beside_it() {
        let policy = read_pack(&shipped()).expect("in order");
        assert!(policy.rules().iter().any(|rule| rule.id == "law/bookkeeping"));
    }

    #[test]
    fn what_cannot_be_read_is_refused_by_name() {
        let refusal = read_pack(Path::new("no-such-pack.toml")).expect_err("refused");
        assert!(refusal.starts_with("no-such-pack.toml cannot be read"), "{refusal}");
    }
}
