//! Bytes of a log as lines, and back: plain, gzip with any number of members, zstd with any number of frames. Owns the
//! acting side's pass over a file. Upholds I11: what is not touched is copied as it was read, in large pieces.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::FileExt;

use super::subject::{Fate, Judge};

/// Read at once.
const CHUNK: usize = 512 * 1024;
/// A line longer than this is none that a web server wrote: the file is refused, and stays as it is.
const LONGEST_LINE: usize = 4 * 1024 * 1024;

/// How a file is packed, from its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    /// Not at all.
    Plain,
    /// `.gz`
    Gzip,
    /// `.zst`
    Zstd,
}

impl Codec {
    /// Unpacks.
    pub(super) fn read<'a>(self, file: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Self::Plain => Box::new(file),
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(CHUNK / 4, file))),
            Self::Zstd => Box::new(zstd::stream::read::Decoder::new(file)?),
        })
    }
}

/// Packs.
pub(super) enum Packer<W: Write> {
    Plain(W),
    Gzip(flate2::write::GzEncoder<W>),
    Zstd(zstd::stream::write::Encoder<'static, W>),
}

impl<W: Write> Packer<W> {
    /// At the strength that logrotate's programs have unless told otherwise.
    pub(super) fn new(codec: Codec, file: W) -> io::Result<Self> {
        Ok(match codec {
            Codec::Plain => Self::Plain(file),
            Codec::Gzip => Self::Gzip(flate2::write::GzEncoder::new(file, flate2::Compression::new(6))),
            Codec::Zstd => Self::Zstd(zstd::stream::write::Encoder::new(file, 3)?),
        })
    }

    pub(super) fn finish(self) -> io::Result<W> {
        match self {
            Self::Plain(file) => Ok(file),
            Self::Gzip(packer) => packer.finish(),
            Self::Zstd(packer) => packer.finish(),
        }
    }
}

impl<W: Write> Write for Packer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Gzip(packer) => packer.write(bytes),
            Self::Zstd(packer) => packer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Gzip(packer) => packer.flush(),
            Self::Zstd(packer) => packer.flush(),
        }
    }
}

/// How much of an open file ends with an end of line, of its first `size` bytes.
pub(super) fn whole_lines(file: &File, size: u64) -> io::Result<u64> {
    let mut end = size;
    let mut buffer = vec![0; CHUNK];
    while end > 0 {
        let from = end.saturating_sub(CHUNK as u64);
        let length = usize::try_from(end - from).map_err(io::Error::other)?;
        let part = buffer.get_mut(..length).unwrap_or_default();
        file.read_exact_at(part, from)?;
        if let Some(at) = memchr::memrchr(b'\n', part) {
            return Ok(from + at as u64 + 1);
        }
        end = from;
    }
    Ok(0)
}

/// What a pass over one file saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum {
    /// Lines of any kind.
    pub(super) lines: u64,
    /// Lines that go or change.
    pub(super) mine: u64,
    /// Their bytes.
    pub(super) bytes: u64,
    /// Lines that stay since somebody held is in them.
    pub(super) held: u64,
    /// Lines that were looked at and do not read.
    pub(super) unread: u64,
    /// Whether any line reads: the sentinel.
    pub(super) reads: bool,
    /// Unpacked bytes of whole lines.
    pub(super) whole: u64,
}

impl Sum {
    pub(super) fn add(&mut self, other: &Self) {
        self.lines += other.lines;
        self.mine += other.mine;
        self.bytes += other.bytes;
        self.held += other.held;
        self.unread += other.unread;
        self.whole += other.whole;
    }
}

/// Whether to go on reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Go {
    On,
    Stop,
}

/// Calls `each` with pieces of whole lines; the last may end without an end of line.
fn pieces(reader: &mut dyn Read, each: &mut dyn FnMut(&[u8]) -> io::Result<Go>) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut filled = 0;
    loop {
        if filled == buffer.len() {
            if filled >= LONGEST_LINE {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is longer than 4 MiB"));
            }
            buffer.resize(filled * 2, 0);
        }
        let free = buffer.get_mut(filled..).unwrap_or_default();
        let read = match reader.read(free) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if read == 0 {
            let rest = buffer.get(..filled).unwrap_or_default();
            return if rest.is_empty() { Ok(()) } else { each(rest).map(drop) };
        }
        let end = filled + read;
        let Some(last) = memchr::memrchr(b'\n', buffer.get(filled..end).unwrap_or_default()) else {
            filled = end;
            continue;
        };
        let whole = filled + last + 1;
        if each(buffer.get(..whole).unwrap_or_default())? == Go::Stop {
            return Ok(());
        }
        buffer.copy_within(whole..end, 0);
        filled = end - whole;
    }
}

/// What a pass does with what it reads.
pub(super) trait Sink {
    /// Bytes as they were read, before anything is decided.
    fn read(&mut self, _bytes: &[u8]) {}

    /// Bytes that stay, or what a line became.
    fn keep(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Asked after each piece.
    fn go(&self, _sum: &Sum) -> Go {
        Go::On
    }
}

/// Looks, keeps nothing.
pub(super) struct Looking {
    /// Stop at the first line that goes or changes.
    pub(super) first_only: bool,
}

impl Sink for Looking {
    fn keep(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn go(&self, sum: &Sum) -> Go {
        if self.first_only && sum.mine > 0 { Go::Stop } else { Go::On }
    }
}

/// Passes over unpacked bytes.
pub(super) fn pass(reader: &mut dyn Read, judge: &dyn Judge, sink: &mut dyn Sink) -> io::Result<Sum> {
    let mut sum = Sum::default();
    let mut becomes = Vec::new();
    pieces(reader, &mut |piece| {
        sink.read(piece);
        one(piece, judge, sink, &mut sum, &mut becomes)?;
        Ok(sink.go(&sum))
    })?;
    Ok(sum)
}

fn one(piece: &[u8], judge: &dyn Judge, sink: &mut dyn Sink, sum: &mut Sum, becomes: &mut Vec<u8>) -> io::Result<()> {
    let part = |from: usize, to: usize| piece.get(from..to).unwrap_or_default();
    let ends = memchr::memchr_iter(b'\n', piece).count() as u64;
    sum.lines += ends + u64::from(!piece.ends_with(b"\n"));
    sum.whole += memchr::memrchr(b'\n', piece).map_or(0, |at| at as u64 + 1);
    if !sum.reads {
        sum.reads = piece.split(|byte| *byte == b'\n').any(|line| judge.format().read(line).is_some());
    }
    let mut hits = judge.needle().map(|needle| needle.in_buffer(piece));
    let (mut kept, mut from) = (0, 0);
    while from < piece.len() {
        let Some(hit) = hits.as_mut().map_or(Some(from), |hits| hits.from(from)) else { break };
        let start = memchr::memrchr(b'\n', part(from, hit)).map_or(from, |at| from + at + 1);
        let end = memchr::memchr(b'\n', part(hit, piece.len())).map_or(piece.len(), |at| hit + at + 1);
        from = end;
        let fate = judge.judge(part(start, end), becomes);
        match fate {
            Fate::Keep => {}
            Fate::Held => sum.held += 1,
            Fate::Unread => sum.unread += 1,
            Fate::Drop | Fate::Replace => {
                sum.mine += 1;
                sum.bytes += (end - start) as u64;
                sink.keep(part(kept, start))?;
                if fate == Fate::Replace {
                    sink.keep(becomes)?;
                }
                kept = end;
            }
        }
    }
    sink.keep(part(kept, piece.len()))
}
