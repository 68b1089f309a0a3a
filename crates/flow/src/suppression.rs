//! An agent's suppression list as a value: which lines it takes, what they come to, and what becomes of a subject that a
//! restore brought back (decision 8). Refuses to know files, keys and drivers: signatures arrive checked, matches arrive
//! made. Upholds I1 for restored data: only an entry that is neither lifted nor held lets anything go, and only what the
//! copy can hold from before its erasure.

use std::collections::{BTreeMap, BTreeSet};

use gallra_model::suppression::{Entry, Item, Line};
use gallra_model::target::TargetId;
use gallra_model::time::CLOCK_BOUND_SECONDS;
use gallra_model::{AgentName, Clock, Instant, SuppressionId};
use jiff::SignedDuration;

/// What the lines so far come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    entries: BTreeMap<SuppressionId, Entry>,
    lifted: BTreeSet<SuppressionId>,
    held: BTreeSet<SuppressionId>,
    through: u64,
}

/// What taking a line came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It says something new: it must be kept.
    New,
    /// It was taken before (I6).
    Again,
    /// The list is complete up to here.
    Complete(Instant, Clock),
    /// Another agent's line.
    Foreign,
    /// A line before it is missing: nothing of it is taken, and the list is not complete.
    Gap,
}

impl Known {
    /// The sequence of the newest line; 0 while there is none.
    pub fn through(&self) -> u64 {
        self.through
    }

    /// What a line would come to.
    pub fn look(&self, line: &Line, own: &AgentName) -> Taken {
        if line.agent != *own {
            return Taken::Foreign;
        }
        match line.item {
            Item::Complete { at, clock } if line.sequence == self.through => Taken::Complete(at, clock),
            Item::Complete { .. } => Taken::Gap,
            Item::Entry(_) | Item::Lift(_) | Item::Hold { .. } | Item::Drop { .. } => {
                if line.sequence <= self.through {
                    Taken::Again
                } else if line.after == self.through {
                    Taken::New
                } else {
                    Taken::Gap
                }
            }
        }
    }

    /// Takes a line that was kept.
    pub fn take(&mut self, line: Line) {
        self.through = self.through.max(line.sequence);
        match line.item {
            Item::Entry(entry) => {
                self.entries.insert(entry.id, entry);
            }
            Item::Lift(lift) => {
                self.lifted.insert(lift.entry);
            }
            Item::Hold { entry, held: true } => {
                self.held.insert(entry);
            }
            Item::Hold { entry, held: false } => {
                self.held.remove(&entry);
            }
            Item::Drop { entry } => {
                self.entries.remove(&entry);
                self.lifted.remove(&entry);
                self.held.remove(&entry);
            }
            Item::Complete { .. } => {}
        }
    }

    /// Whether a kept line still says something: a shortened list leaves the others out.
    pub fn needs(&self, line: &Line) -> bool {
        match &line.item {
            Item::Entry(entry) => self.entries.contains_key(&entry.id),
            Item::Lift(lift) => self.entries.contains_key(&lift.entry),
            Item::Hold { entry, .. } => self.entries.contains_key(entry),
            // The newest line of all says how far the list goes.
            Item::Drop { .. } | Item::Complete { .. } => line.sequence == self.through,
        }
    }

    /// All entries.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// The entries of one target that count under a clock.
    pub fn of(&self, target: &TargetId, clock: Clock) -> impl Iterator<Item = &Entry> {
        self.entries().filter(move |entry| entry.target == *target && entry.clock == clock)
    }

    /// What becomes of a subject whom these entries know, in a copy that was taken at an instant. None without an entry.
    pub fn ruling<'e>(&self, entries: &[&'e Entry], taken: Instant) -> Option<Ruling<'e>> {
        let newest = *entries.iter().max_by_key(|entry| (entry.erased, entry.id))?;
        Some(if entries.iter().any(|entry| self.held.contains(&entry.id)) {
            Ruling::Held
        } else if self.lifted.contains(&newest.id) {
            // Whoever lifts the newest says that the subject is back: older erasures say nothing about that any more.
            Ruling::Lifted
        } else if can_hold(newest, taken) {
            Ruling::Erase(newest)
        } else {
            Ruling::Newer
        })
    }
}

impl Known {
    /// Of a subject's entries those whose erasure a copy of that instant undid, and that still count: what goes again had come back
    /// to each of their requests.
    pub fn undone<'e>(&self, entries: &[&'e Entry], taken: Instant) -> Vec<&'e Entry> {
        let undone = |entry: &&&Entry| can_hold(entry, taken) && !self.lifted.contains(&entry.id);
        entries.iter().filter(undone).copied().collect()
    }
}

/// What becomes of one subject that a restore brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling<'e> {
    /// It goes again, under this entry.
    Erase(&'e Entry),
    /// An approver lifted the newest entry.
    Lifted,
    /// A hold covers one of the entries.
    Held,
    /// The copy was taken after the erasure: what is there came later.
    Newer,
}

/// Whether a copy taken then can hold what an entry's erasure removed: as for copies that a proof waits for, one that began
/// up to the clock bound after it counts (decision 7).
fn can_hold(entry: &Entry, taken: Instant) -> bool {
    let until = entry.erased.checked_add(SignedDuration::from_secs(CLOCK_BOUND_SECONDS)).unwrap_or(entry.erased);
    taken <= until
}

/// Whether an entry may be forgotten: no copy is left that can hold what it is about. `oldest_copy_began` is the beginning of
/// the oldest copy that is left; none where none is.
pub fn may_drop(entry: &Entry, oldest_copy_began: Option<Instant>) -> bool {
    oldest_copy_began.is_none_or(|began| !can_hold(entry, began))
}

/// Whether a list that was last complete at an instant is too old to restore by. One from the future is: some clock is wrong.
pub fn is_too_old(complete: Instant, now: Instant, max_age_days: u32) -> bool {
    let age = now.duration_since(complete).as_secs();
    age > i64::from(max_age_days) * 86_400 || age < -CLOCK_BOUND_SECONDS
}

#[cfg(test)]
mod tests {
    use gallra_model::Digest;
    use gallra_model::suppression::{Lift, Month};

    use super::*;

    const ERASED: &str = "2026-03-01T03:00:00Z";

    fn at(text: &str) -> Instant {
        text.parse().expect("a literal")
    }

    fn own() -> AgentName {
        "web1".parse().expect("a label")
    }

    fn entry(id: u8, erased: &str) -> Entry {
        Entry {
            id: SuppressionId::from_bytes([id; 16]),
            month: Month::of(at(erased)),
            key: Digest::of(b"key"),
            tag: Digest::of(b"tag"),
            target: "www".parse().expect("a label"),
            erased: at(erased),
            rule: "webone/customer-data".into(),
            cause: None,
            generation: 1,
            clock: Clock::Real,
        }
    }

    fn line(sequence: u64, after: u64, item: Item) -> Line {
        Line { agent: own(), sequence, after, item }
    }

    fn known(items: Vec<Item>) -> Known {
        let mut known = Known::default();
        for (after, item) in (0..).zip(items) {
            let line = line(after + 1, after, item);
            assert_eq!(known.look(&line, &own()), Taken::New);
            known.take(line);
        }
        known
    }

    fn lift(id: u8) -> Item {
        let entry = SuppressionId::from_bytes([id; 16]);
        Item::Lift(Lift { entry, by: "ada".into(), at: at(ERASED) })
    }

    fn hold(id: u8, held: bool) -> Item {
        Item::Hold { entry: SuppressionId::from_bytes([id; 16]), held }
    }

    #[test]
    fn what_was_erased_since_the_copy_goes_again_and_what_came_later_stays() {
        let (old, known) = (entry(1, ERASED), known(vec![Item::Entry(entry(1, ERASED))]));
        let ruling = |taken: &str| known.ruling(&[&old], at(taken)).expect("an entry");
        assert_eq!(ruling("2026-02-01T00:00:00Z"), Ruling::Erase(&old));
        assert_eq!(ruling("2026-03-01T03:10:00Z"), Ruling::Erase(&old), "up to the clock bound");
        assert_eq!(ruling("2026-03-01T03:10:01Z"), Ruling::Newer);
        assert_eq!(known.ruling(&[], at(ERASED)), None, "nobody without an entry is touched");
    }

    #[test]
    fn i1_neither_a_lifted_nor_a_held_entry_erases() {
        let (first, second) = (entry(1, ERASED), entry(2, "2026-06-01T03:00:00Z"));
        let both = || vec![Item::Entry(first.clone()), Item::Entry(second.clone())];
        let ruling = |more: Vec<Item>| {
            let known = known([both(), more].concat());
            known.ruling(&[&first, &second], at("2026-02-01T00:00:00Z")).map(|ruling| format!("{ruling:?}"))
        };
        let name = |more| ruling(more).expect("an entry").split('(').next().map(str::to_owned);
        assert_eq!(name(vec![]).as_deref(), Some("Erase"));
        assert_eq!(name(vec![lift(1)]).as_deref(), Some("Erase"), "erased again after the lift");
        assert_eq!(name(vec![lift(2)]).as_deref(), Some("Lifted"), "the newest says that the subject is back");
        assert_eq!(name(vec![hold(1, true)]).as_deref(), Some("Held"));
        assert_eq!(name(vec![hold(1, true), lift(2)]).as_deref(), Some("Held"));
        assert_eq!(name(vec![hold(1, true), hold(1, false)]).as_deref(), Some("Erase"));
    }

    #[test]
    fn lines_are_taken_once_in_order_and_none_is_left_out_unseen() {
        let known = known(vec![Item::Entry(entry(1, ERASED)), lift(1)]);
        assert_eq!(known.look(&line(2, 1, lift(1)), &own()), Taken::Again);
        assert_eq!(known.look(&line(9, 2, lift(1)), &own()), Taken::New, "sequences may leap");
        assert_eq!(known.look(&line(9, 8, lift(1)), &own()), Taken::Gap);
        let complete = Item::Complete { at: at(ERASED), clock: Clock::Real };
        assert_eq!(known.look(&line(2, 2, complete.clone()), &own()), Taken::Complete(at(ERASED), Clock::Real));
        assert_eq!(known.look(&line(3, 3, complete), &own()), Taken::Gap, "a line was kept back");
        let other = Line { agent: "web2".parse().expect("a label"), ..line(3, 2, lift(1)) };
        assert_eq!(known.look(&other, &own()), Taken::Foreign);
    }

    #[test]
    fn a_dropped_entry_is_known_no_longer_and_its_lines_are_not_needed() {
        let first = line(1, 0, Item::Entry(entry(1, ERASED)));
        let known = known(vec![first.item.clone(), lift(1), Item::Drop { entry: entry(1, ERASED).id }]);
        assert_eq!(known.entries().count(), 0);
        assert!(!known.needs(&first) && !known.needs(&line(2, 1, lift(1))));
        assert!(known.needs(&line(3, 2, Item::Drop { entry: entry(1, ERASED).id })), "it says how far the list goes");
    }

    #[test]
    fn an_entry_lives_until_no_older_copy_is_left() {
        let entry = entry(1, ERASED);
        assert!(may_drop(&entry, None));
        assert!(!may_drop(&entry, Some(at("2026-02-01T00:00:00Z"))));
        assert!(!may_drop(&entry, Some(at("2026-03-01T03:10:00Z"))));
        assert!(may_drop(&entry, Some(at("2026-03-01T03:10:01Z"))));
    }

    #[test]
    fn a_list_ages_in_days() {
        assert!(!is_too_old(at(ERASED), at("2026-03-08T03:00:00Z"), 7));
        assert!(is_too_old(at(ERASED), at("2026-03-08T03:00:01Z"), 7));
        assert!(is_too_old(at(ERASED), at("2026-02-28T03:00:00Z"), 7), "a list from the future");
    }
}
