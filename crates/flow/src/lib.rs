//! The state machines, pure: `step(state, input, now) -> (state, effects)`, one transition function each.
//!
//! Owns every decision about requests, jobs, copies, permits and the two halves of an agent. Refuses to know stores,
//! networks, clocks and keys: it is given values, `now` among them, and returns values, so that a simulator can drive
//! the same code. Upholds I1 to I6 and I8.

pub mod address;
pub mod agent;
pub mod approval;
pub mod cancel;
pub mod clock;
pub mod contract;
pub mod copy;
pub mod dispatch;
pub mod heartbeat;
pub mod job;
pub mod permit;
pub mod remains;
pub mod request;
pub mod suppression;
pub mod view;
