//! The witness as a real process: it is asked over HTTP by our own client, killed at the worst moments, and started again. What it
//! has cosigned is collected, and no two trees of one size are ever among it (I7).
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a missing part should fail the test at once")]

mod kills;
mod others;
mod process;
mod requests;
mod tree;
