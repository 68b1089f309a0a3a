//! Two pairs of hands for one deletion. Owns the second thread, what is handed to it and when it is waited for; what is
//! done with a name is `bin`'s. Whether a name may go was decided before it is handed over, by the one thread that asks
//! the permit: here nothing is decided. Bounded (I10): one batch in work, one waiting, each of so many names.

use std::ffi::{CStr, CString};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope};

use rustix::fd::OwnedFd;

use crate::driver::Failure;

use super::bin::Bin;

/// Names in one batch: some milliseconds of work, which is how far the hands may run ahead of a stop.
pub(super) const MAX_NAMES: usize = 256;
/// Fewer names than that are quicker done than handed over.
const MIN_NAMES: usize = 4;

/// Names of one open directory that may go, none of them a directory.
pub(super) struct Batch {
    /// The directory.
    pub(super) at: Arc<OwnedFd>,
    /// The names, one after the other, each with its NUL.
    names: Vec<u8>,
    count: usize,
    /// The directory's own place, where it may go too once it is empty.
    pub(super) then: Option<(Arc<OwnedFd>, CString)>,
}

impl Batch {
    pub(super) fn of(at: &Arc<OwnedFd>) -> Self {
        Self { at: Arc::clone(at), names: Vec::new(), count: 0, then: None }
    }

    pub(super) fn add(&mut self, name: &CStr) {
        self.names.extend_from_slice(name.to_bytes_with_nul());
        self.count += 1;
    }

    pub(super) fn is_full(&self) -> bool {
        self.count >= MAX_NAMES
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &CStr> {
        self.names.split_inclusive(|&byte| byte == 0).filter_map(|name| CStr::from_bytes_with_nul(name).ok())
    }
}

/// What became of the batches that were handed over.
#[derive(Default)]
struct Desk {
    open: Mutex<Open>,
    done: Condvar,
}

#[derive(Default)]
struct Open {
    batches: u32,
    failed: Option<Failure>,
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The second pair of hands; everything is done by the first where no thread could be had.
pub(super) struct Hands<'a> {
    bin: &'a Bin<'a>,
    desk: Arc<Desk>,
    to: Option<SyncSender<Batch>>,
}

impl<'a> Hands<'a> {
    /// Starts the thread. It ends when this is dropped, and is joined by its scope.
    pub(super) fn new<'scope>(scope: &'scope Scope<'scope, 'a>, bin: &'a Bin<'a>) -> Self {
        let (to, from) = sync_channel(1);
        let desk = Arc::new(Desk::default());
        let theirs = Arc::clone(&desk);
        let started = Builder::new().name("erase".into()).spawn_scoped(scope, move || work(bin, &from, &theirs));
        Self { bin, desk, to: started.is_ok().then_some(to) }
    }

    /// Has a batch carried out, here or there.
    pub(super) fn give(&self, batch: Batch) -> Result<(), Failure> {
        if let Some(to) = self.to.as_ref().filter(|_| batch.count >= MIN_NAMES) {
            self.opened()?;
            let Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) = to.try_send(batch) else {
                return Ok(());
            };
            close(&self.desk, Ok(()));
            return self.bin.empty(&batch);
        }
        self.bin.empty(&batch)
    }

    fn opened(&self) -> Result<(), Failure> {
        let mut open = self.desk.lock();
        open.batches += 1;
        match open.failed.take() {
            Some(failure) => {
                open.batches -= 1;
                Err(failure)
            }
            None => Ok(()),
        }
    }

    /// Waits until everything that was handed over is carried out.
    pub(super) fn wait(&self) -> Result<(), Failure> {
        let mut open = self.desk.lock();
        while open.batches > 0 {
            open = self.desk.done.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
        open.failed.take().map_or(Ok(()), Err)
    }
}

/// Counts a batch as carried out also if its work ends in a panic, which would leave the other thread waiting.
struct Closing<'a>(&'a Desk, Result<(), Failure>);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        close(self.0, std::mem::replace(&mut self.1, Ok(())));
    }
}

fn close(desk: &Desk, result: Result<(), Failure>) {
    let mut open = desk.lock();
    open.batches = open.batches.saturating_sub(1);
    if let Err(failure) = result {
        open.failed.get_or_insert(failure);
    }
    desk.done.notify_all();
}

fn work(bin: &Bin<'_>, from: &Receiver<Batch>, desk: &Desk) {
    while let Ok(batch) = from.recv() {
        let mut closing = Closing(desk, Ok(()));
        closing.1 = bin.empty(&batch);
        // Its directory is closed before it counts as done.
        drop(batch);
    }
}
