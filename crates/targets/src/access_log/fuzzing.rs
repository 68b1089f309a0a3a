//! A way in for `gallra-fuzzing` to the reading and masking of lines. No part of the product calls it.

use gallra_model::Instant;

use super::format::Format;
use super::mask;

/// What a line says, and what it becomes without full addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The host as written.
    pub host: Option<Vec<u8>>,
    /// The client's address as written.
    pub address: Vec<u8>,
    /// Addresses that proxies passed on, as written.
    pub forwarded: Option<Vec<u8>>,
    /// When.
    pub time: Instant,
    /// The masked line.
    pub masked: Vec<u8>,
}

/// Reads a line; none when it is not of the format. Panics where a part lies outside of the line.
pub fn line(format: &Format, line: &[u8]) -> Option<Line> {
    format.check().ok()?;
    let parts = format.read(line)?;
    let part = |range: &std::ops::Range<usize>| line.get(range.clone()).expect("a part of the line").to_vec();
    let mut masked = Vec::new();
    mask::line(line, &parts, &mut masked);
    let (host, forwarded) = (parts.host.as_ref().map(part), parts.forwarded.as_ref().map(part));
    Some(Line { host, address: part(&parts.address), forwarded, time: parts.time, masked })
}
