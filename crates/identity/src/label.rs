//! Names of installations, agents and people's certificates: one rule for all, so that a name can stand in a URI, in a
//! file name and in a log without quoting.

/// Longest label, in bytes: what DNS allows.
const LABEL_BYTES: usize = 63;

/// Whether a text may name an installation or a caller: 1 to 63 of a-z, 0-9 and '-', no '-' at either end.
pub fn is_label(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    matches!((bytes.first(), bytes.last()), (Some(&a), Some(&z)) if plain(a) && plain(z))
        && bytes.len() <= LABEL_BYTES
        && bytes.iter().all(|&b| plain(b) || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_need_no_quoting_anywhere() {
        for good in ["a", "web1", "mail-02", &"a".repeat(63)] {
            assert!(is_label(good), "{good}");
        }
        for bad in ["", "-", "-a", "a-", "A", "a_b", "a/b", "..", "å", "a b", "a\n", &"a".repeat(64)] {
            assert!(!is_label(bad), "{bad}");
        }
    }
}
