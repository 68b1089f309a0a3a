//! What the outer ring of tests stands on: a provider in a folder with real processes, callers of every role, and a time
//! stamping authority. Nothing in production depends on it.

pub mod caller;
pub mod provider;
pub mod tsa;

pub use provider::{Story, day};
