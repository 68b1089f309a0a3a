//! An agent's privileged half in a thread of its own, that runs only when the simulation gives it its turn: so production code
//! that blocks can be played, and nothing happens at the same time. Owns the handing over; a half that is killed unwinds at the
//! next thing that it waits for, as a process would end there.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use gallra_agent::channel::{Carry, Closed, PrivilegedEnd};
use gallra_agent::privileged::{Half, Setup};
use gallra_planted::Bug;
use gallra_random::Source;
use tokio::sync::mpsc::error::TryRecvError;

use crate::world::lock;

/// What a half says when it hands its turn back.
#[derive(Debug)]
pub enum Turn {
    /// It waits for a word, at most so long.
    Waits(Duration),
    /// It is busy, and hears nothing for so long.
    Busy(Duration),
    /// It ended.
    Ended(String),
}

enum Go {
    On,
    Die,
}

/// The thread's side: whatever it is that waits hands the turn over.
pub struct Hand {
    turns: SyncSender<Turn>,
    go: Receiver<Go>,
    inbox: Arc<Mutex<Lines>>,
    outbox: Arc<Mutex<Vec<String>>>,
}

#[derive(Default)]
struct Lines {
    lines: VecDeque<String>,
    closed: bool,
}

impl Hand {
    fn over(&self, turn: Turn) {
        let handed = self.turns.send(turn).is_ok();
        match self.go.recv() {
            Ok(Go::On) if handed => {}
            _ => std::panic::resume_unwind(Box::new("killed")),
        }
    }
}

/// Lets whatever works in the half's thread take time.
#[derive(Clone)]
pub struct Pace(Arc<Mutex<Hand>>);

impl Pace {
    /// So much time passes.
    pub fn takes(&self, time: Duration) {
        lock(&self.0).over(Turn::Busy(time));
    }
}

impl Carry for Pace {
    fn next(&mut self, wait: Option<Duration>) -> Result<String, TryRecvError> {
        let hand = lock(&self.0);
        if let Some(wait) = wait
            && lock(&hand.inbox).lines.is_empty()
        {
            hand.over(Turn::Waits(wait));
        }
        let mut inbox = lock(&hand.inbox);
        match inbox.lines.pop_front() {
            Some(line) => Ok(line),
            None if inbox.closed => Err(TryRecvError::Disconnected),
            None => Err(TryRecvError::Empty),
        }
    }

    fn say(&self, line: String) -> Result<(), Closed> {
        let hand = lock(&self.0);
        lock(&hand.outbox).push(line);
        Ok(())
    }
}

/// The simulation's side.
pub struct Played {
    go: SyncSender<Go>,
    turns: Receiver<Turn>,
    inbox: Arc<Mutex<Lines>>,
    outbox: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Played {
    /// Makes a half, which waits for its first turn. `setup` is called in its thread.
    pub fn start(random: Source, bug: Option<Bug>, setup: impl FnOnce(Pace) -> Option<Setup> + Send + 'static) -> Self {
        let ((turns, hears), (go, goes)) = (sync_channel(8), sync_channel(8));
        let (inbox, outbox) = (Arc::<Mutex<Lines>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let hand = Hand { turns: turns.clone(), go: goes, inbox: Arc::clone(&inbox), outbox: Arc::clone(&outbox) };
        let pace = Pace(Arc::new(Mutex::new(hand)));
        let thread = std::thread::spawn(move || {
            gallra_random::draw_from(Some(random));
            gallra_planted::plant(bug);
            let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                lock(&pace.0).over(Turn::Busy(Duration::ZERO));
                let Some(setup) = setup(pace.clone()) else { return "it does not start".to_owned() };
                match Half::new(setup, PrivilegedEnd::over(Box::new(pace.clone()))).run() {
                    Ok(()) => "stopped".to_owned(),
                    Err(error) => error.to_string(),
                }
            }));
            let how = ran.unwrap_or_else(|why| match why.downcast_ref::<&str>() {
                Some(&"killed") => "killed".to_owned(),
                Some(text) => format!("panicked: {text}"),
                None => format!("panicked: {:?}", why.downcast_ref::<String>()),
            });
            let _ = turns.send(Turn::Ended(how));
        });
        let played = Self { go, turns: hears, inbox, outbox, thread: Some(thread) };
        // The first turn is its own to hand over.
        let _ = played.turns.recv();
        played
    }

    /// Gives it its turn, and waits until it hands it back. What it said meanwhile comes with it.
    pub fn turn(&mut self) -> (Turn, Vec<String>) {
        let _ = self.go.send(Go::On);
        self.wait()
    }

    fn wait(&mut self) -> (Turn, Vec<String>) {
        let turn = self.turns.recv().unwrap_or_else(|_| Turn::Ended("gone".to_owned()));
        (turn, std::mem::take(&mut *lock(&self.outbox)))
    }

    /// Tells it something, which it hears when it listens.
    pub fn tell(&self, line: String) {
        lock(&self.inbox).lines.push_back(line);
    }

    /// Whether something was said that it has not heard.
    pub fn has_word(&self) -> bool {
        !lock(&self.inbox).lines.is_empty()
    }

    /// Kills it where it stands.
    pub fn kill(&mut self) {
        let _ = self.go.send(Go::Die);
        if let Some(thread) = self.thread.take() {
            while !matches!(self.turns.recv(), Ok(Turn::Ended(_)) | Err(_)) {
                let _ = self.go.send(Go::Die);
            }
            let _ = thread.join();
        }
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        self.kill();
    }
}
