//! Policy packs: a provider's rules and the law's, read from TOML. Owns [`Policy`], the only way to get rules; one that
//! exists was checked whole. Refuses to open files: the caller hands over texts.

mod file;
mod resolve;

use gallra_model::Digest;
use gallra_model::target::Category;
use serde::Serialize;

use crate::calendar::{RunWindow, YearEnd};
use crate::problem::Refused;
use crate::rule::Rule;

/// A pack with everything that it includes, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    content: Content,
    digest: Digest,
}

/// What the digest covers. Field order is part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Content {
    name: String,
    provider: String,
    window: RunWindow,
    fiscal_year_end: YearEnd,
    strict_backup: bool,
    rules: Vec<Rule>,
}

impl Policy {
    /// Reads and checks a pack. `name` is the file's stem: the pack must carry the same name. `include` gives the text
    /// of a pack that this one includes, by stem.
    ///
    /// # Errors
    /// [`Refused`] with every problem found, included packs' too.
    pub fn parse<F>(name: &str, text: &str, include: F) -> Result<Self, Refused>
    where
        F: Fn(&str) -> Option<String>,
    {
        let content = resolve::resolve(name, text, &include).map_err(|problems| Refused { problems })?;
        // Struct fields serialise in their declared order and there is no map inside, so the bytes are canonical.
        let bytes = serde_json::to_vec(&content).expect("strings, numbers and flags always serialise");
        Ok(Self { content, digest: Digest::of(&bytes) })
    }

    /// The pack's name.
    pub fn name(&self) -> &str {
        &self.content.name
    }

    /// Whose promises these are; the law's own pack says the country.
    pub fn provider(&self) -> &str {
        &self.content.provider
    }

    /// SHA-256 over the resolved content: comments and layout of the files play no part, included rules do.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// All rules: the provider's in the order of its file, then those of included packs.
    pub fn rules(&self) -> &[Rule] {
        &self.content.rules
    }

    /// The rules about one category.
    pub fn rules_for<'a>(&'a self, category: &'a Category) -> impl Iterator<Item = &'a Rule> {
        self.rules().iter().filter(move |rule| rule.category == *category)
    }

    /// Local hours in which an `at` rule's run may begin.
    pub fn window_hours(&self) -> RunWindow {
        self.content.window
    }

    /// When the provider's financial year ends.
    pub fn fiscal_year_end(&self) -> YearEnd {
        self.content.fiscal_year_end
    }

    /// Whether stricter readings bind rather than being noted.
    pub fn strict_backup(&self) -> bool {
        self.content.strict_backup
    }
}

#[cfg(test)]
pub(crate) mod tests;
