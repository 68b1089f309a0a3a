//! What a failed call to etcd means: whether it can have been carried out, whether another member may help, and what a person
//! should do. Owns the wording; upholds that a failure which leaves the outcome open is never called anything else.

use std::error::Error as Source;
use std::fmt::Write as _;

use gallra_store::StoreError;
use tonic::{Code, ConnectError, Status};

use crate::tls;

/// The kinds that make a difference to anyone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It did not reach a member that could do it: another may.
    NotSent,
    /// The connection was refused for a certificate: another member may think otherwise.
    Shut,
    /// Carried out or not.
    Unknown,
    /// etcd's quota is used up.
    Full,
    /// etcd has no such right for us.
    Forbidden,
    /// The revision that was asked for is forgotten.
    Compacted,
    /// The answer is longer than we take in one piece.
    TooLong,
    /// This is not the cluster, or not the time, that we know.
    Stale,
    /// etcd refused it for good, and did nothing.
    Refused,
}

#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    pub(crate) hint: String,
    /// What the member asked for, where it said so.
    pub(crate) wait: Option<std::time::Duration>,
}

const FULL: &str = "etcd's quota is used up, and it takes removals only. Compact and defragment it, raise \
    --quota-backend-bytes if it is too small, then disarm the alarm: see docs/etcd.md";
const FORBIDDEN: &str =
    "etcd's user for our certificate may not do this; grant its role readwrite on the cell's prefix";
const STALE: &str = "stop all coordinators of this cell; after a restore of etcd see docs/etcd.md";

impl Fault {
    pub(crate) fn new(kind: Kind, hint: impl Into<String>) -> Self {
        Self { kind, hint: hint.into(), wait: None }
    }

    /// Nothing came in time.
    pub(crate) fn silent(within: std::time::Duration) -> Self {
        Self::new(Kind::Unknown, format!("no answer within {} ms", within.as_millis()))
    }

    /// From the client's own error.
    pub(crate) fn of(error: &etcd_client::Error) -> Self {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "all others are mistakes in what was asked, before it was sent"
        )]
        match error {
            etcd_client::Error::GRpcStatus(status) => Self::of_status(status),
            etcd_client::Error::TransportError(source) => {
                of_chain(source).unwrap_or_else(|| Self::new(Kind::Unknown, chain(source)))
            }
            etcd_client::Error::WatchError(_) | etcd_client::Error::LeaseKeepAliveError(_) => {
                Self::new(Kind::Unknown, error.to_string())
            }
            other => Self::new(Kind::Refused, other.to_string()),
        }
    }

    /// From what was heard at the door; none where it says nothing of certificates.
    pub(crate) fn at_the_door(error: &std::io::Error) -> Option<Self> {
        of_chain(error).filter(|fault| fault.kind == Kind::Shut)
    }

    fn of_status(status: &Status) -> Self {
        if let Some(fault) = of_chain(status) {
            return fault;
        }
        let said = status.message();
        let has = |words: &str| said.contains(words);
        let kind = match status.code() {
            Code::ResourceExhausted if has("database space exceeded") => Kind::Full,
            // Refused before it is proposed.
            Code::ResourceExhausted if has("too many requests") => Kind::NotSent,
            Code::OutOfRange if has("compacted") => Kind::Compacted,
            Code::OutOfRange if has("message length too large") => Kind::TooLong,
            Code::OutOfRange if has("future revision") => Kind::Stale,
            // By the interceptor that asks for a leader, before anything is done.
            Code::Unavailable if has("etcdserver: no leader") => Kind::NotSent,
            Code::PermissionDenied | Code::Unauthenticated => Kind::Forbidden,
            Code::InvalidArgument if has("user name is empty") => Kind::Forbidden,
            Code::InvalidArgument | Code::FailedPrecondition | Code::NotFound | Code::Unimplemented => Kind::Refused,
            // Time-outs, a leader that went, a connection that broke: it may have been carried out.
            Code::Ok
            | Code::Cancelled
            | Code::Unknown
            | Code::DeadlineExceeded
            | Code::AlreadyExists
            | Code::ResourceExhausted
            | Code::Aborted
            | Code::OutOfRange
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss => Kind::Unknown,
        };
        let hint = if status.source().is_some() { format!("{said}: {}", chain(status)) } else { said.to_owned() };
        Self { kind, hint, wait: gallra_retry::hint(status) }
    }

    /// Whether another member, or the same one later, may do better; `harmless`: doing it twice is the same as once.
    pub(crate) fn may_be_tried_again(&self, harmless: bool) -> bool {
        match self.kind {
            Kind::NotSent | Kind::Shut => true,
            Kind::Unknown => harmless,
            Kind::Full | Kind::Forbidden | Kind::Compacted | Kind::TooLong | Kind::Stale | Kind::Refused => false,
        }
    }

    /// The answer to who wanted to write.
    pub(crate) fn of_write(self, during: &'static str) -> StoreError {
        if self.kind == Kind::Unknown { StoreError::Uncertain { hint: self.hint } } else { self.of_read(during) }
    }

    /// The answer to who only asked, or did what may be done twice.
    pub(crate) fn of_read(self, during: &'static str) -> StoreError {
        let hint = self.hint;
        match self.kind {
            Kind::NotSent | Kind::Unknown => StoreError::Unavailable { hint },
            Kind::Shut => StoreError::Denied { hint },
            Kind::Full => StoreError::Full { hint: FULL.to_owned() },
            Kind::Forbidden => StoreError::Denied { hint: format!("{hint}; {FORBIDDEN}") },
            Kind::Stale => StoreError::Format { hint: format!("{hint}; {STALE}") },
            Kind::Compacted | Kind::TooLong | Kind::Refused => StoreError::Failed { during, hint },
        }
    }
}

/// A failure that stands in what lies under the status.
fn of_chain(error: &(dyn Source + 'static)) -> Option<Fault> {
    let mut connecting = false;
    let mut next = Some(error);
    while let Some(at) = next {
        connecting |= at.is::<ConnectError>();
        if let Some(hint) = tls::explain(at, connecting) {
            return Some(Fault::new(Kind::Shut, hint));
        }
        next = under(at);
    }
    connecting.then(|| Fault::new(Kind::NotSent, chain(error)))
}

/// An I/O error does not count what it wraps as its source.
fn under<'e>(error: &'e (dyn Source + 'static)) -> Option<&'e (dyn Source + 'static)> {
    let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    inner.map(|inner| inner as &(dyn Source + 'static)).or_else(|| error.source())
}

/// All that lies under an error, outermost first.
fn chain(error: &(dyn Source + 'static)) -> String {
    let mut text = String::new();
    let mut next = under(error);
    while let Some(at) = next {
        let said = at.to_string();
        if !text.contains(&said) {
            let parted = if text.is_empty() { "" } else { ": " };
            let _ = write!(text, "{parted}{said}");
        }
        next = under(at);
    }
    if text.is_empty() { error.to_string() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: Code, said: &str) -> Kind {
        Fault::of_status(&Status::new(code, said)).kind
    }

    /// The words are etcd's own, 3.4 to 3.6.
    #[test]
    fn what_etcd_says_is_read_as_it_is_meant() {
        for (code, said, expected) in [
            (Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded", Kind::Full),
            (Code::ResourceExhausted, "etcdserver: too many requests", Kind::NotSent),
            (Code::Unavailable, "etcdserver: no leader", Kind::NotSent),
            (Code::Unavailable, "etcdserver: request timed out", Kind::Unknown),
            (
                Code::Unavailable,
                "etcdserver: request timed out, possibly due to previous leader failure",
                Kind::Unknown,
            ),
            (Code::Unavailable, "etcdserver: leader changed", Kind::Unknown),
            (Code::Unavailable, "error reading a body from connection", Kind::Unknown),
            (Code::Unknown, "raft proposal dropped", Kind::Unknown),
            (Code::InvalidArgument, "etcdserver: request is too large", Kind::Refused),
            (Code::PermissionDenied, "etcdserver: permission denied", Kind::Forbidden),
            (Code::InvalidArgument, "etcdserver: user name is empty", Kind::Forbidden),
            (Code::OutOfRange, "etcdserver: mvcc: required revision has been compacted", Kind::Compacted),
            (Code::OutOfRange, "etcdserver: mvcc: required revision is a future revision", Kind::Stale),
        ] {
            assert_eq!(kind(code, said), expected, "{said}");
        }
    }

    #[test]
    fn a_write_of_open_outcome_is_uncertain_and_is_not_tried_again() {
        for code in (0..=16).map(Code::from) {
            let fault = Fault::of_status(&Status::new(code, "whatever it says"));
            let uncertain = matches!(fault.clone().of_write("writing"), StoreError::Uncertain { .. });
            assert_eq!(uncertain, fault.kind == Kind::Unknown, "{code:?}");
            assert!(!fault.may_be_tried_again(false), "{code:?}: nothing says that it was not carried out");
            assert!(!matches!(fault.of_read("reading"), StoreError::Uncertain { .. }));
        }
    }

    #[test]
    fn a_connection_that_was_never_made_carried_nothing() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let status = Status::from_error(Box::new(ConnectError(Box::new(refused))));
        let fault = Fault::of_status(&status);
        assert_eq!(fault.kind, Kind::NotSent);
        assert!(fault.hint.contains("refused"), "{}", fault.hint);
        assert!(fault.may_be_tried_again(false));
    }
}
