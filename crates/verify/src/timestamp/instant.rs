//! Times as they stand in DER, read into the crate's own instants.

use super::der::{Element, GENERALIZED_TIME, Malformed, UTC_TIME};
use crate::time::Instant;

/// `YYYYMMDDHHMMSS[.fraction]Z`, the fraction as in an [`Instant`] (RFC 3161, section 2.4.2).
pub(super) fn generalized(time: &Element<'_>) -> Result<Instant, Malformed> {
    if time.tag != GENERALIZED_TIME {
        return Err(Malformed);
    }
    read("", time.content)
}

/// A certificate's: `YYMMDDHHMMSSZ` up to 2049, and with four digits and without a fraction behind (RFC 5280, section 4.1.2.5).
pub(super) fn of_certificate(time: &Element<'_>) -> Result<Instant, Malformed> {
    match (time.tag, time.content) {
        (UTC_TIME, [tens @ b'0'..=b'9', ..]) if time.content.len() == 13 => {
            read(if *tens < b'5' { "20" } else { "19" }, time.content)
        }
        (GENERALIZED_TIME, content) if content.len() == 15 => read("", content),
        _ => Err(Malformed),
    }
}

fn read(century: &str, content: &[u8]) -> Result<Instant, Malformed> {
    let text = std::str::from_utf8(content).ok().filter(|text| text.is_ascii()).ok_or(Malformed)?;
    let text = format!("{century}{text}");
    let part = |from, to| text.get(from..to).ok_or(Malformed);
    let day = format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let spelled = format!("{day}T{}:{}:{}", part(8, 10)?, part(10, 12)?, part(12, text.len())?);
    Instant::try_from(spelled).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_one_spelling() {
        let of = |tag, content: &str| {
            let element = Element { tag, whole: &[], content: content.as_bytes() };
            (generalized(&element).map(String::from), of_certificate(&element).map(String::from))
        };
        let good = |text: &str| Ok(text.to_owned());
        assert_eq!(
            of(GENERALIZED_TIME, "20260228235959Z"),
            (good("2026-02-28T23:59:59Z"), good("2026-02-28T23:59:59Z"))
        );
        assert_eq!(of(GENERALIZED_TIME, "20260228235959.25Z"), (good("2026-02-28T23:59:59.25Z"), Err(Malformed)));
        assert_eq!(of(UTC_TIME, "490228235959Z"), (Err(Malformed), good("2049-02-28T23:59:59Z")));
        assert_eq!(of(UTC_TIME, "500228235959Z"), (Err(Malformed), good("1950-02-28T23:59:59Z")));
        for bad in [
            "",
            "Z",
            "20260229000000Z",
            "20260228240000Z",
            "20260228000060Z",
            "20260228000000",
            "20260228000000.Z",
            "20260228000000.50Z",
            "20260228000000+0000",
            "202602280000Z",
            "2602280000Z",
            "+260228000000Z",
            "2026022800000åZ",
        ] {
            assert_eq!(of(GENERALIZED_TIME, bad), (Err(Malformed), Err(Malformed)), "{bad}");
            assert_eq!(of(UTC_TIME, bad), (Err(Malformed), Err(Malformed)), "{bad}");
        }
    }
}
