//! The command line: what an operator types, and the demonstration that a newcomer runs first.
//!
//! Owns arguments, tables, JSON and exit codes. Refuses to decide anything: live answers come from the coordinator over
//! gRPC, offline ones from the policy, planner and verifier crates. Data goes to stdout, everything else to stderr.

pub mod cause;
pub mod ceremony;
pub mod client;
pub mod command;
pub mod demo;
pub mod exit;
pub mod output;
pub mod pair;
