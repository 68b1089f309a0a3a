//! `gallra-agent`: the command line of the agent. Data on stdout, everything else on stderr. Exit codes: 0 done, 1 failed,
//! 2 wrong usage.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use gallra_agent::dir::Dir;
use gallra_agent::{join, serve};
use gallra_identity::JoinToken;
use gallra_model::target::Mode;
use tracing_subscriber::EnvFilter;

/// Erases under permit on this host, and signs what came of it.
#[derive(Parser)]
#[command(name = "gallra-agent", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make this host's keys and get its certificate with a join token
    #[command(after_help = "Example:\n  gallra-agent join --token \"$(cat token)\" --dir /var/lib/gallra-agent")]
    Join {
        /// The line that `gallra agent invite` printed; better given as GALLRA_JOIN_TOKEN, which other users cannot see
        #[arg(long, env = "GALLRA_JOIN_TOKEN", hide_env_values = true)]
        token: String,
        /// State directory, made if it is not there
        #[arg(long)]
        dir: PathBuf,
    },
    /// Serve the coordinator until SIGTERM
    #[command(
        after_help = "Example:\n  gallra-agent serve --dir /var/lib/gallra-agent --config /etc/gallra/agent.toml"
    )]
    Serve {
        /// State directory, as `join` made it
        #[arg(long)]
        dir: PathBuf,
        /// What this host's admin allows
        #[arg(long)]
        config: PathBuf,
        /// Obey a coordinator under a simulated clock: for demonstrations, never where real customers' data is
        #[arg(long)]
        accept_simulated_clock: bool,
    },
    /// Read agent.toml, open every target, touch nothing
    #[command(after_help = "Example:\n  gallra-agent check --config /etc/gallra/agent.toml")]
    Check {
        /// The file
        #[arg(long)]
        config: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    match run(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Join { token, dir } => {
            let token: JoinToken = token.parse()?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let agent = runtime.block_on(join::join(&token, &Dir::new(dir)))?;
            tracing::info!(%agent, "joined: start it with `gallra-agent serve`");
            Ok(())
        }
        Command::Serve { dir, config, accept_simulated_clock } => {
            if accept_simulated_clock {
                tracing::warn!(
                    "a simulated clock is accepted: receipts under it are worth nothing outside of a demonstration"
                );
            }
            serve::serve(&Dir::new(dir), &config, accept_simulated_clock)
        }
        Command::Check { config } => {
            let mut out = std::io::stdout().lock();
            for target in serve::check(&config)? {
                let mode = match target.mode {
                    Mode::Observe => "observe",
                    Mode::Act => "act",
                };
                writeln!(out, "{}\t{}\t{}\t{mode}", target.id, target.kind.as_str(), target.category)?;
            }
            Ok(())
        }
    }
}
