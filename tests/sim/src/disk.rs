//! A file on a disk that loses what was not synced. Owns two images, the durable one and the one that was written; an older
//! image can be put in the place of both, as when a host is restored.

use std::sync::{Arc, Mutex};

use gallra_agent::dir::DirError;
use gallra_agent::journal::Disk;

use crate::chance::Chance;
use crate::world::lock;

/// The file; a clone is the same one.
#[derive(Clone, Default)]
pub struct Sheet(Arc<Mutex<Images>>);

#[derive(Default)]
struct Images {
    durable: Vec<u8>,
    written: Vec<u8>,
}

impl Sheet {
    /// What would be there after a loss of power.
    pub fn durable(&self) -> Vec<u8> {
        lock(&self.0).durable.clone()
    }

    /// The machine loses power: of what was not synced some beginning stays.
    pub fn crash(&self, chance: &mut Chance) {
        let mut images = lock(&self.0);
        let Images { durable, written } = &mut *images;
        if written.starts_with(durable) && written.len() > durable.len() {
            let more = usize::try_from(chance.below((written.len() - durable.len()) as u64)).unwrap_or(0);
            let kept = durable.len() + if chance.once_in(2) { more } else { 0 };
            written.truncate(kept);
        } else {
            written.clone_from(durable);
        }
        durable.clone_from(written);
    }

    /// The host is restored from an old image.
    pub fn put_back(&self, image: Vec<u8>) {
        *lock(&self.0) = Images { durable: image.clone(), written: image };
    }
}

impl Disk for Sheet {
    fn read(&mut self) -> Result<Vec<u8>, DirError> {
        Ok(lock(&self.0).written.clone())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), DirError> {
        lock(&self.0).written.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), DirError> {
        let mut images = lock(&self.0);
        images.durable = images.written.clone();
        Ok(())
    }

    fn cut(&mut self, length: u64) -> Result<(), DirError> {
        lock(&self.0).written.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        Ok(())
    }

    fn replace(&mut self, bytes: &[u8]) -> Result<(), DirError> {
        *lock(&self.0) = Images { durable: bytes.to_vec(), written: bytes.to_vec() };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_synced_is_lost_and_what_was_stays() {
        let mut sheet = Sheet::default();
        sheet.append(b"kept").expect("appends");
        sheet.sync().expect("syncs");
        sheet.append(b"lost").expect("appends");
        let mut chance = Chance::of(1, "disk");
        sheet.crash(&mut chance);
        let left = sheet.read().expect("reads");
        assert!(left.starts_with(b"kept") && left.len() < 8);
    }
}
