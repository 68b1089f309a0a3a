//! The log's public face over HTTP/1.1: its checkpoint and tiles for anybody ([`Tiles`]), what a witness answers to
//! ([`Witnessing`]), and how a log asks its witnesses ([`gather`]). Everything that passes is public and carries its own
//! signatures or is checked against one, so that plain HTTP changes nothing about what can be believed.
//!
//! Owns methods, paths, headers, statuses, sizes and times of both sides. Refuses to know where anything is stored and what a
//! witness decides. Upholds I10 (every message, connection and wait is bounded); I7 is upheld by `gallra_log`.

mod address;
mod client;
mod gather;
mod server;
mod tiles;
mod witness;

pub use address::{Address, AddressError};
pub use client::{ADD_CHECKPOINT_PATH, Answer, ClientError, MOST_ANSWER_BYTES, add_checkpoint};
pub use gather::{Gathered, Remote, RemoteError, Withheld, ask, gather};
pub use server::{Handler, MOST_CONNECTIONS, Reply, serve};
pub use tiles::{Published, Tiles, Unavailable};
pub use witness::{NotCosigned, Witness, Witnessing};
