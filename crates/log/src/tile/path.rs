//! How tiles are called: `tile/<level>/<index>` or `tile/entries/<index>`, with `.p/<width>` where they are not full. An
//! index is written in threes of digits, all but the last behind an `x`, so that no folder is called as a file.

use std::fmt;
use std::num::NonZeroU8;
use std::str::FromStr;

use super::{HIGHEST_LEVEL, Kind, Tile};
use crate::number;

/// Longest path, in bytes: entries, the largest `u64` and a width of three digits.
pub const MOST_PATH_BYTES: usize = 52;

/// The text is no path of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a tile's path: expected tile/LEVEL/INDEX or tile/entries/INDEX, the index as in x001/234, and .p/WIDTH or nothing"
)]
pub struct PathError;

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Hashes { level } => write!(f, "tile/{level}/")?,
            Kind::Entries => f.write_str("tile/entries/")?,
        }
        let mut place = 1;
        while self.index / place >= 1000 {
            place *= 1000;
        }
        while place > 1 {
            write!(f, "x{:03}/", self.index / place % 1000)?;
            place /= 1000;
        }
        write!(f, "{:03}", self.index % 1000)?;
        self.partial.map_or(Ok(()), |width| write!(f, ".p/{width}"))
    }
}

impl FromStr for Tile {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = (text.len() <= MOST_PATH_BYTES).then(|| read(text)).flatten().ok_or(PathError)?;
        // Written again, so that a path has one spelling: no `x000/` before others, no zero before a width.
        if read.to_string() == text { Ok(read) } else { Err(PathError) }
    }
}

fn read(text: &str) -> Option<Tile> {
    let (kind, rest) = text.strip_prefix("tile/")?.split_once('/')?;
    let kind = match kind {
        "entries" => Kind::Entries,
        level => Kind::Hashes { level: u8::try_from(number::parse(level)?).ok().filter(|l| *l <= HIGHEST_LEVEL)? },
    };
    let (index, partial) = match rest.split_once(".p/") {
        Some((index, width)) => (index, Some(NonZeroU8::new(u8::try_from(number::parse(width)?).ok()?)?)),
        None => (rest, None),
    };
    let index = index.split('/').try_fold(0_u64, |index, part| {
        let part: u64 = part.strip_prefix('x').unwrap_or(part).parse().ok().filter(|part| *part < 1000)?;
        index.checked_mul(1000)?.checked_add(part)
    })?;
    Some(Tile { kind, index, partial })
}
