//! What the outer ring of tests stands on: a provider in a folder with real processes, and callers of every role. Nothing
//! in production depends on it.

pub mod caller;
pub mod provider;

pub use provider::{Story, day};
