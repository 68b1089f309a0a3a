//! `gallra log …`: the transparency log, and what somebody kept of it.

mod succession;

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use gallra_wire::v1;
use gallra_wire::v1::log_service_client::LogServiceClient;

use super::Shown;
use crate::client::connect;
use crate::exit::{FAILED, Failure, OK};
use crate::output;

/// Longest note that is sent: what a log reads.
const MOST_NOTE_BYTES: u64 = 256 * 1024;

/// The log of everything that is signed.
#[derive(Subcommand)]
pub enum LogCommand {
    /// Show the log's name and key, its size, and whether it signs.
    Show {
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// Print the newest checkpoint, as the signed note that it is.
    Checkpoint,
    /// Tell the coordinator of a checkpoint that somebody kept: one that its store does not agree with stops the log.
    #[command(after_help = "Examples:\n  gallra log hear kept.note\n  gallra log checkpoint | gallra log hear -\n\n\
        After a restore, before anything goes on: have those who were given a proof show the newest checkpoint that they have.")]
    Hear {
        /// The note's file; `-` is stdin.
        note: PathBuf,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// Print one tile of the published tree as it is: raw hashes, or entries each behind its length.
    #[command(after_help = "Example:\n  gallra log tile tile/0/000.p/7 | xxd -p -c 32")]
    Tile {
        /// Its path, as `tile/0/x001/234.p/56` or `tile/entries/000`.
        path: String,
    },
    /// Make, see and sign that another log goes on where this one cannot. Offline.
    #[command(subcommand)]
    Succession(succession::SuccessionCommand),
    /// Print one entry.
    Entry {
        /// Its index, from 0.
        index: u64,
        /// Write its .tlog-proof file here too.
        #[arg(long, value_name = "FILE")]
        evidence: Option<PathBuf>,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
}

/// Runs one of them.
///
/// # Errors
/// What to say on stderr, and the exit code.
pub async fn run(profile: Option<&Path>, command: LogCommand) -> Result<u8, Failure> {
    if let LogCommand::Succession(command) = command {
        return succession::run(command);
    }
    let failed = |what: &str, error: std::io::Error| Failure::new(FAILED, format!("{what}: {error}"));
    // Read before anybody is connected to.
    let note = if let LogCommand::Hear { note, .. } = &command {
        read(note).map_err(|error| failed("the note cannot be read", error))?
    } else {
        String::new()
    };
    let mut client = LogServiceClient::new(connect(profile).await?);
    match command {
        LogCommand::Succession(command) => return succession::run(command),
        LogCommand::Show { shown } => show(&client.get_log(v1::GetLogRequest {}).await?.into_inner(), shown),
        LogCommand::Checkpoint => {
            let log = client.get_log(v1::GetLogRequest {}).await?.into_inner();
            if log.checkpoint.is_empty() {
                let why =
                    if log.stopped.is_empty() { "nothing is signed yet (`gallra log show`)" } else { &log.stopped };
                return Err(Failure::new(FAILED, format!("there is no checkpoint: {why}")));
            }
            write(log.checkpoint.as_bytes()).map_err(|error| failed("stdout", error))?;
        }
        LogCommand::Hear { shown, .. } => {
            let request = v1::HearCheckpointRequest { checkpoint: note };
            let log = client.hear_checkpoint(request).await?.into_inner();
            show(&log, shown);
            if !log.stopped.is_empty() {
                return Err(Failure::new(FAILED, format!("the log is stopped: {}", log.stopped)));
            }
        }
        LogCommand::Tile { path } => {
            let tile = client.get_tile(v1::GetTileRequest { path }).await?.into_inner().tile;
            write(&tile).map_err(|error| failed("stdout", error))?;
        }
        LogCommand::Entry { index, evidence, shown } => {
            let entry = client.get_log_entry(v1::GetLogEntryRequest { index }).await?.into_inner();
            if let Some(path) = evidence {
                std::fs::write(&path, &entry.evidence)
                    .map_err(|error| failed("the evidence cannot be written", error))?;
            }
            match shown.output {
                output::Format::Json => output::json(&entry),
                output::Format::Table => output::line(entry.text.trim_end()),
            }
        }
    }
    Ok(OK)
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().take(MOST_NOTE_BYTES + 1).read_to_string(&mut text)?;
    } else {
        std::fs::File::open(path)?.take(MOST_NOTE_BYTES + 1).read_to_string(&mut text)?;
    }
    Ok(text)
}

fn write(bytes: &[u8]) -> std::io::Result<()> {
    std::io::stdout().write_all(bytes)
}

fn show(log: &v1::Log, shown: Shown) {
    let signs = match (log.stopped.as_str(), log.waits_for_agents) {
        ("", 0) => "yes".to_owned(),
        ("", agents) => format!("not before {agents} more agents have connected and said what they keep of the log"),
        (stopped, _) => format!("NO: {stopped}"),
    };
    let signed = if log.signed.is_empty() { "none".to_owned() } else { log.signed_size.to_string() };
    let stamped = if log.stamped.is_empty() { "none".to_owned() } else { log.stamped_size.to_string() };
    output::one(
        shown.output,
        log,
        &[
            ("origin", log.origin.clone()),
            ("key", log.vkey.clone()),
            ("entries", log.size.to_string()),
            ("root", log.root.clone()),
            ("waiting", log.waiting.to_string()),
            ("signed", signed),
            ("signed at", log.signed.clone()),
            ("stamped", stamped),
            ("stamped at", log.stamped.clone()),
            ("signs", signs),
        ],
    );
}
