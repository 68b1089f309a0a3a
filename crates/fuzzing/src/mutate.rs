//! Mutants of a seed, the same ones on every machine: what a fuzzer does first, without a fuzzer. Refuses any randomness
//! but the number that it is given.

/// Longest mutant, in bytes, beyond the seed's own length.
const GROWTH: usize = 512;

/// Bytes and runs that parsers trip over.
const AWKWARD: [&[u8]; 24] = [
    b"\0",
    b"\n",
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b"'",
    b"=",
    b"#",
    b"/",
    b"../",
    b"..",
    b"*",
    b"%",
    b"\xff",
    b"\xc3\xa5",
    b"\xef\xbb\xbf",
    b"-1",
    b"18446744073709551616",
    b"9999-12-31",
    b"1e309",
    b"null",
];

/// A source of mutants: xorshift64*, seeded by a number.
#[derive(Debug, Clone)]
pub struct Mutator {
    state: u64,
}

impl Mutator {
    /// The mutants of this number.
    pub fn new(number: u64) -> Self {
        // The generator stands still at zero.
        Self { state: number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// A number below `end`; 0 where that is 0.
    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % end).unwrap_or(0)
    }

    /// One mutant of `seed`, with parts of `other` where it is spliced: one to four changes.
    pub fn mutant(&mut self, seed: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(4) {
            self.change(&mut bytes, other);
        }
        bytes.truncate(seed.len() + GROWTH);
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(bytes.len());
        let until = at + self.below(bytes.len().saturating_sub(at).min(64));
        match self.below(9) {
            0 => self.flip(bytes, at),
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(..at)),
            3 => drop(bytes.drain(at..until)),
            4 => {
                let part = bytes.get(at..until).unwrap_or_default().to_vec();
                drop(bytes.splice(at..at, part));
            }
            5 => {
                let awkward = AWKWARD.get(self.below(AWKWARD.len())).copied().unwrap_or_default();
                drop(bytes.splice(at..at, awkward.iter().copied()));
            }
            6 => {
                let awkward = AWKWARD.get(self.below(AWKWARD.len())).copied().unwrap_or_default();
                drop(bytes.splice(at..until, awkward.iter().copied()));
            }
            7 => self.digit(bytes, at),
            _ => {
                let from = self.below(other.len());
                let to = from + self.below(other.len().saturating_sub(from));
                drop(bytes.splice(at..until, other.get(from..to).unwrap_or_default().iter().copied()));
            }
        }
    }

    fn flip(&mut self, bytes: &mut [u8], at: usize) {
        let bit = self.below(8);
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << bit;
        }
    }

    /// Another digit or letter in the place of the next one: stays in the grammar, and changes what is said.
    fn digit(&mut self, bytes: &mut [u8], at: usize) {
        let with = u8::try_from(self.below(10)).unwrap_or(0);
        let found = bytes.iter_mut().skip(at).find(|byte| byte.is_ascii_alphanumeric());
        if let Some(byte) = found {
            *byte = if byte.is_ascii_digit() { b'0' + with } else { b'a' + with };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutants_are_the_same_every_time_and_differ_from_each_other() {
        let mutants = |number| {
            let mut mutator = Mutator::new(number);
            (0..200).map(|_| mutator.mutant(b"{\"number\":1,\"name\":\"a\"}", b"[2,3]")).collect::<Vec<_>>()
        };
        assert_eq!(mutants(7), mutants(7));
        assert_ne!(mutants(7), mutants(8));
        let different: std::collections::BTreeSet<_> = mutants(7).into_iter().collect();
        assert!(different.len() > 150, "{}", different.len());
    }

    #[test]
    fn an_empty_seed_has_mutants_too() {
        let mut mutator = Mutator::new(0);
        assert!((0..100).any(|_| !mutator.mutant(b"", b"").is_empty()));
    }
}
