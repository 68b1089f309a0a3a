//! A witness's directory: what is where, how it is made, who holds it.
//!
//! ```text
//! witness.toml     name, address, and the logs with their keys; no secret
//! witness.key      signs cosignatures (0600). Whoever has it can vouch for a log that has two histories.
//! witness.vkey     its public half, `name+id+base64`: give it to the logs, and to who reads their proofs
//! heads/           what was cosigned last, a file a log. Never restore an older one.
//! conflict-*.txt   two notes of a log of one size: the proof that it has two histories
//! lock             held while a process runs
//! ```

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use gallra_log::note::{Key, Kind, Signer, is_name};
use gallra_proof::key::SigningKey;
use rustix::fs::{FlockOperation, flock};
use zeroize::Zeroizing;

use super::config::{Config, LogConfig};
use super::head::{self, Newest};
use crate::core::random;
use crate::layout::{make_private_dir, write_new};

/// Makes a new witness in a directory that is empty or missing. Gives its public key, to hand around.
///
/// # Errors
/// Says what was in the way.
pub fn init(dir: &Path, name: &str, listen: &str) -> anyhow::Result<Key> {
    ensure!(is_name(name), "--name: expected a key's name, as in witness.example/w1");
    let has_content = fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
    ensure!(!has_content, "{} is not empty: init makes a new witness only", dir.display());
    make_private_dir(dir)?;
    make_private_dir(&heads(dir))?;
    let pem = Zeroizing::new(SigningKey::from_seed(&random()?).to_pem()?);
    let public = Signer::from_pem(name, Kind::Witness, &pem)?.public().clone();
    write_new(&dir.join("witness.key"), 0o600, pem.as_bytes())?;
    write_new(&dir.join("witness.vkey"), 0o644, format!("{public}\n").as_bytes())?;
    let config = Config { name: name.to_owned(), listen: listen.to_owned(), logs: Vec::new() };
    write_new(&dir.join("witness.toml"), 0o644, toml::to_string(&config)?.as_bytes())?;
    sync(dir)?;
    Ok(public)
}

/// Adds a log to a witness that is not running. Its head begins at nothing, or goes on where there is one from before.
///
/// # Errors
/// Says what was in the way.
pub fn add_log(dir: &Path, key: &str, origin: Option<String>) -> anyhow::Result<()> {
    let _held = hold(dir)?;
    let name = key.parse::<Key>().context("--key")?.name().to_owned();
    let new = LogConfig { origin: origin.unwrap_or(name), keys: vec![key.to_owned()] };
    let log = new.read()?;
    let known = config(dir)?;
    ensure!(known.logs.iter().all(|other| other.origin != new.origin), "{} is witnessed already", new.origin);
    // Appended, so that an admin's own lines and remarks stay.
    let path = dir.join("witness.toml");
    let origin = toml::Value::String(new.origin.clone());
    let text = format!(
        "{}\n[[log]]\norigin = {origin}\nkeys = [{}]\n",
        fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?,
        toml::Value::String(key.to_owned()),
    );
    Config::parse(&text).context("the log cannot be appended: write it by hand")?;
    // First, since a log without a head stops the witness, and a head without a log is nothing.
    if !head::path(&heads(dir), &log.origin).exists() {
        head::store(&heads(dir), &log.origin, &Newest::NOTHING)?;
    }
    let draft = dir.join("witness.toml.new");
    let replace = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&draft)?;
        io::Write::write_all(&mut file, text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, &path)
    };
    replace().with_context(|| format!("{} cannot be written", path.display()))?;
    sync(dir)
}

/// Where the heads are.
pub(super) fn heads(dir: &Path) -> PathBuf {
    dir.join("heads")
}

/// Holds the directory for this process; a second one is refused. Until the file is dropped.
pub(super) fn hold(dir: &Path) -> anyhow::Result<File> {
    ensure!(dir.join("witness.toml").exists(), "{}: `gallra-coordinator witness init` makes a witness", dir.display());
    let path = dir.join("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = file.with_context(|| format!("{} cannot be opened", path.display()))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)
        .with_context(|| format!("{}: another process is this witness", dir.display()))?;
    Ok(file)
}

/// Reads `witness.toml`.
pub(super) fn config(dir: &Path) -> anyhow::Result<Config> {
    Config::parse(&read(dir, "witness.toml")?)
}

/// Reads the key, and refuses one that is not the published half's: its cosignatures would be taken by nobody.
pub(super) fn signer(dir: &Path, config: &Config) -> anyhow::Result<Signer> {
    let pem = Zeroizing::new(read(dir, "witness.key")?);
    let signer = Signer::from_pem(&config.name, Kind::Witness, &pem).context("witness.key")?;
    ensure!(
        read(dir, "witness.vkey")?.trim_end() == signer.public().to_string(),
        "witness.key under the name {} is not the key of witness.vkey: was the name in witness.toml changed?",
        config.name
    );
    Ok(signer)
}

fn read(dir: &Path, name: &str) -> anyhow::Result<String> {
    let path = dir.join(name);
    fs::read_to_string(&path)
        .with_context(|| format!("{} cannot be read; `gallra-coordinator witness init` makes it", path.display()))
}

fn sync(dir: &Path) -> anyhow::Result<()> {
    File::open(dir).and_then(|opened| opened.sync_all()).with_context(|| format!("{} cannot be synced", dir.display()))
}
