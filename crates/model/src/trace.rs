//! A place in a trace, as W3C's `traceparent` spells it: which trace, and which span of it. Owns the spelling alone; refuses to
//! know who derives it from what (0037). Upholds decision 13: it says nothing of a request, a subject or another agent.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One span of one trace. Neither half is all zeros, which W3C keeps for "none".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraceRef {
    trace: [u8; 16],
    span: [u8; 8],
}

/// A text is no `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a traceparent: expected 00-, 32 and 16 lowercase hex characters that are not all zeros, and -01, with '-' between"
)]
pub struct NoTraceRef;

impl TraceRef {
    /// A span of a trace. All zeros would mean none: there the last bit is set.
    pub const fn new(mut trace: [u8; 16], mut span: [u8; 8]) -> Self {
        if u128::from_be_bytes(trace) == 0 {
            trace = 1u128.to_be_bytes();
        }
        if u64::from_be_bytes(span) == 0 {
            span = 1u64.to_be_bytes();
        }
        Self { trace, span }
    }

    /// The span that everything of a trace hangs from. Its id is the second half of the trace's, so that nothing is stored for it.
    pub const fn root(trace: [u8; 16]) -> Self {
        Self::new(trace, second_half(trace))
    }

    /// The span of this trace that stands for a thing with an id of 16 bytes.
    #[must_use]
    pub const fn at(self, id: &[u8; 16]) -> Self {
        Self::new(self.trace, second_half(*id))
    }

    /// The trace's id.
    pub const fn trace(&self) -> [u8; 16] {
        self.trace
    }

    /// The span's id.
    pub const fn span(&self) -> [u8; 8] {
        self.span
    }
}

const fn second_half(bytes: [u8; 16]) -> [u8; 8] {
    let [_, _, _, _, _, _, _, _, a, b, c, d, e, f, g, h] = bytes;
    [a, b, c, d, e, f, g, h]
}

impl fmt::Display for TraceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Sampled: whoever wants none has no receiver.
        write!(f, "00-{}-{}-01", hex::encode(self.trace), hex::encode(self.span))
    }
}

impl FromStr for TraceRef {
    type Err = NoTraceRef;

    fn from_str(text: &str) -> Result<Self, NoTraceRef> {
        let middle = text.strip_prefix("00-").and_then(|rest| rest.strip_suffix("-01")).ok_or(NoTraceRef)?;
        let (trace, span) = middle.split_once('-').ok_or(NoTraceRef)?;
        let (mut read, zero) = (Self { trace: [0; 16], span: [0; 8] }, Self { trace: [0; 16], span: [0; 8] });
        hex::decode_to_slice(trace, &mut read.trace).map_err(|_| NoTraceRef)?;
        hex::decode_to_slice(span, &mut read.span).map_err(|_| NoTraceRef)?;
        let none = read.trace == zero.trace || read.span == zero.span;
        if none || read.to_string() != text { Err(NoTraceRef) } else { Ok(read) }
    }
}

impl TryFrom<String> for TraceRef {
    type Error = NoTraceRef;

    fn try_from(text: String) -> Result<Self, NoTraceRef> {
        text.parse()
    }
}

impl From<TraceRef> for String {
    fn from(place: TraceRef) -> Self {
        place.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_spelt_in_one_way_only() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(text.parse::<TraceRef>().expect("W3C's example").to_string(), text);
        let none = [
            "",
            "00--01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333-01",
        ];
        for none in none {
            assert_eq!(none.parse::<TraceRef>(), Err(NoTraceRef), "{none}");
        }
    }

    #[test]
    fn zeros_are_never_a_place() {
        let root = TraceRef::root([0; 16]);
        assert_eq!(root.to_string().parse(), Ok(root));
    }

    #[test]
    fn what_is_written_is_read_and_no_altered_character_is_the_same() {
        let place = TraceRef::root(*b"sixteen bytes...").at(b"other sixteen by");
        let text = place.to_string();
        assert_eq!(text.parse(), Ok(place));
        for at in 0..text.len() {
            for other in ["g", "A", " ", "-", "0"] {
                let mut altered = text.clone();
                altered.replace_range(at..=at, other);
                assert!(altered == text || altered.parse() != Ok(place), "{altered}");
            }
        }
    }
}
