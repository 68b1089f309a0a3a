//! The nouns of gallra, one spelling each: ids, targets, jobs, permits, receipts, plans, requests, copies.
//!
//! Owns the shapes and nothing else. Refuses to know how any of it is stored, sent, signed or decided:
//! no clock, no randomness, no I/O. Upholds that an illegal id, an unknown action or a bare number without
//! a unit cannot be built.

pub mod cause;
pub mod contract;
pub mod copy;
pub mod digest;
pub mod envelope;
pub mod hold;
pub mod hours;
pub mod id;
pub mod job;
pub mod journal;
pub mod manifest;
pub mod message;
pub mod order;
pub mod outcome;
pub mod permit;
pub mod plan;
pub mod proof;
pub mod receipt;
pub mod request;
pub mod restore;
pub mod selector;
pub mod statement;
pub mod suppression;
pub mod target;
pub mod time;
pub mod trace;

pub use digest::Digest;
pub use id::{
    AgentName, ContractId, CopyId, CustomerId, HoldId, JobId, Nonce, ObligationId, Pseudonym, RequestId, SubjectId,
    SuppressionId,
};
pub use time::{Clock, Day, Instant};
