//! Drivers: how each kind of target is inspected, erased and confirmed on one host.
//!
//! Owns everything that touches a provider's data. Refuses to know the network, permits and keys: it is called by the
//! agent's privileged half, which has checked them. Upholds I11 (what is not the subject's stays the same) and the rule
//! that unreachable, missing or unsupported is never "absent".

pub mod access_log;
mod age;
pub mod attempt;
pub mod config;
pub mod driver;
pub mod files;
#[doc(hidden)]
pub mod fuzzing;
pub mod maildir;
pub mod pace;
pub mod restic;
pub mod sql;
pub mod template;
#[cfg(test)]
mod testing;
mod tree;

pub use attempt::{Report, run};
pub use config::{TargetConfig, open};
pub use driver::{Boundary, Confirmation, Driver, Failure, Inspection, Preserved, PurgeOrder, Purged, Still};
