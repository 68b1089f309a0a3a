//! `gallra-coordinator`: the command line of the coordinator's process. Data goes to stdout, everything else to stderr.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use gallra_coordinator::epochs;
use gallra_coordinator::init::{self, Init};
use gallra_coordinator::layout::Layout;
use gallra_coordinator::serve;
use gallra_model::Instant;

/// Decides when personal data may and must go, lets agents erase it, and proves it.
#[derive(Parser)]
#[command(name = "gallra-coordinator", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a new coordinator: authority, keys, store and the first operator's certificate.
    #[command(after_help = "Example:\n  gallra-coordinator init --dir /var/lib/gallra --policy policies/webone.toml")]
    Init {
        /// The directory to make; must be empty or missing.
        #[arg(long)]
        dir: PathBuf,
        /// The installation's name: 1 to 63 of a-z, 0-9 and '-'.
        #[arg(long, default_value = "gallra")]
        installation: String,
        /// Where sessions and commands are taken.
        #[arg(long, default_value = "127.0.0.1:7341")]
        listen: String,
        /// Where hosts enrol.
        #[arg(long, default_value = "127.0.0.1:7342")]
        enrol_listen: String,
        /// Another host name or address that the server's certificate is for; may be repeated.
        #[arg(long = "name")]
        names: Vec<String>,
        /// The policy pack; the packs that it includes lie beside it.
        #[arg(long)]
        policy: PathBuf,
        /// The first operator's name.
        #[arg(long, default_value = "operator")]
        operator: String,
        /// The first approver's name, somebody else: gets a profile in `approver/`, to hand over. Nothing is erased that no
        /// approver's cause key was registered for.
        #[arg(long)]
        approver: Option<String>,
    },
    /// Copy the store into `backups/`, read it back and compare; prints the file. For a stopped coordinator: a running one
    /// makes a copy whenever a key epoch turns. A copy is removed, and cannot be read any more, when its epoch has turned.
    Backup {
        /// The directory that `init` made.
        #[arg(long)]
        dir: PathBuf,
    },
    /// Run the coordinator until SIGTERM or SIGINT.
    Serve {
        /// The directory that `init` made.
        #[arg(long)]
        dir: PathBuf,
        /// This is a demonstration: time begins here and stands still until `AdvanceClock`. Everything that is signed says so.
        #[arg(long, value_name = "INSTANT")]
        demonstration_clock: Option<Instant>,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    let run = || -> anyhow::Result<()> {
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(async {
            match arguments.command {
                Command::Init { dir, installation, listen, enrol_listen, names, policy, operator, approver } => {
                    init::run(&Init { dir, installation, listen, enrol_listen, names, policy, operator, approver })
                        .await
                }
                Command::Backup { dir } => epochs::back_up(&Layout::new(dir)).await,
                Command::Serve { dir, demonstration_clock } => serve::run(&Layout::new(dir), demonstration_clock).await,
            }
        })
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
