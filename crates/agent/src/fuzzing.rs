//! Ways in for `gallra-fuzzing` to parsers of this crate that nobody else may call. No part of the product uses them.

use std::io::{self, BufReader};

use gallra_model::envelope::Envelope;
use gallra_model::message::ToSession;
use gallra_model::suppression::MonthKey;

use crate::channel::{self, Next};
use crate::pipe::{self, Begin};
use crate::suppression::{self, Kept};

/// What a reader of the pipe made of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piped {
    /// Whole lines, without their ends.
    pub lines: Vec<String>,
    /// Why it read no further; none at the end of the stream.
    pub refusal: Option<String>,
}

impl Piped {
    fn of(mut next: impl FnMut() -> io::Result<Option<String>>) -> Self {
        let mut lines = Vec::new();
        loop {
            match next() {
                Ok(Some(line)) => lines.push(line),
                Ok(None) => return Self { lines, refusal: None },
                Err(refusal) => return Self { lines, refusal: Some(refusal.to_string()) },
            }
        }
    }
}

/// The privileged half's reader, which gets so many bytes at a time.
pub fn piped(bytes: &[u8], at_a_time: usize) -> Piped {
    let mut reader = BufReader::with_capacity(at_a_time, bytes);
    Piped::of(|| pipe::read_line(&mut reader))
}

/// The session's reader.
///
/// # Errors
/// When the system gives no runtime.
pub fn piped_to_session(bytes: &[u8]) -> io::Result<Piped> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut reader = bytes;
    Ok(Piped::of(|| runtime.block_on(pipe::read_line_async(&mut reader))))
}

/// The first line of the pipe, written again.
///
/// # Errors
/// The refusal.
pub fn begin(line: &str) -> Result<String, String> {
    let begin = Begin::of(line).map_err(|refusal| refusal.to_string())?;
    serde_json::to_string(&begin).map_err(|error| error.to_string())
}

/// What the privileged half hears in a line, as the session would write it; none where it is no message.
pub fn heard(line: &str) -> Option<String> {
    match channel::parse(line) {
        Next::Message(message) => Some(channel::line_of(&message)),
        Next::Malformed | Next::Idle | Next::Closed => None,
    }
}

/// What the session hears in a line, as the privileged half would write it; none where it is no message.
pub fn told(line: &str) -> Option<String> {
    serde_json::from_str::<ToSession>(line).ok().map(|message| channel::line_of(&message))
}

/// One line of a suppression list's file.
pub type Listed = (Envelope, Option<MonthKey>);

/// The lines of a suppression list's file, and how many bytes they fill.
///
/// # Errors
/// The number of the line that is damaged.
pub fn listed(bytes: &[u8]) -> Result<(Vec<Listed>, usize), usize> {
    let (lines, good) = suppression::parse(bytes)?;
    Ok((lines.into_iter().map(|kept| (kept.line, kept.key)).collect(), good))
}

/// One line as the list writes it, with the checksum that no fuzzer guesses.
pub fn listing((line, key): &Listed) -> String {
    suppression::text_of(&Kept { line: line.clone(), key: key.clone() }).unwrap_or_default()
}

/// The same from its JSON.
pub fn listed_json(json: &str) -> Option<Listed> {
    serde_json::from_str::<Kept>(json).ok().map(|kept| (kept.line, kept.key))
}
