//! What the agent's two processes say to each other: the framing into lines, and the first line, which carries a key.

use gallra_agent::fuzzing::{Piped, begin, heard, piped, piped_to_session, told};

use super::text;
use crate::Seen;
use crate::quiet::says_nothing_of;

/// Bytes as they come out of the socket. Both readers make the same lines of them, however they arrive; nothing is added,
/// and what is left over is one torn line or one that is no text. What a message is written as is one line.
pub fn lines(bytes: &[u8]) -> Seen {
    let read = piped(bytes, 8 * 1024);
    for at_a_time in [1, 3, 64] {
        assert_eq!(piped(bytes, at_a_time), read, "{at_a_time} bytes at a time");
    }
    assert_eq!(piped_to_session(bytes).ok().as_ref(), Some(&read), "the two readers differ");
    let again: String = read.lines.iter().map(|line| format!("{line}\n")).collect();
    let rest = bytes.strip_prefix(again.as_bytes()).unwrap_or_else(|| panic!("other lines than were written"));
    match &read.refusal {
        None => assert!(rest.is_empty(), "{} bytes are lost", rest.len()),
        Some(refusal) => {
            let first = rest.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
            assert!(!first.ends_with(b"\n") || std::str::from_utf8(first).is_err(), "a whole line is refused");
            says_nothing_of(rest, refusal);
        }
    }
    for line in &read.lines {
        assert!(!line.contains('\n'), "two lines in one");
        for (written, by) in [(heard(line), heard as fn(&str) -> _), (told(line), told)] {
            let Some(written) = written else { continue };
            let framed = piped(format!("{written}\n").as_bytes(), 16);
            assert_eq!(framed, Piped { lines: vec![written.clone()], refusal: None });
            assert_eq!(by(&written), Some(written), "a message is heard as another one");
        }
    }
    Seen::of(read.refusal.is_none() && !read.lines.is_empty())
}

/// The first line. It holds the agent's key, so a refusal repeats nothing of it.
pub fn first(bytes: &[u8]) -> Seen {
    let Some(text) = text(bytes) else { return Seen::Refused };
    match begin(text) {
        Ok(written) => {
            assert_eq!(begin(&written).as_ref(), Ok(&written));
            Seen::Read
        }
        Err(refusal) => {
            says_nothing_of(bytes, &refusal);
            Seen::Refused
        }
    }
}
