//! The command tree: one noun a file, verbs inside. Names are the contract of `docs/design`; they are added, never renamed.

pub mod agent;
pub mod backup;
pub mod certificate;
pub mod contract;
pub mod doctor;
pub mod halt;
pub mod hold;
pub mod instruction;
pub mod job;
pub mod key;
pub mod log;
pub mod plan;
pub mod policy;
pub mod proof;
pub mod receipt;
pub mod request;
pub mod subject;
pub mod suppression;
pub mod target;
pub mod verify;

use std::path::PathBuf;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::demo;
use crate::exit::{Failure, OK};
use crate::output::Format;

/// Erases personal data when it may and must go, and proves it.
#[derive(Parser)]
#[command(
    name = "gallra",
    version,
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 denied, \
    5 coordinator not reached, 6 not possible now, 7 doctor found something critical; `gallra verify` has more.\nFirst steps: gallra demo"
)]
pub struct Arguments {
    /// Directory with client.toml, authority.pem, client.pem and client.key.
    #[arg(long, global = true, env = "GALLRA_PROFILE", value_name = "DIR")]
    profile: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

/// How a reader prints.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Shown {
    /// Columns for a person, or JSON for a program.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub output: Format,
}

#[derive(Subcommand)]
enum Command {
    /// Play seven months of a provider on this machine, and end with a verified proof.
    Demo(demo::DemoArgs),
    /// Check, show and explain retention rules. Offline.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Show what will happen to each target, when, and under which rule.
    #[command(subcommand)]
    Plan(plan::PlanCommand),
    /// Report what the billing system knows: a contract started, ended, was settled.
    #[command(subcommand)]
    Contract(contract::ContractCommand),
    /// Follow what was asked.
    #[command(subcommand)]
    Request(request::RequestCommand),
    /// Make, change and end keys: those that say what is to be erased, and those that proofs are signed with.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Stop erasure of something until somebody else releases it.
    #[command(subcommand)]
    Hold(hold::HoldCommand),
    /// Set, list, remove and accept customers' instructions.
    #[command(subcommand)]
    Instruction(instruction::InstructionCommand),
    /// The emergency stop: nothing changes data on any host any more. With --show: whether it is pulled.
    #[command(after_help = halt::STOP_HELP)]
    Stop(halt::StopArgs),
    /// Lift the emergency stop, or the brake. With --clock: end the doubt about the coordinator's clock.
    #[command(after_help = "Examples:\n  gallra start --reason \"the template is corrected\"\n  \
        gallra start --clock 2026-11-27T15:00:00Z --reason \"compared with two other machines\"")]
    Start(halt::StartArgs),
    /// Examine the installation: what a person should know, how bad it is, and what to do. Exit code 7 where something is critical.
    Doctor(doctor::DoctorArgs),
    /// See the steps that agents carry out, and try one again.
    #[command(subcommand)]
    Job(job::JobCommand),
    /// See what agents signed.
    #[command(subcommand)]
    Receipt(receipt::ReceiptCommand),
    /// See which backup copies still hold a subject's data.
    #[command(subcommand)]
    Backup(backup::BackupCommand),
    /// Invite hosts, and see which have joined.
    #[command(subcommand)]
    Agent(agent::AgentCommand),
    /// See which erasures restores must not undo, and lift one.
    #[command(subcommand)]
    Suppression(suppression::SuppressionCommand),
    /// See the places with personal data that agents report.
    #[command(subcommand)]
    Target(target::TargetCommand),
    /// Fetch proofs.
    #[command(subcommand)]
    Proof(proof::ProofCommand),
    /// See the log of everything that is signed, and tell the coordinator of a checkpoint that somebody kept.
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Show, as a subject, one identifier of a proof and no other. Offline.
    #[command(subcommand)]
    Subject(subject::SubjectCommand),
    /// Check a proof offline, without the coordinator and without network.
    Verify(verify::VerifyArgs),
    /// Make a page for people from a proof, in Swedish or English. Offline; verifies first.
    Certificate(certificate::CertificateArgs),
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
}

/// Runs one command.
///
/// # Errors
/// What to say on stderr, and the exit code.
pub async fn run(arguments: Arguments) -> Result<u8, Failure> {
    let profile = arguments.profile.as_deref();
    match arguments.command {
        Command::Demo(args) => demo::run(args).await,
        Command::Policy(command) => policy::run(profile, command).await,
        Command::Plan(command) => plan::run(profile, command).await,
        Command::Contract(command) => contract::run(profile, command).await,
        Command::Request(command) => request::run(profile, command).await,
        Command::Key(command) => key::run(profile, command).await,
        Command::Hold(command) => hold::run(profile, command).await,
        Command::Instruction(command) => instruction::run(profile, command).await,
        Command::Stop(args) => halt::stop(profile, args).await,
        Command::Start(args) => halt::start(profile, args).await,
        Command::Doctor(args) => doctor::run(profile, args).await,
        Command::Job(command) => job::run(profile, command).await,
        Command::Receipt(command) => receipt::run(profile, command).await,
        Command::Backup(command) => backup::run(profile, command).await,
        Command::Agent(command) => agent::run(profile, command).await,
        Command::Suppression(command) => suppression::run(profile, command).await,
        Command::Target(command) => target::run(profile, command).await,
        Command::Proof(command) => proof::run(profile, command).await,
        Command::Log(command) => log::run(profile, command).await,
        Command::Subject(command) => subject::run(command),
        Command::Verify(args) => Ok(verify::run(&args)),
        Command::Certificate(args) => certificate::run(&args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "gallra", &mut std::io::stdout());
            Ok(OK)
        }
        Command::Man => man(),
    }
}

fn man() -> Result<u8, Failure> {
    clap_mangen::Man::new(Arguments::command())
        .render(&mut std::io::stdout())
        .map_err(|error| Failure::new(crate::exit::FAILED, format!("the manual page cannot be written: {error}")))?;
    Ok(OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_sound_and_every_command_has_help() {
        let mut tree = Arguments::command();
        tree.build();
        tree.clone().debug_assert();
        let mut open: Vec<_> = tree.get_subcommands().collect();
        while let Some(command) = open.pop() {
            assert!(command.get_about().is_some(), "{} has no help", command.get_name());
            open.extend(command.get_subcommands());
        }
    }
}
