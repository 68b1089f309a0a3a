//! The Merkle tree of RFC 6962, section 2.1: hashes of leaves and nodes, how a tree grows, and the two proofs.
//!
//! Owns the arithmetic; refuses to know what a leaf says and where hashes are stored: they are asked for by their place
//! ([`Hashes`]). Upholds I7 on the arithmetic's side: two trees are one history only where [`proof::check_consistency`]
//! says so. Everything is bounded by the 64 levels of a size that is a `u64`.

#[cfg(test)]
pub(crate) mod grown;
pub mod hash;
pub mod place;
pub mod proof;
pub mod range;

pub use hash::{Hash, HashError};
pub use place::{Hashes, Node};
pub use proof::{
    ProofError, check_consistency, check_inclusion, consistency, inclusion, needed_by_consistency, needed_by_inclusion,
    needed_by_root, root_at,
};
pub use range::{Full, Range};
