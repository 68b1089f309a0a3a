//! Enum values as the words that `--output json` and tables show. Knows only the generated enums.

use serde::Serializer;

use crate::v1;

/// The word for an enum value: its name without the enum's own prefix, in lower case.
fn word(name: &'static str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_ascii_lowercase()
}

macro_rules! words {
    ($($function:ident, $text:ident: $kind:ident, $prefix:literal;)*) => { $(
        #[doc = concat!("The word for a `", stringify!($kind), "`; `unspecified` for zero and unknown numbers.")]
        pub fn $text(value: i32) -> String {
            word(v1::$kind::try_from(value).unwrap_or_default().as_str_name(), $prefix)
        }

        /// Writes it as that word.
        ///
        /// # Errors
        /// Only the serialiser's own.
        pub fn $function<S: Serializer>(value: &i32, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_str(&$text(*value))
        }
    )* };
}

words! {
    target_kind, target_kind_word: TargetKind, "TARGET_KIND_";
    data_role, data_role_word: DataRole, "DATA_ROLE_";
    scope, scope_word: Scope, "SCOPE_";
    mode, mode_word: Mode, "MODE_";
    copy_life, copy_life_word: CopyLife, "COPY_LIFE_";
    contract_state, contract_state_word: ContractState, "CONTRACT_STATE_";
    request_state, request_state_word: RequestState, "REQUEST_STATE_";
    job_state, job_state_word: JobState, "JOB_STATE_";
    copy_state, copy_state_word: CopyState, "COPY_STATE_";
    stage, stage_word: Stage, "STAGE_";
    clock_kind, clock_kind_word: ClockKind, "CLOCK_KIND_";
    severity, severity_word: Severity, "SEVERITY_";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_designs() {
        assert_eq!(request_state_word(v1::RequestState::AwaitingCopies as i32), "awaiting_copies");
        assert_eq!(request_state_word(0), "unspecified");
        assert_eq!(request_state_word(99), "unspecified");
    }
}
