//! A provider's years in a second: the product's coordinators and agents over a simulated clock, network, store and disks, with
//! everything that can go wrong drawn from a seed, and checkers that look after every step (decision record 0045).
//!
//! Owns the world around production code and what must hold in it. Refuses to know how the product decides. The same seed plays the
//! same year to the byte.

pub mod actors;
pub mod chance;
pub mod check;
pub mod disk;
pub mod faults;
pub mod half;
pub mod host;
pub mod link;
pub mod node;
pub mod place;
pub mod repo;
pub mod run;
pub mod site;
pub mod store;
pub mod template;
pub mod truth;
pub mod world;

pub use run::{Outcome, run};
