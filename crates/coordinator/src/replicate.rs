//! `gallra-coordinator replicate`: the directory of one more coordinator on the same etcd, made from the first one's. Owns which files
//! are the same for all and which are each one's own; refuses where the state is not in etcd.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use gallra_identity::Authority;

use crate::clock::real_now;
use crate::generation;
use crate::init::{leaf_validity, server_names, write_credential};
use crate::layout::{Layout, make_private_dir, write_new};
use crate::opening::split_pem;

/// What it is told.
pub struct Replicate {
    /// The directory of a coordinator that works on etcd.
    pub from: PathBuf,
    /// The directory to make.
    pub to: PathBuf,
    /// Where the new one takes sessions and commands, `host:port`.
    pub listen: String,
    /// Where hosts enrol at it, `host:port`.
    pub enrol_listen: String,
    /// Further names that its certificate is for.
    pub names: Vec<String>,
}

/// Files that all coordinators of an installation have alike. The key-wrapping keys are not copied: they are shared.
fn is_common(name: &str) -> bool {
    let issuer = name.starts_with("issuer");
    issuer
        || ["authority.pem", "anchor", "permit.key", "permit.pub", "log.key", "clock", generation::FILE].contains(&name)
}

/// Makes it, and says what the others have to be told.
///
/// # Errors
/// Says what was in the way; what was made so far is left, and a second run refuses it.
pub fn run(told: &Replicate) -> anyhow::Result<()> {
    let (from, to) = (Layout::new(&told.from), Layout::new(&told.to));
    let config = from.config()?;
    let Some(etcd) = &config.etcd else {
        anyhow::bail!(
            "{}: coordinator.toml has no [etcd]: only there several coordinators work on one store",
            told.from.display()
        );
    };
    let empty = fs::read_dir(&told.to).map_or(true, |mut entries| entries.next().is_none());
    ensure!(empty, "{} is not empty: replicate makes a new directory only", told.to.display());
    make_private_dir(&told.to)?;
    for entry in fs::read_dir(&told.from).with_context(|| format!("{} cannot be read", told.from.display()))? {
        let name = entry?.file_name().into_string().unwrap_or_default();
        if is_common(&name) {
            copy(&from.path(&name), &to.path(&name))?;
        }
    }
    make_private_dir(&to.path("policy"))?;
    for entry in fs::read_dir(from.path("policy")).context("policy/ cannot be read")? {
        let entry = entry?;
        copy(&entry.path(), &to.path("policy").join(entry.file_name()))?;
    }
    for file in [&etcd.authority, &etcd.certificate, &etcd.key].into_iter().flatten().filter(|file| file.is_relative())
    {
        copy(&from.path_of(file), &to.path_of(file))?;
    }
    make_private_dir(&to.path(crate::ledger::FOLDER))?;
    let (key, cert) = split_pem(&from.read("authority.pem")?)?;
    let names = server_names(&told.listen, &told.enrol_listen, &told.names)?;
    let server = Authority::from_pem(&cert, &key)?.issue_server(&names, real_now(), leaf_validity())?;
    write_credential(&to.path("server.pem"), &server)?;
    let keys = fs::canonicalize(from.keys(&config)).context("the folder of the key-wrapping keys")?;
    // Where it is not made yet, as it is named: relative, it would be another folder.
    let archive = config.archive.as_ref().map(|_| from.archive(&config));
    let archive = archive.map(|folder| fs::canonicalize(&folder).or_else(|_| std::path::absolute(&folder))).transpose();
    let archive = archive.context("the archive's folder")?;
    let mut others: Vec<String> = std::iter::once(config.listen.clone()).chain(config.others.iter().cloned()).collect();
    others.retain(|other| *other != told.listen);
    let first = config.listen.clone();
    let mut new = config;
    new.keys = Some(keys);
    new.archive = archive;
    new.others = others;
    new.listen.clone_from(&told.listen);
    new.enrol_listen.clone_from(&told.enrol_listen);
    // Each serves the log where it is; one address is enough, and two cannot listen on the same.
    new.log.listen = None;
    // Last: without it the directory is none.
    write_new(&to.path("coordinator.toml"), 0o644, toml::to_string(&new)?.as_bytes())?;
    let mut out = std::io::stderr();
    writeln!(
        out,
        "made {}; add \"{}\" to `others` in the coordinator.toml of {first} and of every other one, and restart them one by one; \
         the key-wrapping keys are shared: {} has to be the same folder on every machine{}",
        told.to.display(),
        told.listen,
        new.keys.as_deref().unwrap_or(Path::new("")).display(),
        new.archive.as_deref().map(|folder| format!("; so has the archive, {}", folder.display())).unwrap_or_default()
    )?;
    Ok(())
}

/// With its mode, synced.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let read = || -> std::io::Result<_> { Ok((fs::read(from)?, fs::metadata(from)?.permissions().mode() & 0o777)) };
    let (content, mode) = read().with_context(|| format!("{} cannot be read", from.display()))?;
    write_new(to, mode, &content)
}
