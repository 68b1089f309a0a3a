//! Counts again by another path: every row is fetched and its key compared here, byte by byte, so that a mistake in a
//! condition, a collation or an index cannot hide in both counts.

use std::collections::HashSet;

use super::engine::{Session, Value};
use super::look::Look;
use super::mapping::{Act, Pick, Table, column};
use crate::driver::Failure;

/// What was found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Recount {
    /// The target's items that are (still) there.
    pub(super) found: u64,
    /// Rows of declared tables that are not the subject's.
    pub(super) others: u64,
}

/// Counts all declared tables.
pub(super) fn recount(look: &Look<'_>) -> Result<Recount, Failure> {
    let mut sum = Recount::default();
    let counts_kept = look.mapping.keeps_all();
    for table in &look.mapping.tables {
        let mut names: Vec<&str> = Vec::new();
        let wanted = match &table.pick {
            Pick::Own { key, .. } => {
                names.push(key);
                HashSet::from([look.id(table)?.as_bytes().to_vec()])
            }
            Pick::Via { parent, key, foreign } => {
                names.push(foreign);
                parents(look, table, parent, key)?
            }
        };
        if let Act::Blank(columns) = &table.act {
            names.extend(columns.iter().map(String::as_str));
        }
        let sql = select(look.session, &table.name, &names);
        look.session.rows(&sql, &[], &mut |row| {
            let Some((key, columns)) = row.split_first() else { return Ok(()) };
            if !key.as_text().is_some_and(|text| wanted.contains(text.as_ref())) {
                sum.others += 1;
            } else if is_due(&table.act, columns, counts_kept) {
                sum.found += 1;
            }
            Ok(())
        })?;
    }
    Ok(sum)
}

fn is_due(act: &Act, columns: &[Value], counts_kept: bool) -> bool {
    match act {
        Act::Delete => true,
        Act::Blank(_) => columns.iter().any(|value| !value.is_blank()),
        Act::Keep => counts_kept,
    }
}

fn select(session: &dyn Session, table: &str, names: &[&str]) -> String {
    let columns: Vec<String> = names.iter().map(|name| column(session, table, name)).collect();
    format!("SELECT {} FROM {}", columns.join(", "), session.quote(table))
}

fn parents(look: &Look<'_>, table: &Table, parent: &str, key: &str) -> Result<HashSet<Vec<u8>>, Failure> {
    let id = look.id(table)?.as_bytes();
    let mut found = HashSet::new();
    let Some((parent_key, _)) = look.mapping.parent(parent) else { return Ok(found) };
    look.session.rows(&select(look.session, parent, &[parent_key, key]), &[], &mut |row| {
        if let [holder, referred] = row
            && holder.as_text().is_some_and(|text| text.as_ref() == id)
        {
            found.extend(referred.as_text().map(std::borrow::Cow::into_owned));
        }
        Ok(())
    })?;
    Ok(found)
}
