//! The scan before a signature (`docs/formats/subject-v1.md`, section 6): no identifier of a request's subjects stands in what
//! is signed, in any spelling that a reader could undo or guess. Owns the spellings; refuses to know statements. Upholds I12
//! for what is handed out.
//!
//! Two things are told from chance. References and digests are random hex, in which any short number stands sooner or
//! later; and a service may be called what a field is called. Neither is a leak, and neither may stop a proof for ever.

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
    let wanted: Vec<_> = identifiers.iter().map(Wanted::new).collect();
    match serde_json::from_slice(payload) {
        Ok(value) => walk(&value, &mut Vec::new(), &wanted),
        Err(_) => text("", &String::from_utf8_lossy(payload), &[], &wanted),
    }
}

fn walk(value: &Value, path: &mut Vec<String>, wanted: &[Wanted]) -> Result<(), Leak> {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        Value::String(said) => {
            let field = path.iter().rev().find(|step| !step.starts_with('[')).cloned().unwrap_or_default();
            text(&field, said, path, wanted)
        }
        Value::Array(all) => all.iter().enumerate().try_for_each(|(place, value)| {
            path.push(format!("[{place}]"));
            let found = walk(value, path, wanted);
            path.pop();
            found
        }),
        Value::Object(fields) => fields.iter().try_for_each(|(name, value)| {
            // A name that shows somebody is not told either.
            path.push("(a name)".to_owned());
            let found = text("", name, path, wanted);
            path.pop();
            found?;
            path.push(name.clone());
            let found = walk(value, path, wanted);
            path.pop();
            found
        }),
    }
}

fn text(field: &str, said: &str, path: &[String], wanted: &[Wanted]) -> Result<(), Leak> {
    let lower = said.to_lowercase();
    let random = lower.len() >= 32 && lower.bytes().all(|b| b.is_ascii_hexdigit());
    let vocabulary = VOCABULARY.contains(&field) || field.is_empty() && !path.is_empty();
    match wanted.iter().find(|wanted| wanted.stands_in(said, &lower, random, vocabulary)) {
        Some(wanted) => Err(Leak { field: path.join(".").replace(".[", "["), kind: wanted.kind }),
        None => Ok(()),
    }
}

/// One identifier in all its spellings.
struct Wanted {
    kind: Kind,
    /// Only letters: could be a word of the format.
    word: bool,
    /// In lowercase, looked for without regard to case.
    folded: Vec<String>,
    /// Looked for as they are: base64.
    exact: Vec<String>,
}

impl Wanted {
    fn new(identifier: &Identifier) -> Self {
        let value = identifier.expose();
        let mut plain = vec![value.to_owned(), value.to_lowercase()];
        plain.extend(separated(identifier));
        let mut wanted = Self {
            kind: identifier.kind(),
            word: value.bytes().all(|b| b.is_ascii_alphabetic()),
            folded: Vec::new(),
            exact: Vec::new(),
        };
        for one in &plain {
            wanted.folded.push(one.to_lowercase());
            if one.chars().count() >= SHORT {
                wanted.folded.extend([one.to_lowercase().chars().rev().collect(), hex::encode(one), percent(one)]);
                wanted.exact.extend(base64_inside(one.as_bytes()));
            }
            for digest in digests(one.as_bytes()) {
                wanted.folded.push(hex::encode(&digest));
                wanted.exact.extend([BASE64_NOPAD.encode(&digest), BASE64URL_NOPAD.encode(&digest)]);
            }
        }
        wanted
    }

    fn stands_in(&self, said: &str, lower: &str, random: bool, vocabulary: bool) -> bool {
        let folded = self.folded.iter().any(|wanted| {
            if self.word && vocabulary || random && wanted.len() < BY_CHANCE_IN_HEX {
                return false;
            }
            if wanted.chars().count() < SHORT { lower == wanted } else { contains(lower, wanted) }
        });
        folded || self.exact.iter().any(|wanted| said.contains(wanted.as_str()))
    }
}

/// Whether it stands there by itself: `1001` is not in `2.10017`.
fn contains(text: &str, wanted: &str) -> bool {
    let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    let inner = wanted.len() >= BY_CHANCE_IN_HEX;
    text.match_indices(wanted).any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + wanted.len()..).and_then(|after| after.chars().next());
        inner || edge(before) && edge(after)
    })
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
