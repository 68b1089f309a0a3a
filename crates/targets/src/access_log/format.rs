//! Where in a line its host, address and time stand: Apache's and nginx's combined, with or without the virtual host,
//! fields by position, and JSON lines. Knows no subject. A line that does not read is nobody's, and never dropped.

use std::net::IpAddr;
use std::ops::Range;

use gallra_model::Instant;
use serde::Deserialize;

use super::{json, time};

/// Fields of one line are at most so many: a position beyond is a mistake.
const MOST_FIELDS: usize = 64;

/// How a log's lines read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// `address ident user [time] "request" …`
    Combined,
    /// `host:port address ident user [time] "request" …`
    VhostCombined,
    /// By position.
    Fields(Fields),
    /// One JSON object a line.
    Json(Names),
}

/// Positions, from 0, of fields that are parted by one space; `"…"` and `[…]` are one field, without their marks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fields {
    /// The virtual host.
    #[serde(default)]
    pub host: Option<usize>,
    /// The client's address.
    pub address: usize,
    /// When.
    pub time: usize,
    /// Addresses that proxies passed on, parted by commas.
    #[serde(default)]
    pub forwarded: Option<usize>,
}

/// Names of members of the line's object, none of them nested.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// The virtual host.
    #[serde(default)]
    pub host: Option<String>,
    /// The client's address.
    pub address: String,
    /// When.
    pub time: String,
    /// Addresses that proxies passed on, parted by commas.
    #[serde(default)]
    pub forwarded: Option<String>,
}

/// Where the parts of one line stand, and when it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parts {
    /// The host as written.
    pub(super) host: Option<Range<usize>>,
    /// The address as written.
    pub(super) address: Range<usize>,
    /// Forwarded addresses as written.
    pub(super) forwarded: Option<Range<usize>>,
    /// When.
    pub(super) time: Instant,
}

impl Format {
    /// Whether its lines say which host was asked for.
    pub(super) fn has_host(&self) -> bool {
        match self {
            Self::Combined => false,
            Self::VhostCombined => true,
            Self::Fields(fields) => fields.host.is_some(),
            Self::Json(names) => names.host.is_some(),
        }
    }

    /// Refuses what no line could be.
    pub(super) fn check(&self) -> Result<(), String> {
        let mut used: Vec<String> = match self {
            Self::Combined | Self::VhostCombined => return Ok(()),
            Self::Fields(Fields { host, address, time, forwarded }) => {
                let all = [*host, Some(*address), Some(*time), *forwarded];
                if all.iter().flatten().any(|at| *at >= MOST_FIELDS) {
                    return Err(format!("format.fields: a position is above {}", MOST_FIELDS - 1));
                }
                all.iter().flatten().map(usize::to_string).collect()
            }
            Self::Json(Names { host, address, time, forwarded }) => {
                let all = [host.as_ref(), Some(address), Some(time), forwarded.as_ref()];
                all.into_iter().flatten().cloned().collect()
            }
        };
        let plain =
            |name: &String| !name.is_empty() && !name.contains(['"', '\\']) && !name.chars().any(char::is_control);
        if !used.iter().all(plain) {
            return Err("format.json: a name is empty or has a quote, a backslash or a control character".into());
        }
        used.sort_unstable();
        let before = used.len();
        used.dedup();
        if used.len() == before { Ok(()) } else { Err("format: one field is said to be two things".into()) }
    }

    /// Reads a line; `None` when it is not of this format.
    pub(super) fn read(&self, line: &[u8]) -> Option<Parts> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        match self {
            Self::Combined => combined(line, None, 0),
            Self::VhostCombined => {
                let end = memchr::memchr(b' ', line)?;
                combined(line, Some(0..end), end + 1)
            }
            Self::Fields(fields) => by_position(line, fields),
            Self::Json(names) => json::read(line, names),
        }
    }
}

/// `address ident user [time] "`: the user may have spaces and brackets in it, a raw quote never.
fn combined(line: &[u8], host: Option<Range<usize>>, from: usize) -> Option<Parts> {
    let address = from..from + memchr::memchr(b' ', line.get(from..)?)?;
    let close = address.end + memchr::memmem::find(line.get(address.end..)?, b"] \"")?;
    let open = address.end + memchr::memrchr(b'[', line.get(address.end..close)?)?;
    let time = time::read(line.get(open + 1..close)?)?;
    some_text(&address)?;
    Some(Parts { host, address, forwarded: None, time })
}

fn some_text(range: &Range<usize>) -> Option<()> {
    (range.start < range.end).then_some(())
}

fn by_position(line: &[u8], fields: &Fields) -> Option<Parts> {
    let last = [fields.host, Some(fields.address), Some(fields.time), fields.forwarded].into_iter().flatten().max()?;
    let mut found = Vec::with_capacity(last + 1);
    let mut from = 0;
    while found.len() <= last {
        // Only address and time must be there: older lines may have been written with fewer fields.
        let Some((field, next)) = field(line, from) else { break };
        found.push(field);
        from = next;
    }
    let at = |position: usize| found.get(position).cloned();
    let address = at(fields.address)?;
    some_text(&address)?;
    let time = time::read(line.get(at(fields.time)?)?)?;
    Some(Parts { host: fields.host.and_then(at), address, forwarded: fields.forwarded.and_then(at), time })
}

/// The field that begins at `from`, without its marks, and where the next one begins.
fn field(line: &[u8], from: usize) -> Option<(Range<usize>, usize)> {
    let rest = line.get(from..)?;
    let close = match *rest.first()? {
        b'[' => Some(from + memchr::memchr(b']', rest)?),
        b'"' => Some(quote(line, from + 1)?),
        _ => None,
    };
    let after = close.map_or(from, |close| close + 1);
    let end = memchr::memchr(b' ', line.get(after..)?).map_or(line.len(), |at| after + at);
    match close {
        Some(close) if end == after => Some((from + 1..close, end + 1)),
        _ => Some((from..end, end + 1)),
    }
}

/// The next quote without a backslash before it.
fn quote(line: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr::memchr2(b'"', b'\\', line.get(at..)?)?;
        if line.get(at) == Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

/// An address as written, as a value: `::ffff:192.0.2.1` is 192.0.2.1.
pub(super) fn address(written: &[u8]) -> Option<IpAddr> {
    let address: IpAddr = std::str::from_utf8(written).ok()?.parse().ok()?;
    Some(address.to_canonical())
}
