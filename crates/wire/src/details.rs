//! What a refusal says beside its text, for programs: `google.rpc` details. Owns the words of `ErrorInfo.reason`; a word is never given
//! another meaning. Nothing here quotes what was sent, which may be personal data.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// Who says these words.
pub const DOMAIN: &str = "gallra";

/// When to try again where a store does not answer: longer than the lease of a leader that is gone.
pub const STORE_BACK: Duration = Duration::from_secs(10);
/// When to try again where others were faster: at once, nearly.
pub const NEXT_TURN: Duration = Duration::from_secs(1);

/// Why something was not done, in one word for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A field is wrong; which is in `BadRequest`.
    InvalidField,
    /// There is no such thing.
    NotFound,
    /// The state does not allow it.
    State,
    /// It exists.
    Exists,
    /// A fact changed meanwhile.
    Outdated,
    /// Others were faster too often.
    Busy,
    /// The store does not answer.
    StoreUnavailable,
    /// The store takes nothing more.
    StoreFull,
    /// More at once than the store takes in one transaction.
    TooLarge,
    /// The store does not let this coordinator in.
    StoreDenied,
    /// Another coordinator leads.
    Deposed,
    /// A stored value cannot be read.
    Unreadable,
    /// A key, a signature or a seal; or what would show somebody.
    NotSigned,
    /// The caller's certificate does not go that far.
    NotAllowed,
    /// The two sides speak versions of the stream's protocol that are too far apart.
    Protocol,
}

impl Reason {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidField => "INVALID_FIELD",
            Self::NotFound => "NOT_FOUND",
            Self::State => "STATE",
            Self::Exists => "EXISTS",
            Self::Outdated => "OUTDATED",
            Self::Busy => "BUSY",
            Self::StoreUnavailable => "STORE_UNAVAILABLE",
            Self::StoreFull => "STORE_FULL",
            Self::TooLarge => "TOO_LARGE",
            Self::StoreDenied => "STORE_DENIED",
            Self::Deposed => "DEPOSED",
            Self::Unreadable => "UNREADABLE",
            Self::NotSigned => "NOT_SIGNED",
            Self::NotAllowed => "NOT_ALLOWED",
            Self::Protocol => "PROTOCOL",
        }
    }
}

/// A status with its reason, and when to try again where that helps.
pub fn status(code: Code, reason: Reason, text: String, again: Option<Duration>) -> Status {
    status_about::<0>(code, reason, text, again, [])
}

/// The same with words for programs in the metadata of `ErrorInfo`.
pub fn status_about<const N: usize>(
    code: Code,
    reason: Reason,
    text: String,
    again: Option<Duration>,
    about: [(&str, String); N],
) -> Status {
    let about: std::collections::HashMap<_, _> =
        about.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let mut details = ErrorDetails::with_error_info(reason.as_str(), DOMAIN, about);
    if let Some(again) = again {
        details.set_retry_info(Some(again));
    }
    if code == Code::FailedPrecondition {
        details.add_precondition_failure_violation(reason.as_str(), "", text.as_str());
    }
    Status::with_error_details(code, text, details)
}

/// `INVALID_ARGUMENT` about one field.
pub fn invalid(field: &str, why: impl std::fmt::Display) -> Status {
    let why = why.to_string();
    let mut details = ErrorDetails::with_bad_request_violation(field, why.as_str());
    details.set_error_info(Reason::InvalidField.as_str(), DOMAIN, std::collections::HashMap::new());
    Status::with_error_details(Code::InvalidArgument, format!("{field}: {why}"), details)
}

/// `FAILED_PRECONDITION`: the state does not allow it now.
pub fn state(text: impl Into<String>) -> Status {
    status(Code::FailedPrecondition, Reason::State, text.into(), None)
}

/// `NOT_FOUND`.
pub fn missing(text: impl Into<String>) -> Status {
    status(Code::NotFound, Reason::NotFound, text.into(), None)
}

/// `PERMISSION_DENIED`: with another certificate, perhaps.
pub fn not_allowed(text: impl Into<String>) -> Status {
    status(Code::PermissionDenied, Reason::NotAllowed, text.into(), None)
}

/// `INVALID_ARGUMENT` with a text that may begin with the field's name and a colon.
pub fn invalid_text(text: impl Into<String>) -> Status {
    let text = text.into();
    let is_field =
        |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'.');
    match text.split_once(": ") {
        Some((field, why)) if is_field(field) => invalid(field, why),
        _ => status(Code::InvalidArgument, Reason::InvalidField, text, None),
    }
}

/// The word for programs, where a status has one of ours.
pub fn reason(status: &Status) -> Option<String> {
    status.get_details_error_info().filter(|info| info.domain == DOMAIN).map(|info| info.reason)
}

/// When the server says that it is worth trying again.
pub fn again(status: &Status) -> Option<Duration> {
    status.get_details_retry_info().and_then(|info| info.retry_delay)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_field_is_named_for_programs_too() {
        let status = invalid_text("ended: the contract began later".to_owned());
        assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "ended: the contract began later"));
        let fields = status.get_details_bad_request().expect("details").field_violations;
        assert_eq!(fields.first().map(|one| one.field.as_str()), Some("ended"));
        assert_eq!(reason(&status).as_deref(), Some("INVALID_FIELD"));
        let whole = invalid_text("Only a sentence: with a colon".to_owned());
        assert!(whole.get_details_bad_request().is_none());
    }

    #[test]
    fn every_refusal_has_a_word_for_programs() {
        for (refused, code, word) in [
            (invalid_text("covers: name what the hold covers"), Code::InvalidArgument, "INVALID_FIELD"),
            (invalid_text("a sentence"), Code::InvalidArgument, "INVALID_FIELD"),
            (state("not now"), Code::FailedPrecondition, "STATE"),
            (missing("no such key"), Code::NotFound, "NOT_FOUND"),
            (not_allowed("this role may not call this"), Code::PermissionDenied, "NOT_ALLOWED"),
        ] {
            assert_eq!((refused.code(), reason(&refused).as_deref()), (code, Some(word)), "{refused}");
        }
    }

    #[test]
    fn a_caller_learns_when_to_try_again() {
        let busy = status(Code::Unavailable, Reason::StoreUnavailable, "no".to_owned(), Some(STORE_BACK));
        assert_eq!(again(&busy), Some(STORE_BACK));
        assert_eq!(again(&Status::unavailable("no")), None);
        let state = status(Code::FailedPrecondition, Reason::State, "not ended".to_owned(), None);
        let violations = state.get_details_precondition_failure().expect("details").violations;
        assert_eq!(violations.first().map(|one| one.description.as_str()), Some("not ended"));
    }
}
