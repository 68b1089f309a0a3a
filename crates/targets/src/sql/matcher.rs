//! Finds many short byte strings in one pass over any number of bytes. Knows nothing of files or rows.

use std::collections::HashMap;

/// The needles, sorted by their first two bytes. A needle shorter than two bytes is never found.
pub(super) struct Matcher<'n> {
    needles: &'n [Vec<u8>],
    /// One flag for each pair of first bytes, so that nearly every place is passed over with one look.
    begins: Vec<bool>,
    by_pair: HashMap<[u8; 2], Vec<usize>>,
}

impl<'n> Matcher<'n> {
    pub(super) fn new(needles: &'n [Vec<u8>]) -> Self {
        let mut begins = vec![false; 1 << 16];
        let mut by_pair: HashMap<[u8; 2], Vec<usize>> = HashMap::new();
        for (index, needle) in needles.iter().enumerate() {
            if let Some(pair) = needle.first_chunk::<2>() {
                by_pair.entry(*pair).or_default().push(index);
                if let Some(flag) = begins.get_mut(usize::from(u16::from_be_bytes(*pair))) {
                    *flag = true;
                }
            }
        }
        Self { needles, begins, by_pair }
    }

    /// Length of the longest needle, in bytes.
    pub(super) fn longest(&self) -> usize {
        self.needles.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// Calls `hit` with a needle's index for each place where it ends behind the first `seen` bytes.
    pub(super) fn scan(&self, bytes: &[u8], seen: usize, hit: &mut dyn FnMut(usize)) {
        let mut rest = bytes;
        let mut at = 0;
        while let Some(pair) = rest.first_chunk::<2>() {
            if self.begins.get(usize::from(u16::from_be_bytes(*pair))).copied().unwrap_or(false) {
                for &index in self.by_pair.get(pair).into_iter().flatten() {
                    let needle = self.needles.get(index).map_or(&[][..], Vec::as_slice);
                    if rest.starts_with(needle) && at + needle.len() > seen {
                        hit(index);
                    }
                }
            }
            rest = rest.split_first().map_or(&[][..], |(_, rest)| rest);
            at += 1;
        }
    }
}

/// Counts hits over a stream that comes in pieces: what lies across two pieces is found, nothing is counted twice.
pub(super) struct Stream<'m> {
    matcher: &'m Matcher<'m>,
    carry: Vec<u8>,
}

impl<'m> Stream<'m> {
    pub(super) fn new(matcher: &'m Matcher<'m>) -> Self {
        Self { matcher, carry: Vec::new() }
    }

    /// Takes the next piece.
    pub(super) fn take(&mut self, piece: &[u8], hit: &mut dyn FnMut(usize)) {
        let seen = self.carry.len();
        self.carry.extend_from_slice(piece);
        self.matcher.scan(&self.carry, seen, hit);
        let keep = self.matcher.longest().saturating_sub(1).min(self.carry.len());
        self.carry.drain(..self.carry.len() - keep);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn naive(needle: &[u8], bytes: &[u8]) -> u64 {
        bytes.windows(needle.len()).filter(|window| *window == needle).count() as u64
    }

    proptest! {
        #[test]
        fn finds_in_pieces_what_a_plain_search_finds(
            needles in prop::collection::vec(prop::collection::vec(0_u8..3, 2..5), 1..5),
            pieces in prop::collection::vec(prop::collection::vec(0_u8..3, 0..20), 0..8),
        ) {
            let matcher = Matcher::new(&needles);
            let mut stream = Stream::new(&matcher);
            let mut hits = vec![0_u64; needles.len()];
            for piece in &pieces {
                stream.take(piece, &mut |index| *hits.get_mut(index).expect("a needle's index") += 1);
            }
            let whole: Vec<u8> = pieces.concat();
            let wanted: Vec<u64> = needles.iter().map(|needle| naive(needle, &whole)).collect();
            prop_assert_eq!(hits, wanted);
        }
    }
}
