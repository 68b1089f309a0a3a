//! Two files at a time, under one permit: who works on what, and how a stop is heard in the middle of a file. Owns threads
//! and nothing of the files. Upholds decision 3: nothing is begun that the permit was not asked for, and what is not done
//! for good when a stop is heard is thrown away.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gallra_model::receipt::Code;

use crate::driver::{Boundary, Failure, Still};

/// Files worked on at once: what a host has to spare, and enough to hide one behind the other's disk.
const AT_ONCE: usize = 2;

/// How long the permit is not asked while files are worked on: a stop is heard within it.
const LISTEN: Duration = Duration::from_millis(50);

/// What was heard last, for those who work.
pub(super) struct Halt {
    still: Mutex<Still>,
    bell: Condvar,
}

impl Default for Halt {
    fn default() -> Self {
        Self { still: Mutex::new(Still::GoOn), bell: Condvar::new() }
    }
}

impl Halt {
    fn still(&self) -> MutexGuard<'_, Still> {
        self.still.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asked from time to time: whether what is being made would be thrown away.
    pub(super) fn is_worth_it(&self) -> Result<(), Failure> {
        if *self.still() == Still::Stop { Err(stopped()) } else { Ok(()) }
    }

    /// Asked right before something that cannot be undone: waits while the permit is being asked for more time.
    pub(super) fn may(&self) -> Result<(), Failure> {
        let decided = self.bell.wait_while(self.still(), |still| *still == Still::Wait);
        match *decided.unwrap_or_else(PoisonError::into_inner) {
            Still::GoOn => Ok(()),
            Still::Wait | Still::Stop => Err(stopped()),
        }
    }

    /// A stop is for good.
    fn hear(&self, heard: Still) {
        let mut still = self.still();
        if *still != Still::Stop {
            *still = heard;
        }
        drop(still);
        self.bell.notify_all();
    }
}

/// Whether more may be begun, and whether what was begun may be ended.
pub(super) trait Permit {
    /// Asked before each file.
    fn next(&mut self) -> Result<(), Failure>;
    /// Asked again and again while files are worked on.
    fn still(&mut self) -> Still;
}

/// Looking needs none.
pub(super) struct Looking;

impl Permit for Looking {
    fn next(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn still(&mut self) -> Still {
        Still::GoOn
    }
}

/// An act's.
pub(super) struct Acting<'a>(pub(super) &'a mut dyn Boundary);

impl Permit for Acting<'_> {
    fn next(&mut self) -> Result<(), Failure> {
        may(self.0)
    }

    fn still(&mut self) -> Still {
        self.0.still()
    }
}

/// The permit's answer, as a failure.
pub(super) fn may(boundary: &mut dyn Boundary) -> Result<(), Failure> {
    if boundary.may_go_on() { Ok(()) } else { Err(stopped()) }
}

fn stopped() -> Failure {
    Failure::new(Code::Stopped, "stopped: each file is as it was, or done")
}

/// What lies between who hands files over and who works on them.
struct Desk<'f, F, T> {
    next: Option<&'f F>,
    closed: bool,
    busy: usize,
    came: Vec<T>,
    failure: Option<Failure>,
}

/// The desk, and a bell that rings whenever something on it changed.
struct Office<'f, F, T> {
    desk: Mutex<Desk<'f, F, T>>,
    bell: Condvar,
}

impl<'f, F, T> Office<'f, F, T> {
    fn desk(&self) -> MutexGuard<'_, Desk<'f, F, T>> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `ready` holds, or for as long as nobody listens for a stop. Returns whether it holds.
    fn wait(&self, ready: impl Fn(&Desk<'f, F, T>) -> bool) -> bool {
        let waited = self.bell.wait_timeout_while(self.desk(), LISTEN, |desk| !ready(desk));
        waited.is_ok_and(|(desk, _)| ready(&desk))
    }

    /// One worker's day.
    fn work(&self, halt: &Halt, work: &dyn Fn(&F, &Halt) -> Result<T, Failure>) {
        loop {
            let waited = self.bell.wait_while(self.desk(), |desk| desk.next.is_none() && !desk.closed);
            let Ok(mut desk) = waited else { return };
            let Some(file) = desk.next.take() else { return };
            desk.busy += 1;
            drop(desk);
            let place = Place(self);
            let came = work(file, halt);
            match came {
                Ok(came) => self.desk().came.push(came),
                Err(failure) => drop(self.desk().failure.get_or_insert(failure)),
            }
            drop(place);
        }
    }

    /// Waits, and listens meanwhile.
    fn attend(&self, permit: &mut dyn Permit, halt: &Halt, ready: impl Fn(&Desk<'f, F, T>) -> bool) {
        while !self.wait(&ready) {
            halt.hear(permit.still());
        }
    }
}

/// A worker that is busy; it is no longer when this is dropped, also by a panic.
struct Place<'a, 'f, F, T>(&'a Office<'f, F, T>);

impl<F, T> Drop for Place<'_, '_, F, T> {
    fn drop(&mut self) {
        let mut desk = self.0.desk();
        desk.busy -= 1;
        if std::thread::panicking() {
            // The scope panics too, once it is told that nobody is left to hand anything to.
            desk.failure.get_or_insert(Failure::new(Code::Target, "a log could not be worked on: see the agent's log"));
        }
        drop(desk);
        self.0.bell.notify_all();
    }
}

/// Nothing more is handed over once this is dropped, also by a panic.
struct Closing<'a, 'f, F, T>(&'a Office<'f, F, T>);

impl<F, T> Drop for Closing<'_, '_, F, T> {
    fn drop(&mut self) {
        self.0.desk().closed = true;
        self.0.bell.notify_all();
    }
}

/// Calls `work` with each file, two at a time, as long as the permit lets it. The first failure ends it.
pub(super) fn each<F: Sync, T: Send>(
    files: &[F],
    permit: &mut dyn Permit,
    work: &(dyn Fn(&F, &Halt) -> Result<T, Failure> + Sync),
) -> Result<Vec<T>, Failure> {
    let desk = Desk { next: None, closed: false, busy: 0, came: Vec::new(), failure: None };
    let (office, halt) = (Office { desk: Mutex::new(desk), bell: Condvar::new() }, Halt::default());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(files.len()) {
            scope.spawn(|| office.work(&halt, work));
        }
        let closing = Closing(&office);
        for file in files {
            // Nothing waits on the desk: the permit is asked when somebody is free to work on the file.
            office.attend(permit, &halt, |desk| desk.failure.is_some() || desk.next.is_none() && desk.busy < AT_ONCE);
            if office.desk().failure.is_some() {
                break;
            }
            // Asking can take as long as the coordinator's answer does, and by then the last one holds no longer.
            halt.hear(Still::Wait);
            if let Err(failure) = halt.is_worth_it().and_then(|()| permit.next()) {
                office.desk().failure.get_or_insert(failure);
                break;
            }
            halt.hear(Still::GoOn);
            office.desk().next = Some(file);
            office.bell.notify_all();
        }
        drop(closing);
        office.attend(permit, &halt, |desk| (desk.failure.is_some() || desk.next.is_none()) && desk.busy == 0);
    });
    let desk = office.desk.into_inner().unwrap_or_else(PoisonError::into_inner);
    desk.failure.map_or(Ok(desk.came), Err)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Lets so many files begin; says stop once so many looks were made while they are worked on.
    struct Counting {
        begin: u32,
        looks: u32,
    }

    impl Permit for Counting {
        fn next(&mut self) -> Result<(), Failure> {
            self.begin = self.begin.checked_sub(1).ok_or_else(stopped)?;
            Ok(())
        }

        fn still(&mut self) -> Still {
            self.looks = self.looks.saturating_sub(1);
            if self.looks > 0 { Still::GoOn } else { Still::Stop }
        }
    }

    fn always() -> Counting {
        Counting { begin: u32::MAX, looks: u32::MAX }
    }

    #[test]
    fn each_file_is_worked_on_once() {
        let files: Vec<u32> = (0..100).collect();
        let mut came = each(&files, &mut always(), &|file, _| Ok(*file)).expect("nothing fails");
        came.sort_unstable();
        assert_eq!(came, files);
        assert_eq!(each(&[] as &[u32], &mut always(), &|file, _| Ok(*file)), Ok(vec![]));
    }

    #[test]
    fn what_the_permit_does_not_let_begin_is_not_begun_and_the_first_failure_ends_it() {
        let begun = Mutex::new(0);
        let files: Vec<u32> = (0..100).collect();
        let mut three = Counting { begin: 3, looks: u32::MAX };
        let came = each(&files, &mut three, &|_, _| {
            *begun.lock().expect("whole") += 1;
            Ok(())
        });
        assert_eq!((came.map_err(|failure| failure.code), *begun.lock().expect("whole")), (Err(Code::Stopped), 3));
        let failing = |file: &u32, _: &Halt| {
            if *file == 5 { Err(Failure::new(Code::Target, "damaged")) } else { Ok(()) }
        };
        assert_eq!(each(&files, &mut always(), &failing).map_err(|failure| failure.code), Err(Code::Target));
    }

    #[test]
    fn a_stop_is_heard_in_the_middle_of_a_file() {
        let mut soon = Counting { begin: u32::MAX, looks: 3 };
        let came = each(&[1, 2], &mut soon, &|_, halt| {
            // A file without end, but for the stop.
            loop {
                halt.is_worth_it()?;
                std::thread::yield_now();
            }
            #[allow(unreachable_code, reason = "the loop ends by the stop alone")]
            Ok(())
        });
        assert_eq!(came.map_err(|failure: Failure| failure.code), Err(Code::Stopped));
    }

    /// Says wait so often, and then what it is told to.
    struct Waits(u32, Still);

    impl Permit for Waits {
        fn next(&mut self) -> Result<(), Failure> {
            Ok(())
        }

        fn still(&mut self) -> Still {
            self.0 = self.0.saturating_sub(1);
            if self.0 > 0 { Still::Wait } else { self.1 }
        }
    }

    #[test]
    fn nothing_is_done_for_good_while_the_permit_is_asked_for_more() {
        // The file is being made until the permit's time is over; whether it is done for good waits for the answer.
        let made = |halt: &Halt| {
            while *halt.still() == Still::GoOn {
                std::thread::yield_now();
            }
            halt.may()
        };
        assert_eq!(each(&[1], &mut Waits(4, Still::GoOn), &|_, halt| made(halt)), Ok(vec![()]));
        let came = each(&[1], &mut Waits(4, Still::Stop), &|_, halt| made(halt));
        assert_eq!(came.map_err(|failure| failure.code), Err(Code::Stopped));
    }

    /// The answer to the second asking takes long, and is no.
    struct AsksLong<'a> {
        asked: &'a AtomicUsize,
        done: &'a (Mutex<usize>, Condvar),
    }

    impl Permit for AsksLong<'_> {
        fn next(&mut self) -> Result<(), Failure> {
            if self.asked.fetch_add(1, Ordering::SeqCst) == 0 {
                return Ok(());
            }
            let held = self.done.0.lock().expect("no panic while held");
            let (done, _) = self.done.1.wait_timeout_while(held, 4 * LISTEN, |done| *done == 0).expect("whole");
            assert_eq!(*done, 0, "done for good while the permit was asked for more");
            Err(stopped())
        }

        fn still(&mut self) -> Still {
            if self.asked.load(Ordering::SeqCst) < 2 { Still::GoOn } else { Still::Stop }
        }
    }

    #[test]
    fn nor_while_the_next_file_is_being_asked_for() {
        let (asked, done) = (AtomicUsize::new(0), (Mutex::new(0), Condvar::new()));
        let came = each(&[1, 2], &mut AsksLong { asked: &asked, done: &done }, &|_, halt| {
            while asked.load(Ordering::SeqCst) < 2 {
                std::thread::yield_now();
            }
            halt.may()?;
            *done.0.lock().expect("no panic while held") += 1;
            done.1.notify_all();
            Ok(())
        });
        assert_eq!(came.map_err(|failure| failure.code), Err(Code::Stopped));
    }

    #[test]
    fn workers_that_panic_end_it() {
        let (send, ended) = std::sync::mpsc::sync_channel(1);
        std::thread::spawn(move || {
            let each = || each(&[1, 2, 3, 4], &mut always(), &|_, _| -> Result<(), Failure> { panic!("a bug") });
            let came = std::panic::catch_unwind(each);
            send.send(came.is_err())
        });
        let panicked = ended.recv_timeout(Duration::from_secs(20)).expect("nobody waits for those who are gone");
        assert!(panicked, "and it is not swallowed");
    }

    #[test]
    fn whether_a_file_may_go_is_asked_when_somebody_is_free_to_begin_with_it() {
        struct Asks<'a> {
            at_work: &'a AtomicUsize,
            asked: &'a (Mutex<usize>, Condvar),
        }

        impl Permit for Asks<'_> {
            fn next(&mut self) -> Result<(), Failure> {
                assert!(self.at_work.load(Ordering::SeqCst) < AT_ONCE, "asked while nobody could begin");
                *self.asked.0.lock().expect("no panic while held") += 1;
                self.asked.1.notify_all();
                Ok(())
            }

            fn still(&mut self) -> Still {
                Still::GoOn
            }
        }

        let (at_work, asked) = (AtomicUsize::new(0), (Mutex::new(0_usize), Condvar::new()));
        let files: Vec<usize> = (0..6).collect();
        let work = |file: &usize, _: &Halt| {
            at_work.fetch_add(1, Ordering::SeqCst);
            // A long file: the next but one must not be asked for during it.
            let held = asked.0.lock().expect("no panic while held");
            let early = asked.1.wait_timeout_while(held, LISTEN, |asked| *asked < file + 1 + AT_ONCE);
            drop(early.unwrap_or_else(PoisonError::into_inner));
            at_work.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        };
        let mut permit = Asks { at_work: &at_work, asked: &asked };
        assert_eq!(each(&files, &mut permit, &work).map(|done| done.len()), Ok(files.len()));
    }
}
