//! How a proof is about somebody without naming anybody (`docs/formats/subject-v1.md`). Owns claim codes, commitments,
//! openings and the scan for leaks; refuses to make randomness, and to know who keeps a code. Upholds I12 for what is handed
//! out: a commitment says nothing without its opening, and what would say more is not signed.

mod claim;
mod identifier;
mod leak;

pub use claim::{ClaimCode, ClaimCodeError, Opening, commitments};
pub use identifier::{Identifier, IdentifierError, Kind, MAX_IDENTIFIERS};
pub use leak::{Leak, scan};
