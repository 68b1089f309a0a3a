//! `gallra log succession …`: that another log goes on where one ended, made and signed without a coordinator (`docs/log.md`,
//! section 4). What is signed is worked out against the published key file, as for key manifests; files are never written over.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use gallra_identity::ml_dsa_verifies;
use gallra_log::checkpoint::Checkpoint;
use gallra_log::note::{Key, Note};
use gallra_model::Clock;
use gallra_model::envelope::Envelope;
use gallra_model::manifest::{Manifest, Succession};
use gallra_proof::key::VerifyingKey;
use gallra_proof::succession::SuccessionError;
use gallra_proof::{manifest, succession};
use serde::Serialize;

use crate::ceremony::{self, Published};
use crate::command::Shown;
use crate::exit::{FAILED, Failure, OK, PRECONDITION, USAGE};
use crate::pair::{self, Pair};
use crate::{cause, output};

/// Successions.
#[derive(Subcommand)]
pub enum SuccessionCommand {
    /// Say that the log of the next manifest goes on where that of the published key file ended, and write what is to be signed.
    #[command(
        after_help = "Example:\n  gallra log succession create --keys keys.json --manifest manifest-4.json --checkpoint \
        last.note --out succession.json\n\nThe checkpoint is the last good one: the largest that others have seen, and no one of \
        after somebody else had the key. A witness, a mirror or a time stamp has it."
    )]
    Create {
        /// The published key file.
        #[arg(long, value_name = "FILE")]
        keys: PathBuf,
        /// The next manifest, as `gallra key manifest edit --log` or a holder's `sign` wrote it.
        #[arg(long, value_name = "FILE")]
        manifest: PathBuf,
        /// The ended log's last good checkpoint: a signed note.
        #[arg(long, value_name = "FILE")]
        checkpoint: PathBuf,
        /// What is to be signed; must not exist.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// See what it says, and sign it with one root holder's two keys. Others sign the file that comes out.
    #[command(
        after_help = "Example:\n  gallra log succession sign succession.json --keys keys.json --root /media/chair/chair --out \
        succession.chair.json"
    )]
    Sign {
        /// What `create` or another holder's `sign` wrote.
        file: PathBuf,
        /// The published key file, from where it is published.
        #[arg(long, value_name = "FILE")]
        keys: PathBuf,
        /// The holder's keys: PREFIX.key and PREFIX-ml-dsa.key.
        #[arg(long, value_name = "PREFIX")]
        root: PathBuf,
        /// The file with the signatures; must not exist.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// See what it says, and who has signed it.
    Show {
        /// A succession, signed or not.
        file: PathBuf,
        /// The published key file.
        #[arg(long, value_name = "FILE")]
        keys: PathBuf,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
}

/// What was made, signed or shown.
#[derive(Serialize)]
struct Told {
    ended: String,
    entries: u64,
    root: String,
    origin: String,
    key: String,
    at: String,
    signed: Vec<String>,
    enough: bool,
}

/// Runs one of them.
///
/// # Errors
/// What to say on stderr, and the exit code.
pub(super) fn run(command: SuccessionCommand) -> Result<u8, Failure> {
    match command {
        SuccessionCommand::Create { keys, manifest, checkpoint, out, shown } => {
            create(&keys, &manifest, (&checkpoint, &out), shown)
        }
        SuccessionCommand::Sign { file, keys, root, out, shown } => {
            let (published, envelope) = (Published::read(&keys)?, read(&file)?);
            sign(&published, &envelope, (&root, &out), shown)
        }
        SuccessionCommand::Show { file, keys, shown } => tell(&read(&file)?, before(&Published::read(&keys)?)?, shown),
    }
}

fn before(published: &Published) -> Result<&Manifest, Failure> {
    let newest = published.newest().ok_or_else(|| Failure::new(USAGE, "key file: no manifest"))?;
    Ok(&newest.predicate)
}

fn wrong(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(USAGE, format!("{}: {error}", path.display()))
}

fn create(keys: &Path, next: &Path, (note, out): (&Path, &Path), shown: Shown) -> Result<u8, Failure> {
    let published = Published::read(keys)?;
    let newest = published.newest().ok_or_else(|| Failure::new(USAGE, "key file: no manifest"))?;
    let next = manifest::follows(&ceremony::read_envelope(next)?, newest);
    let next = next.map_err(|error| Failure::new(PRECONDITION, error.to_string()))?.predicate;
    let before = &newest.predicate;
    let text = std::fs::read_to_string(note).map_err(|error| wrong(note, &error))?;
    checkpoint(before, &text).map_err(|failure| wrong(note, &failure.text))?;
    let said = Succession {
        ended: before.log.origin.clone(),
        checkpoint: text,
        origin: next.log.origin.clone(),
        key: next.log.key,
        at: cause::now(),
        clock: Clock::Real,
    };
    succession::leads(&said, before, &next).map_err(|error| failure(&error))?;
    let mut bytes = succession::bytes(&said).map_err(|error| Failure::new(FAILED, error.to_string()))?;
    let envelope = manifest::unsigned(&bytes);
    bytes.push(b'\n');
    pair::write_new(out, 0o644, &bytes)?;
    tell(&envelope, before, shown)
}

fn sign(published: &Published, envelope: &Envelope, (root, out): (&Path, &Path), shown: Shown) -> Result<u8, Failure> {
    let before = before(published)?;
    let pair = Pair::read(root)?;
    let [ed25519, ml_dsa] = pair.signers().map(|signer| signer.keyid());
    if !before.holders.iter().any(|holder| holder.ed25519 == ed25519 && holder.ml_dsa_65 == ml_dsa) {
        return Err(wrong(root, &"these keys are no root holder's of the newest manifest"));
    }
    check(envelope, before)?;
    let signed = manifest::sign(envelope, &pair.signers()).map_err(|error| Failure::new(FAILED, error.to_string()))?;
    let mut bytes = serde_json::to_vec(&signed).map_err(|error| Failure::new(FAILED, error.to_string()))?;
    bytes.push(b'\n');
    pair::write_new(out, 0o644, &bytes)?;
    tell(&signed, before, shown)
}

/// A file that is a succession: the payload that nobody has signed yet, or an envelope.
fn read(path: &Path) -> Result<Envelope, Failure> {
    let text = std::fs::read(path).map_err(|error| wrong(path, &error))?;
    let text = text.strip_suffix(b"\n").unwrap_or(&text);
    let envelope = serde_json::from_slice(text).unwrap_or_else(|_| manifest::unsigned(text));
    succession::read(&envelope).map_err(|error| wrong(path, &error))?;
    Ok(envelope)
}

fn failure(error: &SuccessionError) -> Failure {
    let code = if matches!(error, SuccessionError::Fit(_)) { PRECONDITION } else { USAGE };
    Failure::new(code, error.to_string())
}

/// Whether it ends the log that the key file names, at a checkpoint that this log's key signed. Gives what it says.
fn check(envelope: &Envelope, before: &Manifest) -> Result<(Succession, Checkpoint), Failure> {
    let said = succession::read(envelope).map_err(|error| failure(&error))?.predicate;
    if said.ended != before.log.origin {
        let why = format!("it ends the log {}, and the key file names {}", said.ended, before.log.origin);
        return Err(Failure::new(PRECONDITION, why));
    }
    let last = checkpoint(before, &said.checkpoint)?;
    Ok((said, last))
}

/// A checkpoint of the log that a manifest names.
fn checkpoint(manifest: &Manifest, note: &str) -> Result<Checkpoint, Failure> {
    let log = &manifest.log;
    let wrong = |why: &dyn std::fmt::Display| Failure::new(USAGE, format!("checkpoint of {}: {why}", log.origin));
    let key = manifest.keys.iter().find(|key| key.keyid == log.key);
    let spki = key.and_then(|key| STANDARD.decode(&key.spki).ok());
    let spki = spki.and_then(|spki| VerifyingKey::from_spki(&spki).ok()).map(|key| key.to_spki());
    let raw = spki.as_deref().and_then(<[u8]>::last_chunk::<32>);
    let raw = raw.ok_or_else(|| wrong(&"the manifest lists no key for it"))?;
    let key = Key::of_log(&log.origin, raw).map_err(|why| wrong(&why))?;
    let note: Note = note.parse().map_err(|why: gallra_log::note::NoteError| wrong(&why))?;
    let opened = Checkpoint::open(&note, &key, &[]).map_err(|why| wrong(&why))?;
    if opened.checkpoint.origin.as_str() != log.origin {
        return Err(wrong(&"it is of another log"));
    }
    Ok(opened.checkpoint)
}

/// Says what it says, and who has signed.
fn tell(envelope: &Envelope, before: &Manifest, shown: Shown) -> Result<u8, Failure> {
    let (said, last) = check(envelope, before)?;
    let names = succession::signers(envelope, before, ml_dsa_verifies).map_err(|error| failure(&error))?;
    let enough = names.len() >= usize::try_from(before.threshold).unwrap_or(usize::MAX);
    let who =
        if names.is_empty() { "nobody yet".to_owned() } else { names.iter().copied().collect::<Vec<_>>().join(", ") };
    let line = format!("signed by {who}: {} of {} needed, of {}", names.len(), before.threshold, before.holders.len());
    let told = Told {
        ended: said.ended,
        entries: last.size,
        root: last.root.to_string(),
        origin: said.origin,
        key: said.key.to_string(),
        at: said.at.to_string(),
        signed: vec![line.clone()],
        enough,
    };
    let next = if enough {
        "on the stopped coordinator: gallra-coordinator log succeed --dry-run, with the manifest"
    } else {
        "more holders sign"
    };
    let pairs = [
        ("ends", told.ended.clone()),
        ("at entries", told.entries.to_string()),
        ("root", told.root.clone()),
        ("goes on as", told.origin.clone()),
        ("under key", told.key.clone()),
        ("said at", told.at.clone()),
        ("signatures", line),
        ("next", next.to_owned()),
    ];
    output::one(shown.output, &told, &pairs);
    Ok(OK)
}
