//! Refusals that repeat nothing of what was refused: it may be personal data, or a secret (I9, decision 12).

/// Longest refusal. A longer one would carry something from outside.
const REFUSAL_BYTES: usize = 400;
/// A run of so many bytes is a quotation, a shorter one a coincidence: our words are in no seed.
const QUOTE_BYTES: usize = 16;

/// Fails where `refusal` is long, or repeats a part of `refused`.
pub(crate) fn says_nothing_of(refused: &[u8], refusal: &str) {
    assert!(refusal.len() <= REFUSAL_BYTES, "a refusal of {} bytes: {refusal}", refusal.len());
    repeats_nothing_of(refused, refusal.as_bytes());
}

/// Fails where bytes that go with a refusal are many, or repeat a part of `refused`: the refusal's own words twice, and names of fields
/// and types.
pub(crate) fn repeats_nothing_of(refused: &[u8], said: &[u8]) {
    let shown = String::from_utf8_lossy(said);
    assert!(said.len() <= 3 * REFUSAL_BYTES, "{} bytes with a refusal: {shown}", said.len());
    for window in said.windows(QUOTE_BYTES).step_by(QUOTE_BYTES / 2) {
        let quoted = refused.windows(QUOTE_BYTES).any(|part| part == window);
        assert!(!quoted, "the refusal repeats what was refused: {shown}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quotation_is_found_wherever_it_stands() {
        says_nothing_of(b"anna.andersson@mail.example", "not an id: expected 32 lowercase hex characters");
        for before in 0..16 {
            let refusal = format!("{}anna.andersson@mail.example", "x".repeat(before));
            let found = std::panic::catch_unwind(|| says_nothing_of(b"<anna.andersson@mail.example>", &refusal));
            assert!(found.is_err(), "after {before} bytes");
        }
        assert!(std::panic::catch_unwind(|| says_nothing_of(b"", &"x".repeat(401))).is_err());
    }
}
