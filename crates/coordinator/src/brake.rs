//! The brake: more ends on one local day than the configuration allows pull the emergency stop (decision 2). Ends are counted
//! in the store before they are let in: some at a time and ahead, so that ends of different customers do not wait for each
//! other; one by one, in the end's own transaction, near the limit and above it. What is counted is never less than what was
//! let in. Refuses to know why a contract ends.

use std::sync::{Mutex, PoisonError};

use gallra_model::Day;
use gallra_model::hold::Halt;
use gallra_model::time::day_of;
use gallra_store::{StoreError, Txn, keys};
use tokio::sync::{Mutex as Turns, MutexGuard};

use crate::core::{Core, until_committed};
use crate::error::{CoreError, decode, encode};
use crate::guards;

/// Contracts that may end on one local day before the brake pulls the stop, unless the configuration says otherwise.
pub const ENDS_PER_DAY: u32 = 200;
/// Who pulled the stop when nobody did.
pub const BRAKE: &str = "brake";
/// The most ends that one process counts ahead.
const MOST_AHEAD: u32 = 64;
/// Of what is left to the limit, one in so many may be counted ahead: what a crash wastes is a small part of it.
const SHARE_AHEAD: u32 = 8;

/// Ends of one local day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Ends {
    day: Day,
    count: u32,
}

/// Ends that are counted in the store and have not come yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ahead {
    day: Day,
    /// The global guard's count when they were counted: lifting a stop raises it, and counts anew.
    since: u64,
    left: u32,
}

/// What one process counted ahead.
#[derive(Debug, Default)]
pub struct Brake {
    ahead: Mutex<Option<Ahead>>,
    /// Held by whoever writes the count: everybody else would only make them repeat.
    turn: Turns<()>,
}

/// One end's place in the count. Dropped, it is given back, if it was counted ahead.
pub(crate) struct Place<'a> {
    brake: &'a Brake,
    counted: Option<Ahead>,
    _alone: Option<MutexGuard<'a, ()>>,
}

/// How many ends to count at once, this one among them, after so many; none where it is one too many.
fn share(count: u32, limit: u32) -> Option<u32> {
    let left = limit.checked_sub(count).filter(|left| *left > 0)?;
    Some((left / SHARE_AHEAD).clamp(1, MOST_AHEAD))
}

impl Brake {
    /// Takes one that is counted for this day under this guard. What was counted for another is of no use to anybody.
    fn take(&self, day: Day, since: u64) -> Option<Place<'_>> {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let known = ahead.as_mut().filter(|ahead| (ahead.day, ahead.since) == (day, since) && ahead.left > 0)?;
        known.left -= 1;
        Some(Place { brake: self, counted: Some(Ahead { left: 1, ..*known }), _alone: None })
    }

    fn put(&self, more: Ahead) {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        match ahead.as_mut().filter(|ahead| (ahead.day, ahead.since) == (more.day, more.since)) {
            Some(known) => known.left += more.left,
            None => *ahead = Some(more),
        }
    }

    fn give_back(&self, place: Ahead) {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        // An older place says nothing of what is counted now.
        if let Some(known) = ahead.as_mut().filter(|ahead| (ahead.day, ahead.since) == (place.day, place.since)) {
            known.left += place.left;
        }
    }
}

impl Place<'_> {
    /// Keeps the place, unless it is known for certain that the end was not let in.
    pub(crate) fn keep_unless_refused<T>(mut self, committed: &Result<T, CoreError>) {
        if !matches!(committed, Err(CoreError::Store(StoreError::Conflict { .. }))) {
            self.counted = None;
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(counted) = self.counted.take() {
            self.brake.give_back(counted);
        }
    }
}

impl Core {
    /// Counts one contract's end: ahead, or in this transaction, with the pulling of the stop where it is one too many. Then the end
    /// itself is taken in all the same, and nothing is erased by it until somebody has looked.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn brake(&self, txn: Txn) -> Result<(Txn, Place<'_>), CoreError> {
        let today = day_of(self.time.now());
        let since = guards::one(&*self.store, &keys::guard_global()).await?.1.count;
        if let Some(place) = self.brake.take(today, since) {
            return Ok((txn, place));
        }
        let alone = self.brake.turn.lock().await;
        if let Some(place) = self.brake.take(today, since) {
            return Ok((txn, place));
        }
        if let Some(counted) = until_committed!(self.count_ahead(today))? {
            self.brake.put(Ahead { left: counted.left - 1, ..counted });
            return Ok((txn, Place { brake: &self.brake, counted: Some(Ahead { left: 1, ..counted }), _alone: None }));
        }
        let txn = self.one_too_many(txn, today).await?;
        Ok((txn, Place { brake: &self.brake, counted: None, _alone: Some(alone) }))
    }

    /// Counts some ends in the store; none where there is no place for any.
    async fn count_ahead(&self, today: Day) -> Result<Option<Ahead>, CoreError> {
        let at = keys::meta_ends();
        let (guard, since) =
            guards::one(&*self.store, &keys::guard_global()).await.map(|(entry, guard)| (entry, guard.count))?;
        let entry = self.store.get(&at).await?;
        let before: Option<Ends> = entry.as_ref().map(|entry| decode("count of ends", &entry.value)).transpose()?;
        let count = before.filter(|ends| ends.day == today).map_or(0, |ends| ends.count);
        let Some(left) = share(count, self.brake_ends_per_day) else { return Ok(None) };
        let counted = Ends { day: today, count: count.saturating_add(left) };
        // With the guard, so that these are of the count that a lifted stop began, and not of the one before.
        let txn = Txn::new()
            .expect_as_read(&keys::guard_global(), guard.as_ref())
            .expect_as_read(&at, entry.as_ref())
            .put(at, encode(&counted)?);
        self.store.commit(txn).await?;
        Ok(Some(Ahead { day: today, since, left }))
    }

    async fn one_too_many(&self, txn: Txn, today: Day) -> Result<Txn, CoreError> {
        let at = keys::meta_ends();
        let entry = self.store.get(&at).await?;
        let before: Option<Ends> = entry.as_ref().map(|entry| decode("count of ends", &entry.value)).transpose()?;
        let count = before.filter(|ends| ends.day == today).map_or(0, |ends| ends.count).saturating_add(1);
        let txn = txn.expect_as_read(&at, entry.as_ref()).put(at, encode(&Ends { day: today, count })?);
        // Counted anew since it was looked at: a place as any other.
        if count <= self.brake_ends_per_day {
            return Ok(txn);
        }
        // Where it is pulled already nothing is added: a start meanwhile removes the count, and this is tried again.
        if guards::one(&*self.store, &keys::guard_global()).await?.1.halt.is_some() {
            return Ok(txn);
        }
        let reason = format!("more than {} contracts ended on {today}", self.brake_ends_per_day);
        tracing::error!(reason, "the brake pulls the emergency stop");
        let now = self.time.now();
        guards::change(&*self.store, txn, keys::guard_global(), |guard| {
            guard.halt = Some(Halt { by: BRAKE.to_owned(), at: now, reason });
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Day = Day::constant(2026, 4, 1);

    #[test]
    fn what_is_counted_ahead_never_passes_the_limit_and_ends_one_by_one() {
        for limit in [0, 1, 2, 7, 8, 200, 5_000, u32::MAX] {
            let mut count: u32 = limit.saturating_sub(5_000);
            while let Some(more) = share(count, limit) {
                assert!((1..=MOST_AHEAD).contains(&more), "{more} after {count} of {limit}");
                count = count.checked_add(more).filter(|count| *count <= limit).expect("within the limit");
                assert!(more == 1 || more <= (limit - count) / (SHARE_AHEAD - 1) + 1, "{more} leave {}", limit - count);
            }
            assert_eq!(count, limit, "each place is given to somebody");
        }
    }

    #[test]
    fn a_place_is_of_its_day_and_of_its_guard_and_comes_back_unless_it_may_have_been_used() {
        let brake = Brake::default();
        brake.put(Ahead { day: DAY, since: 4, left: 2 });
        assert!(brake.take(DAY, 5).is_none() && brake.take(Day::constant(2026, 4, 2), 4).is_none());
        drop(brake.take(DAY, 4).expect("the first"));
        let conflict = || Err::<(), _>(CoreError::Store(StoreError::Conflict { key: keys::meta_ends() }));
        brake.take(DAY, 4).expect("given back").keep_unless_refused(&conflict());
        brake.take(DAY, 4).expect("given back").keep_unless_refused(&Ok(()));
        brake.take(DAY, 4).expect("the second").keep_unless_refused(&Err::<(), _>(CoreError::Busy));
        assert!(brake.take(DAY, 4).is_none(), "both are used");
        let late = {
            brake.put(Ahead { day: DAY, since: 4, left: 1 });
            brake.take(DAY, 4).expect("one more")
        };
        brake.put(Ahead { day: DAY, since: 6, left: 1 });
        drop(late);
        drop(brake.take(DAY, 6).expect("one of the new count"));
        assert!(brake.take(DAY, 4).is_none(), "what is given back late is of the old count");
    }
}
