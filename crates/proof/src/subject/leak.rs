//! The scan before a signature (`docs/formats/subject-v1.md`, section 6): no identifier of a request's subjects stands in what
//! is signed, in any spelling that a reader could undo or guess. Owns the spellings; refuses to know statements. Upholds I12
//! for what is handed out.
//!
//! Two things are told from chance. References and digests are random hex, in which any short number stands sooner or
//! later; and a service may be called what a field is called. Neither is a leak, and neither may stop a proof for ever.

use std::collections::BTreeMap;

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};
use gallra_model::Digest;
use md5::Md5;
use serde_json::Value;
use sha1::Sha1;
use sha2::{Digest as _, Sha512};

use super::identifier::{Identifier, Kind};

/// Shorter values are everywhere by chance: they are looked for as whole texts only.
const SHORT: usize = 4;

/// In random hex, fewer characters than these are there by chance (once in 10^9 proofs of a thousand digests each).
const BY_CHANCE_IN_HEX: usize = 12;

/// Fields whose words come from a closed list or a policy pack, never from a customer.
const VOCABULARY: [&str; 16] = [
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

/// An identifier stands in a payload. Names the field and the kind, never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} would show a subject's {}: it is not signed", kind.word())]
pub struct Leak {
    /// The path of the field, as `predicate.targets[0].target`.
    pub field: String,
    /// Which kind of identifier.
    pub kind: Kind,
}

/// Looks for identifiers in a payload's names and texts. Numbers are counts, and are not looked at.
///
/// # Errors
/// The first [`Leak`]. A payload that is no JSON is one text.
pub fn scan(payload: &[u8], identifiers: &[Identifier]) -> Result<(), Leak> {
    let wanted = Wanted::new(identifiers);
    match serde_json::from_slice(payload) {
        Ok(value) => walk(&value, &mut Vec::new(), &wanted),
        Err(_) => text("", &String::from_utf8_lossy(payload), &[], &wanted),
    }
}

/// One step of a path; written out only where something is found.
#[derive(Clone, Copy)]
enum Step<'a> {
    Field(&'a str),
    /// A name that shows somebody is not told either.
    Name,
    Place(usize),
}

fn walk<'a>(value: &'a Value, path: &mut Vec<Step<'a>>, wanted: &Wanted) -> Result<(), Leak> {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        Value::String(said) => {
            let field = path.iter().rev().find_map(|step| match step {
                Step::Field(name) => Some(*name),
                Step::Name | Step::Place(_) => None,
            });
            text(field.unwrap_or_default(), said, path, wanted)
        }
        Value::Array(all) => all.iter().enumerate().try_for_each(|(place, value)| {
            path.push(Step::Place(place));
            let found = walk(value, path, wanted);
            path.pop();
            found
        }),
        Value::Object(fields) => fields.iter().try_for_each(|(name, value)| {
            path.push(Step::Name);
            let found = text("", name, path, wanted);
            path.pop();
            found?;
            path.push(Step::Field(name));
            let found = walk(value, path, wanted);
            path.pop();
            found
        }),
    }
}

fn text(field: &str, said: &str, path: &[Step<'_>], wanted: &Wanted) -> Result<(), Leak> {
    let lower = said.to_lowercase();
    let random = lower.len() >= 32 && lower.bytes().all(|b| b.is_ascii_hexdigit());
    let vocabulary = VOCABULARY.contains(&field) || field.is_empty() && !path.is_empty();
    match wanted.stands_in(said, &lower, Context { random, vocabulary }) {
        Some(kind) => Err(Leak { field: written(path), kind }),
        None => Ok(()),
    }
}

fn written(path: &[Step<'_>]) -> String {
    let mut text = String::new();
    for step in path {
        let point = if text.is_empty() { "" } else { "." };
        match step {
            Step::Field(name) => text.extend([point, name]),
            Step::Name => text.extend([point, "(a name)"]),
            Step::Place(place) => text.push_str(&format!("[{place}]")),
        }
    }
    text
}

/// What a text is, beside itself.
#[derive(Clone, Copy)]
struct Context {
    random: bool,
    vocabulary: bool,
}

/// One spelling of one identifier.
struct Spelling {
    text: String,
    kind: Kind,
    /// Which identifier: the first that stands in a text is told.
    number: usize,
    /// The identifier is only letters: it could be a word of the format.
    word: bool,
}

/// All identifiers in all their spellings. A text is passed over once, however many there are: a proof has thousands of texts.
#[derive(Default)]
struct Wanted {
    /// In lowercase, looked for without regard to case.
    folded: Begins,
    /// Looked for as they are: base64.
    exact: Begins,
    /// Looked for as whole texts, in lowercase.
    whole: Vec<Spelling>,
}

impl Wanted {
    fn new(identifiers: &[Identifier]) -> Self {
        let mut wanted = Self::default();
        for (number, identifier) in identifiers.iter().enumerate() {
            let (value, kind) = (identifier.expose(), identifier.kind());
            let word = value.bytes().all(|b| b.is_ascii_alphabetic());
            let spelling = |text: String| Spelling { text, kind, number, word };
            let mut plain = vec![value.to_owned(), value.to_lowercase()];
            plain.extend(separated(identifier));
            for one in &plain {
                wanted.fold(spelling(one.to_lowercase()));
                if one.chars().count() >= SHORT {
                    let undone = [one.to_lowercase().chars().rev().collect(), hex::encode(one), percent(one)];
                    undone.into_iter().for_each(|undone| wanted.fold(spelling(undone)));
                    base64_inside(one.as_bytes()).into_iter().for_each(|inner| wanted.exact.add(spelling(inner)));
                }
                for digest in digests(one.as_bytes()) {
                    wanted.fold(spelling(hex::encode(&digest)));
                    wanted.exact.add(spelling(BASE64_NOPAD.encode(&digest)));
                    wanted.exact.add(spelling(BASE64URL_NOPAD.encode(&digest)));
                }
            }
        }
        wanted
    }

    fn fold(&mut self, spelling: Spelling) {
        if spelling.text.chars().count() < SHORT { self.whole.push(spelling) } else { self.folded.add(spelling) }
    }

    /// Which kind of identifier stands in a text, the first of those that do.
    fn stands_in(&self, said: &str, lower: &str, context: Context) -> Option<Kind> {
        let is_word = |spelling: &Spelling| spelling.word && context.vocabulary;
        let whole = self.whole.iter().filter(|spelling| lower == spelling.text && !is_word(spelling));
        let folded = self.folded.found(lower, |spelling, at| {
            let by_chance = context.random && spelling.text.len() < BY_CHANCE_IN_HEX;
            !is_word(spelling) && !by_chance && stands_alone(lower, at, &spelling.text)
        });
        let exact = self.exact.found(said, |_, _| true);
        let first = whole.chain(folded).chain(exact).min_by_key(|spelling| spelling.number)?;
        Some(first.kind)
    }
}

/// Spellings of at least [`SHORT`] bytes, by their first ones.
#[derive(Default)]
struct Begins {
    /// Whether anything begins with these two bytes: most places of a text are passed with one look.
    twos: Vec<bool>,
    fours: BTreeMap<[u8; SHORT], Vec<Spelling>>,
}

impl Begins {
    fn add(&mut self, spelling: Spelling) {
        let Some(four) = spelling.text.as_bytes().first_chunk::<SHORT>().copied() else { return };
        self.twos.resize(1 << 16, false);
        if let Some(two) = self.twos.get_mut(place_of(four)) {
            *two = true;
        }
        let same = self.fours.entry(four).or_default();
        if !same.iter().any(|other| other.text == spelling.text && other.word == spelling.word) {
            same.push(spelling);
        }
    }

    /// Spellings that stand in a text, where it counts that they begin there.
    fn found<'s>(
        &'s self,
        text: &'s str,
        counts: impl Fn(&Spelling, usize) -> bool + Copy + 's,
    ) -> impl Iterator<Item = &'s Spelling> + 's {
        let bytes = text.as_bytes();
        let fours = bytes.windows(SHORT).enumerate().filter_map(|(at, four)| Some((at, *four.first_chunk::<SHORT>()?)));
        let likely = fours.filter(|(_, four)| self.twos.get(place_of(*four)).copied().unwrap_or(false));
        likely.flat_map(move |(at, four)| {
            let known = self.fours.get(&four).map(Vec::as_slice).unwrap_or_default();
            let rest = bytes.get(at..).unwrap_or_default();
            known.iter().filter(move |spelling| rest.starts_with(spelling.text.as_bytes()) && counts(spelling, at))
        })
    }
}

fn place_of([first, second, ..]: [u8; SHORT]) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

/// Whether what begins there is there by itself: `1001` is not in `2.10017`.
fn stands_alone(text: &str, at: usize, wanted: &str) -> bool {
    let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    let before = text.get(..at).and_then(|before| before.chars().next_back());
    let after = text.get(at + wanted.len()..).and_then(|after| after.chars().next());
    wanted.len() >= BY_CHANCE_IN_HEX || edge(before) && edge(after)
}

/// Numbers as people write them.
fn separated(identifier: &Identifier) -> Vec<String> {
    let value = identifier.expose();
    match (identifier.kind(), value.split_at_checked(2), value.split_at_checked(value.len().saturating_sub(4))) {
        (Kind::PersonalNumber, Some((_, ten)), Some((eight, four))) => {
            let six = eight.get(2..).unwrap_or_default();
            vec![ten.to_owned(), format!("{eight}-{four}"), format!("{six}-{four}"), format!("{six}+{four}")]
        }
        (Kind::OrganisationNumber, _, Some((six, four))) => vec![format!("{six}-{four}"), format!("SE{value}01")],
        _ => Vec::new(),
    }
}

/// Every byte that is no letter or digit as `%2e`.
fn percent(value: &str) -> String {
    let one = |byte: u8| {
        if byte.is_ascii_alphanumeric() {
            char::from(byte).to_ascii_lowercase().to_string()
        } else {
            format!("%{byte:02x}")
        }
    };
    value.bytes().map(one).collect()
}

/// What is the same wherever the value begins inside longer encoded bytes: its base64 at each of the three offsets, without the
/// characters that its neighbours have a part in.
fn base64_inside(value: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for (before, skip) in [(0, 0), (1, 2), (2, 3)] {
        let padded = [vec![0; before], value.to_vec()].concat();
        let whole = padded.len() * 8 / 6;
        for encoded in [BASE64_NOPAD.encode(&padded), BASE64URL_NOPAD.encode(&padded)] {
            found.extend(encoded.get(skip..whole).filter(|inner| inner.len() >= SHORT).map(str::to_owned));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// What a value without a key is hashed to: anybody can try all values there are.
fn digests(value: &[u8]) -> [Vec<u8>; 4] {
    [
        Md5::digest(value).to_vec(),
        Sha1::digest(value).to_vec(),
        Digest::of(value).as_bytes().to_vec(),
        Sha512::digest(value).to_vec(),
    ]
}

#[cfg(test)]
mod tests;
