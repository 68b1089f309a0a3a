//! Exit codes, and how a failure becomes one. The table is a contract (`docs/exit-codes.md`): codes are added, never
//! changed. `gallra verify` has its own from 10 on.

use gallra_wire::details::{self, Reason};
use tonic::Code;

/// Done.
pub const OK: u8 = 0;
/// Something failed that none of the others names.
pub const FAILED: u8 = 1;
/// Wrong usage, or input that is refused.
pub const USAGE: u8 = 2;
/// There is no such thing.
pub const NOT_FOUND: u8 = 3;
/// The certificate's role may not do this, or there is none.
pub const DENIED: u8 = 4;
/// The coordinator cannot be reached.
pub const UNREACHABLE: u8 = 5;
/// The state does not allow it now.
pub const PRECONDITION: u8 = 6;
/// `gallra doctor` found something critical.
pub const CRITICAL: u8 = 7;

/// A failure that ends the command: what to say on stderr, and the code.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// What, where, and what to do next.
    pub text: String,
}

impl Failure {
    /// A failure with its text.
    pub fn new(code: u8, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

impl From<tonic::Status> for Failure {
    fn from(status: tonic::Status) -> Self {
        let (code, hint) = match status.code() {
            Code::InvalidArgument | Code::OutOfRange => (USAGE, ""),
            Code::NotFound => (NOT_FOUND, "\nhint: `gallra request list` shows what there is"),
            Code::PermissionDenied | Code::Unauthenticated => {
                (DENIED, "\nhint: use --profile with a certificate of the right role")
            }
            Code::Unavailable if details::reason(&status).is_some() => (
                UNREACHABLE,
                "\nhint: the coordinator runs, its store does not answer: see its log, and `docs/operations.md`",
            ),
            Code::Unavailable => {
                (UNREACHABLE, "\nhint: is gallra-coordinator running, and client.toml's address right?")
            }
            Code::ResourceExhausted if details::reason(&status).as_deref() == Some(Reason::StoreFull.as_str()) => {
                (FAILED, "\nhint: the coordinator's store takes nothing more: see its log, and `docs/operations.md`")
            }
            Code::FailedPrecondition | Code::AlreadyExists | Code::Aborted => (PRECONDITION, ""),
            Code::Ok
            | Code::Cancelled
            | Code::Unknown
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Unimplemented
            | Code::Internal
            | Code::DataLoss => (FAILED, ""),
        };
        let again = details::again(&status).map(|again| format!("\nhint: try again in {} s", again.as_secs().max(1)));
        Self { code, text: format!("{}{hint}{}", status.message(), again.unwrap_or_default()) }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self { code: FAILED, text: format!("{error:#}") }
    }
}
