//! DER, read one element after the other: definite lengths in their shortest form, tags of one byte. Does not recurse and
//! holds nothing; what an element means is for who asks for it.

/// Bytes that are not DER, or not of the form that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OID: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const PRINTABLE_STRING: u8 = 0x13;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The tag `[number]` of a primitive.
pub(super) const fn implicit(number: u8) -> u8 {
    0x80 | number
}

/// The tag `[number]` around something, or instead of a SEQUENCE's or SET's.
pub(super) const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// One element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    /// Tag, length and content, as they came.
    pub(super) whole: &'a [u8],
    pub(super) content: &'a [u8],
}

impl<'a> Element<'a> {
    /// What is inside.
    pub(super) fn reader(&self) -> Reader<'a> {
        Reader(self.content)
    }
}

/// Elements that stand one behind the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// That nothing follows.
    pub(super) fn end(&self) -> Result<(), Malformed> {
        if self.is_empty() { Ok(()) } else { Err(Malformed) }
    }

    /// The next element, whatever it is.
    pub(super) fn any(&mut self) -> Result<Element<'a>, Malformed> {
        let (&tag, rest) = self.0.split_first().ok_or(Malformed)?;
        // A tag above 30 takes more bytes; nothing that is read here has one.
        if tag & 0x1f == 0x1f {
            return Err(Malformed);
        }
        let (length, rest) = length(rest)?;
        let (content, after) = rest.split_at_checked(length).ok_or(Malformed)?;
        let (whole, _) = self.0.split_at_checked(self.0.len() - after.len()).ok_or(Malformed)?;
        self.0 = after;
        Ok(Element { tag, whole, content })
    }

    /// The next element, which has this tag.
    pub(super) fn take(&mut self, tag: u8) -> Result<Element<'a>, Malformed> {
        self.any().and_then(|element| if element.tag == tag { Ok(element) } else { Err(Malformed) })
    }

    /// The next element if it has this tag.
    pub(super) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, Malformed> {
        if self.0.first() == Some(&tag) { self.take(tag).map(Some) } else { Ok(None) }
    }

    /// The one element that there is.
    pub(super) fn only(mut self, tag: u8) -> Result<Element<'a>, Malformed> {
        let element = self.take(tag)?;
        self.end().map(|()| element)
    }
}

/// A length, and what follows it.
fn length(bytes: &[u8]) -> Result<(usize, &[u8]), Malformed> {
    let (&first, rest) = bytes.split_first().ok_or(Malformed)?;
    if first < 0x80 {
        return Ok((usize::from(first), rest));
    }
    // Four bytes are more than any token has; 0x80 alone would be an end that comes later, which DER does not have.
    let count = usize::from(first & 0x7f);
    if !(1..=4).contains(&count) {
        return Err(Malformed);
    }
    let (digits, rest) = rest.split_at_checked(count).ok_or(Malformed)?;
    let value = digits.iter().fold(0_u64, |value, digit| value << 8 | u64::from(*digit));
    let shortest = value >= 0x80 && digits.first() != Some(&0);
    usize::try_from(value).ok().filter(|_| shortest).map(|value| (value, rest)).ok_or(Malformed)
}

/// The bytes of a whole number from 0, the highest first, without leading zeros: 0 has none.
pub(super) fn unsigned<'a>(integer: &Element<'a>) -> Result<&'a [u8], Malformed> {
    match integer.content {
        [] => Err(Malformed),
        [0] => Ok(&[]),
        [0, rest @ ..] if rest.first().is_some_and(|first| *first >= 0x80) => Ok(rest),
        [first, ..] if (1..0x80).contains(first) => Ok(integer.content),
        _ => Err(Malformed),
    }
}

/// A whole number from 0 that fits.
pub(super) fn small(integer: &Element<'_>) -> Result<u32, Malformed> {
    let bytes = unsigned(integer)?;
    if bytes.len() > 4 {
        return Err(Malformed);
    }
    Ok(bytes.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)))
}

pub(super) fn boolean(element: &Element<'_>) -> Result<bool, Malformed> {
    match element.content {
        [0x00] => Ok(false),
        [0xff] => Ok(true),
        _ => Err(Malformed),
    }
}

/// A bit string of whole bytes.
pub(super) fn whole_bytes<'a>(element: &Element<'a>) -> Result<&'a [u8], Malformed> {
    match element.content.split_first() {
        Some((0, bytes)) => Ok(bytes),
        _ => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Result<&[u8], Malformed> {
        Reader::new(bytes).only(OCTET_STRING).map(|element| element.content)
    }

    #[test]
    fn a_length_has_one_spelling() {
        assert_eq!(read(&[4, 0]), Ok(&[][..]));
        assert_eq!(read(&[4, 1, 7]), Ok(&[7][..]));
        for bad in [&[4, 0x81, 1, 7][..], &[4, 0x82, 0, 1, 7], &[4, 0x80, 7, 0, 0], &[4, 0x80], &[4, 2, 7], &[4], &[]] {
            assert_eq!(read(bad), Err(Malformed), "{bad:02x?}");
        }
        let long = |head: &[u8], count| [head, &vec![7; count]].concat();
        assert_eq!(read(&long(&[4, 0x81, 0x80], 128)).map(<[u8]>::len), Ok(128));
        assert_eq!(read(&long(&[4, 0x82, 0, 0x80], 128)), Err(Malformed));
        for huge in [&[4, 0x84, 0xff, 0xff, 0xff, 0xff][..], &[4, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]]
        {
            assert_eq!(read(&long(huge, 64)), Err(Malformed), "{huge:02x?}");
        }
    }

    #[test]
    fn tags_are_those_that_were_asked_for() {
        assert_eq!(Reader::new(&[5, 0]).only(OCTET_STRING), Err(Malformed));
        assert_eq!(Reader::new(&[0x1f, 1, 0]).any(), Err(Malformed));
        let mut reader = Reader::new(&[5, 0, 4, 0]);
        assert_eq!(reader.optional(OCTET_STRING), Ok(None));
        assert!(reader.optional(NULL).is_ok_and(|element| element.is_some()));
        assert_eq!(reader.end(), Err(Malformed));
    }

    #[test]
    fn numbers_have_one_spelling() {
        let number = |content| small(&Element { tag: INTEGER, whole: &[], content });
        assert_eq!(number(&[0]), Ok(0));
        assert_eq!(number(&[0x7f]), Ok(127));
        assert_eq!(number(&[0, 0x80]), Ok(128));
        assert_eq!(number(&[0, 0xff, 0xff, 0xff, 0xff]), Ok(u32::MAX));
        for bad in [&[][..], &[0, 0], &[0, 0x7f], &[0x80], &[0xff], &[1, 0, 0, 0, 0]] {
            assert_eq!(number(bad), Err(Malformed), "{bad:02x?}");
        }
    }

    proptest! {
        /// Whatever comes, it is divided without a rest and without overlap.
        #[test]
        fn elements_are_what_came(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let (mut reader, mut seen) = (Reader::new(&bytes), Vec::new());
            while let Ok(element) = reader.any() {
                prop_assert!(element.whole.ends_with(element.content) && element.whole.first() == Some(&element.tag));
                seen.extend_from_slice(element.whole);
            }
            prop_assert!(bytes.starts_with(&seen));
        }
    }
}
