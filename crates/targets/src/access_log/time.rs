//! When a line was written: `10/Oct/2000:13:55:36 -0700`, ISO 8601 with an offset, or seconds since 1970. Knows no
//! clock and no zone of its own: a time without an offset is none.

use gallra_model::Instant;
use jiff::civil::DateTime;
use jiff::tz::Offset;

const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";

/// Reads a time.
pub(super) fn read(text: &[u8]) -> Option<Instant> {
    match (text.get(2), text.contains(&b'T')) {
        (Some(b'/'), _) => common(text),
        (_, true) => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => seconds(text),
    }
}

/// `10/Oct/2000:13:55:36 -0700`: 26 bytes, nothing else.
fn common(text: &[u8]) -> Option<Instant> {
    let marks = [(2, b'/'), (6, b'/'), (11, b':'), (14, b':'), (17, b':'), (20, b' ')];
    if text.len() != 26 || marks.iter().any(|(at, mark)| text.get(*at) != Some(mark)) {
        return None;
    }
    let number = |from: usize, to: usize| {
        text.get(from..to)?
            .iter()
            .try_fold(0_i16, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i16::from(digit - b'0')))
    };
    let small = |from, to| number(from, to).and_then(|number| i8::try_from(number).ok());
    let month = MONTHS.chunks(3).position(|month| Some(month) == text.get(3..6))?;
    let month = i8::try_from(month + 1).ok()?;
    let local = DateTime::new(number(7, 11)?, month, small(0, 2)?, small(12, 14)?, small(15, 17)?, small(18, 20)?, 0);
    let minutes = i32::from(number(22, 24)?) * 60 + i32::from(number(24, 26)?);
    let offset = match text.get(21)? {
        b'+' => Offset::from_seconds(minutes * 60),
        b'-' => Offset::from_seconds(-minutes * 60),
        _ => return None,
    };
    offset.ok()?.to_timestamp(local.ok()?).ok()
}

/// `1760000000` or `1760000000.123`.
fn seconds(text: &[u8]) -> Option<Instant> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 9 {
        return None;
    }
    let nanoseconds = format!("{part:0<9}").parse().ok()?;
    Instant::new(whole.parse().ok()?, nanoseconds).ok()
}
