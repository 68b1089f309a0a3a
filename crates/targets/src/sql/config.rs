//! The `[target.sql]` section of `agent.toml` and its check. Refuses every name that is not a plain identifier, so that
//! no text of the configuration can become SQL. Knows nothing of the database: it may not be mounted yet.

use std::path::PathBuf;

use serde::Deserialize;

use super::mapping::{Act, Aged, Anchor, Mapping, Pick, Restrict, Sentinel, Table};
use super::written::Written;
use crate::age::Age;
use crate::template::By;

mod ages;

/// Longest wait for a lock that may be configured, in seconds.
const MAX_WAIT_SECONDS: u64 = 300;
/// Longest table or column name, in bytes (PostgreSQL's limit, the smallest of the three engines').
const MAX_NAME_BYTES: usize = 63;
/// Tables that one mapping may declare.
const MAX_TABLES: usize = 200;

/// Where the rows are, and what becomes of them. `docs/targets/sql.md` explains every key.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Which database program's format.
    pub engine: EngineKind,
    /// The database file; absolute, no part of it a symbolic link.
    pub database: PathBuf,
    /// A row that must always be found, so that an empty or foreign database is never taken for "nothing there".
    pub sentinel: SentinelConfig,
    /// Which row stands for the subject as a whole. Unset: the last table that is reached by its own key.
    #[serde(default)]
    pub anchor: Option<AnchorConfig>,
    /// What a restriction sets. Unset: the target cannot restrict.
    #[serde(default)]
    pub restrict: Option<RestrictConfig>,
    /// Tables of shared words (postal towns, product names): a value that stands there is not searched for.
    #[serde(default)]
    pub shared: Vec<String>,
    /// Whether triggers may change further rows while the mapping is carried out.
    #[serde(default)]
    pub allow_triggers: bool,
    /// How long to wait for another program's lock, in seconds; 0 to 300, 5 when unset.
    #[serde(default = "five")]
    pub wait_seconds: u64,
    /// A purge by age reaches no row that is younger, in hours or days; unset: no purge at all.
    #[serde(default)]
    pub youngest_purge_age: Option<Age>,
    /// The mapping, children before parents.
    pub table: Vec<TableConfig>,
}

fn five() -> u64 {
    5
}

/// A database program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineKind {
    /// SQLite, format 3.
    Sqlite,
}

/// A row that is nobody's.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentinelConfig {
    /// Its table.
    pub table: String,
    /// A column.
    pub key: String,
    /// What that column holds, exactly.
    pub value: String,
}

/// The row that stands for the subject.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnchorConfig {
    /// A declared table with a key of its own.
    pub table: String,
    /// Columns that are written once, when the row is made: a creation time, a random id.
    #[serde(default)]
    pub columns: Vec<String>,
}

/// What a restriction sets.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestrictConfig {
    /// A declared table.
    pub table: String,
    /// The column to set.
    pub column: String,
    /// To what.
    pub value: String,
}

/// What becomes of the subject's rows in one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionConfig {
    /// The rows go.
    Delete,
    /// The rows stay, the columns are emptied.
    Blank,
    /// The rows stay as they are.
    Keep,
}

/// A table that is reached through one row of another.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViaConfig {
    /// A table declared further down, with a key of its own.
    pub table: String,
    /// The column there that is referred to.
    pub key: String,
    /// The column here that refers to it.
    pub foreign: String,
}

/// One table of the mapping.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableConfig {
    /// Its name.
    pub table: String,
    /// The column that holds the id.
    #[serde(default)]
    pub key: Option<String>,
    /// Which id.
    #[serde(default)]
    pub by: Option<By>,
    /// In place of `key` and `by`.
    #[serde(default)]
    pub via: Option<ViaConfig>,
    /// What becomes of the rows.
    pub action: ActionConfig,
    /// `blank` only: which columns.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Which column names a kept row. Unset: the primary key.
    #[serde(default)]
    pub id: Option<String>,
    /// Which column says when the row was made. Unset: the row has no age, or its parent's.
    #[serde(default)]
    pub time_column: Option<String>,
    /// With `time_column`: how it is written.
    #[serde(default)]
    pub time_written: Option<Written>,
    /// With `youngest_purge_age`: the rows are no records with an age of their own, and stay until their subject's end.
    #[serde(default)]
    pub ageless: bool,
}

/// Checks the section without touching the database.
///
/// # Errors
/// What is wrong, in words of `agent.toml`.
pub(super) fn check(config: &Config) -> Result<Mapping, String> {
    if !config.database.is_absolute() {
        return Err("`database` must be an absolute path".into());
    }
    if config.wait_seconds > MAX_WAIT_SECONDS {
        return Err(format!("`wait_seconds` may be {MAX_WAIT_SECONDS} at most"));
    }
    if config.table.is_empty() || config.table.len() > MAX_TABLES {
        return Err(format!("declare 1 to {MAX_TABLES} [[target.sql.table]]"));
    }
    let tables = config.table.iter().map(table).collect::<Result<Vec<_>, _>>()?;
    let mut mapping = Mapping {
        sentinel: Sentinel {
            table: name(&config.sentinel.table)?,
            key: name(&config.sentinel.key)?,
            value: config.sentinel.value.clone(),
        },
        anchor: config
            .anchor
            .as_ref()
            .map(|anchor| Ok::<_, String>(Anchor { table: name(&anchor.table)?, columns: names(&anchor.columns)? }))
            .transpose()?,
        restrict: config
            .restrict
            .as_ref()
            .map(|restrict| {
                let RestrictConfig { table, column, value } = restrict;
                Ok::<_, String>(Restrict { table: name(table)?, column: name(column)?, value: value.clone() })
            })
            .transpose()?,
        shared: names(&config.shared)?,
        allow_triggers: config.allow_triggers,
        tables,
    };
    fits(&mapping)?;
    ages::settle(&mut mapping, config.youngest_purge_age.is_some())?;
    Ok(mapping)
}

/// Whether a text is a plain identifier.
fn name(text: &str) -> Result<String, String> {
    let mut bytes = text.bytes();
    let begins = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if begins && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') && text.len() <= MAX_NAME_BYTES {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "a table or column name is no plain identifier (1 to {MAX_NAME_BYTES} of A-Z a-z 0-9 _, not beginning with a digit)"
        ))
    }
}

fn names(texts: &[String]) -> Result<Vec<String>, String> {
    texts.iter().map(|text| name(text)).collect()
}

fn table(config: &TableConfig) -> Result<Table, String> {
    let table = name(&config.table)?;
    let pick = match (&config.key, config.by, &config.via) {
        (Some(key), Some(by), None) => Pick::Own { key: name(key)?, by },
        (None, None, Some(via)) => {
            Pick::Via { parent: name(&via.table)?, key: name(&via.key)?, foreign: name(&via.foreign)? }
        }
        _ => return Err(format!("table {table}: write either `key` and `by`, or `via`")),
    };
    let act = match (config.action, config.columns.is_empty()) {
        (ActionConfig::Delete, true) => Act::Delete,
        (ActionConfig::Keep, true) => Act::Keep,
        (ActionConfig::Blank, false) => Act::Blank(names(&config.columns)?),
        (ActionConfig::Blank, true) => return Err(format!("table {table}: `blank` needs `columns`")),
        (ActionConfig::Delete | ActionConfig::Keep, false) => {
            return Err(format!("table {table}: only `blank` takes `columns`"));
        }
    };
    let id = config.id.as_deref().map(name).transpose()?;
    let aged = match (&config.time_column, config.time_written, config.ageless) {
        (Some(column), Some(written), false) => Aged::Own { column: name(column)?, written },
        (None, None, true) => Aged::Ageless,
        (None, None, false) => Aged::Unsaid,
        (Some(_), _, _) | (_, Some(_), _) => {
            return Err(format!("table {table}: write `time_column` and `time_written` together, and no `ageless`"));
        }
    };
    Ok(Table { name: table, pick, act, id, aged })
}

/// What no single table can see: doubles, order, and references between them.
fn fits(mapping: &Mapping) -> Result<(), String> {
    for (at, table) in mapping.tables.iter().enumerate() {
        let name = &table.name;
        let (before, rest) = mapping.tables.split_at(at);
        if before.iter().any(|other| other.is_called(name)) {
            return Err(format!("table {name} is declared twice"));
        }
        if name.to_ascii_lowercase().starts_with("sqlite_") {
            return Err(format!("table {name} belongs to the database itself"));
        }
        if mapping.shared.iter().any(|shared| table.is_called(shared)) {
            return Err(format!("table {name} is declared and `shared`: it can only be one of them"));
        }
        is_findable(table, rest)?;
    }
    let own = |name: &str| mapping.find(name).is_some_and(|table| matches!(table.pick, Pick::Own { .. }));
    if !mapping.tables.iter().any(|table| own(&table.name)) {
        return Err("at least one table must have a `key`".into());
    }
    if mapping.anchor.as_ref().is_some_and(|anchor| !own(&anchor.table)) {
        return Err("`anchor` must name a declared table with a `key`".into());
    }
    if let Some(restrict) = &mapping.restrict {
        let Some(table) = mapping.find(&restrict.table) else {
            return Err("`restrict` must name a declared table".into());
        };
        let (Pick::Own { key, .. } | Pick::Via { foreign: key, .. }) = &table.pick;
        if key.eq_ignore_ascii_case(&restrict.column) {
            return Err("`restrict` cannot set the key: its row could not be found again".into());
        }
    }
    Ok(())
}

/// Whether the mapping leaves intact what it finds the table's rows by. `rest` begins with the table itself.
fn is_findable(table: &Table, rest: &[Table]) -> Result<(), String> {
    let name = &table.name;
    let (Pick::Own { key, .. } | Pick::Via { foreign: key, .. }) = &table.pick;
    if table.act.blanks(key) {
        return Err(format!("table {name}: the key cannot be blanked, its row could not be found again"));
    }
    let Pick::Via { parent, key, .. } = &table.pick else { return Ok(()) };
    let below = rest.iter().skip(1).find(|other| other.is_called(parent));
    let Some(Table { pick: Pick::Own { .. }, act, .. }) = below else {
        return Err(format!("table {name}: `via` must name a table that is declared below it and has a `key`"));
    };
    if act.blanks(key) {
        return Err(format!("table {name}: what it refers to in {parent} cannot be blanked"));
    }
    if table.act.keeps() && matches!(act, Act::Delete) {
        return Err(format!("table {name}: rows cannot be kept when those they hang on are deleted"));
    }
    Ok(())
}
