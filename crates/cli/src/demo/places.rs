//! The canary search: looks for a person's words in every place that could hold them. The same search runs before the
//! erasure, when it must hit in every place, and after the end, when it must hit in none.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use gallra_store::Keyring;
use gallra_store::keys::Family;
use gallra_store::search::Needles;
use gallra_targets::restic::pack;

use super::provider::files;

/// What the search found in one kind of place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which.
    pub name: &'static str,
    /// How many files, values or blobs were looked at.
    pub looked: u64,
    /// How many hold a needle.
    pub hits: u64,
}

impl Place {
    /// Whether it is a place where nothing that names anyone should ever be, before the erasure either.
    pub fn is_elsewhere(&self) -> bool {
        matches!(self.name, "other store values" | "all other files")
    }
}

/// Searches a stopped coordinator's site. `after` adds every other file of the folder, logs and proofs included.
///
/// # Errors
/// When a place could not be searched: that is never "nothing found".
pub fn search(folder: &Path, site: &Path, needles: &[&str]) -> anyhow::Result<Vec<Place>> {
    let [sealed, open] = in_store(site, needles)?;
    Ok(vec![
        count("web files", &files(&site.join("srv/www"))?, needles)?,
        count("mail", &files(&site.join("srv/mail"))?, needles)?,
        in_register(&site.join("srv"), needles)?,
        in_backups(site, needles)?,
        sealed,
        open,
        in_everything_else(folder, site, needles)?,
    ])
}

fn hit(bytes: &[u8], needles: &[&str]) -> bool {
    Needles::new(needles.iter().copied()).in_bytes(bytes)
}

fn count(name: &'static str, paths: &[std::path::PathBuf], needles: &[&str]) -> anyhow::Result<Place> {
    let mut place = Place { name, looked: 0, hits: 0 };
    for path in paths {
        let bytes = fs::read(path).with_context(|| path.display().to_string())?;
        place.looked += 1;
        // A file's own name can be the address as well.
        place.hits += u64::from(hit(&bytes, needles) || hit(path.as_os_str().as_encoded_bytes(), needles));
    }
    Ok(place)
}

/// The database's file and whatever SQLite keeps beside it.
fn in_register(srv: &Path, needles: &[&str]) -> anyhow::Result<Place> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(srv)? {
        let path = entry?.path();
        if path.is_file() {
            paths.push(path);
        }
    }
    count("register pages", &paths, needles)
}

/// Every blob of every pack file, unreferenced ones included, decrypted.
fn in_backups(site: &Path, needles: &[&str]) -> anyhow::Result<Place> {
    let needles: Vec<Vec<u8>> = needles.iter().map(|needle| needle.as_bytes().to_vec()).collect();
    let found = pack::search(&site.join("backup/repo"), &site.join("backup/password"), "restic", &needles)?;
    anyhow::ensure!(found.unreadable == 0, "{} pack files of the repository cannot be read", found.unreadable);
    Ok(Place { name: "backup blobs", looked: found.blobs, hits: found.hits })
}

/// Every live value of the store, sealed ones opened with every key on disk: first the sealed ones alone, then all others.
fn in_store(site: &Path, needles: &[&str]) -> anyhow::Result<[Place; 2]> {
    let keyring = Keyring::open(&site.join("coordinator/keys"))?;
    let needles = Needles::new(needles.iter().copied());
    let report = gallra_store::search::search(&site.join("coordinator/store"), &keyring, &needles)?;
    let (total, sealed) = (report.total(), report.of(Family::Sealed));
    anyhow::ensure!(
        total.sealed_unreadable == 0,
        "{} sealed values cannot be opened with the keys on disk",
        total.sealed_unreadable
    );
    Ok([
        Place { name: "sealed store values", looked: sealed.sealed_opened, hits: sealed.hits },
        Place { name: "other store values", looked: total.entries - sealed.entries, hits: total.hits - sealed.hits },
    ])
}

/// Every other file of the folder: state, configuration, keys, logs, proofs, the timeline.
fn in_everything_else(folder: &Path, site: &Path, needles: &[&str]) -> anyhow::Result<Place> {
    let searched = [site.join("srv"), site.join("backup/repo")];
    let mut paths = files(folder)?;
    paths.retain(|path| !searched.iter().any(|root| path.starts_with(root)));
    count("all other files", &paths, needles)
}
