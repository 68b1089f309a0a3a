//! The second opinion: every line read one by one, with code that the acting side does not use. Looks only. Upholds
//! decision 9: what it cannot read is an error, and I11: it counts and sums up the bytes of everybody else's lines.

use std::io::{self, BufRead, BufReader, Read};
use std::net::IpAddr;

use gallra_model::Instant;
use gallra_model::selector::AddressUse;
use serde::de::IgnoredAny;

use super::config::Act;
use super::format::{Fields, Format, Names};
use super::subject::Who;

/// What makes a line one that must not be there.
pub(super) enum Wanted<'a> {
    /// A subject's, and not masked where that is what is wanted.
    Of(&'a Who, Act),
    /// Older than this, and nobody's who is held.
    Older(Instant, &'a [Who]),
}

/// How to tell.
pub(super) struct Rule<'a> {
    pub(super) format: &'a Format,
    pub(super) wanted: Wanted<'a>,
}

/// What was counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Lines that must not be there.
    pub(super) mine: u64,
    /// All other lines.
    pub(super) others: u64,
    /// Of those: theirs who are held.
    pub(super) held: u64,
    /// Lines that would be `mine`, and do not read.
    pub(super) unread: u64,
    /// Whether any line reads: the sentinel.
    pub(super) reads: bool,
    /// Sum over the bytes of all other lines, and how many bytes these are.
    sum: crc32fast::Hasher,
    bytes: u64,
    /// Which lines were `mine`, as runs of first and one past the last.
    runs: Vec<(u64, u64)>,
    line: u64,
}

impl Tally {
    /// Whether both have the same lines of others, byte for byte.
    pub(super) fn same_others(&self, other: &Self) -> bool {
        let key = |tally: &Self| (tally.others, tally.bytes, tally.sum.clone().finalize());
        key(self) == key(other)
    }

    /// How many of them are `mine`, and which: for [`Tally::without`].
    pub(super) fn runs(&self) -> &[(u64, u64)] {
        &self.runs
    }

    /// Counts whole lines.
    pub(super) fn feed(&mut self, bytes: &[u8], rule: &Rule<'_>) {
        self.count(bytes, &mut |tally, line| rule.mine(line, tally));
    }

    fn count(&mut self, bytes: &[u8], mine: &mut dyn FnMut(&mut Self, &[u8]) -> bool) {
        let mut rest = bytes;
        let mut run = bytes;
        let mut length = 0;
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            let (line, after) = rest.split_at(end);
            if mine(self, line) {
                self.others_bytes(run.get(..length).unwrap_or_default());
                (run, length) = (after, 0);
                self.mine += 1;
                match self.runs.last_mut() {
                    Some((_, last)) if *last == self.line => *last += 1,
                    _ => self.runs.push((self.line, self.line + 1)),
                }
            } else {
                length += end;
                self.others += 1;
            }
            self.line += 1;
            rest = after;
        }
        self.others_bytes(run.get(..length).unwrap_or_default());
    }

    fn others_bytes(&mut self, bytes: &[u8]) {
        self.sum.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// Counts lines with some of them, known by their numbers, left aside: those that were changed. They are `mine` here
    /// only if they are so still.
    pub(super) fn without(reader: impl Read, rule: &Rule<'_>, runs: &[(u64, u64)]) -> io::Result<Self> {
        let (mut tally, mut left) = (Self::default(), 0);
        let mut at = 0;
        lines(reader, &mut |bytes| {
            tally.count(bytes, &mut |tally, line| {
                while runs.get(at).is_some_and(|(_, end)| *end <= tally.line) {
                    at += 1;
                }
                let still = rule.mine(line, tally);
                left += u64::from(still);
                still || runs.get(at).is_some_and(|(first, _)| *first <= tally.line)
            });
        })?;
        tally.mine = left;
        Ok(tally)
    }

    /// Counts everything that a reader gives.
    pub(super) fn of(reader: impl Read, rule: &Rule<'_>) -> io::Result<Self> {
        let mut tally = Self::default();
        lines(reader, &mut |bytes| tally.feed(bytes, rule))?;
        Ok(tally)
    }
}

/// Calls `see` with bytes that end where a line does; only the very last may not.
fn lines(reader: impl Read, see: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(256 * 1024, reader);
    let mut carried: Vec<u8> = Vec::new();
    loop {
        let buffer = reader.fill_buf()?;
        let read = buffer.len();
        if read == 0 {
            see(&carried);
            return Ok(());
        }
        if carried.is_empty() {
            let whole = memchr::memrchr(b'\n', buffer).map_or(0, |at| at + 1);
            let (whole, rest) = buffer.split_at(whole);
            see(whole);
            carried.extend_from_slice(rest);
        } else {
            let end = memchr::memchr(b'\n', buffer).map_or(read, |at| at + 1);
            let (end, rest) = buffer.split_at(end);
            carried.extend_from_slice(end);
            if carried.ends_with(b"\n") {
                see(&carried);
                carried.clear();
                let whole = memchr::memrchr(b'\n', rest).map_or(0, |at| at + 1);
                let (whole, rest) = rest.split_at(whole);
                see(whole);
                carried.extend_from_slice(rest);
            }
        }
        reader.consume(read);
    }
}

impl Rule<'_> {
    fn mine(&self, line: &[u8], tally: &mut Tally) -> bool {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        if !tally.reads {
            tally.reads = self.is_of_format(line);
        }
        match &self.wanted {
            Wanted::Of(who, act) => {
                if !self.is(who, line) {
                    return false;
                }
                if !self.is_of_format(line) {
                    tally.unread += 1;
                    return false;
                }
                self.is_in_time(who, line) && (*act == Act::Erase || !self.is_masked(line))
            }
            Wanted::Older(before, held) => {
                if self.time(line).is_none_or(|at| at >= *before) || !self.is_of_format(line) {
                    return false;
                }
                let unknown = held.iter().any(|who| match who {
                    Who::Hosts(_) => self.text(line, Part::Host).is_none(),
                    Who::Addresses(_) => self.text(line, Part::Address).and_then(value).is_none(),
                });
                let is_held = held.iter().any(|who| self.is(who, line) && self.is_in_time(who, line));
                tally.held += u64::from(is_held);
                !unknown && !is_held
            }
        }
    }

    /// The quick look: whether the line may be theirs.
    fn is(&self, who: &Who, line: &[u8]) -> bool {
        match who {
            Who::Hosts(hosts) => self.text(line, Part::Host).is_some_and(|written| {
                let colon = written.iter().position(|byte| *byte == b':').unwrap_or(written.len());
                let (name, port) = written.split_at(colon);
                let name = name.strip_suffix(b".").unwrap_or(name);
                hosts.iter().any(|host| host.as_bytes().eq_ignore_ascii_case(name))
                    && port.iter().skip(1).all(u8::is_ascii_digit)
            }),
            Who::Addresses(uses) => self.text(line, Part::Address).is_some_and(|written| {
                // One spelling is all that IPv4 has; everything with a colon is looked at as a value.
                let four = !written.contains(&b':');
                uses.iter().any(|used| {
                    let wanted = used.address.to_canonical();
                    !(four && wanted.is_ipv6()) && value(written) == Some(wanted)
                })
            }),
        }
    }

    fn is_in_time(&self, who: &Who, line: &[u8]) -> bool {
        let Who::Addresses(uses) = who else { return true };
        let (Some(at), Some(address)) = (self.time(line), self.text(line, Part::Address).and_then(value)) else {
            return false;
        };
        let theirs = |used: &AddressUse| {
            used.address.to_canonical() == address && used.from <= at && used.until.is_none_or(|until| at < until)
        };
        uses.iter().any(theirs)
    }

    fn is_of_format(&self, line: &[u8]) -> bool {
        let json = !matches!(self.format, Format::Json(_)) || serde_json::from_slice::<IgnoredAny>(line).is_ok();
        json && self.text(line, Part::Address).is_some_and(|written| !written.is_empty()) && self.time(line).is_some()
    }

    fn is_masked(&self, line: &[u8]) -> bool {
        let masked = |written: &[u8]| match value(written) {
            Some(IpAddr::V4(address)) => address.octets().ends_with(&[0]),
            Some(IpAddr::V6(address)) => address.segments().iter().skip(3).all(|group| *group == 0),
            None => matches!(written, b"" | b"-"),
        };
        let list = self.text(line, Part::Forwarded).unwrap_or_default();
        self.text(line, Part::Address).is_none_or(masked)
            && list.split(|byte| *byte == b',').all(|one| masked(one.trim_ascii()))
    }

    fn time(&self, line: &[u8]) -> Option<Instant> {
        let text = std::str::from_utf8(self.text(line, Part::Time)?).ok()?;
        if text.contains('/') {
            let parsed = jiff::fmt::strtime::parse("%d/%b/%Y:%H:%M:%S %z", text).ok()?;
            return if text.len() == 26 { parsed.to_timestamp().ok() } else { None };
        }
        if text.contains('T') {
            return text.parse().ok();
        }
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let part: String = part.chars().chain("000000000".chars()).take(9.max(part.len())).collect();
        Instant::new(whole.parse().ok()?, part.parse().ok()?).ok()
    }

    fn text<'l>(&self, line: &'l [u8], part: Part) -> Option<&'l [u8]> {
        match self.format {
            Format::Combined => combined(line, 0, part),
            Format::VhostCombined => combined(line, 1, part),
            Format::Fields(fields) => nth(line, part.position(fields)?),
            Format::Json(names) => member(line, part.name(names)?),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Host,
    Address,
    Time,
    Forwarded,
}

impl Part {
    fn position(self, fields: &Fields) -> Option<usize> {
        match self {
            Self::Host => fields.host,
            Self::Address => Some(fields.address),
            Self::Time => Some(fields.time),
            Self::Forwarded => fields.forwarded,
        }
    }

    fn name(self, names: &Names) -> Option<&str> {
        match self {
            Self::Host => names.host.as_deref(),
            Self::Address => Some(&names.address),
            Self::Time => Some(&names.time),
            Self::Forwarded => names.forwarded.as_deref(),
        }
    }
}

fn value(written: &[u8]) -> Option<IpAddr> {
    let address: IpAddr = std::str::from_utf8(written).ok()?.parse().ok()?;
    Some(address.to_canonical())
}

fn combined(line: &[u8], hosts: usize, part: Part) -> Option<&[u8]> {
    let mut words = line.split(|byte| *byte == b' ');
    match part {
        Part::Host if hosts == 1 => words.next(),
        Part::Host | Part::Forwarded => None,
        Part::Address => words.nth(hosts),
        Part::Time => {
            let address: usize = words.take(hosts + 1).map(|word| word.len() + 1).sum();
            let rest = line.get(address.checked_sub(1)?..)?;
            let end = rest.windows(3).position(|three| three == b"] \"")?;
            let mut parts = rest.get(..end)?.rsplitn(2, |byte| *byte == b'[');
            let time = parts.next();
            parts.next().and(time)
        }
    }
}

/// The field at a position, read byte by byte.
fn nth(line: &[u8], position: usize) -> Option<&[u8]> {
    let (mut seen, mut start, mut until, mut escaped) = (0, 0, None, false);
    for (at, byte) in line.iter().enumerate() {
        match until {
            _ if escaped => escaped = false,
            Some(b'"') if *byte == b'\\' => escaped = true,
            Some(b' ') if *byte == b' ' => {
                if seen == position {
                    return Some(bare(line.get(start..at)?));
                }
                (seen, start, until) = (seen + 1, at + 1, None);
            }
            Some(mark) if *byte == mark => until = Some(b' '),
            None => match byte {
                b'[' => until = Some(b']'),
                b'"' => until = Some(b'"'),
                b' ' => {
                    if seen == position {
                        return Some(b"");
                    }
                    (seen, start) = (seen + 1, at + 1);
                }
                _ => until = Some(b' '),
            },
            Some(_) => {}
        }
    }
    let closed = matches!(until, Some(b' '));
    (seen == position && closed).then(|| line.get(start..).map(bare)).flatten()
}

/// Without its marks.
fn bare(field: &[u8]) -> &[u8] {
    let marked = |open: &[u8], close: &[u8]| field.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    marked(b"[", b"]").or_else(|| marked(b"\"", b"\"")).unwrap_or(field)
}

/// The value of a member: inside of a string a quote has a backslash before it, so `"name"` is never found in one.
fn member<'l>(line: &'l [u8], name: &str) -> Option<&'l [u8]> {
    let quoted = format!("\"{name}\"");
    memchr::memmem::find_iter(line, &quoted).find_map(|at| {
        let after = line.get(at + quoted.len()..)?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
        let Some(text) = after.strip_prefix(b"\"") else {
            let end = after.iter().position(|byte| matches!(byte, b',' | b'}' | b']'))?;
            return Some(after.get(..end)?.trim_ascii_end());
        };
        let mut escaped = false;
        let end = text.iter().position(|byte| {
            let quote = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            quote
        });
        text.get(..end?)
    })
}
