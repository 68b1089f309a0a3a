//! The planner from outside: golden scenarios, generated cases, and plans that were tampered with.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a panic is a failed test")]

mod bounds;
mod doubt;
mod golden;
mod property;
mod purge;
mod refusal;
mod script;
mod shown;
mod spoiled;
mod sweeps;
mod terms;
mod touched;
