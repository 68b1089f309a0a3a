//! A pack's TOML as written: every word still a text with its place, so that a wrong one can be named by line.
//! Owns the file's keys; unknown ones are refused. What the words mean is decided in `resolve`.

use serde::Deserialize;
use toml::Spanned;

/// A whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PackFile {
    /// The file's stem.
    pub(super) name: Spanned<String>,
    /// Whose promises these are.
    pub(super) provider: String,
    /// What rule ids begin with, before the '/'. Unset: the pack's name.
    pub(super) prefix: Option<String>,
    /// Packs whose rules hold as well.
    #[serde(default)]
    pub(super) include: Vec<Spanned<String>>,
    /// Local hours of `at` runs. Unset: 22:00 to 24:00.
    pub(super) window: Option<Spanned<WindowFile>>,
    /// MM-DD. Unset: 12-31.
    pub(super) fiscal_year_end: Option<Spanned<String>>,
    /// Whether stricter readings bind.
    #[serde(default)]
    pub(super) strict_backup: bool,
    /// The rows.
    #[serde(default, rename = "rule")]
    pub(super) rules: Vec<RuleFile>,
}

/// Local hours, HH:MM.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WindowFile {
    pub(super) opens: String,
    pub(super) closes: String,
}

/// One row.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleFile {
    pub(super) id: Spanned<String>,
    pub(super) category: Spanned<String>,
    pub(super) action: Spanned<String>,
    pub(super) bound: Spanned<String>,
    /// Unset: daily.
    pub(super) sweep: Option<Spanned<String>>,
    pub(super) basis: Spanned<String>,
    pub(super) cites: Vec<String>,
    /// What it is counted from.
    pub(super) count: Vec<CountFile>,
}

/// One anchor of a row.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CountFile {
    pub(super) from: Spanned<String>,
    pub(super) period: Spanned<String>,
    /// Unset: exact.
    pub(super) until: Option<Spanned<String>>,
    pub(super) stricter: Option<StricterFile>,
}

/// A stricter reading.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StricterFile {
    pub(super) from: Spanned<String>,
    pub(super) period: Spanned<String>,
}
