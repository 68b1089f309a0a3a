//! `gallra-agent restored`: after data came back out of a copy, erases again what was erased since that copy was taken, and
//! nothing else (decision 8). Needs no coordinator: the signed entries of the suppression list are its permits, and what the
//! list does not know is not touched. Upholds I1 (lifts, holds and a stop that were heard bind it too), I4 (the journal
//! stands around every erasure) and I11 (everybody else is counted before and after).

mod erase;
mod sort;
mod tell;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use gallra_flow::agent::record::Replayed;
use gallra_flow::suppression::is_too_old;
use gallra_model::outcome::Counts;
use gallra_model::selector::Selector;
use gallra_model::suppression::{Entry, Restored};
use gallra_model::target::{Mode, TargetId, TargetInfo};
use gallra_model::{AgentName, Clock, Instant, SuppressionId};
use gallra_targets::Driver;

use crate::clock::Clocks;
use crate::config::{self, Config};
use crate::dir::{Dir, DirError, create_private_dir};
use crate::journal::{Disk as _, File, Journal};
use crate::outbox::Outbox;
use crate::privileged::Keys;
use crate::serve::{self, SOFTWARE};
use crate::suppression::{Contact, List};

/// What the host's admin asks for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The target whose data came back.
    pub target: TargetId,
    /// When the copy that it came out of was taken.
    pub taken: Instant,
    /// Say what would go, and touch nothing.
    pub dry_run: bool,
    /// The admin answers for a list that is older than the configured age.
    pub list_may_be_old: bool,
    /// Go by a list that was made under a simulated clock.
    pub accept_simulated: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Done {
    /// As it is signed.
    pub restored: Restored,
    /// Where the signed receipts are; none after a dry run.
    pub file: Option<PathBuf>,
    /// Why subjects that had to go did not; name nobody.
    pub hints: Vec<String>,
}

/// A subject that has to go again.
struct Due {
    selector: Selector,
    /// By which it goes.
    entry: SuppressionId,
    /// Whose erasures the copy undid, that one among them.
    undone: Vec<Entry>,
}

/// One restored target, opened.
struct Restore {
    agent: AgentName,
    info: TargetInfo,
    driver: Box<dyn Driver>,
    list: List,
    contact: Contact,
    keys: Keys,
    journal: Journal,
    replayed: Replayed,
    taken: Instant,
    clocks: Clocks,
    /// Where receipts, and what is begun, are kept.
    place: PathBuf,
    /// What the coordinator is told.
    outbox: Outbox,
}

/// Runs it on the machine's own clock.
///
/// # Errors
/// Why nothing was begun, or what broke it off: then the data is not released.
pub fn restored(dir: &Dir, config: &Path, ask: &Ask) -> anyhow::Result<Done> {
    restored_at(dir, config, ask, Box::new(crate::clock::moment))
}

/// The same on any clock.
///
/// # Errors
/// As [`restored`].
pub fn restored_at(dir: &Dir, config: &Path, ask: &Ask, clocks: Clocks) -> anyhow::Result<Done> {
    let _held =
        dir.lock().context("`restored` works while the agent is stopped: stop it first, and start it afterwards")?;
    let config = config::read(config)?;
    let mut restore = open(dir, &config, ask, clocks)?;
    let started = restore.now()?;
    let begun = restore.begun()?;
    let before = restore.sort(&begun)?;
    let mut done = Restored {
        agent: restore.agent.clone(),
        target: restore.info.id.clone(),
        kind: restore.info.kind,
        taken: ask.taken,
        through: restore.list.known().through(),
        heard: restore.contact.at,
        list_may_be_old: ask.list_may_be_old,
        subjects: before.subjects,
        counts: Counts::default(),
        receipts: Vec::new(),
        released: before.due.is_empty() && before.subjects.unknown == 0,
        started,
        finished: started,
        clock: restore.contact.clock,
        software: SOFTWARE.to_owned(),
    };
    if ask.dry_run {
        return Ok(Done { restored: done, file: None, hints: Vec::new() });
    }
    let (mut hints, mut again) = (Vec::new(), Vec::new());
    let mut file = restore.receipts_file()?;
    restore.begin(&before.due)?;
    for due in &before.due {
        let erased = restore.erase(due, &mut file.1)?;
        done.counts = done.counts.plus(erased.counts);
        done.receipts.extend(erased.receipt);
        match &erased.failure {
            None => done.subjects.erased += 1,
            Some(hint) => {
                done.subjects.failed += 1;
                hints.push(hint.clone());
            }
        }
        again.push((due, erased));
    }
    let after = restore.sort(&[])?;
    done.subjects.unknown = after.subjects.unknown;
    done.subjects.others_after = after.subjects.others_before;
    let others_stay = done.subjects.others_after >= done.subjects.others_before;
    done.released = done.subjects.failed == 0 && after.due.is_empty() && after.subjects.unknown == 0 && others_stay;
    if !others_stay {
        hints.push("somebody else is gone whom the list does not know: stop and look".to_owned());
    }
    if after.subjects.unknown > 0 {
        hints.push(
            "the target's trash holds remains of an erasure that was begun earlier: start the agent, which ends it, and run \
             this again; or remove from the trash what came out of the copy"
                .to_owned(),
        );
    }
    done.finished = restore.now()?.max(done.started);
    // Durable before anything is called released, and before it is forgotten who was begun with: a crash before this is a run that
    // is made again.
    for (due, erased) in &again {
        restore.tell(due, erased, &after, done.finished)?;
    }
    gallra_crash::point("restores_kept");
    let envelope = gallra_proof::suppression::sign_restored(&done, &restore.keys.evidence)?;
    file.1.append(format!("{}\n", serde_json::to_string(&envelope)?).as_bytes())?;
    file.1.sync()?;
    if done.released {
        restore.ended()?;
    }
    Ok(Done { restored: done, file: Some(file.0), hints })
}

/// Opens what is needed, and refuses what must not be begun.
fn open(dir: &Dir, config: &Config, ask: &Ask, clocks: Clocks) -> anyhow::Result<Restore> {
    let joined = dir.read_joined()?;
    let keys = serve::keys(dir, &joined, config)?;
    let (info, driver) = target(config, &ask.target)?;
    let (journal, records) = Journal::open(&dir.privileged().join("journal"))?;
    let replayed = Replayed::of(records);
    ensure!(
        !replayed.order.as_ref().is_some_and(|order| order.halted),
        "the emergency stop is pulled, and binds this too: nothing was touched, and nothing is released"
    );
    let list = List::open(&dir.privileged(), &joined.agent, &keys.permit)?;
    let contact = usable(&list, ask, config.restore.list_max_age_days, clocks()?.now)?;
    let place = dir.privileged().join("restores");
    create_private_dir(&place)?;
    let outbox = Outbox::open(&dir.privileged())?;
    let agent = joined.agent;
    Ok(Restore { agent, info, driver, list, contact, keys, journal, replayed, taken: ask.taken, clocks, place, outbox })
}

fn target(config: &Config, name: &TargetId) -> anyhow::Result<(TargetInfo, Box<dyn Driver>)> {
    let section = config.targets.iter().find(|section| section.id == *name);
    let section = section.with_context(|| format!("agent.toml has no target {name}: nothing was looked at"))?;
    ensure!(
        section.mode == Mode::Act,
        "target {name} is in observe mode: nothing in it may be erased again, so nothing is released"
    );
    let driver = gallra_targets::open(section)?;
    Ok((gallra_targets::config::info(section, driver.as_ref()), driver))
}

/// When the list was last complete, if it may be gone by.
fn usable(list: &List, ask: &Ask, max_age_days: u32, now: Instant) -> anyhow::Result<Contact> {
    let Some(contact) = list.contact() else {
        bail!(
            "this agent never heard all of its suppression list, so nobody can say what must go again: start it, let it \
             connect once, and run this again"
        );
    };
    let simulated = contact.clock == Clock::Simulated;
    ensure!(
        !simulated || ask.accept_simulated,
        "the suppression list is under a simulated clock: --accept-simulated-clock, if this is a demonstration"
    );
    // A simulated clock stands still while nobody moves it: its list ages by this machine's.
    let heard = if simulated { contact.heard } else { contact.at };
    ensure!(
        ask.list_may_be_old || !is_too_old(heard, now, max_age_days),
        "the suppression list was last complete at {}, more than {max_age_days} days from now: let the agent connect, or \
         answer for what was erased, lifted and held since with --list-may-be-old",
        contact.at
    );
    let latest = if simulated { contact.at } else { now };
    ensure!(ask.taken <= latest, "--taken lies in the future: a copy of then would be later than every erasure");
    Ok(contact)
}

impl Restore {
    /// The time under which receipts are signed.
    fn now(&self) -> anyhow::Result<Instant> {
        Ok(match self.contact.clock {
            Clock::Real => (self.clocks)()?.now,
            Clock::Simulated => self.contact.at,
        })
    }

    /// A new file for this restore's receipts.
    fn receipts_file(&self) -> anyhow::Result<(PathBuf, File)> {
        let nonce = (self.clocks)()?.nonce.to_string();
        let path = self.place.join(format!("{}-{}.jsonl", self.info.id, nonce.get(..16).unwrap_or(&nonce)));
        let file = File::open(&path)?;
        Ok((path, file))
    }

    /// Where ids stand while they are being erased, so that a restore that broke off is taken up: a tree that is in the
    /// trash has no name there any more. Only root reads it, and it is removed once all are gone.
    fn begun_path(&self) -> PathBuf {
        self.place.join(format!("begun-{}", self.info.id))
    }

    /// Whom an earlier run began with and did not end.
    fn begun(&self) -> anyhow::Result<Vec<Selector>> {
        let path = self.begun_path();
        if !path.exists() {
            return Ok(Vec::new());
        }
        let bytes = std::fs::read(&path).map_err(DirError::at("reading", &path))?;
        // The parser's own words may quote an id.
        serde_json::from_slice(&bytes)
            .map_err(|_| anyhow::anyhow!("{} is damaged: who was begun with is unknown", path.display()))
    }

    fn begin(&self, due: &[Due]) -> anyhow::Result<()> {
        if due.is_empty() {
            return Ok(());
        }
        let selectors: Vec<&Selector> = due.iter().map(|due| &due.selector).collect();
        File::open(&self.begun_path())?.replace(&serde_json::to_vec(&selectors)?)?;
        Ok(())
    }

    fn ended(&self) -> anyhow::Result<()> {
        let path = self.begun_path();
        if path.exists() {
            std::fs::remove_file(&path).map_err(DirError::at("removing", &path))?;
            crate::dir::sync_parent(&path)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
