//! The pipe between the agent's two processes: a socket pair that is the session's standard input. Carries lines, and the
//! first of them is what the session needs to dial, so that its process reads no file (decision 15). Knows no message's
//! meaning. Upholds I10: a line has a longest length, and a reader that is slow makes the writer wait.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;

use gallra_model::message::MAX_MESSAGE_BYTES;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};

use crate::channel::Lines;

/// Longest line in bytes: a message in which every character is escaped.
const MAX_LINE: u64 = 2 * MAX_MESSAGE_BYTES as u64 + 64 * 1024;

/// All that the session is told at its start. Holds the mTLS key, so it has no `Debug`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Begin {
    /// Where to open sessions: https URLs, tried one after the other.
    pub(crate) addresses: Vec<String>,
    /// The only root that is trusted, PEM.
    pub(crate) authority: String,
    /// This agent's certificate, PEM.
    pub(crate) certificate: String,
    /// Its key, PEM.
    pub(crate) key: String,
    /// Where spans go, if anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) collector: Option<Spans>,
}

/// Where the session hands spans over.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spans {
    /// `http://host:port` or `https://host:port`.
    pub(crate) endpoint: String,
    /// Who vouches for its certificate, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) authority: Option<String>,
}

impl Begin {
    /// Reads the first line. It holds the key: the parser's words may quote it, so they are not passed on.
    pub(crate) fn of(line: &str) -> io::Result<Self> {
        serde_json::from_str(line).map_err(|_| broken("the privileged half's first line is none"))
    }
}

fn broken(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Reads one line without its end; `None` at the end of the stream.
pub(crate) fn read_line(from: &mut impl io::BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    from.take(MAX_LINE).read_until(b'\n', &mut bytes)?;
    whole_line(bytes)
}

fn whole_line(mut bytes: Vec<u8>) -> io::Result<Option<String>> {
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.pop() != Some(b'\n') {
        return Err(broken("a line between the agent's halves is too long or torn"));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| broken("a line between the agent's halves is no text"))
}

/// The privileged side: says what the session needs first, then carries lines both ways on two threads, until either side
/// ends. The other side's end reaches the half as a closed channel.
///
/// # Errors
/// When the system gives no threads, or the session is gone already.
pub(crate) fn carry_privileged(stream: &UnixStream, begin: &Begin, lines: Lines) -> io::Result<()> {
    let (mut writer, reader) = (stream.try_clone()?, stream.try_clone()?);
    let mut first = serde_json::to_vec(begin)?;
    first.push(b'\n');
    writer.write_all(&first)?;
    let Lines { into, mut out } = lines;
    std::thread::Builder::new().name("from-session".to_owned()).spawn(move || {
        let mut reader = BufReader::new(reader);
        while let Ok(Some(line)) = read_line(&mut reader) {
            if into.blocking_send(line).is_err() {
                return;
            }
        }
    })?;
    std::thread::Builder::new().name("to-session".to_owned()).spawn(move || {
        while let Some(mut line) = out.blocking_recv() {
            line.push('\n');
            if writer.write_all(line.as_bytes()).is_err() {
                return;
            }
        }
        let _ = writer.shutdown(std::net::Shutdown::Write);
    })?;
    Ok(())
}

/// The session's side, which has a runtime: reads what it needs, then carries lines both ways on two tasks. Dropping the
/// halves' end of `lines` ends them.
///
/// # Errors
/// When the first line does not come or is none.
pub(crate) async fn carry_session(stream: UnixStream, lines: Lines) -> io::Result<Begin> {
    stream.set_nonblocking(true)?;
    let (reader, mut writer) = tokio::net::UnixStream::from_std(stream)?.into_split();
    let mut reader = tokio::io::BufReader::new(reader);
    let first = read_line_async(&mut reader).await?.ok_or_else(|| broken("the privileged half said nothing"))?;
    let begin = Begin::of(&first)?;
    let Lines { into, mut out } = lines;
    tokio::spawn(async move {
        while let Ok(Some(line)) = read_line_async(&mut reader).await {
            if into.send(line).await.is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Some(mut line) = out.recv().await {
            line.push('\n');
            if writer.write_all(line.as_bytes()).await.is_err() {
                return;
            }
        }
    });
    Ok(begin)
}

/// The same on a runtime.
pub(crate) async fn read_line_async(from: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    from.take(MAX_LINE).read_until(b'\n', &mut bytes).await?;
    whole_line(bytes)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gallra_model::Digest;
    use gallra_model::message::ToPrivileged;

    use super::*;
    use crate::channel::{Next, privileged_over_pipe, session_over_pipe};

    fn begin() -> Begin {
        let text = |name: &str| name.to_owned();
        Begin {
            addresses: vec![text("https://a"), text("https://b")],
            authority: text("b"),
            certificate: text("c"),
            key: text("d\ne"),
            collector: None,
        }
    }

    #[test]
    fn lines_pass_between_two_ends_of_a_socket_and_its_end_is_seen() {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let (mut privileged, lines) = privileged_over_pipe().expect("a timer");
        carry_privileged(&ours, &begin(), lines).expect("threads");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (mut session, lines) = session_over_pipe();
            let told = carry_session(theirs, lines).await.expect("begins");
            assert_eq!(told.key, "d\ne");
            let stored = ToPrivileged::ReceiptStored { receipt: Digest::of(b"r") };
            session.split().1.tell(&stored).await.expect("open");
            // The half blocks, so it listens on a thread of its own, and says when it has heard.
            let (said, heard) = tokio::sync::oneshot::channel();
            std::thread::spawn(move || {
                let first = privileged.next(Duration::from_secs(20));
                let _ = said.send(matches!(first, Next::Message(message) if message == stored));
                privileged
            });
            assert!(heard.await.expect("an answer"));
        });
    }

    #[test]
    fn a_line_without_end_is_refused_at_its_longest_length() {
        let endless = io::repeat(b'a');
        assert!(read_line(&mut BufReader::new(endless)).is_err());
        assert!(read_line(&mut &b"torn"[..]).is_err());
        assert_eq!(read_line(&mut &b"whole\n"[..]).expect("reads"), Some("whole".to_owned()));
        assert_eq!(read_line(&mut &b""[..]).expect("ends"), None);
    }
}
