//! Who is who, and who may call what: the installation's private certificate authority, the certificates it issues,
//! the join tokens with which a host becomes an agent, and the table of callers.
//!
//! Owns what a certificate says (`gallra://<installation>/<role>/<name>`) and what a role may call. Refuses to know of
//! connections, tonic and the store: it gives and takes PEM and DER, and takes the time as a value. Upholds I9: a caller
//! without the role changes nothing and learns nothing.
//!
//! **Certificates live in real time.** Whoever calls into this crate passes the machine's own clock, even where the
//! coordinator runs under a simulated one: the TLS library that checks a certificate reads the machine's clock and
//! cannot be told otherwise, and a demonstration that plays seven months in a minute must not outlive its certificates.

pub mod access;
mod authority;
mod caller;
mod csr;
mod host;
mod invitation;
mod label;
mod ml_dsa;
mod pem;
mod role;
mod secret;
mod template;
mod token;

#[cfg(test)]
mod handshake;

pub use authority::{AUTHORITY_DAYS, Authority, Credential, IssueError, LEAF_DAYS};
pub use caller::{Caller, CallerError};
pub use csr::new_csr;
pub use host::is_https_address;
pub use invitation::{TokenRecord, TokenRefusal};
pub use label::is_label;
pub use ml_dsa::{MlDsaError, MlDsaKey, certificate_der, ml_dsa_verifies, public_blocks};
pub use role::{CallerRole, RoleError};
pub use secret::{Secret, SecretError};
pub use token::{JoinToken, TOKEN_PREFIX, TokenError};
