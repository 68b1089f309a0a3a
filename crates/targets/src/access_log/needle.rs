//! Bytes that every line of the subject must have in it, in any letter case, so that all other lines are passed over
//! without being read. A hit is no answer: the line is read then. What a needle misses, the second opinion still finds.

use std::net::IpAddr;

use memchr::memmem::Finder;

/// Letters from rare to frequent in access logs; then everything else.
const RARE_FIRST: &[u8; 26] = b"qjzxkvywbfgupmcdhlnraisote";

/// One string.
enum One {
    /// Without letters.
    Exact(Box<Finder<'static>>),
    /// With letters: found by its rarest one.
    Folded { text: Vec<u8>, at: usize, rare: u8 },
}

impl One {
    fn new(text: &[u8]) -> Self {
        let text = text.to_ascii_lowercase();
        let rank = |byte: u8| RARE_FIRST.iter().position(|letter| *letter == byte);
        let rarest = text.iter().enumerate().filter_map(|(at, byte)| rank(*byte).map(|rank| (rank, at, *byte))).min();
        match rarest {
            None => Self::Exact(Box::new(Finder::new(&text).into_owned())),
            Some((_, at, rare)) => Self::Folded { text, at, rare },
        }
    }

    /// The first place at or after `from`.
    fn find(&self, hay: &[u8], from: usize) -> Option<usize> {
        let (text, at, rare) = match self {
            Self::Exact(finder) => return finder.find(hay.get(from..)?).map(|at| from + at),
            Self::Folded { text, at, rare } => (text, *at, *rare),
        };
        let mut look = from + at;
        loop {
            look += memchr::memchr2(rare, rare.to_ascii_uppercase(), hay.get(look..)?)?;
            let start = look - at;
            if hay.get(start..start + text.len()).is_some_and(|there| there.eq_ignore_ascii_case(text)) {
                return Some(start);
            }
            look += 1;
        }
    }
}

/// What to look for.
pub(super) struct Needle(Vec<One>);

impl Needle {
    /// Any of these hosts.
    pub(super) fn hosts(hosts: &[String]) -> Self {
        Self(hosts.iter().map(|host| One::new(host.as_bytes())).collect())
    }

    /// Any of these addresses however written; `None` when an address has nothing that every spelling shares.
    pub(super) fn addresses(addresses: impl Iterator<Item = IpAddr>) -> Option<Self> {
        let mut texts: Vec<String> = Vec::new();
        for address in addresses {
            match address.to_canonical() {
                // Also as the end of `::ffff:192.0.2.1`; `::ffff:c000:201` is found by its middle.
                IpAddr::V4(address) => texts.extend([address.to_string(), "ffff:".to_owned()]),
                // The last two groups may be written in decimal.
                IpAddr::V6(address) => {
                    let groups = address.segments().into_iter().take(6).map(|group| format!("{group:x}"));
                    let longest = groups.max_by_key(String::len).filter(|group| group != "0")?;
                    texts.push(longest);
                }
            }
        }
        texts.sort_unstable();
        texts.dedup();
        Some(Self(texts.iter().map(|text| One::new(text.as_bytes())).collect()))
    }

    /// All hits in a buffer, in order.
    pub(super) fn in_buffer<'a>(&'a self, hay: &'a [u8]) -> Hits<'a> {
        Hits { next: self.0.iter().map(|one| (one, one.find(hay, 0))).collect(), hay }
    }
}

/// Hits of several strings in one buffer.
pub(super) struct Hits<'a> {
    hay: &'a [u8],
    next: Vec<(&'a One, Option<usize>)>,
}

impl Hits<'_> {
    /// The first hit at or after `from`, which never goes back.
    pub(super) fn from(&mut self, from: usize) -> Option<usize> {
        let mut first = None;
        for (one, next) in &mut self.next {
            if next.is_some_and(|at| at < from) {
                *next = one.find(self.hay, from);
            }
            first = [first, *next].into_iter().flatten().min();
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(needle: &Needle, hay: &[u8]) -> Vec<usize> {
        let (mut hits, mut from, mut found) = (needle.in_buffer(hay), 0, Vec::new());
        while let Some(at) = hits.from(from) {
            found.push(at);
            from = at + 1;
        }
        found
    }

    #[test]
    fn hits_are_found_in_any_case_and_in_order() {
        let needle = Needle::hosts(&["anna.example".into(), "b-1".into()]);
        assert_eq!(all(&needle, b"b-1 ANNA.eXample B-1 nna.example anna.exampl"), vec![0, 4, 17]);
        assert_eq!(all(&needle, b""), Vec::<usize>::new());
    }

    proptest! {
        #[test]
        fn every_spelling_of_an_address_has_a_hit(bits: u128, small: u32, upper: bool) {
            for address in [IpAddr::from(bits.to_be_bytes()), IpAddr::from(small.to_be_bytes())] {
                let Some(needle) = Needle::addresses([address].into_iter()) else { continue };
                let mut spellings = vec![address.to_string()];
                let six = match address {
                    IpAddr::V4(address) => address.to_ipv6_mapped(),
                    IpAddr::V6(address) => address,
                };
                spellings.push(six.to_string());
                spellings.push(six.segments().map(|group| format!("{group:04x}")).join(":"));
                spellings.push(six.segments().map(|group| format!("{group:x}")).join(":"));
                for mut spelling in spellings {
                    if upper { spelling = spelling.to_uppercase() }
                    prop_assert!(!all(&needle, spelling.as_bytes()).is_empty(), "{}", spelling);
                }
            }
        }

        #[test]
        fn hits_are_where_a_plain_search_finds_them(hay in "[ab.AB]{0,40}", text in "[ab.]{1,3}") {
            let plain: Vec<usize> = (0..hay.len())
                .filter(|at| hay[*at..].to_ascii_lowercase().starts_with(&text))
                .collect();
            prop_assert_eq!(all(&Needle::hosts(&[text]), hay.as_bytes()), plain);
        }
    }
}
