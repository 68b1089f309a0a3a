//! The version of the words on the agent's stream: which one this side speaks, and with which others it talks. Decision 0042 says what
//! may change under one version. Knows no word's meaning; upholds that two sides which are too far apart do not talk at all.

use tonic::{Code, Status};

use crate::details::{Reason, status_about};

/// What this side speaks. 0 is what was spoken before versions were said.
pub const PROTOCOL: u32 = 1;

/// Versions that another side may be older or newer by.
const APART: u32 = 1;

/// The two sides of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The agent.
    Agent,
    /// The coordinator.
    Coordinator,
}

impl Side {
    const fn word(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Coordinator => "coordinator",
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Agent => Self::Coordinator,
            Self::Coordinator => Self::Agent,
        }
    }
}

/// Whether this side may talk with one that speaks `theirs`.
///
/// # Errors
/// `FAILED_PRECONDITION`, with which side is to be upgraded in text and details.
pub fn check(this: Side, theirs: u32) -> Result<(), Status> {
    if theirs.abs_diff(PROTOCOL) <= APART {
        return Ok(());
    }
    let older = if theirs < PROTOCOL { this.other() } else { this };
    let (ours, peer) = (this.word(), this.other().word());
    let text = format!(
        "the {ours} speaks version {PROTOCOL} of the stream's protocol and the {peer} version {theirs}: they may be {APART} apart; \
         upgrade the {} (docs/operations.md, section 9)",
        older.word()
    );
    let about = [(ours, PROTOCOL.to_string()), (peer, theirs.to_string()), ("upgrade", older.word().to_owned())];
    Err(status_about(Code::FailedPrecondition, Reason::Protocol, text, None, about))
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;

    #[test]
    fn one_older_and_one_newer_may_talk_and_no_others() {
        for side in [Side::Agent, Side::Coordinator] {
            for theirs in [PROTOCOL - 1, PROTOCOL, PROTOCOL + 1] {
                assert!(check(side, theirs).is_ok(), "{theirs}");
            }
            for theirs in [PROTOCOL + 2, u32::MAX] {
                let refused = check(side, theirs).expect_err("too new");
                assert_eq!(refused.code(), Code::FailedPrecondition);
                let info = refused.get_details_error_info().expect("details");
                assert_eq!(info.reason, "PROTOCOL");
                assert_eq!(
                    info.metadata.get("upgrade").map(String::as_str),
                    Some(side.word()),
                    "this side is the older one"
                );
                assert!(refused.message().contains(&format!("upgrade the {}", side.word())), "{}", refused.message());
            }
        }
    }
}
