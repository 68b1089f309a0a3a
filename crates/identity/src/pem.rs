//! PEM, strictly: one block under the expected name, nothing around it but white space. Two readers that disagree on
//! which of two blocks counts would disagree on who is trusted.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_parser::pem::parse_x509_pem;

/// Longest PEM text that is looked at, in bytes. A P-256 certificate has some 700.
const PEM_BYTES: usize = 8 * 1024;

/// The bytes of the only block in `text`, if it is a `label` block.
pub(crate) fn only_block(text: &str, label: &str) -> Option<Vec<u8>> {
    if text.len() > PEM_BYTES || !text.trim_start().starts_with("-----BEGIN ") {
        return None;
    }
    let (rest, block) = parse_x509_pem(text.trim_start().as_bytes()).ok()?;
    let alone = rest.iter().all(u8::is_ascii_whitespace);
    (alone && block.label == label).then_some(block.contents)
}

/// One block under a name, in lines of 64 characters (RFC 7468).
pub(crate) fn block(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = (0..text.len()).step_by(64).filter_map(|at| text.get(at..text.len().min(at + 64))).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "-----BEGIN THING-----\nAAEC\n-----END THING-----\n";

    #[test]
    fn one_block_and_nothing_else() {
        assert_eq!(only_block(BLOCK, "THING"), Some(vec![0, 1, 2]));
        assert_eq!(only_block(&format!("\n{BLOCK}\n"), "THING"), Some(vec![0, 1, 2]));
        assert_eq!(block("THING", &[0, 1, 2]), BLOCK);
        assert_eq!(only_block(&block("THING", &[7; 200]), "THING"), Some(vec![7; 200]));
        assert_eq!(only_block(BLOCK, "OTHER"), None);
        assert_eq!(only_block(&BLOCK.repeat(2), "THING"), None);
        assert_eq!(only_block(&format!("hello\n{BLOCK}"), "THING"), None);
        assert_eq!(only_block(&format!("{BLOCK}hello"), "THING"), None);
        assert_eq!(only_block(&" ".repeat(PEM_BYTES + 1), "THING"), None);
    }
}
