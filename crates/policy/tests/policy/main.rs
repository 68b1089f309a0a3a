//! Policies from outside: every row of every pack and every combination rule as a script with its answer, rows that are
//! taken out one by one, properties, and an independent calendar.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a panic is a failed test")]

mod calendar;
mod golden;
mod property;
mod rows;
mod script;
mod settings;
