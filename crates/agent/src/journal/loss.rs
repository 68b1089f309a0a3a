//! The journal on a disk that loses power: of what was not synced any part may be there, torn at sectors, and in any order.
//! What an append returned for must be there whole.
#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

use std::sync::{Arc, Mutex, MutexGuard};

use gallra_model::{JobId, ObligationId};
use proptest::test_runner::{RngAlgorithm, TestRng};

use super::*;

/// What a disk writes whole, in bytes.
const SECTOR: usize = 512;

/// What outlives a loss of power, and what may not.
#[derive(Default)]
struct Platter {
    durable: Vec<u8>,
    /// As the system shows it, written or not.
    shown: Vec<u8>,
    /// A disk that says it has synced, and has not.
    lies: bool,
}

#[derive(Clone, Default)]
struct Lossy(Arc<Mutex<Platter>>);

impl Lossy {
    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().expect("no panic while held")
    }

    /// The power fails: each sector that differs is the old or the new one, and so is the length.
    fn lose(&self, coin: &mut impl FnMut() -> bool) {
        let mut platter = self.platter();
        let (old, new) = (platter.durable.clone(), platter.shown.clone());
        let length = if coin() { new.len() } else { old.len() };
        let byte = |from: &[u8], at: usize| from.get(at).copied().unwrap_or(0);
        let mut left = Vec::with_capacity(length);
        for sector in 0..length.div_ceil(SECTOR) {
            let from = if coin() { &new } else { &old };
            left.extend((sector * SECTOR..length.min((sector + 1) * SECTOR)).map(|at| byte(from, at)));
        }
        // What was durable and was not rewritten never changes under it.
        let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count().min(left.len());
        left[..same].copy_from_slice(&old[..same]);
        platter.durable.clone_from(&left);
        platter.shown = left;
    }
}

impl Disk for Lossy {
    fn read(&mut self) -> Result<Vec<u8>, DirError> {
        Ok(self.platter().shown.clone())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), DirError> {
        self.platter().shown.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), DirError> {
        let mut platter = self.platter();
        if !platter.lies {
            platter.durable = platter.shown.clone();
        }
        Ok(())
    }

    fn cut(&mut self, length: u64) -> Result<(), DirError> {
        let length = usize::try_from(length).expect("small");
        self.platter().shown.truncate(length);
        Ok(())
    }

    fn replace(&mut self, bytes: &[u8]) -> Result<(), DirError> {
        let mut platter = self.platter();
        platter.shown = bytes.to_vec();
        if !platter.lies {
            platter.durable = bytes.to_vec();
        }
        Ok(())
    }
}

fn record(number: u64) -> Record {
    let bytes = u128::from(number).to_be_bytes();
    let begun = gallra_flow::agent::record::Begun {
        job: JobId::from_bytes(bytes),
        attempt: 1,
        again: false,
        commitment: None,
        checkpoint: None,
        permit: Digest::of(&bytes),
        spec: Digest::of(&bytes),
        target: "web".parse().expect("a label"),
        kind: gallra_model::target::TargetKind::Files,
        action: gallra_model::job::Action::Erase,
        pseudonym: gallra_model::Pseudonym::from_bytes(bytes),
        instance: None,
        older_than: None,
        handle: Some(ObligationId::from_bytes(bytes)),
        started: "2026-03-01T03:00:00Z".parse().expect("a literal"),
        clock: gallra_model::Clock::Real,
    };
    Record::Begin(Box::new(begun))
}

/// Appends, loses power now and then (also in the middle of an append), reopens, and says whether all that an append
/// returned for was there each time.
fn survives(seed: u8, lies: bool) -> bool {
    use proptest::prelude::Rng as _;
    let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let disk = Lossy::default();
    disk.platter().lies = lies;
    let path = Path::new("journal");
    let mut promised = Vec::new();
    let mut next = 0;
    for _ in 0..6 {
        let Ok((mut journal, mut found)) = Journal::on(Box::new(disk.clone()), path) else { return false };
        found.retain(|record| !matches!(record, Record::Origin { .. }));
        // The one append that the loss interrupted may be there or not.
        if !found.starts_with(&promised) || found.len() > promised.len() + 1 {
            return false;
        }
        promised = found;
        for _ in 0..random.next_u32() % 9 {
            journal.append(&record(next)).expect("appends");
            promised.push(record(next));
            next += 1;
        }
        if random.next_u32().is_multiple_of(3) {
            journal.shorten().expect("shortens");
            // Replayed in the order of jobs, which is the order of numbers here.
        }
        let torn = line_of(&record(next)).expect("writes");
        disk.clone().append(torn.as_bytes()).expect("appends");
        next += 1;
        disk.lose(&mut || random.next_u32() & 1 == 0);
    }
    true
}

#[test]
fn what_an_append_returned_for_is_there_after_a_loss_of_power() {
    for seed in 0..200 {
        assert!(survives(seed, false), "seed {seed}");
    }
}

#[test]
fn a_disk_that_lies_about_syncing_is_found_out() {
    assert!((0..200).any(|seed| !survives(seed, true)), "this test cannot see a missing fsync");
}
