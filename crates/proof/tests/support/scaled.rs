//! Stories as large as wanted: so many live targets, so many copies of each backup, so many looks at them. What a file's size and
//! the time of its making and checking depend on.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a story with a missing part should fail at once")]

use std::collections::BTreeMap;

use gallra_model::copy::{CopyListing, Expected, ListedCopy, Reclaimed};
use gallra_model::job::Action;
use gallra_model::plan::{After, Step};
use gallra_model::target::{Role, TargetKind};
use gallra_model::{CopyId, Day, Digest, Instant, JobId};
use gallra_proof::key::SigningKey;
use jiff::{SignedDuration, ToSpan as _};

use super::parts::keep;
use super::{Story, at, day, keys};

/// Live targets of one agent.
const TARGETS_OF_AN_AGENT: usize = 4;
/// Days that a copy lives.
const LIFE_DAYS: usize = 180;
/// When the last copy that holds the data began.
const LAST_COPY: &str = "2026-02-28T03:00:00Z";

/// How often the backup store is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Looks {
    /// The look that closes the set, one halfway, and the last.
    Three,
    /// The one that closes the set, and one the day after each copy should have gone: what the coordinator asks for.
    EachCopy,
}

impl Story {
    /// A final proof's story of so many live targets, on an agent for each four of them, and so many copies of one backup store,
    /// spread over the days that a copy lives.
    pub(crate) fn scaled(targets: usize, copies: usize, looks: Looks) -> Self {
        let mut story = Self::planned();
        let names: Vec<String> = (0..targets.div_ceil(TARGETS_OF_AN_AGENT)).map(|n| format!("host{n}")).collect();
        let all = names.iter().cloned().chain(["backup1".to_owned()]);
        story.agents = all.zip(100..).map(|(name, seed)| (name, SigningKey::from_seed(&[seed; 32]))).collect();
        story.enrolled = story.agents.iter().map(|(name, key)| keys::enrolled(name, &key.verifying())).collect();
        story.plan.steps = steps(targets);
        // What is kept lies on the last target; a single one is erased altogether.
        match story.obligations.first_mut().filter(|_| targets > 1) {
            Some(kept) => {
                kept.agent = names.last().unwrap().parse().unwrap();
                kept.target = target(targets - 1).try_into().unwrap();
            }
            None => story.obligations.clear(),
        }
        story.acted(targets);
        story.looked(copies, looks);
        let again: Vec<u32> = story.plan.steps.iter().filter(|step| is_again(step)).map(|step| step.number).collect();
        let after = story.last().finished + SignedDuration::from_hours(1);
        again.into_iter().for_each(|number| story.acts(number, &after.to_string()));
        story.issued = after + SignedDuration::from_hours(1);
        story
    }

    /// Everything up to the confirmations, a second apart.
    fn acted(&mut self, targets: usize) {
        let first = |step: &&Step| step.action != Action::Observe && !is_again(step);
        let numbers: Vec<u32> = self.plan.steps.iter().filter(first).map(|step| step.number).collect();
        for number in numbers {
            let day = if self.step(number).action == Action::Inspect { "2026-02-25" } else { "2026-02-28" };
            let began = at(&format!("{day}T21:00:00Z")) + SignedDuration::from_secs(2 * i64::from(number));
            self.acts(number, &began.to_string());
            if self.step(number).action == Action::Inspect && self.step(number).kind.is_backup() {
                self.last().listing = Some(listing(began, &[], false));
            }
        }
        assert!(targets > 0, "nothing to erase");
    }

    fn looked(&mut self, copies: usize, looks: Looks) {
        let observe = self.plan.steps.iter().find(|step| step.action == Action::Observe).unwrap().number;
        let all: Vec<ListedCopy> = (0..copies).rev().map(|back| copy(back * LIFE_DAYS / copies)).collect();
        let left_at = |time: Instant| -> Vec<ListedCopy> {
            all.iter().filter(|copy| gone_by(copy).is_none_or(|gone| gone > time)).cloned().collect()
        };
        let mut times = vec![at("2026-03-01T04:00:00Z")];
        let after: Vec<Instant> = all.iter().filter_map(gone_by).collect();
        match looks {
            Looks::EachCopy => times.extend(after),
            Looks::Three => times.extend([after[after.len() / 2], *after.last().unwrap()]),
        }
        times.dedup();
        for (attempt, time) in (1..).zip(times) {
            self.acts(observe, &time.to_string());
            self.last().attempt = attempt;
            self.last().listing = Some(listing(time, &left_at(time), attempt > 1));
        }
    }
}

fn target(number: usize) -> String {
    format!("target{number}")
}

fn is_again(step: &Step) -> bool {
    step.after.contains(&After::CopiesGone)
}

fn copy(days_before: usize) -> ListedCopy {
    let began = at(LAST_COPY) - SignedDuration::from_hours(24 * i64::try_from(days_before).unwrap());
    let last: Day = day("2026-02-28").checked_add((180 - i64::try_from(days_before).unwrap()).days()).unwrap();
    let copy = CopyId::from_digest(&Digest::of(&days_before.to_le_bytes()));
    ListedCopy { copy, began, expected: Expected::By(last) }
}

/// The morning after the last day of a copy.
fn gone_by(copy: &ListedCopy) -> Option<Instant> {
    match copy.expected {
        Expected::By(day) => Some(at(&format!("{}T04:00:00Z", day.checked_add(1.day()).unwrap()))),
        Expected::Never | Expected::Unknown => None,
    }
}

fn listing(listed: Instant, copies: &[ListedCopy], reclaimed: bool) -> CopyListing {
    let all = Reclaimed { blobs_indexed: 81_920, blobs_referenced: 81_920, packs_stored: 912, packs_indexed: 912 };
    CopyListing {
        repository: Digest::of(b"the repository"),
        listed,
        run_under_way: false,
        copies: copies.to_vec(),
        reclaimed: reclaimed.then_some(all),
    }
}

/// Inspect, erase, confirm and look again for each target, the last of which keeps something; and the backup store's two.
fn steps(targets: usize) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut numbers: BTreeMap<(usize, Action), u32> = BTreeMap::new();
    for action in [Action::Inspect, Action::Preserve, Action::Erase, Action::Confirm] {
        for place in 0..targets {
            if action == Action::Preserve && !keeps(place, targets) {
                continue;
            }
            // What it waits for: the step before it on its target.
            let waits = match action {
                Action::Confirm => Action::Erase,
                Action::Erase if keeps(place, targets) => Action::Preserve,
                Action::Inspect
                | Action::Restrict
                | Action::Preserve
                | Action::Erase
                | Action::Purge
                | Action::Observe => Action::Inspect,
            };
            let before = numbers.get(&(place, waits));
            let after = before.map(|number| After::Step(*number)).into_iter().collect();
            let step = live(steps.len(), (place, targets), action, after);
            numbers.insert((place, action), step.number);
            steps.push(step);
        }
        if action == Action::Inspect {
            steps.push(backup(steps.len(), Action::Inspect, Vec::new()));
        }
    }
    steps.push(backup(steps.len(), Action::Observe, vec![After::LiveConfirmed]));
    for place in 0..targets {
        steps.push(live(steps.len(), (place, targets), Action::Confirm, vec![After::CopiesGone]));
    }
    steps
}

fn keeps(place: usize, targets: usize) -> bool {
    targets > 1 && place + 1 == targets
}

fn live(before: usize, (place, targets): (usize, usize), action: Action, after: Vec<After>) -> Step {
    let (kind, category) = match place % 4 {
        _ if keeps(place, targets) => (TargetKind::Sql, "contact"),
        0 => (TargetKind::Files, "customer-data"),
        1 => (TargetKind::Maildir, "customer-data"),
        2 => (TargetKind::AccessLog, "access-logs"),
        _ => (TargetKind::Sql, "customer-data"),
    };
    let agent = format!("host{}", place / TARGETS_OF_AN_AGENT);
    step(before, (&agent, &target(place), kind, category), action, after)
}

fn backup(before: usize, action: Action, after: Vec<After>) -> Step {
    step(before, ("backup1", "vault", TargetKind::Restic, "backup"), action, after)
}

fn step(
    before: usize,
    (agent, target, kind, category): (&str, &str, TargetKind, &str),
    action: Action,
    after: Vec<After>,
) -> Step {
    let number = u32::try_from(before + 1).unwrap();
    Step {
        number,
        job: JobId::from_digest(&Digest::of(&number.to_le_bytes())),
        agent: agent.parse().unwrap(),
        target: target.to_owned().try_into().unwrap(),
        kind,
        category: category.to_owned().try_into().unwrap(),
        role: Role::Processor,
        action,
        rule: if action == Action::Preserve { "law/bookkeeping" } else { "webone/customer-data" }.to_owned(),
        due: at(if action == Action::Inspect { "2026-02-24T08:00:00Z" } else { "2026-02-28T21:00:00Z" }),
        until: (action == Action::Erase).then(|| at("2026-03-01T04:00:00Z")),
        earliest: Some(day("2026-02-28")),
        latest: Some(day("2026-03-03")),
        after,
        keep: (action == Action::Preserve).then(keep),
        older_than: None,
    }
}
