//! The agent: acts on one host under permit, journals, signs receipts.
//!
//! Owns the edges of `gallra_flow::agent`: files, keys, clocks, drivers, the network. Its two halves, [`privileged`] and
//! [`session`], are two processes under two users and speak only in serialised messages through [`channel`], which `pipe`
//! carries (decision 15). Refuses to decide:
//! what may be asked for, done and signed is `gallra-flow`'s. Upholds I4 (nothing is done before the journal is durable).

pub mod channel;
mod child;
pub mod clock;
pub mod config;
pub mod dir;
#[doc(hidden)]
pub mod fuzzing;
pub mod join;
pub mod journal;
pub mod outbox;
mod pipe;
pub mod privileged;
pub mod restored;
pub mod retry;
pub mod serve;
pub mod session;
pub mod suppression;
pub mod vault;
