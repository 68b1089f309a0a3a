//! Retention rules and the calendar: what a provider's promises and the law make of a few dates.
//!
//! Owns the policy pack (text in, [`Policy`] out), a customer's instruction on top of it, the arithmetic of Regulation
//! 1182/71, the combination of rows, the answer of `gallra policy explain`, and what differs between two versions. Refuses to
//! know plans and what time it is, and of targets knows their categories only: every date comes in as a value. Upholds I1's
//! first half: a window's `earliest` is never before a keep's.

pub mod age;
pub mod calendar;
pub mod combine;
pub mod diff;
pub mod entry;
pub mod explain;
pub mod facts;
pub mod instruction;
pub mod inventory;
pub mod pack;
pub mod problem;
pub mod reading;
pub mod render;
pub mod rule;
pub mod succession;
pub mod unsettled;
pub mod word;

pub use calendar::{CalendarError, ChangedYear, FinancialYears, Moment, Period, RunWindow, YearEnd};
pub use combine::{Combined, Kept, Unmet};
pub use entry::{Effect, Entry};
pub use instruction::{Deviation, Instruction};
pub use pack::{Policy, SwitchedOff, doubled, in_force};
pub use problem::{Problem, Refused};
pub use reading::{Extra, Newest};
pub use rule::{Clause, Detail, Rule, Stage, Stricter};
pub use word::{Anchor, Bound, CATEGORIES, Deed, Sweep, Until};
