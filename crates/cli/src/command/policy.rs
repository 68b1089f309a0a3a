//! `gallra policy …`: check, show and explain a provider's retention rules, offline, and put them into force (`online`). Owns
//! the flags and the reading of files; every answer is made and worded in `gallra-policy`. Data goes to stdout; a refusal prints
//! nothing there.

mod online;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use gallra_policy::diff::diff;
use gallra_policy::explain::{Ask, explain};
use gallra_policy::inventory::{Reported, targets, unruled};
use gallra_policy::{Instruction, Policy, doubled, render};
use gallra_wire::v1::target_service_client::TargetServiceClient;
use gallra_wire::{v1, words};

use super::Shown;
use crate::client::connect;
use crate::exit::{Failure, OK, USAGE};
use crate::output::{self, Format};

/// Largest pack read, in bytes: a hundred times the largest known.
const MAX_PACK_BYTES: u64 = 1 << 20;

/// Readers of policy packs. FILE is a pack; what it includes is looked for beside it.
#[derive(Subcommand)]
pub enum PolicyCommand {
    /// Check packs: every problem with its file, its line and what to do about it. Two packs of one name and one first day
    /// are a problem too, and so is a target whose category no row is about.
    #[command(after_help = "Examples:\n  \
        gallra policy check policies/webone.toml\n  \
        gallra target list --output json >targets.json && gallra policy check policies/webone.toml --inventory targets.json\n\n\
        Exit codes: 0 no problem, 2 problems.")]
    Check {
        /// The pack, or several.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// What `gallra target list --output json` printed: every target's category needs a row in each pack.
        #[arg(long, value_name = "FILE")]
        inventory: Option<PathBuf>,
        /// The same with the targets that the coordinator knows now.
        #[arg(long)]
        live: bool,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// Say what differs between two versions of a pack: rows that came, went or changed, with both periods and whether they
    /// grew longer or shorter.
    #[command(after_help = "Examples:\n  gallra policy diff old/webone.toml policies/webone.toml\n  \
        gallra policy diff old/webone.toml policies/webone.toml --live     and what becomes of open requests\n\n\
        Exit codes: 0 compared, 2 a pack has problems.")]
    Diff {
        /// The pack as it was.
        old: PathBuf,
        /// The pack as it is.
        new: PathBuf,
        /// Also ask the coordinator which open requests the new one would change, and how.
        #[arg(long)]
        live: bool,
        /// With --live: as if an approver said that longer periods reach contracts that have ended.
        #[arg(long, requires = "live")]
        reach_ended: bool,
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
    /// Put a policy into force, at once or on its valid_from day: requests that have not begun are planned anew, the others wait
    /// where it would do something else. Says first, on stderr, which open requests change. For approvers.
    #[command(after_help = "Examples:\n  \
        gallra policy apply policies/webone.toml --dry-run                  only say which open requests would change\n  \
        gallra policy check policies/webone.toml && gallra policy apply policies/webone.toml\n  \
        gallra policy apply policies/webone.toml --cause-key cause.key      also sign its rolling purges\n\n\
        Without a signature nothing is purged by its age under this version. Applying the same pack again can bring it later. A \
        longer period does not reach a contract that has ended, unless --reach-ended says so.")]
    Apply {
        /// The pack.
        file: PathBuf,
        /// Only say, on stdout, which open requests would change, and how.
        #[arg(long, conflicts_with = "cause_key")]
        dry_run: bool,
        /// Longer periods reach contracts that have ended by then, too: recorded with your name.
        #[arg(long)]
        reach_ended: bool,
        /// A cause key's file: signs that records may leave by their own age under exactly these rules. Never taken from the
        /// environment: applying a policy is one thing, letting it purge another.
        #[arg(long, value_name = "FILE")]
        cause_key: Option<PathBuf>,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// List the policies that were, are and will be in force, and since when.
    #[command(after_help = "Example:\n  gallra policy list --output json")]
    List {
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// Withdraw a policy while it waits for its first day. For approvers.
    #[command(after_help = "Example:\n  gallra policy withdraw DIGEST")]
    Withdraw {
        /// Its digest, as `gallra policy list` shows it.
        digest: String,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// Say when a category may, will and must be erased, and which promise or law each date comes from.
    #[command(after_help = "Examples:\n  \
        gallra policy explain policies/webone.toml --category customer-data --ended 2026-01-31 --settled 2026-01-31\n  \
        gallra policy explain policies/webone.toml --category bookkeeping --settled 2026-03-15 --fiscal-year-end 06-30\n  \
        gallra policy explain policies/connect2ip.toml --category ip --record 2026-03-28T22:30:00Z\n\n\
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
    /// A customer's instruction: its periods replace the provider's, never a law's.
    #[arg(long, value_name = "FILE")]
    instruction: Option<PathBuf>,
    /// How it is printed.
    #[command(flatten)]
    shown: Shown,
}

/// Runs one of them; returns the exit code. Answers go to stdout, refusals to stderr.
///
/// # Errors
/// Of `apply`: what to say on stderr, and the exit code.
pub async fn run(profile: Option<&Path>, command: PolicyCommand) -> Result<u8, Failure> {
    let answer = match command {
        PolicyCommand::Apply { file, dry_run: true, reach_ended, shown, .. } => {
            return online::changes(profile, &file, reach_ended, shown).await;
        }
        PolicyCommand::Apply { file, cause_key, reach_ended, shown, .. } => {
            return online::apply(profile, &file, cause_key.as_deref(), reach_ended, shown).await;
        }
        PolicyCommand::List { shown } => return online::list(profile, shown).await,
        PolicyCommand::Withdraw { digest, shown } => return online::withdraw(profile, digest, shown).await,
        PolicyCommand::Diff { old, new, live: true, reach_ended, shown } => {
            return online::diff_live(profile, (&old, &new), reach_ended, shown).await;
        }
        PolicyCommand::Check { files, inventory, live, shown } => {
            let live = if live { Some(live_targets(profile).await?) } else { None };
            checked(&files, inventory.as_deref(), live, shown)
        }
        PolicyCommand::Diff { old, new, shown, .. } => differing(&old, &new, shown),
        PolicyCommand::Show { file, shown } => listed(&file, shown),
        PolicyCommand::Explain(args) => explained(*args),
    };
    match answer {
        Ok(text) => {
            output::line(text.trim_end());
            Ok(OK)
        }
        Err(reason) => {
            output::note(&format!("error: {reason}"));
            Ok(USAGE)
        }
    }
}

/// The targets that the coordinator knows, as a policy sees them.
async fn live_targets(profile: Option<&Path>) -> Result<Vec<Reported>, Failure> {
    let mut client = TargetServiceClient::new(connect(profile).await?);
    let targets = client.list_targets(v1::ListTargetsRequest {}).await?.into_inner().targets;
    let reported = |target: v1::Target| Reported {
        agent: target.agent,
        id: target.id,
        kind: words::target_kind_word(target.kind),
        category: target.category,
    };
    Ok(targets.into_iter().map(reported).collect())
}

/// Every problem of every pack, and of what agents report against each; a problem of one file hides none of another.
fn checked(
    files: &[PathBuf],
    inventory: Option<&Path>,
    live: Option<Vec<Reported>>,
    shown: Shown,
) -> Result<String, String> {
    let mut problems = Vec::new();
    let mut policies = Vec::new();
    for file in files {
        match read_pack(file) {
            Ok(policy) => policies.push(policy),
            Err(problem) => problems.push(problem),
        }
    }
    for name in doubled(&policies) {
        problems.push(format!(
            "{name}: two policies of this name have the same first day, and nobody could say which is in force\n  \
             hint: give one of them another valid_from"
        ));
    }
    let mut reported = live.unwrap_or_default();
    if let Some(file) = inventory {
        match read(file).and_then(|text| targets(&text).map_err(|error| format!("{}: {error}", file.display()))) {
            Ok(targets) => reported.extend(targets),
            Err(problem) => problems.push(problem),
        }
    }
    problems.extend(policies.iter().flat_map(|policy| unruled(policy, &reported)));
    if !problems.is_empty() {
        return Err(problems.join("\n"));
    }
    Ok(shown_as(&shown, || render::checked_json(&policies), || render::checked(&policies)))
}

fn differing(old: &Path, new: &Path, shown: Shown) -> Result<String, String> {
    let [old, new] = both(old, new)?;
    let differences = diff(&old, &new);
    Ok(shown_as(&shown, || render::diff_json(&differences), || render::diff_table(&differences)))
}

/// Two packs, or the problems of both.
fn both(old: &Path, new: &Path) -> Result<[Policy; 2], String> {
    let packs = [read_pack(old), read_pack(new)];
    let problems: Vec<_> = packs.iter().filter_map(|pack| pack.as_ref().err().cloned()).collect();
    let [Ok(old), Ok(new)] = packs else { return Err(problems.join("\n")) };
    Ok([old, new])
}

fn listed(file: &Path, shown: Shown) -> Result<String, String> {
    let policy = read_pack(file)?;
    Ok(shown_as(&shown, || render::rules_json(&policy), || render::rules_table(&policy)))
}

fn explained(args: ExplainArgs) -> Result<String, String> {
    let mut policy = read_pack(&args.file)?;
    if let Some(file) = &args.instruction {
        policy = instructed(&policy, file)?;
    }
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

/// The policy with the instruction of a file carried out.
pub(super) fn instructed(policy: &Policy, file: &Path) -> Result<Policy, String> {
    let refused = |refused: gallra_policy::Refused| refused.to_string();
    let instruction = Instruction::parse(stem(file), &read(file)?).map_err(refused)?;
    policy.with(&instruction).map_err(refused)
}

/// Reads a pack; its name is the file's stem, and what it includes stands beside it.
pub(super) fn read_pack(file: &Path) -> Result<Policy, String> {
    read_packs(file, |_, _| ())
}

/// The same, and tells of each pack that was read: its name and its text.
fn read_packs(file: &Path, seen: impl Fn(&str, &str)) -> Result<Policy, String> {
    let text = read(file)?;
    let name = stem(file);
    seen(name, &text);
    let beside = file.parent().unwrap_or(Path::new(""));
    // An include is a plain word, so that a pack cannot name a file elsewhere.
    let plain = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let include = |word: &str| {
        let text = if plain(word) { read(&beside.join(format!("{word}.toml"))).ok() } else { None }?;
        seen(word, &text);
        Some(text)
    };
    Policy::parse(name, &text, include).and_then(Policy::under_law).map_err(|refused| refused.to_string())
}

fn stem(file: &Path) -> &str {
    file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
}

pub(super) fn read(file: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("{} cannot be read: {error}", file.display());
    let mut text = String::new();
    File::open(file).map_err(cannot)?.take(MAX_PACK_BYTES + 1).read_to_string(&mut text).map_err(cannot)?;
    if text.len() as u64 > MAX_PACK_BYTES {
        return Err(format!("{} is longer than {MAX_PACK_BYTES} bytes: a pack is not", file.display()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
