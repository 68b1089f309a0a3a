//! Reading TOML by hand, so that one look finds every problem: each key that is unknown, missing or of the wrong kind is
//! noted with its line, and reading goes on. Owns that; what a value means is for whoever asks for it.

use std::fmt::Display;
use std::str::FromStr;

use gallra_model::Day;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::calendar::parse_day;
use crate::problem::Findings;
use crate::word::Word;

/// A text with its place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'t> {
    pub(crate) text: &'t str,
    pub(crate) at: usize,
}

/// One table, and the keys that were asked for.
pub(crate) struct Section<'t> {
    table: &'t DeTable<'t>,
    /// Where it begins.
    pub(crate) at: usize,
    asked: Vec<&'static str>,
}

/// Reads a document as far as its syntax lets it. Every syntax error is noted.
pub(crate) fn document<'t>(text: &'t str, findings: &mut Findings<'_>) -> Spanned<DeTable<'t>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let hint = "docs/policies.md shows the form of a pack; texts stand in quotation marks";
        let message = error.message().replace('\n', " ");
        match error.span() {
            Some(span) => findings.at(span.start, message, hint),
            None => findings.whole(message, hint),
        }
    }
    table
}

impl<'t> Section<'t> {
    pub(crate) fn new(table: &'t DeTable<'t>, at: usize) -> Self {
        Self { table, at, asked: Vec::new() }
    }

    fn value(&mut self, key: &'static str) -> Option<(&'t DeValue<'t>, usize)> {
        self.asked.push(key);
        self.table.get(key).map(|value| (value.get_ref(), value.span().start))
    }

    /// Whether the key is there, whatever it holds.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The row's id as it stands, whether or not the row is in order.
    pub(crate) fn id(&self) -> Option<String> {
        self.table.get("id").and_then(|value| value.get_ref().as_str()).map(str::to_owned)
    }

    /// A text that may be missing.
    pub(crate) fn text(&mut self, key: &'static str, findings: &mut Findings<'_>) -> Option<Text<'t>> {
        let (value, at) = self.value(key)?;
        let text = value.as_str().map(|text| Text { text, at });
        if text.is_none() {
            wrong_kind(key, "a text in quotation marks", at, findings);
        }
        text
    }

    /// A text that must be there.
    pub(crate) fn needed(&mut self, key: &'static str, findings: &mut Findings<'_>) -> Option<Text<'t>> {
        if !self.has(key) {
            self.asked.push(key);
            findings.at(self.at, format!("the key {key} is missing"), format!("add {key} = \"…\""));
            return None;
        }
        self.text(key, findings)
    }

    /// A word of a closed list that must be there.
    pub(crate) fn word<T: Word>(&mut self, key: &'static str, findings: &mut Findings<'_>) -> Option<T> {
        self.needed(key, findings).and_then(|text| known(text, T::from_word, T::WORDS, findings))
    }

    /// A word that may be missing: then `default` holds.
    pub(crate) fn word_or<T: Word>(&mut self, key: &'static str, default: T, findings: &mut Findings<'_>) -> Option<T> {
        match self.text(key, findings) {
            Some(text) => known(text, T::from_word, T::WORDS, findings),
            None => Some(default),
        }
    }

    /// Words of a closed list; none where the key is missing.
    pub(crate) fn words<T: Word>(&mut self, key: &'static str, findings: &mut Findings<'_>) -> Vec<T> {
        self.texts(key, findings).into_iter().filter_map(|text| known(text, T::from_word, T::WORDS, findings)).collect()
    }

    /// Texts; none where the key is missing.
    pub(crate) fn texts(&mut self, key: &'static str, findings: &mut Findings<'_>) -> Vec<Text<'t>> {
        let Some((value, at)) = self.value(key) else { return Vec::new() };
        let Some(array) = value.as_array() else {
            wrong_kind(key, "a list of texts in square brackets", at, findings);
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in array.iter() {
            match item.get_ref().as_str() {
                Some(text) => texts.push(Text { text, at: item.span().start }),
                None => wrong_kind(key, "a list of texts in square brackets", item.span().start, findings),
            }
        }
        texts
    }

    /// Texts as they are.
    pub(crate) fn strings(&mut self, key: &'static str, findings: &mut Findings<'_>) -> Vec<String> {
        self.texts(key, findings).into_iter().map(|text| text.text.to_owned()).collect()
    }

    /// Something with a form of its own that must be there.
    pub(crate) fn parsed<T>(&mut self, key: &'static str, findings: &mut Findings<'_>) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        self.needed(key, findings).and_then(|text| read(text, findings))
    }

    /// A day that may be missing.
    pub(crate) fn day(&mut self, key: &'static str, findings: &mut Findings<'_>) -> Option<Day> {
        if self.has(key) {
            return self.needed_day(key, findings);
        }
        self.asked.push(key);
        None
    }

    /// A day that must be there.
    pub(crate) fn needed_day(&mut self, key: &'static str, findings: &mut Findings<'_>) -> Option<Day> {
        let text = self.needed(key, findings)?;
        let day = parse_day(text.text);
        if let Err(error) = &day {
            complain(text, &error.to_string(), findings);
        }
        day.ok()
    }

    /// A yes or no; no where the key is missing.
    pub(crate) fn flag(&mut self, key: &'static str, findings: &mut Findings<'_>) -> bool {
        let Some((value, at)) = self.value(key) else { return false };
        let flag = value.as_bool();
        if flag.is_none() {
            wrong_kind(key, "true or false", at, findings);
        }
        flag.unwrap_or(false)
    }

    /// A whole number that may be missing.
    pub(crate) fn number(&mut self, key: &'static str, findings: &mut Findings<'_>) -> Option<u16> {
        let (value, at) = self.value(key)?;
        let number = value.as_integer().and_then(|number| number.as_str().parse().ok());
        if number.is_none() {
            wrong_kind(key, "a whole number up to 65535", at, findings);
        }
        number
    }

    /// A table that may be missing.
    pub(crate) fn section(&mut self, key: &'static str, findings: &mut Findings<'_>) -> Option<Section<'t>> {
        let (value, at) = self.value(key)?;
        let table = value.as_table();
        if table.is_none() {
            wrong_kind(key, "a table: { key = value, … }", at, findings);
        }
        table.map(|table| Section::new(table, at))
    }

    /// Tables; none where the key is missing.
    pub(crate) fn sections(&mut self, key: &'static str, findings: &mut Findings<'_>) -> Vec<Section<'t>> {
        let Some((value, at)) = self.value(key) else { return Vec::new() };
        let Some(array) = value.as_array() else {
            wrong_kind(key, "a list of tables", at, findings);
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in array.iter() {
            match item.get_ref().as_table() {
                Some(table) => sections.push(Section::new(table, item.span().start)),
                None => wrong_kind(key, "a list of tables", item.span().start, findings),
            }
        }
        sections
    }

    /// Notes every key that nobody asked for.
    pub(crate) fn finish(self, findings: &mut Findings<'_>) {
        for key in self.table.keys().filter(|key| !self.asked.contains(&key.get_ref().as_ref())) {
            let mut known = self.asked.clone();
            known.sort_unstable();
            known.dedup();
            findings.at(
                key.span().start,
                format!("unknown key {}", key.get_ref()),
                format!("known here: {}", known.join(", ")),
            );
        }
    }
}

fn wrong_kind(key: &str, wanted: &str, at: usize, findings: &mut Findings<'_>) {
    findings.at(at, format!("{key} is not {wanted}"), "see docs/policies.md");
}

/// Looks a word up in a closed list.
pub(crate) fn known<T>(
    word: Text<'_>,
    look_up: impl Fn(&str) -> Option<T>,
    words: &[&str],
    findings: &mut Findings<'_>,
) -> Option<T> {
    let found = look_up(word.text);
    if found.is_none() {
        findings.at(word.at, format!("unknown word \"{}\"", word.text), format!("one of: {}", words.join(", ")));
    }
    found
}

/// Reads a text that has a form of its own.
pub(crate) fn read<T>(text: Text<'_>, findings: &mut Findings<'_>) -> Option<T>
where
    T: FromStr,
    T::Err: Display,
{
    match text.text.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            complain(text, &error.to_string(), findings);
            None
        }
    }
}

/// A reader's own words: what is wrong, a colon, what to do.
fn complain(text: Text<'_>, message: &str, findings: &mut Findings<'_>) {
    let (what, hint) = message.split_once(": ").unwrap_or((message, ""));
    findings.at(text.at, what, hint);
}
