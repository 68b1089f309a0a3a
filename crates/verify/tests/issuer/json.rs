//! JSON whose fields keep their order.

use std::fmt;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Object(Vec<(String, Json)>),
    List(Vec<Json>),
    Text(String),
    Number(u64),
    Bool(bool),
    /// Written as it is.
    Raw(String),
}

pub(crate) fn object<const N: usize>(fields: [(&str, Json); N]) -> Json {
    Json::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

pub(crate) fn list(all: impl IntoIterator<Item = Json>) -> Json {
    Json::List(all.into_iter().collect())
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Json {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Json {
    fn from(said: bool) -> Self {
        Self::Bool(said)
    }
}

impl Json {
    pub(crate) fn get(&mut self, name: &str) -> &mut Self {
        let Self::Object(fields) = self else { panic!("{name} of {self}") };
        let found = fields.iter_mut().find(|(field, _)| field == name);
        &mut found.unwrap_or_else(|| panic!("no field {name}")).1
    }

    pub(crate) fn read(&self, name: &str) -> &Self {
        let Self::Object(fields) = self else { panic!("{name} of {self}") };
        &fields.iter().find(|(field, _)| field == name).unwrap_or_else(|| panic!("no field {name}")).1
    }

    pub(crate) fn at(&mut self, place: usize) -> &mut Self {
        &mut self.all()[place]
    }

    pub(crate) fn all(&mut self) -> &mut Vec<Self> {
        let Self::List(all) = self else { panic!("no list") };
        all
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<Self>) {
        *self.get(name) = value.into();
    }

    pub(crate) fn text(&self) -> &str {
        let Self::Text(text) = self else { panic!("no text") };
        text
    }

    /// Puts a field after all others.
    pub(crate) fn append(&mut self, name: &str, value: Self) {
        let Self::Object(fields) = self else { panic!("no object") };
        fields.push((name.to_owned(), value));
    }

    /// Puts a field before another one.
    pub(crate) fn before(&mut self, other: &str, name: &str, value: Self) {
        let Self::Object(fields) = self else { panic!("no object") };
        let at = fields.iter().position(|(field, _)| field == other).unwrap_or_else(|| panic!("no field {other}"));
        fields.insert(at, (name.to_owned(), value));
    }

    pub(crate) fn remove(&mut self, name: &str) {
        let Self::Object(fields) = self else { panic!("no object") };
        fields.retain(|(field, _)| field != name);
    }

    /// Texts that begin with `@` become what they name.
    pub(crate) fn resolve(&mut self, of: &dyn Fn(&str) -> String) {
        match self {
            Self::Object(fields) => fields.iter_mut().for_each(|(_, value)| value.resolve(of)),
            Self::List(all) => all.iter_mut().for_each(|value| value.resolve(of)),
            Self::Text(text) => {
                if let Some(label) = text.strip_prefix('@') {
                    *text = of(label);
                }
            }
            Self::Number(_) | Self::Bool(_) | Self::Raw(_) => {}
        }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(fields) => {
                for (number, (name, value)) in fields.iter().enumerate() {
                    write!(f, "{}\"{name}\":{value}", if number == 0 { "{" } else { "," })?;
                }
                f.write_str(if fields.is_empty() { "{}" } else { "}" })
            }
            Self::List(all) => {
                for (number, value) in all.iter().enumerate() {
                    write!(f, "{}{value}", if number == 0 { "[" } else { "," })?;
                }
                f.write_str(if all.is_empty() { "[]" } else { "]" })
            }
            Self::Text(text) => {
                write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
            }
            Self::Number(number) => write!(f, "{number}"),
            Self::Bool(said) => write!(f, "{said}"),
            Self::Raw(text) => f.write_str(text),
        }
    }
}

/// Items by outcome, eight numbers.
pub(crate) fn counts(of: &[(&str, u64)]) -> Json {
    let words = ["erased", "absent", "anonymised", "key-destroyed", "retained", "restricted", "failed", "unknown"];
    let count = |word: &str| of.iter().find(|(named, _)| *named == word).map_or(0, |(_, count)| *count);
    Json::Object(words.iter().map(|word| ((*word).to_owned(), count(word).into())).collect())
}

/// Eight numbers, added.
pub(crate) fn sum(all: &[&Json]) -> Json {
    let mut sum = counts(&[]);
    for one in all {
        let Json::Object(fields) = one else { panic!("no counts") };
        for (word, count) in fields {
            let (Json::Number(more), Json::Number(so_far)) = (count, sum.get(word)) else { panic!("no counts") };
            *so_far += more;
        }
    }
    sum
}
