//! The coordinator: takes contract events, plans, offers jobs to agents, signs permits and proofs.
//!
//! Owns the wiring of the pure machines to the store, the clock, the keys and the network; every decision is theirs.
//! Refuses to know paths, SQL and the data that is erased. All state is in the store, and recovery is the ordinary path:
//! load, decide, commit by compare-and-swap (decision 4).

pub mod addresses;
pub mod api;
pub mod archive;
mod asked;
pub mod brake;
pub mod causes;
pub mod claims;
pub mod clock;
pub mod contracts;
pub mod core;
pub mod doctor;
mod entered;
pub mod epochs;
pub mod error;
pub mod fleet;
pub mod gate;
pub mod generation;
pub mod guards;
pub mod halt;
mod handed;
pub mod holders;
pub mod holds;
pub mod init;
pub mod instructions;
pub mod issue;
pub mod jobs;
pub mod joining;
pub mod layout;
pub mod leader;
pub mod leaks;
pub mod leaps;
pub mod ledger;
pub mod logs;
pub mod metrics;
pub mod moving;
pub mod opening;
pub mod people;
pub mod planning;
pub mod policies;
pub mod purge;
pub mod quarantine;
mod renewing;
pub mod replica;
pub mod replicate;
pub mod restore;
pub mod restores;
pub mod resume;
pub mod schema;
pub mod serve;
pub mod signing;
pub mod stamping;
pub mod state;
pub mod succession;
pub mod suppression;
pub mod told;
mod traces;
pub mod unsettled;
pub mod witness;
