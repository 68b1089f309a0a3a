//! The leak scan as a reader makes it (`docs/formats/subject-v1.md`, section 6): whether an identifier stands in a payload in
//! any spelling that somebody could undo or guess. One pass over each text, however many spellings there are.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use md5::Md5;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};

use super::question::{Identifier, IdentifierKind};

/// Shorter values are everywhere by chance.
const SHORT: usize = 4;
/// In random hex, shorter spellings stand by chance; elsewhere they must stand by themselves.
const CHANCE: usize = 12;

/// Fields whose words come from closed lists or policy packs.
const CLOSED: [&str; 16] = [
    "_type",
    "action",
    "algorithm",
    "category",
    "clock",
    "code",
    "ground",
    "kind",
    "name",
    "predicateType",
    "role",
    "rule",
    "stage",
    "statement",
    "verdict",
    "what",
];

struct Spelling {
    text: String,
    kind: IdentifierKind,
    /// Only letters: it could be a word of the format.
    word: bool,
}

/// All spellings of some identifiers, found by how they begin.
#[derive(Default)]
pub(super) struct Scan {
    /// Looked for in lowercase, by their first four bytes.
    folded: Index,
    /// Looked for as they are: base64.
    exact: Index,
    /// Looked for as whole texts, in lowercase.
    whole: Vec<Spelling>,
}

#[derive(Default)]
struct Index {
    begins: BTreeMap<[u8; 4], Vec<Spelling>>,
    /// Which two bytes anything begins with: most places of a text are passed with one look.
    first: Vec<bool>,
}

/// What a text is, beside itself.
#[derive(Clone, Copy)]
struct Context {
    random: bool,
    vocabulary: bool,
}

impl Scan {
    pub(super) fn new(identifiers: &[Identifier]) -> Self {
        let mut scan = Self::default();
        for identifier in identifiers {
            let (kind, value) = (identifier.kind(), identifier.value());
            let word = value.bytes().all(|b| b.is_ascii_alphabetic());
            let spelling = |text: String| Spelling { text, kind, word };
            for plain in [vec![value.to_owned()], vec![value.to_lowercase()], separated(kind, value)].concat() {
                let lower = plain.to_lowercase();
                scan.fold(spelling(lower.clone()));
                if lower.chars().count() >= SHORT {
                    for undone in [lower.chars().rev().collect(), hex::encode(&plain), percent(&plain)] {
                        scan.fold(spelling(undone));
                    }
                    for inside in base64_inside(plain.as_bytes()) {
                        scan.exact.add(spelling(inside));
                    }
                }
                for digest in digests(plain.as_bytes()) {
                    scan.fold(spelling(hex::encode(&digest)));
                    scan.exact.add(spelling(STANDARD_NO_PAD.encode(&digest)));
                    scan.exact.add(spelling(URL_SAFE_NO_PAD.encode(&digest)));
                }
            }
        }
        scan
    }

    fn fold(&mut self, spelling: Spelling) {
        if spelling.text.chars().count() < SHORT { self.whole.push(spelling) } else { self.folded.add(spelling) }
    }

    /// Which kind of identifier stands in a payload, in its names or its texts. Numbers are counts.
    ///
    /// Nothing is built of what is read: a plan of a million short notes would be a gigabyte of values.
    pub(super) fn finds(&self, payload: &[u8]) -> Option<IdentifierKind> {
        let found = Cell::new(None);
        let mut read = serde_json::Deserializer::from_slice(payload);
        // What is no JSON ends here; what stood before it was looked at.
        let _ = Walk { scan: self, field: "", found: &found }.deserialize(&mut read);
        found.get()
    }

    fn text(&self, text: &str, vocabulary: bool) -> Option<IdentifierKind> {
        let lower = text.to_lowercase();
        let random = lower.len() >= 32 && lower.bytes().all(|b| b.is_ascii_hexdigit());
        let context = Context { random, vocabulary };
        let is = |spelling: &&Spelling| lower == spelling.text && !(spelling.word && vocabulary);
        let whole = self.whole.iter().find(is).map(|spelling| spelling.kind);
        whole.or_else(|| self.folded.finds(&lower, Some(context))).or_else(|| self.exact.finds(text, None))
    }
}

/// Goes through the texts under one field, and remembers the first find.
#[derive(Clone, Copy)]
struct Walk<'a> {
    scan: &'a Scan,
    field: &'a str,
    found: &'a Cell<Option<IdentifierKind>>,
}

impl Walk<'_> {
    fn look(self, text: &str, vocabulary: bool) {
        if self.found.get().is_none() {
            self.found.set(self.scan.text(text, vocabulary));
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.look(text, CLOSED.contains(&self.field));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<(), A::Error> {
        while all.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(name) = fields.next_key::<String>()? {
            self.look(&name, true);
            fields.next_value_seed(Walk { field: &name, ..self })?;
        }
        Ok(())
    }
}

impl Index {
    fn add(&mut self, spelling: Spelling) {
        let Some(begin) = spelling.text.as_bytes().first_chunk::<4>().copied() else { return };
        self.first.resize(1 << 16, false);
        if let Some(first) = self.first.get_mut(two(&begin)) {
            *first = true;
        }
        let same = self.begins.entry(begin).or_default();
        if !same.iter().any(|other| other.text == spelling.text && other.word == spelling.word) {
            same.push(spelling);
        }
    }

    fn finds(&self, text: &str, context: Option<Context>) -> Option<IdentifierKind> {
        let bytes = text.as_bytes();
        for (at, begin) in bytes.windows(4).enumerate() {
            let Some(begin) = begin.first_chunk::<4>() else { continue };
            if !self.first.get(two(begin)).copied().unwrap_or(false) {
                continue;
            }
            let rest = bytes.get(at..).unwrap_or_default();
            let known = self.begins.get(begin).map(Vec::as_slice).unwrap_or_default();
            let stands = |spelling: &&Spelling| {
                rest.starts_with(spelling.text.as_bytes())
                    && context.is_none_or(|context| counts(spelling, text, at, context))
            };
            if let Some(found) = known.iter().find(stands) {
                return Some(found.kind);
            }
        }
        None
    }
}

fn two(begin: &[u8; 4]) -> usize {
    let [first, second, ..] = begin;
    usize::from(*first) << 8 | usize::from(*second)
}

/// Whether it is no chance, and no word of the format. `1001` is not in `2.10017`.
fn counts(spelling: &Spelling, text: &str, at: usize, context: Context) -> bool {
    if spelling.word && context.vocabulary || context.random && spelling.text.len() < CHANCE {
        return false;
    }
    let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    let before = text.get(..at).and_then(|before| before.chars().next_back());
    let after = text.get(at + spelling.text.len()..).and_then(|after| after.chars().next());
    spelling.text.len() >= CHANCE || edge(before) && edge(after)
}

/// Numbers as people write them.
fn separated(kind: IdentifierKind, value: &str) -> Vec<String> {
    let Some((front, last)) = value.split_at_checked(value.len().saturating_sub(4)) else { return Vec::new() };
    match kind {
        IdentifierKind::PersonalNumber => {
            let (ten, six) = (value.get(2..).unwrap_or_default(), front.get(2..).unwrap_or_default());
            vec![ten.to_owned(), format!("{front}-{last}"), format!("{six}-{last}"), format!("{six}+{last}")]
        }
        IdentifierKind::OrganisationNumber => vec![format!("{front}-{last}"), format!("SE{value}01")],
        IdentifierKind::CustomerNumber
        | IdentifierKind::Service
        | IdentifierKind::Email
        | IdentifierKind::Domain
        | IdentifierKind::Ip => Vec::new(),
    }
}

/// Every byte that is no letter or digit as `%2e`, in lowercase.
fn percent(value: &str) -> String {
    value
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_lowercase().to_string() } else { format!("%{b:02x}") })
        .collect()
}

/// Base64 of a value inside other bytes, at each of the three offsets, without the characters that neighbours share.
fn base64_inside(value: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for (before, skip) in [(0, 0), (1, 2), (2, 3)] {
        let padded = [vec![0; before], value.to_vec()].concat();
        for encoded in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            found.extend(encoded.get(skip..padded.len() * 8 / 6).filter(|one| one.len() >= SHORT).map(str::to_owned));
        }
    }
    found
}

fn digests(value: &[u8]) -> [Vec<u8>; 4] {
    [
        Md5::digest(value).to_vec(),
        Sha1::digest(value).to_vec(),
        Sha256::digest(value).to_vec(),
        Sha512::digest(value).to_vec(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(identifier: &str, payload: &str) -> bool {
        Scan::new(&[identifier.parse().expect("a literal identifier")]).finds(payload.as_bytes()).is_some()
    }

    #[test]
    fn every_spelling_is_found_wherever_it_stands() {
        // Digests: printf 198112189876 | md5sum, sha1sum, sha256sum, openssl dgst -sha512 -binary | base64
        for (identifier, text) in [
            ("customer-number=K-1001", "K-1001"),
            ("customer-number=K-1001", "k-1001"),
            ("email=anna.svensson@example.org", "by ANNA.svensson@example.org"),
            ("email=anna.svensson@example.org", "YW5uYS5zdmVuc3NvbkBleGFtcGxlLm9yZw=="),
            ("email=anna.svensson@example.org", "xYW5uYS5zdmVuc3NvbkBleGFtcGxlLm9yZw"),
            ("email=anna.svensson@example.org", "OmFubmEuc3ZlbnNzb25AZXhhbXBsZS5vcmc"),
            ("email=anna.svensson@example.org", "616e6e612e7376656e73736f6e406578616d706c652e6f7267"),
            ("email=anna.svensson@example.org", "anna%2Esvensson%40example%2Eorg"),
            ("email=anna.svensson@example.org", "gro.elpmaxe@nossnevs.anna"),
            ("personal-number=19811218-9876", "198112189876"),
            ("personal-number=19811218-9876", "811218-9876"),
            ("personal-number=19811218-9876", "811218+9876"),
            ("organisation-number=556036-0793", "SE556036079301"),
            ("personal-number=19811218-9876", "64f0869cd55dabb676011a70a845ce23"),
            ("personal-number=19811218-9876", "98d4209fc4581bb979b58dbfab598f29b9a3bc28"),
            ("personal-number=19811218-9876", "748ad475d785d1b825ba60839547d5dca5355f67edbb1bc0f36e3aea5e6b4ff8"),
            ("personal-number=19811218-9876", "dIrUddeF0bglumCDlUfV3KU1X2ftuxvA82466l5rT/g="),
            (
                "personal-number=19811218-9876",
                "LQhtvrOHQJ+RsWELuGKrmwhDZgsyPORkEnSsthJQZBOD3hHjRJtByZ3pYbdPqsU8EYsHS+DzoRqcHjA3Tr9P/g==",
            ),
            ("ip=2001:DB8::1", "2001:db8::1"),
            ("service=s-77", "s-77"),
        ] {
            let payload = serde_json::json!({ "a": [{ "text": format!("it is {text}") }], "b": 1 });
            assert!(finds(identifier, &payload.to_string()), "{identifier} as {text}");
            let named = serde_json::json!({ text: 1 });
            assert!(finds(identifier, &named.to_string()), "{identifier} as the name {text}");
        }
    }

    #[test]
    fn what_stands_there_by_chance_is_no_leak() {
        for (identifier, text) in [
            ("customer-number=1001", "2.10017"),
            ("customer-number=1001", "ab1001cdef1001ab1001cdef1001ab1001cdef1001ab1001cdef1001ab100100"),
            ("service=abc", "abcd"),
            ("service=web", "web-1"),
            ("customer-number=77", "177"),
        ] {
            let payload = serde_json::json!({ "text": text, "count": 1001 });
            assert!(!finds(identifier, &payload.to_string()), "{identifier} in {text}");
        }
        assert!(finds("service=web", "{\"text\":\"web\"}"), "a short value is looked for as a whole text");
        assert!(finds("service=files", "{\"text\":\"of files\"}"));
        assert!(!finds("service=files", "{\"kind\":\"files\"}"), "a word of the format");
    }
}
