//! `gallra-coordinator`: the command line of the coordinator's process. Data goes to stdout, everything else to stderr.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use gallra_coordinator::epochs;
use gallra_coordinator::init::{self, Init};
use gallra_coordinator::layout::Layout;
use gallra_coordinator::replicate::{self, Replicate};
use gallra_coordinator::restore::{self, Restore, Source};
use gallra_coordinator::succession::Words;
use gallra_coordinator::{moving, opening, serve, witness};
use gallra_model::envelope::Envelope;
use gallra_model::{Clock, Instant};
use gallra_telemetry::Telemetry;

/// Decides when personal data may and must go, lets agents erase it, and proves it.
#[derive(Parser)]
#[command(name = "gallra-coordinator", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[allow(clippy::large_enum_variant, reason = "one value a run")]
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
        /// The provider as proofs name it; the installation's name unless given.
        #[arg(long)]
        provider: Option<String>,
        /// Its country: two capitals.
        #[arg(long, default_value = "SE")]
        country: String,
        /// A role address for questions about proofs, nobody's own.
        #[arg(long, default_value = "privacy@provider.invalid")]
        contact: String,
        /// Who takes complaints.
        #[arg(long, default_value = "Integritetsskyddsmyndigheten (IMY)")]
        authority: String,
        /// A role in the organisation that holds the root keys: their files are in `roots/`, to be carried away.
        #[arg(long, default_value = "management")]
        root_holder: String,
        /// A time stamping authority that readers of proofs believe, as NAME=FILE with the PEM of its root certificate; may be
        /// repeated. Who is asked stands in coordinator.toml, `[log] timestamp`.
        #[arg(long = "time-authority", value_name = "NAME=FILE")]
        time_authorities: Vec<String>,
        /// The log's name, below a domain of the provider's, as log.provider.example/2026a: in every checkpoint and proof, and not to
        /// be changed afterwards. Without one it is log.INSTALLATION.invalid/1.
        #[arg(long)]
        log_origin: Option<String>,
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
    /// Put a backup in the place of a stopped coordinator's store: checked, copied, read back, with a new generation, and with the
    /// emergency stop pulled. The store of before is moved aside.
    #[command(after_help = "Example:\n  gallra-coordinator restore --dir /var/lib/gallra --from \
                            /var/lib/gallra/backups/store-00000001-2026-11-28T080000Z.redb --dry-run\nWhat is lost, and what to do \
                            afterwards: docs/operations.md, section 6.")]
    #[command(group = clap::ArgGroup::new("source").required(true).args(["from", "adopt"]))]
    Restore {
        /// The directory that `init` made.
        #[arg(long)]
        dir: PathBuf,
        /// The backup; a store that was moved aside likewise.
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
        /// The etcd of coordinator.toml was itself put back from its own snapshot: raise its generation and adopt it.
        #[arg(long)]
        adopt: bool,
        /// On etcd: another cell, which must be empty; the one of coordinator.toml is served no more.
        #[arg(long, conflicts_with = "adopt")]
        cell: Option<String>,
        /// Only check, and say what would be, and what would be lost.
        #[arg(long)]
        dry_run: bool,
    },
    /// Make the directory of one more coordinator on the same etcd.
    #[command(
        after_help = "Example:\n  gallra-coordinator replicate --dir /var/lib/gallra --to /srv/gallra-2 --listen \
                            gallra-2.example.se:7443 --enrol-listen gallra-2.example.se:7444"
    )]
    Replicate {
        /// The directory of a coordinator that works on etcd.
        #[arg(long)]
        dir: PathBuf,
        /// The directory to make; must be empty or missing.
        #[arg(long)]
        to: PathBuf,
        /// Where the new one takes sessions and commands, `host:port`.
        #[arg(long)]
        listen: String,
        /// Where hosts enrol at it, `host:port`.
        #[arg(long)]
        enrol_listen: String,
        /// A further name or address that its certificate is for; may be repeated.
        #[arg(long = "name")]
        names: Vec<String>,
    },
    /// The coordinator's state as a whole.
    Store {
        #[command(subcommand)]
        command: StoreCommand,
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
    /// The transparency log of a stopped coordinator.
    Log {
        #[command(subcommand)]
        command: LogCommand,
    },
    /// Be a witness of other organisations' logs: say that what they show grows and never changes.
    ///
    /// Runs in a directory of its own, and on a machine that is not run by whoever runs the log. A service manager starts `witness
    /// run` and ends it with SIGTERM.
    Witness {
        #[command(subcommand)]
        command: WitnessCommand,
    },
}

#[derive(Subcommand)]
enum StoreCommand {
    /// Move a stopped coordinator's state into another engine: copied, read back, compared; then the old one is served no more.
    ///
    /// May be repeated after a crash: it goes on where it was.
    #[command(after_help = "Example:\n  gallra-coordinator store copy --dir /var/lib/gallra --to etcd")]
    Copy {
        /// The directory that `init` made; its coordinator.toml says where etcd is.
        #[arg(long)]
        dir: PathBuf,
        /// Where to.
        #[arg(long)]
        to: moving::Engine,
    },
}

#[derive(Subcommand)]
enum LogCommand {
    /// Have another log go on where this one cannot: its key is lost or somebody else had it, or its store went back. Cannot be
    /// taken back. Root holders sign both files; the new log's key lies in the directory, as log-NAME.key.
    #[command(
        after_help = "Example:\n  gallra-coordinator log succeed --dir /var/lib/gallra/coordinator --succession \
                            succession.json --manifest manifest.json --dry-run"
    )]
    Succeed {
        /// The directory that `init` made.
        #[arg(long)]
        dir: PathBuf,
        /// What `gallra log succession sign` wrote, signed by enough root holders.
        #[arg(long, value_name = "FILE")]
        succession: PathBuf,
        /// The next key manifest, which names the new log, signed by enough root holders.
        #[arg(long, value_name = "FILE")]
        manifest: PathBuf,
        /// Only check, and say what will be.
        #[arg(long)]
        dry_run: bool,
        /// Of a demonstration's directory: its time.
        #[arg(long, value_name = "INSTANT")]
        demonstration_clock: Option<Instant>,
    },
}

impl LogCommand {
    async fn run(self) -> anyhow::Result<()> {
        let Self::Succeed { dir, succession, manifest, dry_run, demonstration_clock } = self;
        let layout = Layout::new(dir);
        layout.keep_to_clock(if demonstration_clock.is_some() { Clock::Simulated } else { Clock::Real })?;
        let words = Words { succession: envelope(&succession)?, manifest: envelope(&manifest)? };
        let core = opening::open_to_read(&layout, demonstration_clock).await?;
        let text = gallra_coordinator::succession::run(&core, &layout, &words, dry_run).await?;
        std::io::stdout().write_all(text.as_bytes()).context("what was done could not be printed")
    }
}

fn envelope(path: &Path) -> anyhow::Result<Envelope> {
    let text = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} holds no signed statement", path.display()))
}

#[derive(Subcommand)]
enum WitnessCommand {
    /// Make a new witness; prints its public key, for the logs and for who reads their proofs.
    #[command(after_help = "Example:\n  gallra-coordinator witness init --dir /var/lib/gallra-witness --name \
                            witness.auditor.example/w1")]
    Init {
        /// The directory to make; must be empty or missing.
        #[arg(long)]
        dir: PathBuf,
        /// The name of its key: stands in every cosignature, and never changes.
        #[arg(long)]
        name: String,
        /// Where requests are taken. Plain HTTP: what is said is signed, and a reverse proxy adds TLS.
        #[arg(long, default_value = "127.0.0.1:7345")]
        listen: String,
    },
    /// Witness one more log, from its beginning; for a stopped witness.
    #[command(after_help = "Example:\n  gallra-coordinator witness add-log --dir /var/lib/gallra-witness --key \
                            log.provider.example/2026a+1a2b3c4d+AVeQ...")]
    AddLog {
        /// The directory that `witness init` made.
        #[arg(long)]
        dir: PathBuf,
        /// The log's public key, `name+id+base64`, from who runs it.
        #[arg(long)]
        key: String,
        /// The first line of its checkpoints, where it is another one than the key's name.
        #[arg(long)]
        origin: Option<String>,
    },
    /// Answer `POST /add-checkpoint` until SIGTERM or SIGINT.
    Run {
        /// The directory that `witness init` made.
        #[arg(long)]
        dir: PathBuf,
        /// In the place of what `witness.toml` says.
        #[arg(long)]
        listen: Option<String>,
    },
}

impl WitnessCommand {
    async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Init { dir, name, listen } => {
                let key = witness::init(&dir, &name, &listen)?;
                writeln!(std::io::stdout(), "{key}").context("the key could not be printed; it is in witness.vkey")
            }
            Self::AddLog { dir, key, origin } => witness::add_log(&dir, &key, origin),
            Self::Run { dir, listen } => witness::run(&dir, listen).await,
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let run = || -> anyhow::Result<()> {
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(async {
            let telemetry = outlets(&arguments.command)?;
            let done = match arguments.command {
                Command::Init {
                    dir,
                    installation,
                    listen,
                    enrol_listen,
                    names,
                    policy,
                    operator,
                    provider,
                    country,
                    contact,
                    authority,
                    root_holder,
                    time_authorities,
                    log_origin,
                    approver,
                } => {
                    let init = Init {
                        dir,
                        installation,
                        listen,
                        enrol_listen,
                        names,
                        policy,
                        operator,
                        provider,
                        country,
                        contact,
                        authority,
                        root_holder,
                        time_authorities,
                        log_origin,
                        approver,
                    };
                    init::run(&init).await
                }
                Command::Backup { dir } => epochs::back_up(&Layout::new(dir)).await,
                Command::Restore { dir, from, adopt: _, cell, dry_run } => {
                    let from = from.map_or(Source::Snapshot, Source::File);
                    restore::print(&restore::run(&Layout::new(dir), Restore { from, cell, dry_run }).await?)
                }
                Command::Replicate { dir, to, listen, enrol_listen, names } => {
                    replicate::run(&Replicate { from: dir, to, listen, enrol_listen, names })
                }
                Command::Store { command: StoreCommand::Copy { dir, to } } => moving::run(&Layout::new(dir), to).await,
                Command::Serve { dir, demonstration_clock } => serve::run(&Layout::new(dir), demonstration_clock).await,
                Command::Log { command } => command.run().await,
                Command::Witness { command } => command.run().await,
            };
            telemetry.end().await;
            done
        })
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The outlets may be what failed.
            let _ = gallra_telemetry::to_stderr();
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Log lines, and the spans of what serves, where a collector is configured.
fn outlets(command: &Command) -> anyhow::Result<Telemetry> {
    let mut collector = None;
    if let Command::Serve { dir, .. } = command {
        let layout = Layout::new(dir.clone());
        // A directory that cannot be read is told of by who reads it next.
        if let Ok(config) = layout.config() {
            collector = config.telemetry.collector(&layout)?;
        }
    }
    let Some(collector) = collector else {
        gallra_telemetry::to_stderr()?;
        return Ok(Telemetry::none());
    };
    Ok(gallra_telemetry::with_collector("gallra-coordinator", env!("CARGO_PKG_VERSION"), &collector)?)
}
