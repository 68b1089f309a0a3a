//! A disk that forgets what was not flushed when its power is cut: for tests of what "durable" means. Owns the model of the
//! loss; the engine above is the real one.
//!
//! What was written since the last flush is kept apart. When the power goes, each 512-byte sector of each such write is
//! there afterwards or not, by a seed: writes arrive in another order, in part, or torn. The same holds for the file's
//! length. What was flushed stays. A write that overlaps an earlier one never leaves the earlier one's bytes where its
//! own arrived.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

use super::{Embedded, file};
use crate::store::StoreError;

/// What a disk writes as a whole or not at all, in bytes.
const SECTOR: u64 = 512;

#[derive(Debug, Clone)]
enum Pending {
    Write { offset: u64, data: Vec<u8> },
    Length(u64),
}

#[derive(Debug, Default)]
struct State {
    /// What a reader sees.
    now: Vec<u8>,
    /// What stays, whatever happens.
    flushed: Vec<u8>,
    pending: Vec<Pending>,
    /// Changes until the power goes; none: never.
    left: Option<u64>,
    /// Changes so far: writes, lengths, flushes.
    changes: u64,
    dead: bool,
    flushes_are_lies: bool,
}

/// A disk with one file. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct Disk(Arc<Mutex<State>>);

impl Disk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on says "flushed" and flushes nothing, as if the engine never asked: a test that cannot tell such a disk
    /// from a good one tests nothing.
    pub fn stop_flushing(&self) {
        self.state().flushes_are_lies = true;
    }

    /// Cuts the power at the given change from now on (0: at the next): that one and all that follow fail.
    pub fn cut_after(&self, changes: u64) {
        self.state().left = Some(changes);
    }

    /// Writes, lengths and flushes so far.
    pub fn changes(&self) -> u64 {
        self.state().changes
    }

    /// What is found when the power comes back: all that was flushed, and of the rest what the seed says.
    #[must_use]
    pub fn after_power_loss(&self, seed: u64) -> Self {
        let state = self.state();
        let after = survivors(&state, &mut Dice(seed));
        Self(Arc::new(Mutex::new(State { now: after.clone(), flushed: after, ..State::default() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a change, unless the power is off by now.
    fn change(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        if state.left == Some(0) {
            state.dead = true;
        }
        if state.dead {
            return Err(io::Error::other("the power is off"));
        }
        state.left = state.left.map(|left| left - 1);
        state.changes += 1;
        Ok(state)
    }
}

fn survivors(state: &State, dice: &mut Dice) -> Vec<u8> {
    let mut file = state.flushed.clone();
    // The length is one that it had since the last flush; none of these may be the newest.
    let lengths = state.pending.iter().filter_map(|pending| match pending {
        Pending::Length(length) => Some(*length),
        Pending::Write { .. } => None,
    });
    let lengths: Vec<u64> = std::iter::once(as_u64(state.flushed.len())).chain(lengths).collect();
    let length = lengths.get(dice.below(lengths.len())).copied().unwrap_or_default();
    // Sometimes nearly all arrives, sometimes hardly anything: both show other mistakes.
    let chance = [2, 10, 50, 90, 98].get(dice.below(5)).copied().unwrap_or(50);
    let lost: BTreeSet<u64> =
        state.pending.iter().flat_map(sectors).filter(|_| dice.below(20) == 0).map(|(sector, _)| sector).collect();
    for pending in &state.pending {
        for (sector, piece) in sectors(pending) {
            if !lost.contains(&sector) && dice.below(100) < chance {
                put(&mut file, piece.0, piece.1);
            }
        }
    }
    file.resize(as_usize(length), 0);
    file
}

type Piece<'d> = (u64, &'d [u8]);

/// A write, cut at the borders of sectors: the sector's number, and what of it is written.
fn sectors(pending: &Pending) -> Vec<(u64, Piece<'_>)> {
    let Pending::Write { offset, data } = pending else { return Vec::new() };
    let (mut at, mut rest, mut pieces) = (*offset, data.as_slice(), Vec::new());
    while !rest.is_empty() {
        let length = as_usize(SECTOR - at % SECTOR).min(rest.len());
        let (piece, tail) = rest.split_at(length);
        pieces.push((at / SECTOR, (at, piece)));
        (at, rest) = (at + as_u64(length), tail);
    }
    pieces
}

fn put(file: &mut Vec<u8>, offset: u64, data: &[u8]) {
    let (start, end) = (as_usize(offset), as_usize(offset) + data.len());
    if file.len() < end {
        file.resize(end, 0);
    }
    if let Some(place) = file.get_mut(start..end) {
        place.copy_from_slice(data);
    }
}

fn as_u64(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

fn as_usize(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(as_u64(self.state().now.len()))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        let start = as_usize(offset);
        let found = state.now.get(start..start.saturating_add(out.len()));
        out.copy_from_slice(found.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.change()?;
        state.now.resize(as_usize(length), 0);
        state.pending.push(Pending::Length(length));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.change()?;
        if !state.flushes_are_lies {
            for pending in std::mem::take(&mut state.pending) {
                match pending {
                    Pending::Write { offset, data } => put(&mut state.flushed, offset, &data),
                    Pending::Length(length) => state.flushed.resize(as_usize(length), 0),
                }
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.change()?;
        put(&mut state.now, offset, data);
        state.pending.push(Pending::Write { offset, data: data.to_vec() });
        Ok(())
    }
}

/// SplitMix64: enough to choose sectors, the same on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        as_usize((mixed ^ (mixed >> 31)) % as_u64(sides.max(1)))
    }
}

impl Embedded {
    /// Makes an empty store on a disk.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn create_on(disk: Disk) -> Result<Self, StoreError> {
        let failed = |source| super::error::failed("making the store", source);
        let db = file::builder().create_with_backend(disk).map_err(|source| failed(source.into()))?;
        file::lay_out(&db).map_err(failed)?;
        Self::start(db, None)
    }

    /// Opens the store of a disk.
    ///
    /// # Errors
    /// As [`Embedded::open`].
    pub fn open_on(disk: Disk) -> Result<Self, StoreError> {
        let opened = file::builder().create_with_backend(disk);
        let db = opened.map_err(|source| super::error::failed("opening the store", source))?;
        file::check_format(&db)?;
        Self::start(db, None)
    }
}

#[cfg(test)]
mod tests;
