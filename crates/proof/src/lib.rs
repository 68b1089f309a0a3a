//! The issuer's and the agents' side of everything that is signed: keys, DSSE envelopes, permits, receipts, plans, and
//! the statement of a proof. Formats are the pages in `docs/formats/`; the code cites their sections.
//!
//! Refuses to know where keys and files live, what time it is, and how a verifier reads any of this: `gallra-verify`
//! reads the same pages and shares no code. Upholds I5 on the issuer's side: [`statement::assemble`] says *final* only
//! when nothing is open.

pub mod cause;
pub mod dsse;
pub mod file;
pub mod issuer;
pub mod key;
pub mod manifest;
pub mod order;
pub mod payload;
pub mod permit;
pub mod plan;
pub mod receipt;
pub mod register;
pub mod restore;
pub mod statement;
pub mod subject;
pub mod succession;
pub mod suppression;
