//! Trees of files on disk: what the drivers `files` and `maildir` share.
//!
//! Owns every system call that they make. Refuses to know what the files mean. Upholds I11 against a tenant who fights
//! back: whatever acts goes from an open directory to one name in it, never along a path, never through a symbolic
//! link, never across a mount point. What only looks (`raw`) uses plain paths on purpose: it is the second opinion.

mod bin;
mod candidates;
mod config;
mod count;
mod erase;
mod hands;
mod held;
mod inspect;
mod look;
mod open;
mod raw;
mod remove;
mod shut;
mod sweep;
#[cfg(test)]
pub(crate) mod tests;
mod trash;
mod walk;

pub use config::{Config, HardLinks};
pub(crate) use config::{default_sentinel, default_trash};
pub(crate) use inspect::Tree;
pub(crate) use open::trouble;
pub(crate) use sweep::{Changed, Place, plain, remove};
pub(crate) use walk::Entry;
