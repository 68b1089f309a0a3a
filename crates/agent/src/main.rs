//! `gallra-agent`: the command line of the agent. Data on stdout, everything else on stderr. Exit codes: 0 done, 1 failed,
//! 2 wrong usage, 3 a restore is not released (`docs/exit-codes.md`).

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use gallra_agent::dir::Dir;
use gallra_agent::restored::{Ask, Done, restored};
use gallra_agent::{join, serve};
use gallra_identity::JoinToken;
use gallra_model::Instant;
use gallra_model::target::{Mode, TargetId};

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
    /// After data was restored out of a backup: erase again what was erased since the copy was taken, and nothing else
    #[command(
        after_help = "Example:\n  systemctl stop gallra-agent\n  gallra-agent restored --dir /var/lib/gallra-agent --config \
        /etc/gallra/agent.toml \\\n    --target web --taken 2026-02-01T02:30:00Z\n\nRun it once for every target whose data came \
        back, before anybody uses the data. The coordinator need not run; the agent must be stopped.\nExit codes: 0 released, \
        1 refused or broken off, 3 something that had to go is not confirmed gone."
    )]
    Restored {
        /// State directory, as `join` made it
        #[arg(long)]
        dir: PathBuf,
        /// What this host's admin allows
        #[arg(long)]
        config: PathBuf,
        /// The target whose data came back, as agent.toml names it
        #[arg(long)]
        target: TargetId,
        /// When the copy was taken: RFC 3339, UTC or with an offset. Rather too early than too late
        #[arg(long)]
        taken: Instant,
        /// Say what would go, and touch nothing
        #[arg(long)]
        dry_run: bool,
        /// Answer for a suppression list that is older than agent.toml allows
        #[arg(long)]
        list_may_be_old: bool,
        /// Go by a list under a simulated clock: for demonstrations
        #[arg(long)]
        accept_simulated_clock: bool,
        /// How the result is printed
        #[arg(long, value_enum, default_value = "table")]
        output: Output,
    },
    /// The network half, started by `serve`
    #[command(hide = true)]
    Session,
    /// Read agent.toml, open every target, touch nothing
    #[command(after_help = "Example:\n  gallra-agent check --config /etc/gallra/agent.toml")]
    Check {
        /// The file
        #[arg(long)]
        config: PathBuf,
    },
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Output {
    /// For people
    Table,
    /// One object
    Json,
}

/// Something that had to go after a restore is not confirmed gone.
const NOT_RELEASED: u8 = 3;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // The session's outlets are set up when it has heard whether there is a collector.
    let is_session = matches!(arguments.command, Command::Session);
    let lines = if is_session { Ok(()) } else { gallra_telemetry::to_stderr().map_err(Into::into) };
    match lines.and_then(|()| run(arguments.command)) {
        Ok(code) => code,
        Err(error) => {
            // The session may have ended before it had any.
            let _ = gallra_telemetry::to_stderr();
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Join { token, dir } => {
            let token: JoinToken = token.parse()?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let agent = runtime.block_on(join::join(&token, &Dir::new(dir)))?;
            tracing::info!(%agent, "joined: start it with `gallra-agent serve`");
        }
        Command::Serve { dir, config, accept_simulated_clock } => {
            if accept_simulated_clock {
                tracing::warn!(
                    "a simulated clock is accepted: receipts under it are worth nothing outside of a demonstration"
                );
            }
            serve::serve(&Dir::new(dir), &config, accept_simulated_clock)?;
        }
        Command::Restored { dir, config, target, taken, dry_run, list_may_be_old, accept_simulated_clock, output } => {
            let accept_simulated = accept_simulated_clock;
            let ask = Ask { target, taken, dry_run, list_may_be_old, accept_simulated };
            return show(&restored(&Dir::new(dir), &config, &ask)?, output);
        }
        Command::Session => serve::session()?,
        Command::Check { config } => {
            let mut out = std::io::stdout().lock();
            for target in serve::check(&config)? {
                let mode = match target.mode {
                    Mode::Observe => "observe",
                    Mode::Act => "act",
                };
                writeln!(out, "{}\t{}\t{}\t{mode}", target.id, target.kind.as_str(), target.category)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what came of a restore; only a released one is a success.
fn show(done: &Done, output: Output) -> anyhow::Result<ExitCode> {
    let (restored, subjects) = (&done.restored, &done.restored.subjects);
    let mut out = std::io::stdout().lock();
    match output {
        Output::Json => writeln!(out, "{}", serde_json::to_string(restored)?)?,
        Output::Table => {
            let released = if restored.released { "yes" } else { "NO" };
            let rows = [
                ("target", restored.target.to_string()),
                ("taken", restored.taken.to_string()),
                ("list complete at", restored.heard.to_string()),
                ("subjects there", subjects.candidates.to_string()),
                ("known to the list", subjects.matched.to_string()),
                ("erased again", subjects.erased.to_string()),
                ("left, lifted", subjects.lifted.to_string()),
                ("left, held", subjects.held.to_string()),
                ("left, came later", subjects.newer.to_string()),
                ("not gone", subjects.failed.to_string()),
                ("unknown remains", subjects.unknown.to_string()),
                ("released", released.to_owned()),
                (
                    "receipts",
                    done.file.as_ref().map_or("none: a dry run".to_owned(), |file| file.display().to_string()),
                ),
            ];
            for (name, value) in rows {
                writeln!(out, "{name:<18}{value}")?;
            }
        }
    }
    for hint in &done.hints {
        tracing::error!("not released: {hint}");
    }
    Ok(if restored.released { ExitCode::SUCCESS } else { ExitCode::from(NOT_RELEASED) })
}
