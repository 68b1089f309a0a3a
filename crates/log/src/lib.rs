//! The append-only Merkle log of everything that is signed: its tree, its texts, and what log and witness decide
//! (`docs/formats/log-v1.md`). Formats are those of C2SP, so that others' tools and witnesses read them; the entry is ours.
//!
//! Refuses to know where anything is stored or sent, and what time it is. Upholds I7 (the log only grows): a witness
//! cosigns, and the log itself signs, only what follows from what was signed before ([`witness`], [`rollback`]).

pub mod checkpoint;
pub mod cosign;
pub mod entry;
pub mod evidence;
pub mod note;
mod number;
pub mod rollback;
pub mod tile;
pub mod tree;
pub mod witness;
