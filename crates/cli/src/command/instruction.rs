//! `gallra instruction …`: what customers, as controllers, tell the provider to do instead. The texts name nobody; whose they
//! are is said by the customer number, which is looked up and kept nowhere.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use gallra_policy::Instruction;
use gallra_wire::v1;
use gallra_wire::v1::instruction_service_client::InstructionServiceClient;

use super::Shown;
use crate::client::connect;
use crate::exit::{Failure, OK, USAGE};
use crate::output;

/// Longest instruction, in bytes: what the coordinator takes.
const MAX_BYTES: u64 = 16 * 1024;

/// Customers' instructions.
#[derive(Subcommand)]
pub enum InstructionCommand {
    /// Set an instruction of a customer's: its requests are planned anew at once. One of the same id is replaced.
    #[command(after_help = "Example:\n  gallra instruction set --customer 1001 logs.toml\n\nThe file is described in \
        docs/policies.md, section 6, and names nobody. One that strays far from the policy, or \
        replaces one that was accepted, shows `legal-review`: nothing of the customer's is erased until an approver accepts it.")]
    Set {
        /// Customer number.
        #[arg(long, value_name = "NUMBER")]
        customer: String,
        /// The instruction.
        file: PathBuf,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// List instructions: whose, where each stands, and how far it strays from the policy in force.
    #[command(after_help = "Example:\n  gallra instruction list --customer 1001")]
    List {
        /// Customer number; unset: all customers', by reference.
        #[arg(long, value_name = "NUMBER", default_value = "", hide_default_value = true)]
        customer: String,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// Remove an instruction: what it replaced holds again. One that an approver accepted only an approver removes.
    #[command(after_help = "Examples:\n  gallra instruction remove --customer 1001 logs-of-a-clinic\n  \
        gallra --profile approver instruction remove --customer 1001 logs-of-a-clinic   # one that was accepted")]
    Remove {
        /// Customer number.
        #[arg(long, value_name = "NUMBER")]
        customer: String,
        /// The instruction's id.
        id: String,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// Accept an instruction that somebody else set and that strays far from the policy. For approvers.
    #[command(after_help = "Example:\n  gallra instruction list --customer 1001      # read what it deviates from\n  \
        gallra --profile approver instruction accept --customer 1001 logs-of-a-clinic --digest DIGEST\n\nThe digest is the one \
        that the list shows, in full: where another text of the same id came since, nothing is accepted.")]
    Accept {
        /// Customer number.
        #[arg(long, value_name = "NUMBER")]
        customer: String,
        /// The instruction's id.
        id: String,
        /// Digest of the text that you looked at, as `gallra instruction list` shows it.
        #[arg(long, value_name = "DIGEST")]
        digest: String,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
}

/// Runs one of them.
///
/// # Errors
/// What to say on stderr, and the exit code.
pub async fn run(profile: Option<&Path>, command: InstructionCommand) -> Result<u8, Failure> {
    match command {
        InstructionCommand::Set { customer, file, shown } => {
            let text = read(&file).map_err(|reason| Failure::new(USAGE, format!("error: {reason}")))?;
            let mut client = InstructionServiceClient::new(connect(profile).await?);
            show(&client.set_instruction(v1::SetInstructionRequest { customer, text }).await?.into_inner(), shown);
        }
        InstructionCommand::Accept { customer, id, digest, shown } => {
            let mut client = InstructionServiceClient::new(connect(profile).await?);
            let request = v1::AcceptInstructionRequest { customer, id, digest };
            show(&client.accept_instruction(request).await?.into_inner(), shown);
        }
        InstructionCommand::Remove { customer, id, shown } => {
            let mut client = InstructionServiceClient::new(connect(profile).await?);
            let request = v1::RemoveInstructionRequest { customer, id };
            let removed = client.remove_instruction(request).await?.into_inner();
            let pairs = [
                ("removed", removed.id.clone()),
                ("customer", removed.customer.clone()),
                ("begun", removed.begun.to_string()),
            ];
            output::one(shown.output, &removed, &pairs);
        }
        InstructionCommand::List { customer, shown } => list(profile, customer, shown).await?,
    }
    Ok(OK)
}

async fn list(profile: Option<&Path>, customer: String, shown: Shown) -> Result<(), Failure> {
    let mut client = InstructionServiceClient::new(connect(profile).await?);
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = v1::ListInstructionsRequest { customer: customer.clone(), page_token };
        let page = client.list_instructions(request).await?.into_inner();
        all.extend(page.instructions);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let head = ["customer", "instruction", "state", "from", "set by", "accepted by", "digest", "deviates"];
    output::list(shown.output, &all, head, |one| {
        let deviations = one.deviations.iter().map(deviation).collect::<Vec<_>>().join("; ");
        [
            output::short(&one.customer),
            one.id.clone(),
            one.state.clone(),
            one.from.clone(),
            one.set_by.clone(),
            one.accepted_by.clone(),
            one.digest.clone(),
            if one.reason.is_empty() { deviations } else { one.reason.clone() },
        ]
    });
    Ok(())
}

fn show(changed: &v1::ChangedInstruction, shown: Shown) {
    let pairs = changed.instruction.as_ref().map(|one| pairs(one, changed.begun)).unwrap_or_default();
    output::one(shown.output, changed, &pairs);
    if changed.begun > 0 {
        output::note(
            "jobs that had begun stop at their next item: their receipts say what is gone, see `gallra job list`",
        );
    }
}

fn pairs(one: &v1::Instruction, begun: u32) -> Vec<(&'static str, String)> {
    let mut pairs = vec![
        ("instruction", one.id.clone()),
        ("customer", one.customer.clone()),
        ("state", one.state.clone()),
        ("reason", one.reason.clone()),
        ("from", one.from.clone()),
        ("given by", one.given_by.clone()),
        ("given on", one.given_on.clone()),
        ("set by", one.set_by.clone()),
        ("accepted by", one.accepted_by.clone()),
        ("digest", one.digest.clone()),
    ];
    pairs.extend(one.deviations.iter().map(|one| ("deviates", deviation(one))));
    pairs.push(("begun", begun.to_string()));
    pairs
}

/// Rule, both periods, which way it turns, and what the customer is to be warned of.
fn deviation(one: &v1::Deviation) -> String {
    let review = if one.legal_review { ", large" } else { "" };
    let warns = if one.warns.is_empty() { String::new() } else { format!(", warns: {}", one.warns.join(", ")) };
    format!("{}: {} -> {} ({}{review}{warns})", one.rule, one.before, one.after, one.turn)
}

/// Reads a file, and checks it as far as can be done without the policy: so every problem is told with the file's own name.
fn read(file: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("{} cannot be read: {error}", file.display());
    let mut text = String::new();
    File::open(file).map_err(cannot)?.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(cannot)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(format!("{} is longer than {MAX_BYTES} bytes: an instruction is not", file.display()));
    }
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    Instruction::parse(stem, &text).map_err(|refused| refused.to_string())?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "id = \"x\"\ngiven_by = \"controller\"\ngiven_on = \"2026-01-01\"\nfrom = \"2026-01-01\"\n[[replace]]\n\
                        rule = \"webone/chat\"\ncount = [{ from = \"customer_ended\", period = \"1 month\" }]\n";

    #[test]
    fn a_file_is_checked_before_it_is_sent() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("logs.toml");
        let wrote = |text: &str| {
            std::fs::write(&file, text).expect("written");
            read(&file)
        };
        assert_eq!(wrote(TEXT).as_deref(), Ok(TEXT));
        let refused = wrote(&TEXT.replace("1 month", "soon")).expect_err("no period");
        assert!(refused.starts_with("logs.toml:7: not a period"), "{refused}");
        let filled = |bytes: usize| format!("{TEXT}#{}", "x".repeat(bytes - TEXT.len() - 1));
        assert!(wrote(&filled(16 * 1024)).is_ok());
        assert!(wrote(&filled(16 * 1024 + 1)).is_err_and(|text| text.contains("longer than 16384 bytes")));
        assert!(read(&folder.path().join("none.toml")).is_err_and(|text| text.contains("cannot be read")));
    }

    #[test]
    fn a_deviation_is_told_with_both_periods_and_its_warnings() {
        let mut one = v1::Deviation {
            rule: "webone/chat".into(),
            before: "a".into(),
            after: "b".into(),
            turn: "longer".into(),
            ..v1::Deviation::default()
        };
        assert_eq!(deviation(&one), "webone/chat: a -> b (longer)");
        one.legal_review = true;
        one.warns = vec!["may-cost-more".into(), "may-need-another-service".into()];
        let expected = "webone/chat: a -> b (longer, large, warns: may-cost-more, may-need-another-service)";
        assert_eq!(deviation(&one), expected);
    }
}
