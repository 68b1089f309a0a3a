//! Addresses without the part that tells one client from its neighbours: /24 of IPv4, /48 of IPv6. Pure, and doing it
//! twice equals doing it once (I6).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::format::{Parts, address};

/// Bits of an IPv4 address that stay.
const KEPT_V4: u32 = 24;
/// Bits of an IPv6 address that stay.
const KEPT_V6: u32 = 48;

/// One address as written, masked. What is masked already stays as it is written; what is no address (a looked-up host
/// name) becomes `-`.
fn masked(written: &[u8]) -> Vec<u8> {
    let full = match address(written) {
        None if written.is_empty() => return Vec::new(),
        None => return b"-".to_vec(),
        Some(full) => full,
    };
    let cut = match full {
        IpAddr::V4(full) => IpAddr::from(Ipv4Addr::from_bits(full.to_bits() & (u32::MAX << (32 - KEPT_V4)))),
        IpAddr::V6(full) => IpAddr::from(Ipv6Addr::from_bits(full.to_bits() & (u128::MAX << (128 - KEPT_V6)))),
    };
    if cut == full { written.to_vec() } else { cut.to_string().into_bytes() }
}

/// Several addresses, parted by commas; the spaces between them stay.
fn masked_list(written: &[u8], becomes: &mut Vec<u8>) {
    for (number, one) in written.split(|byte| *byte == b',').enumerate() {
        if number > 0 {
            becomes.push(b',');
        }
        let start = one.len() - one.trim_ascii_start().len();
        let (space, rest) = one.split_at(start);
        let (text, after) = rest.split_at(rest.trim_ascii_end().len());
        becomes.extend_from_slice(space);
        becomes.extend_from_slice(&masked(text));
        becomes.extend_from_slice(after);
    }
}

/// What a line becomes.
pub(super) fn line(line: &[u8], parts: &Parts, becomes: &mut Vec<u8>) {
    becomes.clear();
    let mut places = vec![(parts.address.clone(), false)];
    places.extend(parts.forwarded.clone().map(|range| (range, true)));
    places.sort_by_key(|(range, _)| range.start);
    let mut done = 0;
    for (range, list) in places {
        becomes.extend_from_slice(line.get(done..range.start).unwrap_or_default());
        let written = line.get(range.clone()).unwrap_or_default();
        if list {
            masked_list(written, becomes);
        } else {
            becomes.extend_from_slice(&masked(written));
        }
        done = range.end;
    }
    becomes.extend_from_slice(line.get(done..).unwrap_or_default());
}
