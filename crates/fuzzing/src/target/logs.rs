//! Lines of web servers' logs: whoever visits writes them.

use gallra_targets::access_log::{Fields, Format, Names};
use gallra_targets::fuzzing::{self, Line};

use crate::Seen;

/// The first byte says which format, the rest is a line. Masking twice equals masking once, changes no time and no host,
/// makes no second line, and leaves no full address where one was read (I6, I11).
pub fn line(bytes: &[u8]) -> Seen {
    let Some((which, line)) = bytes.split_first() else { return Seen::Refused };
    let line = line.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
    let format = format(*which);
    let Some(read) = fuzzing::line(&format, line) else { return Seen::Refused };
    let ends = |line: &[u8]| line.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(ends(&read.masked), ends(line), "another number of lines");
    let again: Line = fuzzing::line(&format, &read.masked).unwrap_or_else(|| panic!("masked, and no line any more"));
    assert_eq!((again.time, &again.host), (read.time, &read.host), "masking changed something else");
    assert_eq!(again.masked, read.masked, "masking twice");
    assert!(is_cut(&again.address), "a full address is left: {:?}", String::from_utf8_lossy(&again.address));
    for one in again.forwarded.unwrap_or_default().split(|byte| *byte == b',') {
        assert!(is_cut(one.trim_ascii()), "a full forwarded address is left");
    }
    Seen::Read
}

/// Whether an address says no more than its network: nothing, `-`, or 24 bits of IPv4, 48 of IPv6.
fn is_cut(written: &[u8]) -> bool {
    let text = std::str::from_utf8(written).unwrap_or("not text");
    match text.parse::<std::net::IpAddr>().map(|address| address.to_canonical()) {
        Ok(std::net::IpAddr::V4(address)) => address.octets().ends_with(&[0]),
        Ok(std::net::IpAddr::V6(address)) => address.octets().ends_with(&[0; 10]),
        Err(_) => matches!(text, "" | "-"),
    }
}

fn format(which: u8) -> Format {
    let text = |name: &str| name.to_owned();
    match which % 4 {
        0 => Format::Combined,
        1 => Format::VhostCombined,
        2 => Format::Fields(Fields { host: Some(1), address: 0, time: 3, forwarded: Some(5) }),
        _ => Format::Json(Names {
            host: Some(text("host")),
            address: text("remote_addr"),
            time: text("time"),
            forwarded: Some(text("forwarded")),
        }),
    }
}
