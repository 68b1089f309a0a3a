//! What every driver can do, and nothing about how. A driver has four moments: inspect, act, confirm (by another path
//! than the one that acted) and, for backups, observe. The order between them is `attempt`'s.

use std::fmt;

use gallra_model::Instant;
use gallra_model::copy::CopyListing;
use gallra_model::job::{Keep, Question};
use gallra_model::outcome::Counts;
use gallra_model::receipt::{Check, Code, Mark, Tally};
use gallra_model::selector::Selector;
use gallra_model::target::{CopyLife, Instance, TargetKind};

/// Why a driver did not do it. The hint is one sentence for the host's admin: what, where (in words of `agent.toml`,
/// never an identifier), what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{hint}")]
pub struct Failure {
    /// Stable code.
    pub code: Code,
    /// For the admin.
    pub hint: String,
}

impl Failure {
    /// A failure with its hint.
    pub fn new(code: Code, hint: impl Into<String>) -> Self {
        Self { code, hint: hint.into() }
    }
}

/// What is there before the act.
#[derive(Clone, Default)]
pub struct Inspection {
    /// What the target's name stands for; `None` when nothing of the subject's is there.
    pub instance: Option<Instance>,
    /// The subject's items, their size, and how many items are somebody else's.
    pub found: Tally,
    /// Byte strings that must not be found after an erasure and must be found before it. They are personal data: they
    /// live in memory for one attempt, are never serialised and never shown.
    pub residue: Vec<Vec<u8>>,
}

impl fmt::Debug for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { instance, found, residue } = self;
        write!(f, "Inspection {{ {instance:?}, {found:?}, residue: {} strings }}", residue.len())
    }
}

/// What an independent look finds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Confirmation {
    /// The subject's items that are (still) there.
    pub found: u64,
    /// Hits of [`Inspection::residue`] in raw bytes.
    pub residue: u64,
    /// Items that are somebody else's.
    pub others: u64,
    /// What was checked, for the receipt.
    pub checks: Vec<Check>,
}

/// What a preserve leaves with the agent.
#[derive(Clone)]
pub struct Preserved {
    /// How many items are kept.
    pub items: u64,
    /// Row keys or paths, to be sealed by the agent behind the handle. Personal data, so no `Debug`.
    pub keys: Vec<u8>,
}

/// Whether an item that was begun may be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Still {
    /// Yes.
    GoOn,
    /// The permit's time is over, and it is being asked for more: nothing may be done for good meanwhile.
    Wait,
    /// No: what of the item has not been done for good is thrown away.
    Stop,
}

/// Asked at every item boundary of a long act: a permit that ran out or a hold stops the act there.
pub trait Boundary {
    /// Whether the act may go on with the next item.
    fn may_go_on(&mut self) -> bool;

    /// Asked again and again in the middle of an item that takes long, such as one large log. Costs nothing of the host's
    /// pace.
    fn still(&mut self) -> Still {
        Still::GoOn
    }

    /// Called by a driver when nobody but itself can reach the items any more, right before the first of them goes for
    /// good: what was there is remembered durably, so that an attempt after a crash can count it. False: it could not be
    /// remembered, and nothing may go.
    fn mark(&mut self, _seen: &Inspection) -> bool {
        true
    }

    /// What an earlier attempt at the same job remembered.
    fn earlier(&self) -> Option<Mark> {
        None
    }
}

/// A rolling purge: everything that is older goes, whoever's it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgeOrder {
    /// What is older than this goes.
    pub before: Instant,
    /// Whose items stay although they are older: subjects under a hold, in the words of the host's templates. One that
    /// this target cannot tell from others makes the purge fail, untouched.
    pub preserve: Vec<Selector>,
}

/// What a rolling purge came to, confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purged {
    /// `erased`: items that went; `retained`: older items that stay, since a hold covers them.
    pub counts: Counts,
    /// Items that were too old, their bytes, and all others.
    pub before: Tally,
    /// The same afterwards, by the independent look.
    pub after: Tally,
    /// Items whose age or owner could not be read: they stay.
    pub unread: u64,
    /// Why the run is not done, although all that could go went: some items have no age that can be believed, and are
    /// counted as failed.
    pub undone: Option<Failure>,
    /// Files that went as a whole.
    pub removed_files: u64,
    /// The checks made.
    pub checks: Vec<Check>,
}

impl<B: Boundary + ?Sized> Boundary for &mut B {
    fn may_go_on(&mut self) -> bool {
        (**self).may_go_on()
    }

    fn still(&mut self) -> Still {
        (**self).still()
    }

    fn mark(&mut self, seen: &Inspection) -> bool {
        (**self).mark(seen)
    }

    fn earlier(&self) -> Option<Mark> {
        (**self).earlier()
    }
}

/// One target on this host. Every method is blocking and may be called again after a crash at any point: doing it twice
/// equals doing it once (I6).
pub trait Driver: Send {
    /// Which kind it is.
    fn kind(&self) -> TargetKind;

    /// Whether the host's admin lets [`Driver::purge`] take anything here.
    fn purges(&self) -> bool {
        false
    }

    /// Backup targets: how long copies of a customer who has left live, by simulating the store's keep rules.
    fn copy_life(&self) -> Option<CopyLife> {
        None
    }

    /// Says what is there. Touches nothing.
    ///
    /// # Errors
    /// [`Code::SentinelMissing`] when what must always be found is not: then nothing may be called absent.
    fn inspect(&self, selector: &Selector) -> Result<Inspection, Failure>;

    /// Puts the subject's items out of everybody's reach; erases nothing. Returns how many.
    ///
    /// # Errors
    /// [`Code::Unsupported`] where the target cannot do it.
    fn restrict(&self, selector: &Selector, seen: &Inspection) -> Result<u64, Failure>;

    /// Keeps everybody but root from changing what `seen` describes, so that two looks at it can agree. Erases nothing.
    /// Called once before an erasure, and only where the target changed between `inspect` and `confirm`.
    ///
    /// # Errors
    /// Whatever kept it from doing so; [`Code::InstanceChanged`] when the name was used again meanwhile.
    fn still(&self, _selector: &Selector, _seen: &Inspection) -> Result<(), Failure> {
        Ok(())
    }

    /// Erases what `seen` describes. What it returns is a claim; `confirm` decides.
    ///
    /// # Errors
    /// Whatever stopped it; a part may be gone.
    fn erase(&self, selector: &Selector, seen: &Inspection, boundary: &mut dyn Boundary) -> Result<Counts, Failure>;

    /// Looks by another path than `erase` took: a raw walk, a byte search, a fresh connection.
    ///
    /// # Errors
    /// [`Code::SentinelMissing`], or whatever kept it from looking. An error is never "nothing found".
    fn confirm(&self, selector: &Selector, seen: &Inspection) -> Result<Confirmation, Failure>;

    /// Lists what must be kept, so that it can be found again without the subject's identity (decision 11).
    ///
    /// # Errors
    /// [`Code::Unsupported`] where the target cannot do it.
    fn preserve(&self, _selector: &Selector, _seen: &Inspection, _keep: &Keep) -> Result<Preserved, Failure> {
        Err(Failure::new(Code::Unsupported, format!("a {} target cannot keep part of its data", self.kind().as_str())))
    }

    /// Erases what is older than an instant, and confirms it. `now` is the agent's clock, for the host's own limit.
    ///
    /// # Errors
    /// [`Code::Unsupported`] where the target has no ages; [`Code::PurgeAge`] when the host forbids it.
    fn purge(&self, _order: &PurgeOrder, _now: Instant, _boundary: &mut dyn Boundary) -> Result<Purged, Failure> {
        Err(Failure::new(Code::Unsupported, format!("a {} target is not purged by age", self.kind().as_str())))
    }

    /// Shows everybody whose items are there, once each, in the words of the host's templates: after a restore, whom to hold
    /// against the suppression list. Touches nothing. Returns how many remains of begun erasures there are that belong to
    /// none of them.
    ///
    /// # Errors
    /// [`Code::Unsupported`] where the target cannot tell; [`Code::SentinelMissing`]; whatever `each` returned.
    fn candidates(&self, _each: &mut dyn FnMut(Selector) -> Result<(), Failure>) -> Result<u64, Failure> {
        Err(Failure::new(
            Code::Unsupported,
            format!("a {} target cannot say whose data it holds", self.kind().as_str()),
        ))
    }

    /// Backup targets: lists copies and says which known ones are gone. `now` is the agent's clock, for expectations.
    ///
    /// # Errors
    /// [`Code::Unsupported`] on live targets; otherwise whatever kept it from looking.
    fn observe(&self, _selector: &Selector, _question: &Question, _now: Instant) -> Result<CopyListing, Failure> {
        Err(Failure::new(Code::Unsupported, format!("a {} target holds no copies", self.kind().as_str())))
    }
}
