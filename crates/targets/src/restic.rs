//! A restic repository, observed: lists the copies that hold a customer's paths, says when the provider's own routine
//! should remove each, and whether removed ones were reclaimed. Changes nothing in the store: strategy `observe` only.
//! Upholds decision 7, and that a repository that is missing, or another one, is never an empty one.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde::Deserialize;

use gallra_model::Instant;
use gallra_model::copy::{CopyListing, ListedCopy};
use gallra_model::digest::Digest;
use gallra_model::id::CopyId;
use gallra_model::job::Question;
use gallra_model::outcome::Counts;
use gallra_model::receipt::Code;
use gallra_model::selector::Selector;
use gallra_model::target::{CopyLife, TargetKind};

use crate::driver::{Boundary, Confirmation, Driver, Failure, Inspection};

mod expect;
#[doc(hidden)]
pub mod fuzzing;
mod holds;
pub mod keep;
pub mod pack;
mod place;
mod program;
mod reclaim;
mod snapshot;
#[cfg(test)]
mod tests;

use expect::Routine;
use keep::Rules;
use place::Place;
use program::{Program, json};
use snapshot::{Holds, Snapshot, Wanted};

pub use pack::{PackSearch, search};
pub use snapshot::GroupBy;

/// The `[target.restic]` keys of `agent.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name or path of the program.
    #[serde(default = "restic_program")]
    pub program: String,
    /// The repository: an absolute path, or what restic takes for one elsewhere.
    pub repository: String,
    /// The file with its password.
    pub password_file: PathBuf,
    /// What of a customer a snapshot can hold: absolute paths with `{service}` or `{customer}`. One without holds
    /// every customer's data.
    pub paths: Vec<String>,
    /// The keep rules of the provider's `forget`; none means that they are not known.
    #[serde(default)]
    pub keep: Rules,
    /// Days between the routine's snapshots.
    pub every_days: u32,
    /// Days between its runs of `forget --prune`; unset: with every snapshot.
    #[serde(default)]
    pub prune_every_days: Option<u32>,
    /// By what its `forget` groups snapshots; restic's own default is host and paths.
    #[serde(default = "host_and_paths")]
    pub group_by: Vec<GroupBy>,
    /// Where restic may cache; unset: nowhere.
    #[serde(default)]
    pub cache_dir: Option<PathBuf>,
    /// Whether the routine makes snapshots per customer, so that a customer's group gets no newer one after it left.
    #[serde(default)]
    pub own_group: bool,
    /// The `id` that `restic cat config` shows; when given, any other repository is refused.
    #[serde(default)]
    pub repository_id: Option<String>,
    /// Longest time of one call of restic, in minutes.
    #[serde(default = "ten_minutes")]
    pub timeout_minutes: u32,
}

fn restic_program() -> String {
    "restic".to_owned()
}

fn host_and_paths() -> Vec<GroupBy> {
    vec![GroupBy::Host, GroupBy::Paths]
}

fn ten_minutes() -> u32 {
    10
}

/// The driver.
pub struct Restic {
    restic: Program,
    place: Place,
    paths: Vec<String>,
    routine: Routine,
    group_by: Vec<GroupBy>,
    repository_id: Option<String>,
    memory: holds::Memory,
    /// The repository's id, under the digest of the `config` file that it was read from.
    identity: Mutex<Option<(Digest, String)>>,
    keeps_oldest: OnceLock<bool>,
}

impl Restic {
    /// Takes the configuration; touches nothing yet.
    ///
    /// # Errors
    /// Which key is wrong, and what to write instead.
    pub fn open(config: &Config) -> Result<Self, String> {
        let place = Place::of(&config.repository)?;
        let prune_every_days = config.prune_every_days.unwrap_or(config.every_days);
        if ![config.every_days, prune_every_days].iter().all(|days| (1..=3660).contains(days)) {
            return Err("`every_days` and `prune_every_days` are whole days from 1 to 3660".into());
        }
        if config.paths.is_empty() || !config.paths.iter().all(|path| snapshot::is_plain_path(path)) {
            return Err("`paths` lists absolute paths without empty, . or .. names, at least one".into());
        }
        if config.repository_id.as_deref().is_some_and(|id| !place::is_id(id)) {
            return Err("`repository_id` is the 64 hex characters that `restic cat config` shows as id".into());
        }
        let minutes = u64::from(config.timeout_minutes.max(1));
        Ok(Self {
            restic: Program {
                program: config.program.clone(),
                repository: config.repository.clone().into(),
                password_file: config.password_file.clone(),
                cache_dir: config.cache_dir.clone(),
                limit: Duration::from_secs(minutes * 60),
            },
            place,
            paths: config.paths.clone(),
            routine: Routine {
                rules: config.keep.clone(),
                every_days: config.every_days,
                prune_every_days,
                own_group: config.own_group,
            },
            group_by: config.group_by.clone(),
            repository_id: config.repository_id.clone(),
            memory: holds::Memory::default(),
            identity: Mutex::new(None),
            keeps_oldest: OnceLock::new(),
        })
    }

    /// The repository's id and all of its snapshots, oldest first.
    fn look(&self) -> Result<(String, Vec<Snapshot>), Failure> {
        let seal = self.place.sentinel()?;
        let before = self.files_of_snapshots()?;
        let (id, snapshots) = std::thread::scope(|scope| {
            let id = scope.spawn(|| self.id(seal));
            let snapshots = self.restic.read(&["snapshots", "--json"], |answer| snapshot::parse(answer));
            let id = id.join().unwrap_or_else(|_| Err(Failure::new(Code::Target, "the repository's id was not read")));
            Ok::<_, Failure>((id?, snapshots?))
        })?;
        if self.repository_id.as_ref().is_some_and(|expected| *expected != id) {
            return Err(Failure::new(
                Code::SentinelMissing,
                "another repository than `repository_id` names lies where this target's should: nothing was concluded",
            ));
        }
        // A snapshot that was there before and after must be in the list between.
        let after = self.files_of_snapshots()?;
        let listed: BTreeSet<&str> = snapshots.iter().map(|snapshot| snapshot.id.as_str()).collect();
        if before.intersection(&after).any(|id| place::is_id(id) && !listed.contains(id.as_str())) {
            return Err(Failure::new(Code::Target, "restic leaves out a snapshot of this target: run `restic check`"));
        }
        Ok((id, snapshots))
    }

    fn files_of_snapshots(&self) -> Result<BTreeSet<String>, Failure> {
        match &self.place {
            Place::Local(_) => self.place.ids(&self.restic, "snapshots"),
            // Asking restic twice shows no more than asking it once.
            Place::Remote => Ok(BTreeSet::new()),
        }
    }

    /// The repository's own id. `seal` is the digest of its `config` file: as long as that stays, so does the id.
    fn id(&self, seal: Option<Digest>) -> Result<String, Failure> {
        let mut identity = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(seal), Some((known, id))) = (seal, identity.as_ref())
            && seal == *known
        {
            return Ok(id.clone());
        }
        let id = self.restic.read(&["cat", "config"], |answer| {
            let config: RepositoryConfig = json(answer)?;
            place::is_id(&config.id).then_some(config.id)
        })?;
        *identity = seal.map(|seal| (seal, id.clone()));
        Ok(id)
    }

    fn keeps_oldest(&self) -> Result<bool, Failure> {
        if let Some(known) = self.keeps_oldest.get() {
            return Ok(*known);
        }
        let version = self.restic.version()?;
        Ok(*self.keeps_oldest.get_or_init(|| version >= (0, 16)))
    }

    /// Trees of snapshots that only a look into them can decide about.
    fn trees_with<'a>(
        &self,
        wanted: &Wanted,
        open: impl Iterator<Item = &'a Snapshot>,
    ) -> Result<BTreeSet<String>, Failure> {
        let asked: Vec<&Snapshot> = open.filter(|snapshot| wanted.held_by(snapshot) == Holds::Perhaps).collect();
        holds::trees_with(&self.restic, &self.memory, wanted, &asked)
    }
}

#[derive(Deserialize)]
struct RepositoryConfig {
    id: String,
}

/// A snapshot's name outside the host: it leads nobody back to the repository.
fn copy_id(repository: &str, snapshot: &Snapshot) -> CopyId {
    CopyId::from_digest(&Digest::of_parts(&[repository.as_bytes(), snapshot.id.as_bytes()]))
}

fn unsupported(what: &str) -> Failure {
    Failure::new(
        Code::Unsupported,
        format!("this target cannot {what}: its strategy is observe, so copies leave by the store's own keep rules"),
    )
}

impl Driver for Restic {
    fn kind(&self) -> TargetKind {
        TargetKind::Restic
    }

    fn copy_life(&self) -> Option<CopyLife> {
        Some(self.routine.life())
    }

    fn inspect(&self, _selector: &Selector) -> Result<Inspection, Failure> {
        Err(unsupported("be inspected like live data"))
    }

    fn restrict(&self, _selector: &Selector, _seen: &Inspection) -> Result<u64, Failure> {
        Err(unsupported("restrict"))
    }

    fn erase(&self, _selector: &Selector, _seen: &Inspection, _boundary: &mut dyn Boundary) -> Result<Counts, Failure> {
        Err(unsupported("erase"))
    }

    fn confirm(&self, _selector: &Selector, _seen: &Inspection) -> Result<Confirmation, Failure> {
        Err(unsupported("confirm an erasure"))
    }

    fn observe(&self, selector: &Selector, question: &Question, now: Instant) -> Result<CopyListing, Failure> {
        let wanted = Wanted::fill(&self.paths, selector)?;
        self.place.sentinel()?;
        // Before the snapshots are listed, so that a run that ends in between is in the list.
        let run_under_way = !self.place.ids(&self.restic, "locks")?.is_empty();
        let (repository, snapshots) = self.look()?;
        let ids: Vec<CopyId> = snapshots.iter().map(|snapshot| copy_id(&repository, snapshot)).collect();
        let known: BTreeSet<&CopyId> = question.known.iter().collect();
        let counts = |snapshot: &Snapshot| question.cutoff.is_none_or(|cutoff| snapshot.moment.instant() < cutoff);
        let open = snapshots.iter().zip(&ids).filter(|(snapshot, id)| counts(snapshot) && !known.contains(id));
        let trees = self.trees_with(&wanted, open.map(|(snapshot, _)| snapshot))?;
        let holds = |snapshot: &Snapshot| match wanted.held_by(snapshot) {
            Holds::Yes => true,
            Holds::Perhaps => trees.contains(&snapshot.tree),
            Holds::No => false,
        };
        let expected = snapshot::expectations(&snapshots, &self.group_by, &self.routine, now, self.keeps_oldest()?);
        let copies = snapshots.iter().zip(&ids).zip(expected).filter_map(|((snapshot, copy), expected)| {
            let listed = known.contains(copy) || (counts(snapshot) && holds(snapshot));
            listed.then(|| ListedCopy { copy: *copy, began: snapshot.moment.instant(), expected })
        });
        let copies = copies.collect();
        let left = question.known.iter().any(|copy| !ids.contains(copy));
        let reclaimed = if left { Some(reclaim::count(&self.restic, &self.place)?) } else { None };
        Ok(CopyListing { repository: Digest::of(repository.as_bytes()), listed: now, run_under_way, copies, reclaimed })
    }
}
